//! Room on the disk: below a threshold no new bodies are taken, and `reserve`, a file of allocated
//! zeros, is given back when even rows find no room any more.
//!
//! Knows how much is free, not what for.

use std::io::ErrorKind;

use super::Clock;
use crate::{
    model::time::Timestamp,
    store::{
        error::StoreError,
        faults::{Fault, Faults},
        io::{Io, Mode, Site},
        sync::{Arc, Mutex, MutexGuard, PoisonError},
    },
};

const RESERVE: &str = "reserve";
const MIB: u64 = 1 << 20;
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
    fn reserve(self, total: u64) -> u64 {
        self.reserve_bytes.unwrap_or((total / 1000).clamp(64 * MIB, 1024 * MIB).min(total / 16))
    }

    /// Below how many free bytes of so many no new bodies are taken.
    #[must_use]
    pub fn full_below(self, total: u64) -> u64 {
        self.full_below_bytes.unwrap_or((total / 100).clamp(64 * MIB, 2048 * MIB))
    }
}

#[derive(Debug, Default)]
struct Seen {
    /// When the disk was asked last, and whether it admitted bodies.
    asked: Option<(Timestamp, bool)>,
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
        let size = options.reserve(room.io.space()?.total);
        seen.reserved = match room.io.open(RESERVE, Mode::Read) {
            Ok(file) => file.len()? >= size,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(error.into()),
        };
        room.ask(&mut seen)?;
        drop(seen);
        Ok(room)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn admits_bodies(&self) -> Result<(), StoreError> {
        let mut seen = self.seen();
        let now = (self.now)();
        let admitted = match seen.asked {
            // A clock that was turned back makes no answer last longer.
            Some((then, admitted)) if (0..FRESH_MS).contains(&now.0.saturating_sub(then.0)) => admitted,
            _ => self.ask(&mut seen)?,
        };
        if admitted { Ok(()) } else { Err(StoreError::Full) }
    }

    /// Asks the disk, and puts the reserve by again when that leaves room for bodies.
    fn ask(&self, seen: &mut Seen) -> Result<bool, StoreError> {
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
        let admitted = lavish || seen.reserved && self.io.space()?.free >= full_below;
        seen.asked = Some(((self.now)(), admitted));
        Ok(admitted)
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

    pub(super) fn release(&self) -> Result<bool, StoreError> {
        let mut seen = self.seen();
        let had = std::mem::take(&mut seen.reserved);
        seen.asked = Some(((self.now)(), false));
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
