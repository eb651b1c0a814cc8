//! A disk in memory that forgets what was not synced, for tests and crash simulations.
//!
//! It is deterministic: no clock, no thread, one log of everything that was done and is not yet
//! durable. [`SimDisk::crash`] makes from it the disk that a power cut could leave. Unsynced
//! writes are then lost, kept, kept in part (sectors of 512 bytes are the smallest unit), or leave
//! their length behind without their bytes; unsynced names are there or not; in any mixture.
//!
//! Stricter than most file systems: the sync of a file never makes its name durable.

mod content;
mod crash;
#[cfg(test)]
pub mod fault;
mod harm;
#[cfg(test)]
pub(crate) mod left_out;
mod names;
mod state;

use std::{io, ops::Range};

use crate::store::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{File, Found, Io, Mode, Site, Space};
use state::{State, Watcher};

pub use state::Counts;

/// Bytes that a disk writes whole or not at all.
pub const SECTOR: u64 = 512;

/// A simulated disk. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk of 1 TiB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the disk could hold after a power cut now. The same seed gives the same image, which
    /// is a disk of its own, without faults or left-out syncs.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        let state = crash::image(&self.state(), seed);
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Has `watch` look at the disk before each change from now on: at every moment in which the
    /// power could go. It must not ask the disk for anything.
    pub fn watch(&self, mut watch: impl FnMut(&Moment<'_>) + Send + 'static) {
        let watcher = Watcher(Box::new(move |state| watch(&Moment(state))));
        self.state().watcher = Some(watcher);
    }

    /// Ends [`SimDisk::watch`].
    pub fn unwatch(&self) {
        self.state().watcher = None;
    }

    /// From now on every sync of this site answers well and does nothing.
    pub fn skip(&self, site: Site) {
        self.state().skipped.insert(site);
    }

    /// One sync of a site answers well and does nothing; the power goes some changes later.
    #[cfg(test)]
    pub(crate) fn leave_out(&self, one: left_out::LeftOut) {
        self.state().left_out = Some((one.site, one.nth, one.more));
    }

    /// Calls go through again: the process had ended, and not the power. What was not durable is
    /// there and still is not.
    #[cfg(test)]
    pub(crate) fn go_on(&self) {
        self.state().power_until = None;
    }

    /// From now on every sync of this site fails, and what it should have synced stays volatile.
    pub fn fail(&self, site: Site) {
        self.state().failing.insert(site);
    }

    /// From now on the syncs of this site go well again.
    pub fn heal(&self, site: Site) {
        self.state().failing.remove(&site);
    }

    /// The next sync of this site fails. As systems do it, later ones of that file answer well
    /// and do nothing for what was written until now: what was given up is not tried again.
    pub fn fail_once(&self, site: Site) {
        self.fail_nth(site, 1);
    }

    /// As [`SimDisk::fail_once`], the `nth` sync of this site from now on.
    pub fn fail_nth(&self, site: Site, nth: u32) {
        self.state().failing_nth.insert(site, nth);
    }

    /// Lets the first `calls` changing calls from now on through. The next is cut off by the
    /// power: it fails, though a crash image may hold parts of it; every later one fails.
    pub fn crash_after(&self, calls: u64) {
        let mut state = self.state();
        state.power_until = Some(state.counts.changes + calls);
    }

    /// Sets what is free from now on; writing it full gives `StorageFull`.
    pub fn set_free(&self, bytes: u64) {
        self.state().free = bytes;
    }

    /// Lets `writes` more writes through; the one after them fails half-way, once.
    pub fn cut_write_after(&self, writes: u64) {
        let mut state = self.state();
        state.cut_write = Some(state.counts.writes + writes);
    }

    /// What was done so far. [`Counts::changes`] is the number of boundaries for
    /// [`SimDisk::crash_after`].
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state().counts.clone()
    }

    /// Flips bits of one byte, in live and durable content alike, as a decaying disk does.
    ///
    /// # Errors
    /// When there is no such file or byte.
    pub fn damage(&self, path: &str, offset: u64, mask: u8) -> io::Result<()> {
        self.state().damage(path, offset, mask)
    }

    /// Puts other bytes there, in live and durable content alike: what decays, and what a disk
    /// writes to the wrong place. Nothing behind the end.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn overwrite(&self, path: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.state().overwrite(path, offset, bytes)
    }

    /// Ends a file there, in live and durable content alike.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn cut_off(&self, path: &str, len: u64) -> io::Result<()> {
        self.state().cut_off(path, len)
    }

    /// From now on reading any byte of this range fails, as at a bad sector; an empty range makes
    /// the file good again.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn unreadable(&self, path: &str, range: Range<u64>) -> io::Result<()> {
        self.state().unreadable(path, range)
    }

    /// How many files of it are open, and clones of it.
    #[cfg(test)]
    #[must_use]
    pub fn handles(&self) -> usize {
        Arc::strong_count(&self.state)
    }

    /// Memory that holds the file for the system has a bit of this byte wrong, and who reads it gets
    /// that until the system is told to forget it.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn mishold(&self, path: &str, offset: u64) -> io::Result<()> {
        self.state().mishold(path, offset)
    }
}

/// A disk between two changes.
#[derive(Debug)]
pub struct Moment<'a>(&'a State);

impl Moment<'_> {
    /// Which change is next.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.counts.changes
    }

    /// Whether everything is durable, so that all images are the same.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.0.pending_names.is_empty() && self.0.inodes.iter().all(|inode| inode.pending.is_empty())
    }

    /// As [`SimDisk::crash`].
    #[must_use]
    pub fn crash(&self, seed: u64) -> SimDisk {
        SimDisk { state: Arc::new(Mutex::new(crash::image(self.0, seed))) }
    }
}

impl Io for SimDisk {
    fn open(&self, path: &str, mode: Mode) -> io::Result<Arc<dyn File>> {
        let inode = self.state().open(path, mode)?;
        Ok(Arc::new(SimFile { disk: self.clone(), inode, writable: mode != Mode::Read, locked: false }))
    }

    fn found(&self, path: &str) -> io::Result<Option<Found>> {
        Ok(self.state().found(path))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        Ok(self.state().list(dir))
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        self.state().create_dir(dir)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.state().rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.state().remove(path)
    }

    fn sync_dir(&self, dir: &str, site: Site) -> io::Result<()> {
        self.state().sync_dir(dir, site)
    }

    fn lock(&self, path: &str) -> io::Result<Arc<dyn File>> {
        let inode = self.state().lock(path)?;
        Ok(Arc::new(SimFile { disk: self.clone(), inode, writable: true, locked: true }))
    }

    fn space(&self) -> io::Result<Space> {
        let state = self.state();
        Ok(Space { free: state.free, total: state.total })
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: usize,
    writable: bool,
    locked: bool,
}

impl SimFile {
    fn change(&self) -> io::Result<MutexGuard<'_, State>> {
        // As the real disk answers a write through a file opened for reading.
        if self.writable { Ok(self.disk.state()) } else { Err(io::Error::from_raw_os_error(9)) }
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        if self.locked {
            self.disk.state().unlock(self.inode);
        }
    }
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.state().read(self.inode, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.change()?.write(self.inode, bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.state().len(self.inode)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change()?.set_len(self.inode, len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.change()?.allocate(self.inode, len)
    }

    fn hold(&self, end: u64) -> io::Result<bool> {
        self.change()?.hold(self.inode, end).map(|()| true)
    }

    fn sync(&self, site: Site) -> io::Result<()> {
        self.disk.state().sync(self.inode, site)
    }

    fn start_writeback(&self, _offset: u64, _len: u64) {}

    fn uncache(&self, offset: u64, len: u64) {
        self.disk.state().uncache(self.inode, &(offset..offset.saturating_add(len)));
    }
}
