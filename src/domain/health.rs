//! Whether the system can do its work at the moment, and what brings it back when it cannot.
//!
//! A failed sync or I/O error of the metadata ends acknowledgements at once. A watch then opens
//! the metadata again, which verifies every acknowledged row, and tries again later if that
//! fails; until then only reads are served. A lane of segments whose sync failed takes nothing
//! more until the next start: what it held in memory cannot be verified, and the bodies sent
//! through it are refused as unavailable. The system is not ready then, so that whoever watches
//! it starts it again.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::Holdall;
use crate::store::{
    Store,
    error::StoreError,
    meta::{Health, Progress, percent},
};

/// How often the watch looks.
const EVERY: Duration = Duration::from_secs(1);
/// The first wait after the metadata could not be opened again, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// Reads and writes.
    Ready,
    /// Reads, and writes that need no room: the disk is full.
    Full,
    /// Reads at most.
    No,
    /// Reads at most, while the metadata is repaired: so many hundredths of that are done.
    Repairing(u8),
}

/// What the watch saw last.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    full: AtomicBool,
    lane_failed: AtomicBool,
    pub(crate) repair: Repair,
}

/// How far a repair of the metadata is, for whoever asks meanwhile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repair(Arc<Mutex<Option<u8>>>);

impl Repair {
    /// Hears of every repair, and tells it on.
    pub(crate) fn heard(&self, told: Progress) -> Progress {
        let repair = self.clone();
        Arc::new(move |part| {
            repair.set(Some(percent(part)));
            told(part);
        })
    }

    fn set(&self, percent: Option<u8>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = percent;
    }

    fn percent(&self) -> Option<u8> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Where repairs are told to this; those so far have ended.
    pub(crate) fn with(repair: Repair) -> Self {
        repair.set(None);
        Self { repair, ..Self::default() }
    }
}

impl Holdall {
    /// What is served. Says no more, since anybody may ask. Does not wait for the disk.
    #[must_use]
    pub fn ready(&self) -> Readiness {
        let open = self.store.meta().health() == Health::Open && !self.stop.is_cancelled();
        if !open || self.health.lane_failed.load(Ordering::Relaxed) {
            return self.health.repair.percent().map_or(Readiness::No, Readiness::Repairing);
        }
        if self.health.full.load(Ordering::Relaxed) { Readiness::Full } else { Readiness::Ready }
    }
}

/// Brings failed metadata back, less and less often.
#[derive(Debug)]
pub(crate) struct Watch {
    wait: Duration,
    due: Option<Instant>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { wait: FIRST_WAIT, due: None }
    }

    /// Looks once, and opens failed metadata again when that is due. Blocking.
    pub(crate) fn look(&mut self, store: &Store, seen: &Seen, now: Instant) {
        self.reopen(store, now);
        seen.repair.set(None);
        let full = matches!(store.dir().admits_bodies(), Err(StoreError::Full));
        if full != seen.full.swap(full, Ordering::Relaxed) {
            if full {
                tracing::warn!("the disk is full: no new files are taken until there is room");
            } else {
                tracing::info!("there is room on the disk again");
            }
        }
        if let Some(reason) = store.segments().failure()
            && !seen.lane_failed.swap(true, Ordering::Relaxed)
        {
            tracing::error!(reason, "writes are refused until the server is started again");
        }
    }

    fn reopen(&mut self, store: &Store, now: Instant) {
        let Health::Failed(reason) = store.meta().health() else {
            *self = Self::new();
            return;
        };
        if self.due.is_some_and(|due| now < due) {
            return;
        }
        tracing::error!(reason, "the metadata failed; it is opened again, until then nothing is written");
        match store.meta().reopen() {
            Ok(()) => {
                tracing::warn!("the metadata was opened again and verified; writes are taken again");
                *self = Self::new();
            }
            Err(error) => {
                self.due = Some(now + self.wait);
                let wait = self.wait.as_secs();
                tracing::error!(%error, wait, "the metadata cannot be opened again; only reads are served");
                self.wait = (self.wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

/// Watches until `stop`, or until the last other owner of the system is gone.
pub(crate) async fn run(holdall: Weak<Holdall>, stop: CancellationToken) {
    let mut watch = Watch::new();
    loop {
        let Some(system) = holdall.upgrade() else { return };
        let looked = tokio::task::spawn_blocking(move || {
            watch.look(&system.store, &system.health, Instant::now());
            watch
        });
        match looked.await {
            Ok(back) => watch = back,
            Err(fault) => {
                tracing::error!(%fault, "the watch failed and starts again");
                watch = Watch::new();
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
