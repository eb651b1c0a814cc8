//! Room on the disk: below a threshold no new bodies are taken, below a quarter of it those under
//! way end, and `reserve`, a file of allocated zeros, is given back when rows or the collector find
//! no room any more. It is put by again as soon as that leaves room for bodies.
//!
//! Knows how much is free, not what for.

use super::Clock;
use crate::{
    model::time::Timestamp,
    store::{
        error::StoreError,
        faults::{Fault, Faults},
        io::{Io, Mode, Site, open_if_there},
        sync::{Arc, Mutex, MutexGuard, PoisonError},
    },
};

const RESERVE: &str = "reserve";
const MIB: u64 = 1 << 20;
/// Bodies under way end when less than this part of the threshold is free: what is left is for rows.
const LOWER: u64 = 4;
/// How long an answer of the disk is good for.
const FRESH_MS: i64 = 1000;

/// Room put by, and when new bodies are refused. `None` is a share of the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RoomOptions {
    /// Size of the reserve: else a thousandth of the disk, at least 64 MiB, at most 1 GiB, and
    /// never more than a sixteenth of the disk.
    pub reserve_bytes: Option<u64>,
    /// No new bodies when less is free: else a hundredth of the disk, at least 64 MiB, at most
    /// 2 GiB.
    pub full_below_bytes: Option<u64>,
}

impl RoomOptions {
    /// How many bytes are put by on a disk of this size.
    #[must_use]
    pub fn reserve(self, total: u64) -> u64 {
        self.reserve_bytes.unwrap_or((total / 1000).clamp(64 * MIB, 1024 * MIB).min(total / 16))
    }

    /// Below how many free bytes of so many no new bodies are taken.
    #[must_use]
    pub fn full_below(self, total: u64) -> u64 {
        self.full_below_bytes.unwrap_or((total / 100).clamp(64 * MIB, 2048 * MIB))
    }
}

/// How full the disk is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Level {
    /// Bodies are taken.
    #[default]
    Open,
    /// No new bodies are taken; those under way go on while there is room for them.
    Bodies,
    /// The reserve is in use, for rows and for collecting. Bodies under way end, too.
    Reserve,
}

#[derive(Debug, Default)]
struct Seen {
    /// When the disk was asked last, and what it said.
    asked: Option<(Timestamp, Level)>,
    /// The reserve is whole.
    reserved: bool,
}

pub(super) struct Room {
    io: Arc<dyn Io>,
    options: RoomOptions,
    now: Clock,
    seen: Mutex<Seen>,
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room")
            .field("options", &self.options)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl Room {
    /// Takes stock; the reserve is made if there is room for it.
    pub(super) fn open(io: Arc<dyn Io>, options: RoomOptions, now: Clock) -> Result<Self, StoreError> {
        let room = Self { io, options, now, seen: Mutex::default() };
        let mut seen = room.seen();
        seen.reserved = room.reserve_bytes()? >= options.reserve(room.io.space()?.total);
        room.ask(&mut seen)?;
        drop(seen);
        Ok(room)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the reserve is.
    fn reserve_bytes(&self) -> Result<u64, StoreError> {
        Ok(open_if_there(&*self.io, RESERVE)?.map_or(Ok(0), |file| file.len())?)
    }

    /// How full the disk is; the answer may be a second old.
    pub(super) fn level(&self) -> Result<Level, StoreError> {
        let mut seen = self.seen();
        let now = (self.now)();
        match seen.asked {
            // A clock that was turned back makes no answer last longer.
            Some((then, level)) if (0..FRESH_MS).contains(&now.0.saturating_sub(then.0)) => Ok(level),
            _ => self.ask(&mut seen),
        }
    }

    pub(super) fn admits_bodies(&self) -> Result<(), StoreError> {
        if self.level()? == Level::Open { Ok(()) } else { Err(StoreError::Full) }
    }

    /// Whether a body under way may take more room. Asks the disk every time: a stream fills much
    /// of it in a second.
    pub(super) fn admits_growth(&self) -> Result<(), StoreError> {
        let mut seen = self.seen();
        let space = self.io.space()?;
        if !seen.reserved && self.ask(&mut seen)? != Level::Open {
            return Err(StoreError::Full);
        }
        if space.free < self.options.full_below(space.total) / LOWER { Err(StoreError::Full) } else { Ok(()) }
    }

    /// Asks the disk, and puts the reserve by again when that leaves room for bodies.
    fn ask(&self, seen: &mut Seen) -> Result<Level, StoreError> {
        let space = self.io.space()?;
        let full_below = self.options.full_below(space.total);
        let reserve = self.options.reserve(space.total);
        if !seen.reserved && space.free >= full_below.saturating_add(reserve) {
            match self.make_reserve(reserve) {
                Ok(()) => seen.reserved = true,
                // Somebody else was faster; it stays as it is until there is room.
                Err(StoreError::Full) => {}
                Err(error) => return Err(error),
            }
        }
        let lavish = Faults::of(&*self.io).has(Fault::ReserveForBodies);
        let level = match seen.reserved || lavish {
            true if lavish || self.io.space()?.free >= full_below => Level::Open,
            true => Level::Bodies,
            false => Level::Reserve,
        };
        seen.asked = Some(((self.now)(), level));
        Ok(level)
    }

    fn make_reserve(&self, size: u64) -> Result<(), StoreError> {
        self.io.remove(RESERVE)?;
        let file = self.io.open(RESERVE, Mode::Create)?;
        if let Err(error) = file.allocate(size) {
            self.io.remove(RESERVE)?;
            return Err(error.into());
        }
        file.sync(Site::Reserve)?;
        Ok(self.io.sync_dir("", Site::RootDir)?)
    }

    /// Whether so many bytes are free; the reserve is given back if they are with it.
    pub(super) fn frees(&self, bytes: u64) -> Result<bool, StoreError> {
        let mut seen = self.seen();
        let free = self.io.space()?.free;
        if free < bytes && free + self.reserve_bytes()? >= bytes {
            self.give_back(&mut seen)?;
        }
        Ok(self.io.space()?.free >= bytes)
    }

    /// Gives the reserve back, whole or not; whether there was any.
    pub(super) fn release(&self) -> Result<bool, StoreError> {
        self.give_back(&mut self.seen())
    }

    fn give_back(&self, seen: &mut Seen) -> Result<bool, StoreError> {
        let had = self.reserve_bytes()? > 0;
        seen.reserved = false;
        seen.asked = Some(((self.now)(), Level::Reserve));
        self.io.remove(RESERVE)?;
        Ok(had)
    }
}

#[cfg(test)]
mod tests {
    use crate::store::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::store::io::sim::SimDisk;

    fn room(disk: &SimDisk, clock: &Arc<AtomicI64>) -> Room {
        let options = RoomOptions { reserve_bytes: Some(4096), full_below_bytes: Some(8192) };
        let clock = clock.clone();
        let now = Arc::new(move || Timestamp(clock.load(Ordering::Relaxed)));
        Room::open(Arc::new(disk.clone()), options, now).unwrap()
    }

    #[test]
    fn bodies_are_refused_below_the_threshold_and_taken_again_above() {
        let (disk, clock) = (SimDisk::new(), Arc::new(AtomicI64::new(0)));
        let room = room(&disk, &clock);
        room.admits_bodies().unwrap();
        disk.set_free(8191);
        room.admits_bodies().unwrap();
        clock.store(1000, Ordering::Relaxed);
        assert!(matches!(room.admits_bodies(), Err(StoreError::Full)));
        disk.set_free(8192);
        clock.store(-5, Ordering::Relaxed);
        room.admits_bodies().unwrap();
    }

    #[test]
    fn a_released_reserve_gives_its_room_and_comes_back_when_there_is_enough() {
        let (disk, clock) = (SimDisk::new(), Arc::new(AtomicI64::new(0)));
        let room = room(&disk, &clock);
        disk.set_free(0);
        assert!(room.release().unwrap());
        assert_eq!(disk.space().unwrap().free, 4096);
        assert!(!room.release().unwrap());
        clock.store(1000, Ordering::Relaxed);
        assert!(matches!(room.admits_bodies(), Err(StoreError::Full)));
        disk.set_free(12_288);
        clock.store(2000, Ordering::Relaxed);
        room.admits_bodies().unwrap();
        assert_eq!(disk.space().unwrap().free, 8192);
        assert!(room.release().unwrap());
    }

    #[test]
    fn a_body_under_way_goes_on_below_the_threshold_and_ends_before_rows_do() {
        let (disk, clock) = (SimDisk::new(), Arc::new(AtomicI64::new(0)));
        let room = room(&disk, &clock);
        let level = || {
            clock.fetch_add(FRESH_MS, Ordering::Relaxed);
            room.level().unwrap()
        };
        assert_eq!(level(), Level::Open);
        disk.set_free(2048);
        assert_eq!(level(), Level::Bodies);
        room.admits_growth().unwrap();
        disk.set_free(2047);
        assert!(matches!(room.admits_growth(), Err(StoreError::Full)));
        assert!(room.release().unwrap());
        assert!(disk.space().unwrap().free > 2048);
        assert!(matches!(room.admits_growth(), Err(StoreError::Full)), "the reserve is for others");
        assert_eq!(level(), Level::Reserve);
        disk.set_free(12_288);
        room.admits_growth().unwrap();
        assert_eq!(level(), Level::Open);
    }

    /// The setting grew while the disk was full: what there is of it can be used all the same.
    #[test]
    fn a_reserve_that_is_too_small_is_given_back_too() {
        let (disk, clock) = (SimDisk::new(), Arc::new(AtomicI64::new(0)));
        disk.open(RESERVE, Mode::Create).unwrap().allocate(1000).unwrap();
        disk.set_free(0);
        let room = room(&disk, &clock);
        assert_eq!(room.level().unwrap(), Level::Reserve);
        assert!(room.release().unwrap());
        assert_eq!(disk.space().unwrap().free, 1000);
    }

    #[test]
    fn a_disk_that_is_full_at_the_start_still_opens() {
        let (disk, clock) = (SimDisk::new(), Arc::new(AtomicI64::new(0)));
        disk.set_free(100);
        let room = room(&disk, &clock);
        assert!(matches!(room.admits_bodies(), Err(StoreError::Full)));
        assert!(!room.release().unwrap());
    }

    #[test]
    fn the_reserve_is_whole_after_a_crash_unless_its_sync_was_left_out() {
        let broken = |skip: Option<Site>| {
            (0..100).any(|seed| {
                let (disk, clock) = (SimDisk::new(), Arc::new(AtomicI64::new(0)));
                skip.into_iter().for_each(|site| disk.skip(site));
                room(&disk, &clock);
                let after = disk.crash(seed);
                !after.open(RESERVE, Mode::Read).is_ok_and(|file| file.len().unwrap() == 4096)
            })
        };
        assert!(!broken(None));
        assert!(broken(Some(Site::Reserve)));
        assert!(broken(Some(Site::RootDir)));
    }

    #[test]
    fn sizes_follow_the_disk_between_their_bounds() {
        let options = RoomOptions::default();
        assert_eq!(options.reserve(1 << 40), 1 << 30);
        assert_eq!(options.reserve(100 << 30), (100 << 30) / 1000);
        assert_eq!(options.reserve(64 * MIB), 4 * MIB);
        assert_eq!(options.full_below(10 << 30), (10 << 30) / 100);
        assert_eq!(options.full_below(1 << 30), 64 * MIB);
        assert_eq!(options.full_below(1 << 50), 2048 * MIB);
    }
}
