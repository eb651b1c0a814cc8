//! Rows of chunks and segments as far as they are sound: whoever looks for damage goes on past a row
//! that is not what was written, and hears how many there were.

use std::ops::Range;

use crate::{
    model::ids::{ChunkNo, SegmentId},
    store::{
        blobs::rows::{ChunkRow, known_segment, number_behind, number_key},
        error::StoreError,
        meta::{
            Snapshot,
            codec::Row as _,
            rows::{KeyRange, Order},
            table::Table,
        },
        segments::SegmentState,
    },
};

/// A chunk's row with its number.
pub(super) type Numbered = (ChunkNo, ChunkRow);

/// Some chunks of a stretch of numbers.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// Those whose rows are sound.
    pub(super) found: Vec<Numbered>,
    /// The last of them, if there may be more.
    pub(super) last: Option<ChunkNo>,
    /// Rows before that which are damaged.
    pub(super) damaged: u64,
}

/// The chunks of a stretch of numbers from its start on, so many and so many stored bytes of them at
/// most, but one at least.
pub(super) fn next_chunks(
    rows: &Snapshot,
    stretch: Range<u64>,
    (limit, most): (usize, u64),
) -> Result<Chunks, StoreError> {
    let range = KeyRange::prefix(Vec::new()).from(number_key(stretch.start)).until(number_key(stretch.end));
    let (mut chunks, mut bytes) = (Chunks::default(), 0_u64);
    rows.meet(Table::Chunk, &range, Order::Forward, &mut |row| {
        let read = row.value.and_then(|value| numbered(row.key, &value).ok());
        let Some((chunk, row)) = read else {
            chunks.damaged += 1;
            return true;
        };
        bytes = bytes.saturating_add(u64::from(row.stored_len));
        chunks.found.push((chunk, row));
        chunks.last = (bytes >= most || chunks.found.len() >= limit).then_some(chunk);
        chunks.last.is_none()
    })?;
    Ok(chunks)
}

fn numbered(key: &[u8], value: &[u8]) -> Result<Numbered, StoreError> {
    Ok((ChunkNo(number_behind(key, 0)?), ChunkRow::decode(value)?))
}

/// The chunk with the highest number.
pub(super) fn last_chunk(rows: &Snapshot) -> Result<Option<ChunkNo>, StoreError> {
    let mut last = None;
    rows.meet(Table::Chunk, &KeyRange::prefix(Vec::new()), Order::Reverse, &mut |row| {
        last = row.value.and_then(|_| number_behind(row.key, 0).ok()).map(ChunkNo);
        last.is_none()
    })?;
    Ok(last)
}

/// The next segment behind one, and how many damaged rows of segments there are before it.
pub(super) fn next_segment(
    rows: &Snapshot,
    after: SegmentId,
) -> Result<(Option<(SegmentId, SegmentState)>, u64), StoreError> {
    let behind = KeyRange::prefix(Vec::new()).after(number_key(after.0));
    let (mut next, mut damaged) = (None, 0);
    rows.meet(Table::Segment, &behind, Order::Forward, &mut |row| {
        next = row.value.and_then(|value| known_segment(&(row.key.to_vec(), value)).ok());
        damaged += u64::from(next.is_none());
        next.is_none()
    })?;
    Ok((next, damaged))
}
