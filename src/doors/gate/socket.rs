//! The administration socket: a file in the data directory that only its owner can open.

use std::{
    ffi::OsStr,
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{FileTypeExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

/// The longest path the kernel takes for a socket, without the zero at its end.
const LONGEST: usize = 107;

/// A name for `path` that the kernel takes however long the path is. The directory must stay
/// open while the name is used.
fn reachable(path: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    if path.as_os_str().len() <= LONGEST {
        return Ok((path.to_owned(), None));
    }
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no file name"))?;
    let directory = OwnedFd::from(fs::File::open(directory_of(path))?);
    let mut short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    short.push(name);
    Ok((short, Some(directory)))
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| parent.as_os_str() != OsStr::new("")).unwrap_or(Path::new("."))
}

/// Listens at `path`, which nobody but the owner can open at any moment. A socket nobody listens
/// at any more is replaced; anything else that is there is left alone.
///
/// # Errors
/// If something listens there already, something else is there, or it cannot be made.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is something that is no socket"));
        }
        Ok(_) => remove_stale(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // Made inside a directory of our own and moved, so that it is never there with open rights.
    let nest = directory_of(path).join(format!(".sock-{}", std::process::id()));
    fs::DirBuilder::new().create(&nest)?;
    let made = fs::set_permissions(&nest, fs::Permissions::from_mode(0o700)).and_then(|()| {
        let inside = nest.join("s");
        let (short, _directory) = reachable(&inside)?;
        let listener = UnixListener::bind(short)?;
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o600))?;
        fs::rename(&inside, path)?;
        Ok(listener)
    });
    let cleared = fs::remove_dir_all(&nest);
    made.and_then(|listener| cleared.map(|()| listener))
}

fn remove_stale(path: &Path) -> io::Result<()> {
    let (short, _directory) = reachable(path)?;
    match std::os::unix::net::UnixStream::connect(short) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there")),
    }
}

/// Connects to the socket at `path`.
///
/// # Errors
/// If nobody listens there or the caller may not open it.
pub async fn connect(path: &Path) -> io::Result<UnixStream> {
    let (short, _directory) = reachable(path)?;
    UnixStream::connect(short).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn meet(path: &Path) {
        let listener = bind(path).unwrap();
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        let (accepted, connected) = tokio::join!(listener.accept(), connect(path));
        accepted.unwrap();
        connected.unwrap();
        assert_eq!(bind(path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        bind(path).unwrap();
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
    }

    #[tokio::test]
    async fn a_socket_is_private_and_a_dead_one_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        meet(&directory.path().join("admin.sock")).await;
    }

    #[tokio::test]
    async fn a_socket_path_over_107_bytes_works() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("d".repeat(120)).join("e".repeat(120));
        fs::create_dir_all(&deep).unwrap();
        meet(&deep.join("admin.sock")).await;
    }

    #[tokio::test]
    async fn a_file_in_the_way_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        fs::write(&path, "mine").unwrap();
        assert!(bind(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }
}
