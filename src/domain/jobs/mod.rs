//! Work that verbs left behind: detached folders, histories, uploads and buckets are released in
//! small transactions that no reader can see. Every step starts from the queue alone, so a crash
//! only delays it.

mod expire;
mod release;

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Error, Holdall, locks};
use crate::store::{
    meta::Meta,
    rows::{props, work::Kind},
};

/// Wakes the jobs when a verb left work.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    work: Notify,
}

impl Jobs {
    /// There may be work.
    pub(crate) fn wake(&self) {
        self.work.notify_one();
    }
}

/// How often the queue is looked at without being woken.
const IDLE: Duration = Duration::from_secs(60);

/// How often every bucket's trash is looked through for what is over.
const EXPIRY: Duration = Duration::from_secs(3600);

/// Locks one step of the sweep reads.
const LOCKS_READ: usize = 256;

/// Expired locks one transaction of the sweep takes off.
const LOCKS_SWEPT: usize = 50;

/// Works until `stop`, or until the last other owner of the system is gone.
pub(crate) async fn run(holdall: Weak<Holdall>, jobs: Arc<Jobs>, stop: CancellationToken) {
    let (mut last_expiry, mut swept): (Option<Instant>, Option<Instant>) = (None, None);
    loop {
        let Some(system) = holdall.upgrade() else { return };
        if last_expiry.is_none_or(|at| at.elapsed() >= EXPIRY) {
            last_expiry = Some(Instant::now());
            if let Err(error) = system.expire_trash().await {
                tracing::warn!(%error, reason = error.reason(), "trash was not looked through; it is later");
            }
        }
        let mut done = system.work_off(&stop).await;
        if done.is_ok() && swept.is_none_or(|at| at.elapsed() >= IDLE) {
            swept = Some(Instant::now());
            done = system.sweep_locks(&stop).await;
        }
        if let Err(error) = done {
            tracing::warn!(%error, reason = error.reason(), "background work stopped; it goes on later");
        }
        drop(system);
        tokio::select! {
            () = stop.cancelled() => return,
            () = jobs.work.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
        }
    }
}

impl Holdall {
    /// Works the queue off; returns when it is empty.
    pub(crate) async fn work_off(&self, stop: &CancellationToken) -> Result<(), Error> {
        let mut dry = false;
        while !dry {
            dry = true;
            // A bucket leaves work of the other kinds, so one round is not always enough.
            for kind in [Kind::Trashed, Kind::Subtree, Kind::History, Kind::Upload, Kind::Bucket] {
                while !stop.is_cancelled() && self.work_step(kind).await? {
                    dry = false;
                }
            }
        }
        Ok(())
    }

    /// What the hourly look does, at once.
    #[cfg(test)]
    pub(crate) async fn clear_trash(&self) -> Result<(), Error> {
        self.expire_trash().await?;
        self.work_off(&CancellationToken::new()).await
    }

    /// Takes expired locks off. They forbid nothing any more; their rows and marks are all that is
    /// left of them.
    pub(crate) async fn sweep_locks(&self, stop: &CancellationToken) -> Result<(), Error> {
        let mut after = None;
        while !stop.is_cancelled() {
            let (from, now) = (after, self.clock.now());
            let mut met =
                self.read(move |rows| Ok(props::all_locks(rows, from.as_ref(), LOCKS_READ)?)).await?;
            after = met.last().cloned();
            met.retain(|(_, lock)| lock.expires <= now);
            for some in met.chunks(LOCKS_SWEPT) {
                let some = some.to_vec();
                self.write(move |tx| locks::sweep(tx, &some)).await?;
            }
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// One step of a kind of work; false if there is none.
    async fn work_step(&self, kind: Kind) -> Result<bool, Error> {
        match kind {
            Kind::Trashed => self.count_trashed().await,
            Kind::Subtree => self.write(release::subtree).await,
            Kind::History => self.write(release::history).await,
            Kind::Upload => self.write(release::upload).await,
            Kind::Bucket => self.write(release::bucket).await,
            Kind::Staging => Ok(false),
        }
    }
}

/// What a crash left of staged copies is released like any detached folder. Runs before anything
/// else does.
pub(crate) fn adopt_staging(meta: &Meta) -> Result<(), Error> {
    while meta.apply(release::staging)? {}
    Ok(())
}
