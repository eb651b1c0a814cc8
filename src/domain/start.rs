//! Opening the system: the store with the threads that drive it, the keys beside it, and the
//! world handed in.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    Error, Holdall,
    batch::{self, Drivers},
    collect,
    credentials::Credentials,
    health::{self, Repair},
    jobs::{self, Jobs},
    lanes::Waits,
    memory::Memory,
    pace::Look,
    scrub::{self, ScrubOptions},
    seal::Keys,
    snapshots,
};
use crate::{
    model::limits::{MEMORY_WAIT_SECONDS, QUOTA_WAIT_SECONDS},
    outside::{clock::Clock, random::Random},
    store::{
        Store, StoreOptions,
        dir::RoomOptions,
        error::StoreError,
        io::Io,
        meta::Progress,
        rows::credential::{self, Vouched},
    },
};

/// The world a system lives in.
#[derive(Clone)]
pub struct World {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes keys, tokens and nonces.
    pub random: Arc<dyn Random>,
}

/// How a data directory is opened.
#[derive(Clone)]
pub struct StartOptions {
    /// The disk, rooted at the data directory.
    pub io: Arc<dyn Io>,
    /// How its threads wait, if it tells.
    pub waits: Arc<Waits>,
    /// Whether an empty folder becomes a new store; otherwise it is refused.
    pub create: bool,
    /// Whether accounts share what they send.
    pub shared_dedup: bool,
    /// Room put by, and when new bodies are refused.
    pub room: RoomOptions,
    /// Memory for pages of the metadata, in bytes.
    pub cache_bytes: usize,
    /// Bytes after which a segment is full.
    pub segment_bytes: u64,
    /// Steps in which a segment grows.
    pub growth_bytes: u64,
    /// Memory that running requests may take for documents and content, in bytes.
    pub memory_bytes: u64,
    /// How long a request waits for its share of it.
    pub memory_wait: Duration,
    /// Whether the peer of a connection is who asks. Behind a proxy it is not, and peers count as one.
    pub peers_apart: bool,
    /// How long a write that a quota refuses waits for what was removed to be released.
    pub quota_wait: Duration,
    /// Bytes a second that compaction in the background copies.
    pub compact_rate: u64,
    /// How often and how fast everything is read again in the background.
    pub scrub: ScrubOptions,
    /// Called while large metadata is repaired after a crash.
    pub progress: Progress,
    /// The data directory as the system names it, if the disk is one.
    pub data: Option<PathBuf>,
    /// How often a snapshot of the metadata is taken; zero for never.
    pub snapshot_every: Duration,
    /// What jobs divide the time between two looks by: 1, and more where nobody wants to wait.
    pub haste: u32,
}

impl StartOptions {
    /// The usual options.
    #[must_use]
    pub fn new(io: Arc<dyn Io>) -> Self {
        Self {
            io,
            waits: Arc::default(),
            create: true,
            shared_dedup: false,
            room: RoomOptions::default(),
            cache_bytes: 32 << 20,
            segment_bytes: 256 << 20,
            growth_bytes: 16 << 20,
            memory_bytes: 256 << 20,
            memory_wait: Duration::from_secs(MEMORY_WAIT_SECONDS),
            peers_apart: true,
            quota_wait: Duration::from_secs(QUOTA_WAIT_SECONDS),
            compact_rate: 32 << 20,
            scrub: ScrubOptions { days: 30, rate: 50_000_000 },
            progress: Arc::new(|_| {}),
            data: None,
            snapshot_every: Duration::ZERO,
            haste: 1,
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

impl fmt::Debug for StartOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartOptions").field("create", &self.create).finish_non_exhaustive()
    }
}

impl fmt::Debug for Holdall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holdall").finish_non_exhaustive()
    }
}

impl Holdall {
    /// Opens a data directory, takes up what a crash left, and starts the threads and jobs.
    /// Blocking; must run inside an async runtime.
    ///
    /// # Errors
    /// Unavailable when the directory or its keys are refused, damaged when they are.
    pub fn start(options: StartOptions, world: World) -> Result<Arc<Self>, Error> {
        let (compact_rate, snapshot_every) = (options.compact_rate, options.snapshot_every);
        let (scrubbing, haste) = (options.scrub, options.haste);
        let holdall = Arc::new(Self::at_rest(options, world)?);
        *holdall.driver.lock().unwrap_or_else(PoisonError::into_inner) = Some(Store::drive(&holdall.store)?);
        let (weak, jobs) = (Arc::downgrade(&holdall), Arc::clone(&holdall.jobs));
        tokio::spawn(jobs::run(weak.clone(), jobs, holdall.stop.clone()));
        tokio::spawn(batch::run(weak.clone(), Arc::clone(&holdall.batches), holdall.stop.clone()));
        tokio::spawn(health::run(weak.clone(), holdall.stop.clone()));
        let look = Look { holdall: weak, haste, stop: holdall.stop.clone() };
        tokio::spawn(collect::job::run(look.clone(), compact_rate));
        tokio::spawn(snapshots::run(look.clone(), snapshot_every));
        tokio::spawn(scrub::job::run(look, scrubbing));
        Ok(holdall)
    }

    /// Opens a data directory and takes up what a crash left. Nothing runs yet.
    fn at_rest(options: StartOptions, world: World) -> Result<Self, Error> {
        let (clock, io) = (Arc::clone(&world.clock), Arc::clone(&options.io));
        let mut fresh_uuid = [0; 16];
        world.random.fill(&mut fresh_uuid);
        let repair = Repair::default();
        let store = Store::open(StoreOptions {
            create: options.create,
            shared_dedup: options.shared_dedup,
            room: options.room,
            cache_bytes: options.cache_bytes,
            segment_bytes: options.segment_bytes,
            growth_bytes: options.growth_bytes,
            progress: repair.heard(options.progress),
            ..StoreOptions::new(options.io, Arc::new(move || clock.now()), fresh_uuid)
        })?;
        let keys = open_keys(&store, &*io, &*world.random, options.create)?;
        let credentials = Credentials::new(keys, &*world.random, options.peers_apart);
        let aside = jobs::take_up(store.meta())?;
        Ok(Self {
            store,
            driver: Mutex::default(),
            jobs: Arc::new(Jobs::with(aside)),
            batches: Arc::new(Drivers::default()),
            health: health::Seen::with(repair),
            collecting: Arc::default(),
            backing_up: Arc::default(),
            data: options.data,
            scrubs: Arc::default(),
            stop: CancellationToken::new(),
            clock: world.clock,
            random: world.random,
            credentials,
            claims: Arc::default(),
            quota_wait: options.quota_wait,
            memory: Memory::new(options.memory_bytes, options.memory_wait),
            waits: options.waits,
        })
    }

    /// As [`Holdall::start`] without threads and jobs: every write is driven by who waits for it,
    /// so that the disk sees the same calls in the same order every time.
    #[cfg(test)]
    pub(crate) fn start_by_hand(options: StartOptions, world: World) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self::at_rest(options, world)?))
    }

    /// Ends the jobs, commits what was taken, and closes the store. Blocking. Verbs answer that the system is
    /// not available from then on.
    ///
    /// # Errors
    /// If the last commit failed; nothing acknowledged is lost then.
    pub fn close(&self) -> Result<(), Error> {
        self.stop.cancel();
        // A run ends with its step, while there are threads to answer it.
        while self.store.collection().is_running() || self.store.scrubbing().is_running() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        driver.map_or(Ok(()), |driver| driver.close().map_err(Error::from))
    }
}

/// Opens the keys. They are durable before anything is sealed under them, and the metadata
/// vouches for them from then on.
fn open_keys(store: &Store, io: &dyn Io, random: &dyn Random, create: bool) -> Result<Keys, StoreError> {
    let vouched = credential::voucher(&store.snapshot()?, Vouched::Keys)?;
    if vouched.is_none() && !create {
        return Err(StoreError::Refused(
            "the first start did not come to its end; start `holdall serve` again".into(),
        ));
    }
    let keys = Keys::open(io, random, vouched)?;
    if vouched.is_none() {
        let voucher = keys.voucher();
        store.apply::<(), StoreError>(None, move |tx| {
            credential::vouch(tx, Vouched::Keys, voucher);
            Ok(())
        })?;
    }
    Ok(keys)
}

impl Drop for Holdall {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
