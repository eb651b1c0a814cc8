//! The metadata file as redb sees it: a redb storage backend over [`File`].
//!
//! redb lengthens its file by doubling; here that only makes the file longer. Room on the disk is
//! taken in steps, ahead of the highest byte written and behind the end of the file where need be,
//! so that a full disk is met before a commit begins and not in the middle of one. That room is the
//! file's own: a disk that others fill to the last byte takes nothing of it. After the first failed
//! write or sync nothing reaches the file any more: a failed sync is never retried.

use std::io;

use redb::StorageBackend;

use crate::store::{
    error::is_full,
    faults::{Fault, Faults},
    io::{File, Io, Site},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Room is taken in steps of this size. Little in tests, so that they come to its end.
const STEP: u64 = if cfg!(test) { 1 << 20 } else { 16 << 20 };

/// Room that must be there before a commit begins. More than a group of the greatest size with
/// the pages above its rows and the saved page allocator.
pub(super) const AHEAD: u64 = if cfg!(test) { 2 << 20 } else { 16 << 20 };

/// The same for a small group of verbs that give room back, where there is no more to be had.
pub(super) const LEAST: u64 = AHEAD / 8;

/// What the backend and the engine both know about the file.
#[derive(Debug)]
pub(super) struct MetaFile {
    file: Arc<dyn File>,
    len: AtomicU64,
    allocated: AtomicU64,
    written: AtomicU64,
    failed: AtomicBool,
    faults: Faults,
}

impl MetaFile {
    pub(super) fn new(file: Arc<dyn File>, faults: Faults) -> io::Result<Arc<Self>> {
        let len = file.len()?;
        Ok(Arc::new(Self {
            file,
            len: AtomicU64::new(len),
            allocated: AtomicU64::new(0),
            written: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            faults,
        }))
    }

    /// The length of the file.
    pub(super) fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    /// True once a write or sync failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Makes sure of so much room ahead. Fails before anything was written, so that the store can
    /// go on.
    pub(super) fn ensure_room(&self, io: &dyn Io, ahead: u64) -> io::Result<()> {
        self.check()?;
        let wanted = self.written.load(Ordering::Acquire) + ahead;
        if self.allocated.load(Ordering::Acquire) >= wanted || self.take(wanted)? {
            return Ok(());
        }
        // Where no room can be taken ahead it can only be looked whether there is any.
        if io.space()?.free < ahead { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// Takes room up to `end`, and up to the next step where there is enough for it. False where
    /// the file system cannot.
    fn take(&self, end: u64) -> io::Result<bool> {
        let step = end.next_multiple_of(STEP);
        let (reached, held) = match self.file.hold(step) {
            Err(error) if is_full(&error) => (end, self.file.hold(end)?),
            held => (step, held?),
        };
        if held {
            self.allocated.fetch_max(reached, Ordering::AcqRel);
        }
        Ok(held)
    }

    fn check(&self) -> io::Result<()> {
        if self.has_failed() { Err(io::Error::other("the metadata file failed before")) } else { Ok(()) }
    }

    fn latch<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if result.is_err() {
            self.failed.store(true, Ordering::Release);
        }
        result
    }

    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        if end > self.allocated.load(Ordering::Acquire) {
            self.take(end)?;
        }
        self.written.fetch_max(end, Ordering::AcqRel);
        self.file.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let before = self.len.load(Ordering::Acquire);
        self.file.set_len(len)?;
        self.len.store(len, Ordering::Release);
        // Room behind the end goes when the file becomes shorter, and stays when it grows.
        if len <= before {
            self.allocated.fetch_min(len, Ordering::AcqRel);
            self.written.fetch_min(len, Ordering::AcqRel);
        }
        Ok(())
    }
}

/// The backend itself. Locking is not forwarded: `LOCK` guards the whole data directory.
#[derive(Debug)]
pub(super) struct Backend(pub(super) Arc<MetaFile>);

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.file.read_at(out, offset)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.check()?;
        self.0.latch(self.0.set_len(len))
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.check()?;
        let synced = self.0.file.sync(Site::Meta);
        if self.0.faults.has(Fault::MetaSyncRetried) && synced.is_err() {
            return self.0.file.sync(Site::Meta);
        }
        self.0.latch(synced)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.check()?;
        self.0.latch(self.0.write(data, offset))
    }
}
