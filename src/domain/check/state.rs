//! The state that a check looks at: rows of one moment, and the files they name.

use std::sync::Arc;

use crate::store::{Store, collect::Hold, error::StoreError, meta::Snapshot};

/// Rows as they are now, and a hold: what the collector would move and remove meanwhile is where
/// these rows say as long as it is kept.
pub(crate) struct State {
    pub(super) rows: Snapshot,
    pub(super) hold: Hold,
}

impl State {
    pub(crate) fn take(store: &Arc<Store>) -> Result<Self, StoreError> {
        // In this order; see [`Hold`].
        let hold = Hold::take(store);
        Ok(Self { rows: store.snapshot()?, hold })
    }
}
