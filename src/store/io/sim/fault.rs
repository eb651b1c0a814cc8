//! A simulated disk whose n-th call of a kind fails, once or from then on.
//!
//! A layer over [`SimDisk`], so that what it lets through is what that disk does. Knows calls, not
//! what they are for.

use std::{collections::BTreeMap, io};

use super::SimDisk;
use crate::store::{
    faults::Faults,
    io::{File, Found, Io, Mode, Site, Space},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What fails, and how.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Failing {
    /// Writing, lengthening and making files and folders finds no room.
    Full,
    /// As [`Failing::Full`], for taking room ahead alone.
    Allocate,
    /// Writing and cutting fail, and nothing of them is done.
    Write,
    /// Half is written, then it fails.
    Short,
    /// Reading fails.
    Read,
    /// Syncing a file fails. What it was about is never durable, whatever later syncs say.
    Sync,
    /// The same of a folder's names.
    SyncDir,
    /// Opening and making a file fails.
    Open,
    /// No file can be opened: the process has too many.
    Descriptors,
    /// Renaming fails.
    Rename,
    /// Removing a file fails.
    Remove,
    /// Making and listing folders fails, and asking how much room there is.
    Folder,
}

impl Failing {
    /// Every one.
    pub const ALL: [Self; 12] = [
        Self::Full,
        Self::Allocate,
        Self::Write,
        Self::Short,
        Self::Read,
        Self::Sync,
        Self::SyncDir,
        Self::Open,
        Self::Descriptors,
        Self::Rename,
        Self::Remove,
        Self::Folder,
    ];

    fn error(self) -> io::Error {
        match self {
            Self::Full | Self::Allocate => io::ErrorKind::StorageFull.into(),
            Self::Descriptors => rustix::io::Errno::MFILE.into(),
            _ => rustix::io::Errno::IO.into(),
        }
    }
}

/// The calls that fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What fails.
    pub fault: Failing,
    /// The number of the first such call that does, from 0.
    pub call: u64,
    /// Whether all after it fail, too.
    pub forever: bool,
}

#[derive(Debug, Default)]
struct Plans {
    plan: Option<Plan>,
    /// Calls that each fault is about, so far.
    calls: BTreeMap<Failing, u64>,
    hit: bool,
}

/// A disk that fails as planned. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct FaultyDisk {
    disk: SimDisk,
    plans: Arc<Mutex<Plans>>,
}

impl FaultyDisk {
    /// This disk, of which nothing fails yet.
    #[must_use]
    pub fn new(disk: SimDisk) -> Self {
        Self { disk, plans: Arc::default() }
    }

    /// Counts from 0 again, and fails so.
    pub fn plan(&self, plan: Plan) {
        *self.plans() = Plans { plan: Some(plan), ..Plans::default() };
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        self.plans().plan = None;
    }

    /// Calls since the last plan that a fault could have been about.
    #[must_use]
    pub fn calls(&self, fault: Failing) -> u64 {
        self.plans().calls.get(&fault).copied().unwrap_or_default()
    }

    /// Whether one of them failed.
    #[must_use]
    pub fn was_hit(&self) -> bool {
        self.plans().hit
    }

    fn plans(&self) -> MutexGuard<'_, Plans> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault of a call that some faults are about, if it is its turn.
    fn turn(&self, about: &[Failing]) -> Option<Failing> {
        let mut plans = self.plans();
        for fault in about {
            *plans.calls.entry(*fault).or_default() += 1;
        }
        let plan = plans.plan.filter(|plan| about.contains(&plan.fault))?;
        let number = plans.calls.get(&plan.fault).map_or(0, |calls| calls - 1);
        let fails = number == plan.call || (plan.forever && number > plan.call);
        plans.hit |= fails;
        fails.then_some(plan.fault)
    }

    fn pass(&self, about: &[Failing]) -> io::Result<()> {
        self.turn(about).map_or(Ok(()), |fault| Err(fault.error()))
    }
}

impl Io for FaultyDisk {
    fn open(&self, path: &str, mode: Mode) -> io::Result<Arc<dyn File>> {
        let made = if mode == Mode::Create { &[Failing::Full][..] } else { &[] };
        self.pass(&[&[Failing::Open, Failing::Descriptors], made].concat())?;
        Ok(Arc::new(FaultyFile { file: self.disk.open(path, mode)?, disk: self.clone() }))
    }

    fn found(&self, path: &str) -> io::Result<Option<Found>> {
        self.pass(&[Failing::Folder])?;
        self.disk.found(path)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.pass(&[Failing::Folder])?;
        self.disk.list(dir)
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        self.pass(&[Failing::Folder, Failing::Full])?;
        self.disk.create_dir(dir)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.pass(&[Failing::Rename])?;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.pass(&[Failing::Remove])?;
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &str, site: Site) -> io::Result<()> {
        match self.turn(&[Failing::SyncDir, Failing::Descriptors]) {
            // A folder is opened to be synced.
            Some(Failing::Descriptors) => return Err(Failing::Descriptors.error()),
            Some(_) => self.disk.fail_once(site),
            None => {}
        }
        self.disk.sync_dir(dir, site)
    }

    fn lock(&self, path: &str) -> io::Result<Arc<dyn File>> {
        self.pass(&[Failing::Open, Failing::Descriptors])?;
        self.disk.lock(path)
    }

    fn space(&self) -> io::Result<Space> {
        self.pass(&[Failing::Folder])?;
        self.disk.space()
    }

    fn faults(&self) -> Faults {
        self.disk.faults()
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Arc<dyn File>,
    disk: FaultyDisk,
}

impl File for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.pass(&[Failing::Read])?;
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let Some(fault) = self.disk.turn(&[Failing::Full, Failing::Write, Failing::Short]) else {
            return self.file.write_at(bytes, offset);
        };
        if fault != Failing::Write {
            self.file.write_at(bytes.get(..bytes.len() / 2).unwrap_or_default(), offset)?;
        }
        Err(fault.error())
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.pass(&[Failing::Write])?;
        self.file.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.disk.pass(&[Failing::Full, Failing::Allocate])?;
        self.file.allocate(len)
    }

    fn hold(&self, end: u64) -> io::Result<bool> {
        self.disk.pass(&[Failing::Full, Failing::Allocate])?;
        self.file.hold(end)
    }

    fn sync(&self, site: Site) -> io::Result<()> {
        if self.disk.turn(&[Failing::Sync]).is_some() {
            self.disk.disk.fail_once(site);
        }
        self.file.sync(site)
    }

    fn start_writeback(&self, offset: u64, len: u64) {
        self.file.start_writeback(offset, len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_call_of_a_kind_fails_once_or_for_ever_and_no_other() {
        let faulty = FaultyDisk::new(SimDisk::new());
        let file = faulty.open("a", Mode::Create).unwrap();
        let write = || file.write_at(b"abcd", 0).map_err(|error| error.kind());
        for (forever, after) in [(false, true), (true, false)] {
            faulty.plan(Plan { fault: Failing::Full, call: 1, forever });
            file.read_at(&mut [], 0).unwrap();
            assert!(write().is_ok() && !faulty.was_hit());
            assert_eq!(write(), Err(io::ErrorKind::StorageFull));
            assert_eq!((write().is_ok(), faulty.calls(Failing::Full), faulty.was_hit()), (after, 3, true));
            faulty.heal();
            assert!(write().is_ok());
        }
    }

    #[test]
    fn a_short_write_leaves_half_and_a_failed_one_nothing() {
        for (fault, left) in [(Failing::Short, 2), (Failing::Write, 0)] {
            let faulty = FaultyDisk::new(SimDisk::new());
            let file = faulty.open("a", Mode::Create).unwrap();
            faulty.plan(Plan { fault, call: 0, forever: false });
            assert!(file.write_at(b"abcd", 0).is_err());
            assert_eq!(file.len().unwrap(), left);
        }
    }

    /// As systems do it: the pages that could not be written count as clean, later ones do not.
    #[test]
    fn what_a_failed_sync_was_about_is_never_durable_and_what_is_written_later_is() {
        let disk = SimDisk::new();
        let faulty = FaultyDisk::new(disk.clone());
        let file = faulty.open("a", Mode::Create).unwrap();
        faulty.sync_dir("", Site::RootDir).unwrap();
        file.write_at(b"1111", 0).unwrap();
        faulty.plan(Plan { fault: Failing::Sync, call: 0, forever: false });
        assert!(file.sync(Site::Meta).is_err());
        file.sync(Site::Meta).unwrap();
        file.write_at(b"22", 4).unwrap();
        file.sync(Site::Meta).unwrap();
        let mut bytes = [0; 6];
        file.read_at(&mut bytes, 0).unwrap();
        assert_eq!(&bytes, b"111122", "what is in memory shows");
        for seed in 0..10 {
            disk.crash(seed).open("a", Mode::Read).unwrap().read_at(&mut bytes, 0).unwrap();
            assert_eq!(&bytes, b"\0\0\0\x0022");
        }
    }
}
