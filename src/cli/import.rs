//! `holdall import`: a folder's files into a bucket, by the server that runs or into the data itself,
//! through the same verb as every other write. What is there and the same is left as it is.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::stream;
use http::{Method, header};
use tokio::{sync::mpsc, task::block_in_place};

use super::{
    Context,
    arguments::{Import, Names},
    bucket, escaped,
    failure::Failure,
    files::{
        crowd::{self, Work},
        failed::{is_of_one, refused, unfinished},
        folder::{self, ASIDE},
        link::{Asked, Link},
        tag::{Tagger, is_of_parts},
        tally::Tally,
        tree::{Met, Tree},
    },
    print::one_line,
    reach::Reach,
};
use crate::{
    doors::{
        api::{
            files::{MD5, MODIFIED},
            types::{self, Bucket, Files},
        },
        gate::{Body, body},
    },
    model::{digest::Digester, escape},
};

/// Bytes read from the disk at once.
const BLOCK: usize = 256 << 10;

pub(super) async fn run(context: &Context, import: Import) -> Result<(), Failure> {
    let tree = Tree::open(&import.folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotADirectory => Failure::Refused(format!("{} is no folder", import.folder.display())),
        _ => refused(&import.folder, &error),
    })?;
    let reach = Arc::new(Reach::find(&context.settings).await?);
    let (name, prefix) = import.into.split_once('/').unwrap_or((&import.into, ""));
    let into: Bucket = reach.ask(Method::GET, &bucket::address(name)).await?;
    let prefix = prefix.trim_end_matches('/');
    let own = rustix::process::geteuid().as_raw();
    let exported = match import.names {
        Some(names) => names == Names::Exported,
        None => is_exported(&import.folder, own).map_err(|other| in_doubt(&other))?,
    };
    let target = Target {
        whose: import.user.unwrap_or_else(|| into.owner.clone()),
        bucket: into.name,
        prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
        exported,
        tree,
    };
    let tally = Arc::new(Tally::default());
    let worker = Worker { link: Link::new(reach), target: Arc::new(target), tally: Arc::clone(&tally) };
    let target = Arc::clone(&worker.target);
    let work = crowd::run(|queue| find(target, queue), worker);
    let done = tally.while_telling("importing", work).await;
    done.map_err(|failure| unfinished(&failure, "import"))?;
    tally.end(context.printer, "imported")
}

/// Whether the folder is of an export, or in one: names are escaped there. Anybody may put something of that
/// name into `/tmp`: it counts if it is one's own, or that of whoever owns the folder it is in and may call
/// the files there what he likes. Of any other, which is the error, nobody knows what to make: read the wrong
/// way, files get other names than they had.
fn is_exported(folder: &Path, own: u32) -> Result<bool, PathBuf> {
    let (mut exported, mut other) = (false, None);
    for above in folder.canonicalize().iter().flat_map(|folder| folder.ancestors()) {
        let aside = above.join(ASIDE);
        let Ok(found) = aside.symlink_metadata() else { continue };
        let owner = above.metadata().map(|above| above.uid()).ok();
        let counts = found.uid() == own || Some(found.uid()) == owner;
        match found.is_dir() && counts {
            true => exported = true,
            false => other = other.or(Some(aside)),
        }
    }
    match other {
        Some(other) if !exported => Err(other),
        _ => Ok(exported),
    }
}

fn in_doubt(other: &Path) -> Failure {
    let kind = other.symlink_metadata().map(|found| found.file_type());
    let what = match kind {
        Ok(kind) if kind.is_file() => "is a file, where an export has a folder",
        Ok(kind) if kind.is_symlink() => "is a symbolic link, where an export has a folder",
        Ok(kind) if !kind.is_dir() => "is no folder, and an export has one there",
        _ => "is not of whoever owns the folder",
    };
    Failure::Refused(one_line(&format!(
        "{} {what}, so it is not known whether names there are escaped: say so with `--names exported` or \
         `--names plain`",
        other.display()
    )))
}

/// Where files go, and where they come from.
struct Target {
    tree: Tree,
    bucket: String,
    prefix: String,
    /// In whose name.
    whose: String,
    exported: bool,
}

/// Queues everything in the folder until nobody wants more.
async fn find(target: Arc<Target>, queue: mpsc::Sender<Met>) -> Result<(), Failure> {
    let walk = move || target.tree.walk(target.exported, &mut |met| queue.blocking_send(met).is_ok());
    let walked = tokio::task::spawn_blocking(walk).await;
    walked.map(drop).map_err(|fault| Failure::Refused(format!("the folder cannot be read: {fault}")))
}

impl Target {
    /// The key of a path below the folder.
    fn key(&self, path: &Path) -> Result<String, Failure> {
        let names: Option<Vec<&str>> = path.iter().map(|name| name.to_str()).collect();
        let names = names.ok_or_else(|| Failure::Refused("its name is not UTF-8".into()))?;
        let below = if self.exported { escape::segments(&names).join("/") } else { names.join("/") };
        Ok(format!("{}{below}", self.prefix))
    }

    fn address(&self, what: &str, key: &str) -> String {
        format!("{}/{what}/{}", bucket::address(&self.bucket), escaped(key))
    }
}

/// Reads files and sends them.
#[derive(Clone)]
struct Worker {
    link: Link,
    target: Arc<Target>,
    tally: Arc<Tally>,
}

/// A file on the disk, looked at.
struct Own {
    file: Arc<File>,
    size: u64,
    modified: crate::model::time::Timestamp,
}

impl Worker {
    async fn one(&mut self, met: &Met) -> Result<(), Failure> {
        let key = self.target.key(met.path())?;
        match met {
            Met::File(path) => self.file(&key, path).await,
            Met::Empty(_) => self.folder(&format!("{key}/")).await,
            Met::Other(_, why) => Err(Failure::Refused(why.clone())),
        }
    }

    /// A folder with nothing in it: a key of its own says that it is there.
    async fn folder(&mut self, key: &str) -> Result<(), Failure> {
        if self.standing(key).await?.is_some() {
            self.tally.same(0);
            return Ok(());
        }
        let path = self.target.address("files", key);
        let headers = vec![(header::CONTENT_LENGTH, "0".to_owned()), (header::IF_NONE_MATCH, "*".to_owned())];
        let asked = Asked { method: Method::PUT, path: &path, whose: &self.target.whose, headers };
        self.link.read::<types::File>(&asked).await?;
        self.tally.wrote(0);
        Ok(())
    }

    async fn file(&mut self, key: &str, path: &Path) -> Result<(), Failure> {
        let own = block_in_place(|| look(&self.target.tree, path)).map_err(of_disk)?;
        let standing = self.standing(key).await?;
        if let Some(there) = &standing
            && there.size == own.size
            && is_of_parts(&there.etag)
        {
            let parts: Vec<u64> =
                self.link.read(&Asked::get(&self.target.address("parts", key), &self.target.whose)).await?;
            let tag = block_in_place(|| Tagger::new(Some(&parts)).of(From(&own.file, 0))).map_err(of_disk)?;
            if tag.as_str() == there.etag {
                self.tally.same(own.size);
                return Ok(());
            }
        }
        let md5 = block_in_place(|| md5(&own.file)).map_err(of_disk)?;
        if standing.as_ref().is_some_and(|there| there.size == own.size && there.etag == hex::encode(md5)) {
            self.tally.same(own.size);
            return Ok(());
        }
        self.send(key, &own, md5, standing.as_ref()).await
    }

    /// The file that stands there now.
    async fn standing(&mut self, key: &str) -> Result<Option<types::File>, Failure> {
        let path = format!("{}/keys?limit=1&prefix={}", bucket::address(&self.target.bucket), escaped(key));
        let page: Files = self.link.read(&Asked::get(&path, &self.target.whose)).await?;
        Ok(page.files.into_iter().next().filter(|file| file.key == key))
    }

    /// Writes it, if what stands there is still what was seen: every digest is held against the bytes
    /// before they count.
    async fn send(
        &mut self,
        key: &str,
        own: &Own,
        md5: [u8; 16],
        standing: Option<&types::File>,
    ) -> Result<(), Failure> {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let unchanged = match standing {
            Some(there) => (header::IF_MATCH, format!("\"{}\"", there.etag)),
            None => (header::IF_NONE_MATCH, "*".to_owned()),
        };
        let headers = vec![
            (header::CONTENT_LENGTH, own.size.to_string()),
            (MD5, BASE64_STANDARD.encode(md5)),
            (MODIFIED, own.modified.rfc3339()),
            unchanged,
        ];
        let path = self.target.address("files", key);
        let asked = Asked { method: Method::PUT, path: &path, whose: &self.target.whose, headers };
        let answer = self.link.send(&asked, || Ok(content(&own.file, own.size))).await;
        match answer {
            Ok(_) => {
                self.tally.wrote(own.size);
                Ok(())
            }
            Err(Failure::Problem(problem)) if problem.code == "precondition_failed" => {
                Err(Failure::Refused("it was written by somebody else meanwhile; import it again".into()))
            }
            Err(Failure::Problem(problem))
                if matches!(problem.code.as_str(), "checksum_differs" | "incomplete") =>
            {
                Err(Failure::Refused("it changed while it was read; import it again".into()))
            }
            Err(failure) => Err(failure),
        }
    }
}

impl Work<Met> for Worker {
    async fn work(&mut self, met: Met) -> Result<(), Failure> {
        match self.one(&met).await {
            Err(failure) if is_of_one(&failure) => {
                let name = met.path().to_string_lossy();
                self.tally.refuse(&name, failure.message().unwrap_or_default());
                Ok(())
            }
            done => done,
        }
    }
}

/// Opens a file and looks at it.
fn look(tree: &Tree, path: &Path) -> io::Result<Own> {
    let file = tree.file(path)?;
    let found = file.metadata()?;
    let modified = folder::modified(found.modified()?);
    Ok(Own { file: Arc::new(file), size: found.len(), modified })
}

fn of_disk(error: io::Error) -> Failure {
    Failure::Refused(error.to_string())
}

/// A file read from an offset on, whoever else reads it.
struct From<'f>(&'f File, u64);

impl io::Read for From<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        use std::os::unix::fs::FileExt as _;
        let length = self.0.read_at(into, self.1)?;
        self.1 += length as u64;
        Ok(length)
    }
}

fn md5(file: &File) -> io::Result<[u8; 16]> {
    let mut digester = Digester::new(false, &[]);
    let (mut from, mut block) = (From(file, 0), vec![0; BLOCK]);
    loop {
        match from.read(&mut block)? {
            0 => return Ok(digester.finish().md5),
            length => digester.update(block.get(..length).unwrap_or_default()),
        }
    }
}

/// The file's bytes as a body, so many as it had when it was looked at.
fn content(file: &Arc<File>, size: u64) -> Body {
    let pieces = stream::unfold((Arc::clone(file), 0), move |(file, at)| async move {
        if at >= size {
            return None;
        }
        let wanted = usize::try_from(size - at).unwrap_or(BLOCK).min(BLOCK);
        let read = block_in_place(|| {
            let mut block = vec![0; wanted];
            let length = From(&file, at).read(&mut block)?;
            block.truncate(length);
            if length == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(Bytes::from(block)) }
        });
        let length = read.as_ref().map_or(size, |bytes| bytes.len() as u64);
        Some((read, (file, at + length)))
    });
    body::from_stream(pieces)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Somebody's `/tmp/%holdall-export` changed the names of every import from below `/tmp`; and an export of
    /// its owner that root imported had names as they are written on the disk.
    #[test]
    fn names_are_escaped_in_an_export_of_ones_own_or_of_the_folders_owner() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let (folder, aside) = (root.join("a/b"), root.join(ASIDE));
        fs::create_dir_all(&folder).unwrap();
        let own = rustix::process::geteuid().as_raw();
        assert_eq!(is_exported(&folder, own), Ok(false));
        fs::create_dir(&aside).unwrap();
        // Its owner is the folder's.
        assert_eq!(is_exported(&folder, own), Ok(true));
        assert_eq!(is_exported(&folder, own + 1), Ok(true));
        if own == 0 {
            let give = |path: &Path, to| std::os::unix::fs::chown(path, Some(to), None).unwrap();
            give(&aside, 4711);
            assert_eq!(is_exported(&folder, 0), Err(aside.clone()));
            assert_eq!(is_exported(&folder, 4711), Ok(true), "one's own");
            give(&root, 4711);
            assert_eq!(is_exported(&folder, 0), Ok(true), "its owner's");
            // A nearer one that counts decides.
            give(&root, 0);
            fs::create_dir(root.join("a").join(ASIDE)).unwrap();
            assert_eq!(is_exported(&folder, 0), Ok(true));
            fs::remove_dir(root.join("a").join(ASIDE)).unwrap();
        }
        fs::remove_dir(&aside).unwrap();
        for other in [own, own + 1] {
            std::os::unix::fs::symlink(&folder, &aside).unwrap();
            assert_eq!(is_exported(&folder, other), Err(aside.clone()));
            fs::remove_file(&aside).unwrap();
        }
        let told = || in_doubt(&aside).message().unwrap_or_default().to_owned();
        assert!(told().contains("--names plain"), "{}", told());
        fs::write(&aside, "").unwrap();
        assert_eq!(is_exported(&folder, own), Err(aside.clone()));
        assert!(told().contains(" is a file, "), "{}", told());
        fs::remove_file(&aside).unwrap();
        std::os::unix::fs::symlink(&folder, &aside).unwrap();
        assert!(told().contains(" is a symbolic link, "), "{}", told());
    }
}
