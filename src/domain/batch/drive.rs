//! Who drives a batch: the request that began it, or the runner once nobody does.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::step::{STEP_FILES, Step, passes, skip, step};
use crate::{
    domain::{Error, Holdall, error::Refused},
    model::limits,
    store::{
        faults::Fault,
        meta::Health,
        rows::batch::{self, BatchId},
    },
};

/// How often the runner looks without being woken.
const IDLE: Duration = Duration::from_secs(60);

/// How often a step is tried that fails for no reason one can see.
const TRIES: u32 = 3;

/// Batches one look of the runner reads.
const READ: usize = 100;

/// Which batches somebody drives at the moment. A restart finds them in their rows.
#[derive(Debug, Default)]
pub(crate) struct Drivers {
    driven: Mutex<BTreeSet<BatchId>>,
    free: Notify,
}

impl Drivers {
    fn driven(&self) -> MutexGuard<'_, BTreeSet<BatchId>> {
        self.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hold on a batch, also before it is begun. When it is dropped, the runner takes over.
#[derive(Debug)]
pub(crate) struct Driving {
    drivers: Arc<Drivers>,
    id: Mutex<Option<BatchId>>,
    /// The runner's own hold does not wake it.
    runner: bool,
}

impl Driving {
    /// For a request that may begin a batch.
    pub(crate) fn new(drivers: &Arc<Drivers>) -> Arc<Self> {
        Arc::new(Self { drivers: Arc::clone(drivers), id: Mutex::default(), runner: false })
    }

    /// For the runner; `None` if somebody else drives it.
    fn take(drivers: &Arc<Drivers>, id: BatchId) -> Option<Arc<Self>> {
        let taken = drivers.driven().insert(id);
        let id = Mutex::new(Some(id));
        taken.then(|| Arc::new(Self { drivers: Arc::clone(drivers), id, runner: true }))
    }

    /// Takes hold in the transaction that begins the batch, so that the runner never sees it
    /// free; unless the request is gone by then.
    pub(crate) fn hold(request: &Weak<Self>, id: BatchId) {
        let Some(driving) = request.upgrade() else { return };
        let before = driving.held().replace(id);
        let mut driven = driving.drivers.driven();
        if let Some(before) = before {
            driven.remove(&before);
        }
        driven.insert(id);
    }

    fn held(&self) -> MutexGuard<'_, Option<BatchId>> {
        self.id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        if let Some(id) = self.held().take() {
            self.drivers.driven().remove(&id);
            if !self.runner {
                self.drivers.free.notify_one();
            }
        }
    }
}

/// What a batch could not do.
#[derive(Default)]
struct Report {
    refused: Vec<Refused>,
    more: u64,
}

impl Report {
    fn add(&mut self, refused: Vec<Refused>) {
        for one in refused {
            if self.refused.len() < limits::BATCH_REFUSALS {
                self.refused.push(one);
            } else {
                self.more += 1;
            }
        }
    }

    fn end(self) -> Result<(), Error> {
        let Self { refused, more } = self;
        if refused.is_empty() { Ok(()) } else { Err(Error::Partly { refused, more }) }
    }
}

impl Holdall {
    /// Drives a batch to its end. What passes by, like a full disk, ends the driving but not the
    /// batch; anything else ends both. After a failure that nothing explains files go one by one,
    /// until the one that fails again and again is left as it is.
    ///
    /// # Errors
    /// Partly, with what was refused; or what keeps the batch from going on.
    pub(in crate::domain) async fn drive(
        &self,
        driving: Arc<Driving>,
        id: BatchId,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let mut report = Report::default();
        let (mut singly, mut failed) = (0, 0);
        while !stop.is_cancelled() {
            let most = if singly > 0 { 1 } else { STEP_FILES };
            let mut done = self.write(move |tx| step(tx, id, most)).await;
            if let Err(Error::Unavailable { reason }) = &done
                && self.store.meta().health() == Health::Open
            {
                (singly, failed) = (STEP_FILES, failed + 1);
                if failed < TRIES {
                    continue;
                }
                tracing::error!(bucket = %id.bucket, batch = id.number, reason, "a file of a batch was given up");
                let reason = reason.clone();
                done = self.give_back(move |tx| skip(tx, id, &reason)).await;
                singly = 0;
            }
            failed = 0;
            match done {
                Ok(Step::More(refused)) => {
                    singly = singly.saturating_sub(1);
                    report.add(refused);
                }
                Ok(Step::Ended(refused)) => {
                    report.add(refused);
                    self.jobs.wake();
                    drop(driving);
                    return report.end();
                }
                Ok(Step::Stopped(error)) => return Err(error),
                Ok(Step::Gone) => return report.end(),
                Err(error) if passes(&error) => return Err(error),
                Err(error) => {
                    self.give_back(move |tx| {
                        batch::remove(tx, id);
                        Ok::<_, Error>(())
                    })
                    .await?;
                    return Err(error);
                }
            }
        }
        Err(Error::Unavailable { reason: "stopped; the batch goes on with the next start".into() })
    }

    /// Finishes every batch that nobody drives. One that cannot go on at the moment keeps no other
    /// waiting; the first such error is answered at the end.
    pub(crate) async fn finish_batches(&self, stop: &CancellationToken) -> Result<(), Error> {
        let (mut after, mut passing) = (None, None);
        loop {
            if self.store.faults().has(Fault::BatchForgotten) {
                return Ok(());
            }
            let found = self.read(move |rows| Ok(batch::all(rows, after, READ)?)).await?;
            for (id, row) in &found {
                let Some(driving) = Driving::take(&self.batches, *id) else { continue };
                let (bucket, batch, began) = (id.bucket, id.number, row.as_ref().map(|row| row.began.0));
                match self.drive(driving, *id, stop).await {
                    Ok(()) => tracing::info!(%bucket, batch, began, "a batch was finished"),
                    Err(error) if passes(&error) => passing = passing.or(Some(error)),
                    Err(error) => {
                        let reason = error.reason();
                        tracing::warn!(%bucket, batch, began, %error, reason, "a batch ended early");
                    }
                }
            }
            match found.last() {
                Some((last, _)) => after = Some(*last),
                None => return passing.map_or(Ok(()), Err),
            }
        }
    }
}

/// Finishes batches that were left, until `stop`, or until the last other owner of the system is
/// gone.
pub(crate) async fn run(holdall: Weak<Holdall>, drivers: Arc<Drivers>, stop: CancellationToken) {
    loop {
        let Some(system) = holdall.upgrade() else { return };
        if let Err(error) = system.finish_batches(&stop).await
            && !stop.is_cancelled()
        {
            tracing::warn!(%error, reason = error.reason(), "batches stopped; they go on later");
        }
        drop(system);
        tokio::select! {
            () = stop.cancelled() => return,
            () = drivers.free.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
        }
    }
}
