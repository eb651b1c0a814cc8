//! The rows of accounts, buckets and the namespace, typed: what a value holds, how its key is
//! built, and the few look-ups that are one row or one scan. Knows no rule about them.

pub mod account;
pub mod batch;
pub mod bucket;
pub mod credential;
pub mod grant;
pub mod journal;
pub mod later;
pub mod lock;
pub mod props;
pub mod taken;
pub mod trash;
pub mod tree;
pub mod upload;
pub mod usage;
pub mod version;
pub mod work;

#[cfg(test)]
pub(crate) mod memory;

use super::{
    error::StoreError,
    meta::{
        codec::Row,
        rows::{Rows, RowsMut},
        table::Table,
    },
};

/// The row at `key`, decoded.
pub(crate) fn get<R: Row>(rows: &dyn Rows, table: Table, key: &[u8]) -> Result<Option<R>, StoreError> {
    rows.get(table, key)?.map(|value| R::decode(&value)).transpose()
}

/// Writes a row.
pub(crate) fn put<R: Row>(rows: &mut dyn RowsMut, table: Table, key: Vec<u8>, row: &R) {
    rows.put(table, key, row.encode());
}
