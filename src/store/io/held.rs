//! A folder that somebody else may write to: one that is open and stays the one that was opened, with
//! every folder in it opened as a folder of the one above. No link in it is followed, at whichever moment
//! it is put there: what is written, renamed or removed is in this folder, or nothing is.
//!
//! For backups. A data directory ([`Disk`]) is its owner's alone, and may have links
//! in it.

use std::{
    fs,
    io::{self, ErrorKind},
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{AtFlags, FileType, Mode as Permissions, OFlags, fstatvfs},
    io::Errno,
};

use super::{
    File, Found, Io, Mode, Site, Space,
    descend::{below, descend, list},
    disk::{Disk, DiskFile},
};
use crate::store::sync::Arc;

/// How every file is opened.
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
const OWN: Permissions = Permissions::RUSR.union(Permissions::WUSR);

/// A folder that is held open.
#[derive(Clone, Debug)]
pub struct HeldFolder {
    root: Arc<OwnedFd>,
}

impl HeldFolder {
    /// Takes the folder; it is made, durably, if it is not there. The path to it is followed, as whoever
    /// names it means it.
    ///
    /// # Errors
    /// When it is not a folder, or cannot be made.
    pub fn open(path: &Path) -> io::Result<Self> {
        Disk::open(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { root: Arc::new(rustix::fs::open(path, flags, Permissions::empty())?) })
    }

    fn folder(&self, dir: &str) -> io::Result<OwnedFd> {
        Ok(descend(self.root.as_fd(), parts(dir))?)
    }

    /// The folder of a path, open, and the name in it.
    fn place<'a>(&self, path: &'a str) -> io::Result<(OwnedFd, &'a str)> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.folder(dir)?, name))
    }

    fn file(&self, path: &str, flags: OFlags) -> io::Result<DiskFile> {
        let (folder, name) = self.place(path)?;
        let opened = rustix::io::retry_on_intr(|| rustix::fs::openat(&folder, name, FILE | flags, OWN))?;
        DiskFile::alone(fs::File::from(opened))
    }
}

fn parts(dir: &str) -> impl Iterator<Item = &str> {
    debug_assert!(!dir.starts_with('/') && !dir.split('/').any(|part| part == ".."), "{dir}");
    dir.split('/').filter(|part| !part.is_empty())
}

impl Io for HeldFolder {
    fn open(&self, path: &str, mode: Mode) -> io::Result<Arc<dyn File>> {
        let flags = match mode {
            Mode::Read => OFlags::RDONLY,
            Mode::ReadWrite => OFlags::RDWR,
            Mode::Create => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
        };
        Ok(Arc::new(self.file(path, flags)?))
    }

    fn found(&self, path: &str) -> io::Result<Option<Found>> {
        if path.is_empty() {
            return Ok(Some(Found::Folder));
        }
        let found = self
            .place(path)
            .and_then(|(folder, name)| Ok(rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?));
        match found {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(found) => Ok(Some(match FileType::from_raw_mode(found.st_mode) {
                FileType::RegularFile => Found::File,
                FileType::Directory => Found::Folder,
                _ => Found::Other,
            })),
        }
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let folder = match self.folder(dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            folder => folder?,
        };
        // A name that is not UTF-8 is none of ours.
        Ok(list(folder.as_fd())?.into_iter().filter_map(|(name, _)| name.into_string().ok()).collect())
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        let mut folder = self.folder("")?;
        for name in parts(dir) {
            folder = below(&folder, name)?;
        }
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let ((from, old), (to, new)) = (self.place(from)?, self.place(to)?);
        Ok(rustix::fs::renameat(&from, old, &to, new)?)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let (folder, name) = self.place(path)?;
        match rustix::fs::unlinkat(&folder, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            done => Ok(done?),
        }
    }

    fn sync_dir(&self, dir: &str, _site: Site) -> io::Result<()> {
        fs::File::from(self.folder(dir)?).sync_all()
    }

    fn lock(&self, path: &str) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(self.file(path, OFlags::RDWR | OFlags::CREATE)?.locked()?))
    }

    fn space(&self) -> io::Result<Space> {
        let found = fstatvfs(&self.root)?;
        Ok(Space {
            free: found.f_bavail.saturating_mul(found.f_frsize),
            total: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }
}
