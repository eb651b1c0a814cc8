//! Remembers: bytes in segments, rows in the metadata. Synchronous.
//!
//! Knows bytes and rows, not permissions. Everything that touches the data directory goes
//! through [`io`].
//!
//! What nothing refers to any more is given back by [`collect`] alone. [`scrub`] reads the rest again
//! from time to time, and frees nothing.
//!
//! [`Store`] puts the parts together. Lanes and committer are state machines: a [`Driver`] runs
//! them on threads, a simulation calls [`Store::step_all`].
//!
//! # The format on the disk
//!
//! | What | Drawn in |
//! |---|---|
//! | the data directory, and its `FORMAT` | [`dir`], `dir::format` |
//! | a segment: header, records, footer | [`segments`], `segments::{header, record, footer}` |
//! | the tables, their keys, how values are written | [`meta::table`], [`meta::key`], [`meta::codec`] |
//! | rows of bodies | `blobs::rows` |
//! | rows of names, versions, accounts and all else | [`rows`], a file for each |
//! | the sum behind each row | `meta::sums` |
//! | a kept snapshot of the metadata | [`snapshots`], `snapshots::form` |
//! | a folder of backups | [`backup`], `backup::point` |

pub mod backup;
pub mod blobs;
pub mod collect;
pub mod dir;
mod driver;
pub mod error;
pub mod faults;
pub mod io;
pub mod meta;
pub mod rebuild;
pub mod rows;
pub mod scrub;
pub mod segments;
pub mod snapshots;
pub mod sync;
#[cfg(test)]
pub(crate) mod tests;

use std::{fmt, ops::Range};

use self::{
    blobs::{BlobOptions, BlobReader, Blobs, Ingest, IngestOptions, Staged},
    collect::Collection,
    dir::{DataDir, DirOptions, RoomOptions},
    error::StoreError,
    faults::Faults,
    io::{Io, Space},
    meta::{Keeper, Kind, Meta, MetaOptions, Now, Progress, Snapshot, Tx},
    scrub::Scrubbing,
    segments::{Finding, Recovered, SegmentOptions, Segments},
    sync::{Arc, mpsc},
};
use crate::model::ids::{ManifestId, SegmentId};

pub use self::driver::Driver;

/// How a store is opened.
#[derive(Clone)]
pub struct StoreOptions {
    /// The disk, rooted at the data directory.
    pub io: Arc<dyn Io>,
    /// What keeps the rows.
    pub keeper: Keeper,
    /// The clock; read once per group of commits.
    pub now: Now,
    /// 16 random bytes, the identity of a store that is made now.
    pub fresh_uuid: [u8; 16],
    /// Room put by, and when new bodies are refused.
    pub room: RoomOptions,
    /// Whether accounts share what they send. They can then find out, by the time an upload
    /// takes, what others have.
    pub shared_dedup: bool,
    /// Memory for pages of the metadata, in bytes.
    pub cache_bytes: usize,
    /// Bytes after which a segment is full.
    pub segment_bytes: u64,
    /// Steps in which a segment grows.
    pub growth_bytes: u64,
    /// Stored bytes after which a long upload commits what it has: no more of it than this rests
    /// on pins in memory.
    pub batch_bytes: u64,
    /// Called while large metadata is repaired after a crash.
    pub progress: Progress,
    /// Whether an empty directory becomes a new store; otherwise it is refused.
    pub create: bool,
}

impl StoreOptions {
    /// The usual options.
    #[must_use]
    pub fn new(io: Arc<dyn Io>, now: Now, fresh_uuid: [u8; 16]) -> Self {
        Self {
            io,
            keeper: Keeper::default(),
            now,
            fresh_uuid,
            room: RoomOptions::default(),
            shared_dedup: false,
            cache_bytes: 32 << 20,
            segment_bytes: 256 << 20,
            growth_bytes: 16 << 20,
            batch_bytes: 64 << 20,
            progress: Arc::new(|_| {}),
            create: true,
        }
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("room", &self.room)
            .field("shared_dedup", &self.shared_dedup)
            .field("cache_bytes", &self.cache_bytes)
            .field("create", &self.create)
            .finish_non_exhaustive()
    }
}

/// A data directory, open.
#[derive(Debug)]
pub struct Store {
    io: Arc<dyn Io>,
    meta: Arc<Meta>,
    segments: Arc<Segments>,
    blobs: Arc<Blobs>,
    collection: Collection,
    scrubbing: Scrubbing,
    recovered: Vec<Recovered>,
    // The last to go: another process may come in afterwards.
    dir: Arc<DataDir>,
}

impl Store {
    /// Takes the data directory, lays it out if it is new, and brings what a crash left in order.
    ///
    /// # Errors
    /// Refused if another process has it or its format is not ours; damaged, full or failed as
    /// the disk says.
    pub fn open(options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        let io = Arc::clone(&options.io);
        let dir = DirOptions {
            fresh_uuid: options.fresh_uuid,
            now: Arc::clone(&options.now),
            room: options.room,
            create: options.create,
        };
        let dir = Arc::new(DataDir::open(Arc::clone(&io), dir)?);
        let reserve = Arc::clone(&dir);
        let (keeping, now, uuid) = (Arc::clone(&io), Arc::clone(&options.now), dir.uuid());
        let meta = Arc::new(Meta::open(
            Arc::clone(&io),
            MetaOptions {
                keeper: options.keeper.clone(),
                now: Arc::clone(&options.now),
                cache_bytes: options.cache_bytes,
                progress: Arc::clone(&options.progress),
                create: options.create,
                make_room: Arc::new(move || reserve.release_reserve().unwrap_or(false)),
                keep_before: Arc::new(move |rows| {
                    let whose = (uuid, now());
                    snapshots::take(&*keeping, rows, whose, snapshots::KEPT, &mut |_| Ok(())).map(|_| ())
                }),
            },
        )?);
        Self::over(Arc::clone(&meta), dir, options).inspect_err(|error| {
            if matches!(error, StoreError::Damaged(_)) {
                meta.distrust();
            }
        })
    }

    /// Opens the rest over the rows.
    fn over(meta: Arc<Meta>, dir: Arc<DataDir>, options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        let io = options.io;
        let ids = Arc::clone(&meta);
        let fresh = move || ids.fresh(Kind::Segment).map(SegmentId);
        let growing = Arc::clone(&dir);
        let sizes = SegmentOptions {
            segment_bytes: options.segment_bytes,
            growth_bytes: options.growth_bytes,
            room: Box::new(move || growing.admits_growth()),
            ..SegmentOptions::new(dir.uuid(), fresh, options.now)
        };
        let known = blobs::known_segments(&meta.snapshot()?)?;
        let (segments, mut recovered) = Segments::open(Arc::clone(&io), sizes, known)?;
        // Their files were to go, and went.
        let emptied = blobs::emptied_segments(&meta.snapshot()?)?;
        recovered.retain(|found| found.finding != Finding::Missing || !emptied.contains(&found.segment));
        recovered.iter().for_each(Recovered::tell);
        let segments = Arc::new(segments);
        let how = BlobOptions { shared_dedup: options.shared_dedup, batch_bytes: options.batch_bytes };
        let blobs = Blobs::open(Arc::clone(&meta), Arc::clone(&segments), how)?;
        let collection = Collection::default();
        let scrubbing = Scrubbing::default();
        scrubbing.refresh(&meta.snapshot()?)?;
        let store = Self { io, meta, segments, blobs, collection, scrubbing, recovered, dir };
        // What recovery found is in rows before anything new is.
        store.step_all();
        Ok(Arc::new(store))
    }

    /// The last committed rows. Short-lived: never held while bytes stream.
    ///
    /// # Errors
    /// Unavailable after a failure of the metadata.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.meta.snapshot()
    }

    /// Begins to take a body in.
    ///
    /// # Errors
    /// Full below the threshold.
    pub fn begin(&self, options: &IngestOptions) -> Result<Ingest, StoreError> {
        self.dir.admits_bodies()?;
        Ok(self.blobs.begin(options))
    }

    /// Opens a body for reading.
    ///
    /// # Errors
    /// Busy if its last reference went meanwhile: what referred to it should be looked up again.
    pub fn reader(&self, id: ManifestId) -> Result<BlobReader, StoreError> {
        self.blobs.reader(id)
    }

    /// Stages a range of a body; see [`BlobReader::slice`].
    ///
    /// # Errors
    /// As [`Store::begin`] and [`BlobReader::slice`].
    pub fn slice(
        &self,
        mut reader: BlobReader,
        range: Range<u64>,
        options: &IngestOptions,
    ) -> Result<Staged, StoreError> {
        self.dir.admits_bodies()?;
        reader.slice(range, options)
    }

    /// Queues a verb, after the bytes of a body are durable if it seals one. `done` gets its
    /// answer, a refusal too, after the group of the verb is durable, on the committer's thread.
    pub fn commit<T, E>(
        &self,
        staged: Option<Arc<Staged>>,
        verb: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        done: impl FnOnce(Result<T, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.blobs.commit(staged, verb, done);
    }

    /// Commits a verb and waits for its answer, driving the store itself where no [`Driver`]
    /// does. For starting up, the command line and tests; never from inside a verb or a `done`.
    ///
    /// # Errors
    /// The verb's own, and those of its commit.
    pub fn apply<T, E>(
        &self,
        staged: Option<Arc<Staged>>,
        verb: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, answer) = mpsc::channel();
        self.commit(staged, verb, move |result| drop(sender.send(Ok(result))));
        self.blobs.answer(&answer)?
    }

    /// As [`Store::apply`] without a body, for a verb of the collector: it gives room back, and is
    /// done while there is hardly any left.
    pub(crate) fn give_back<T: Send + 'static>(
        &self,
        mut verb: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.apply(None, move |tx| {
            tx.give_back();
            verb(tx)
        })
    }

    /// The next id of a kind, never given out again.
    ///
    /// # Errors
    /// When the next block of them cannot be made durable.
    pub fn fresh(&self, kind: Kind) -> Result<u64, StoreError> {
        self.meta.fresh(kind)
    }

    /// Room on the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn space(&self) -> Result<Space, StoreError> {
        Ok(self.io.space()?)
    }

    /// The disk it is on.
    #[must_use]
    pub fn io(&self) -> &Arc<dyn Io> {
        &self.io
    }

    /// The data directory.
    #[must_use]
    pub fn dir(&self) -> &DataDir {
        &self.dir
    }

    /// The rows.
    #[must_use]
    pub fn meta(&self) -> &Arc<Meta> {
        &self.meta
    }

    /// Rules that are broken for a test.
    pub(crate) fn faults(&self) -> Faults {
        self.meta.faults()
    }

    /// The bytes.
    #[must_use]
    pub fn segments(&self) -> &Arc<Segments> {
        &self.segments
    }

    /// The bodies.
    #[must_use]
    pub fn blobs(&self) -> &Arc<Blobs> {
        &self.blobs
    }

    /// What is known of collecting.
    #[must_use]
    pub fn collection(&self) -> &Collection {
        &self.collection
    }

    /// What is known of scrubbing.
    #[must_use]
    pub fn scrubbing(&self) -> &Scrubbing {
        &self.scrubbing
    }

    /// Segments that opening found not as a closed store leaves them.
    #[must_use]
    pub fn recovered(&self) -> &[Recovered] {
        &self.recovered
    }

    /// Does whatever there is to do, on this thread, until nothing is left; how much that was.
    pub fn step_all(&self) -> usize {
        let mut sum = 0;
        loop {
            match self.blobs.step() {
                0 => return sum,
                done => sum += done,
            }
        }
    }

    /// Starts the threads: one for the committer, one for each lane.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn drive(self: &Arc<Self>) -> Result<Driver, StoreError> {
        Driver::start(Arc::clone(self))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Verbs that nobody drove any more may keep parts that keep the queue, and so the directory.
        self.meta.refuse_all();
    }
}
