//! Counts what lives in each segment, from the chunk rows, some at a time.
//!
//! Dead bytes are the rest; nothing is accumulated from run to run. The rows are read in several
//! states. For a segment that was closed when the count began (sealed, and held by no upload)
//! that is sound: nothing new is ever put there, so what was counted is all there is, or more.

use std::collections::{BTreeMap, BTreeSet};

use super::{Collector, GoOn, Phase, Step, compact, records::damaged, sweep};
use crate::{
    model::ids::SegmentId,
    store::{
        Store,
        blobs::rows::{ChunkRow, emptied_segments, known_segments, number_behind, number_key},
        error::StoreError,
        faults::Fault,
        meta::{
            Tx,
            codec::Row,
            rows::{KeyRange, Order, Rows},
            table::Table,
        },
        segments::{LaneId, SEGMENT_HEADER, SegmentState, record_bytes},
    },
};

/// Chunk rows read in one step.
const ROWS: usize = 4096;

/// What lives in one segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Live {
    /// Chunks with a row.
    pub(super) chunks: u64,
    /// Bytes of their records.
    pub(super) bytes: u64,
}

/// A count under way.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) segments: BTreeMap<SegmentId, SegmentState>,
    /// Those that nothing new is put into.
    pub(super) closed: BTreeSet<SegmentId>,
    /// Those the lanes write, with where they end.
    pub(super) open: Vec<(LaneId, SegmentId, u64)>,
    pub(super) live: BTreeMap<SegmentId, Live>,
    plain_bytes: u64,
    after: Option<u64>,
}

impl Survey {
    pub(super) fn begin(store: &Store) -> Result<Self, StoreError> {
        let rows = store.snapshot()?;
        let segments: BTreeMap<_, _> = known_segments(&rows)?.into_iter().collect();
        let emptied = emptied_segments(&rows)?;
        drop(rows);
        // In this order: a sealed segment that is not held now will not be held again, and what
        // was held before is in the rows that are read from now on.
        let is_closed = |(segment, state): (&SegmentId, &SegmentState)| {
            let closed = state.sealed && !store.segments().is_held(*segment) && !emptied.contains(segment);
            closed.then_some(*segment)
        };
        let closed = segments.iter().filter_map(is_closed).collect();
        let open = store.segments().open_segments();
        Ok(Self { segments, closed, open, live: BTreeMap::new(), plain_bytes: 0, after: None })
    }

    /// Counts all rows.
    pub(super) fn whole(store: &Store, go_on: GoOn<'_>) -> Result<Self, StoreError> {
        let mut survey = Self::begin(store)?;
        loop {
            go_on()?;
            if survey.step(store)? {
                return Ok(survey);
            }
        }
    }

    /// Counts the next rows; true at the end.
    pub(super) fn step(&mut self, store: &Store) -> Result<bool, StoreError> {
        let mut range = KeyRange::prefix(Vec::new());
        if let Some(after) = self.after {
            range = range.after(number_key(after));
        }
        let found = match store.snapshot()?.scan(Table::Chunk, &range, Order::Forward, ROWS) {
            Err(_) if store.faults().has(Fault::ScanErrorIgnored) => Vec::new(),
            found => found?,
        };
        for (key, value) in &found {
            let row = ChunkRow::decode(value)?;
            let live = self.live.entry(row.segment).or_default();
            live.chunks += 1;
            live.bytes += record_bytes(row.stored_len);
            self.plain_bytes += u64::from(row.raw_len);
            self.after = Some(number_behind(key, 0)?);
        }
        Ok(found.len() < ROWS)
    }

    /// What lives in a segment.
    pub(super) fn live(&self, segment: SegmentId) -> Live {
        self.live.get(&segment).copied().unwrap_or_default()
    }

    /// Whether a segment is still written.
    pub(super) fn is_open(&self, segment: SegmentId) -> bool {
        self.open.iter().any(|(_, open, _)| *open == segment)
    }

    /// Where a segment ends.
    pub(super) fn length(&self, segment: SegmentId) -> u64 {
        let open = self.open.iter().find(|(_, open, _)| *open == segment).map(|(_, _, end)| *end);
        let known = self.segments.get(&segment).map_or(0, |state| state.length);
        known.max(open.unwrap_or_default())
    }

    /// The sums.
    pub(super) fn usage(&self) -> Usage {
        let open = self.open.iter().map(|(_, segment, _)| *segment);
        let segments: BTreeSet<_> = self.segments.keys().copied().chain(open).collect();
        let stored: u64 = segments.iter().map(|segment| self.length(*segment)).sum();
        let live: u64 = self.live.values().map(|live| live.bytes).sum();
        Usage {
            segments: segments.len() as u64,
            chunks: self.live.values().map(|live| live.chunks).sum(),
            plain_bytes: self.plain_bytes,
            live_bytes: live,
            dead_bytes: stored.saturating_sub(live),
        }
    }
}

impl Survey {
    /// Whether a segment that is written should be ended, to be swept or moved.
    pub(super) fn is_worth_ending(&self, segment: SegmentId, percent: Option<u64>, from: u64) -> bool {
        let (live, room) = (self.live(segment), self.length(segment).saturating_sub(SEGMENT_HEADER));
        let dead = room.saturating_sub(live.bytes);
        let sparse = percent.is_some_and(|percent| dead.saturating_mul(100) >= room.saturating_mul(percent));
        dead > 0 && dead >= from && (live.chunks == 0 || sparse)
    }
}

impl Usage {
    /// A dead segment of this length is gone since it was counted.
    pub(super) fn without(&mut self, length: u64) {
        self.segments = self.segments.saturating_sub(1);
        self.dead_bytes = self.dead_bytes.saturating_sub(length);
    }
}

/// Counts what the segments of a store hold.
///
/// # Errors
/// If a row cannot be read; what `go_on` ended it with.
pub fn usage(store: &Store, go_on: GoOn<'_>) -> Result<Usage, StoreError> {
    let survey = Survey::whole(store, go_on)?;
    store.collection().surveyed(survey.usage());
    Ok(survey.usage())
}

/// What the segments of a store hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Segments.
    pub segments: u64,
    /// Chunks with a row.
    pub chunks: u64,
    /// Bytes of those chunks as they were sent, each once.
    pub plain_bytes: u64,
    /// Bytes their records take in segments, compressed and with their headers.
    pub live_bytes: u64,
    /// All other bytes of segments: records nothing refers to, headers of segments, and what
    /// uploads have sent and not committed.
    pub dead_bytes: u64,
}

impl Collector {
    pub(super) fn take_survey(&mut self) -> Result<Step, StoreError> {
        let mut survey = match self.survey.take() {
            Some(survey) => survey,
            None => Survey::begin(&self.store)?,
        };
        if !survey.step(&self.store)? {
            self.survey = Some(survey);
            return Ok(Step::More);
        }
        self.report.usage = survey.usage();
        self.store.collection().surveyed(survey.usage());
        let damaged = match self.options.compact_from {
            Some(_) => damaged(&self.store.snapshot()?)?,
            None => BTreeSet::new(),
        };
        if !std::mem::replace(&mut self.ended, true) && self.end_segments(&survey, &damaged)? {
            return Ok(Step::More);
        }
        self.candidates = match self.options.compact_from {
            Some(percent) => compact::candidates(&survey, percent, &damaged)?,
            None => Vec::new(),
        };
        let known = self.store.collection();
        self.candidates.retain(|candidate| !known.is_stuck(candidate.segment, candidate.live.chunks));
        self.pass = (0, 0);
        self.mark(&sweep::empty(&survey))?;
        Ok(self.go(Phase::Sweep))
    }

    /// Ends segments that are still written and hold much that is dead, or are damaged, so that the
    /// next survey finds them closed. True if there were any.
    fn end_segments(&mut self, survey: &Survey, damaged: &BTreeSet<SegmentId>) -> Result<bool, StoreError> {
        let segments = self.store.segments();
        let mut ended = false;
        for &(lane, segment, _) in &survey.open {
            let worth = survey.is_worth_ending(segment, self.options.compact_from, self.options.end_from);
            if (worth || damaged.contains(&segment)) && !segments.is_held(segment) {
                segments.roll(lane, segment);
                // Syncs and seals it; its lane's thread may do the same.
                segments.step(lane);
                ended |= segments.open_segments().iter().all(|(_, open, _)| *open != segment);
            }
        }
        if ended {
            self.store.blobs().report_segments();
            // Its rows are committed with or before this.
            self.store.give_back(|_: &mut Tx<'_>| Ok::<_, StoreError>(()))?;
        }
        Ok(ended)
    }
}
