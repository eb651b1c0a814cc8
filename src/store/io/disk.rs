//! The real disk: one folder, reached with pread, pwrite, fallocate and fdatasync.
//!
//! Files are made for their owner alone (0600, folders 0700). Errors carry no path. Knows nothing
//! of what the files are for.
//!
//! A file is opened only if it is one: a link that somebody put in its place would lead elsewhere,
//! and a pipe would be waited for. The folders above it may be links.

use std::{
    fmt,
    fs::{self, DirBuilder, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::store::sync::Arc;

use rustix::{
    fs::{Advice, FallocateFlags, OFlags, fadvise, fallocate, statvfs},
    io::{Errno, ReadWriteFlags, preadv2},
};

use super::{File, Found, Io, Mode, Site, Space};

/// Pages of the system's memory for files.
const PAGE: u64 = 4096;

/// How a thread waits for the disk.
pub trait Wait: Send + Sync + fmt::Debug {
    /// Does the work, which waits. A thread on which others depend makes way for them first.
    fn wait(&self, work: &mut dyn FnMut());
}

/// Threads on which nobody depends.
#[derive(Debug)]
struct Alone;

impl Wait for Alone {
    fn wait(&self, work: &mut dyn FnMut()) {
        work();
    }
}

/// A folder of the file system.
#[derive(Clone, Debug)]
pub struct Disk {
    root: PathBuf,
    waits: Arc<dyn Wait>,
}

impl Disk {
    /// Takes the folder as data directory; it is made, durably, if it is not there.
    ///
    /// # Errors
    /// When it is not a folder, or cannot be made.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        if !fs::metadata(&root).is_ok_and(|found| found.is_dir()) {
            folder_builder().create(&root)?;
            let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty());
            fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(Self { root, waits: Arc::new(Alone) })
    }

    /// The same folder, whose reads wait so.
    #[must_use]
    pub fn waiting(self, waits: Arc<dyn Wait>) -> Self {
        Self { waits, ..self }
    }

    fn path(&self, path: &str) -> PathBuf {
        debug_assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."), "{path}");
        self.root.join(path)
    }
}

fn folder_builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
}

/// Opens a regular file.
fn open_file(options: &mut OpenOptions, path: &Path) -> io::Result<fs::File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    regular(options.mode(0o600).custom_flags(flags.bits().cast_signed()).open(path)?)
}

fn regular(file: fs::File) -> io::Result<fs::File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no regular file")) }
}

impl Io for Disk {
    fn open(&self, path: &str, mode: Mode) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            Mode::Read => &mut options,
            Mode::ReadWrite => options.write(true),
            Mode::Create => options.write(true).create_new(true),
        };
        let (path, mut file) = (self.path(path), Err(io::ErrorKind::Other.into()));
        self.waits.wait(&mut || file = open_file(&mut options, &path));
        Ok(Arc::new(DiskFile { file: file?, waits: Arc::clone(&self.waits) }))
    }

    fn found(&self, path: &str) -> io::Result<Option<Found>> {
        match fs::symlink_metadata(self.path(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(found) if found.is_file() => Ok(Some(Found::File)),
            Ok(found) if found.is_dir() => Ok(Some(Found::Folder)),
            Ok(_) => Ok(Some(Found::Other)),
        }
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        // A name that is not UTF-8 is none of ours.
        entries
            .filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose())
            .collect()
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        folder_builder().create(self.path(dir))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match fs::remove_file(self.path(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    fn sync_dir(&self, dir: &str, _site: Site) -> io::Result<()> {
        fs::File::open(self.path(dir))?.sync_all()
    }

    fn lock(&self, path: &str) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = open_file(&mut options, &self.path(path))?;
        Ok(Arc::new(DiskFile { file, waits: Arc::clone(&self.waits) }.locked()?))
    }

    fn space(&self) -> io::Result<Space> {
        let found = statvfs(&self.root)?;
        Ok(Space {
            free: found.f_bavail.saturating_mul(found.f_frsize),
            total: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }
}

/// An open file of a disk.
#[derive(Debug)]
pub(super) struct DiskFile {
    file: fs::File,
    waits: Arc<dyn Wait>,
}

impl DiskFile {
    /// One whose reads nobody depends on. Fails for what is no regular file.
    pub(super) fn alone(file: fs::File) -> io::Result<Self> {
        Ok(Self { file: regular(file)?, waits: Arc::new(Alone) })
    }

    /// Takes it for this process alone; `WouldBlock` if somebody else has it.
    pub(super) fn locked(self) -> io::Result<Self> {
        match self.file.try_lock() {
            Ok(()) => Ok(self),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// How many bytes at the start of the buffer were in memory and are filled. Never waits.
    fn read_in_memory(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match preadv2(&self.file, &mut [io::IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => Ok(read),
            // Not in memory, or a file system that cannot tell.
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

impl File for DiskFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let there = self.read_in_memory(buffer, offset)?;
        let rest = buffer.get_mut(there..).unwrap_or_default();
        let mut done = Ok(());
        if !rest.is_empty() {
            self.waits.wait(&mut || done = self.file.read_exact_at(rest, offset + there as u64));
        }
        done
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        match fallocate(&self.file, FallocateFlags::empty(), 0, len) {
            // A file system without it takes room only when bytes are written; those writes may fail.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                if len > self.len()? {
                    self.file.set_len(len)
                } else {
                    Ok(())
                }
            }
            done => Ok(done?),
        }
    }

    fn hold(&self, end: u64) -> io::Result<bool> {
        if end == 0 {
            return Ok(true);
        }
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, end) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
            done => Ok(done.map(|()| true)?),
        }
    }

    fn sync(&self, _site: Site) -> io::Result<()> {
        self.file.sync_data()
    }

    fn start_writeback(&self, offset: u64, len: u64) {
        // Linux starts writing dirty pages of the range back and drops the clean ones. It is only
        // advice: whatever goes wrong is found again by the sync that follows.
        let _ = fadvise(&self.file, offset, std::num::NonZeroU64::new(len), Advice::DontNeed);
    }

    fn uncache(&self, offset: u64, len: u64) {
        // Pages that are covered in part stay in memory, so whole ones are named.
        let (from, end) =
            (offset - offset % PAGE, offset.saturating_add(len).div_ceil(PAGE).saturating_mul(PAGE));
        self.start_writeback(from, end.saturating_sub(from));
    }
}

#[cfg(test)]
mod tests {
    use crate::store::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Counted(AtomicU32);

    impl Wait for Counted {
        fn wait(&self, work: &mut dyn FnMut()) {
            self.0.fetch_add(1, Ordering::SeqCst);
            work();
        }
    }

    #[test]
    fn only_what_is_not_in_memory_is_waited_for_and_all_of_it_is_read() {
        // In the tree, not in /tmp: a file system in memory cannot say what it has there.
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let waits = Arc::new(Counted::default());
        let disk = Disk::open(folder.path()).unwrap().waiting(waits.clone());
        let half = 2 << 20;
        let written: Vec<u8> = (0..2 * half).map(|n| (n % 251) as u8).collect();
        let file = disk.open("a", Mode::Create).unwrap();
        file.write_at(&written, 0).unwrap();
        file.sync(Site::Meta).unwrap();
        let read = || {
            let mut bytes = vec![0; 8192];
            waits.0.store(0, Ordering::SeqCst);
            file.read_at(&mut bytes, (half - 4096) as u64).unwrap();
            assert!(bytes == written[half - 4096..half + 4096]);
            waits.0.load(Ordering::SeqCst)
        };
        let known = read() == 0;
        // The second half is taken out of memory: the first page is there, the next is not.
        file.start_writeback(half as u64, half as u64);
        let waited = [read(), read()];
        if known {
            assert_eq!(waited, [1, 0]);
        }
        file.uncache(half as u64 + 5, 5);
        if known {
            assert_eq!(read(), 1, "the page of those bytes is read from the disk again");
        }
        let end = written.len() as u64;
        let error = file.read_at(&mut [0; 8], end - 4).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
