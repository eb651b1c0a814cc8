//! Folders by their descriptors: the way down from one that is open, and what is in it. A path may
//! lead elsewhere by the time it is used; a descriptor does not, and no link on the way is followed.

use std::{
    ffi::{OsStr, OsString},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags},
    io::Errno,
};

/// How every folder on the way is opened.
pub const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens the folder of these names: each as a folder of the one above.
///
/// # Errors
/// When one is not there, or no folder.
pub fn descend<N: AsRef<OsStr>>(
    from: BorrowedFd<'_>,
    names: impl IntoIterator<Item = N>,
) -> Result<OwnedFd, Errno> {
    let mut folder = rustix::io::fcntl_dupfd_cloexec(from, 0)?;
    for name in names {
        folder = rustix::fs::openat(&folder, name.as_ref(), FOLDER, Mode::empty())?;
    }
    Ok(folder)
}

/// Opens a folder in another, and makes it first if it is not there: for its owner alone.
///
/// # Errors
/// When something else is in the way, or it cannot be made.
pub fn below(folder: impl AsFd, name: impl AsRef<OsStr>) -> Result<OwnedFd, Errno> {
    match rustix::fs::mkdirat(&folder, name.as_ref(), Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    rustix::fs::openat(&folder, name.as_ref(), FOLDER, Mode::empty())
}

/// The names in a folder, in order, and what each is; of a link, that it is one.
///
/// # Errors
/// When it cannot be read.
pub fn list(folder: BorrowedFd<'_>) -> Result<Vec<(OsString, FileType)>, Errno> {
    let mut found = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Not every disk tells it with the name.
            FileType::Unknown => {
                let found = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(found.st_mode)
            }
            kind => kind,
        };
        found.push((name.to_owned(), kind));
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found)
}
