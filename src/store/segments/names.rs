//! Names of segments: durable before anything is told of what is in them.
//!
//! A failed sync of a folder says nothing about which of its names were lost, and a later one that
//! goes well makes none of them durable: they are not to be written any more. Folders are shared
//! by all lanes, and a folder that lost its own name takes with it what is put there afterwards.
//! So after one such failure no name is vouched for any more, and no segment begins, until the
//! next start. Segments whose names were durable before go on.

use std::io;

use super::path;
use crate::{
    model::ids::SegmentId,
    store::{
        error::{StoreError, is_out_of_files},
        faults::{Fault, Faults},
        io::{Io, Site},
        sync::{Mutex, OnceLock, PoisonError},
    },
};

#[derive(Debug, Default)]
pub(super) struct Names {
    /// One at a time: none may begin behind a failure that is not noted yet.
    syncing: Mutex<()>,
    doubt: OnceLock<String>,
}

impl Names {
    /// Makes the name of a segment durable, and those of the folders it is in.
    pub(super) fn sync(&self, io: &dyn Io, id: SegmentId) -> io::Result<()> {
        let _one = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = self.doubt() {
            return Err(io::Error::other(why));
        }
        for dir in [&*path::folder(id), path::ROOT, ""] {
            let synced = io.sync_dir(dir, Site::SegmentDir);
            // For want of a free descriptor it was not even begun.
            if let Err(error) = &synced
                && !is_out_of_files(error)
                && !Faults::of(io).has(Fault::FolderSyncTrusted)
            {
                self.doubted(error);
            }
            synced?;
        }
        Ok(())
    }

    fn doubted(&self, error: &io::Error) {
        self.doubt.get_or_init(|| format!("a sync of the folder of a segment failed ({})", error.kind()));
    }

    /// Why no name is vouched for until the next start.
    pub(super) fn doubt(&self) -> Option<String> {
        self.doubt.get().cloned()
    }

    /// A segment may begin.
    ///
    /// # Errors
    /// Unavailable while there is a doubt.
    pub(super) fn certain(&self) -> Result<(), StoreError> {
        self.doubt().map_or(Ok(()), |why| Err(StoreError::Unavailable(why)))
    }
}
