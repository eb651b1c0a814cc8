//! Makes a data directory from a point, in a new life of the store: with the next incarnation, so
//! that whoever remembers what came after the point does not take the two for one.
//!
//! A copy of a segment that is not what was written ends it, unless the rest is wanted
//! ([`Rotten::Kept`]): then it is put there as it is, with zeros for what the disk refuses to read. Rows
//! name each chunk by its digest, so nothing wrong is ever served from it; which files lost something is
//! known when the store is read again. Rows, FORMAT and keys are what was written or there is no store.
//!
//! FORMAT comes last. Without it, and with `segments` there from the beginning, no build opens the
//! directory: one that is cut off is not taken for a store, neither a whole nor a new one.

use std::collections::BTreeSet;

use super::{
    BackupFolder, Lost, Part, Point, SegmentCopy, Vouched, Watch,
    copying::{copy_past, is_content, telling},
    damaged,
};
use crate::store::{
    dir,
    error::StoreError,
    faults::{Fault, Faults},
    io::{File, Io, Mode, Site},
    meta::{Kind, NewLife},
    segments::{file_of, folder_of, is_flaw},
    snapshots::{self, SnapshotFile},
    sync::Arc,
};

/// The rows of the point, while the metadata file is made from them.
const ROWS: &str = "restoring.meta";
/// Damaged files named at most.
const TOLD: usize = 100;

/// What is done with copies of segments that are not what was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rotten {
    /// Nothing is restored.
    Refused,
    /// They are taken as they are, and all else.
    Kept,
}

/// What a restore made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// The point.
    pub number: u64,
    /// Bytes that were copied.
    pub bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Rows.
    pub rows: u64,
    /// Files of the backup that are missing or damaged.
    pub damaged: Vec<String>,
    /// What the store had lost already when the point was made.
    pub lost: Vec<Lost>,
}

/// Restores a point into an empty folder. `keys` are files to put there, by name; they are made
/// when all else is whole: they are open, and a folder that nobody wants is easily forgotten.
///
/// # Errors
/// Refused if the folder is not empty; damaged, with the name of each, if files of the point are not
/// what was written; what a disk or `watch` says. What there is then cannot be opened.
pub fn restore(
    folder: &BackupFolder,
    (point, rotten): (Vouched<'_>, Rotten),
    into: &dyn Io,
    (keys, leap): (&[(&str, &[u8])], u32),
    watch: Watch<'_>,
) -> Result<Restored, StoreError> {
    let point = point.point();
    if into.list("")?.iter().any(|name| name != "lost+found") {
        return Err(StoreError::Refused("the folder to restore into is not empty; name another".into()));
    }
    let mut damaged = parts(folder, point, watch)?;
    if rotten == Rotten::Kept && !damaged.is_empty() {
        return Err(told(point, &damaged, "without them there is nothing to restore; take another point"));
    }
    // Whatever happens from here on, this is not an empty folder that could become a new store.
    into.create_dir("segments")?;
    into.sync_dir("", Site::BackupDir)?;
    if Faults::of(into).has(Fault::FormatFirst) {
        dir::put_format(into, &folder.read(point, Part::Format)?, point.uuid)?;
    }
    segments(folder, (point, rotten), into, &mut damaged, watch)?;
    if rotten == Rotten::Refused && !damaged.is_empty() {
        return Err(told(point, &damaged, "take another point, or restore all else of it with `--damaged`"));
    }
    let format = folder.read(point, Part::Format)?;
    let rows = metadata(folder, point, (into, leap), watch)?;
    for (path, bytes) in keys {
        put(into, path, bytes)?;
    }
    dir::put_format(into, &format, point.uuid)?;
    let (number, segments, lost) = (point.number, point.segments.len() as u64, point.lost.clone());
    Ok(Restored { number, bytes: point.bytes(), segments, rows, damaged, lost })
}

/// What is damaged, by name, and what to do.
fn told(point: &Point, files: &[String], what: &str) -> StoreError {
    let named = files.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = files.len().saturating_sub(TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    damaged(format!("of point {}, missing or damaged are {named}{more}; {what}", point.number))
}

/// The files that the point has for itself which are not what was written.
fn parts(folder: &BackupFolder, point: &Point, watch: Watch<'_>) -> Result<Vec<String>, StoreError> {
    let mut bad = Vec::new();
    let mut tell = telling(watch, "files", point.files.iter().map(|file| file.length).sum());
    for part in Part::ALL {
        let listed = point.file(part)?;
        let is_it = |file: Arc<dyn File>| is_content(&*file, (listed.length, listed.digest), &mut tell);
        let whole = readable(folder.part(point.number, part))?.map(is_it).transpose()?;
        bad.extend((whole != Some(true)).then(|| part.path(point.number)));
    }
    Ok(bad)
}

/// None for what the disk cannot give, too.
fn readable<T>(opened: Result<Option<T>, StoreError>) -> Result<Option<T>, StoreError> {
    match opened {
        Err(error) if is_flaw(&error) => Ok(None),
        opened => opened,
    }
}

/// Makes a small file, durably with its name.
fn put(into: &dyn Io, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
    if !dir.is_empty() {
        into.create_dir(dir)?;
    }
    let file = into.open(path, Mode::Create)?;
    file.write_at(bytes, 0)?;
    file.sync(Site::BackupData)?;
    into.sync_dir(dir, Site::BackupDir)?;
    Ok(into.sync_dir("", Site::BackupDir)?)
}

fn segments(
    folder: &BackupFolder,
    (point, rotten): (&Point, Rotten),
    into: &dyn Io,
    damaged: &mut Vec<String>,
    watch: Watch<'_>,
) -> Result<(), StoreError> {
    let total = point.segments.iter().map(|copy| copy.length).sum();
    let (mut tell, mut dirs) = (telling(watch, "segments", total), BTreeSet::new());
    for copy in &point.segments {
        let mut from = readable(folder.segment(copy))?;
        let whole = match (&from, rotten) {
            // It comes to nothing; what else is damaged is worth knowing.
            (Some(from), Rotten::Refused) if !damaged.is_empty() => {
                is_content(&**from, (copy.length, copy.digest), &mut tell)?
            }
            (None, Rotten::Refused) => false,
            _ => {
                let there = from.is_some();
                if !there {
                    from = readable(folder.moved_aside(copy))?;
                }
                let dir = folder_of(copy.segment);
                if dirs.insert(dir.clone()) {
                    into.create_dir(&dir)?;
                }
                let whole = from.map(|from| put_segment(&*from, copy, into, &mut tell)).transpose()?;
                there && whole == Some(true)
            }
        };
        damaged.extend((!whole).then(|| format!("segments/{}", copy.name())));
    }
    for dir in &dirs {
        into.sync_dir(dir, Site::BackupDir)?;
    }
    Ok(into.sync_dir("segments", Site::BackupDir)?)
}

/// Copies what there is of a segment; whether that is what was written.
fn put_segment(
    from: &dyn File,
    copy: &SegmentCopy,
    into: &dyn Io,
    tell: &mut dyn FnMut(u64) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    let to = into.open(&file_of(copy.segment), Mode::Create)?;
    let (length, mut refused) = (from.len()?, false);
    let digest = copy_past(from, &*to, length.min(copy.length), &mut |_| refused = true, tell)?;
    let same = blake3::Hash::from(digest) == blake3::Hash::from(copy.digest);
    Ok(same && length == copy.length && !refused)
}

fn metadata(
    folder: &BackupFolder,
    point: &Point,
    (into, leap): (&dyn Io, u32),
    watch: Watch<'_>,
) -> Result<u64, StoreError> {
    let (part, bad) = (point.file(Part::Metadata)?, || damaged("its rows are missing or damaged"));
    let file = folder.part(point.number, Part::Metadata)?.ok_or_else(bad)?;
    // Held against the digest and then read where only its owner writes: whoever can write to the backup's
    // folder could change it in between.
    let own = into.open(ROWS, Mode::Create)?;
    let mut tell = telling(watch, "rows", part.length);
    let digest = copy_past(&*file, &*own, part.length, &mut |_| {}, &mut tell)?;
    if blake3::Hash::from(digest) != blake3::Hash::from(part.digest) {
        return Err(bad());
    }
    let highest = point.segments.iter().map(|copy| (Kind::Segment, copy.segment.0)).max_by_key(|seen| seen.1);
    let life = NewLife { seen: highest.into_iter().collect(), leap };
    let rows = snapshots::load(into, &SnapshotFile::open(own)?, Some(&life))?;
    into.remove(ROWS)?;
    Ok(rows)
}
