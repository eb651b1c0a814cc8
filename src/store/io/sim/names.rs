//! Names on the simulated disk: files and folders, what is durable of them, and locks.

use std::{collections::BTreeMap, io};

use super::{
    super::{Found, Mode, Site},
    state::{Inode, State},
};

/// A change of names that is not durable yet. Renames are one change: they happen or do not.
#[derive(Clone, Debug)]
pub(super) struct NameStep {
    /// The folder whose sync makes it durable.
    pub(super) dir: String,
    pub(super) gone: Option<String>,
    pub(super) made: Option<(String, Entry)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Entry {
    Folder,
    File(usize),
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

impl State {
    pub(super) fn file(&self, path: &str) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Entry::File(inode)) => Ok(*inode),
            Some(Entry::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn is_folder(&self, dir: &str) -> bool {
        dir.is_empty() || self.names.get(dir) == Some(&Entry::Folder)
    }

    fn name(&mut self, gone: Option<&str>, made: Option<(&str, Entry)>) {
        if let Some(path) = gone {
            self.names.remove(path);
        }
        if let Some((path, entry)) = made {
            self.names.insert(path.to_owned(), entry);
        }
        let dir = parent(made.map(|(path, _)| path).or(gone).unwrap_or_default()).to_owned();
        let step = NameStep {
            dir,
            gone: gone.map(str::to_owned),
            made: made.map(|(path, entry)| (path.to_owned(), entry)),
        };
        let place = self.log();
        self.pending_names.push((place, step));
    }

    pub(super) fn open(&mut self, path: &str, mode: Mode) -> io::Result<usize> {
        if mode != Mode::Create {
            return self.file(path);
        }
        if !self.is_folder(parent(path)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if self.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let power = self.change()?;
        let inode = self.inodes.len();
        self.inodes.push(Inode::default());
        self.name(None, Some((path, Entry::File(inode))));
        power.answer().map(|()| inode)
    }

    pub(super) fn found(&self, path: &str) -> Option<Found> {
        match self.names.get(path) {
            Some(Entry::File(_)) => Some(Found::File),
            Some(Entry::Folder) => Some(Found::Folder),
            None => self.is_folder(path).then_some(Found::Folder),
        }
    }

    pub(super) fn list(&self, dir: &str) -> Vec<String> {
        let within = |path: &&String| parent(path) == dir && !path.is_empty();
        let last = |path: &String| path.rsplit('/').next().unwrap_or_default().to_owned();
        self.names.keys().filter(within).map(last).collect()
    }

    pub(super) fn create_dir(&mut self, dir: &str) -> io::Result<()> {
        let ends = dir.match_indices('/').map(|(at, _)| at).chain([dir.len()]);
        for path in ends.filter_map(|end| dir.get(..end)) {
            match self.names.get(path) {
                Some(Entry::Folder) => {}
                Some(Entry::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
                None => {
                    let power = self.change()?;
                    self.name(None, Some((path, Entry::Folder)));
                    power.answer()?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let inode = self.file(from)?;
        if !self.is_folder(parent(to)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let power = self.change()?;
        self.give_back(to);
        self.name(Some(from), Some((to, Entry::File(inode))));
        power.answer()
    }

    pub(super) fn remove(&mut self, path: &str) -> io::Result<()> {
        match self.file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found?,
        };
        let power = self.change()?;
        self.give_back(path);
        self.name(Some(path), None);
        power.answer()
    }

    /// The room of a file that loses its name.
    fn give_back(&mut self, path: &str) {
        if let Ok(inode) = self.file(path)
            && let Ok(inode) = self.inode(inode)
        {
            self.free += std::mem::take(&mut inode.taken);
        }
    }

    pub(super) fn lock(&mut self, path: &str) -> io::Result<usize> {
        let inode = match self.file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.open(path, Mode::Create)?,
            found => found?,
        };
        if std::mem::replace(&mut self.inode(inode)?.locked, true) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(inode)
    }

    pub(super) fn unlock(&mut self, inode: usize) {
        if let Ok(inode) = self.inode(inode) {
            inode.locked = false;
        }
    }

    pub(super) fn sync_dir(&mut self, dir: &str, site: Site) -> io::Result<()> {
        if !self.is_folder(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if self.fails_now(site) {
            self.pending_names.retain(|(_, step)| step.dir != dir);
            return Err(io::Error::other("the simulated disk could not sync"));
        }
        if self.synced(site)? {
            let durable = &mut self.durable_names;
            self.pending_names.retain(|(_, step)| {
                let ours = step.dir == dir;
                if ours {
                    apply_names(durable, step);
                }
                !ours
            });
        }
        Ok(())
    }
}

/// Does one change to a set of names.
pub(super) fn apply_names(names: &mut BTreeMap<String, Entry>, step: &NameStep) {
    if let Some(path) = &step.gone {
        names.remove(path);
    }
    if let Some((path, entry)) = &step.made {
        names.insert(path.clone(), *entry);
    }
}
