//! Reading and writing rows, whatever stands behind them: a snapshot, or a verb's own overlay.

use std::ops::Bound;

use super::{key::after_prefix, table::Table};
use crate::store::{error::StoreError, faults::Faults};

/// A stretch of keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRange {
    /// Where it starts.
    pub start: Bound<Vec<u8>>,
    /// Where it ends.
    pub end: Bound<Vec<u8>>,
}

impl KeyRange {
    /// All keys that start with `prefix`.
    #[must_use]
    pub fn prefix(prefix: Vec<u8>) -> Self {
        let end = after_prefix(&prefix).map_or(Bound::Unbounded, Bound::Excluded);
        Self { start: Bound::Included(prefix), end }
    }

    /// The same stretch from `key` on, `key` itself included.
    #[must_use]
    pub fn from(mut self, key: Vec<u8>) -> Self {
        self.start = Bound::Included(key);
        self
    }

    /// The same stretch behind `key`.
    #[must_use]
    pub fn after(mut self, key: Vec<u8>) -> Self {
        self.start = Bound::Excluded(key);
        self
    }

    /// The same stretch up to `key`, `key` itself left out.
    #[must_use]
    pub fn until(mut self, key: Vec<u8>) -> Self {
        self.end = Bound::Excluded(key);
        self
    }
}

/// Which end of a stretch a scan starts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Lowest key first.
    Forward,
    /// Highest key first.
    Reverse,
}

/// A key and its value.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// What [`Rows::scan`] answers: rows in order, or that the engine could not read them.
pub type Scanned = Result<Vec<KeyValue>, StoreError>;

/// One consistent state of all tables.
pub trait Rows {
    /// The value at `key`.
    ///
    /// # Errors
    /// If the engine could not read it; absence is `None`.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// At most `limit` rows of a stretch, in order. An error is never a short answer.
    ///
    /// # Errors
    /// If the engine could not read any of them.
    fn scan(&self, table: Table, range: &KeyRange, order: Order, limit: usize) -> Scanned;

    /// Rules that are broken for a test.
    fn faults(&self) -> Faults {
        Faults::default()
    }

    /// Whether a stretch has any row.
    ///
    /// # Errors
    /// As [`Rows::scan`].
    fn any(&self, table: Table, range: &KeyRange) -> Result<bool, StoreError> {
        Ok(!self.scan(table, range, Order::Forward, 1)?.is_empty())
    }
}

/// A state that a verb is changing. Nothing fails here: rows are kept aside until the commit.
pub trait RowsMut: Rows {
    /// Sets the value at `key`.
    fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>);
    /// Removes the row at `key`, if there is one.
    fn delete(&mut self, table: Table, key: Vec<u8>);
}
