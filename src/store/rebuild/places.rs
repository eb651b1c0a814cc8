//! Where chunks lie, from the segments alone.

use std::collections::BTreeMap;

use super::facts::Facts;
use crate::{
    model::ids::SegmentId,
    store::{
        blobs::{
            MERGED,
            rows::{ChunkRow, ChunkState, HashKey, NumberRow, SegmentRow, number_key},
        },
        error::StoreError,
        io::Io,
        meta::{TableRow, codec::Row, table::Table},
        segments::{self, RecordHeader},
    },
};

/// What the segments hold of what is needed.
#[derive(Debug, Default)]
pub(super) struct Places {
    found: BTreeMap<u64, ChunkRow>,
    /// Rows of segments that are there and were known.
    known: Vec<(SegmentId, SegmentRow)>,
    pub(super) highest_chunk: u64,
    pub(super) highest_segment: u64,
    pub(super) segments: u64,
    pub(super) records: u64,
    pub(super) damaged_bytes: u64,
}

impl Places {
    /// Reads every record of every segment, and verifies its stored bytes.
    pub(super) fn survey(
        io: &dyn Io,
        uuid: [u8; 16],
        facts: &Facts,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Self, StoreError> {
        let mut places = Self::default();
        let all = segments::all(io)?;
        // Numbers of segments whose files went count too.
        places.highest_segment = facts.segments.keys().map(|segment| segment.0).max().unwrap_or_default();
        for &segment in &all {
            progress(places.segments, all.len() as u64);
            let surveyed = segments::survey(io, uuid, segment, &mut |record| places.meet(record, facts))?;
            places.segments += 1;
            places.damaged_bytes += surveyed.damaged;
            places.highest_segment = places.highest_segment.max(segment.0);
            // One that says more than there is is found out anew when the store is opened.
            if let Some(row) = facts.segments.get(&segment).filter(|row| row.length <= surveyed.length) {
                places.known.push((segment, row.clone()));
            }
        }
        Ok(places)
    }

    fn meet(&mut self, record: &RecordHeader, facts: &Facts) {
        self.records += 1;
        let chunk = record.chunk.0;
        self.highest_chunk = self.highest_chunk.max(chunk);
        if !facts.needed.contains_key(&chunk) {
            return;
        }
        let row = ChunkRow {
            segment: record.segment,
            offset: record.offset,
            stored_len: record.stored_len,
            raw_len: record.raw_len,
            codec: record.codec.code(),
            domain: record.domain.0,
            state: ChunkState::Live,
            digest: record.digest,
            crc32: record.crcs.crc32,
            crc32c: record.crcs.crc32c,
            crc64: record.crcs.crc64,
        };
        let before = facts.before.get(&chunk);
        if before.is_some_and(|before| before.digest != row.digest || before.raw_len != row.raw_len) {
            return;
        }
        let at_home = |row: &ChunkRow| {
            before.is_some_and(|before| (before.segment, before.offset) == (row.segment, row.offset))
        };
        // Moved chunks may lie in two places: the one that was known counts, else the later one.
        if self
            .found
            .get(&chunk)
            .is_some_and(|other| at_home(other) || (!at_home(&row) && other.segment > row.segment))
        {
            return;
        }
        // One that was found to be bad stays so where it lies: its digest was read, too.
        let bad = at_home(&row) && before.is_some_and(|before| before.state == ChunkState::Bad);
        let state = if bad { ChunkState::Bad } else { ChunkState::Live };
        self.found.insert(chunk, ChunkRow { state, ..row });
    }

    /// The rows of the places; counts the chunks that are nowhere.
    pub(super) fn rows(&self, facts: &Facts, lost: &mut u64) -> Vec<TableRow> {
        let mut rows = Vec::new();
        let (mut hashes, mut merged) = (BTreeMap::new(), 0);
        for (&chunk, &refs) in &facts.needed {
            let found = self.found.get(&chunk).cloned();
            let row = found.or_else(|| {
                *lost += 1;
                let before = facts.before.get(&chunk)?;
                Some(ChunkRow { state: ChunkState::Bad, ..before.clone() })
            });
            let Some(row) = row else { continue };
            if let Some(key) = HashKey::new(row.domain, &row.digest) {
                hashes.insert(key, chunk);
            }
            merged = chunk;
            rows.push((Table::Chunk, number_key(chunk), row.encode()));
            if refs != 1 {
                rows.push((Table::ChunkRc, number_key(chunk), NumberRow { number: refs }.encode()));
            }
        }
        for (key, number) in hashes {
            rows.push((Table::ChunkHash, key.row_key(), NumberRow { number }.encode()));
        }
        rows.push((Table::Config, MERGED.to_vec(), NumberRow { number: merged }.encode()));
        for (segment, row) in &self.known {
            rows.push((Table::Segment, number_key(segment.0), row.encode()));
        }
        rows.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        rows
    }
}
