//! Finds chunks by what they hold. Advisory: an entry that is missing costs room, an entry that
//! is wrong costs a look, because a hit counts only once the chunk's own row confirms it.
//!
//! Hashes come in no order, and rows in no order are dear. So new entries stay in memory, where
//! they are found just as well, and are merged into the table in sorted slices. Up to `merged`
//! every chunk is in the table; opening the store reads the chunks behind it. Entries of chunks
//! that are gone leave the table with the same slices; one that a crash forgets stays there until
//! the same content comes again, and is never a hit.

use std::collections::{BTreeMap, HashMap};

use super::rows::{ChunkRow, ChunkState, HashKey, NumberRow, find, number_behind, number_key};
use crate::{
    model::{ids::ChunkNo, limits},
    store::{
        error::StoreError,
        meta::{
            Meta, Snapshot,
            codec::Row,
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
        sync::{Arc, Mutex, MutexGuard, PoisonError},
    },
};

/// Where the last merged chunk number is kept.
pub(in crate::store) const MERGED: &[u8] = b"hash-merged";
/// Entries that make a merge worth its commits.
const MERGE_AT: usize = 8192;
/// Entries of one merge transaction; the last one of a merge has a row more.
const SLICE: usize = limits::TX_ROWS - 1;
/// Entries held in memory, 64 bytes each. What does not fit is found after the next opening.
const HELD: usize = 1 << 18;

/// The index of one store.
#[derive(Debug, Default)]
pub(crate) struct HashIndex {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    fresh: HashMap<HashKey, ChunkNo>,
    /// Chunks that were deleted, and what the table may still say.
    gone: HashMap<HashKey, ChunkNo>,
    /// The highest chunk number offered or merged.
    highest: u64,
    merged: u64,
    /// The lowest number that did not fit into memory.
    left_out: Option<u64>,
    /// Uploads that may still commit chunks with these numbers or higher ones.
    under_way: BTreeMap<u64, usize>,
    merging: bool,
}

impl State {
    fn forget(&mut self, key: HashKey, chunk: ChunkNo) {
        if self.fresh.get(&key) == Some(&chunk) {
            self.fresh.remove(&key);
        }
        if self.gone.len() < HELD {
            self.gone.insert(key, chunk);
        }
    }

    fn offer(&mut self, key: HashKey, chunk: ChunkNo) {
        self.highest = self.highest.max(chunk.0);
        if self.fresh.len() < HELD || self.fresh.contains_key(&key) {
            self.fresh.insert(key, chunk);
        } else {
            self.left_out = Some(self.left_out.map_or(chunk.0, |lowest| lowest.min(chunk.0)));
        }
    }
}

/// What becomes of a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Entry {
    /// It leads to this chunk.
    To(ChunkNo),
    /// It goes, if it leads to this chunk.
    Gone(ChunkNo),
}

/// A merge under way: what is left of it.
struct Merge {
    /// In the order of keys.
    entries: Vec<(HashKey, Entry)>,
    next: usize,
    merged: u64,
}

impl HashIndex {
    /// Reads the chunks that were not merged. Those whose rows are damaged are not found by what they
    /// hold, and keep nobody from opening the store.
    pub(crate) fn open(rows: &Snapshot) -> Result<Self, StoreError> {
        let merged: Option<NumberRow> = find(rows, Table::Config, MERGED)?;
        let merged = merged.map_or(0, |row| row.number);
        let mut state = State { merged, highest: merged, ..State::default() };
        let range = KeyRange::prefix(Vec::new()).after(number_key(merged));
        rows.meet(Table::Chunk, &range, Order::Forward, &mut |row| {
            let read =
                |value: Vec<u8>| Some((number_behind(row.key, 0).ok()?, ChunkRow::decode(&value).ok()?));
            let Some((chunk, row)) = row.value.and_then(read) else { return true };
            state.highest = state.highest.max(chunk);
            if let Some(key) = HashKey::new(row.domain, &row.digest)
                && row.state != ChunkState::Condemned
            {
                state.offer(key, ChunkNo(chunk));
            }
            state.left_out.is_none()
        })?;
        Ok(Self { state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A chunk that may hold what the key says. To be confirmed against its row.
    pub(crate) fn candidate(&self, rows: &dyn Rows, key: &HashKey) -> Result<Option<ChunkNo>, StoreError> {
        if let Some(&chunk) = self.state().fresh.get(key) {
            return Ok(Some(chunk));
        }
        let row: Option<NumberRow> = find(rows, Table::ChunkHash, &key.row_key())?;
        Ok(row.map(|row| ChunkNo(row.number)))
    }

    /// Lets chunks be found, after the commit that wrote their rows.
    pub(crate) fn offer(&self, chunks: impl IntoIterator<Item = (HashKey, ChunkNo)>) {
        let mut state = self.state();
        for (key, chunk) in chunks {
            state.offer(key, chunk);
        }
    }

    /// Lets chunks that were deleted be forgotten, after the commit that deleted their rows.
    pub(crate) fn forget(&self, chunks: impl IntoIterator<Item = (HashKey, ChunkNo)>) {
        let mut state = self.state();
        for (key, chunk) in chunks {
            state.forget(key, chunk);
        }
    }

    /// Announces an upload, so that no merge claims chunks it has numbered and not committed.
    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        let mut state = self.state();
        let from = state.highest + 1;
        *state.under_way.entry(from).or_insert(0) += 1;
        UnderWay { index: Arc::clone(self), from }
    }

    /// Submits the next merge if enough has gathered; its slices follow one another as they are
    /// committed. True if one was begun.
    pub(crate) fn merge(self: &Arc<Self>, meta: &Arc<Meta>, however_few: bool) -> bool {
        let Some(merge) = self.plan(however_few) else { return false };
        self.submit(Arc::clone(meta), merge);
        true
    }

    /// Whether a merge is under way.
    pub(crate) fn is_merging(&self) -> bool {
        self.state().merging
    }

    fn plan(&self, however_few: bool) -> Option<Merge> {
        let mut state = self.state();
        let enough = if however_few { 1 } else { MERGE_AT };
        if state.merging || state.fresh.len() + state.gone.len() < enough {
            return None;
        }
        state.merging = true;
        // What was stored anew since replaces the row anyway.
        let gone = state.gone.iter().filter(|(key, _)| !state.fresh.contains_key(*key));
        let fresh = state.fresh.iter().map(|(key, chunk)| (*key, Entry::To(*chunk)));
        let mut entries: Vec<_> = fresh.chain(gone.map(|(key, chunk)| (*key, Entry::Gone(*chunk)))).collect();
        entries.sort_unstable();
        state.gone.clear();
        let unsure = state.under_way.keys().next().copied().into_iter().chain(state.left_out).min();
        let merged = unsure.map_or(state.highest, |unsure| unsure - 1).min(state.highest).max(state.merged);
        Some(Merge { entries, next: 0, merged })
    }

    fn submit(self: &Arc<Self>, meta: Arc<Meta>, mut merge: Merge) {
        let slice: Vec<_> = merge.entries.iter().skip(merge.next).take(SLICE).copied().collect();
        merge.next += slice.len();
        let end = (merge.next == merge.entries.len()).then_some(merge.merged);
        let (index, submitter) = (Arc::clone(self), Arc::clone(&meta));
        let verb = move |tx: &mut crate::store::meta::Tx<'_>| {
            for (key, entry) in &slice {
                put(tx, key.row_key(), *entry)?;
            }
            if let Some(number) = end {
                tx.put(Table::Config, MERGED.to_vec(), NumberRow { number }.encode());
            }
            Ok::<(), StoreError>(())
        };
        submitter.submit(verb, move |result| match result {
            Ok(()) if end.is_none() => index.submit(meta, merge),
            Ok(()) => index.finish(Some(&merge)),
            Err(_) => index.finish(None),
        });
    }

    /// Forgets what the table has now, unless it was offered anew meanwhile.
    fn finish(&self, done: Option<&Merge>) {
        let mut state = self.state();
        state.merging = false;
        let Some(merge) = done else { return };
        for (key, chunk) in &merge.entries {
            if state.fresh.get(key).is_some_and(|fresh| Entry::To(*fresh) == *chunk) {
                state.fresh.remove(key);
            }
        }
        state.merged = merge.merged;
    }
}

fn put(tx: &mut dyn RowsMut, key: Vec<u8>, entry: Entry) -> Result<(), StoreError> {
    match entry {
        Entry::To(chunk) => tx.put(Table::ChunkHash, key, NumberRow { number: chunk.0 }.encode()),
        Entry::Gone(chunk) => {
            let row: Option<NumberRow> = find(tx, Table::ChunkHash, &key)?;
            if row.is_some_and(|row| row.number == chunk.0) {
                tx.delete(Table::ChunkHash, key);
            }
        }
    }
    Ok(())
}

/// An upload that has not committed all of its chunks.
#[derive(Debug)]
pub(crate) struct UnderWay {
    index: Arc<HashIndex>,
    from: u64,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.index.state();
        if let Some(count) = state.under_way.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                state.under_way.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::time::Timestamp,
        store::{io::sim::SimDisk, meta::MetaOptions},
    };

    fn key(number: u64) -> HashKey {
        HashKey::new(1, blake3::hash(&number.to_be_bytes()).as_bytes()).unwrap()
    }

    fn merged(meta: &Meta) -> Option<u64> {
        let row: Option<NumberRow> = find(&meta.snapshot().unwrap(), Table::Config, MERGED).unwrap();
        row.map(|row| row.number)
    }

    #[test]
    fn entries_are_found_before_and_after_they_are_merged() {
        let meta = Meta::open(Arc::new(SimDisk::new()), MetaOptions::new(Arc::new(|| Timestamp(0))));
        let meta = Arc::new(meta.unwrap());
        let index = Arc::new(HashIndex::open(&meta.snapshot().unwrap()).unwrap());
        let found = |number| index.candidate(&meta.snapshot().unwrap(), &key(number)).unwrap();
        index.offer((1..=100).map(|number| (key(number), ChunkNo(number))));
        assert!(!index.merge(&meta, false), "too few");
        // One upload has numbered chunks behind 100 and goes on for long.
        let long = index.begin();
        index.offer((201..=10_000).map(|number| (key(number), ChunkNo(number))));
        assert!(index.merge(&meta, false));
        index.offer([(key(7), ChunkNo(10_001))]);
        while index.is_merging() {
            assert_eq!(found(5000), Some(ChunkNo(5000)));
            meta.step();
        }
        assert_eq!(merged(&meta), Some(100));
        assert_eq!(index.state().fresh.len(), 1, "what was offered meanwhile");
        assert_eq!([found(5000), found(7), found(150)], [Some(ChunkNo(5000)), Some(ChunkNo(10_001)), None]);
        drop(long);
        assert!(index.merge(&meta, true));
        while index.is_merging() {
            meta.step();
        }
        assert_eq!(merged(&meta), Some(10_001));
        assert_eq!(found(7), Some(ChunkNo(10_001)));
    }

    #[test]
    fn a_deleted_chunk_leaves_the_table_unless_its_content_came_again() {
        let meta = Meta::open(Arc::new(SimDisk::new()), MetaOptions::new(Arc::new(|| Timestamp(0))));
        let meta = Arc::new(meta.unwrap());
        let index = Arc::new(HashIndex::open(&meta.snapshot().unwrap()).unwrap());
        let found = |number| index.candidate(&meta.snapshot().unwrap(), &key(number)).unwrap();
        let merge = || {
            assert!(index.merge(&meta, true));
            while index.is_merging() {
                meta.step();
            }
        };
        index.offer((1..=3).map(|number| (key(number), ChunkNo(number))));
        merge();
        index.offer([(key(2), ChunkNo(9)), (key(4), ChunkNo(4))]);
        index.forget((1..=4).map(|number| (key(number), ChunkNo(number))));
        assert_eq!(found(4), None, "it was not in the table yet");
        merge();
        assert_eq!([found(1), found(2), found(3), found(4)], [None, Some(ChunkNo(9)), None, None]);
        index.forget([(key(2), ChunkNo(2))]);
        merge();
        assert_eq!(found(2), Some(ChunkNo(9)), "another chunk has its place");
    }

    #[test]
    fn what_does_not_fit_into_memory_is_not_taken_for_merged() {
        let index = HashIndex::default();
        index.offer((1..=HELD as u64 + 5).map(|number| (key(number), ChunkNo(number))));
        let merge = index.plan(false).unwrap();
        assert_eq!((merge.entries.len(), merge.merged), (HELD, HELD as u64));
    }
}
