//! Changes that are not committed yet, and how scans see them over the rows below.
//!
//! A verb's changes lie over its group's, those over the last commit. A change is a value or, for
//! a row that is removed, nothing.

use std::{collections::BTreeMap, iter::Peekable, ops::Bound};

use super::{
    rows::{KeyRange, KeyValue, Order},
    table::Table,
};
use crate::store::error::StoreError;

/// Rows on their way out of a scan.
pub(super) type RowIter<'a> = Box<dyn Iterator<Item = Result<KeyValue, StoreError>> + 'a>;

type ChangeIter<'a> = Box<dyn Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + 'a>;

type TableChanges = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Rows set and removed, in the order of tables and keys.
#[derive(Clone, Default, Debug)]
pub(super) struct Changes {
    tables: BTreeMap<Table, TableChanges>,
    bytes: usize,
}

impl Changes {
    /// Sets a row, or removes it.
    pub(super) fn set(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        self.tables.entry(table).or_default().insert(key, value);
    }

    /// The change of a row: `None` where there is none.
    pub(super) fn get(&self, table: Table, key: &[u8]) -> Option<Option<&[u8]>> {
        self.tables.get(&table)?.get(key).map(Option::as_deref)
    }

    /// Bytes of all rows that were ever set here: an upper bound of what is held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many rows are changed.
    pub(super) fn rows(&self) -> usize {
        self.tables.values().map(BTreeMap::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Takes over later changes.
    pub(super) fn merge(&mut self, later: Self) {
        self.bytes += later.bytes;
        for (table, changes) in later.tables {
            self.tables.entry(table).or_default().extend(changes);
        }
    }

    /// Takes the changes of half of the tables.
    pub(super) fn take_half(&mut self) -> Self {
        let middle = self.tables.keys().nth(self.tables.len() / 2).copied();
        let tables = middle.map(|middle| self.tables.split_off(&middle)).unwrap_or_default();
        Self { tables, bytes: self.bytes }
    }

    /// Every changed table with its changes, in order.
    pub(super) fn tables(&self) -> impl Iterator<Item = (Table, &TableChanges)> {
        self.tables.iter().map(|(table, changes)| (*table, changes))
    }

    /// Lays the changes over the rows of a scan.
    pub(super) fn over<'a>(
        &'a self,
        below: RowIter<'a>,
        table: Table,
        range: &KeyRange,
        order: Order,
    ) -> RowIter<'a> {
        let Some(changes) = self.tables.get(&table) else { return below };
        if is_void(range) {
            return below;
        }
        let stretch =
            changes.range::<[u8], _>(bounds(range)).map(|(key, value)| (key.as_slice(), value.as_deref()));
        let above: ChangeIter<'a> = match order {
            Order::Forward => Box::new(stretch),
            Order::Reverse => Box::new(stretch.rev()),
        };
        Box::new(Merged { below: below.peekable(), above: above.peekable(), order })
    }
}

/// The stretch as borrowed bounds.
pub(super) fn bounds(range: &KeyRange) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (range.start.as_ref().map(Vec::as_slice), range.end.as_ref().map(Vec::as_slice))
}

/// True if no key can lie in the stretch; such bounds are an error to maps and engine.
pub(super) fn is_void(range: &KeyRange) -> bool {
    match bounds(range) {
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end))
        | (Bound::Excluded(start), Bound::Included(end)) => start >= end,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

/// Two sorted streams as one; where both have a key, the change above wins.
struct Merged<'a> {
    below: Peekable<RowIter<'a>>,
    above: Peekable<ChangeIter<'a>>,
    order: Order,
}

impl Iterator for Merged<'_> {
    type Item = Result<KeyValue, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((changed, _)) = self.above.peek() else { return self.below.next() };
            match self.below.peek() {
                Some(Err(_)) => return self.below.next(),
                Some(Ok((key, _))) => {
                    let side = match self.order {
                        Order::Forward => key.as_slice().cmp(changed),
                        Order::Reverse => (*changed).cmp(key.as_slice()),
                    };
                    if side.is_lt() {
                        return self.below.next();
                    }
                    if side.is_eq() {
                        self.below.next();
                    }
                }
                None => {}
            }
            if let (key, Some(value)) = self.above.next()? {
                return Some(Ok((key.to_vec(), value.to_vec())));
            }
        }
    }
}
