//! The rows as references are followed: none any more once the system closes, so that a walk over
//! millions of them keeps no server from stopping. Knows nothing of what is looked for.

use tokio_util::sync::CancellationToken;

use crate::{
    domain::lanes::unless_closing,
    store::{
        error::StoreError,
        faults::Faults,
        meta::{
            rows::{KeyRange, Order, Rows, Scanned},
            table::Table,
        },
    },
};

/// Rows that end when `stop` is.
pub(super) struct Watched<'a> {
    pub(super) rows: &'a dyn Rows,
    pub(super) stop: &'a CancellationToken,
}

impl Rows for Watched<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        unless_closing(self.stop)?;
        self.rows.get(table, key)
    }

    fn scan(&self, table: Table, range: &KeyRange, order: Order, limit: usize) -> Scanned {
        unless_closing(self.stop)?;
        self.rows.scan(table, range, order, limit)
    }

    fn faults(&self) -> Faults {
        self.rows.faults()
    }
}
