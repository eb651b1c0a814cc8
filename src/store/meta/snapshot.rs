//! One committed state of all tables. It knows nothing of changes under way.

use redb::{ReadOnlyTable, ReadTransaction};

use super::{
    engine::definition,
    health::Latch,
    overlay::{RowIter, bounds, is_void},
    rows::{KeyRange, KeyValue, Order, Rows},
    table::Table,
};
use crate::store::{
    error::StoreError,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

type Bytes = &'static [u8];

/// A committed state, unaffected by later commits. Short-lived: pages that later commits free
/// stay taken as long as it lives, so it is never held while bytes stream.
pub struct Snapshot {
    transaction: ReadTransaction,
    tables: Vec<OnceLock<ReadOnlyTable<Bytes, Bytes>>>,
    latch: Arc<Latch>,
    total: Arc<AtomicU64>,
    rows_read: AtomicU64,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("rows_read", &self.rows_read()).finish_non_exhaustive()
    }
}

impl Snapshot {
    pub(super) fn new(transaction: ReadTransaction, latch: Arc<Latch>, total: Arc<AtomicU64>) -> Self {
        let tables = Table::ALL.iter().map(|_| OnceLock::new()).collect();
        Self { transaction, tables, latch, total, rows_read: AtomicU64::new(0) }
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

    fn table(&self, table: Table) -> Result<&ReadOnlyTable<Bytes, Bytes>, StoreError> {
        let Some(slot) = self.tables.get(table as usize) else {
            return Err(StoreError::Damaged(format!("no table {}", table.name())));
        };
        if let Some(open) = slot.get() {
            return Ok(open);
        }
        let open = self.latch.reading(|| self.transaction.open_table(definition(table)))?;
        Ok(slot.get_or_init(|| open))
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
        let open = self.table(table)?;
        let mut found = self.latch.reading(|| open.range::<&[u8]>(bounds(range)))?;
        Ok(Box::new(std::iter::from_fn(move || {
            let next = || {
                let row = match order {
                    Order::Forward => found.next(),
                    Order::Reverse => found.next_back(),
                };
                let copied = row.map(|row| {
                    let (key, value) = row?;
                    Ok::<_, redb::StorageError>((key.value().to_vec(), value.value().to_vec()))
                });
                copied.transpose()
            };
            let row = self.latch.reading(next).transpose()?;
            self.count();
            Some(row)
        })))
    }
}

impl Rows for Snapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.count();
        let open = self.table(table)?;
        self.latch.reading(|| {
            let found = open.get(key)?;
            Ok::<_, redb::StorageError>(found.map(|value| value.value().to_vec()))
        })
    }

    fn scan(
        &self,
        table: Table,
        range: &KeyRange,
        order: Order,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError> {
        self.iter(table, range, order)?.take(limit).collect()
    }
}
