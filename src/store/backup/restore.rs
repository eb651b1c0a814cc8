//! Makes a data directory from a point, in a new life of the store: with the next incarnation, so
//! that whoever remembers what came after the point does not take the two for one.
//!
//! FORMAT comes last. Without it, and with `segments` there from the beginning, no build opens the
//! directory: one that is cut off is not taken for a store, neither a whole nor a new one.

use std::collections::BTreeSet;

use super::{
    BackupFolder, Part, Point, Progress, Vouched, Watch, damaged,
    folder::{copy_file, is_content, telling},
};
use crate::store::{
    dir,
    error::StoreError,
    io::{Io, Mode, Site},
    meta::{Kind, NewLife},
    segments::{file_of, folder_of},
    snapshots::{self, SnapshotFile},
};

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
}

/// Restores a point into an empty folder. `keys` are files to put there, by name; they are made
/// when all else is whole: they are open, and a folder that nobody wants is easily forgotten.
///
/// # Errors
/// Refused if the folder is not empty; damaged if a file of the point is not what was written;
/// what a disk or `watch` says. What there is then cannot be opened.
pub fn restore(
    folder: &BackupFolder,
    point: Vouched<'_>,
    into: &dyn Io,
    (keys, leap): (&[(&str, &[u8])], u32),
    watch: Watch<'_>,
) -> Result<Restored, StoreError> {
    let point = point.point();
    if into.list("")?.iter().any(|name| name != "lost+found") {
        return Err(StoreError::Refused("the folder to restore into is not empty; name another".into()));
    }
    let format = folder.read(point, Part::Format)?;
    // Whatever happens from here on, this is not an empty folder that could become a new store.
    into.create_dir("segments")?;
    into.sync_dir("", Site::BackupDir)?;
    segments(folder, point, into, watch)?;
    let rows = metadata(folder, point, (into, leap), watch)?;
    for (path, bytes) in keys {
        put(into, path, bytes)?;
    }
    dir::put_format(into, &format, point.uuid)?;
    Ok(Restored { number: point.number, bytes: point.bytes(), segments: point.segments.len() as u64, rows })
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

fn segments(folder: &BackupFolder, point: &Point, into: &dyn Io, watch: Watch<'_>) -> Result<(), StoreError> {
    let total = point.segments.iter().map(|copy| copy.length).sum();
    let (mut tell, mut dirs) = (telling(watch, "segments", total), BTreeSet::new());
    for copy in &point.segments {
        let bad = || damaged(format!("segments/{} is missing or damaged", copy.name()));
        let from = folder.segment(copy)?.filter(|from| from.len().is_ok_and(|length| length == copy.length));
        let from = from.ok_or_else(bad)?;
        let dir = folder_of(copy.segment);
        if dirs.insert(dir.clone()) {
            into.create_dir(&dir)?;
        }
        let to = into.open(&file_of(copy.segment), Mode::Create)?;
        let digest = copy_file(&*from, &*to, copy.length, &mut tell)?;
        if blake3::Hash::from(digest) != blake3::Hash::from(copy.digest) {
            return Err(bad());
        }
    }
    for dir in &dirs {
        into.sync_dir(dir, Site::BackupDir)?;
    }
    Ok(into.sync_dir("segments", Site::BackupDir)?)
}

fn metadata(
    folder: &BackupFolder,
    point: &Point,
    (into, leap): (&dyn Io, u32),
    watch: Watch<'_>,
) -> Result<u64, StoreError> {
    let (part, bad) = (point.file(Part::Metadata)?, || damaged("its rows are missing or damaged"));
    let file = folder.part(point.number, Part::Metadata)?.ok_or_else(bad)?;
    if !is_content(&*file, (part.length, part.digest), &mut telling(watch, "rows", part.length))? {
        return Err(bad());
    }
    watch(Progress { phase: "rows", done: part.length, total: part.length })?;
    let highest = point.segments.iter().map(|copy| (Kind::Segment, copy.segment.0)).max_by_key(|seen| seen.1);
    let life = NewLife { seen: highest.into_iter().collect(), leap };
    snapshots::load(into, &SnapshotFile::open(file)?, Some(&life))
}
