//! Takes a body in: cuts it, drops what is zero, finds what is there, stores the rest.
//!
//! Memory is bounded by one chunk and one batch of rows, whatever the size. A body of more than a
//! batch is committed piece by piece under an open manifest, which no reader can see.

use super::{
    Blobs,
    batch::Batch,
    index::UnderWay,
    pins::Pin,
    rows::{ChunkRow, ChunkState, HashKey, domain_number},
    staged::{OpenManifest, Staged},
};
use crate::{
    model::{
        checksum::ChecksumKind,
        chunker::{self, Chunker},
        digest::Digester,
        extra::Extra,
        ids::{AccountId, ChunkNo, ManifestId},
    },
    store::{
        error::StoreError,
        meta::{Kind, Submission, Tx},
        segments::{Crcs, ExclusiveLane, LaneId, Life, Record},
        sync::{Arc, atomic::AtomicBool, mpsc},
    },
};

/// Bodies up to this size go to the lane of small ones.
const SMALL: u64 = 64 << 10;
/// Bodies above this size have a lane to themselves while there are enough.
const LARGE: u64 = 64 << 20;

/// How a body is taken in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IngestOptions {
    /// Whose content it may share. `None` looks nothing up and is never found.
    pub domain: Option<AccountId>,
    /// Its size, if that is known; only a hint.
    pub size: Option<u64>,
    /// Checksums to compute.
    pub checksums: Vec<ChecksumKind>,
    /// Whether to compute SHA-256 beside them.
    pub sha256: bool,
    /// Other digests to compute.
    pub extras: Vec<Extra>,
}

/// A body on its way in; dropping it aborts. Its halves take in the same bytes and may do so on
/// two threads.
#[derive(Debug)]
pub struct Ingest {
    /// Stores them.
    pub chunks: ChunkSink,
    /// Digests them.
    pub digests: Digester,
}

impl Ingest {
    pub(super) fn new(blobs: Arc<Blobs>, options: &IngestOptions) -> Self {
        let digests = Digester::new(options.sha256, &options.checksums).with(&options.extras);
        Self { chunks: ChunkSink::new(blobs, options), digests }
    }

    /// Takes in the next bytes, on this thread.
    ///
    /// # Errors
    /// When they cannot be stored. The body is lost then.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.digests.update(bytes);
        self.chunks.write(bytes)
    }

    /// Ends the body.
    ///
    /// # Errors
    /// As [`Ingest::write`], and if the halves did not take in as much as each other.
    pub fn finish(self) -> Result<Staged, StoreError> {
        if self.digests.len() != self.chunks.len() {
            return Err(StoreError::Damaged("the two halves of an upload saw different bodies".into()));
        }
        self.chunks.finish(self.digests)
    }
}

/// The half of an [`Ingest`] that stores.
#[derive(Debug)]
pub struct ChunkSink {
    blobs: Arc<Blobs>,
    domain: u64,
    lane: LaneId,
    /// Keeps `lane` from other large bodies.
    _exclusive: Option<ExclusiveLane>,
    chunker: Chunker,
    /// The beginning of the current chunk.
    partial: Vec<u8>,
    batch: Batch,
    /// Pieces of the batches before.
    before: u64,
    /// The life of the lane when something was first appended since the last wait.
    dirty: Option<Life>,
    open: Option<Arc<OpenManifest>>,
    /// The answer for the batch before, if it was submitted.
    staging: Option<mpsc::Receiver<Result<(), StoreError>>>,
    failed: bool,
    under_way: UnderWay,
}

impl ChunkSink {
    fn new(blobs: Arc<Blobs>, options: &IngestOptions) -> Self {
        let size = options.size.unwrap_or(SMALL + 1);
        let exclusive = if size > LARGE { blobs.segments.exclusive() } else { None };
        let shared = if size <= SMALL { LaneId::Small } else { LaneId::Normal };
        Self {
            domain: domain_number(options.domain, blobs.options.shared_dedup),
            lane: exclusive.as_ref().map_or(shared, ExclusiveLane::id),
            _exclusive: exclusive,
            chunker: Chunker::new(chunker::STANDARD),
            partial: Vec::new(),
            batch: Batch::at(0),
            before: 0,
            dirty: None,
            open: None,
            staging: None,
            failed: false,
            under_way: blobs.index.begin(),
            blobs,
        }
    }

    /// Bytes taken in so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.batch.end() + self.partial.len() as u64
    }

    /// True before the first byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes in the next bytes. Blocks while they are hashed, compressed and written.
    ///
    /// # Errors
    /// When they cannot be stored; then every later call fails too.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Unavailable("this upload has failed before".into()));
        }
        // Set while at work, so that a call that fails half-way is not followed by another.
        self.failed = true;
        self.take_in(bytes)?;
        self.failed = false;
        Ok(())
    }

    fn take_in(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        while let Some(length) = self.chunker.cut(bytes) {
            let (head, rest) = bytes.split_at(length.min(bytes.len()));
            if self.partial.is_empty() {
                self.chunk(head)?;
            } else {
                self.partial.extend_from_slice(head);
                self.partial_chunk()?;
            }
            bytes = rest;
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    fn partial_chunk(&mut self) -> Result<(), StoreError> {
        let mut partial = std::mem::take(&mut self.partial);
        self.chunk(&partial)?;
        partial.clear();
        self.partial = partial;
        Ok(())
    }

    /// Ends the current chunk here, whatever the content.
    pub(in crate::store) fn end_chunk(&mut self) -> Result<(), StoreError> {
        self.chunker.finish();
        if self.partial.is_empty() { Ok(()) } else { self.partial_chunk() }
    }

    fn chunk(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let len = bytes.len() as u64;
        if bytes.iter().all(|&byte| byte == 0) {
            self.batch.hole(len);
            return self.stage_if_full();
        }
        let digest = *blake3::hash(bytes).as_bytes();
        match HashKey::new(self.domain, &digest) {
            None => self.store(None, digest, bytes)?,
            Some(_) if self.batch.again(&digest, len) => {}
            Some(key) => match self.blobs.find(&key, &digest)? {
                Some(Found::Sound(chunk, pin)) => self.batch.hit(chunk, pin, len),
                Some(Found::Bad(chunk, pin)) => self.store(Some((chunk, pin)), digest, bytes)?,
                None => self.store(None, digest, bytes)?,
            },
        }
        self.stage_if_full()
    }

    /// Appends a chunk; in place of a damaged one if there is one.
    fn store(
        &mut self,
        damaged: Option<(ChunkNo, Pin)>,
        digest: [u8; 32],
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        let chunk = match &damaged {
            Some((chunk, _)) => *chunk,
            None => ChunkNo(self.blobs.meta.fresh(Kind::Chunk)?),
        };
        let crcs = crcs(bytes);
        let record = Record { chunk, domain: AccountId(self.domain), digest, crcs, bytes };
        let (placed, held) = self.blobs.segments.append(self.lane, &record)?;
        self.dirty.get_or_insert(held.life());
        self.batch.hold(held);
        let row = ChunkRow {
            segment: placed.segment,
            offset: placed.offset,
            stored_len: placed.stored_len,
            raw_len: bytes.len() as u32,
            codec: placed.codec.code(),
            domain: self.domain,
            state: ChunkState::Live,
            digest,
            crc32: crcs.crc32,
            crc32c: crcs.crc32c,
            crc64: crcs.crc64,
        };
        match damaged {
            Some((chunk, pin)) => self.batch.heal(chunk, row, pin),
            None => self.batch.fresh(chunk, row),
        }
        Ok(())
    }

    /// Refers to a chunk of another manifest, or to a hole, as a whole.
    pub(super) fn adopt(&mut self, chunk: Option<(ChunkNo, Pin)>, len: u64) -> Result<(), StoreError> {
        self.end_chunk()?;
        match chunk {
            Some((chunk, pin)) => self.batch.hit(chunk, pin, len),
            None => self.batch.hole(len),
        }
        self.stage_if_full()
    }

    fn stage_if_full(&mut self) -> Result<(), StoreError> {
        if self.batch.is_full(self.blobs.options.batch_bytes) { self.stage() } else { Ok(()) }
    }

    /// Submits the batch under an open manifest. One batch is on its way while the next fills.
    fn stage(&mut self) -> Result<(), StoreError> {
        self.await_staging()?;
        let next = Batch::at(self.batch.end());
        let batch = std::mem::replace(&mut self.batch, next);
        self.before += batch.pieces();
        let first = self.open.is_none();
        let open = match &self.open {
            Some(open) => Arc::clone(open),
            None => {
                let id = ManifestId(self.blobs.meta.fresh(Kind::Manifest)?);
                Arc::clone(self.open.insert(Arc::new(OpenManifest::new(Arc::clone(&self.blobs), id))))
            }
        };
        let (sender, answer) = mpsc::channel();
        let batch = Arc::new(batch);
        let offered = Arc::clone(&batch);
        let verb = move |tx: &mut Tx<'_>| {
            if first {
                open.put(tx);
            }
            batch.put(tx, open.id)
        };
        let blobs = Arc::clone(&self.blobs);
        let done = move |result: Result<(), StoreError>| {
            if result.is_ok() {
                offered.offer(&blobs);
            }
            // Nobody listens any more once the upload was aborted.
            let _ = sender.send(result);
        };
        let lane = self.dirty.take().map(|since| (self.lane, since));
        self.blobs.submit_after(lane, Submission::new(verb, done));
        self.staging = Some(answer);
        Ok(())
    }

    fn await_staging(&mut self) -> Result<(), StoreError> {
        self.staging.take().map_or(Ok(()), |answer| self.blobs.answer(&answer))
    }

    fn finish(mut self, digests: Digester) -> Result<Staged, StoreError> {
        if self.failed {
            return Err(StoreError::Unavailable("this upload has failed before".into()));
        }
        self.end_chunk()?;
        self.await_staging()?;
        let id = match &self.open {
            Some(open) => open.id,
            None => ManifestId(self.blobs.meta.fresh(Kind::Manifest)?),
        };
        Ok(Staged {
            size: self.batch.end(),
            digests: digests.finish(),
            id,
            before: self.before,
            batch: self.batch,
            open: self.open,
            lane: self.dirty.map(|since| (self.lane, since)),
            sealed: AtomicBool::new(false),
            _under_way: self.under_way,
            blobs: self.blobs,
        })
    }
}

fn crcs(bytes: &[u8]) -> Crcs {
    Crcs {
        crc32: crc_fast::crc32_iso_hdlc(bytes),
        crc32c: crc_fast::crc32_iscsi(bytes),
        crc64: crc_fast::crc64_nvme(bytes),
    }
}

/// A chunk that holds what is looked for, pinned.
#[derive(Debug)]
pub(super) enum Found {
    /// It may be referred to.
    Sound(ChunkNo, Pin),
    /// Its bytes are damaged; storing them again heals it.
    Bad(ChunkNo, Pin),
}
