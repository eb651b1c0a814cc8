//! Makes the metadata anew from what is left: names from the metadata itself where they can still be
//! read, else from the newest whole snapshot; where each chunk lies, from the segments alone.
//!
//! The new file is made aside and renamed over the old one, of which a copy was put by: a crash leaves
//! the old state or the new one. It is a new life of the store, whose numbers go on above every one
//! that was seen. What was stored since a snapshot has no name and is dead bytes, as if it had never
//! been acknowledged. A chunk that a name needs and no segment has is kept as a bad one, and noted as
//! damage: a check tells which files need it, and the same content heals it. Where its row was lost,
//! too, nothing tells what the same content is: the file is told all the same, and can be deleted and
//! stored again.
//!
//! Reads every stored byte once; holds some hundred bytes of memory for each chunk that is needed.
//! Knows references and places, not whose files they are.

mod facts;
mod kept;
mod places;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::{
    facts::{Facts, Rows},
    places::Places,
};
use super::{
    dir::{Clock, DataDir, DirOptions, RoomOptions},
    error::StoreError,
    faults::{Fault, Faults},
    io::Io,
    meta::{self, Kind, Meta, MetaOptions, NewLife, Progress, TableRow},
    snapshots::{self, Kept},
    sync::Arc,
};

/// How a rebuild is done.
#[derive(Clone)]
pub struct RebuildOptions {
    /// The disk, rooted at the data directory.
    pub io: Arc<dyn Io>,
    /// The clock.
    pub now: Clock,
    /// Room put by on the disk.
    pub room: RoomOptions,
    /// Even if nothing is wrong.
    pub force: bool,
    /// Names may be had from a snapshot: what was changed since is gone then.
    pub from_snapshot: bool,
    /// A number at random, for the new life of the store.
    pub leap: u32,
    /// Called while large metadata is repaired after a crash.
    pub repair: Progress,
    /// Hears how many segments were read, and how many there are.
    pub progress: Arc<dyn Fn(u64, u64) + Send + Sync>,
}

/// Where the names come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Names {
    /// From the metadata as it was; none is lost.
    Current,
    /// From a snapshot: what was named since is not.
    Snapshot(Kept),
}

/// What was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rebuilt {
    /// Where the names come from.
    pub names: Names,
    /// Why it was needed; nothing if it was only asked for.
    pub reason: Option<String>,
    /// The name of the copy of the old metadata, if there was any.
    pub kept: Option<String>,
    /// Segments read.
    pub segments: u64,
    /// Whole records in them.
    pub records: u64,
    /// Bytes in them that are no whole record, between whole ones.
    pub damaged_bytes: u64,
    /// Chunks that names need.
    pub chunks: u64,
    /// Of these, the ones that are in no segment.
    pub lost: u64,
}

/// Rebuilds the metadata of a data directory that nobody has open.
///
/// # Errors
/// Refused if another process has it, if nothing is wrong, or if there is nothing to have names from;
/// full or failed as the disk says. The old state is as it was then.
pub fn rebuild(options: &RebuildOptions) -> Result<Rebuilt, StoreError> {
    let io = &*options.io;
    let dir =
        DirOptions { fresh_uuid: [0; 16], now: Arc::clone(&options.now), room: options.room, create: false };
    let dir = DataDir::open(Arc::clone(&options.io), dir)?;
    // Opening it may write to it.
    let late = Faults::of(io).has(Fault::PutByLast);
    let kept = if late { None } else { kept::put_by(io)? };
    let done = from_what_is_left(options, dir.uuid());
    let kept = if late { kept::put_by(io)? } else { kept };
    match (done, kept) {
        (Ok(done), kept) => Ok(Rebuilt { kept: kept.map(|kept| kept.path), ..done }),
        (Err(error), Some(kept)) => {
            kept::give_back(io, &kept)?;
            Err(error)
        }
        (Err(error), None) => Err(error),
    }
}

fn from_what_is_left(options: &RebuildOptions, uuid: [u8; 16]) -> Result<Rebuilt, StoreError> {
    let why = match current(options) {
        Ok(Current { meta, facts, wrong }) => {
            if wrong.is_none() && !options.force {
                return Err(StoreError::Refused(
                    "nothing is wrong: every name and every chunk's place can be read; --force rebuilds them \
                     all the same"
                        .into(),
                ));
            }
            let rows = Rows::of(&meta)?;
            return anew(options, uuid, (rows, facts), (Names::Current, wrong));
        }
        Err(StoreError::Unavailable(why) | StoreError::Damaged(why) | StoreError::Refused(why)) => why,
        Err(StoreError::Io(error)) => format!("the metadata cannot be read: {error}"),
        Err(error) => return Err(error),
    };
    // What is wrong, without the advice to do what is being done.
    let why = match why.rsplit_once(": ") {
        Some((what, advice)) if advice.contains("holdall rebuild") => what.to_owned(),
        _ => why,
    };
    let (snapshot, kept) = newest(&*options.io)?.ok_or_else(|| {
        StoreError::Refused(format!(
            "{why}; and there is no whole snapshot of the metadata to have the names from: restore a backup, or \
             put a copy of meta/ back"
        ))
    })?;
    if snapshot.header().uuid != uuid {
        return Err(StoreError::Refused("the newest snapshot is another store's".into()));
    }
    if !options.from_snapshot {
        let taken = kept.taken_at.rfc3339_seconds();
        return Err(StoreError::Refused(format!(
            "{why}; names can be had from the snapshot of {taken}, and what was changed since would be gone: \
             `holdall rebuild --from-snapshot` does that; a newer backup is the better way"
        )));
    }
    let facts = Facts::gather(Rows::kept(&snapshot))?;
    anew(options, uuid, (Rows::kept(&snapshot), facts), (Names::Snapshot(kept), Some(why)))
}

/// The newest snapshot of which every byte is as it was written.
fn newest(io: &dyn Io) -> Result<Option<(snapshots::SnapshotFile, Kept)>, StoreError> {
    for kept in snapshots::list(io)?.into_iter().rev() {
        let whole = snapshots::open(io, kept.number).and_then(|found| found.verify().map(|_| found));
        match whole {
            Ok(snapshot) => return Ok(Some((snapshot, kept))),
            Err(StoreError::Damaged(_) | StoreError::Refused(_) | StoreError::Io(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The metadata, if all names can be read.
struct Current {
    meta: Meta,
    facts: Facts,
    /// What is wrong with the places of chunks.
    wrong: Option<String>,
}

fn current(options: &RebuildOptions) -> Result<Current, StoreError> {
    let how = MetaOptions {
        create: false,
        progress: Arc::clone(&options.repair),
        ..MetaOptions::new(Arc::clone(&options.now))
    };
    let read = || {
        let meta = Meta::open(Arc::clone(&options.io), how)?;
        let facts = Facts::gather(Rows::of(&meta)?)?;
        let wrong = facts.wrong();
        Ok(Current { meta, facts, wrong })
    };
    // What contradicts itself may be met by an assertion below us.
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(StoreError::Damaged("the metadata contradicts itself".into())))
}

fn anew(
    options: &RebuildOptions,
    uuid: [u8; 16],
    (rows, facts): (Rows, Facts),
    (names, reason): (Names, Option<String>),
) -> Result<Rebuilt, StoreError> {
    let places = Places::survey(&*options.io, uuid, &facts, &*options.progress)?;
    let seen = vec![(Kind::Chunk, places.highest_chunk), (Kind::Segment, places.highest_segment)];
    let mut lost = 0;
    let made = places.rows(&facts, (options.now)(), &mut lost);
    let mut all = rows.without_places().chain(made.into_iter().map(Ok::<TableRow, _>));
    meta::replace(&*options.io, &mut all, &NewLife { seen, leap: options.leap })?;
    Ok(Rebuilt {
        names,
        reason,
        kept: None,
        segments: places.segments,
        records: places.records,
        damaged_bytes: places.damaged_bytes,
        chunks: facts.needed.len() as u64,
        lost,
    })
}
