//! The end of a segment: marked in one transaction, its file removed once that is durable and the
//! last reader who might look there has ended, its row deleted at last.

use std::collections::BTreeMap;

use super::{
    Collector, Step,
    records::{Records, records},
    survey::Survey,
};
use crate::{
    model::ids::SegmentId,
    store::{
        blobs::{
            damage::{self, Part},
            readings::Mark,
            rows::{Queued, SegmentRow, find, find_chunk, number_key, queue_at, queued_numbers},
        },
        error::StoreError,
        faults::Fault,
        meta::{
            Tx,
            rows::{Rows, RowsMut},
            table::Table,
        },
        segments::FooterEntry,
    },
};

/// Segments marked in one transaction.
const AT_ONCE: usize = 200;
/// How often a removal that readers hold up is tried before it is left to the next run.
const PATIENCE: u32 = 500;

/// Segments on their way out.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// When each was marked, as far as this run did it.
    marks: BTreeMap<SegmentId, Mark>,
    after: Option<u64>,
    tried: u32,
}

impl Sweep {
    /// From here on nobody new looks into a segment.
    pub(super) fn marked(&mut self, segment: SegmentId, mark: Mark) {
        self.marks.entry(segment).or_insert(mark);
    }
}

/// The closed segments that nothing lives in.
pub(super) fn empty(survey: &Survey) -> Vec<SegmentId> {
    let closed = survey.closed.iter().copied();
    closed.filter(|segment| survey.live(*segment).chunks == 0).collect()
}

/// The records of a segment that chunk rows name.
pub(super) fn lives(
    rows: &dyn Rows,
    segment: SegmentId,
    records: Vec<FooterEntry>,
) -> Result<Vec<FooterEntry>, StoreError> {
    let mut found = Vec::new();
    for record in records {
        let row = find_chunk(rows, record.chunk)?;
        if row.is_some_and(|row| (row.segment, row.offset) == (segment, record.offset)) {
            found.push(record);
        }
    }
    Ok(found)
}

impl Collector {
    /// Marks segments; from then on they are not surveyed.
    pub(super) fn mark(&mut self, segments: &[SegmentId]) -> Result<(), StoreError> {
        for some in segments.chunks(AT_ONCE) {
            let marked = some.to_vec();
            self.store.give_back(move |tx: &mut Tx<'_>| {
                for segment in &marked {
                    tx.put(Table::Queue, queue_at(Queued::Emptied, segment.0), Vec::new());
                }
                Ok::<_, StoreError>(())
            })?;
            // Only now: a reader that begins later sees the rows of that commit.
            let mark = self.store.blobs().readings().mark();
            some.iter().for_each(|segment| self.sweep.marked(*segment, mark));
        }
        Ok(())
    }

    /// Removes the next marked segment.
    pub(super) fn sweep(&mut self) -> Result<Step, StoreError> {
        let next = queued_numbers(&self.store.snapshot()?, Queued::Emptied, self.sweep.after, 1)?;
        let next = next.first().copied().map(SegmentId);
        // What is marked stays marked, for a later run.
        let held = next.is_some() && self.store.collection().is_held(self.store.meta().faults());
        self.report.held |= held;
        let Some(segment) = next.filter(|_| !held) else {
            self.sweep = Sweep::default();
            return Ok(Step::Done);
        };
        let readings = self.store.blobs().readings();
        // One that an earlier run marked may have readers of now, too.
        let mark = *self.sweep.marks.entry(segment).or_insert_with(|| readings.mark());
        if !readings.has_passed(mark) && !self.store.faults().has(Fault::ReadersIgnored) {
            self.sweep.tried += 1;
            if self.sweep.tried > PATIENCE {
                self.sweep = Sweep { after: Some(segment.0), ..std::mem::take(&mut self.sweep) };
            }
            return Ok(Step::Waiting);
        }
        if !self.remove(segment)? {
            self.sweep.after = Some(segment.0);
        }
        Ok(Step::More)
    }

    /// Removes a segment; false if it has to stay.
    fn remove(&mut self, segment: SegmentId) -> Result<bool, StoreError> {
        // The survey went through all chunks, this goes through the records: both must agree.
        let (Records::Listed(records) | Records::Walked(records)) = records(&self.store, segment)? else {
            // It is marked, and every run tries again. Nothing needs it.
            self.leave(segment);
            self.forget_frame(segment)?;
            return Ok(false);
        };
        let unproven = self.store.faults().has(Fault::EmptyUnproven);
        if let Some(record) = lives(&self.store.snapshot()?, segment, records)?.first()
            && !unproven
        {
            let chunk = record.chunk;
            return Err(StoreError::Damaged(format!(
                "segment {segment} counts as empty and has chunk {chunk}"
            )));
        }
        let length = self.store.segments().length(segment)?.unwrap_or_default();
        self.store.segments().remove(segment)?;
        let (counted, damage) = self.store.give_back(move |tx: &mut Tx<'_>| {
            let row: Option<SegmentRow> = find(tx, Table::Segment, &number_key(segment.0))?;
            tx.delete(Table::Segment, number_key(segment.0));
            let damage = damage::forget(tx, Part::Segment(segment))?;
            tx.delete(Table::Queue, queue_at(Queued::Emptied, segment.0));
            Ok::<_, StoreError>((row.map_or(0, |row| row.length), damage))
        })?;
        self.store.blobs().damage_shrank(damage);
        self.report.segments_removed += 1;
        self.report.bytes_returned += length;
        self.report.usage = self.store.collection().swept(counted);
        Ok(true)
    }
}
