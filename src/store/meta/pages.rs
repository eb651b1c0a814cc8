//! Stretches of any length, some rows at a time.

use std::ops::Deref;

use super::{
    rows::{KeyRange, KeyValue, Order, Rows},
    table::Table,
};
use crate::store::error::StoreError;

/// Rows read at a time.
const ROWS: usize = 1000;

/// A stretch of a table in order. Behind a row that could not be read there is nothing more.
pub struct Pages<R> {
    rows: R,
    table: Table,
    /// What is not read yet, if anything.
    rest: Option<KeyRange>,
    read: std::vec::IntoIter<KeyValue>,
}

impl<R: Deref<Target: Rows>> Pages<R> {
    /// All rows of a table.
    pub fn all(rows: R, table: Table) -> Self {
        Self::of(rows, table, KeyRange::prefix(Vec::new()))
    }

    /// The rows of a stretch.
    pub fn of(rows: R, table: Table, range: KeyRange) -> Self {
        Self { rows, table, rest: Some(range), read: Vec::new().into_iter() }
    }
}

impl<R: Deref<Target: Rows>> Iterator for Pages<R> {
    type Item = Result<KeyValue, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(row) = self.read.next() {
            return Some(Ok(row));
        }
        let range = self.rest.take()?;
        let read = match self.rows.scan(self.table, &range, Order::Forward, ROWS) {
            Ok(read) => read,
            Err(error) => return Some(Err(error)),
        };
        if let Some((last, _)) = read.last().filter(|_| read.len() == ROWS) {
            self.rest = Some(range.after(last.clone()));
        }
        self.read = read.into_iter();
        self.read.next().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        faults::Faults,
        meta::rows::{RowsMut as _, Scanned},
        rows::memory::Memory,
    };

    fn filled(many: u64) -> Memory {
        let mut rows = Memory::default();
        (0..many).for_each(|key| rows.put(Table::Chunk, key.to_be_bytes().to_vec(), vec![1]));
        rows
    }

    #[test]
    fn every_row_of_a_stretch_comes_once_and_in_order() {
        let page = ROWS as u64;
        for many in [0, 1, page - 1, page, page + 1, 3 * page] {
            let rows = filled(many);
            let read: Vec<_> = Pages::all(&rows, Table::Chunk).map(|row| row.unwrap().0).collect();
            let wanted: Vec<_> = (0..many).map(|key| key.to_be_bytes().to_vec()).collect();
            assert!(read == wanted, "{} of {many}", read.len());
            assert_eq!(Pages::all(&rows, Table::Page).count(), 0);
            let behind = KeyRange::prefix(Vec::new()).after(0_u64.to_be_bytes().to_vec());
            assert_eq!(Pages::of(&rows, Table::Chunk, behind).count() as u64, many.saturating_sub(1));
        }
    }

    /// Rows of which the first page alone can be read.
    struct Torn(Memory);

    impl Rows for Torn {
        fn faults(&self) -> Faults {
            self.0.faults()
        }

        fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            self.0.get(table, key)
        }

        fn scan(&self, table: Table, range: &KeyRange, order: Order, limit: usize) -> Scanned {
            if *range != KeyRange::prefix(Vec::new()) {
                return Err(StoreError::Damaged("torn".into()));
            }
            self.0.scan(table, range, order, limit)
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_once_and_ends_it() {
        let torn = Torn(filled(2 * ROWS as u64));
        let read: Vec<_> = Pages::all(&torn, Table::Chunk).collect();
        assert_eq!((read.len(), read.iter().filter(|row| row.is_ok()).count()), (ROWS + 1, ROWS));
    }
}
