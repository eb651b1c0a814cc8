//! Whether the system can do its work at the moment, and what brings it back when it cannot.
//!
//! A failed sync or I/O error of the metadata ends acknowledgements at once. A watch then opens
//! the metadata again, which makes sure that what was acknowledged last is there, and tries again
//! later if that fails; until then only reads are served.
//!
//! After a failed sync a lane of segments goes on in a new segment: what it held in memory cannot
//! be verified, and the bodies sent through it are refused as unavailable. A lane whose syncs go on
//! failing takes nothing more until the next start, and where the sync of a folder failed no segment
//! begins. The system is not ready then, so that whoever watches it starts it again.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{Error, Holdall, access::counts_access, caller::Caller};
use crate::store::{
    Store,
    dir::Level,
    io::Space as DiskSpace,
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
    Full(Fullness),
    /// Reads at most.
    No(Unready),
    /// Reads at most, while the metadata is repaired: so many hundredths of that are done.
    Repairing(u8),
}

/// How full a disk is; each takes less than the one before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Fullness {
    /// No new content. What is under way goes on, and so does everything else.
    Content = 1,
    /// No content at all: the reserve is in use, for all other changes.
    Reserve = 2,
    /// Only what gives room back: the reserve is used up, too.
    Rows = 3,
}

impl Fullness {
    const ALL: [Self; 3] = [Self::Content, Self::Reserve, Self::Rows];

    fn of(store: &Store) -> Option<Self> {
        match store.dir().level() {
            _ if !store.meta().has_room() => Some(Self::Rows),
            Ok(Level::Bodies) => Some(Self::Content),
            Ok(Level::Reserve) => Some(Self::Reserve),
            Ok(Level::Open) | Err(_) => None,
        }
    }

    /// What is still done.
    fn served(self) -> &'static str {
        match self {
            Self::Content => "no new content is taken; everything else goes on",
            Self::Reserve => "no content is taken, and the reserve is used for all other changes",
            Self::Rows => "the reserve is used up: only deletes and collecting are done",
        }
    }
}

/// Why nothing can be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unready {
    /// It is ending.
    Closing,
    /// The metadata failed; it is being opened again.
    Metadata,
    /// Content cannot be written until the next start.
    Segments,
}

/// The disk and what failed, for the counts of the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Condition {
    /// What is served.
    pub readiness: Readiness,
    /// Room on the disk, if it can be told.
    pub disk: Option<(u64, u64)>,
    /// How often the metadata was opened again after a failure.
    pub reopened: u64,
}

/// What the watch saw last.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// A [`Fullness`], or 0.
    full: AtomicU8,
    lane_failed: AtomicBool,
    reopened: AtomicU64,
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
        let why = match self.store.meta().health() {
            _ if self.stop.is_cancelled() => Some(Unready::Closing),
            Health::Failed(_) => Some(Unready::Metadata),
            Health::Closing => Some(Unready::Closing),
            Health::Open => self.health.lane_failed.load(Ordering::Relaxed).then_some(Unready::Segments),
        };
        if let Some(why) = why {
            return self.health.repair.percent().map_or(Readiness::No(why), Readiness::Repairing);
        }
        let full = self.health.full.load(Ordering::Relaxed);
        let full = Fullness::ALL.into_iter().find(|fullness| *fullness as u8 == full);
        full.map_or(Readiness::Ready, Readiness::Full)
    }

    /// The disk and what failed.
    ///
    /// # Errors
    /// The caller may not read counts.
    pub fn condition(&self, caller: &Caller) -> Result<Condition, Error> {
        counts_access(caller)?;
        let told = |space: DiskSpace| (space.free, space.total);
        Ok(Condition {
            readiness: self.ready(),
            disk: self.store.space().ok().map(told),
            reopened: self.health.reopened.load(Ordering::Relaxed),
        })
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
        self.reopen(store, seen, now);
        seen.repair.set(None);
        let full = Fullness::of(store);
        let number = full.map_or(0, |full| full as u8);
        if number != seen.full.swap(number, Ordering::Relaxed) {
            match full {
                Some(full) => tracing::warn!(level = number, "the disk is full: {}", full.served()),
                None => tracing::info!("there is room on the disk again"),
            }
        }
        if let Some(reason) = store.segments().failure()
            && !seen.lane_failed.swap(true, Ordering::Relaxed)
        {
            tracing::error!(reason, "writes are refused until the server is started again");
        }
    }

    fn reopen(&mut self, store: &Store, seen: &Seen, now: Instant) {
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
                seen.reopened.fetch_add(1, Ordering::Relaxed);
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
