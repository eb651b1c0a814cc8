//! Work that verbs left behind: detached folders, histories, uploads and buckets are released in
//! small transactions that no reader can see. Each step starts from a row of the queue; what time
//! ends (trash, outdated versions, the journal's tail, locks, finished uploads) is found by looking
//! through the rows themselves. Nothing is remembered outside the rows, so a crash only delays it.

mod expire;
mod outdated;
mod queue;
mod release;
mod trim;

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Error, Holdall, access::counts_access, caller::Caller, locks};
use crate::model::ids::BucketId;
use crate::store::{
    meta::Health,
    rows::{bucket, lock},
};

pub(crate) use queue::take_up;

/// What verbs and jobs tell each other.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    work: Notify,
    /// Pieces of work that were set aside.
    aside: AtomicU64,
    /// The work that failed last for no reason one can see, and how often in a row.
    failing: Mutex<(Vec<u8>, u32)>,
    steps: watch::Sender<()>,
}

impl Jobs {
    /// Where so much work was set aside before.
    pub(crate) fn with(aside: u64) -> Self {
        Self { aside: AtomicU64::new(aside), ..Self::default() }
    }

    /// There may be work.
    pub(crate) fn wake(&self) {
        self.work.notify_one();
    }

    /// How many pieces of work were set aside.
    pub(crate) fn aside(&self) -> u64 {
        self.aside.load(Ordering::Relaxed)
    }

    fn set_aside(&self, count: u64) {
        self.aside.store(count, Ordering::Relaxed);
    }

    /// Notes that work failed; how often it did in a row.
    fn tried(&self, place: &[u8]) -> u32 {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.0 != place {
            *failing = (place.to_vec(), 0);
        }
        failing.1 += 1;
        failing.1
    }

    /// Sees every step that is done from here on.
    pub(crate) fn steps(&self) -> watch::Receiver<()> {
        self.steps.subscribe()
    }

    fn step_done(&self) {
        self.steps.send_replace(());
    }
}

/// How often the queue is looked at without being woken.
const IDLE: Duration = Duration::from_secs(60);

/// How often everything that is kept for a time is looked through for what is over.
const EXPIRY: Duration = Duration::from_secs(3600);

/// Buckets looked at in one read.
const BUCKETS_READ: usize = 100;

/// Locks one step of the sweep reads.
const LOCKS_READ: usize = 256;

/// Expired locks one transaction of the sweep takes off.
const LOCKS_SWEPT: usize = 50;

/// The first wait after a round that failed, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// When the jobs that go by the clock ran last.
#[derive(Debug, Default)]
struct Rounds {
    expired: Option<Instant>,
    swept: Option<Instant>,
}

/// Whether something that is done every so often is due, and is from now on done.
fn due(last: &mut Option<Instant>, every: Duration) -> bool {
    let due = last.is_none_or(|at| at.elapsed() >= every);
    if due {
        *last = Some(Instant::now());
    }
    due
}

/// Works until `stop`, or until the last other owner of the system is gone.
pub(crate) async fn run(holdall: Weak<Holdall>, jobs: Arc<Jobs>, stop: CancellationToken) {
    let (mut rounds, mut wait) = (Rounds::default(), FIRST_WAIT);
    loop {
        let Some(system) = holdall.upgrade() else { return };
        let done = system.round(&mut rounds, &stop).await;
        drop(system);
        let Err(error) = done else {
            wait = FIRST_WAIT;
            tokio::select! {
                () = stop.cancelled() => return,
                () = jobs.work.notified() => {}
                () = tokio::time::sleep(IDLE) => {}
            }
            continue;
        };
        // What the end of the process breaks off is no failure.
        if stop.is_cancelled() {
            return;
        }
        tracing::warn!(%error, reason = error.reason(), "background work stopped; it goes on later");
        // New work does not wake what just failed.
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

impl Holdall {
    /// Does everything that is due.
    async fn round(&self, rounds: &mut Rounds, stop: &CancellationToken) -> Result<(), Error> {
        self.work_off(stop).await?;
        if due(&mut rounds.swept, IDLE) {
            self.sweep_locks(stop).await?;
        }
        if due(&mut rounds.expired, EXPIRY) {
            self.expire().await?;
            self.forget_uploads().await?;
            self.work_off(stop).await?;
        }
        Ok(())
    }

    /// Looks through every bucket for what is over. One that is damaged keeps the others from
    /// nothing.
    async fn expire(&self) -> Result<(), Error> {
        let mut after: Option<String> = None;
        loop {
            let from = after.clone();
            let buckets =
                self.read(move |rows| Ok(bucket::all(rows, ("", from.as_deref()), BUCKETS_READ)?)).await?;
            for bucket in &buckets {
                match self.expire_in(bucket.id).await {
                    Err(Error::Damaged { reason, .. }) if self.store.meta().health() == Health::Open => {
                        tracing::error!(bucket = %bucket.name, reason, "a bucket was not looked through");
                    }
                    done => done?,
                }
            }
            match buckets.last() {
                Some(last) => after = Some(last.name.to_string()),
                None => return Ok(()),
            }
        }
    }

    async fn expire_in(&self, bucket: BucketId) -> Result<(), Error> {
        self.expire_trash(bucket).await?;
        self.end_outdated(bucket).await?;
        self.trim_journal(bucket).await
    }

    /// Verbs that panicked inside their transaction since the start.
    ///
    /// # Errors
    /// The caller may not read counts.
    pub fn verb_panics(&self, caller: &Caller) -> Result<u64, Error> {
        counts_access(caller)?;
        Ok(self.store.meta().counters().panics)
    }

    /// Pieces of background work that cannot be done and wait for somebody to look at them.
    ///
    /// # Errors
    /// The caller may not read counts.
    pub fn work_set_aside(&self, caller: &Caller) -> Result<u64, Error> {
        counts_access(caller)?;
        Ok(self.jobs.aside())
    }

    /// What the hourly look does, at once.
    #[cfg(test)]
    pub(crate) async fn clear_trash(&self) -> Result<(), Error> {
        self.expire().await?;
        self.work_off(&CancellationToken::new()).await
    }

    /// Takes expired locks off. They forbid nothing any more; their rows and marks are all that is
    /// left of them.
    pub(crate) async fn sweep_locks(&self, stop: &CancellationToken) -> Result<(), Error> {
        let mut after = None;
        while !stop.is_cancelled() {
            let (from, now) = (after, self.clock.now());
            let mut met =
                self.read(move |rows| Ok(lock::all_locks(rows, from.as_ref(), LOCKS_READ)?)).await?;
            after = met.last().cloned();
            met.retain(|(_, lock)| lock.expires <= now);
            for some in met.chunks(LOCKS_SWEPT) {
                let some = some.to_vec();
                self.give_back(move |tx| locks::sweep(tx, &some)).await?;
            }
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }
}
