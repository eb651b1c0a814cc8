//! A folder that files are written into: each aside, synced, then renamed into its place. No name
//! leads out of it: every folder on the way is opened as a folder of the one above, and a link is
//! never followed. What is in the way is left alone.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::DirBuilderExt as _,
    },
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{AtFlags, FileType, FlockOperation, Mode, OFlags},
    io::Errno,
};

use crate::{
    model::{
        address::nfc,
        escape::{self, Form},
        time::Timestamp,
    },
    store::io::descend::{below, descend, list},
};

/// What an export keeps beside the buckets: what is being written. It tells an import that names
/// were escaped, too.
pub(in crate::cli) const ASIDE: &str = escape::EXPORT;

/// What a file that is being written is called, before its number.
const PART: &str = "part-";
/// Names that are made for a moment, to see whether another is the same to this disk.
const PROBES: [&str; 2] = ["probe", "\u{e9}"];

/// What is exported was its users' own: nobody else of the machine may read it.
const OWN_FILE: Mode = Mode::RUSR.union(Mode::WUSR);
/// How a file is made: it was not there, nor was a link to another place.
const NEW_FILE: OFlags = OFlags::CREATE.union(OFlags::EXCL).union(OFlags::WRONLY).union(OFlags::CLOEXEC);

/// A folder.
#[derive(Debug)]
pub(in crate::cli) struct Folder {
    root: OwnedFd,
    aside: OwnedFd,
    next: AtomicU64,
    /// On a disk where names differing in case, or in their Unicode form, are one: which name each
    /// is taken by.
    taken: Option<Mutex<HashMap<String, String>>>,
}

/// A file that is being written.
#[derive(Debug)]
pub(in crate::cli) struct Aside<'f> {
    folder: &'f Folder,
    name: String,
    file: File,
}

impl Folder {
    /// Opens it, and makes it if it is not there: for its owner alone.
    ///
    /// # Errors
    /// If it is no folder, cannot be written to, or another export is at work there.
    pub(in crate::cli) fn open(path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Self::of(rustix::fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// The folder that is open, whatever lies at its path by now.
    fn of(root: OwnedFd) -> io::Result<Self> {
        let aside = own_folder(&root, ASIDE)?;
        rustix::fs::flock(&aside, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::WOULDBLOCK => io::Error::new(io::ErrorKind::ResourceBusy, "another export writes there"),
            error => error.into(),
        })?;
        // What an export that was broken off left, and nothing that somebody put there.
        let left = list(aside.as_fd())?;
        if left.iter().any(|(name, kind)| *kind != FileType::RegularFile || !is_own(name)) {
            let why = format!("{ASIDE} in it holds something that no export left there; move it away");
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        for (name, _) in left {
            rustix::fs::unlinkat(&aside, &name, AtFlags::empty())?;
        }
        let mut folder = Self { root, aside, next: AtomicU64::new(0), taken: None };
        if folder.takes_for_one(PROBES[0], "PROBE")? || folder.takes_for_one(PROBES[1], "e\u{301}")? {
            folder.taken = Some(Mutex::default());
        }
        Ok(folder)
    }

    /// Whether two names are one on this disk.
    fn takes_for_one(&self, name: &str, other: &str) -> io::Result<bool> {
        rustix::fs::openat(&self.aside, name, NEW_FILE, OWN_FILE)?;
        let found = rustix::fs::statat(&self.aside, other, AtFlags::SYMLINK_NOFOLLOW).is_ok();
        rustix::fs::unlinkat(&self.aside, name, AtFlags::empty())?;
        Ok(found)
    }

    /// The names that a bucket's key has below this folder.
    pub(in crate::cli) fn names(&self, bucket: &str, key: &str, twin: bool) -> Vec<String> {
        let mut names = vec![bucket.to_owned()];
        let mut segments = key.split('/').peekable();
        while let Some(segment) = segments.next() {
            let form = Form { twin: twin && segments.peek().is_none(), letters: false };
            let letters = self.is_taken(&names, segment, form);
            names.extend(escape::names(segment, Form { letters, ..form }));
        }
        names
    }

    /// Whether another segment has that name already, on a disk where that can be.
    fn is_taken(&self, above: &[String], segment: &str, form: Form) -> bool {
        let Some(taken) = &self.taken else { return false };
        let plain = escape::names(segment, form).join("/");
        let folded = format!("{}/{plain}", above.join("/")).to_lowercase();
        let folded = nfc(&folded).unwrap_or(folded);
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken.entry(folded).or_insert_with(|| plain.clone()) != plain
    }

    /// The regular file of these names, if there is one. Anything else there is an error.
    ///
    /// # Errors
    /// If something that is no file stands there, or it cannot be opened.
    pub(in crate::cli) fn find(&self, names: &[String]) -> io::Result<Option<File>> {
        let Some((name, parents)) = names.split_last() else { return Ok(None) };
        let folder = match descend(self.root.as_fd(), parents) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(in_the_way(error)),
        };
        match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
            Ok(found) if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile => {
                return Err(in_the_way(Errno::EXIST));
            }
            Ok(_) => {}
        }
        regular(&folder, name).map(Some)
    }

    /// Makes the folder of these names, and those above.
    ///
    /// # Errors
    /// If something else is in the way.
    pub(in crate::cli) fn make(&self, names: &[String]) -> io::Result<OwnedFd> {
        let mut folder = self.root.try_clone()?;
        for name in names {
            folder = made(&folder, name)?;
        }
        Ok(folder)
    }

    /// Begins a file; it shows nowhere until [`Aside::place`].
    ///
    /// # Errors
    /// If it cannot be made.
    pub(in crate::cli) fn begin(&self) -> io::Result<Aside<'_>> {
        let name = format!("{PART}{}", self.next.fetch_add(1, Relaxed));
        let file = rustix::fs::openat(&self.aside, &name, NEW_FILE, OWN_FILE)?;
        Ok(Aside { folder: self, name, file: File::from(file) })
    }

    /// Makes names durable: files are when they are placed.
    ///
    /// # Errors
    /// If the disk does not take them.
    pub(in crate::cli) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.root)?)
    }
}

impl Aside<'_> {
    pub(in crate::cli) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Syncs it and renames it into its place, over a file that is there.
    ///
    /// # Errors
    /// If it cannot be written, or something else is in the way; nothing has changed then.
    pub(in crate::cli) fn place(self, names: &[String], modified: Timestamp) -> io::Result<()> {
        let Some((name, parents)) = names.split_last() else { return Ok(()) };
        set_modified(&self.file, modified)?;
        self.file.sync_all()?;
        let parent = self.folder.make(parents)?;
        if rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) != FileType::RegularFile)
        {
            return Err(in_the_way(Errno::EXIST));
        }
        rustix::fs::renameat(&self.folder.aside, &self.name, parent.as_fd(), name)?;
        Ok(())
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        // Renamed away, or not wanted; what stays is removed by the next export.
        let _ = rustix::fs::unlinkat(&self.folder.aside, &self.name, AtFlags::empty());
    }
}

/// Opens a regular file in a folder. What became a link or a pipe since it was looked at is neither
/// followed nor waited for.
fn regular(folder: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(folder, name, flags, Mode::empty()).map_err(in_the_way)?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(in_the_way(Errno::EXIST)) }
}

/// Whether an export makes files of this name aside.
fn is_own(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    let number = name.strip_prefix(PART).filter(|number| !number.is_empty());
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        // Some disks tell a name in another form than it was given in.
        || PROBES.contains(&nfc(name).as_deref().unwrap_or(name))
}

/// Opens a folder in another, and makes it first if it is not there.
fn made(folder: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    below(folder, name).map_err(in_the_way)
}

/// The same, of one that must be our own: what is written there for a moment is nobody else's to read or to
/// exchange, and what an import takes for a sign of an export nobody else put there.
fn own_folder(folder: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    let opened = made(folder, name)?;
    let found = rustix::fs::fstat(&opened)?;
    let others = Mode::from_raw_mode(found.st_mode).intersects(Mode::WGRP | Mode::WOTH);
    if found.st_uid != rustix::process::geteuid().as_raw() || others {
        let why = format!("{name} in it belongs to somebody else, or others may write to it; move it away");
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    Ok(opened)
}

fn in_the_way(error: Errno) -> io::Error {
    match error {
        Errno::NOTDIR | Errno::LOOP | Errno::EXIST | Errno::ISDIR => {
            io::Error::new(io::ErrorKind::AlreadyExists, "something else of that name is in the way")
        }
        error => error.into(),
    }
}

/// Sets the time of last change of a file that is the same otherwise.
pub(in crate::cli) fn set_modified(file: &File, modified: Timestamp) -> io::Result<()> {
    let ms = Duration::from_millis(modified.0.unsigned_abs());
    let at = if modified.0 < 0 { UNIX_EPOCH.checked_sub(ms) } else { UNIX_EPOCH.checked_add(ms) };
    match at {
        Some(at) => file.set_modified(at),
        None => Err(io::Error::other("the time of last change is beyond what the disk can tell")),
    }
}

/// When a file was changed last.
pub(in crate::cli) fn modified(at: SystemTime) -> Timestamp {
    let ms = |far: Duration| i64::try_from(far.as_millis()).unwrap_or(i64::MAX);
    Timestamp(match at.duration_since(UNIX_EPOCH) {
        Ok(since) => ms(since),
        Err(before) => -ms(before.duration()),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn write(folder: &Folder, names: &[String], text: &str) -> io::Result<()> {
        let mut aside = folder.begin()?;
        aside.write(text.as_bytes())?;
        aside.place(names, Timestamp(1_500))
    }

    fn at(text: &str) -> Vec<String> {
        text.split('/').map(str::to_owned).collect()
    }

    #[test]
    fn no_link_leads_out_and_nothing_that_is_there_is_lost() {
        let place = tempfile::tempdir().unwrap();
        let (dest, outside) = (place.path().join("dest"), place.path().join("outside"));
        let folder = Folder::open(&dest).unwrap();
        assert_eq!(fs::metadata(&dest).unwrap().permissions().mode() & 0o777, 0o700);
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("own"), "own").unwrap();
        fs::create_dir_all(dest.join("b/folder")).unwrap();
        symlink(&outside, dest.join("b/link")).unwrap();
        symlink(outside.join("own"), dest.join("b/file")).unwrap();
        for taken in ["b/link/own", "b/link/new", "b/file", "b/folder", "b/link"] {
            let refused = write(&folder, &at(taken), "x").unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists, "{taken}: {refused}");
            assert!(folder.find(&at(taken)).is_err(), "{taken}");
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(outside.join("own")).unwrap(), "own");
        assert_eq!(fs::read_dir(dest.join(ASIDE)).unwrap().count(), 0);
    }

    #[test]
    fn a_file_has_its_time_and_replaces_the_one_before() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        for text in ["one", "two"] {
            write(&folder, &at("b/c/d"), text).unwrap();
            let file = folder.find(&at("b/c/d")).unwrap().unwrap();
            assert_eq!(modified(file.metadata().unwrap().modified().unwrap()), Timestamp(1_500));
            assert_eq!(io::read_to_string(file).unwrap(), text);
        }
        assert!(
            folder.find(&at("b/none/d")).unwrap().is_none() && folder.find(&at("b/x")).unwrap().is_none()
        );
        folder.sync().unwrap();
    }

    /// Everybody's files were readable for every account of the machine.
    #[test]
    fn what_is_written_is_for_its_owner_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        write(&folder, &at("b/c/d"), "x").unwrap();
        for (path, mode) in [("b", 0o700), ("b/c", 0o700), (ASIDE, 0o700), ("b/c/d", 0o600)] {
            let found = fs::metadata(place.path().join(path)).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode, "{path}");
        }
    }

    #[test]
    fn one_export_at_a_time_and_what_a_broken_one_left_goes() {
        let place = tempfile::tempdir().unwrap();
        let first = Folder::open(place.path()).unwrap();
        let busy = Folder::open(place.path()).unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::ResourceBusy);
        drop(first);
        fs::write(place.path().join(ASIDE).join("part-7"), "half").unwrap();
        Folder::open(place.path()).unwrap();
        assert_eq!(fs::read_dir(place.path().join(ASIDE)).unwrap().count(), 0);
    }

    /// The story: everything in a folder of that name was removed, whoever had put it there.
    #[test]
    fn what_no_export_left_is_not_removed_and_the_folder_is_named() {
        let place = tempfile::tempdir().unwrap();
        let aside = place.path().join(ASIDE);
        drop(Folder::open(place.path()).unwrap());
        for name in ["part-0", "part-12", "probe", "\u{e9}", "e\u{301}"] {
            fs::write(aside.join(name), "left").unwrap();
            drop(Folder::open(place.path()).unwrap());
            assert!(!aside.join(name).exists(), "{name}");
        }
        let refused = || Folder::open(place.path()).unwrap_err();
        for name in ["own", "part-", "part-1x", "part-1.txt", "PROBE", "probes"] {
            fs::write(aside.join("part-3"), "left").unwrap();
            fs::write(aside.join(name), "own").unwrap();
            let told = refused();
            assert!(
                told.kind() == io::ErrorKind::AlreadyExists && told.to_string().contains(ASIDE),
                "{told}"
            );
            assert_eq!(fs::read_to_string(aside.join(name)).unwrap(), "own");
            fs::remove_file(aside.join(name)).unwrap();
        }
        symlink(place.path(), aside.join("part-4")).unwrap();
        assert_eq!(refused().kind(), io::ErrorKind::AlreadyExists);
        assert!(aside.join("part-4").is_symlink() && aside.join("part-3").exists());
    }

    /// A file that became a pipe between the look at its name and its opening was waited for without an
    /// end.
    #[test]
    fn what_became_a_pipe_is_not_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let folder = OwnedFd::from(File::open(place.path()).unwrap());
        rustix::fs::mknodat(&folder, "pipe", FileType::Fifo, OWN_FILE, 0).unwrap();
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || told.send(regular(&folder, "pipe").map(drop)));
        let opened = heard.recv_timeout(Duration::from_secs(20)).expect("it waits");
        assert_eq!(opened.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    /// Somebody who may write beside what was opened puts something else in its place: the files in
    /// that were removed.
    #[test]
    fn only_what_is_aside_is_removed_whatever_takes_its_place() {
        let place = tempfile::tempdir().unwrap();
        let (root, away) = (place.path().join("root"), place.path().join("away"));
        for folder in [&root, &away] {
            fs::create_dir_all(folder.join(ASIDE)).unwrap();
            fs::write(folder.join(ASIDE).join("part-1"), "own").unwrap();
        }
        let opened = OwnedFd::from(File::open(&root).unwrap());
        fs::rename(&root, place.path().join("opened")).unwrap();
        symlink(&away, &root).unwrap();
        Folder::of(opened).unwrap();
        assert_eq!(fs::read_to_string(away.join(ASIDE).join("part-1")).unwrap(), "own");
        assert_eq!(fs::read_dir(place.path().join("opened").join(ASIDE)).unwrap().count(), 0);
    }

    /// Somebody else's `%holdall-export` was written into, and what is written there could be exchanged
    /// before it was renamed into its place.
    #[test]
    fn only_a_folder_aside_of_ones_own_is_used() {
        let place = tempfile::tempdir().unwrap();
        let aside = place.path().join(ASIDE);
        let refused = || Folder::open(place.path()).unwrap_err();
        fs::create_dir(&aside).unwrap();
        fs::set_permissions(&aside, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(refused().kind(), io::ErrorKind::PermissionDenied);
        fs::set_permissions(&aside, fs::Permissions::from_mode(0o755)).unwrap();
        drop(Folder::open(place.path()).unwrap());
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&aside, Some(4711), None).unwrap();
            let told = refused();
            assert_eq!(told.kind(), io::ErrorKind::PermissionDenied, "{told}");
            assert!(told.to_string().contains(ASIDE), "{told}");
        }
        fs::remove_dir(&aside).unwrap();
        for other in [place.path().join("elsewhere"), place.path().to_owned()] {
            fs::create_dir_all(&other).unwrap();
            symlink(&other, &aside).unwrap();
            assert_eq!(refused().kind(), io::ErrorKind::AlreadyExists);
            fs::remove_file(&aside).unwrap();
        }
        fs::write(&aside, "").unwrap();
        assert_eq!(refused().kind(), io::ErrorKind::AlreadyExists);
    }

    /// As on a disk that knows no case; there is none to try it on.
    #[test]
    fn names_that_differ_in_case_alone_differ_in_more() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(place.path()).unwrap();
        assert!(folder.taken.is_none(), "this disk knows case");
        folder.taken = Some(Mutex::default());
        let mut seen = std::collections::HashSet::new();
        let keys = ["A/x", "A/y", "a/x", "a/z", "B", "b", "\u{e9}", "e\u{301}", "E\u{301}"];
        for _ in 0..2 {
            seen.clear();
            for key in keys {
                let names = folder.names("bucket", key, false);
                let back = escape::segments(&names.iter().skip(1).map(String::as_str).collect::<Vec<_>>());
                assert_eq!(back.join("/"), key);
                let folded = names.join("/").to_lowercase();
                assert!(seen.insert(nfc(&folded).unwrap_or(folded)), "{key}: {names:?}");
            }
        }
        assert_eq!(folder.names("bucket", "A/x", false), ["bucket", "A", "x"]);
        assert_eq!(folder.names("bucket", "a/x", false), ["bucket", "%61", "x"]);
    }
}
