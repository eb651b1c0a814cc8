//! Rows read lately, in memory, so that a look at rows everybody asks for needs no thread that
//! may wait for the disk. Knows rows and commits, not what a row means.
//!
//! What is kept is always one committed state, or a part of it: a commit takes the rows it
//! changes out before it begins, and rows read on a snapshot are kept only if no commit changed
//! them meanwhile. So whoever was answered finds what was committed, here as in a snapshot.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    overlay::Changes,
    rows::{KeyRange, KeyValue, Order, Rows},
    snapshot::Snapshot,
    table::Table,
};
use crate::store::error::StoreError;

/// The rows kept take no more memory than this: room is made for others under the lock that
/// commits need too, and that takes longer the more there are.
pub(super) const MOST_BYTES: usize = 64 << 20;

/// Rows that one look leaves here. A longer look is no look at single things.
const ROWS_PER_LOOK: usize = 256;

/// What a row takes in memory beside key and value: map, boxes and their allocations.
const ROW_BYTES: usize = 128;

/// A row as it was read; `None` where there was none.
struct Kept {
    value: Option<Box<[u8]>>,
    /// Asked for since the last time room was made.
    used: AtomicBool,
}

#[derive(Default)]
struct State {
    tables: HashMap<Table, HashMap<Box<[u8]>, Kept>>,
    bytes: usize,
    /// Even between commits, odd during one.
    turn: u64,
    /// What the commit under way changes.
    changing: Option<Arc<Changes>>,
}

fn cost(key: &[u8], value: Option<&[u8]>) -> usize {
    ROW_BYTES + key.len() + value.map_or(0, <[u8]>::len)
}

impl State {
    fn remove(&mut self, table: Table, key: &[u8]) {
        let row = self.tables.get_mut(&table).and_then(|rows| rows.remove(key));
        if let Some(row) = row {
            self.bytes -= cost(key, row.value.as_deref());
        }
    }

    /// Whether a row read since that turn is still as it was read. During a commit that is so for
    /// all it leaves alone, read before it began or after.
    fn stands(&self, since: u64, table: Table, key: &[u8]) -> bool {
        match &self.changing {
            None => since == self.turn,
            Some(changing) => since + 1 >= self.turn && changing.get(table, key).is_none(),
        }
    }

    fn keep(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.remove(table, &key);
        self.bytes += cost(&key, value.as_deref());
        let row = Kept { value: value.map(Vec::into_boxed_slice), used: AtomicBool::new(false) };
        self.tables.entry(table).or_default().insert(key.into_boxed_slice(), row);
    }

    /// Rows nobody asked for since the last time go first, then any.
    fn shrink_to(&mut self, most: usize) {
        for all in [false, true] {
            let bytes = &mut self.bytes;
            for rows in self.tables.values_mut() {
                rows.retain(|key, row| {
                    let stays = *bytes <= most || row.used.swap(false, Ordering::Relaxed) && !all;
                    if !stays {
                        *bytes -= cost(key, row.value.as_deref());
                    }
                    stays
                });
            }
        }
    }
}

/// The rows kept.
pub(super) struct Recent {
    state: RwLock<State>,
    most_bytes: usize,
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").field("most_bytes", &self.most_bytes).finish_non_exhaustive()
    }
}

impl Recent {
    /// Room for so many bytes of rows, up to [`MOST_BYTES`].
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { state: RwLock::default(), most_bytes: most_bytes.min(MOST_BYTES) }
    }

    fn change(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit begins: what it changes is kept no longer, and not again before it ended.
    pub(super) fn begin(&self, changes: &Arc<Changes>) {
        let mut state = self.change();
        state.turn += 1;
        for (table, rows) in changes.tables().filter(|(table, _)| table.is_kept()) {
            for key in rows.keys() {
                state.remove(table, key);
            }
        }
        state.changing = Some(Arc::clone(changes));
    }

    /// The commit ended, well or not.
    pub(super) fn end(&self) {
        let mut state = self.change();
        state.turn += 1;
        state.changing = None;
    }

    /// Forgets everything, rows that are just being read too.
    pub(super) fn clear(&self) {
        let mut state = self.change();
        state.turn += 2;
        state.tables.clear();
        state.bytes = 0;
    }

    /// To be asked for before a snapshot is taken whose rows are to be kept.
    pub(super) fn turn(&self) -> u64 {
        self.state.read().unwrap_or_else(PoisonError::into_inner).turn
    }

    /// Keeps rows of a snapshot taken after `since` was asked for.
    pub(super) fn keep(&self, since: u64, found: Vec<Row>) {
        if found.is_empty() {
            return;
        }
        let mut state = self.change();
        for (table, key, value) in found {
            if state.stands(since, table, &key) {
                state.keep(table, key, value);
            }
        }
        if state.bytes > self.most_bytes {
            state.shrink_to(self.most_bytes / 4 * 3);
        }
    }

    /// Runs `look` on the rows kept. `None` if it asked for one that is not, or if a change is
    /// just being noted: never waits.
    pub(super) fn recall<T>(&self, look: impl FnOnce(&dyn Rows) -> T) -> Option<T> {
        let rows = Recalled { state: self.state.try_read().ok()?, missed: Cell::new(false) };
        let answer = look(&rows);
        (!rows.missed.get()).then_some(answer)
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.change().bytes
    }
}

/// A row as it was read.
pub(super) type Row = (Table, Vec<u8>, Option<Vec<u8>>);

struct Recalled<'a> {
    state: RwLockReadGuard<'a, State>,
    /// Whether a row was asked for that is not kept. Whatever the look then says is not looked at.
    missed: Cell<bool>,
}

impl Recalled<'_> {
    fn miss<T>(&self) -> Result<T, StoreError> {
        self.missed.set(true);
        Err(StoreError::Busy("a row is not in memory".into()))
    }
}

impl Rows for Recalled<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.state.tables.get(&table).and_then(|rows| rows.get(key));
        let Some(row) = row else { return self.miss() };
        if !row.used.load(Ordering::Relaxed) {
            row.used.store(true, Ordering::Relaxed);
        }
        Ok(row.value.as_ref().map(|value| value.to_vec()))
    }

    fn scan(&self, _: Table, _: &KeyRange, _: Order, _: usize) -> Result<Vec<KeyValue>, StoreError> {
        self.miss()
    }
}

/// A snapshot that notes the rows read by key.
pub(super) struct Noting<'a> {
    snapshot: &'a Snapshot,
    found: RefCell<Vec<Row>>,
}

impl<'a> Noting<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, found: RefCell::default() }
    }

    pub(super) fn into_found(self) -> Vec<Row> {
        self.found.into_inner()
    }
}

impl Rows for Noting<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let value = self.snapshot.get(table, key)?;
        let mut found = self.found.borrow_mut();
        if table.is_kept() && found.len() < ROWS_PER_LOOK {
            found.push((table, key.to_vec(), value.clone()));
        }
        Ok(value)
    }

    fn scan(
        &self,
        table: Table,
        range: &KeyRange,
        order: Order,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError> {
        self.snapshot.scan(table, range, order, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, value: Option<&str>) -> Row {
        (Table::Dent, key.into(), value.map(Into::into))
    }

    fn change(key: &str) -> Arc<Changes> {
        let mut changes = Changes::default();
        changes.set(Table::Dent, key.into(), None);
        Arc::new(changes)
    }

    /// The value of a row that is kept; `None` if it is not.
    fn kept(recent: &Recent, key: &str) -> Option<Option<Vec<u8>>> {
        recent.recall(|rows| rows.get(Table::Dent, key.as_bytes()).ok()).flatten()
    }

    #[test]
    fn a_row_and_its_absence_are_kept_until_a_commit_changes_them() {
        let recent = Recent::new(1 << 20);
        recent.keep(recent.turn(), vec![row("a", Some("1")), row("b", None)]);
        assert_eq!(kept(&recent, "a"), Some(Some(b"1".to_vec())));
        assert_eq!(kept(&recent, "b"), Some(None));
        assert_eq!(kept(&recent, "c"), None, "nobody knows whether there is one");
        recent.begin(&change("b"));
        assert_eq!((kept(&recent, "a").is_some(), kept(&recent, "b")), (true, None));
        recent.end();
        assert_eq!((kept(&recent, "a").is_some(), kept(&recent, "b")), (true, None));
    }

    #[test]
    fn a_row_read_before_or_during_a_commit_that_changes_it_is_not_kept() {
        let recent = Recent::new(1 << 20);
        let before = recent.turn();
        recent.begin(&change("a"));
        let during = recent.turn();
        for since in [before, during] {
            recent.keep(since, vec![row("a", Some("old")), row("b", Some("same"))]);
            assert_eq!((kept(&recent, "a"), kept(&recent, "b").is_some()), (None, true));
        }
        recent.end();
        for since in [before, during] {
            recent.keep(since, vec![row("a", Some("old"))]);
            assert_eq!(kept(&recent, "a"), None);
        }
        recent.begin(&change("c"));
        for since in [before, during] {
            recent.keep(since, vec![row("a", Some("old"))]);
            assert_eq!(kept(&recent, "a"), None, "the commit under way is another one");
        }
        recent.end();
        recent.keep(recent.turn(), vec![row("a", Some("new"))]);
        assert!(kept(&recent, "a").is_some());
    }

    #[test]
    fn a_look_that_missed_a_row_counts_for_nothing_whatever_it_says() {
        let recent = Recent::new(1 << 20);
        let said = recent.recall(|rows| rows.get(Table::Dent, b"a").unwrap_or_default());
        assert_eq!(said, None);
        let all = KeyRange::prefix(Vec::new());
        let said = recent.recall(|rows| rows.any(Table::Dent, &all).unwrap_or_default());
        assert_eq!(said, None, "nobody knows what else a scan would find");
    }

    #[test]
    fn making_room_never_takes_long() {
        assert_eq!(Recent::new(usize::MAX).most_bytes, MOST_BYTES);
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_asked_for_stays_longest() {
        let recent = Recent::new(100 * (ROW_BYTES + 4));
        for n in 0..10_000 {
            recent.keep(recent.turn(), vec![row(&format!("{n:04}"), None)]);
            assert!(recent.bytes() <= recent.most_bytes);
            assert!(kept(&recent, "0000").is_some(), "gone after {n} others");
        }
        recent.clear();
        assert_eq!((recent.bytes(), kept(&recent, "0000")), (0, None));
    }
}
