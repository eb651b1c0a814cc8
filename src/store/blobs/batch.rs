//! What an upload has taken in and not committed: chunk rows, references, pieces of a page.
//!
//! Writing it into a transaction is pure and may happen again; what is remembered there is of the
//! last run.

use std::collections::{BTreeMap, HashMap};

use super::{
    Blobs,
    damage::{self, Part},
    manifest,
    pins::Pin,
    rows::{ChunkRow, ChunkState, HashKey, PIECES_PER_PAGE, Piece, add_chunk_refs, find_chunk, number_key},
};
use crate::{
    model::ids::{ChunkNo, ManifestId, SegmentId},
    store::{
        error::StoreError,
        faults::Fault,
        meta::{codec::Row, rows::RowsMut, table::Table},
        segments::Held,
        sync::atomic::{AtomicU64, Ordering},
    },
};

/// A batch is full with so many rows; a few more come with the manifest, and a verb brings its
/// own.
const ROWS: usize = 700;

/// Consecutive pieces of one manifest.
#[derive(Debug, Default)]
pub(super) struct Batch {
    start: u64,
    end: u64,
    pieces: Vec<Piece>,
    /// Chunks this upload has stored.
    fresh: Vec<(ChunkNo, ChunkRow)>,
    /// Damaged chunks this upload has stored again.
    healed: Vec<(ChunkNo, ChunkRow)>,
    /// References to add to chunks that have one by then.
    more: BTreeMap<ChunkNo, u64>,
    /// Keeps the chunks of `more` and `healed`.
    pins: Vec<Pin>,
    /// Keeps the segments that `fresh` and `healed` lie in.
    held: BTreeMap<SegmentId, Held>,
    /// Chunks of this batch by what they hold: they are not in the index yet.
    own: HashMap<[u8; 32], ChunkNo>,
    stored: u64,
    /// Rows of damage that the last run of its verb removed.
    undamaged: AtomicU64,
}

impl Batch {
    /// Empty, for content from `start` on.
    pub(super) fn at(start: u64) -> Self {
        Self { start, end: start, ..Self::default() }
    }

    /// Where the content it has ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    pub(super) fn pieces(&self) -> u64 {
        self.pieces.len() as u64
    }

    /// Whether it should be committed before it grows; `bytes` is how much it may have stored.
    pub(super) fn is_full(&self, bytes: u64) -> bool {
        let pages = self.pieces.len() / PIECES_PER_PAGE + 1;
        let rows = self.fresh.len() + 2 * self.healed.len() + self.more.len() + pages;
        rows >= ROWS || self.stored >= bytes
    }

    fn piece(&mut self, target: Option<ChunkNo>, len: u64) {
        self.pieces.push(Piece { target: target.map(|chunk| chunk.0), len });
        self.end += len;
    }

    /// Keeps a segment until the batch is committed or given up.
    pub(super) fn hold(&mut self, held: Held) {
        self.held.entry(held.segment()).or_insert(held);
    }

    /// Adds zeros.
    pub(super) fn hole(&mut self, len: u64) {
        self.piece(None, len);
    }

    /// Adds a chunk that was stored for this upload.
    pub(super) fn fresh(&mut self, chunk: ChunkNo, row: ChunkRow) {
        self.own.insert(row.digest, chunk);
        self.stored += u64::from(row.stored_len);
        self.piece(Some(chunk), row.raw_len.into());
        self.fresh.push((chunk, row));
    }

    /// Adds a chunk that others have, pinned.
    pub(super) fn hit(&mut self, chunk: ChunkNo, pin: Pin, len: u64) {
        self.pins.push(pin);
        *self.more.entry(chunk).or_insert(0) += 1;
        self.piece(Some(chunk), len);
    }

    /// Adds a chunk that others have and that is damaged, stored again.
    pub(super) fn heal(&mut self, chunk: ChunkNo, row: ChunkRow, pin: Pin) {
        self.own.insert(row.digest, chunk);
        self.stored += u64::from(row.stored_len);
        self.hit(chunk, pin, row.raw_len.into());
        self.healed.push((chunk, row));
    }

    /// Adds a chunk of this batch once more, if it has this one.
    pub(super) fn again(&mut self, digest: &[u8; 32], len: u64) -> bool {
        let Some(&chunk) = self.own.get(digest) else { return false };
        *self.more.entry(chunk).or_insert(0) += 1;
        self.piece(Some(chunk), len);
        true
    }

    /// Writes the rows.
    ///
    /// Busy if a chunk that was found by its digest went bad since.
    pub(super) fn put(&self, tx: &mut dyn RowsMut, id: ManifestId) -> Result<(), StoreError> {
        for (chunk, row) in &self.fresh {
            tx.put(Table::Chunk, number_key(chunk.0), row.encode());
        }
        let mut undamaged = 0;
        for (chunk, row) in &self.healed {
            // Another upload may have been first; its record is as good.
            if find_chunk(tx, *chunk)?.is_some_and(|row| row.state == ChunkState::Bad) {
                tx.put(Table::Chunk, number_key(chunk.0), row.encode());
                undamaged += damage::forget(tx, Part::Chunk(*chunk))?;
            }
        }
        self.undamaged.store(undamaged, Ordering::Relaxed);
        for (chunk, more) in &self.more {
            match find_chunk(tx, *chunk)? {
                Some(row) if row.state == ChunkState::Live => add_chunk_refs(tx, *chunk, *more)?,
                Some(_)
                    if tx.faults().has(Fault::DamagedShared) || tx.faults().has(Fault::CondemnedShared) =>
                {
                    add_chunk_refs(tx, *chunk, *more)?;
                }
                _ => return Err(StoreError::Busy("content this upload shares went bad".into())),
            }
        }
        manifest::put_pages(tx, id, self.start, &self.pieces);
        Ok(())
    }

    /// Lets others find its chunks, after its commit.
    pub(super) fn offer(&self, blobs: &Blobs) {
        let chunks = self.fresh.iter().chain(&self.healed);
        let found = chunks.filter_map(|(chunk, row)| Some((HashKey::new(row.domain, &row.digest)?, *chunk)));
        blobs.index.offer(found);
        if !self.healed.is_empty() {
            tracing::info!(chunks = self.healed.len(), "damaged chunks were stored again and are whole");
            blobs.damage_shrank(self.undamaged.load(Ordering::Relaxed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::pins::{Pins, Thing},
        *,
    };
    use crate::store::sync::Arc;

    use crate::{model::limits, store::rows::memory::Memory};

    fn row(number: u64) -> ChunkRow {
        ChunkRow {
            segment: SegmentId(1),
            offset: 0,
            stored_len: 1,
            raw_len: 10,
            codec: 0,
            domain: 1,
            state: ChunkState::Live,
            digest: *blake3::hash(&number.to_be_bytes()).as_bytes(),
            crc32: 0,
            crc32c: 0,
            crc64: 0,
        }
    }

    /// Fills a batch with one kind of piece and says how many rows it writes.
    fn rows_of(add: impl Fn(&mut Batch, u64)) -> usize {
        let (mut batch, mut rows) = (Batch::at(0), Memory::default());
        for number in 1.. {
            rows.put(Table::Chunk, number_key(number), row(number).encode());
            add(&mut batch, number);
            if batch.is_full(1 << 30) {
                break;
            }
        }
        let before = rows.clone();
        batch.put(&mut rows, ManifestId(1)).unwrap();
        rows.0.iter().filter(|(key, value)| before.0.get(key) != Some(value)).count().max(batch.fresh.len())
    }

    #[test]
    fn a_full_batch_leaves_room_in_a_transaction_for_the_verb_that_seals_it() {
        let pins = Arc::new(Pins::default());
        let pin = |number| pins.pin(Thing::Chunk(ChunkNo(number))).unwrap();
        type Add<'a> = &'a dyn Fn(&mut Batch, u64);
        let kinds: [Add<'_>; 3] = [
            &|batch, number| batch.fresh(ChunkNo(number), row(number)),
            &|batch, number| batch.hit(ChunkNo(number), pin(number), 10),
            &|batch, _| batch.hole(10),
        ];
        for add in kinds {
            let rows = rows_of(add);
            assert!((ROWS - 20..limits::TX_ROWS - 200).contains(&rows), "{rows}");
        }
    }

    #[test]
    fn a_full_batch_is_one_with_enough_bytes_too() {
        let mut batch = Batch::at(5);
        assert!(!batch.is_full(2));
        batch.fresh(ChunkNo(1), row(1));
        batch.fresh(ChunkNo(2), row(2));
        assert!(batch.is_full(2));
        assert_eq!((batch.end(), batch.pieces()), (25, 2));
    }
}
