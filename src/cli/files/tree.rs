//! What is in a folder on a disk, in order. Links are not followed, nor is a folder that became one
//! since it was met.

use std::{
    fs::File,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags},
    io::Errno,
};

use super::folder::ASIDE;
use crate::store::io::descend::{descend, list};

/// What was met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::cli) enum Met {
    /// A regular file.
    File(PathBuf),
    /// A folder with nothing in it.
    Empty(PathBuf),
    /// Something else, which is left out, and why.
    Other(PathBuf, String),
}

impl Met {
    pub(in crate::cli) fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Empty(path) | Self::Other(path, _) => path,
        }
    }
}

/// A folder that is read.
#[derive(Debug)]
pub(in crate::cli) struct Tree {
    root: OwnedFd,
}

impl Tree {
    /// Opens it; the path to it is followed, as whoever names it means it.
    ///
    /// # Errors
    /// If it is no folder, or cannot be opened.
    pub(in crate::cli) fn open(path: &Path) -> io::Result<Self> {
        let root = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { root })
    }

    /// Meets everything below the folder, by paths below it, until `meet` wants no more. Where it was
    /// exported, what the export kept aside is passed over.
    pub(in crate::cli) fn walk(&self, exported: bool, meet: &mut dyn FnMut(Met) -> bool) -> bool {
        let mut ahead = vec![PathBuf::new()];
        while let Some(at) = ahead.pop() {
            let listed = match self.list(&at) {
                Ok(listed) => listed,
                Err(error) => {
                    if !meet(Met::Other(at, format!("cannot be listed: {error}"))) {
                        return false;
                    }
                    continue;
                }
            };
            if listed.is_empty() && at != Path::new("") && !meet(Met::Empty(at.clone())) {
                return false;
            }
            let mut folders = Vec::new();
            for (name, kind) in listed {
                let path = at.join(name);
                if exported && kind == FileType::Directory && path == Path::new(ASIDE) {
                    continue;
                }
                let met = match kind {
                    FileType::Directory => {
                        folders.push(path);
                        continue;
                    }
                    FileType::RegularFile => Met::File(path),
                    FileType::Symlink => Met::Other(path, "is a symbolic link, which is not followed".into()),
                    _ => Met::Other(path, "is no regular file".into()),
                };
                if !meet(met) {
                    return false;
                }
            }
            ahead.extend(folders.into_iter().rev());
        }
        true
    }

    fn list(&self, at: &Path) -> io::Result<Vec<(std::ffi::OsString, FileType)>> {
        let folder = descend(self.root.as_fd(), at).map_err(became)?;
        Ok(list(folder.as_fd())?)
    }

    /// Opens the regular file of a path below the folder; what became a link or a pipe since it was
    /// met is neither followed nor waited for.
    ///
    /// # Errors
    /// If it is no regular file, or cannot be opened.
    pub(in crate::cli) fn file(&self, path: &Path) -> io::Result<File> {
        let gone = || io::Error::from(Errno::NOENT);
        let (parent, name) = (path.parent().ok_or_else(gone)?, path.file_name().ok_or_else(gone)?);
        let parent = descend(self.root.as_fd(), parent).map_err(became)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&parent, name, flags, Mode::empty()).map_err(became)?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("is no regular file")) }
    }
}

fn became(error: Errno) -> io::Error {
    match error {
        Errno::NOTDIR | Errno::LOOP => {
            io::Error::other("it, or a folder above it, became something else meanwhile; import it again")
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn everything_is_met_once_and_no_link_is_followed() {
        let place = tempfile::tempdir().unwrap();
        for folder in ["a/b", "empty", ASIDE] {
            fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        for file in ["a/b/c", "a/d", "z", "%holdall-export/part-1"] {
            fs::write(place.path().join(file), "x").unwrap();
        }
        symlink(place.path(), place.path().join("loop")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(place.path().join("s")).unwrap();
        let mut met = Vec::new();
        let tree = Tree::open(place.path()).unwrap();
        assert!(tree.walk(true, &mut |one| {
            met.push(one);
            true
        }));
        let found: Vec<_> = met.iter().map(|one| one.path().to_str().unwrap()).collect();
        assert_eq!(found, ["loop", "s", "z", "a/d", "a/b/c", "empty"]);
        assert_eq!(met[5], Met::Empty("empty".into()));
        assert!(matches!((&met[0], &met[1]), (Met::Other(..), Met::Other(..))));
        let mut count = 0;
        assert!(!tree.walk(true, &mut |_| {
            count += 1;
            count < 2
        }));
        assert_eq!(count, 2);
    }

    /// The story: a folder or file of that name was left out of every import, and nothing said so.
    #[test]
    fn what_is_called_like_an_exports_own_is_met_where_it_is_none() {
        let found = |exported: bool, root: &Path| {
            let mut met = Vec::new();
            assert!(Tree::open(root).unwrap().walk(exported, &mut |one| {
                met.push(one);
                true
            }));
            met
        };
        let place = tempfile::tempdir().unwrap();
        let aside = place.path().join(ASIDE);
        fs::write(&aside, "x").unwrap();
        for exported in [false, true] {
            assert_eq!(found(exported, place.path()), [Met::File(ASIDE.into())], "{exported}");
        }
        fs::remove_file(&aside).unwrap();
        fs::create_dir(&aside).unwrap();
        fs::write(aside.join("own"), "x").unwrap();
        assert_eq!(found(false, place.path()), [Met::File(Path::new(ASIDE).join("own"))]);
        assert_eq!(found(true, place.path()), []);
    }

    /// Somebody who may write into the folder makes a link to `/etc` of a folder that was met: what
    /// it leads to was imported.
    #[test]
    fn a_folder_that_becomes_a_link_meanwhile_leads_nowhere() {
        let place = tempfile::tempdir().unwrap();
        let (root, outside) = (place.path().join("root"), place.path().join("outside"));
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::create_dir_all(outside.join("b")).unwrap();
        for file in ["root/first", "root/a/b/own", "outside/b/own", "outside/secret"] {
            fs::write(place.path().join(file), file).unwrap();
        }
        let tree = Tree::open(&root).unwrap();
        let own = Path::new("a/b/own");
        assert_eq!(io::read_to_string(tree.file(own).unwrap()).unwrap(), "root/a/b/own");
        let mut met = Vec::new();
        assert!(tree.walk(false, &mut |one| {
            if one.path() == Path::new("first") {
                fs::rename(root.join("a"), place.path().join("away")).unwrap();
                symlink(&outside, root.join("a")).unwrap();
            }
            met.push(one);
            true
        }));
        let found: Vec<_> = met.iter().map(|one| one.path().to_str().unwrap()).collect();
        assert_eq!(found, ["first", "a"]);
        assert!(matches!(&met[1], Met::Other(..)), "{met:?}");
        for path in [own, Path::new("a/secret"), Path::new("a")] {
            assert!(tree.file(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_folder_stays_the_one_that_was_opened() {
        let place = tempfile::tempdir().unwrap();
        let (root, outside) = (place.path().join("root"), place.path().join("outside"));
        for folder in [&root, &outside] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("own"), folder.to_str().unwrap()).unwrap();
        }
        let tree = Tree::open(&root).unwrap();
        fs::rename(&root, place.path().join("away")).unwrap();
        symlink(&outside, &root).unwrap();
        let read = io::read_to_string(tree.file(Path::new("own")).unwrap()).unwrap();
        assert_eq!(read, root.to_str().unwrap());
    }
}
