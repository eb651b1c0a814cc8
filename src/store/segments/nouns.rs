//! What is said of lanes, of places in segments, and of how segments are written.

use super::{Codec, LaneKind};
use crate::{
    model::{ids::SegmentId, time::Timestamp},
    store::{error::StoreError, sync::Arc},
};

const MIB: u64 = 1 << 20;
/// Large streams that can have a lane for themselves at once.
pub(super) const EXCLUSIVE: u8 = 8;

/// A lane of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LaneId {
    /// Bodies that skip the chunker.
    Small,
    /// Everything else.
    Normal,
    /// Lent to one large stream at a time, by [`super::Segments::exclusive`].
    Exclusive(u8),
    /// Chunks the compactor moves.
    Relocation,
}

impl LaneId {
    /// Every lane.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Small, Self::Normal, Self::Relocation].into_iter().chain((0..EXCLUSIVE).map(Self::Exclusive))
    }
}

/// Where a record was written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Placed {
    /// The segment.
    pub segment: SegmentId,
    /// Where in it; with [`Placed::stored_len`] all that reading needs.
    pub offset: u64,
    /// Length of the stored bytes. The room taken is [`super::record_bytes`] of it.
    pub stored_len: u32,
    /// How they are stored.
    pub codec: Codec,
}

/// What a segment's row says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SegmentState {
    /// The lane it was written by.
    pub kind: LaneKind,
    /// It has its footer, unless recovery found it unreadable, and is never written again.
    pub sealed: bool,
    /// Its length in bytes without the footer; while it is open, what was synced some time ago.
    pub length: u64,
}

/// How segments are written.
pub struct SegmentOptions {
    /// Identity of the store; part of every checksum, so keep it out of clients' sight.
    pub uuid: [u8; 16],
    /// No record is begun in a segment that it would make longer than this.
    pub segment_bytes: u64,
    /// A segment grows in steps of this.
    pub growth_bytes: u64,
    /// Large streams are written back in pieces of this.
    pub writeback_bytes: u64,
    /// Files kept open for reading.
    pub open_files: usize,
    /// Gives the next segment id, one that will never be given again. It may block, and must not
    /// append meanwhile.
    pub fresh: Box<dyn Fn() -> Result<SegmentId, StoreError> + Send + Sync>,
    /// Asked before a lane other than that of relocations takes room on the disk.
    pub room: Box<dyn Fn() -> Result<(), StoreError> + Send + Sync>,
    /// Says when a segment was made.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl SegmentOptions {
    /// The sizes that production has.
    pub fn new(
        uuid: [u8; 16],
        fresh: impl Fn() -> Result<SegmentId, StoreError> + Send + Sync + 'static,
        now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        Self {
            uuid,
            segment_bytes: 256 * MIB,
            growth_bytes: 16 * MIB,
            writeback_bytes: 8 * MIB,
            open_files: 256,
            fresh: Box::new(fresh),
            room: Box::new(|| Ok(())),
            now,
        }
    }
}
