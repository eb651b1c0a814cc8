//! What can go wrong below the rules. The domain turns these into its own kinds at its edge.

use std::io;

use rustix::io::Errno;

use super::sync::Arc;

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
    /// The store stopped acknowledging after a failed sync or I/O error, or it is closing: whether
    /// the last writes are durable is known after it was opened again. Of a read: the disk does not
    /// give the file at the moment.
    #[error("not available: {0}")]
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
        if is_full(&error) {
            Self::Full
        } else if is_out_of_files(&error) {
            // Connections and segments give descriptors back all the time.
            Self::Busy("too many files are open".into())
        } else {
            Self::Io(Arc::new(error))
        }
    }
}

/// Whether there is no room: on the disk, or in what the system grants the user of it.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether no more files may be open: what was asked for was not begun.
pub(super) fn is_out_of_files(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_of_room_and_of_open_files_keeps_its_kind() {
        let said = |errno: Errno| StoreError::from(io::Error::from(errno));
        assert!(matches!(said(Errno::NOSPC), StoreError::Full));
        assert!(matches!(said(Errno::DQUOT), StoreError::Full));
        assert!(matches!(said(Errno::MFILE), StoreError::Busy(_)));
        assert!(matches!(said(Errno::NFILE), StoreError::Busy(_)));
        assert!(matches!(said(Errno::IO), StoreError::Io(_)));
    }
}
