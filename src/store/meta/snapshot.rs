//! One committed state of all tables. It knows nothing of changes under way.

use super::{
    overlay::{RowIter, is_void},
    rows::{KeyRange, Order, Rows, Scanned},
    table::Table,
    tables::{Met, State, Summed},
};
use crate::store::{
    error::StoreError,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// A committed state, unaffected by later commits. Short-lived: pages that later commits free
/// stay taken as long as it lives, so it is never held while bytes stream.
pub struct Snapshot {
    state: Box<dyn State>,
    total: Arc<AtomicU64>,
    rows_read: AtomicU64,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("rows_read", &self.rows_read()).finish_non_exhaustive()
    }
}

impl Snapshot {
    pub(super) fn new(state: Box<dyn State>, total: Arc<AtomicU64>) -> Self {
        Self { state, total, rows_read: AtomicU64::new(0) }
    }

    /// How many rows were read from the database so far.
    #[must_use]
    pub fn rows_read(&self) -> u64 {
        self.rows_read.load(Ordering::Relaxed)
    }

    fn count(&self) {
        self.rows_read.fetch_add(1, Ordering::Relaxed);
        self.total.fetch_add(1, Ordering::Relaxed);
    }

    /// Holds the rows of a table behind a key against their sums, until so many bytes of them were
    /// read.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn held_against_sums(
        &self,
        table: Table,
        after: Option<&[u8]>,
        enough: u64,
    ) -> Result<Summed, StoreError> {
        let all = KeyRange::prefix(Vec::new());
        let range = after.map_or(all.clone(), |after| all.after(after.to_vec()));
        let mut summed = Summed::default();
        self.meet(table, &range, Order::Forward, &mut |row| {
            summed.damaged += u64::from(row.value.is_none());
            summed.bytes += row.bytes;
            // The key of a damaged row may be another: nobody goes on behind that.
            let ends = summed.bytes >= enough && row.value.is_some();
            summed.last = ends.then(|| row.key.to_vec());
            summed.last.is_none()
        })?;
        Ok(summed)
    }

    /// Meets the rows of a stretch, those that are not what was written without their value, until
    /// `meet` has had enough and says false. For whoever has to see what lies behind a damaged row.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn meet(
        &self,
        table: Table,
        range: &KeyRange,
        order: Order,
        meet: &mut dyn FnMut(Met<'_>) -> bool,
    ) -> Result<(), StoreError> {
        if is_void(range) {
            return Ok(());
        }
        self.state.meet(table, range, order, &mut |row| {
            self.count();
            meet(row)
        })
    }

    /// The rows of a stretch, read as the caller takes them.
    pub(super) fn iter(
        &self,
        table: Table,
        range: &KeyRange,
        order: Order,
    ) -> Result<RowIter<'_>, StoreError> {
        if is_void(range) {
            return Ok(Box::new(std::iter::empty()));
        }
        Ok(Box::new(self.state.iter(table, range, order)?.inspect(|_| self.count())))
    }
}

impl Rows for Snapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.count();
        self.state.get(table, key)
    }

    fn scan(&self, table: Table, range: &KeyRange, order: Order, limit: usize) -> Scanned {
        self.iter(table, range, order)?.take(limit).collect()
    }
}
