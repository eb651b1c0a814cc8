//! The threads of a store, from its opening to its end.

use super::{
    Store,
    error::StoreError,
    meta::Health,
    segments::Drivers,
    sync::{
        Arc,
        thread::{self, JoinHandle},
    },
};

/// Runs a store. Dropping it answers what was queued, takes no more, and ends the threads.
#[derive(Debug)]
pub struct Driver {
    store: Arc<Store>,
    lanes: Option<Drivers>,
    committer: Option<JoinHandle<()>>,
}

impl Driver {
    pub(super) fn start(store: Arc<Store>) -> Result<Self, StoreError> {
        let meta = Arc::clone(&store.meta);
        let committer = thread::Builder::new().name("committer".into()).spawn(move || meta.drive())?;
        let mut driver = Self { store, lanes: None, committer: Some(committer) };
        driver.lanes = Some(driver.store.segments.drive()?);
        driver.store.blobs.set_driven(true);
        Ok(driver)
    }

    /// Ends the store in order: nothing is left to do at its next opening.
    ///
    /// # Errors
    /// Unavailable if it had failed before.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.end();
        match self.store.meta.health() {
            Health::Failed(why) => Err(StoreError::Unavailable(why)),
            Health::Open | Health::Closing => Ok(()),
        }
    }

    fn end(&mut self) {
        // Lanes first: what waits for them then reaches the committer.
        drop(self.lanes.take());
        let Some(committer) = self.committer.take() else { return };
        self.store.blobs.set_driven(false);
        self.store.blobs.settle();
        self.store.meta.close();
        if committer.join().is_err() {
            tracing::error!("the committer's thread panicked");
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.end();
    }
}
