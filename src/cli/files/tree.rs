//! What is in a folder on a disk, in order. Links are not followed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::folder::ASIDE;

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

/// Meets everything below a folder, by paths below it, until `meet` wants no more.
pub(in crate::cli) fn walk(root: &Path, meet: &mut dyn FnMut(Met) -> bool) -> bool {
    let mut ahead = vec![PathBuf::new()];
    while let Some(at) = ahead.pop() {
        let listed = match list(&root.join(&at)) {
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
            if path == Path::new(ASIDE) {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
                continue;
            }
            let met = if kind.is_file() {
                Met::File(path)
            } else if kind.is_symlink() {
                Met::Other(path, "is a symbolic link, which is not followed".into())
            } else {
                Met::Other(path, "is no regular file".into())
            };
            if !meet(met) {
                return false;
            }
        }
        ahead.extend(folders.into_iter().rev());
    }
    true
}

/// The names in a folder, in order.
fn list(folder: &Path) -> io::Result<Vec<(std::ffi::OsString, fs::FileType)>> {
    let entries = fs::read_dir(folder)?.map(|entry| {
        let entry = entry?;
        Ok((entry.file_name(), entry.file_type()?))
    });
    let mut found = entries.collect::<io::Result<Vec<_>>>()?;
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found)
}

#[cfg(test)]
mod tests {
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
        std::os::unix::fs::symlink(place.path(), place.path().join("loop")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(place.path().join("s")).unwrap();
        let mut met = Vec::new();
        assert!(walk(place.path(), &mut |one| {
            met.push(one);
            true
        }));
        let found: Vec<_> = met.iter().map(|one| one.path().to_str().unwrap()).collect();
        assert_eq!(found, ["loop", "s", "z", "a/d", "a/b/c", "empty"]);
        assert_eq!(met[5], Met::Empty("empty".into()));
        assert!(matches!((&met[0], &met[1]), (Met::Other(..), Met::Other(..))));
        let mut count = 0;
        assert!(!walk(place.path(), &mut |_| {
            count += 1;
            count < 2
        }));
        assert_eq!(count, 2);
    }
}
