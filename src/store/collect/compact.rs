//! Moves what lives in sparse segments together, so that they become empty. So does what lives in
//! one whose header or footer is damaged, however full it is: its file goes, and the damage with it.
//!
//! Records are copied as they are, verified on the way, and synced; then one transaction switches
//! the rows that still name the old place. A crash leaves duplicates, which are dead bytes, or
//! the old state. A record that is not sound ends its segment's turn and stays where it is.

use std::{collections::BTreeSet, io};

use super::{
    Collector, SEGMENTS_PER_PASS, Step,
    records::{Records, records},
    report::Stuck,
    survey::{Live, Survey},
    sweep::lives,
};
use crate::{
    model::ids::{ChunkNo, SegmentId},
    store::{
        blobs::rows::{ChunkRow, ChunkState, find_chunk, load_chunk, number_key},
        error::StoreError,
        faults::Fault,
        meta::{Tx, codec::Row, rows::RowsMut, table::Table},
        segments::{FooterEntry, Held, LaneId, Placed, SEGMENT_HEADER, Verbatim, is_flaw, record_bytes},
    },
};

/// Chunks moved in one transaction, and bytes of them.
const CHUNKS: usize = 500;
const BYTES: u64 = 8 << 20;

/// Room that a record takes in a footer, and that is left over beside what is written.
const FOOTER_BYTES: u64 = 64;
const MARGIN: u64 = 1 << 20;

/// A segment worth moving.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Candidate {
    pub(super) segment: SegmentId,
    pub(super) live: Live,
    /// Dead bytes of a thousand.
    share: u64,
}

/// The closed segments of which so many of a hundred bytes are dead, or that are damaged; the
/// deadest last.
pub(super) fn candidates(
    survey: &Survey,
    percent: u64,
    damaged: &BTreeSet<SegmentId>,
) -> Result<Vec<Candidate>, StoreError> {
    let mut found = Vec::new();
    for &segment in &survey.closed {
        let live = survey.live(segment);
        let room = survey.length(segment).saturating_sub(SEGMENT_HEADER);
        let dead = room.checked_sub(live.bytes).ok_or_else(|| {
            StoreError::Damaged(format!("more lives in segment {segment} than it has room for"))
        })?;
        let share = dead.saturating_mul(1000).checked_div(room).unwrap_or_default();
        let worth = share >= percent.saturating_mul(10) || damaged.contains(&segment);
        if live.chunks > 0 && worth {
            found.push(Candidate { segment, live, share });
        }
    }
    found.sort_unstable_by_key(|candidate| (candidate.share, candidate.segment));
    Ok(found)
}

/// A segment that is being moved: the records left to do, the first last.
#[derive(Debug)]
pub(super) struct Moving {
    segment: SegmentId,
    left: Vec<FooterEntry>,
}

/// How it stands with a segment's turn.
enum Turn {
    More,
    Over,
    /// A record is not sound: the segment stays.
    Stuck,
}

/// What became of one record.
enum Copy {
    Moved(Copied, Held),
    /// Its chunk was healed and lies elsewhere since.
    Elsewhere,
    /// It is not what its row says.
    Unsound,
}

/// A record that was copied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copied {
    pub(super) chunk: ChunkNo,
    pub(super) from: (SegmentId, u64),
    pub(super) to: Placed,
}

impl Collector {
    /// The next step of moving; `Done` when this pass has moved what it could.
    pub(super) fn compact(&mut self) -> Result<Step, StoreError> {
        let Some(mut moving) = self.moving.take() else { return self.begin_moving() };
        match self.move_some(&mut moving) {
            Ok(Turn::More) => {
                self.moving = Some(moving);
                Ok(Step::More)
            }
            Ok(Turn::Over) => {
                self.report.segments_compacted += 1;
                self.pass.0 += 1;
                self.store.collection().settled(moving.segment);
                Ok(Step::More)
            }
            Ok(Turn::Stuck) => Ok(Step::More),
            Err(StoreError::Full) if self.store.faults().has(Fault::FullCountsAsMoved) => {
                self.mark(&[moving.segment])?;
                self.pass.0 += 1;
                Ok(Step::More)
            }
            // There is room again once what was moved so far is swept.
            Err(StoreError::Full) => {
                self.report.no_room = true;
                self.candidates.clear();
                Ok(Step::Done)
            }
            Err(error) => Err(error),
        }
    }

    fn begin_moving(&mut self) -> Result<Step, StoreError> {
        if self.store.collection().is_held(self.store.meta().faults()) {
            self.report.held |= !self.candidates.is_empty();
            self.candidates.clear();
            return Ok(Step::Done);
        }
        let segment_bytes = self.store.segments().segment_bytes();
        if self.pass.1 >= segment_bytes.saturating_mul(SEGMENTS_PER_PASS) {
            return Ok(Step::Done);
        }
        let Some(next) = self.candidates.pop() else { return Ok(Step::Done) };
        // Nothing is begun that would find no room half-way.
        let needed = next.live.bytes + next.live.chunks * FOOTER_BYTES + SEGMENT_HEADER + MARGIN;
        if !self.store.dir().frees(needed)? {
            self.report.no_room = true;
            self.candidates.clear();
            return Ok(Step::Done);
        }
        let segment = next.segment;
        let (records, walked, unread) = match records(&self.store, segment)? {
            Records::Listed(records) => (records, false, false),
            Records::Walked(records) => (records, true, false),
            Records::Unread(records) => (records, true, true),
        };
        let mut left = lives(&self.store.snapshot()?, segment, records)?;
        let bytes = left.iter().map(|record| record_bytes(record.stored_len)).sum::<u64>();
        let counted = (next.live.chunks, next.live.bytes);
        if (left.len() as u64, bytes) != counted {
            if unread {
                self.leave(segment);
                return self.note_frame(segment, counted.0).map(|()| Step::More);
            }
            return self.doubt(segment, (left.len() as u64, walked), counted.0).map(|()| Step::More);
        }
        left.sort_unstable_by_key(|record| std::cmp::Reverse(record.offset));
        if self.store.faults().has(Fault::MarkBeforeSwitch) {
            self.sweep.marked(segment, self.store.blobs().readings().mark());
        }
        self.moving = Some(Moving { segment, left });
        Ok(Step::More)
    }

    /// The chunk rows and the records of a segment disagree. Fewer records once may be a chunk
    /// that was healed elsewhere meanwhile; again, where its list was damaged and they were walked,
    /// a record that is damaged as well, or a file that is gone.
    fn doubt(
        &mut self,
        segment: SegmentId,
        (records, walked): (u64, bool),
        rows: u64,
    ) -> Result<(), StoreError> {
        if self.store.faults().has(Fault::CountMismatchIgnored) {
            return Ok(());
        }
        let first = self.store.collection().doubt(segment);
        if walked && !first && records < rows {
            self.leave(segment);
            return self.note_frame(segment, rows);
        }
        if records > rows || !first {
            return Err(StoreError::Damaged(format!(
                "segment {segment} has {records} records that chunks name, and {rows} chunks lie in it"
            )));
        }
        Ok(())
    }

    fn move_some(&mut self, moving: &mut Moving) -> Result<Turn, StoreError> {
        let (mut copied, mut held, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut turn = Turn::Over;
        while let Some(record) = moving.left.pop() {
            match self.copy(moving.segment, &record)? {
                Copy::Moved(one, hold) => {
                    bytes += record_bytes(one.to.stored_len);
                    copied.push(one);
                    held.push(hold);
                }
                Copy::Elsewhere => {}
                Copy::Unsound => {
                    turn = Turn::Stuck;
                    break;
                }
            }
            if copied.len() >= CHUNKS || bytes >= BYTES {
                turn = if moving.left.is_empty() { Turn::Over } else { Turn::More };
                break;
            }
        }
        let Some(since) = held.first().map(Held::life) else { return Ok(turn) };
        if self.store.faults().has(Fault::UnlinkBeforeSwitch) && moving.left.is_empty() {
            self.store.segments().remove(moving.segment)?;
        }
        let copies = (LaneId::Relocation, since);
        let switched = self.store.blobs().apply_after(copies, move |tx: &mut Tx<'_>| {
            tx.give_back();
            switch(tx, &copied)
        })?;
        drop(held);
        self.report.chunks_moved += switched;
        self.report.bytes_moved += bytes;
        self.pass.1 += bytes;
        self.copied += bytes;
        Ok(turn)
    }

    /// Copies one record.
    fn copy(&mut self, segment: SegmentId, record: &FooterEntry) -> Result<Copy, StoreError> {
        let row = load_chunk(&self.store.snapshot()?, record.chunk)?;
        if (row.segment, row.offset) != (segment, record.offset) {
            return Ok(Copy::Elsewhere);
        }
        let whole = match self.store.segments().read_verbatim(segment, record.offset, row.stored_len) {
            Ok(whole) if says_the_same(&whole, record.chunk, &row) => whole,
            Ok(_) => {
                self.note_bad(segment, record, row, "its record is another chunk's");
                return Ok(Copy::Unsound);
            }
            // What the disk cannot read stays where it is as well: it is no reason to free nothing.
            Err(error) if is_flaw(&error) => {
                self.note_bad(segment, record, row, &error.to_string());
                return Ok(Copy::Unsound);
            }
            // One segment cannot be opened, and nobody else says so.
            Err(StoreError::Unavailable(why)) => return Err(io::Error::other(why).into()),
            Err(error) => return Err(error),
        };
        let (to, held) = self.store.segments().append_copy(whole)?;
        Ok(Copy::Moved(Copied { chunk: record.chunk, from: (segment, record.offset), to }, held))
    }

    fn note_bad(&mut self, segment: SegmentId, record: &FooterEntry, row: ChunkRow, why: &str) {
        let chunk = record.chunk;
        tracing::error!(%chunk, %segment, why, "a chunk is damaged; its segment is not compacted");
        self.report.damaged.push(format!("chunk {chunk} in segment {segment}: {why}"));
        self.store.collection().stuck(segment, Stuck::Chunk(chunk));
        if row.state == ChunkState::Live {
            self.store.blobs().suspect(chunk, row);
        }
    }
}

fn says_the_same(whole: &Verbatim, chunk: ChunkNo, row: &ChunkRow) -> bool {
    let header = &whole.header;
    let said = (header.chunk, header.digest, header.raw_len, header.codec.code(), header.domain.0);
    said == (chunk, row.digest, row.raw_len, row.codec, row.domain)
}

/// Has chunk rows name the new place, where they still name the old one. How many did.
pub(super) fn switch(tx: &mut dyn RowsMut, copied: &[Copied]) -> Result<u64, StoreError> {
    let mut switched = 0;
    for one in copied {
        let unasked = tx.faults().has(Fault::SwitchUnasked);
        let same = |row: &ChunkRow| (row.segment, row.offset) == one.from || unasked;
        let row = find_chunk(tx, one.chunk)?.filter(same);
        if let Some(row) = row {
            let row = ChunkRow { segment: one.to.segment, offset: one.to.offset, ..row };
            tx.put(Table::Chunk, number_key(one.chunk.0), row.encode());
            switched += 1;
        }
    }
    Ok(switched)
}
