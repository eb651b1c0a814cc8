//! Runs over the store that somebody asked for and waits for: they begin once any other run has
//! ended, the background gives way to them, and they go on to their end. What a run does is not
//! known here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{Error, Holdall, lanes::unless_closing};
use crate::store::{Store, error::StoreError};

/// How long a run waits for another, or for readers, before it looks again.
pub(super) const WAIT: Duration = Duration::from_millis(10);

/// How many wait for runs of a kind.
#[derive(Debug, Default)]
pub(super) struct Asked(Arc<AtomicUsize>);

/// Somebody who waits, until it is dropped.
#[derive(Debug)]
pub(super) struct Waits(Arc<AtomicUsize>);

impl Asked {
    /// Whether anybody waits.
    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }

    /// One more does.
    pub(super) fn one(&self) -> Waits {
        self.0.fetch_add(1, Ordering::AcqRel);
        Waits(Arc::clone(&self.0))
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What comes behind a step of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Another step.
    Step,
    /// Another, when readers have had time to end.
    Later,
    /// Nothing.
    End,
}

impl Holdall {
    /// Begins a run once any other has ended, and holds no thread until then.
    pub(super) async fn begin_asked<R: Send + 'static>(
        &self,
        stop: &CancellationToken,
        begin: impl Fn(&Arc<Store>) -> Result<R, StoreError> + Clone + Send + 'static,
    ) -> Result<R, Error> {
        loop {
            unless_closing(stop)?;
            let (store, begin) = (Arc::clone(&self.store), begin.clone());
            let begun = self.blocking(move || match begin(&store) {
                Err(StoreError::Busy(_)) => Ok(None),
                begun => Ok(Some(begun?)),
            });
            match begun.await? {
                Some(run) => return Ok(run),
                None => tokio::time::sleep(WAIT).await,
            }
        }
    }
}

/// Steps a run to its end, unless `stop` or an error comes first. Blocking.
pub(super) fn to_its_end(
    stop: &CancellationToken,
    mut step: impl FnMut() -> Result<Next, StoreError>,
) -> Result<(), StoreError> {
    loop {
        unless_closing(stop)?;
        match step()? {
            Next::Step => {}
            Next::Later => std::thread::sleep(WAIT),
            Next::End => return Ok(()),
        }
    }
}
