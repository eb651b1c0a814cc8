//! Ordered rows in named tables, changed in transactions.
//!
//! A verb is submitted and runs, with others, in a group that is committed as one; see
//! [`Meta::step`]. Readers take snapshots. redb is known only in this folder.

mod backend;
mod blocks;
pub mod codec;
mod committer;
mod current;
mod engine;
mod file;
mod health;
#[cfg(test)]
mod in_memory;
pub mod key;
mod load;
mod migrate;
mod on_disk;
mod overlay;
pub mod pages;
mod panics;
mod queue;
pub mod rows;
mod snapshot;
mod sums;
pub mod table;
mod tables;
#[cfg(test)]
mod tests;
mod tx;

use std::fmt;

#[cfg(test)]
pub use self::in_memory::InMemory;
pub(super) use self::migrate::{incarnation, version};
#[cfg(test)]
pub(super) use self::sums::with_sum;
pub use self::{
    blocks::Kind,
    file::{DIR as FOLDER, NAME as FILE},
    health::Health,
    load::{NewLife, TableRow, load, replace},
    panics::tell_of_damage,
    queue::Submission,
    snapshot::Snapshot,
    tx::{Tx, ctag_key},
};
use self::{engine::Engine, health::lock, queue::Queue, rows::Rows, tables::Ahead};
use crate::{
    model::time::Timestamp,
    store::{
        error::StoreError,
        faults::Faults,
        io::Io,
        sync::{
            Arc, Mutex,
            atomic::{AtomicU64, Ordering},
        },
    },
};

/// Tells the time, once per group.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Hears how far the repair after a crash is, from 0 to 1.
pub type Progress = Arc<dyn Fn(f64) + Send + Sync>;

/// What a [`Progress`] hears, in whole hundredths.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped")]
pub fn percent(part: f64) -> u8 {
    (part * 100.0).round().clamp(0.0, 100.0) as u8
}

/// Gives back room that was put by; true if there was any.
pub type MakeRoom = Arc<dyn Fn() -> bool + Send + Sync>;

/// What keeps the tables.
#[derive(Clone, Default)]
pub enum Keeper {
    /// One file in the data directory.
    #[default]
    OnDisk,
    /// Memory, which a crash of the store outlives.
    #[cfg(test)]
    InMemory(InMemory),
}

/// Keeps what the rows are before they are brought to another version.
pub type KeepBefore = Arc<dyn Fn(&dyn Rows) -> Result<(), StoreError> + Send + Sync>;

/// How the metadata is opened.
#[derive(Clone)]
pub struct MetaOptions {
    /// What keeps the tables.
    pub keeper: Keeper,
    /// The clock.
    pub now: Now,
    /// Memory for pages of the file, in bytes.
    pub cache_bytes: usize,
    /// Called while a large file is repaired.
    pub progress: Progress,
    /// Whether a missing file is made; otherwise it is refused.
    pub create: bool,
    /// Called when a commit finds no room; if it made some, the commit goes on.
    pub make_room: MakeRoom,
    /// Called before rows of an older version are brought to this build's. If it fails they are
    /// left as they are.
    pub keep_before: KeepBefore,
}

impl MetaOptions {
    /// The usual options with this clock.
    #[must_use]
    pub fn new(now: Now) -> Self {
        Self {
            keeper: Keeper::default(),
            now,
            cache_bytes: 32 << 20,
            progress: Arc::new(|_| {}),
            create: true,
            make_room: Arc::new(|| false),
            keep_before: Arc::new(|_| Ok(())),
        }
    }
}

impl fmt::Debug for MetaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetaOptions")
            .field("cache_bytes", &self.cache_bytes)
            .field("create", &self.create)
            .finish_non_exhaustive()
    }
}

/// What was done since the metadata was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Durable commits.
    pub commits: u64,
    /// Verbs answered.
    pub verbs: u64,
    /// Verbs that panicked.
    pub panics: u64,
    /// Rows read from the database, by verbs and snapshots.
    pub rows_read: u64,
    /// The length of the metadata file.
    pub file_bytes: u64,
}

/// The metadata store. Shared as an `Arc`; one thread drives it with [`Meta::drive`], or a test
/// with [`Meta::step`].
pub struct Meta {
    engine: Engine,
    queue: Queue,
    driving: Mutex<()>,
    incarnation: u32,
    verbs: AtomicU64,
    panics: AtomicU64,
}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meta").field("health", &self.health()).finish_non_exhaustive()
    }
}

impl Meta {
    /// Opens the metadata of a data directory.
    ///
    /// # Errors
    /// Refused for tables of a newer version or a missing file that must not be made; damaged if
    /// the file is not what was written; otherwise what the disk says.
    pub fn open(io: Arc<dyn Io>, options: MetaOptions) -> Result<Self, StoreError> {
        let opened = Engine::open(io, options)
            .and_then(|engine| Ok((migrate::incarnation(&engine.snapshot()?)?, engine)));
        let (incarnation, engine) = opened.map_err(|error| match error {
            StoreError::Damaged(why) if !why.contains("`holdall rebuild`") => file::unreadable(why),
            other => other,
        })?;
        Ok(Self {
            engine,
            queue: Queue::default(),
            driving: Mutex::new(()),
            incarnation,
            verbs: AtomicU64::new(0),
            panics: AtomicU64::new(0),
        })
    }

    /// The last committed state.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.engine.snapshot()
    }

    /// Runs `look`, which is short, on the last committed state. Cheaper than a snapshot of one's
    /// own: the state is opened once for all who look between two commits.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn look<T>(&self, look: impl FnOnce(&dyn Rows) -> T) -> Result<T, StoreError> {
        self.engine.look(look)
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.engine.options().now)()
    }

    /// The incarnation of the store.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// The next id of a kind, outside a transaction. Waits for a commit when a block is used up.
    ///
    /// # Errors
    /// If the block could not be made longer.
    pub fn fresh(&self, kind: Kind) -> Result<u64, StoreError> {
        self.engine.fresh(kind)
    }

    /// What stands in the rows contradicts itself: they are left as they are when this is dropped.
    pub(in crate::store) fn distrust(&self) {
        self.engine.latch().distrust();
    }

    /// What the store is able to do.
    #[must_use]
    pub fn health(&self) -> Health {
        match self.engine.latch().reason() {
            Some(reason) => Health::Failed(reason),
            None if self.queue.is_closed() => Health::Closing,
            None => Health::Open,
        }
    }

    /// Whether there is room for more rows. If not, only verbs that give room back are done (see
    /// [`Tx::give_back`]); others are refused as full.
    #[must_use]
    pub fn has_room(&self) -> bool {
        // Once there is none, only looking tells when there is some again. What fails is told by
        // the next commit.
        !self.engine.is_tight() || matches!(self.engine.take_room(), Ok(Ahead::Plenty))
    }

    /// Closes the database and opens it again after a failure, and makes sure that what was
    /// acknowledged last is there. Snapshots taken before answer errors.
    ///
    /// # Errors
    /// If it cannot be opened or something is missing; the store stays failed.
    pub fn reopen(&self) -> Result<(), StoreError> {
        let _driving = lock(&self.driving);
        self.engine.reopen()
    }

    /// Rules that are broken for a test.
    pub(crate) fn faults(&self) -> Faults {
        self.engine.faults()
    }

    /// What was done so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            commits: self.engine.commits(),
            verbs: self.verbs.load(Ordering::Relaxed),
            panics: self.panics.load(Ordering::Relaxed),
            rows_read: self.engine.rows_read(),
            file_bytes: self.engine.file_bytes(),
        }
    }
}
