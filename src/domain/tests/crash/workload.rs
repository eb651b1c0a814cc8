//! A workload that touches every kind of verb, the same for the same seed.

use std::sync::Arc;

use super::{Dice, SimDisk, care::Care};
use crate::{
    domain::{
        Error, Holdall,
        caller::{Caller, Person, Proof, Scope},
        nouns::{
            Account, BucketChange, BucketOptions, ClaimedPart, CompleteOptions, Expected, HistoryPolicy,
            ListVersions, NewLock, NewUpload, Prop, PropChange, PropOptions, RemoveOptions, Transfer,
            TransferOptions, VersionEntry, VersionRef, Versioning, WriteOptions,
        },
        tests::{
            account, bucket,
            model::make::{KEYS, PATHS},
            newcomer,
        },
    },
    model::{
        address::{Address, ItemPath, ObjectKey},
        etag::Etag,
    },
};

/// `ada` and `plain` are never versioned; the first keeps history for people.
const BUCKETS: [&str; 3] = ["ada", "plain", "kept"];
const FOLDERS: [&str; 6] = ["a", "a/c", "b", "b/y", "e", "e/f"];

/// An upload that was begun.
struct Begun {
    at: Address,
    id: String,
    part: Option<Etag>,
}

/// A workload on its way.
pub(in crate::domain::tests) struct Workload {
    pub(in crate::domain::tests) holdall: Arc<Holdall>,
    pub(in crate::domain::tests) ada: Caller,
    dice: Dice,
    uploads: Vec<Begun>,
    /// Locks it holds.
    locks: Vec<(Address, String)>,
    care: Option<Care>,
}

/// Who does everything.
pub(in crate::domain::tests) async fn ada(holdall: &Holdall) -> Caller {
    person(holdall, "ada").await.unwrap()
}

/// Somebody, by name.
pub(super) async fn person(holdall: &Holdall, name: &str) -> Option<Caller> {
    holdall.show_account(&Caller::Operator, &account(name)).await.ok().map(caller)
}

/// An account that signed in.
pub(super) fn caller(account: Account) -> Caller {
    Caller::Person(Person {
        account: account.id,
        name: account.name,
        admin: false,
        proof: Proof::Password,
        scope: Scope::default(),
    })
}

pub(super) fn noise(seed: u64, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; length as usize];
    blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

impl Workload {
    pub(in crate::domain::tests) async fn new(holdall: Arc<Holdall>, seed: u64) -> Self {
        holdall.add_account(&Caller::Operator, newcomer("ada")).await.unwrap();
        let ada = person(&holdall, "ada").await.unwrap();
        for name in ["plain", "kept"] {
            holdall.create_bucket(&ada, &bucket(name), Default::default()).await.unwrap();
        }
        Self { holdall, ada, dice: Dice(seed), uploads: Vec::new(), locks: Vec::new(), care: None }
    }

    /// Looks after its disk, too.
    pub(in crate::domain::tests) async fn on(mut self, disk: &SimDisk) -> Self {
        self.care = Some(Care::new(&self.holdall, disk).await);
        self
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.dice.roll(from.len() as u64) as usize]
    }

    fn key(&mut self) -> Address {
        let name = bucket(self.pick(&BUCKETS));
        Address::key(name, ObjectKey::parse(self.pick(&KEYS)).unwrap())
    }

    fn path(&mut self, among: &[&str]) -> Address {
        let name = bucket(self.pick(&BUCKETS));
        Address::path(name, ItemPath::parse(self.pick(among)).unwrap())
    }

    fn folder(&mut self) -> Address {
        self.path(&FOLDERS)
    }

    /// The next operation; its answer.
    pub(in crate::domain::tests) async fn step(&mut self) -> String {
        let what = self.dice.roll(105);
        let done = match what {
            0..22 => self.put().await,
            22..30 => self.put_path().await,
            30..42 => self.remove().await,
            42..46 => self.remove_version().await,
            46..58 => self.transfer().await,
            58..68 => self.transfer_folder().await,
            68..73 => self.make_folder().await,
            73..85 => self.upload().await,
            85..88 => self.version().await,
            88..91 => self.buckets().await,
            91..94 => self.collect().await,
            94..96 => self.lock().await,
            96 => self.props().await,
            97 => self.another().await,
            98 => self.leave().await,
            99..104 => self.care(what).await,
            _ => self.jobs().await,
        };
        match done {
            Ok(done) => done,
            Err(error) => format!("{what}: {error}"),
        }
    }

    /// What is done about a disk, where there is one that may be damaged.
    async fn care(&mut self, what: u64) -> Result<String, Error> {
        let Some(care) = &mut self.care else { return Ok("nothing to care for".into()) };
        match what {
            99..101 => care.heal(&self.holdall).await,
            101..103 => care.snapshot(&self.holdall).await,
            _ => care.back_up(&self.holdall).await,
        }
    }

    async fn write(&mut self, at: Address) -> Result<String, Error> {
        let length = match self.dice.roll(10) {
            0 => 0,
            1 if self.dice.roll(2) == 0 => 70_000 + self.dice.roll(200_000),
            _ => self.dice.roll(5_000),
        };
        let bytes = noise(self.dice.roll(20), length);
        let mut put = self.holdall.begin_put(&self.ada, &at, Expected::default()).await?;
        put.write(bytes.into()).await?;
        let written = put.commit(WriteOptions::default()).await?;
        Ok(format!("put {at} {}", written.version.id))
    }

    async fn put(&mut self) -> Result<String, Error> {
        let at = self.key();
        self.write(at).await
    }

    async fn put_path(&mut self) -> Result<String, Error> {
        let at = self.path(&PATHS);
        self.write(at).await
    }

    async fn remove(&mut self) -> Result<String, Error> {
        let at = match self.dice.roll(3) {
            0 => self.folder(),
            _ => self.key(),
        };
        let removed = self.holdall.remove(&self.ada, &at, RemoveOptions::default()).await?;
        Ok(format!("remove {at}: {removed:?}"))
    }

    async fn remove_version(&mut self) -> Result<String, Error> {
        let name = bucket("kept");
        let which = ListVersions { limit: 1000, ..ListVersions::default() };
        let found = self.holdall.list_versions(&self.ada, &name, which).await?.entries;
        let number = self.dice.roll(found.len().max(1) as u64) as usize;
        let (key, version) = match found.into_iter().nth(number) {
            Some(VersionEntry::Version(file)) if file.null => (file.key, VersionRef::Null),
            Some(VersionEntry::Version(file)) => (file.key, VersionRef::Id(file.id)),
            Some(VersionEntry::Marker { key, id, .. }) => (key, VersionRef::Id(id)),
            Some(VersionEntry::Prefix(_)) | None => return Ok("no version".into()),
        };
        let at = Address::key(name, ObjectKey::parse(&key)?);
        let options = RemoveOptions { version: Some(version), ..RemoveOptions::default() };
        let removed = self.holdall.remove(&self.ada, &at, options).await?;
        Ok(format!("remove {at} {version:?}: {removed:?}"))
    }

    fn how(&mut self) -> Transfer {
        if self.dice.roll(2) == 0 { Transfer::Copy } else { Transfer::Move }
    }

    async fn transfer(&mut self) -> Result<String, Error> {
        let how = self.how();
        let (from, to) = match self.dice.roll(2) {
            0 => (self.key(), self.key()),
            _ => (self.path(&["a/b", "b/x", "caf\u{e9}", "n", "a/c/d"]), self.key()),
        };
        self.move_or_copy(how, from, to).await
    }

    async fn transfer_folder(&mut self) -> Result<String, Error> {
        let (how, from, to) = (self.how(), self.folder(), self.folder());
        self.move_or_copy(how, from, to).await
    }

    async fn move_or_copy(&mut self, how: Transfer, from: Address, to: Address) -> Result<String, Error> {
        let done = self.holdall.transfer(&self.ada, how, &from, &to, TransferOptions::default()).await?;
        Ok(format!("{how:?} {from} {to} {}", done.created))
    }

    async fn make_folder(&mut self) -> Result<String, Error> {
        let at = self.path(&["n", "b", "a/c", "a/n", "e/f"]);
        self.holdall.make_folder(&self.ada, &at, &WriteOptions::default()).await?;
        Ok(format!("make {at}"))
    }

    async fn upload(&mut self) -> Result<String, Error> {
        let number = self.dice.roll(self.uploads.len() as u64 + 1) as usize;
        if number == self.uploads.len() {
            let at = self.key();
            let begun = self.holdall.begin_upload(&self.ada, &at, NewUpload::default()).await?;
            let told = format!("begin {at} {}", begun.id);
            self.uploads.push(Begun { at, id: begun.id, part: None });
            return Ok(told);
        }
        let length = 1 + self.dice.roll(90_000);
        let (holdall, ada) = (Arc::clone(&self.holdall), self.ada.clone());
        let begun = &mut self.uploads[number];
        let (at, id) = (begun.at.clone(), begun.id.clone());
        match (&begun.part, self.dice.roll(4)) {
            (Some(etag), 0..2) => {
                let parts = vec![ClaimedPart { number: 1, etag: etag.clone(), checksums: Vec::new() }];
                let how = CompleteOptions { parts, ..CompleteOptions::default() };
                let written = holdall.complete_upload(&ada, &at, &id, how).await?;
                self.uploads.remove(number);
                Ok(format!("complete {at} {}", written.version.id))
            }
            (Some(_), 2) => {
                holdall.abort_upload(&ada, &at, &id).await?;
                self.uploads.remove(number);
                Ok(format!("abort {at}"))
            }
            (part, _) => {
                let other = part.is_some() && self.dice.roll(2) == 0;
                let part = if other { 2 } else { 1 };
                let mut put = holdall.begin_part(&ada, &at, &id, part, Expected::default()).await?;
                put.write(noise(length, length).into()).await?;
                let kept = put.commit(crate::domain::nouns::Declared::default()).await?;
                if part == 1 {
                    begun.part = Some(kept.etag);
                }
                Ok(format!("part {part} of {at}"))
            }
        }
    }

    async fn version(&mut self) -> Result<String, Error> {
        let to = if self.dice.roll(3) == 0 { Versioning::Suspended } else { Versioning::Enabled };
        let change = BucketChange { versioning: Some(to), ..BucketChange::default() };
        self.holdall.change_bucket(&self.ada, &bucket("kept"), change).await?;
        Ok(format!("{to:?}"))
    }

    async fn buckets(&mut self) -> Result<String, Error> {
        let name = bucket("temporary");
        match self.dice.roll(3) {
            0 => self.holdall.remove_bucket(&self.ada, &name, Default::default()).await?,
            1 => {
                let options = BucketOptions { history: HistoryPolicy::Days(3), ..BucketOptions::default() };
                self.holdall.create_bucket(&self.ada, &name, options).await?;
            }
            _ => {
                let at = Address::key(name, ObjectKey::parse("t/u")?);
                return match self.dice.roll(2) {
                    0 => self.write(at).await,
                    _ => self
                        .holdall
                        .remove(&self.ada, &at, RemoveOptions::default())
                        .await
                        .map(|_| "removed".into()),
                };
            }
        }
        Ok("bucket".into())
    }

    async fn collect(&mut self) -> Result<String, Error> {
        let compact = self.dice.roll(2) == 0;
        let collected = self.holdall.collect(&Caller::Operator, compact).await?;
        Ok(format!("collect {:?}", collected.aborted))
    }

    /// Takes a lock, or gives one back.
    async fn lock(&mut self) -> Result<String, Error> {
        if let Some((at, token)) = self.locks.pop() {
            let given = self.holdall.unlock(&self.ada, &at, &token).await;
            return given.map(|()| format!("unlock {at}"));
        }
        let at = self.path(&PATHS);
        let new = NewLock { exclusive: true, seconds: Some(3600), ..NewLock::default() };
        let (lock, created) = self.holdall.lock(&self.ada, &at, new).await?;
        self.locks.extend(lock.token.map(|token| (at.clone(), token)));
        Ok(format!("lock {at} {created}"))
    }

    async fn props(&mut self) -> Result<String, Error> {
        let (at, number) = (self.path(&PATHS), self.dice.roll(5));
        let (namespace, name) = ("urn:x".to_owned(), format!("p{number}"));
        let change = match self.dice.roll(3) {
            0 => PropChange::Remove { namespace, name },
            _ => {
                let xml = format!("<p{number} xmlns=\"urn:x\">{}</p{number}>", self.dice.roll(1000));
                PropChange::Set(Prop { namespace, name, xml })
            }
        };
        self.holdall.set_props(&self.ada, &at, vec![change], PropOptions::default()).await?;
        Ok(format!("props {at}"))
    }

    /// Somebody comes, or has or removes a file.
    async fn another(&mut self) -> Result<String, Error> {
        let Some(bob) = person(&self.holdall, "bob").await else {
            self.holdall.add_account(&Caller::Operator, newcomer("bob")).await?;
            return Ok("newcomer".into());
        };
        let at = Address::key(bucket("bob"), ObjectKey::parse("b/x")?);
        match self.dice.roll(3) {
            0 => {
                let mut put = self.holdall.begin_put(&bob, &at, Expected::default()).await?;
                put.write(noise(self.dice.roll(20), 3000).into()).await?;
                put.commit(WriteOptions::default()).await?;
                return Ok("put by bob".into());
            }
            _ => drop(self.holdall.remove(&bob, &at, RemoveOptions::default()).await?),
        }
        Ok("remove by bob".into())
    }

    /// Goes with all there is, if that is nothing any more.
    async fn leave(&mut self) -> Result<String, Error> {
        self.holdall.remove_account(&Caller::Operator, &account("bob")).await?;
        Ok("leaver".into())
    }

    async fn jobs(&mut self) -> Result<String, Error> {
        self.holdall.work_off(&tokio_util::sync::CancellationToken::new()).await?;
        Ok("jobs".into())
    }
}
