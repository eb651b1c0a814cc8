//! Where async verbs meet the rows of the synchronous store: reads run in a lane of blocking
//! threads on a short snapshot, unless the rows they need are in memory; writes go to the
//! committer. Bytes ([`super::body`], [`super::read`]) and the watch ([`super::health`]) have
//! blocking tasks of their own; no async worker waits for the disk.

use std::sync::Arc;

use tokio::{sync::oneshot, task};

use super::{Error, Holdall};
use crate::store::{
    blobs::Staged,
    meta::{Snapshot, Tx, rows::Rows},
};

impl Holdall {
    /// Runs `look` on a snapshot that is let go when it returns.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Snapshot) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let store = Arc::clone(&self.store);
        self.blocking(move || look(&store.snapshot()?)).await
    }

    /// Runs `look` on the last committed rows: on those in memory, here and now, if all it asks for
    /// are there, else in the lane as [`Holdall::read`], and keeps what it read by key. So it may
    /// be called twice.
    pub(crate) async fn look<Q: Clone + Send + 'static, T: Send + 'static>(
        &self,
        asked: &Q,
        look: impl Fn(&dyn Rows, &Q) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        if let Some(answer) = self.store.meta().recall(|rows| look(rows, asked)) {
            return answer;
        }
        let (store, asked) = (Arc::clone(&self.store), asked.clone());
        self.blocking(move || store.meta().look(|rows| look(rows, &asked))?).await
    }

    /// Runs `verb` in the next group commit. The answer, a refusal too, follows the group's sync.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        verb: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
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

/// As [`Holdall::blocking`].
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    task::spawn_blocking(work)
        .await
        .unwrap_or_else(|fault| Err(Error::Internal { reason: format!("a blocking task failed: {fault}") }))
}
