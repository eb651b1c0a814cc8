//! Where async verbs meet the rows of the synchronous store: writes go to the committer, reads
//! run in a lane of blocking threads on a short snapshot. Reads of a few rows run at once, on the
//! worker that asks: a trip to another thread costs more than they do. What they need is nearly
//! always in memory; where it is not, [`Waits`] lets another thread take the worker's place. Bytes
//! ([`super::body`], [`super::read`]) and the watch ([`super::health`]) have blocking tasks of
//! their own; no async worker waits for the disk.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::oneshot,
    task,
};
use tokio_util::sync::CancellationToken;

use super::{Error, Holdall};
use crate::store::{
    blobs::Staged,
    error::StoreError,
    io::disk::Wait,
    meta::{Snapshot, Tx, rows::Rows},
};

/// When so many threads wait for the disk, further short reads go to the lane: each wait of a
/// worker takes a thread from the runtime, which has 512 for all its blocking work.
const MOST_WAITING: usize = 64;

/// Whether this thread may make way for others; those of tests with one thread may not.
fn makes_way() -> bool {
    Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}

/// How threads wait for the disk: the other tasks of an async worker go on meanwhile, on another
/// thread. Counts those that wait.
#[derive(Debug, Default)]
pub struct Waits(AtomicUsize);

impl Wait for Waits {
    fn wait(&self, work: &mut dyn FnMut()) {
        self.0.fetch_add(1, Ordering::Relaxed);
        if makes_way() {
            task::block_in_place(work);
        } else {
            work();
        }
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Holdall {
    /// Runs `look` on a snapshot that is let go when it returns.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Snapshot) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let store = Arc::clone(&self.store);
        self.blocking(move || look(&store.snapshot()?)).await
    }

    /// Runs `look`, which reads a few rows, on the last committed state.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&dyn Rows) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let store = Arc::clone(&self.store);
        self.shortly(move || store.meta().look(look)?).await
    }

    /// Runs a short look at rows or a few bytes at once if this thread may wait, else in the lane.
    pub(crate) async fn shortly<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        if makes_way() && self.waits.0.load(Ordering::Relaxed) < MOST_WAITING {
            return work();
        }
        blocking(work).await
    }

    /// Runs `verb` in the next group commit. The answer, a refusal too, follows the group's sync.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        verb: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.commit(None, verb).await
    }

    /// As [`Holdall::write`], for a verb that gives room back or leads to it: it is done while there
    /// is hardly any left.
    pub(crate) async fn give_back<T: Send + 'static>(
        &self,
        mut verb: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let verb = move |tx: &mut Tx<'_>| {
            tx.give_back();
            verb(tx)
        };
        self.commit(None, verb).await
    }

    /// As [`Holdall::write`], once the staged bytes are durable.
    pub(crate) async fn commit<T: Send + 'static>(
        &self,
        staged: Option<Arc<Staged>>,
        verb: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (done, answer) = oneshot::channel();
        self.store.commit(staged, verb, move |result| {
            // Nobody waits any more when the client went away; the write stands all the same.
            let _ = done.send(result);
        });
        #[cfg(test)]
        if !self.works() {
            self.store.step_all();
        }
        answer.await.unwrap_or_else(|_| Err(Error::Unavailable { reason: "the committer is gone".into() }))
    }

    /// Whether jobs run.
    pub(crate) fn works(&self) -> bool {
        self.driver.lock().is_ok_and(|driver| driver.is_some())
    }

    /// Runs work that may wait for the disk off the async workers.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        blocking(work).await
    }
}

/// For long work off the async workers, between its steps: it ends where the system does.
pub(crate) fn unless_closing(stop: &CancellationToken) -> Result<(), StoreError> {
    if stop.is_cancelled() { Err(closing()) } else { Ok(()) }
}

/// What long work is answered with that the end of the system ended.
pub(crate) fn closing() -> StoreError {
    StoreError::Unavailable("it is closing".into())
}

/// As [`Holdall::blocking`].
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    task::spawn_blocking(work)
        .await
        .unwrap_or_else(|fault| Err(Error::Internal { reason: format!("a blocking task failed: {fault}") }))
}
