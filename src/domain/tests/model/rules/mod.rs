//! The rules, from design.md §5 and not from the code: for each operation the answer, and what is
//! there afterwards.
//!
//! Where more than one reason forbids an operation, any of them may be told. A refused operation
//! changes nothing.

mod each;
mod extras;
mod files;
mod transfer;
pub(crate) mod uploads;

use std::{cell::RefCell, collections::BTreeMap, collections::HashMap, rc::Rc};

use bytes::Bytes;
use md5::Digest as _;

use super::{
    op::{At, Body, Only, Op, World},
    state::{Bucket, Content, Stands, State, Version, parent, within},
};
use uploads::Upload;

const DAY: i64 = 24 * 3600 * 1000;
/// Days that history is kept where it was turned off since.
const DAYS: u32 = 30;
/// Versions of one file that people's history keeps.
const KEPT: usize = 100;

/// Why an operation is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    Missing,
    Marker,
    Exists,
    Conflict,
    Denied,
    Failed,
    Locked,
    Quota,
    Invalid,
    NotEmpty,
    BadPart,
    Broken,
    Full,
}

/// What an operation that was done tells.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Did {
    /// Nothing was there before.
    pub(crate) created: bool,
    /// Something was there to be removed.
    pub(crate) existed: bool,
    /// What was removed, or came to be, is a delete marker.
    pub(crate) marker: bool,
    /// What is read; none for a folder.
    pub(crate) content: Option<Content>,
}

/// The answer to an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    Done(Did),
    /// A folder verb that goes file by file was refused some.
    Partly,
    Refused(Vec<Why>),
}

/// Bodies that were made once.
type Made = Rc<RefCell<HashMap<Body, (Bytes, [u8; 16])>>>;

/// Everything there is.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) now: i64,
    /// The disk takes no bodies.
    pub(crate) full: bool,
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) uploads: Vec<Upload>,
    serial: u64,
    made: Made,
}

/// Gathers the reasons against an operation.
#[derive(Default)]
struct Reasons(Vec<Why>);

impl Reasons {
    fn when(&mut self, holds: bool, why: Why) {
        if holds {
            self.0.push(why);
        }
    }

    fn or(self, done: impl FnOnce() -> Answer) -> Answer {
        if self.0.is_empty() { done() } else { Answer::Refused(self.0) }
    }
}

fn refused(why: Why) -> Answer {
    Answer::Refused(vec![why])
}

impl Model {
    pub(crate) fn at(now: i64) -> Self {
        let (buckets, uploads, made) = (BTreeMap::new(), Vec::new(), Made::default());
        Self { now, full: false, buckets, uploads, serial: 0, made }
    }

    fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// The bytes of a body and their MD5.
    fn made(&self, body: Body) -> (Bytes, [u8; 16]) {
        let make = || {
            let mut bytes = vec![0; body.length as usize];
            if body.seed != 0 {
                blake3::Hasher::new().update(&[body.seed]).finalize_xof().fill(&mut bytes);
            }
            let sum = md5::Md5::digest(&bytes).into();
            (Bytes::from(bytes), sum)
        };
        self.made.borrow_mut().entry(body).or_insert_with(make).clone()
    }

    pub(crate) fn bytes(&self, body: Body) -> Bytes {
        self.made(body).0
    }

    pub(crate) fn etag(&self, body: Body) -> String {
        hex::encode(self.made(body).1)
    }

    fn content(&self, body: Body) -> Content {
        Content { pieces: vec![body], etag: self.etag(body), kind: None }
    }

    fn bucket(&mut self, name: &str) -> Result<&mut Bucket, Answer> {
        self.buckets.get_mut(name).ok_or_else(|| refused(Why::Missing))
    }

    /// Applies an operation; a refused one leaves everything as it was.
    pub(crate) fn apply(&mut self, op: &Op) -> Answer {
        let before = self.clone();
        let answer = self.decide(op).unwrap_or_else(|refusal| refusal);
        if matches!(answer, Answer::Refused(_)) {
            *self = before;
        }
        answer
    }

    fn decide(&mut self, op: &Op) -> Result<Answer, Answer> {
        match op {
            Op::Put { at, body, only, tokens } => self.put(at, *body, *only, *tokens),
            Op::Broken { at, .. } => self.broken(at),
            Op::Read { at, which, .. } => self.read(at, *which),
            Op::Remove { at, only, tokens } => self.remove(at, *only, *tokens),
            Op::RemoveVersion { at, which, tokens } => self.remove_version(at, *which, *tokens),
            Op::Transfer { from, to, how, tokens } => self.transfer(from, to, *how, *tokens),
            Op::Mkcol { at, tokens } => self.mkcol(at, *tokens),
            Op::Prop { at, name, value, tokens } => self.prop(at, (*name, *value), *tokens),
            Op::Lock { at, exclusive, deep, seconds } => self.lock(at, (*exclusive, *deep), *seconds),
            Op::Unlock { number } => Ok(self.unlock(*number)),
            Op::Begin { at } => self.begin(at),
            Op::Part { upload, number, body } => Ok(self.part(*upload, *number, *body)),
            Op::Complete { upload, listed } => self.complete(*upload, *listed),
            Op::Abort { upload } => Ok(self.abort(*upload)),
            Op::Pages { bucket, .. } => self.bucket(bucket).map(|_| Answer::Done(Did::default())),
            Op::World(world) => Ok(self.world(world)),
            _ => self.settings(op),
        }
    }

    fn world(&mut self, world: &World) -> Answer {
        match world {
            World::Expire => return self.expire(),
            World::Clock(by) => {
                self.now += by;
                if *by < 0 {
                    // What was over stays over: who goes back looks through the locks first.
                    let then = self.now - by;
                    self.buckets.values_mut().for_each(|b| b.locks.retain(|lock| lock.until > then));
                }
            }
            World::Room(room) => self.full = !room,
            World::Restart | World::Cut { .. } | World::Collect { .. } => {}
        }
        Answer::Done(Did::default())
    }

    /// Whether a lock forbids to change what stands at `root`, and with `membership` also the
    /// folder that holds it. One person holds all locks, so who submits them all passes.
    fn locked(&self, at: (&str, Option<&str>), holder: &str, membership: bool) -> bool {
        let Some(bucket) = self.buckets.get(at.0) else { return false };
        let folder = |lock: &super::state::Lock| lock.root.trim_end_matches('/').to_owned();
        bucket.locks.iter().filter(|lock| lock.until > self.now).any(|lock| {
            let (above, own) =
                (lock.root.is_empty() || lock.root.ends_with('/'), at.1 == Some(lock.root.as_str()));
            let covers = above && (folder(lock) == holder || within(holder, &folder(lock)));
            own || (covers && (lock.deep || (membership && folder(lock) == holder)))
        })
    }

    /// Whether anything below a folder is locked.
    fn locked_below(&self, bucket: &str, folder: &str) -> bool {
        let own = format!("{folder}/");
        let now = self.now;
        let below = |lock: &&super::state::Lock| lock.root.starts_with(&own) && lock.root != own;
        self.buckets.get(bucket).is_some_and(|b| b.locks.iter().filter(below).any(|l| l.until > now))
    }

    /// Ends an operation that writes to a bucket: refused if it is charged for more than before,
    /// and more than its quota.
    fn charged(&mut self, name: &str, before: u64, done: Did) -> Answer {
        let after = self.charge(name);
        let limit = self.buckets.get(name).and_then(|bucket| bucket.quota);
        self.buckets.values_mut().for_each(Bucket::settle);
        if after > before && limit.is_some_and(|limit| after > limit) {
            return refused(Why::Quota);
        }
        Answer::Done(done)
    }

    /// Bytes that a bucket is charged for.
    pub(crate) fn charge(&self, name: &str) -> u64 {
        let Some(bucket) = self.buckets.get(name) else { return 0 };
        let (live, older, ..) = bucket.usage();
        live + older + self.stored(bucket.born)
    }

    /// What a condition says of the file that is there.
    fn demand(only: Only, file: bool, path: bool) -> Option<Why> {
        match only {
            Only::Absent if file => Some(Why::Failed),
            Only::Same | Only::Other if !file => Some(if path { Why::Failed } else { Why::Missing }),
            Only::Other => Some(Why::Failed),
            Only::Any | Only::Absent | Only::Same => None,
        }
    }
}

/// Where a write goes: the key, whether a file is there, and whether that can be.
struct Target {
    key: String,
    file: bool,
    wrong: Option<Why>,
}

fn target(bucket: &Bucket, at: &At) -> Target {
    if !at.path {
        return Target { key: at.name.clone(), file: bucket.file(&at.name).is_some(), wrong: None };
    }
    match bucket.find(&at.name) {
        Stands::Root => Target { key: String::new(), file: false, wrong: Some(Why::Exists) },
        Stands::Folder(key) => Target { key, file: false, wrong: Some(Why::Exists) },
        Stands::File(key) => Target { key, file: true, wrong: None },
        Stands::Nothing(key, fits) => Target { key, file: false, wrong: (!fits).then_some(Why::Conflict) },
    }
}

/// What a lock on a file of that key is on. The marker of a folder is never locked itself.
fn own(key: &str) -> Option<&str> {
    (!key.ends_with('/')).then_some(key)
}

/// How long a bucket keeps what people gave up.
fn keeps(days: Option<u32>) -> i64 {
    i64::from(days.unwrap_or(DAYS)) * DAY
}
