//! Operations as verbs of the domain.

use bytes::Bytes;
use futures::TryStreamExt as _;
use tokio_util::sync::CancellationToken;

use super::{
    op::{At, Body, Broken, How, Only, Op, Versions, Which, World},
    rules::{Did, uploads::listed},
    run::{Done, Run, address, root},
    seen::Got,
};
use crate::{
    domain::{
        Error,
        caller::Caller,
        nouns::{
            Attributes, BucketChange, BucketOptions, ClaimedPart, CompleteOptions, Declared, Expected,
            HistoryPolicy, Item, ListKeys, NewLock, NewUpload, Prop, PropChange, PropOptions, RemoveOptions,
            Transfer, TransferOptions, VersionRef, Versioning, WriteOptions,
        },
        tests::bucket,
    },
    model::{
        condition::{Conditions, EtagList},
        etag::Etag,
        ids::{Seq, VersionId},
    },
    store::io::sim::SimDisk,
};

/// Names of the content types that runs use.
const TYPES: [&str; 2] = ["text/plain", "image/png"];

fn done() -> Did {
    Did::default()
}

fn policy(days: Option<u32>) -> HistoryPolicy {
    days.map_or(HistoryPolicy::Off, HistoryPolicy::Days)
}

impl Run {
    pub(super) async fn act(&mut self, op: &Op) -> Done {
        match op {
            Op::Put { at, body, only, tokens } => self.put(at, *body, *only, *tokens).await,
            Op::Broken { at, body, how } => self.broken(at, *body, *how).await,
            Op::Read { at, which, range } => self.read(at, *which, *range).await,
            Op::Remove { at, only, tokens } => self.remove(at, (None, *only), *tokens).await,
            Op::RemoveVersion { at, which, tokens } => {
                self.remove(at, (self.version(at, *which), Only::Any), *tokens).await
            }
            Op::Transfer { from, to, how, tokens } => self.transfer(from, to, *how, *tokens).await,
            Op::Mkcol { at, tokens } => {
                let options = WriteOptions { tokens: self.tokens(*tokens).await?, ..WriteOptions::default() };
                self.holdall.make_folder(&self.ada, &address(at), &options).await?;
                Ok(Did { created: true, ..done() })
            }
            Op::Prop { at, name, value, tokens } => self.prop(at, (*name, *value), *tokens).await,
            Op::Lock { at, exclusive, deep, seconds } => {
                let (exclusive, deep, seconds) = (*exclusive, *deep, Some(u64::from(*seconds)));
                let new = NewLock { exclusive, deep, seconds, ..NewLock::default() };
                let (_, created) = self.holdall.lock(&self.ada, &address(at), new).await?;
                Ok(Did { created, ..done() })
            }
            Op::Unlock { number } => self.unlock(*number).await,
            Op::Begin { at } => {
                self.holdall.begin_upload(&self.ada, &address(at), NewUpload::default()).await?;
                Ok(done())
            }
            Op::Part { upload, number, body } => self.part(*upload, (*number, *body)).await,
            Op::Complete { .. } | Op::Abort { .. } => self.end_upload(op).await,
            Op::Pages { bucket: name, .. } => {
                let which = ListKeys { limit: 1, ..ListKeys::default() };
                self.holdall.list_keys(&self.ada, &bucket(name), which).await?;
                Ok(done())
            }
            Op::World(world) => self.world(world).await,
            _ => self.settings(op).await,
        }
    }

    /// The tokens of all locks in force, if they are to be submitted.
    async fn tokens(&self, all: bool) -> Result<Vec<String>, Error> {
        let mut tokens = Vec::new();
        for (name, of) in self.model.buckets.iter().filter(|_| all) {
            for lock in &of.locks {
                let at = root(name, &lock.root);
                let found = self.holdall.locks(&self.ada, &at).await?;
                tokens.extend(found.into_iter().filter_map(|lock| lock.token));
            }
        }
        Ok(tokens)
    }

    fn conditions(&self, at: &At, only: Only) -> Conditions {
        let there = self.model.tag(at);
        let tag = |text: &str| Some(EtagList::parse(text));
        match only {
            Only::Any => Conditions::default(),
            Only::Absent => Conditions { if_none_match: tag("*"), ..Conditions::default() },
            Only::Same => {
                Conditions { if_match: tag(there.as_deref().unwrap_or("*")), ..Conditions::default() }
            }
            Only::Other => Conditions { if_match: tag("\"other\""), ..Conditions::default() },
        }
    }

    /// The version meant; one that never was where the model knows none.
    fn version(&self, at: &At, which: Which) -> Option<VersionRef> {
        let made_up = VersionRef::Id(VersionId { incarnation: 1, seq: Seq(u64::MAX >> 1) });
        match which {
            Which::Latest => None,
            Which::Null => Some(VersionRef::Null),
            Which::Nth(_) => {
                let place = self.model.place(at, which);
                let serial = place.and_then(|place| self.model.serial_at(at, place));
                let id = serial.and_then(|serial| self.ids.versions.get(&serial));
                Some(id.map_or(made_up, |id| VersionRef::Id(*id)))
            }
        }
    }

    async fn put(&self, at: &At, body: Body, only: Only, tokens: bool) -> Done {
        let to = address(at);
        let options = WriteOptions {
            conditions: self.conditions(at, only),
            tokens: self.tokens(tokens).await?,
            ..WriteOptions::default()
        };
        let mut put = self.holdall.begin_put(&self.ada, &to, Expected::default()).await?;
        put.write(self.model.bytes(body)).await?;
        let written = put.commit(options).await?;
        Ok(Did { created: written.created, ..done() })
    }

    async fn broken(&self, at: &At, body: Body, how: Broken) -> Done {
        let mut put = self.holdall.begin_put(&self.ada, &address(at), Expected::default()).await?;
        let bytes = self.model.bytes(body);
        put.write(bytes.slice(..bytes.len() / 2)).await?;
        let short = Error::Incomplete { declared: bytes.len() as u64, got: 0 };
        let declared = match how {
            // Who goes away gets no answer; the model calls it broken.
            Broken::Left => return Err(short),
            Broken::Short => Declared { size: Some(bytes.len() as u64), ..Declared::default() },
            Broken::Sum => Declared { md5: Some([7; 16]), ..Declared::default() },
        };
        put.commit(WriteOptions { declared, ..WriteOptions::default() }).await?;
        Ok(done())
    }

    async fn read(&mut self, at: &At, which: Which, range: Option<(u32, u32)>) -> Done {
        let (to, version) = (address(at), self.version(at, which));
        if let Item::Folder(_) = self.holdall.stat(&self.ada, &to, version).await? {
            return Ok(done());
        }
        let opened = self.holdall.open(&self.ada, &to, version, &Conditions::default()).await?;
        let (size, etag) = (opened.version.size, opened.version.etag.as_str().to_owned());
        let kind = opened.version.attributes.content_type.clone();
        let (from, length) = range.map_or((0, size), |(from, length)| (u64::from(from), u64::from(length)));
        let from = from.min(size);
        let pieces: Vec<Bytes> = opened.read(from..(from + length).min(size)).try_collect().await?;
        self.got = Some(Got { size, etag, kind, from, bytes: pieces.concat() });
        Ok(done())
    }

    async fn remove(&self, at: &At, (version, only): (Option<VersionRef>, Only), tokens: bool) -> Done {
        let (conditions, tokens) = (self.conditions(at, only), self.tokens(tokens).await?);
        let options = RemoveOptions { version, conditions, tokens };
        let removed = self.holdall.remove(&self.ada, &address(at), options).await?;
        Ok(Did { existed: removed.existed, marker: removed.marker && !at.path, ..done() })
    }

    async fn transfer(&self, from: &At, to: &At, how: How, tokens: bool) -> Done {
        let verb = if how.moved { Transfer::Move } else { Transfer::Copy };
        let typed = |kind: u8| Attributes {
            content_type: TYPES.get(usize::from(kind)).map(|name| (*name).to_owned()),
            ..Attributes::default()
        };
        let options = TransferOptions {
            version: self.version(from, how.which),
            overwrite: how.overwrite,
            shallow: how.shallow,
            attributes: how.retype.map(typed),
            tokens: self.tokens(tokens).await?,
            ..TransferOptions::default()
        };
        let made = self.holdall.transfer(&self.ada, verb, &address(from), &address(to), options).await?;
        Ok(Did { created: made.created, ..done() })
    }

    async fn prop(&self, at: &At, (name, value): (u8, Option<u8>), tokens: bool) -> Done {
        let (namespace, name) = ("urn:model".to_owned(), format!("p{name}"));
        let change = match value {
            Some(value) => PropChange::Set(Prop { namespace, name, xml: format!("<v>{value}</v>") }),
            None => PropChange::Remove { namespace, name },
        };
        let options = PropOptions { tokens: self.tokens(tokens).await?, ..PropOptions::default() };
        self.holdall.set_props(&self.ada, &address(at), vec![change], options).await?;
        Ok(done())
    }

    async fn unlock(&self, number: u8) -> Done {
        let missing = || Error::NotFound(crate::domain::error::What::Lock, String::new());
        let (name, lock) = self.model.lock_of(number).ok_or_else(missing)?;
        let at = root(name, &lock.root);
        let left = ((lock.until - self.model.now) as u64).div_ceil(1000);
        let found = self.holdall.locks(&self.ada, &at).await?.into_iter().find(|found| {
            let same = lock.root.trim_end_matches('/') == found.root;
            same && (found.exclusive, found.deep, found.left) == (lock.exclusive, lock.deep, left)
        });
        let token = found.and_then(|lock| lock.token).ok_or_else(missing)?;
        self.holdall.unlock(&self.ada, &at, &token).await?;
        Ok(done())
    }

    /// The address and id of an upload; an id that never was where there is none.
    fn upload(&self, number: u8) -> (At, String) {
        let index = self.model.upload(number);
        let upload = index.and_then(|index| self.model.uploads.get(index));
        let id = index.and_then(|index| self.ids.uploads.get(&index)).cloned();
        let nowhere = At { bucket: "plain".into(), name: "a".into(), path: false };
        (upload.map_or(nowhere, |upload| upload.at.clone()), id.unwrap_or_else(|| "f".repeat(16)))
    }

    async fn part(&self, upload: u8, (number, body): (u32, Body)) -> Done {
        let (at, id) = self.upload(upload);
        let (at, expected) = (address(&at), Expected::default());
        let mut put = self.holdall.begin_part(&self.ada, &at, &id, number, expected).await?;
        put.write(self.model.bytes(body)).await?;
        put.commit(Declared::default()).await?;
        Ok(done())
    }

    async fn end_upload(&self, op: &Op) -> Done {
        let (Op::Complete { upload: number, .. } | Op::Abort { upload: number }) = op else {
            return Ok(done());
        };
        let (at, id) = self.upload(*number);
        let Op::Complete { listed: how, .. } = op else {
            self.holdall.abort_upload(&self.ada, &address(&at), &id).await?;
            return Ok(done());
        };
        let upload = self.model.upload(*number).and_then(|index| self.model.uploads.get(index));
        let parts = upload.map(|upload| listed(upload, *how)).unwrap_or_default();
        let claim = |(number, body)| ClaimedPart {
            number,
            etag: Etag::from_text(&self.model.etag(body)),
            checksums: Vec::new(),
        };
        let parts = parts.into_iter().map(claim).collect();
        let how = CompleteOptions { parts, ..CompleteOptions::default() };
        let written = self.holdall.complete_upload(&self.ada, &address(&at), &id, how).await?;
        Ok(Did { created: written.created, ..done() })
    }

    async fn settings(&self, op: &Op) -> Done {
        let (name, change) = match op {
            Op::Version { bucket, to } => {
                let to = match to {
                    Versions::Enabled => Versioning::Enabled,
                    Versions::Suspended => Versioning::Suspended,
                };
                (bucket, BucketChange { versioning: Some(to), ..BucketChange::default() })
            }
            Op::Quota { bucket, bytes } => {
                (bucket, BucketChange { quota: Some(*bytes), ..BucketChange::default() })
            }
            Op::History { bucket, days } => {
                (bucket, BucketChange { history: Some(policy(*days)), ..BucketChange::default() })
            }
            Op::MakeBucket { bucket: name, days } => {
                let options = BucketOptions { history: policy(*days), ..BucketOptions::default() };
                self.holdall.create_bucket(&self.ada, &bucket(name), options).await?;
                return Ok(Did { created: true, ..done() });
            }
            Op::DropBucket { bucket: name } => {
                self.holdall.remove_bucket(&self.ada, &bucket(name), Conditions::default()).await?;
                return Ok(done());
            }
            _ => return Ok(done()),
        };
        self.holdall.change_bucket(&self.ada, &bucket(name), change).await?;
        Ok(done())
    }

    async fn world(&mut self, world: &World) -> Done {
        match world {
            World::Expire => {
                self.holdall.clear_trash().await?;
                self.holdall.forget_uploads().await?;
            }
            World::Clock(by) if *by < 0 => self.holdall.sweep_locks(&CancellationToken::new()).await?,
            World::Clock(_) | World::Cut { .. } => {}
            World::Restart => self.restart().await.map_err(|reason| Error::Internal { reason })?,
            World::Collect { compact } => {
                let collected = self.holdall.collect(&Caller::Operator, *compact).await;
                // Without room a run may end early; it must not do anything else.
                if let (Some(why), false) = (collected?.aborted, self.model.full) {
                    return Err(Error::Internal { reason: format!("collecting was ended: {why}") });
                }
            }
            World::Room(room) => self.set_room(&self.disk, *room),
        }
        Ok(done())
    }

    fn set_room(&self, disk: &SimDisk, room: bool) {
        disk.set_free(if room { super::run::WIDE } else { super::run::TIGHT });
    }
}
