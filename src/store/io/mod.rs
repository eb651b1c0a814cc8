//! The only code that touches the data directory, behind one trait with two disks: the real one
//! and a simulated one that forgets what was not synced.
//!
//! Paths are relative to the data directory and written with `/`. Knows files and syncs, not
//! what is in them. Every sync names its [`Site`], so that a test can leave one out and must
//! then see a promise broken.

pub mod descend;
pub mod disk;
pub mod held;
pub mod sim;

#[cfg(test)]
mod suite;
mod whole;

use std::io;

use crate::store::sync::Arc;

pub use self::whole::{ASIDE, is_refusal, open_if_there, put_whole, read_past, walk, walk_past};
#[cfg(test)]
use super::faults::Faults;

macro_rules! sites {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Where in the code a sync is asked for.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Site {
            $($(#[$doc])* $name,)*
        }

        impl Site {
            /// Every site, for tests that leave out one after the other.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

sites! {
    /// Chunk records of a lane, before their rows are committed.
    SegmentData,
    /// Records that compaction copied, before their rows are switched over.
    RelocationData,
    /// A segment's footer, when it is sealed.
    SegmentSeal,
    /// The folders of a new segment file.
    SegmentDir,
    /// The metadata file, inside a redb commit.
    Meta,
    /// The folder of a new metadata file.
    MetaDir,
    /// The copy of the old metadata, before a rebuild makes it anew.
    KeptData,
    /// The folder of that copy.
    KeptDir,
    /// The FORMAT file, before it is renamed into place.
    Format,
    /// The data directory, after FORMAT or the reserve was made.
    RootDir,
    /// The reserve.
    Reserve,
    /// The file with the keys, before it is renamed into place.
    Keys,
    /// The folder of that file, and the data directory that names the folder.
    KeysDir,
    /// A snapshot of the metadata, before it is renamed into place.
    SnapshotData,
    /// The folder of the snapshots, and the folder that names it.
    SnapshotDir,
    /// A file of a backup, or of a data directory that is restored from one.
    BackupData,
    /// The folders of those files.
    BackupDir,
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// It must exist; reads only.
    Read,
    /// It must exist.
    ReadWrite,
    /// It must not exist.
    Create,
}

/// What has a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A link, whatever it leads to, a pipe, a device.
    Other,
}

/// Room on the disk that holds the data directory, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// What this process may still write.
    pub free: u64,
    /// The size of the disk.
    pub total: u64,
}

/// A disk.
pub trait Io: Send + Sync + std::fmt::Debug {
    /// Opens a file; what is none fails, and a link is none. A created file's name is durable only
    /// after [`Io::sync_dir`] of its folder.
    fn open(&self, path: &str, mode: Mode) -> io::Result<Arc<dyn File>>;
    /// What has a name; `None` if nothing has. A link is not followed.
    fn found(&self, path: &str) -> io::Result<Option<Found>>;
    /// The names in a folder, in no order; an absent folder has none.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;
    /// Makes a folder and its parents; one that exists is not an error.
    fn create_dir(&self, dir: &str) -> io::Result<()>;
    /// Renames a file over whatever has the new name, atomically.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; one that is not there is not an error.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes the names in a folder durable (`""` is the data directory itself).
    fn sync_dir(&self, dir: &str, site: Site) -> io::Result<()>;
    /// Takes a file, made if it is not there, for this process alone, until the handle is
    /// dropped. `WouldBlock` if somebody else has it.
    fn lock(&self, path: &str) -> io::Result<Arc<dyn File>>;
    /// Room left.
    fn space(&self) -> io::Result<Space>;
    /// Rules that whoever is handed this disk breaks.
    #[cfg(test)]
    fn faults(&self) -> Faults {
        Faults::asked()
    }
}

/// An open file. Positions are absolute, so threads share it freely.
pub trait File: Send + Sync + std::fmt::Debug {
    /// Fills the buffer, or fails with `UnexpectedEof`.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes everything or fails; after a failure any part of it may be there.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Its length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Cuts it, or lengthens it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Lengthens the file to `len` with zeros and takes room on the disk for all of it, holes
    /// that [`File::set_len`] left included, so that writing there cannot fail for want of space.
    /// Never shortens; after a failure the length may be anything in between.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Takes room on the disk for everything up to `end`, holes and what is behind the end of the
    /// file included, and leaves its length as it is. False where the file system cannot: writing
    /// there may still fail for want of space.
    fn hold(&self, end: u64) -> io::Result<bool>;
    /// Makes data and length durable. A failure is final: never call it again for those bytes.
    fn sync(&self, site: Site) -> io::Result<()>;
    /// Starts writing a range back early; no promise.
    fn start_writeback(&self, offset: u64, len: u64);
    /// Asks the system to forget what it holds of a range in memory, so that it is read from the
    /// disk again; no promise.
    fn uncache(&self, _offset: u64, _len: u64) {}
    /// True for a file without a byte.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}
