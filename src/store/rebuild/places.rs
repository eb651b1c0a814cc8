//! Where chunks lie, from the segments alone.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, Need};
use crate::{
    model::{
        ids::{ChunkNo, SegmentId},
        time::Timestamp,
    },
    store::{
        blobs::{
            MERGED,
            damage::{DamageRow, Part},
            rows::{ChunkRow, ChunkState, HashKey, NO_DOMAIN, NumberRow, SegmentRow, number_key},
        },
        error::StoreError,
        io::Io,
        meta::{TableRow, codec::Row, table::Table},
        segments::{self, Codec, FlawKind, RecordHeader},
    },
};

/// Of a chunk of which no more than its number is known; no content has it.
const UNKNOWN: [u8; 32] = [0; 32];

/// What the segments hold of what is needed.
#[derive(Debug, Default)]
pub(super) struct Places {
    found: BTreeMap<u64, ChunkRow>,
    /// Rows of segments that are there and were known.
    known: Vec<(SegmentId, SegmentRow)>,
    there: BTreeSet<SegmentId>,
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
            places.there.insert(segment);
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
        let before = facts.before.get(&chunk).filter(|before| before.digest != UNKNOWN);
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

    /// The rows of the places; counts the chunks that are nowhere, and notes them as damaged, so that
    /// it can be told which files need them.
    pub(super) fn rows(&self, facts: &Facts, now: Timestamp, lost: &mut u64) -> Vec<TableRow> {
        let mut rows = Vec::new();
        let (mut hashes, mut merged) = (BTreeMap::new(), 0);
        for (&chunk, need) in &facts.needed {
            let row = self.found.get(&chunk).cloned().unwrap_or_else(|| {
                *lost += 1;
                let row = lost_row(facts.before.get(&chunk), need);
                // One that was known at this place keeps when it was seen first.
                if facts.damaged.get(&chunk) != Some(&(row.segment, row.offset)) {
                    rows.push((
                        Table::Damage,
                        Part::Chunk(ChunkNo(chunk)).key(),
                        self.note(&row, now).encode(),
                    ));
                }
                row
            });
            if let Some(key) = HashKey::new(row.domain, &row.digest) {
                hashes.insert(key, chunk);
            }
            merged = chunk;
            rows.push((Table::Chunk, number_key(chunk), row.encode()));
            if need.refs != 1 {
                rows.push((Table::ChunkRc, number_key(chunk), NumberRow { number: need.refs }.encode()));
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

    /// What is known to be wrong with a chunk that is nowhere. A scrub looks closer.
    fn note(&self, row: &ChunkRow, now: Timestamp) -> DamageRow {
        let is_there = self.there.contains(&row.segment);
        DamageRow {
            segment: row.segment,
            offset: row.offset,
            kind: if is_there { FlawKind::Bytes } else { FlawKind::Missing },
            expected: row.digest,
            found: None,
            seen: now,
        }
    }
}

/// The row of a chunk that no segment has. Without one from before it says that nothing is known:
/// nobody finds it by what it held, and whatever needs it can be deleted as any other.
fn lost_row(before: Option<&ChunkRow>, need: &Need) -> ChunkRow {
    let unknown = || ChunkRow {
        segment: SegmentId(0),
        offset: 0,
        stored_len: 0,
        raw_len: u32::try_from(need.len).unwrap_or(u32::MAX),
        codec: Codec::Raw.code(),
        domain: NO_DOMAIN,
        state: ChunkState::Bad,
        digest: UNKNOWN,
        crc32: 0,
        crc32c: 0,
        crc64: 0,
    };
    ChunkRow { state: ChunkState::Bad, ..before.cloned().unwrap_or_else(unknown) }
}
