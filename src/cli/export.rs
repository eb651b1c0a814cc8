//! `holdall export`: the current files of buckets as a plain folder tree, by the server that runs or
//! from the data itself. What is there and the same is left as it is, so that one that was broken off
//! goes on where it was.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use http::{Method, Response, header};
use http_body_util::BodyExt as _;
use tokio::{sync::mpsc, task::block_in_place};

use super::{
    Context,
    arguments::Export,
    bucket, escaped,
    failure::Failure,
    files::{
        crowd::{self, Work},
        failed::{is_of_one, refused, unfinished},
        folder::{Folder, set_modified},
        link::{Asked, Link},
        tag::{Tagger, is_of_parts},
        tally::Tally,
    },
    reach::Reach,
};
use crate::{
    doors::{
        api::{
            files::MODIFIED,
            types::{Bucket, File, Files},
        },
        gate::{Body, body},
    },
    model::{etag::Etag, limits::LIST_PAGE, time::Timestamp},
};

/// How often a file is fetched that changes while it is.
const FETCHES: usize = 3;

/// What is exported: a bucket, or what is below a key of it.
#[derive(Debug)]
struct Root {
    bucket: Bucket,
    /// Without a slash at its end; empty for the whole bucket.
    below: String,
}

/// A file to be written.
struct Job {
    root: Arc<Root>,
    file: File,
}

pub(super) async fn run(context: &Context, export: Export) -> Result<(), Failure> {
    let (dest, paths) = split(&export)?;
    apart(&context.settings.data, &dest)?;
    let reach = Arc::new(Reach::find(&context.settings).await?);
    let roots = roots(&reach, &export, &paths).await?;
    let folder = Folder::open(&dest).map_err(|error| refused(&dest, &error))?;
    let tally = Arc::new(Tally::default());
    for root in &roots {
        let usage = root.bucket.usage.as_ref().filter(|_| root.below.is_empty());
        tally.expect(usage.map_or(0, |usage| usage.files));
    }
    let worker = Worker { link: Link::new(reach), folder: Arc::new(folder), tally: Arc::clone(&tally) };
    let (lister, folder) = (worker.clone(), Arc::clone(&worker.folder));
    let work = crowd::run(|queue| lister.list(roots, queue), worker);
    let done = tally.while_telling("exporting", work).await;
    done.map_err(|failure| unfinished(&failure, "export"))?;
    block_in_place(|| folder.sync()).map_err(|error| refused(&dest, &error))?;
    tally.end(context.printer, "exported")
}

/// The last path is the destination.
fn split(export: &Export) -> Result<(PathBuf, Vec<String>), Failure> {
    let (dest, paths) =
        export.paths.split_last().ok_or_else(|| Failure::Usage("where to is not named".into()))?;
    if !paths.is_empty() && (export.bucket.is_some() || export.user.is_some()) {
        return Err(Failure::Usage("name either paths, or --bucket, or --user".into()));
    }
    Ok((PathBuf::from(dest), paths.to_vec()))
}

/// Nothing may be written into the data directory.
fn apart(data: &Path, dest: &Path) -> Result<(), Failure> {
    let Ok(data) = data.canonicalize() else { return Ok(()) };
    let there = dest.ancestors().find_map(|above| {
        let above = if above == Path::new("") { Path::new(".") } else { above };
        above.canonicalize().ok()
    });
    match there {
        Some(there) if there.starts_with(&data) => {
            Err(Failure::Refused(format!("{} lies in the data directory; name another", dest.display())))
        }
        _ => Ok(()),
    }
}

async fn roots(reach: &Reach, export: &Export, paths: &[String]) -> Result<Vec<Root>, Failure> {
    let whole = |bucket| Root { bucket, below: String::new() };
    let mut found = Vec::new();
    let named = export.bucket.iter().chain(paths);
    for path in named {
        let (name, below) = path.split_once('/').unwrap_or((path, ""));
        let bucket = reach.ask(Method::GET, &bucket::address(name)).await?;
        found.push(Root { bucket, below: below.trim_end_matches('/').to_owned() });
    }
    if found.is_empty() {
        let buckets = bucket::all(reach).await?;
        let wanted = |bucket: &Bucket| export.user.as_ref().is_none_or(|user| bucket.owner == *user);
        found.extend(buckets.into_iter().filter(wanted).map(whole));
        if let (Some(user), true) = (&export.user, found.is_empty()) {
            // Tells whether there is such an account.
            let path = format!("/api/v1/accounts/{}", escaped(user));
            reach.ask::<serde::de::IgnoredAny>(Method::GET, &path).await?;
        }
    }
    Ok(found)
}

/// Fetches files and writes them.
#[derive(Clone)]
struct Worker {
    link: Link,
    folder: Arc<Folder>,
    tally: Arc<Tally>,
}

impl Worker {
    /// Queues every file, in order, until nobody wants more.
    async fn list(mut self, roots: Vec<Root>, queue: mpsc::Sender<Job>) -> Result<(), Failure> {
        for root in roots {
            let root = Arc::new(root);
            let top = block_in_place(|| self.folder.make(std::slice::from_ref(&root.bucket.name)));
            top.map_err(|error| refused(Path::new(&root.bucket.name), &error))?;
            let (mut prefix, mut met) = (String::new(), true);
            if !root.below.is_empty() {
                // The file of that name, then what is in the folder of that name.
                let page = self.page(&root.bucket, &root.below, (None, 1)).await?;
                let file = page.files.into_iter().next().filter(|file| file.key == root.below);
                (prefix, met) = (format!("{}/", root.below), file.is_some());
                if let Some(file) = file
                    && queue.send(Job { root: Arc::clone(&root), file }).await.is_err()
                {
                    return Ok(());
                }
            }
            let mut after = None;
            loop {
                let page = self.page(&root.bucket, &prefix, (after, LIST_PAGE)).await?;
                met |= !page.files.is_empty();
                for file in page.files {
                    if queue.send(Job { root: Arc::clone(&root), file }).await.is_err() {
                        return Ok(());
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            if !met {
                let name = format!("{}/{}", root.bucket.name, root.below);
                self.tally.refuse(&name, "there is nothing of that name");
            }
        }
        Ok(())
    }

    async fn page(
        &mut self,
        bucket: &Bucket,
        prefix: &str,
        (after, limit): (Option<String>, usize),
    ) -> Result<Files, Failure> {
        let mut path =
            format!("{}/keys?limit={limit}&prefix={}", bucket::address(&bucket.name), escaped(prefix));
        if let Some(after) = after {
            path.push_str(&format!("&after={}", escaped(&after)));
        }
        self.link.read(&Asked::get(&path, &bucket.owner)).await
    }

    /// One file: left as it is, or written.
    async fn one(&mut self, job: &Job) -> Result<(), Failure> {
        let Job { root, file } = job;
        let names = self.folder.names(&root.bucket.name, &file.key, file.twin);
        if file.size == 0 && file.key.ends_with('/') {
            // It only says that the folder is there.
            let folder = names.get(..names.len() - 1).unwrap_or_default();
            block_in_place(|| self.folder.make(folder)).map_err(of_disk)?;
            self.tally.same(0);
            return Ok(());
        }
        if !names.iter().skip(1).map(String::as_str).eq(file.key.split('/')) {
            self.tally.escaped();
        }
        let there = block_in_place(|| self.folder.find(&names)).map_err(of_disk)?;
        if let Some(there) = there
            && block_in_place(|| there.metadata()).map_err(of_disk)?.len() == file.size
        {
            let parts = self.parts(root, file).await?;
            let tag = block_in_place(|| Tagger::new(parts.as_deref()).of(&there)).map_err(of_disk)?;
            if tag.as_str() == file.etag {
                block_in_place(|| set_modified(&there, time(&file.modified)?)).map_err(of_disk)?;
                self.tally.same(file.size);
                return Ok(());
            }
        }
        for _ in 0..FETCHES {
            if self.fetch(job, &names).await? {
                return Ok(());
            }
        }
        Err(Failure::Refused("it changes while it is read; export it again".into()))
    }

    /// The sizes of the parts it was sent in, if it was.
    async fn parts(&mut self, root: &Root, file: &File) -> Result<Option<Vec<u64>>, Failure> {
        if !is_of_parts(&file.etag) {
            return Ok(None);
        }
        let path = address(root, "parts", &file.key);
        self.link.read(&Asked::get(&path, &root.bucket.owner)).await.map(Some)
    }

    /// Writes it; false if it was another by the time it came.
    async fn fetch(&mut self, Job { root, file }: &Job, names: &[String]) -> Result<bool, Failure> {
        let parts = self.parts(root, file).await?;
        let path = address(root, "files", &file.key);
        let answer = self.link.send(&Asked::get(&path, &root.bucket.owner), || Ok(body::empty())).await?;
        let coming = Coming::of(&answer)?;
        // Another version came than was listed: whether its parts are those asked for, its tag tells.
        let parts = parts.filter(|_| is_of_parts(coming.etag.as_str()));
        let mut tagger = Tagger::new(parts.as_deref());
        let mut aside = block_in_place(|| self.folder.begin()).map_err(of_disk)?;
        let (mut body, mut size) = (answer.into_body(), 0);
        while let Some(bytes) = next(&mut body).await.inspect_err(|_| self.link.break_off())? {
            size += bytes.len() as u64;
            block_in_place(|| {
                tagger.update(&bytes);
                aside.write(&bytes)
            })
            .map_err(of_disk)
            .inspect_err(|_| self.link.break_off())?;
        }
        if size != coming.size || tagger.finish() != coming.etag {
            return Ok(false);
        }
        block_in_place(|| aside.place(names, coming.modified)).map_err(of_disk)?;
        self.tally.wrote(size);
        Ok(true)
    }
}

impl Work<Job> for Worker {
    async fn work(&mut self, job: Job) -> Result<(), Failure> {
        match self.one(&job).await {
            // Removed since it was listed.
            Err(Failure::Problem(problem)) if problem.code == "no_such_file" => Ok(()),
            Err(failure) if is_of_one(&failure) => {
                let name = format!("{}/{}", job.root.bucket.name, job.file.key);
                self.tally.refuse(&name, failure.message().unwrap_or_default());
                Ok(())
            }
            done => done,
        }
    }
}

/// What the head of an answer says of the file in it.
struct Coming {
    size: u64,
    etag: Etag,
    modified: Timestamp,
}

impl Coming {
    fn of(answer: &Response<Body>) -> Result<Self, Failure> {
        let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let read = || {
            let size = text(header::CONTENT_LENGTH)?.parse().ok()?;
            let (etag, modified) = (Etag::from_text(text(header::ETAG)?), text(MODIFIED)?);
            Some(Self { size, etag, modified: Timestamp::parse_rfc3339(modified)? })
        };
        read().ok_or_else(|| Failure::Refused("the answer is not understood".into()))
    }
}

/// The next bytes. An end that is none is an error.
async fn next(body: &mut Body) -> Result<Option<Bytes>, Failure> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(error)) => return Err(Failure::Refused(format!("its bytes broke off: {error}"))),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

fn address(root: &Root, what: &str, key: &str) -> String {
    format!("{}/{what}/{}", bucket::address(&root.bucket.name), escaped(key))
}

fn time(text: &str) -> io::Result<Timestamp> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| io::Error::other("its time of last change cannot be read"))
}

/// What the disk says of one file. Where there is no room for it there is none for others.
fn of_disk(error: io::Error) -> Failure {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded | ReadOnlyFilesystem => Failure::Usage(error.to_string()),
        _ => Failure::Refused(error.to_string()),
    }
}
