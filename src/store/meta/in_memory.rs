//! The tables in memory, for runs under a scheduler: nothing here waits on anything but a lock of
//! [`crate::store::sync`], and a commit is durable when it ends.
//!
//! Whoever keeps the handle opens the same rows again, as after a crash.

use std::collections::BTreeMap;

use super::{
    blocks::{Extension, Kind},
    migrate,
    overlay::{Changes, RowIter, bounds},
    rows::{KeyRange, Order},
    table::Table,
    tables::{Ahead, Met, State, Tables},
};
use crate::store::{
    error::StoreError,
    io::sim::SimDisk,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// One state of all tables, each behind its own count: a commit copies only what it changes.
#[derive(Clone, Default)]
struct All {
    tables: Vec<Arc<Rows>>,
    /// A table that cannot be read.
    unreadable: Option<Table>,
}

/// Rows that outlive the store that has them open.
#[derive(Clone, Default)]
pub struct InMemory(Arc<Mutex<Arc<All>>>);

impl InMemory {
    fn all(&self) -> MutexGuard<'_, Arc<All>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nobody can read a table, or everybody again.
    pub(crate) fn unreadable(&self, table: Option<Table>) {
        Arc::make_mut(&mut self.all()).unreadable = table;
    }

    /// The rows and the disk that a crash leaves at one moment: nothing is committed between the
    /// two. Both are others than these.
    pub(crate) fn crash(&self, disk: &SimDisk, seed: u64) -> (Self, SimDisk) {
        let all = self.all();
        let disk = disk.crash(seed);
        (Self(Arc::new(Mutex::new(Arc::clone(&all)))), disk)
    }

    /// Opens the rows, the first ones if there are none yet.
    pub(super) fn open(&self) -> Self {
        let mut all = self.all();
        if all.tables.is_empty() {
            let all = Arc::make_mut(&mut all);
            all.tables = Table::ALL.iter().map(|_| Arc::default()).collect();
            for (key, value) in migrate::first_rows() {
                rows(all, Table::Config).insert(key.to_vec(), value);
            }
        }
        self.clone()
    }
}

fn rows(all: &mut All, table: Table) -> &mut Rows {
    Arc::make_mut(&mut all.tables[table as usize])
}

impl Tables for InMemory {
    fn read(&self) -> Result<Box<dyn State>, StoreError> {
        Ok(Box::new(Arc::clone(&self.all())))
    }

    fn ensure_room(&self, _ahead: Ahead) -> Result<(), StoreError> {
        Ok(())
    }

    fn write(&self, changes: &Changes, due: &[Kind]) -> Result<Vec<Extension>, StoreError> {
        let mut all = self.all();
        let all = Arc::make_mut(&mut all);
        for (table, changed) in changes.tables() {
            let rows = rows(all, table);
            for (key, value) in changed {
                match value {
                    Some(value) => drop(rows.insert(key.clone(), value.clone())),
                    None => drop(rows.remove(key)),
                }
            }
        }
        let blocks = rows(all, Table::Blocks);
        let mut extensions = Vec::new();
        for &kind in due {
            let extension = Extension::of(kind, blocks.get(kind.key().as_slice()).map(Vec::as_slice))?;
            blocks.insert(kind.key().to_vec(), extension.row());
            extensions.push(extension);
        }
        Ok(extensions)
    }

    fn complete(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn close(&self) {}

    fn reopen(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn bytes(&self) -> u64 {
        let bytes = |rows: &Arc<Rows>| rows.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        self.all().tables.iter().map(bytes).sum::<usize>() as u64
    }
}

impl All {
    fn table(&self, table: Table) -> Result<&Rows, StoreError> {
        if self.unreadable == Some(table) {
            return Err(std::io::Error::other("unreadable").into());
        }
        Ok(&self.tables[table as usize])
    }
}

impl State for Arc<All> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.table(table)?.get(key).cloned())
    }

    /// Memory has no sums.
    fn meet(
        &self,
        table: Table,
        range: &KeyRange,
        order: Order,
        meet: &mut dyn FnMut(Met<'_>) -> bool,
    ) -> Result<(), StoreError> {
        for row in self.iter(table, range, order)? {
            let (key, value) = row?;
            let bytes = (key.len() + value.len()) as u64;
            if !meet(Met { key: &key, value: Some(value), bytes }) {
                break;
            }
        }
        Ok(())
    }

    fn iter(&self, table: Table, range: &KeyRange, order: Order) -> Result<RowIter<'_>, StoreError> {
        let stretch = self.table(table)?.range::<[u8], _>(bounds(range));
        let copied = stretch.map(|(key, value)| Ok((key.clone(), value.clone())));
        Ok(match order {
            Order::Forward => Box::new(copied),
            Order::Reverse => Box::new(copied.rev()),
        })
    }
}
