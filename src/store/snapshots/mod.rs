//! Snapshots of the metadata: files with all rows of one committed state, each whole in itself and
//! readable without the engine that wrote the rows.
//!
//! ```text
//! meta/snapshots/<number>.snap      hexadecimal; the highest is the newest
//! meta/snapshots/<number>.new       one that was not finished; the next one takes it away
//! ```
//!
//! Taken from time to time, they are what is left to start from when the metadata file is lost.
//! A snapshot keeps nothing from the collector: of what was deleted since, the bytes may be gone.
//! Whoever starts from it must hold every chunk row against the segments that are there, and say
//! which files lost bytes; what was stored since lies in segments without a name.
//!
//! A file is written aside, synced, renamed, and the folder synced. A backup keeps its own copy,
//! under a hold that keeps the segments, too. Knows rows as bytes, not what they say; see `form`
//! for the layout.

mod form;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use self::{
    form::SnapshotHeader,
    read::{SnapshotFile, SnapshotRow, SnapshotRows},
};
use super::{
    error::StoreError,
    faults::{Fault, Faults},
    io::{Io, Mode, Site},
    meta::{self, NewLife, rows::Rows, table::Table},
    segments::is_flaw,
    sync::Arc,
};
use crate::model::time::Timestamp;

const FOLDER: &str = "meta/snapshots";
const WHOLE: &str = ".snap";
const ASIDE: &str = ".new";

/// How many are kept in the data directory.
pub const KEPT: usize = 4;

/// Hears how many bytes are written, and may end it.
pub type Pulse<'a> = &'a mut dyn FnMut(u64) -> Result<(), StoreError>;

/// Whose rows are written, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The store.
    pub uuid: [u8; 16],
    /// When.
    pub taken_at: Timestamp,
    /// The number of the snapshot.
    pub number: u64,
}

/// A snapshot in the data directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Kept {
    /// Its number.
    pub number: u64,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The length of its file.
    pub bytes: u64,
}

/// Writes all rows of one state into an empty file; how long it became, and its BLAKE3 as it was written. The
/// caller syncs it.
///
/// # Errors
/// What the rows or the disk say, and what `pulse` says.
pub fn write(
    rows: &dyn Rows,
    origin: Origin,
    file: &dyn super::io::File,
    pulse: Pulse<'_>,
) -> Result<(u64, [u8; 32]), StoreError> {
    let header = SnapshotHeader {
        uuid: origin.uuid,
        incarnation: meta::incarnation(rows)?,
        version: meta::version(rows)?,
        taken_at: origin.taken_at,
        number: origin.number,
        tables: Table::ALL.to_vec(),
    };
    write::write(rows, &header, file, pulse)
}

fn path(number: u64, end: &str) -> String {
    format!("{FOLDER}/{number:08x}{end}")
}

fn number_of(name: &str, end: &str) -> Option<u64> {
    let number = u64::from_str_radix(name.strip_suffix(end)?, 16).ok()?;
    // Only as we write it: one number, one name.
    (path(number, end) == format!("{FOLDER}/{name}")).then_some(number)
}

fn numbers(io: &dyn Io, end: &str) -> Result<Vec<u64>, StoreError> {
    let mut found: Vec<u64> = io.list(FOLDER)?.iter().filter_map(|name| number_of(name, end)).collect();
    found.sort_unstable();
    Ok(found)
}

/// The numbers of the snapshots of the data directory, damaged ones too, the newest last.
///
/// # Errors
/// When the disk fails.
pub(crate) fn kept_numbers(io: &dyn Io) -> Result<Vec<u64>, StoreError> {
    numbers(io, WHOLE)
}

/// Opens a snapshot of the data directory.
///
/// # Errors
/// When it is not there, or not one.
pub fn open(io: &dyn Io, number: u64) -> Result<SnapshotFile, StoreError> {
    SnapshotFile::open(io.open(&path(number, WHOLE), Mode::Read)?)
}

/// The snapshots of the data directory, the newest last. One whose header cannot be read is left
/// out, and its file left alone: a bad sector of one is no reason to use none of the others, nor
/// to take no new one.
///
/// # Errors
/// When the disk fails, in a way that says nothing of one snapshot.
pub fn list(io: &dyn Io) -> Result<Vec<Kept>, StoreError> {
    let mut found = Vec::new();
    for number in numbers(io, WHOLE)? {
        match kept(io, number) {
            Ok(kept) => found.push(kept),
            Err(StoreError::Refused(_)) => {}
            Err(error) if is_flaw(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn kept(io: &dyn Io, number: u64) -> Result<Kept, StoreError> {
    let file = io.open(&path(number, WHOLE), Mode::Read)?;
    let bytes = file.len()?;
    Ok(Kept { number, taken_at: SnapshotFile::open(file)?.header().taken_at, bytes })
}

/// Makes the metadata file of a data directory that has none from a snapshot; how many rows it has.
/// `life` is none for the same life of the store. Nothing is in place unless all of it was read
/// and is as it was written.
///
/// # Errors
/// As [`meta::load`].
pub fn load(io: &dyn Io, snapshot: &SnapshotFile, life: Option<&NewLife>) -> Result<u64, StoreError> {
    let mut rows = snapshot.rows().map(|row| row.map(|row| (row.table, row.key, row.value)));
    meta::load(io, &mut rows, life)
}

/// Takes a snapshot into the data directory, and removes all but the `keep` newest. It is durable
/// before any older one goes.
///
/// # Errors
/// As [`write()`]; what was begun is removed then, as far as the disk lets it.
pub fn take(
    io: &dyn Io,
    rows: &dyn Rows,
    (uuid, taken_at): ([u8; 16], Timestamp),
    keep: usize,
    pulse: Pulse<'_>,
) -> Result<Kept, StoreError> {
    io.create_dir(FOLDER)?;
    io.sync_dir("meta", Site::SnapshotDir)?;
    for number in numbers(io, ASIDE)? {
        io.remove(&path(number, ASIDE))?;
    }
    let number = numbers(io, WHOLE)?.last().map_or(1, |last| last.saturating_add(1));
    let (aside, origin) = (path(number, ASIDE), Origin { uuid, taken_at, number });
    let written = write_aside(io, rows, origin, &aside, pulse);
    if written.is_err() {
        // It is found again by its name; the first failure is what counts.
        let _ = io.remove(&aside);
    }
    let bytes = written?;
    io.rename(&aside, &path(number, WHOLE))?;
    if Faults::of(io).has(Fault::OlderGoFirst) {
        remove_older(io, keep)?;
    }
    io.sync_dir(FOLDER, Site::SnapshotDir)?;
    remove_older(io, keep)?;
    Ok(Kept { number, taken_at, bytes })
}

/// Leaves the `keep` newest, one at least.
fn remove_older(io: &dyn Io, keep: usize) -> Result<(), StoreError> {
    let mut older = numbers(io, WHOLE)?;
    older.truncate(older.len().saturating_sub(keep.max(1)));
    for number in older {
        io.remove(&path(number, WHOLE))?;
    }
    Ok(())
}

fn write_aside(
    io: &dyn Io,
    rows: &dyn Rows,
    origin: Origin,
    aside: &str,
    pulse: Pulse<'_>,
) -> Result<u64, StoreError> {
    let file: Arc<dyn super::io::File> = io.open(aside, Mode::Create)?;
    let (bytes, _) = write(rows, origin, &*file, pulse)?;
    file.sync(Site::SnapshotData)?;
    Ok(bytes)
}
