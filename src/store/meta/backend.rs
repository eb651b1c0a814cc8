//! The metadata file as redb sees it: a redb storage backend over [`File`].
//!
//! redb lengthens its file by doubling; here that only makes the file longer. Room on the disk is
//! taken in steps, ahead of the highest byte written, so that a full disk is met before a commit
//! begins and not in the middle of one. After the first failed write or sync nothing reaches the
//! file any more: a failed sync is never retried.

use std::io;

use redb::StorageBackend;

use crate::store::{
    faults::{Fault, Faults},
    io::{File, Io, Site},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Room is taken in steps of this size.
const STEP: u64 = 16 << 20;

/// Room that must be there before a commit begins. More than a group of the greatest size with
/// the pages above its rows and the saved page allocator.
const AHEAD: u64 = 16 << 20;

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

    /// Takes the room the next commit may need. Fails before anything was written, so that the
    /// store can go on.
    pub(super) fn ensure_room(&self, io: &dyn Io) -> io::Result<()> {
        self.check()?;
        let wanted = self.written.load(Ordering::Acquire) + AHEAD;
        let inside = wanted.min(self.len());
        if self.allocated.load(Ordering::Acquire) < inside {
            self.allocate(inside)?;
        }
        let outside = wanted - inside;
        if outside > 0 && io.space()?.free < outside {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn allocate(&self, end: u64) -> io::Result<()> {
        let end = end.next_multiple_of(STEP).min(self.len());
        self.file.allocate(end)?;
        self.allocated.store(end, Ordering::Release);
        Ok(())
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
            self.allocate(end)?;
        }
        self.written.fetch_max(end, Ordering::AcqRel);
        self.file.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)?;
        self.len.store(len, Ordering::Release);
        self.allocated.fetch_min(len, Ordering::AcqRel);
        self.written.fetch_min(len, Ordering::AcqRel);
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
