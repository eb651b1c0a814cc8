//! The tables in one file ([`super::file`]), kept by redb.
//!
//! Every commit is durable and in two phases: the file names the new state only after all of it
//! was synced. That is also what makes it safe to open the file again after a failed sync, when
//! the system may have forgotten pages it could not write: they belong to the state that was
//! never named. Every value has a sum behind it ([`super::sums`]), looked at whenever it is read.
//! Knows tables and changes, not verbs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use redb::{
    Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    WriteTransaction,
};

use super::{
    MetaOptions,
    backend::{AHEAD, LEAST},
    blocks::{Extension, Kind},
    file::{Bytes, DIR, NAME, Open, PATH, create, definition, make_tables, open_file},
    health::Latch,
    overlay::{Changes, RowIter, bounds},
    rows::{KeyRange, Order},
    sums::{SUM, with_sum, without_sum},
    table::Table,
    tables::{Ahead, Met, State, Tables},
};
use crate::store::{
    error::StoreError,
    faults::{Fault, Faults},
    io::Io,
    sync::{Arc, OnceLock, PoisonError, RwLock, TryLockError},
};

/// Up to this size every commit also saves the page allocator, which makes opening after a crash
/// a matter of milliseconds and costs about 128 KiB per GiB and commit.
const QUICK_REPAIR_UP_TO: u64 = 1 << 30;

/// The tables in a file.
pub(super) struct OnDisk {
    io: Arc<dyn Io>,
    options: MetaOptions,
    open: RwLock<Option<Open>>,
    latch: Arc<Latch>,
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let open = self.open.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        close(open, &self.latch);
    }
}

/// redb writes as it closes, and asserts where a damaged page contradicts itself; asserting again while
/// it unwinds would end the process. So a file that was seen to be damaged is not closed but left:
/// what is kept of it in memory stays until the process ends.
fn close(open: Option<Open>, latch: &Latch) {
    if latch.is_distrusted() {
        tracing::error!("the metadata file contradicts itself; it is left as it is");
        return std::mem::forget(open);
    }
    if catch_unwind(AssertUnwindSafe(|| drop(open))).is_err() {
        tracing::error!("the metadata file contradicts itself; it was not closed in good order");
    }
}

impl OnDisk {
    /// Opens the file, and makes it first if there is none.
    pub(super) fn open(io: Arc<dyn Io>, options: MetaOptions, latch: Arc<Latch>) -> Result<Self, StoreError> {
        if !io.list(DIR)?.iter().any(|name| name == NAME) {
            // A new store has none yet: rows made anew would call everything in them dead.
            if !io.list("segments")?.is_empty() {
                return Err(StoreError::Damaged(format!(
                    "{PATH} is missing from a data directory in use: put the store's own back, or make it anew with \
                     `holdall rebuild`"
                )));
            }
            if !options.create {
                return Err(StoreError::Refused(format!(
                    "{PATH} is missing: the first start did not come to its end; start `holdall serve` again"
                )));
            }
            create(io.as_ref(), &options)?;
        }
        let open = open_file(io.as_ref(), &options)?;
        Ok(Self { io, options, open: RwLock::new(Some(open)), latch })
    }

    fn with<T>(&self, act: impl FnOnce(&Open) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let open = match self.open.try_read() {
            Ok(open) => open,
            Err(TryLockError::Poisoned(open)) => open.into_inner(),
            // Only opening it again takes it for itself; nobody waits for as long as that may take.
            Err(TryLockError::WouldBlock) => return Err(closed()),
        };
        open.as_ref().map_or_else(|| Err(closed()), act)
    }

    fn no_room(&self, error: std::io::Error) -> StoreError {
        match StoreError::from(error) {
            StoreError::Full => StoreError::Full,
            other => {
                self.latch.set(&format!("taking room: {other}"));
                StoreError::Unavailable("taking room failed".into())
            }
        }
    }
}

impl Tables for OnDisk {
    fn read(&self) -> Result<Box<dyn State>, StoreError> {
        let transaction = self.with(|open| self.latch.reading(|| open.database.begin_read()))?;
        let tables = Table::ALL.iter().map(|_| OnceLock::new()).collect();
        Ok(Box::new(Committed {
            transaction: Some(transaction),
            tables,
            latch: Arc::clone(&self.latch),
            faults: Faults::of(&*self.io),
        }))
    }

    fn ensure_room(&self, ahead: Ahead) -> Result<(), StoreError> {
        let bytes = match ahead {
            Ahead::Plenty => AHEAD,
            Ahead::Tight => LEAST,
        };
        let io = self.io.as_ref();
        self.with(|open| open.file.ensure_room(io, bytes).map_err(|error| self.no_room(error)))
    }

    fn write(&self, changes: &Changes, due: &[Kind]) -> Result<Vec<Extension>, StoreError> {
        let faults = Faults::of(&*self.io);
        let lazy = faults.has(Fault::CommitNotSynced);
        self.with(|open| {
            let mut transaction =
                open.database.begin_write().map_err(|error| self.latch.fault("beginning to write", error))?;
            transaction
                .set_durability(if lazy { Durability::None } else { Durability::Immediate })
                .map_err(|error| self.latch.fault("asking for durability", error))?;
            transaction.set_two_phase_commit(true);
            transaction.set_quick_repair(open.file.len() <= QUICK_REPAIR_UP_TO);
            let written = put_rows(&transaction, changes, due, faults);
            let extensions = written.map_err(|error| self.latch.fault("writing rows", error))?;
            transaction.commit().map_err(|error| self.latch.fault("committing", error))?;
            Ok(extensions)
        })
    }

    fn complete(&self) -> Result<(), StoreError> {
        self.with(|open| self.latch.reading(|| make_tables(&open.database)))
    }

    fn close(&self) {
        close(self.open.write().unwrap_or_else(PoisonError::into_inner).take(), &self.latch);
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut slot = self.open.write().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(open_file(self.io.as_ref(), &self.options)?);
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.with(|open| Ok(open.file.len())).unwrap_or_default()
    }
}

/// A state of the file. Pages that later commits free stay taken as long as it lives.
struct Committed {
    /// Until it is dropped.
    transaction: Option<ReadTransaction>,
    tables: Vec<OnceLock<ReadOnlyTable<Bytes, Bytes>>>,
    latch: Arc<Latch>,
    faults: Faults,
}

impl Committed {
    /// The value of a row; none if it is not what was written.
    fn value(&self, table: Table, key: &[u8], stored: &[u8]) -> Option<Vec<u8>> {
        if self.faults.has(Fault::RowSumsUnchecked) {
            return Some(stored.get(..stored.len().saturating_sub(SUM))?.to_vec());
        }
        without_sum(table, key, stored)
    }

    fn table(&self, table: Table) -> Result<&ReadOnlyTable<Bytes, Bytes>, StoreError> {
        let Some(slot) = self.tables.get(table as usize) else {
            return Err(StoreError::Damaged(format!("no table {}", table.name())));
        };
        if let Some(open) = slot.get() {
            return Ok(open);
        }
        let transaction = self.transaction.as_ref().ok_or_else(closed)?;
        let open = self.latch.reading(|| transaction.open_table(definition(table)))?;
        Ok(slot.get_or_init(|| open))
    }
}

impl Drop for Committed {
    /// After a panic inside redb its locks are poisoned, and whoever ends a transaction panics, too.
    fn drop(&mut self) {
        let held = (self.transaction.take(), std::mem::take(&mut self.tables));
        if catch_unwind(AssertUnwindSafe(|| drop(held))).is_err() {
            self.latch.distrust();
            self.latch.set("ending to read: the database panicked before");
        }
    }
}

impl State for Committed {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let open = self.table(table)?;
        let found = self.latch.reading(|| {
            let found = open.get(key)?;
            Ok::<_, redb::StorageError>(found.map(|stored| self.value(table, key, stored.value())))
        })?;
        found.map(|value| value.ok_or_else(|| other_row(table))).transpose()
    }

    fn iter(&self, table: Table, range: &KeyRange, order: Order) -> Result<RowIter<'_>, StoreError> {
        let open = self.table(table)?;
        let mut found = self.latch.reading(|| open.range::<&[u8]>(bounds(range)))?;
        Ok(Box::new(std::iter::from_fn(move || {
            let next = || {
                let row = match order {
                    Order::Forward => found.next(),
                    Order::Reverse => found.next_back(),
                };
                let copied = row.map(|row| {
                    let (key, stored) = row?;
                    let value = self.value(table, key.value(), stored.value());
                    Ok::<_, redb::StorageError>((key.value().to_vec(), value))
                });
                copied.transpose()
            };
            let row = self.latch.reading(next).transpose()?;
            Some(row.and_then(|(key, value)| Ok((key, value.ok_or_else(|| other_row(table))?))))
        })))
    }

    fn meet(
        &self,
        table: Table,
        range: &KeyRange,
        order: Order,
        meet: &mut dyn FnMut(Met<'_>) -> bool,
    ) -> Result<(), StoreError> {
        let open = self.table(table)?;
        let mut rows = self.latch.reading(|| open.range::<&[u8]>(bounds(range)))?;
        let mut next = || {
            let row = match order {
                Order::Forward => rows.next(),
                Order::Reverse => rows.next_back(),
            };
            let Some(row) = row else { return Ok::<_, redb::StorageError>(false) };
            let (key, stored) = row?;
            let (key, stored) = (key.value(), stored.value());
            let bytes = (key.len() + stored.len()) as u64;
            Ok(meet(Met { key, value: without_sum(table, key, stored), bytes }))
        };
        while self.latch.reading(&mut next)? {}
        Ok(())
    }
}

/// A damaged row says nothing of any other, so the store goes on.
fn other_row(table: Table) -> StoreError {
    StoreError::Damaged(format!(
        "metadata: a row of {} is not what was written: `holdall check` counts them, `holdall rebuild` makes the \
         metadata anew",
        table.name()
    ))
}

fn closed() -> StoreError {
    StoreError::Unavailable("the metadata is not open".into())
}

fn put_rows(
    transaction: &WriteTransaction,
    changes: &Changes,
    due: &[Kind],
    faults: Faults,
) -> Result<Vec<Extension>, redb::Error> {
    for (table, rows) in changes.tables() {
        let mut open = transaction.open_table(definition(table))?;
        for (key, value) in rows {
            match value {
                Some(value) => {
                    open.insert(key.as_slice(), with_sum(table, key, value).as_slice())?;
                }
                None => drop(open.remove(key.as_slice())?),
            }
        }
    }
    if due.is_empty() {
        return Ok(Vec::new());
    }
    lengthen(transaction, due, faults)
}

/// Makes the blocks of some kinds longer. Where a row is damaged, or gone from a store that has
/// others, nobody knows which numbers were given out, so no more are.
fn lengthen(
    transaction: &WriteTransaction,
    due: &[Kind],
    faults: Faults,
) -> Result<Vec<Extension>, redb::Error> {
    let mut open = transaction.open_table(definition(Table::Blocks))?;
    let new_store = open.is_empty()?;
    let mut extensions = Vec::new();
    for &kind in due {
        let key = kind.key();
        // The row, not memory, says where the block ends: another thread may have moved it.
        let held = open.get(key.as_slice())?.map(|stored| without_sum(Table::Blocks, &key, stored.value()));
        let extension = match held {
            Some(Some(row)) => Extension::of(kind, Some(&row)),
            None if new_store => Extension::of(kind, None),
            Some(None) | None => Err(other_row(Table::Blocks)),
        };
        match extension {
            Ok(extension) => {
                if !faults.has(Fault::IdsNotDurable) {
                    let row = with_sum(Table::Blocks, &key, &extension.row());
                    open.insert(key.as_slice(), row.as_slice())?;
                }
                extensions.push(extension);
            }
            Err(error) => tracing::error!(?kind, %error, "no more ids of this kind are given out"),
        }
    }
    Ok(extensions)
}
