//! The data directory as a whole: whose it is, what format it has, how full it may become.
//!
//! ```text
//! FORMAT       what is needed to read the rest (see `format`)
//! LOCK         held by the one process that has the directory open
//! reserve      room put by for a full disk (see `room`)
//! meta/        rows
//! segments/    bytes
//! keys/        secrets under which others are sealed
//! admin.sock   for commands while the server runs
//! ```
//!
//! Knows the names above, not what is in meta, segments and keys.

mod format;
mod room;

use std::io::ErrorKind;

use super::{
    error::StoreError,
    io::{File, Io},
};
use crate::{model::time::Timestamp, store::sync::Arc};
use room::Room;

pub use format::uuid as format_uuid;
pub(super) use format::{bytes as format_bytes, put as put_format};
pub use room::{Level, RoomOptions};

const LOCK: &str = "LOCK";

/// A clock, handed in.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How a data directory is opened.
#[derive(Clone)]
pub struct DirOptions {
    /// The identity a new directory gets: 16 random bytes. One that exists keeps its own.
    pub fresh_uuid: [u8; 16],
    /// Says how old an answer about the room left is; decides nothing else.
    pub now: Clock,
    /// Room put by, and when new bodies are refused.
    pub room: RoomOptions,
    /// Whether an empty directory becomes a new store; otherwise it is refused.
    pub create: bool,
}

impl std::fmt::Debug for DirOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DirOptions").field("room", &self.room).finish_non_exhaustive()
    }
}

/// A data directory that this process has for itself.
#[derive(Debug)]
pub struct DataDir {
    uuid: [u8; 16],
    room: Room,
    // Given up when the directory is dropped.
    _lock: Arc<dyn File>,
}

impl DataDir {
    /// Takes the directory, and lays it out if it is new.
    ///
    /// # Errors
    /// Refused when another process has it, when its format is not one of this build, or when it
    /// is empty and nothing may be made; damaged when FORMAT is not what was written. Nothing is
    /// changed then.
    pub fn open(io: Arc<dyn Io>, options: DirOptions) -> Result<Self, StoreError> {
        // Before LOCK is made: whoever only looks leaves nothing behind.
        if !options.create && format::is_new(&*io)? {
            return Err(StoreError::Refused(
                "there is no data here; start `holdall serve` once, or name the directory with --data".into(),
            ));
        }
        let lock = io.lock(LOCK).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => {
                StoreError::Refused("another holdall is using this data directory".into())
            }
            _ => error.into(),
        })?;
        let uuid = format::read_or_make(&*io, options.fresh_uuid)?;
        let room = Room::open(io, options.room, options.now)?;
        Ok(Self { uuid, room, _lock: lock })
    }

    /// The identity of this store, the same for its whole life.
    #[must_use]
    pub fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    /// Whether there is room for new bodies; the answer may be a second old.
    ///
    /// # Errors
    /// Full below the threshold, or while the reserve is in use.
    pub fn admits_bodies(&self) -> Result<(), StoreError> {
        self.room.admits_bodies()
    }

    /// Whether a body under way may take more room.
    ///
    /// # Errors
    /// Full below a part of the threshold, or while the reserve is in use.
    pub fn admits_growth(&self) -> Result<(), StoreError> {
        self.room.admits_growth()
    }

    /// How full the disk is; the answer may be a second old.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn level(&self) -> Result<Level, StoreError> {
        self.room.level()
    }

    /// Whether so many bytes are free for the collector, with the reserve, which is given back where
    /// that helps.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn frees(&self, bytes: u64) -> Result<bool, StoreError> {
        self.room.frees(bytes)
    }

    /// Gives the reserve back to the disk, so that deletes and rows can go on; true if there was
    /// one. It is put by again by [`DataDir::admits_bodies`] once there is room.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn release_reserve(&self) -> Result<bool, StoreError> {
        self.room.release()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::io::{
        Site,
        disk::Disk,
        sim::{
            SimDisk,
            left_out::{LeftOut, unmissed},
        },
    };

    pub(super) fn options(uuid: u8) -> DirOptions {
        DirOptions {
            fresh_uuid: [uuid; 16],
            now: Arc::new(|| Timestamp(0)),
            room: RoomOptions { reserve_bytes: Some(4096), full_below_bytes: Some(8192) },
            create: true,
        }
    }

    #[test]
    fn a_directory_keeps_the_identity_it_was_born_with() {
        let disk = SimDisk::new();
        let first = DataDir::open(Arc::new(disk.clone()), options(1)).unwrap();
        assert_eq!(first.uuid(), [1; 16]);
        drop(first);
        assert_eq!(DataDir::open(Arc::new(disk), options(2)).unwrap().uuid(), [1; 16]);
    }

    #[test]
    fn whoever_may_not_make_a_store_leaves_an_empty_directory_empty() {
        let disk = SimDisk::new();
        let looking = || DirOptions { create: false, ..options(1) };
        let Err(StoreError::Refused(why)) = DataDir::open(Arc::new(disk.clone()), looking()) else {
            panic!()
        };
        assert!(why.contains("holdall serve"), "{why}");
        assert!(disk.list("").unwrap().is_empty(), "{:?}", disk.list(""));
        drop(DataDir::open(Arc::new(disk.clone()), options(1)).unwrap());
        assert_eq!(DataDir::open(Arc::new(disk), looking()).unwrap().uuid(), [1; 16]);
    }

    #[test]
    fn a_second_opener_is_refused_on_both_disks() {
        let folder = tempfile::tempdir().unwrap();
        let disks: [Arc<dyn Io>; 2] =
            [Arc::new(Disk::open(folder.path()).unwrap()), Arc::new(SimDisk::new())];
        for io in disks {
            let held = DataDir::open(io.clone(), options(1)).unwrap();
            let Err(StoreError::Refused(why)) = DataDir::open(io.clone(), options(1)) else { panic!() };
            assert_eq!(why, "another holdall is using this data directory");
            drop(held);
            DataDir::open(io, options(1)).unwrap();
        }
    }

    /// Opens at every point where the power may go, then again; true if an image was found that
    /// a whole opening before the cut promised and that is not kept.
    fn breaks(skip: Option<Site>) -> bool {
        (0..200).any(|seed| {
            let disk = SimDisk::new();
            skip.into_iter().for_each(|site| disk.skip(site));
            DataDir::open(Arc::new(disk.clone()), options(1)).unwrap();
            // What others do once the directory is open.
            disk.create_dir("meta").unwrap();
            let after = disk.crash(seed);
            !DataDir::open(Arc::new(after), options(2)).is_ok_and(|dir| dir.uuid() == [1; 16])
        })
    }

    #[test]
    fn an_opened_directory_survives_a_crash_unless_a_sync_is_left_out() {
        assert!(!breaks(None));
        assert!(breaks(Some(Site::Format)));
        assert!(breaks(Some(Site::RootDir)));
    }

    /// Opens a directory that may have been killed while it was made, with one sync left out;
    /// whether what that promised is lost.
    fn misses(killed: Option<u64>, left_out: Option<LeftOut>, seed: u64) -> bool {
        let disk = SimDisk::new();
        // No room for a reserve, with which the names in the root are synced once more.
        disk.set_free(8000);
        let open = |disk: SimDisk, uuid| DataDir::open(Arc::new(disk), options(uuid));
        if let Some(calls) = killed {
            disk.crash_after(calls);
            drop(open(disk.clone(), 1));
            disk.go_on();
        }
        left_out.into_iter().for_each(|one| disk.leave_out(one));
        let Ok(opened) = open(disk.clone(), 1) else { return false };
        drop(disk.create_dir("meta"));
        !open(disk.crash(seed), 2).is_ok_and(|dir| dir.uuid() == opened.uuid())
    }

    #[test]
    fn each_single_sync_of_an_opened_directory_is_missed_after_a_kill_too() {
        let killed = || [None].into_iter().chain((0..10).map(Some));
        for (killed, seed) in killed().flat_map(|killed| (0..20).map(move |seed| (killed, seed))) {
            assert!(!misses(killed, None, seed), "killed after {killed:?}, seed {seed}");
        }
        for site in [Site::Format, Site::RootDir] {
            assert_eq!(unmissed(site, 1, |one, seed| misses(None, Some(one), seed)), [0; 0], "{site:?}");
        }
        let again = |one, seed| (3..10).any(|calls| misses(Some(calls), Some(one), seed));
        assert_eq!(unmissed(Site::RootDir, 1, again), [0; 0]);
    }

    #[test]
    fn a_crash_while_a_directory_is_made_leaves_one_that_can_be_made() {
        for calls in 0..20 {
            for seed in 0..20 {
                let disk = SimDisk::new();
                disk.crash_after(calls);
                let done = DataDir::open(Arc::new(disk.clone()), options(1)).is_ok();
                let after = DataDir::open(Arc::new(disk.crash(seed)), options(2)).unwrap();
                assert!(!done || after.uuid() == [1; 16]);
            }
        }
    }
}
