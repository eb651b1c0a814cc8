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

    /// The same stretch from `key` on, `key` itself included. It begins no earlier than it did.
    #[must_use]
    pub fn from(mut self, key: Vec<u8>) -> Self {
        if self.begins_before(&key, false) {
            self.start = Bound::Included(key);
        }
        self
    }

    /// The same stretch behind `key`. It begins no earlier than it did: a key that somebody kept may
    /// be of another stretch by now.
    #[must_use]
    pub fn after(mut self, key: Vec<u8>) -> Self {
        if self.begins_before(&key, true) {
            self.start = Bound::Excluded(key);
        }
        self
    }

    /// Whether it begins before `key`, or with it where that counts too.
    fn begins_before(&self, key: &[u8], with: bool) -> bool {
        match &self.start {
            Bound::Included(start) => start.as_slice() < key || (with && start.as_slice() == key),
            Bound::Excluded(start) => start.as_slice() < key,
            Bound::Unbounded => true,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_never_begins_earlier_than_it_did() {
        let all = || KeyRange::prefix(b"b".to_vec());
        let start = |range: KeyRange| range.start;
        let (included, excluded) =
            (|key: &str| Bound::Included(key.into()), |key: &str| Bound::Excluded(key.into()));
        assert_eq!(start(all().from(b"a".to_vec())), included("b"));
        assert_eq!(start(all().after(b"az".to_vec())), included("b"));
        assert_eq!(start(all().from(b"b1".to_vec())), included("b1"));
        assert_eq!(start(all().after(b"b".to_vec())), excluded("b"));
        let behind = || all().after(b"b1".to_vec());
        assert_eq!(start(behind().from(b"b1".to_vec())), excluded("b1"));
        assert_eq!(start(behind().after(b"b0".to_vec())), excluded("b1"));
        assert_eq!(start(behind().from(b"b10".to_vec())), included("b10"));
    }
}
