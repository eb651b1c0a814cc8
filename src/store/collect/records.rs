//! What a closed segment holds, and what becomes of one that cannot tell: it stays as it is, the
//! others go on.

use std::{collections::BTreeSet, io};

use super::{Collector, report::Stuck};
use crate::{
    model::ids::{ChunkNo, SegmentId},
    store::{
        Store,
        blobs::{
            damage::{self, Part},
            rows::known_segments,
        },
        error::StoreError,
        meta::{Tx, rows::Rows},
        segments::{FlawKind, FooterEntry, SegmentState, is_flaw},
    },
};

/// Rows of known damage read at a time.
const ROWS: usize = 1000;

/// The records of a closed segment.
#[derive(Debug)]
pub(super) enum Records {
    /// What its footer lists.
    Listed(Vec<FooterEntry>),
    /// Its footer is damaged; these were found one by one, and are whole. Nothing if its file is gone
    /// or was never one.
    Walked(Vec<FooterEntry>),
    /// Its footer is damaged, and the disk cannot read all that lies before it. These could be read,
    /// and are whole; it holds what it holds.
    Unread(Vec<FooterEntry>),
}

/// Reads them.
pub(super) fn records(store: &Store, segment: SegmentId) -> Result<Records, StoreError> {
    let segments = store.segments();
    if segments.length(segment)?.is_none() {
        return Ok(Records::Walked(Vec::new()));
    }
    let until = match opened(segments.footer(segment)) {
        Err(StoreError::Damaged(_)) => u64::MAX,
        // What the disk cannot read is not asked for again: records end before it.
        Err(error) if is_flaw(&error) => {
            state(&store.snapshot()?, segment)?.map_or(u64::MAX, |state| state.length)
        }
        read => return read.map(Records::Listed),
    };
    match opened(segments.walk(segment, until)) {
        Err(error) if is_flaw(&error) => opened(segments.walk_past(segment)).map(Records::Unread),
        read => read.map(Records::Walked),
    }
}

/// One segment cannot be opened just now, and nobody else says so.
fn opened(read: Result<Vec<FooterEntry>, StoreError>) -> Result<Vec<FooterEntry>, StoreError> {
    read.map_err(|error| match error {
        StoreError::Unavailable(why) => io::Error::other(why).into(),
        other => other,
    })
}

/// The segments whose header or footer is known to be damaged.
pub(super) fn damaged(rows: &dyn Rows) -> Result<BTreeSet<SegmentId>, StoreError> {
    let (mut found, mut after) = (BTreeSet::new(), Part::Chunk(ChunkNo(u64::MAX)));
    loop {
        let known = damage::known(rows, Some(after), ROWS)?;
        let Some(last) = known.last() else { return Ok(found) };
        after = last.part;
        found.extend(known.iter().filter_map(|damaged| match damaged.part {
            Part::Segment(segment) => Some(segment),
            Part::Chunk(_) => None,
        }));
    }
}

fn state(rows: &dyn Rows, segment: SegmentId) -> Result<Option<SegmentState>, StoreError> {
    let known = known_segments(rows)?;
    Ok(known.into_iter().find(|(id, _)| *id == segment).map(|(_, state)| state))
}

impl Collector {
    /// Leaves a segment as it is, whatever of it is dead: nobody knows where its records lie.
    pub(super) fn leave(&mut self, segment: SegmentId) {
        let text = format!("segment {segment}: its list of records cannot be read, nor all of its records");
        // Each run meets it again.
        if self.store.collection().left(segment) {
            tracing::error!(%segment, "a segment is damaged, and what is dead in it is not given back");
        }
        self.store.collection().stuck(segment, Stuck::Now);
        if !self.report.damaged.contains(&text) {
            self.report.damaged.push(text);
        }
    }

    /// Notes what is wrong with the header or footer of a segment that so many chunks lie in.
    pub(super) fn note_frame(&self, segment: SegmentId, chunks: u64) -> Result<(), StoreError> {
        let Some(state) = state(&self.store.snapshot()?, segment)? else { return Ok(()) };
        let flaw = self.store.segments().examine_frame(segment, &state)?;
        // Where the file is gone, every chunk in it is known to be.
        let Some(flaw) = flaw.filter(|flaw| flaw.kind != FlawKind::Missing) else { return Ok(()) };
        self.store.collection().stuck(segment, Stuck::Frame(chunks));
        let new = self.store.give_back(move |tx: &mut Tx<'_>| {
            let now = tx.now();
            damage::note_segment(tx, segment, flaw, now)
        })?;
        if new {
            self.store.blobs().damage_grew(1);
            damage::tell_segment(segment, flaw);
        }
        Ok(())
    }

    /// Nothing lies in a segment any more: that its header or footer is damaged is no damage.
    pub(super) fn forget_frame(&self, segment: SegmentId) -> Result<(), StoreError> {
        let part = Part::Segment(segment);
        if !damage::is_known(&self.store.snapshot()?, part)? {
            return Ok(());
        }
        let gone = self.store.give_back(move |tx: &mut Tx<'_>| damage::forget(tx, part))?;
        self.store.blobs().damage_shrank(gone);
        Ok(())
    }
}
