//! Append-only files of chunk records.
//!
//! A segment is a header of 4 KiB (see `header`), records one after the other (see `record`), and,
//! once it is sealed, a footer that lists them (see `footer`). It is never changed after that. It
//! grows in steps, so a full disk is met before a record is written, not within one.
//!
//! Writing goes through lanes, each with one open segment. The order that keeps promises is:
//! [`Segments::append`], then [`Segments::wait_synced`] on the same lane, then a transaction that
//! names the chunk and writes what [`Segments::take_states`] gives. A lane's state machine is
//! [`Segments::step`]; [`Segments::drive`] starts a thread for each.
//!
//! Knows bytes and places, not rows: which record is referenced is decided above.

mod bytes;
mod codec;
mod drive;
mod flaw;
mod footer;
mod header;
mod held;
mod lane;
mod names;
mod nouns;
mod path;
mod read;
mod record;
mod recover;
mod scan;
mod survey;
mod writer;

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{
    error::StoreError,
    faults::{Fault, Faults},
    io::{File, Io},
};
use crate::{
    model::ids::SegmentId,
    store::sync::{Arc, Mutex, PoisonError},
};
use held::Holds;
use lane::Lane;
use names::Names;
use nouns::EXCLUSIVE;
use read::{Files, Place};
use record::Prepared;

pub(in crate::store) use bytes::{Fields, checked, seal_crc, store_crc};
pub use codec::Codec;
pub(in crate::store) use codec::{Codecs, decompress};
pub use drive::{Drivers, ExclusiveLane};
pub use flaw::{Flaw, FlawKind, Wanted, is_flaw};
pub use footer::FooterEntry;
pub use header::HEADER as SEGMENT_HEADER;
pub use held::Held;
pub use lane::{Done, LaneKind, Life};
pub use nouns::{LaneId, Placed, SegmentOptions, SegmentState};
pub(in crate::store) use path::{file as file_of, folder as folder_of};
pub use read::{RecordRead, Verbatim};
pub(in crate::store) use read::{Whose, read_copy};
pub use record::{Crcs, Record, RecordHeader, record_bytes};
pub use recover::{Finding, Recovered};
#[cfg(test)]
pub(in crate::store) use survey::path_of;
pub use survey::{Surveyed, all, survey};

/// What all lanes share.
struct Shared {
    io: Arc<dyn Io>,
    options: SegmentOptions,
    /// Rows to write with the next commit. Never held while anything else is asked for.
    states: Mutex<Vec<(SegmentId, SegmentState)>>,
    holds: Arc<Holds>,
    names: Names,
    faults: Faults,
}

impl Shared {
    fn report(&self, id: SegmentId, state: SegmentState) {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).push((id, state));
    }
}

/// The segments of a store.
pub struct Segments {
    shared: Arc<Shared>,
    codecs: Codecs,
    files: Files,
    small: Lane,
    normal: Lane,
    relocation: Lane,
    exclusive: Vec<Lane>,
    /// Exclusive lanes nobody has.
    idle: Mutex<Vec<u8>>,
}

impl std::fmt::Debug for Segments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segments").finish_non_exhaustive()
    }
}

impl Segments {
    /// Opens the segments, given their rows. What a crash left open is sealed; see [`Recovered`].
    ///
    /// # Errors
    /// When the disk fails. Damage is reported, not an error.
    pub fn open(
        io: Arc<dyn Io>,
        options: SegmentOptions,
        known: Vec<(SegmentId, SegmentState)>,
    ) -> Result<(Self, Vec<Recovered>), StoreError> {
        let faults = Faults::of(&*io);
        let shared = Arc::new(Shared {
            io,
            options,
            states: Mutex::default(),
            holds: Arc::default(),
            names: Names::default(),
            faults,
        });
        let recovered = recover::recover(&shared, known)?;
        let lane = |kind| Lane::new(kind, shared.clone());
        let segments = Self {
            codecs: Codecs::default(),
            files: Files::default(),
            small: lane(LaneKind::Small),
            normal: lane(LaneKind::Normal),
            relocation: lane(LaneKind::Relocation),
            exclusive: (0..EXCLUSIVE).map(|_| lane(LaneKind::Exclusive)).collect(),
            idle: Mutex::new((0..EXCLUSIVE).rev().collect()),
            shared,
        };
        Ok((segments, recovered))
    }

    fn lane(&self, id: LaneId) -> &Lane {
        match id {
            LaneId::Small => &self.small,
            LaneId::Normal => &self.normal,
            LaneId::Relocation => &self.relocation,
            LaneId::Exclusive(number) => self.exclusive.get(usize::from(number)).unwrap_or(&self.normal),
        }
    }

    /// Why a lane takes nothing more until the next start, or no segment begins, if so.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.shared.names.doubt().or_else(|| LaneId::all().find_map(|id| self.lane(id).failure()))
    }

    /// Stores a chunk. It can be read at once; it is durable after [`Segments::wait_synced`]. The
    /// hold keeps its segment from the collector; it is dropped after the chunk's row is committed.
    ///
    /// # Errors
    /// Full when the disk is; the lane goes on when there is room again. Unavailable, until the
    /// next start, after some failed syncs of this lane. After one, or any other failure, the lane
    /// goes on in a new segment.
    pub fn append(&self, lane: LaneId, record: &Record<'_>) -> Result<(Placed, Held), StoreError> {
        self.lane(lane).append(Prepared::new(record, &self.codecs)?)
    }

    /// Stores a record as it was read, under the lane of relocations.
    ///
    /// # Errors
    /// As [`Segments::append`].
    pub fn append_copy(&self, record: Verbatim) -> Result<(Placed, Held), StoreError> {
        self.lane(LaneId::Relocation).append(Prepared::copy(record))
    }

    /// Whether a segment has records whose rows are not committed yet. Of a sealed one, once this
    /// is false it stays so.
    #[must_use]
    pub fn is_held(&self, segment: SegmentId) -> bool {
        self.shared.holds.is_held(segment) && !self.shared.faults.has(Fault::HoldsIgnored)
    }

    /// The segments that are written now, and where they end.
    #[must_use]
    pub fn open_segments(&self) -> Vec<(LaneId, SegmentId, u64)> {
        let open = |id: LaneId| self.lane(id).open_segment().map(|(segment, end)| (id, segment, end));
        LaneId::all().filter_map(open).collect()
    }

    /// Has a lane go on in a new segment, if this still is the one it writes.
    pub fn roll(&self, lane: LaneId, segment: SegmentId) {
        self.lane(lane).roll(segment);
    }

    /// Bytes that make a segment full.
    #[must_use]
    pub fn segment_bytes(&self) -> u64 {
        self.shared.options.segment_bytes
    }

    /// Calls `done` once everything appended to the lane before this call is durable, names
    /// included, or with Unavailable when that cannot be known any more. `since` is the life of the
    /// first record that is waited for: a lane that failed since vouches for nothing of before. It
    /// is called by [`Segments::step`], under no lock; at once if there is nothing to wait for.
    pub fn wait_synced(&self, lane: LaneId, since: Life, done: Done) {
        self.lane(lane).wait_synced(since, done);
    }

    /// Does what there is to do in a lane: one sync for everything appended so far, the answers
    /// to who waited for it, the sealing of full segments. False if there was nothing.
    pub fn step(&self, lane: LaneId) -> bool {
        self.lane(lane).step()
    }

    /// Parks until the lane has something to do, or for so long.
    pub fn wait(&self, lane: LaneId, timeout: Duration) {
        self.lane(lane).wait(timeout);
    }

    /// Reads a record and verifies all of it, its digest included.
    ///
    /// # Errors
    /// Damaged when it is not exactly what was stored for this place.
    pub fn read(&self, segment: SegmentId, offset: u64, stored_len: u32) -> Result<RecordRead, StoreError> {
        self.files.read(&self.shared, Place { segment, offset, stored_len })
    }

    /// Reads a record and verifies all of it, to be stored elsewhere as it is.
    ///
    /// # Errors
    /// As [`Segments::read`].
    pub fn read_verbatim(
        &self,
        segment: SegmentId,
        offset: u64,
        stored_len: u32,
    ) -> Result<Verbatim, StoreError> {
        self.files.verbatim(&self.shared, Place { segment, offset, stored_len })
    }

    /// The rows that changed since the last call, oldest first: they must be written by the next
    /// transaction that names a chunk. A segment may be in it twice; the later state counts.
    #[must_use]
    pub fn take_states(&self) -> Vec<(SegmentId, SegmentState)> {
        std::mem::take(&mut *self.shared.states.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives states back that were taken for a transaction which then was refused.
    pub fn return_states(&self, mut states: Vec<(SegmentId, SegmentState)>) {
        let mut newer = self.shared.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.append(&mut newer);
        *newer = states;
    }

    /// Bytes of a segment's file; `None` if there is no such file.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn length(&self, segment: SegmentId) -> Result<Option<u64>, StoreError> {
        match self.shared.io.open(&path::file(segment), super::io::Mode::Read) {
            Ok(file) => Ok(Some(file.len()?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A segment's file. An error of opening it says nothing about what is in it.
    fn file(&self, segment: SegmentId) -> Result<Arc<dyn File>, StoreError> {
        self.shared.io.open(&path::file(segment), super::io::Mode::Read).map_err(flaw::cannot_open)
    }

    /// What the footer of a sealed segment lists.
    ///
    /// # Errors
    /// Damaged when there is no whole footer; unavailable if the file cannot be opened.
    pub fn footer(&self, segment: SegmentId) -> Result<Vec<FooterEntry>, StoreError> {
        let file = self.file(segment)?;
        let found = footer::read(&*file, self.shared.options.uuid, segment)?;
        let found =
            found.ok_or_else(|| StoreError::Damaged(format!("segment {segment} has no whole footer")))?;
        Ok(found.1)
    }

    /// Walks a segment up to `until`, or its end, and verifies the stored bytes of every record; the
    /// list is as a footer's.
    ///
    /// # Errors
    /// When the disk fails, unavailable if the file cannot be opened; damaged records are left out.
    pub fn walk(&self, segment: SegmentId, until: u64) -> Result<Vec<FooterEntry>, StoreError> {
        let file = self.file(segment)?;
        let mut entries = scan::scan(&*file, self.shared.options.uuid, segment, (0, until))?.entries;
        entries.sort_unstable();
        Ok(entries)
    }

    /// The same to its end, past all that the disk refuses to read: what lies there is not known.
    ///
    /// # Errors
    /// As [`Segments::walk`].
    pub fn walk_past(&self, segment: SegmentId) -> Result<Vec<FooterEntry>, StoreError> {
        let (file, mut entries) = (self.file(segment)?, Vec::new());
        let mut meet = |header: &RecordHeader| entries.push(FooterEntry::from(header));
        scan::walk(&*file, self.shared.options.uuid, segment, &mut meet)?;
        entries.sort_unstable();
        Ok(entries)
    }

    /// Removes a segment's file; one that is gone is no error. Only for the collector, after the
    /// commit that let go of its last chunk is durable. The name is not synced: a file that comes
    /// back after a crash is adopted as dead.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn remove(&self, segment: SegmentId) -> Result<(), StoreError> {
        self.files.forget(segment);
        Ok(self.shared.io.remove(&path::file(segment))?)
    }
}
