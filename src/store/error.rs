//! What can go wrong below the rules. The domain turns these into its own kinds at its edge.

use super::sync::Arc;
use std::io;

/// A failure of the store. Cheap to clone: one failed commit answers a whole group.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Bytes or a row are not what was written. Names the thing in the store's own numbers,
    /// never a path on the disk.
    #[error("damaged: {0}")]
    Damaged(String),
    /// Below the reserve: no new bytes are taken.
    #[error("the disk is full")]
    Full,
    /// The store stopped acknowledging after a failed sync or I/O error, or it is closing.
    /// Whether the last writes are durable is known after it was opened again.
    #[error("the store takes no writes: {0}")]
    Unavailable(String),
    /// A retry may succeed: too much is queued, or a chunk this upload relied on went bad.
    #[error("try again: {0}")]
    Busy(String),
    /// The data directory belongs to another process, user or format.
    #[error("{0}")]
    Refused(String),
    /// The disk said no to a read, or to a write nobody was promised.
    #[error("input/output error")]
    Io(#[source] Arc<io::Error>),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(Arc::new(error)),
        }
    }
}
