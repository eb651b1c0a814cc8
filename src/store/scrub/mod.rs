//! The scrubber: reads every row of the metadata again, and the snapshots of it that are kept
//! ([`metadata`]), every chunk that is needed, and the header and footer of every segment, so that
//! damage is known while the content may still be somewhere else. The metadata comes first and is
//! in the first portion: the rest rests on it.
//!
//! Chunks are read in the order of their numbers, which is nearly the order they lie in, a few at
//! a time: rows are read in short looks, nothing is held between them, and memory is one record.
//! How far it came is a row ([`rows`]), so a run goes on where it was after a restart. What was
//! stored after it began is sound enough for this time.
//!
//! A [`Scrubber`] is a state machine: [`Scrubber::step`] does the next step, on whatever thread it
//! is called. Changes nothing but what is known of damage: it frees and moves no byte. Who runs
//! it, when and how fast is decided above.
//!
//! A row that is damaged ends nothing: the run goes on past it ([`sound`]), and what lies behind is
//! looked at. A row that is missing, or a page as it was some commits ago, has no sum that tells: the check
//! holds all rows against each other.

mod metadata;
pub mod rows;
mod sound;
mod state;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, ops::Range};

use self::{
    metadata::Metadata,
    rows::{PlaceRow, Portion, ScrubRow},
    sound::{last_chunk, next_chunks, next_segment},
};
use super::{
    Store,
    blobs::{
        damage::{self, Part},
        rows::{ChunkRow, ChunkState, place_of},
    },
    error::StoreError,
    meta::{Tx, table::Table},
    segments::{Flaw, SEGMENT_HEADER, SegmentState, record_bytes},
    sync::Arc,
};
use crate::model::ids::{ChunkNo, SegmentId};

pub use self::state::{Scrubbing, Summary};

/// Chunks of one step at most, and stored bytes after which it ends.
const CHUNKS: usize = 200;
const BYTES: u64 = 4 << 20;
/// Bytes read after which it is noted how far the run came.
const SAVE: u64 = 2 << 30;

/// What a step came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// So many bytes were read, those of the metadata too; there is more to do.
    More(u64),
    /// Nothing is left.
    Done,
}

/// One run of the scrubber. There is one at a time.
#[derive(Debug)]
pub struct Scrubber {
    store: Arc<Store>,
    row: ScrubRow,
    metadata: Metadata,
    /// How far it came is kept, to go on there after a restart.
    kept: bool,
    /// Bytes read since that was noted.
    unsaved: u64,
    /// Readings of its own.
    readings: u64,
    done: bool,
}

/// A chunk that needs a word: damaged, or whole again.
type Verdict = (ChunkNo, ChunkRow, Option<Flaw>);

impl Scrubber {
    /// Begins a run over a portion of the store that somebody waits for.
    ///
    /// # Errors
    /// Busy while there is another; otherwise if a row cannot be read.
    pub fn begin(store: &Arc<Store>, portion: Portion) -> Result<Self, StoreError> {
        store.scrubbing().enter()?;
        let row = || Ok((fresh(store, portion)?, PlaceRow::new(portion)));
        let begun = Self::at(store, row, false);
        begun.inspect_err(|_| store.scrubbing().leave())
    }

    /// Begins a run over everything, or goes on with the one that was begun.
    ///
    /// # Errors
    /// As [`Scrubber::begin`].
    pub fn resume(store: &Arc<Store>) -> Result<Self, StoreError> {
        store.scrubbing().enter()?;
        let row = || {
            let (rows, begin) = (store.snapshot()?, || PlaceRow::new(Portion::ALL));
            Ok(match rows::under_way(&rows)? {
                Some(row) => (row, rows::metadata_under_way(&rows)?.unwrap_or_else(begin)),
                None => (fresh(store, Portion::ALL)?, begin()),
            })
        };
        Self::at(store, row, true).inspect_err(|_| store.scrubbing().leave())
    }

    fn at(
        store: &Arc<Store>,
        row: impl FnOnce() -> Result<(ScrubRow, PlaceRow), StoreError>,
        kept: bool,
    ) -> Result<Self, StoreError> {
        let (unsaved, readings, done) = (0, 0, false);
        let (row, place) = row()?;
        let (store, metadata) = (Arc::clone(store), Metadata::at(place));
        let scrubber = Self { store, row, metadata, kept, unsaved, readings, done };
        scrubber.store.scrubbing().tell(&scrubber.row);
        Ok(scrubber)
    }

    /// Does the next step.
    ///
    /// # Errors
    /// If a row cannot be read or written, or the disk fails in a way that says nothing about what
    /// is on it. The run may go on with the same step.
    pub fn step(&mut self) -> Result<Step, StoreError> {
        if !self.metadata.place.done {
            return self.metadata();
        }
        let step = if self.row.chunks_done { self.segments() } else { self.chunks() }?;
        self.store.scrubbing().tell(&self.row);
        if let Step::More(bytes) = step {
            self.store.scrubbing().read(bytes);
            self.unsaved += bytes;
            if self.unsaved >= SAVE {
                self.save()?;
            }
        }
        Ok(step)
    }

    /// Runs to the end on this thread.
    ///
    /// # Errors
    /// As [`Scrubber::step`].
    pub fn run(mut self) -> Result<Summary, StoreError> {
        while self.step()? != Step::Done {}
        Ok(self.summary())
    }

    /// What it did so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::of(&self.row)
    }

    /// How much others did so far, readers and writers of this store: whoever paces a run sees
    /// whether it has grown.
    #[must_use]
    pub fn others(&self) -> u64 {
        let reads = self.store.blobs().readings().begun().saturating_sub(self.readings);
        reads.saturating_add(self.store.meta().counters().verbs)
    }

    /// Notes how far it came.
    ///
    /// # Errors
    /// If that cannot be committed.
    pub fn save(&mut self) -> Result<(), StoreError> {
        self.unsaved = 0;
        if !self.kept || self.done {
            return Ok(());
        }
        let (row, place) = (self.row.clone(), self.metadata.place.clone());
        self.store.apply(None, move |tx: &mut Tx<'_>| {
            rows::keep(tx, &row, &place);
            Ok::<_, StoreError>(())
        })
    }

    /// Reads on in the metadata. What it finds is kept at once: nobody else notes it.
    fn metadata(&mut self) -> Result<Step, StoreError> {
        let looked = self.metadata.step(&self.store)?;
        self.row.damaged += looked.damaged;
        self.unsaved += looked.bytes;
        self.store.scrubbing().tell(&self.row);
        self.store.scrubbing().tell_metadata(self.metadata.place.damaged());
        if looked.damaged > 0 || self.unsaved >= SAVE {
            self.save()?;
        }
        Ok(Step::More(looked.bytes))
    }

    fn chunks(&mut self) -> Result<Step, StoreError> {
        // What the rows name stays until the step ends.
        let _reading = self.store.blobs().readings().begin();
        self.readings += 1;
        let Some(stretch) = self.row.portion.stretch(self.row.after, self.row.until) else {
            self.row.chunks_done = true;
            return Ok(Step::More(0));
        };
        let next = next_chunks(&self.store.snapshot()?, stretch.clone(), (CHUNKS, BYTES))?;
        let (verdicts, bytes, chunks) = self.look_at(next.found)?;
        self.settle(verdicts)?;
        self.passed(Table::Chunk, next.damaged);
        self.row.after = next.last.map_or(stretch.end.saturating_sub(1), |last| last.0);
        self.row.bytes += bytes;
        self.row.chunks += chunks;
        Ok(Step::More(bytes))
    }

    /// Tells of rows that were passed over: what they name cannot be looked at. Where the run has read
    /// the metadata, they are counted already.
    fn passed(&mut self, table: Table, damaged: u64) {
        if damaged == 0 {
            return;
        }
        if self.metadata.place.rows == 0 {
            self.row.damaged += damaged;
        }
        tracing::error!(
            table = table.name(),
            rows = damaged,
            "damaged rows of the metadata were passed over: what they name was not looked at"
        );
    }

    /// Reads chunks in the order they lie in; those that need a word, bytes read, chunks read.
    fn look_at(&self, mut found: Vec<(ChunkNo, ChunkRow)>) -> Result<(Vec<Verdict>, u64, u64), StoreError> {
        found.retain(|(_, row)| row.state != ChunkState::Condemned);
        found.sort_unstable_by_key(|(_, row)| (row.segment, row.offset));
        let stretches = stretches(&found);
        self.uncache(&stretches);
        let (mut verdicts, mut bytes, chunks) = (Vec::new(), 0, found.len() as u64);
        for (chunk, row) in found {
            bytes += record_bytes(row.stored_len);
            let flaw = self.store.blobs().examine(chunk, &row)?;
            if flaw.is_some() || row.state == ChunkState::Bad {
                verdicts.push((chunk, row, flaw));
            }
        }
        self.uncache(&stretches);
        Ok((verdicts, bytes, chunks))
    }

    fn uncache(&self, stretches: &BTreeMap<SegmentId, Range<u64>>) {
        for (segment, stretch) in stretches {
            self.store.segments().uncache(*segment, stretch.clone());
        }
    }

    /// Commits what was found of chunks. One that was moved or healed meanwhile is as good as its
    /// new record: nothing is noted of a place it does not lie in.
    fn settle(&mut self, verdicts: Vec<Verdict>) -> Result<(), StoreError> {
        if verdicts.is_empty() {
            return Ok(());
        }
        let (flaws, verdicts) = (verdicts.clone(), Arc::new(verdicts));
        let (new, whole) = self.store.apply(None, move |tx: &mut Tx<'_>| {
            let now = tx.now();
            let (mut changed, mut whole) = (Vec::new(), 0);
            for (chunk, row, flaw) in verdicts.iter() {
                changed.push(match flaw {
                    Some(flaw) => damage::note_chunk(tx, (*chunk, row), *flaw, now)?,
                    None => {
                        let rows = damage::is_whole(tx, *chunk, row)?;
                        whole += rows.unwrap_or(0);
                        rows.is_some()
                    }
                });
            }
            Ok::<_, StoreError>((changed, whole))
        })?;
        self.store.blobs().damage_shrank(whole);
        for ((chunk, row, flaw), changed) in flaws.into_iter().zip(new) {
            match flaw {
                Some(flaw) => {
                    self.row.damaged += 1;
                    if changed {
                        self.store.blobs().damage_grew(1);
                        damage::tell_chunk(chunk, &row, flaw);
                    }
                }
                None if changed => {
                    tracing::info!(%chunk, "a chunk that was damaged is whole again");
                    self.store.blobs().offer(chunk, &row);
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Looks at the next segment's header and footer.
    fn segments(&mut self) -> Result<Step, StoreError> {
        if self.done {
            return Ok(Step::Done);
        }
        let after = SegmentId(self.row.segment);
        let (next, damaged) = next_segment(&self.store.snapshot()?, after)?;
        self.passed(Table::Segment, damaged);
        let Some((id, state)) = next else { return self.end() };
        let bytes = if self.row.portion.has(id.0) { self.frame(id, &state)? } else { 0 };
        self.row.segment = id.0;
        self.row.bytes += bytes;
        Ok(Step::More(bytes))
    }

    fn frame(&mut self, id: SegmentId, state: &SegmentState) -> Result<u64, StoreError> {
        let Some(length) = self.store.segments().length(id)? else {
            // Nothing was ever written to it, or every chunk in it is known to be missing.
            return Ok(0);
        };
        // Behind the last record an open segment has room alone, which nobody reads.
        let footer = if state.sealed { length.saturating_sub(state.length) } else { 0 };
        let bytes = SEGMENT_HEADER + footer;
        let flaw = self.store.segments().examine_frame(id, state)?;
        let flaw = match flaw {
            Some(flaw) if self.is_needed(id)? => Some(flaw),
            _ => None,
        };
        let known = self.store.meta().look(|rows| damage::is_known(rows, Part::Segment(id)))??;
        if flaw.is_none() && !known {
            return Ok(bytes);
        }
        let (new, gone) = self.store.apply(None, move |tx: &mut Tx<'_>| {
            let now = tx.now();
            match flaw {
                Some(flaw) => damage::note_segment(tx, id, flaw, now).map(|new| (new, 0)),
                None => damage::forget(tx, Part::Segment(id)).map(|gone| (false, gone)),
            }
        })?;
        self.store.blobs().damage_shrank(gone);
        if let Some(flaw) = flaw {
            self.row.damaged += 1;
            if new {
                self.store.blobs().damage_grew(1);
                damage::tell_segment(id, flaw);
            }
        }
        Ok(bytes)
    }

    /// Whether a chunk lies in a segment, or may: nobody knows where one lies whose row is damaged. Goes
    /// through all chunks: damage is rare.
    fn is_needed(&self, id: SegmentId) -> Result<bool, StoreError> {
        let mut from = 0;
        loop {
            let next = next_chunks(&self.store.snapshot()?, from..u64::MAX, (CHUNKS, u64::MAX))?;
            if next.damaged > 0 || next.found.iter().any(|(_, row)| place_of(row).0 == id) {
                return Ok(true);
            }
            match next.last {
                Some(last) => from = last.0.saturating_add(1),
                None => return Ok(false),
            }
        }
    }

    /// Notes that all is done.
    fn end(&mut self) -> Result<Step, StoreError> {
        let (row, place) = (self.row.clone(), self.metadata.place.clone());
        let counted = self.store.blobs().count_damage()?;
        self.store.apply(None, move |tx: &mut Tx<'_>| {
            let now = tx.now();
            rows::finish(tx, (&row, &place), now);
            Ok::<_, StoreError>(())
        })?;
        self.store.blobs().believe_damage(counted);
        self.done = true;
        self.store.scrubbing().refresh(&self.store.snapshot()?)?;
        Ok(Step::Done)
    }
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        // What is told from now on is what the rows say.
        if let Ok(rows) = self.store.snapshot() {
            let _ = self.store.scrubbing().refresh(&rows);
        }
        self.store.scrubbing().leave();
    }
}

/// A run that has done nothing yet.
fn fresh(store: &Store, portion: Portion) -> Result<ScrubRow, StoreError> {
    let until = last_chunk(&store.snapshot()?)?.map_or(0, |last| last.0);
    store.apply(None, move |tx: &mut Tx<'_>| Ok(ScrubRow::new(tx.now(), portion, until)))
}

/// From the first byte of these chunks to the last, in each segment.
fn stretches(found: &[(ChunkNo, ChunkRow)]) -> BTreeMap<SegmentId, Range<u64>> {
    let mut all: BTreeMap<SegmentId, Range<u64>> = BTreeMap::new();
    for (_, row) in found {
        let end = row.offset.saturating_add(record_bytes(row.stored_len));
        let stretch = all.entry(row.segment).or_insert(row.offset..end);
        *stretch = stretch.start.min(row.offset)..stretch.end.max(end);
    }
    all
}
