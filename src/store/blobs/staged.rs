//! A body that is stored whole and that no reader can see yet.

use super::{
    Appended, Blobs,
    batch::Batch,
    index::UnderWay,
    manifest,
    rows::{Life, ManifestRow, Queued, Shape, queue_key},
};
use crate::{
    model::{chunker, digest::Digests, ids::ManifestId},
    store::{
        error::StoreError,
        meta::{rows::RowsMut, table::Table},
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    },
};

/// A manifest that a long upload writes into before its end. The last to drop it gives up what
/// was written, unless it was finished.
#[derive(Debug)]
pub(super) struct OpenManifest {
    pub(super) blobs: Arc<Blobs>,
    pub(super) id: ManifestId,
    finished: AtomicBool,
}

impl OpenManifest {
    pub(super) fn new(blobs: Arc<Blobs>, id: ManifestId) -> Self {
        Self { blobs, id, finished: AtomicBool::new(false) }
    }

    /// Writes its row and queues it, so that it is found after a crash.
    pub(super) fn put(&self, tx: &mut dyn RowsMut) {
        tx.put(Table::Queue, queue_key(Queued::Open, self.id), Vec::new());
        manifest::put(tx, self.id, &leaf(Life::Open, 0, 0));
    }
}

impl Drop for OpenManifest {
    fn drop(&mut self) {
        if !*self.finished.get_mut() {
            let id = self.id;
            // If this is refused the queue still has it, and opening the store gives it up.
            self.blobs.meta.submit(move |tx| manifest::abandon(tx, id), |_: Result<(), StoreError>| ());
        }
    }
}

fn leaf(life: Life, size: u64, pieces: u64) -> ManifestRow {
    let refs = u64::from(life == Life::Live);
    ManifestRow { shape: Shape::Leaf, life, size, refs, pieces, profile: chunker::STANDARD.number }
}

/// A body taken in whole. [`Staged::seal`] inside a verb makes it a manifest; a body that is
/// dropped without that leaves nothing.
#[derive(Debug)]
pub struct Staged {
    /// Bytes of the body.
    pub size: u64,
    /// The values over it.
    pub digests: Digests,
    pub(super) blobs: Arc<Blobs>,
    pub(super) id: ManifestId,
    /// Pieces that are already committed.
    pub(super) before: u64,
    pub(super) batch: Batch,
    pub(super) open: Option<Arc<OpenManifest>>,
    /// What to wait for before its rows may be committed.
    pub(super) lane: Option<Appended>,
    pub(super) sealed: AtomicBool,
    pub(super) _under_way: UnderWay,
}

impl Staged {
    /// Writes the rows that make the body a manifest, with one reference, which is the caller's.
    /// Once per run of a verb that was submitted with this body.
    ///
    /// # Errors
    /// Busy if content the body shares with others went bad meanwhile; nothing helps but sending
    /// it again.
    pub fn seal(&self, tx: &mut dyn RowsMut) -> Result<ManifestId, StoreError> {
        if self.open.is_some() {
            if manifest::load(tx, self.id)?.life != Life::Open {
                return Err(StoreError::Damaged(format!("manifest {} was sealed twice", self.id)));
            }
            tx.delete(Table::Queue, queue_key(Queued::Open, self.id));
        }
        self.batch.put(tx, self.id)?;
        manifest::put(tx, self.id, &leaf(Life::Live, self.size, self.before + self.batch.pieces()));
        self.sealed.store(true, Ordering::Relaxed);
        Ok(self.id)
    }

    /// Before each run of the verb.
    pub(super) fn unseal(&self) {
        self.sealed.store(false, Ordering::Relaxed);
    }

    /// After the commit of a verb that succeeded.
    pub(super) fn committed(&self) {
        if self.sealed.load(Ordering::Relaxed) {
            self.batch.offer(&self.blobs);
            self.blobs.index.merge(&self.blobs.meta, false);
            if let Some(open) = &self.open {
                open.finished.store(true, Ordering::Relaxed);
            }
        }
    }
}
