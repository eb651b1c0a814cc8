//! Rows in memory, for tests of what only reads and writes rows.

use std::{collections::BTreeMap, ops::RangeBounds};

use crate::store::{
    error::StoreError,
    faults::Faults,
    meta::{
        rows::{KeyRange, Order, Rows, RowsMut, Scanned},
        table::Table,
    },
};

/// All tables in one map.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Memory(pub(crate) BTreeMap<(Table, Vec<u8>), Vec<u8>>);

impl Rows for Memory {
    fn faults(&self) -> Faults {
        Faults::asked()
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(&(table, key.to_vec())).cloned())
    }

    fn scan(&self, table: Table, range: &KeyRange, order: Order, limit: usize) -> Scanned {
        let bounds = (range.start.clone(), range.end.clone());
        let all = self.0.iter().filter(|((other, key), _)| *other == table && bounds.contains(key));
        let all = all.map(|((_, key), value)| (key.clone(), value.clone()));
        Ok(match order {
            Order::Forward => all.take(limit).collect(),
            Order::Reverse => all.rev().take(limit).collect(),
        })
    }
}

impl RowsMut for Memory {
    fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.0.insert((table, key), value);
    }

    fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.0.remove(&(table, key));
    }
}
