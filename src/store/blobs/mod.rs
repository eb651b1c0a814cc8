//! Bodies as manifests of chunks: taken in, deduplicated, read back verified.
//!
//! A body is cut into chunks; each is stored once, as a record of a segment, and named by a chunk
//! row. A manifest lists the chunks of one body in page rows. The order that keeps promises:
//! records are appended, their lane is synced, then one transaction writes chunk rows, pages and
//! manifest together with whatever refers to it. What a crash leaves of the first steps is dead
//! bytes. A long body commits chunk rows and pages piece by piece under an open manifest, which
//! nothing refers to and which is queued for the collector if the upload dies.
//!
//! ```text
//! begin ─ Ingest ─ write* ─ finish ─ Staged ─ seal, in a verb ─ manifest (one reference)
//!                                                retain (copy) ─┤
//!                                           compose (multipart) ┤
//!                                              reader ─ bytes ──┤
//!                                              release ─ queue ─ collector
//! ```
//!
//! Knows bytes and references, not names, and not who may read them.

mod batch;
pub mod damage;
mod index;
mod ingest;
pub mod manifest;
pub mod pins;
mod reader;
pub(super) mod readings;
pub(super) mod rows;
mod slice;
mod staged;
pub mod verify;

use std::time::Duration;

use self::{
    damage::KnownDamage,
    index::HashIndex,
    ingest::Found,
    pins::{Pins, Thing},
    readings::Readings,
    rows::{ChunkState, HashKey, Queued, SegmentRow, find_chunk, number_key, queued},
};
use super::{
    error::StoreError,
    faults::Fault,
    meta::{Meta, Submission, Tx, codec::Row, rows::RowsMut, table::Table},
    segments::{LaneId, Life, Segments},
};
use crate::{
    model::ids::ManifestId,
    store::sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
        thread,
    },
};

pub(in crate::store) use self::index::MERGED;
#[cfg(test)]
pub(super) use self::rows::used_segments;
pub(super) use self::rows::{emptied_segments, known_segments};
pub use self::{
    ingest::{ChunkSink, Ingest, IngestOptions},
    reader::BlobReader,
    staged::Staged,
};

/// Open manifests given up in one transaction when the store is opened.
const ABANDONED: usize = 300;

/// The lane that something was appended to, and the life of the lane when that began.
pub(crate) type Appended = (LaneId, Life);

/// How bodies are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlobOptions {
    /// Whether all accounts share what they send.
    pub shared_dedup: bool,
    /// Stored bytes after which a long upload commits what it has.
    pub batch_bytes: u64,
}

/// The bodies of one store.
#[derive(Debug)]
pub struct Blobs {
    meta: Arc<Meta>,
    segments: Arc<Segments>,
    index: Arc<HashIndex>,
    pins: Arc<Pins>,
    readings: Arc<Readings>,
    damage: KnownDamage,
    options: BlobOptions,
    /// Held while rows of segments are taken and queued, so that they are queued in order.
    reporting: Mutex<()>,
    /// Whether threads drive lanes and committer; else whoever waits does.
    driven: AtomicBool,
}

impl Blobs {
    /// Opens the bodies: gives up what uploads were writing when the last process ended, and
    /// reads which chunks are not in the hash index yet.
    ///
    /// # Errors
    /// When the metadata cannot be read or written.
    pub fn open(
        meta: Arc<Meta>,
        segments: Arc<Segments>,
        options: BlobOptions,
    ) -> Result<Arc<Self>, StoreError> {
        loop {
            let open = queued(&meta.snapshot()?, Queued::Open, None, ABANDONED)?;
            if open.is_empty() {
                break;
            }
            meta.apply(move |tx| {
                tx.give_back();
                open.iter().try_for_each(|&id| manifest::abandon(tx, id))
            })?;
        }
        let index = Arc::new(HashIndex::open(&meta.snapshot()?)?);
        let pins = Arc::new(Pins::with(meta.faults()));
        #[cfg(test)]
        pins.read_clock(&meta);
        let blobs = Arc::new(Self {
            meta,
            segments,
            index,
            pins,
            readings: Arc::default(),
            damage: KnownDamage::default(),
            options,
            reporting: Mutex::new(()),
            driven: AtomicBool::new(false),
        });
        // Nobody else is there yet.
        blobs.believe_damage(blobs.count_damage()?);
        blobs.report_segments();
        Ok(blobs)
    }

    /// Begins to take a body in.
    pub fn begin(self: &Arc<Self>, options: &IngestOptions) -> Ingest {
        Ingest::new(Arc::clone(self), options)
    }

    /// Opens a body for reading and keeps it until the reader is dropped.
    ///
    /// # Errors
    /// Busy if its last reference went meanwhile: what referred to it should be looked up again.
    pub fn reader(self: &Arc<Self>, id: ManifestId) -> Result<BlobReader, StoreError> {
        BlobReader::open(Arc::clone(self), id)
    }

    /// What must not be collected now.
    #[must_use]
    pub fn pins(&self) -> &Arc<Pins> {
        &self.pins
    }

    /// Who reads chunks now.
    pub(crate) fn readings(&self) -> &Arc<Readings> {
        &self.readings
    }

    /// What finds chunks by their digests.
    pub(crate) fn index(&self) -> &Arc<HashIndex> {
        &self.index
    }

    /// Queues a verb once the bytes of a body are durable. `done` is called after the group of
    /// the verb is, or when one of them cannot be.
    pub fn commit<T, E>(
        &self,
        staged: Option<Arc<Staged>>,
        mut verb: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        done: impl FnOnce(Result<T, E>) + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let Some(staged) = staged else { return self.meta.submit(verb, done) };
        let (blobs, lane, kept) = (Arc::clone(&staged.blobs), staged.lane, Arc::clone(&staged));
        let verb = move |tx: &mut Tx<'_>| {
            staged.unseal();
            verb(tx)
        };
        let done = move |result: Result<T, E>| {
            if result.is_ok() {
                kept.committed();
            }
            drop(kept);
            done(result);
        };
        blobs.submit_after(lane, Submission::new(verb, done));
    }

    /// Queues a submission once everything appended to a lane so far is durable.
    fn submit_after(self: &Arc<Self>, lane: Option<Appended>, submission: Submission) {
        let lane = lane.filter(|_| !self.meta.faults().has(Fault::RowsBeforeBytes));
        let Some((lane, since)) = lane else { return self.meta.submit_boxed(submission) };
        let blobs = Arc::clone(self);
        let done = move |synced: Result<(), StoreError>| match synced {
            Ok(()) => {
                blobs.report_segments();
                blobs.meta.submit_boxed(submission);
            }
            Err(error) => submission.refuse(error),
        };
        self.segments.wait_synced(lane, since, Box::new(done));
    }

    /// Commits a verb after everything appended to a lane so far is durable, and waits for its
    /// answer.
    pub(crate) fn apply_after<T: Send + 'static>(
        self: &Arc<Self>,
        lane: Appended,
        verb: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, answer) = mpsc::channel();
        self.submit_after(Some(lane), Submission::new(verb, move |result| drop(sender.send(result))));
        self.answer(&answer)
    }

    /// Queues the rows of segments that changed, ahead of whatever is queued later.
    pub(crate) fn report_segments(&self) {
        let _order = self.reporting.lock().unwrap_or_else(PoisonError::into_inner);
        let states = self.segments.take_states();
        if states.is_empty() {
            return;
        }
        let (segments, returned) = (Arc::clone(&self.segments), states.clone());
        let verb = move |tx: &mut Tx<'_>| {
            // What they tell of a segment is known to nobody else, however little room there is.
            tx.give_back();
            for (segment, state) in &states {
                tx.put(Table::Segment, number_key(segment.0), SegmentRow::from(state).encode());
            }
            Ok::<(), StoreError>(())
        };
        self.meta.submit(verb, move |result| {
            if result.is_err() {
                segments.return_states(returned);
            }
        });
    }

    /// A chunk of the same content in the same domain, pinned. The pin comes first: what is
    /// still live in a snapshot taken afterwards cannot be condemned any more.
    fn find(&self, key: &HashKey, digest: &[u8; 32]) -> Result<Option<Found>, StoreError> {
        let Some(chunk) = self.index.candidate(&self.meta.snapshot()?, key)? else { return Ok(None) };
        let Some(pin) = self.pins.pin(Thing::Chunk(chunk)) else { return Ok(None) };
        let row = find_chunk(&self.meta.snapshot()?, chunk)?;
        let row = row.filter(|row| row.digest == *digest && row.domain == key.domain());
        Ok(row.and_then(|row| match row.state {
            ChunkState::Live => Some(Found::Sound(chunk, pin)),
            ChunkState::Bad if self.meta.faults().has(Fault::DamagedShared) => Some(Found::Sound(chunk, pin)),
            ChunkState::Condemned if self.meta.faults().has(Fault::CondemnedShared) => {
                Some(Found::Sound(chunk, pin))
            }
            ChunkState::Bad => Some(Found::Bad(chunk, pin)),
            ChunkState::Condemned => None,
        }))
    }

    /// Waits for an answer of the committer.
    pub(super) fn answer<T>(&self, answer: &Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
        loop {
            let patience = if self.driven.load(Ordering::Relaxed) {
                Duration::from_millis(100)
            } else {
                self.step();
                Duration::from_millis(1)
            };
            match answer.recv_timeout(patience) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(StoreError::Unavailable("an answer was lost".into()));
                }
            }
        }
    }

    /// Does whatever there is to do in lanes and committer; how much that was.
    pub(super) fn step(&self) -> usize {
        let lanes = LaneId::all().filter(|&lane| self.segments.step(lane)).count();
        lanes + self.meta.step()
    }

    pub(super) fn set_driven(&self, driven: bool) {
        self.driven.store(driven, Ordering::Relaxed);
    }

    /// Brings the hash index and the rows of segments up to date, before closing.
    pub(super) fn settle(&self) {
        self.report_segments();
        self.index.merge(&self.meta, true);
        while self.index.is_merging() {
            if self.meta.step() == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}
