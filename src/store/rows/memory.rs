//! Rows in memory, for tests of rules that need no engine.

use std::{collections::BTreeMap, ops::Bound};

use crate::store::{
    error::StoreError,
    meta::{
        rows::{KeyRange, KeyValue, Order, Rows, RowsMut},
        table::Table,
    },
};

/// All tables in one map.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Memory(pub(crate) BTreeMap<(Table, Vec<u8>), Vec<u8>>);

fn within(range: &KeyRange, key: &Vec<u8>) -> bool {
    let above = match &range.start {
        Bound::Included(start) => key >= start,
        Bound::Excluded(start) => key > start,
        Bound::Unbounded => true,
    };
    above
        && match &range.end {
            Bound::Included(end) => key <= end,
            Bound::Excluded(end) => key < end,
            Bound::Unbounded => true,
        }
}

impl Rows for Memory {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(&(table, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        table: Table,
        range: &KeyRange,
        order: Order,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError> {
        let of_table = self.0.iter().filter(|((other, key), _)| *other == table && within(range, key));
        let mut found: Vec<KeyValue> =
            of_table.map(|((_, key), value)| (key.clone(), value.clone())).collect();
        if order == Order::Reverse {
            found.reverse();
        }
        found.truncate(limit);
        Ok(found)
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
