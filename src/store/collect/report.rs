//! What a run did, and what is known between runs. Knows nothing of how.

use std::collections::{BTreeMap, BTreeSet};

use super::Usage;
use crate::{
    model::ids::{ChunkNo, SegmentId},
    store::{
        blobs::{
            damage::{self, Part},
            rows::{ChunkState, find_chunk},
        },
        error::StoreError,
        meta::rows::Rows,
        sync::{
            Mutex, MutexGuard, PoisonError,
            atomic::{AtomicBool, AtomicU64, Ordering},
        },
    },
};

/// Where a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Phase {
    /// It begins an epoch.
    #[default]
    Epoch,
    /// Condemned chunks are deleted.
    Reap,
    /// Chunks that uploads kept are looked at again.
    Settle,
    /// Released manifests are taken apart.
    Release,
    /// Segments are counted.
    Survey,
    /// Empty segments are removed.
    Sweep,
    /// Sparse segments are moved together.
    Compact,
    /// It has ended.
    Done,
}

impl Phase {
    /// For people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Epoch | Self::Reap | Self::Settle => "deleting",
            Self::Release => "releasing",
            Self::Survey => "counting",
            Self::Sweep => "removing",
            Self::Compact => "compacting",
            Self::Done => "done",
        }
    }
}

/// What a run did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Manifests taken apart.
    pub manifests: u64,
    /// References they let go of.
    pub references: u64,
    /// Chunks condemned.
    pub chunks_condemned: u64,
    /// Chunks deleted.
    pub chunks_deleted: u64,
    /// Bytes of segments those took.
    pub bytes_deleted: u64,
    /// Manifests that are being read, left for later.
    pub passed_over: u64,
    /// Segments moved out of.
    pub segments_compacted: u64,
    /// Chunks moved.
    pub chunks_moved: u64,
    /// Bytes they take.
    pub bytes_moved: u64,
    /// Segments removed.
    pub segments_removed: u64,
    /// Bytes of files that went.
    pub bytes_returned: u64,
    /// Compaction stopped for want of room.
    pub no_room: bool,
    /// Files stayed because something looks at them; a later run removes them.
    pub held: bool,
    /// What could not be moved or removed because it is damaged, a sentence each.
    pub damaged: Vec<String>,
    /// What was counted last.
    pub usage: Usage,
}

/// Why a segment must stay as it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stuck {
    /// For this run alone.
    Now,
    /// A chunk in it is damaged.
    Chunk(ChunkNo),
    /// Its header or footer is damaged, and not all could be found of so many chunks that lie in it.
    Frame(u64),
}

#[derive(Debug, Default)]
struct State {
    usage: Option<Usage>,
    aborted: Option<String>,
    phase: Phase,
    report: Report,
    /// Bytes returned by runs that ended.
    returned: u64,
    /// Segments that must stay as they are.
    stuck: BTreeMap<SegmentId, Stuck>,
    /// Segments that were told in the log as left as they are.
    left: BTreeSet<SegmentId>,
    /// Segments whose records and rows did not agree once.
    doubted: BTreeSet<SegmentId>,
}

/// What is known of collecting, from one run to the next.
#[derive(Debug, Default)]
pub struct Collection {
    running: AtomicBool,
    /// How many hold all segments; see [`super::Hold`].
    pub(super) holds: AtomicU64,
    state: Mutex<State>,
}

impl Collection {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self) -> Result<(), StoreError> {
        if self.running.swap(true, Ordering::AcqRel) {
            return Err(StoreError::Busy("a collection is running already".into()));
        }
        self.tell(Phase::Epoch, &Report::default());
        Ok(())
    }

    pub(super) fn leave(&self) {
        let mut state = self.state();
        state.returned += std::mem::take(&mut state.report.bytes_returned);
        drop(state);
        self.running.store(false, Ordering::Release);
    }

    pub(super) fn tell(&self, phase: Phase, report: &Report) {
        let mut state = self.state();
        state.phase = phase;
        state.report.clone_from(report);
    }

    pub(super) fn surveyed(&self, usage: Usage) {
        self.state().usage = Some(usage);
    }

    /// A segment of this length that was counted is gone; what is left.
    pub(super) fn swept(&self, length: u64) -> Usage {
        let mut state = self.state();
        if let Some(usage) = &mut state.usage {
            usage.without(length);
        }
        state.usage.unwrap_or_default()
    }

    /// What ended a run. A store that is full, closing or failed says so itself, and is no doubt.
    pub(super) fn failed(&self, error: &StoreError) {
        let why = match error {
            StoreError::Full | StoreError::Unavailable(_) | StoreError::Busy(_) => return,
            StoreError::Io(source) => format!("{error}: {source}"),
            StoreError::Damaged(_) | StoreError::Refused(_) => error.to_string(),
        };
        tracing::error!(why, "collecting was ended: something does not add up, and nothing more is freed");
        self.state().aborted = Some(why);
    }

    pub(super) fn finished(&self) {
        self.state().aborted = None;
    }

    /// Notes a doubt about a segment; false if it is not the first.
    pub(super) fn doubt(&self, segment: SegmentId) -> bool {
        self.state().doubted.insert(segment)
    }

    pub(super) fn settled(&self, segment: SegmentId) {
        self.state().doubted.remove(&segment);
    }

    pub(super) fn stuck(&self, segment: SegmentId, why: Stuck) {
        self.state().stuck.insert(segment, why);
    }

    /// Notes that a segment is left as it is; false if it is not the first time.
    pub(super) fn left(&self, segment: SegmentId) -> bool {
        self.state().left.insert(segment)
    }

    /// Before a run: what was healed or deleted since holds up nothing any more, and is told again when
    /// it decays again.
    pub(super) fn unstick(&self, rows: &dyn Rows) -> Result<(), StoreError> {
        let stuck = self.state().stuck.clone();
        for (segment, why) in stuck {
            let still = match why {
                Stuck::Chunk(chunk) => find_chunk(rows, chunk)?
                    .is_some_and(|row| (row.segment, row.state) == (segment, ChunkState::Bad)),
                Stuck::Frame(_) => damage::is_known(rows, Part::Segment(segment))?,
                Stuck::Now => false,
            };
            if still {
                continue;
            }
            let mut state = self.state();
            state.stuck.remove(&segment);
            if !matches!(why, Stuck::Now) {
                state.left.remove(&segment);
            }
        }
        Ok(())
    }

    /// Whether a segment that so many chunks lie in must stay. What could not be found may be stored
    /// elsewhere once there are fewer.
    pub(super) fn is_stuck(&self, segment: SegmentId, chunks: u64) -> bool {
        match self.state().stuck.get(&segment) {
            Some(Stuck::Frame(had)) => chunks >= *had,
            stuck => stuck.is_some(),
        }
    }

    /// Whether a run is under way.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// What was counted last, if anything was since the store was opened.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        self.state().usage
    }

    /// Why the last run was ended before it was done, if something did not add up.
    #[must_use]
    pub fn aborted(&self) -> Option<String> {
        self.state().aborted.clone()
    }

    /// Where the last run is, and what it did.
    #[must_use]
    pub fn progress(&self) -> (Phase, Report) {
        let state = self.state();
        (state.phase, state.report.clone())
    }

    /// Bytes of files removed since the store was opened.
    #[must_use]
    pub fn returned(&self) -> u64 {
        let state = self.state();
        state.returned + state.report.bytes_returned
    }
}
