//! Verbs on a store that lives in memory.

mod accounts;
mod authenticate;
mod backup;
mod batch;
mod behalf;
mod bootstrap;
mod buckets;
mod chains;
mod check;
mod costs;
mod crash;
mod credentials;
mod decay;
mod end;
mod expire;
mod faults;
mod golden;
mod grants;
mod health;
mod lessons;
mod listing;
mod locks;
mod looks;
mod model;
mod namespace;
mod props;
mod quota;
mod released;
mod scrub;
mod shelf;
mod stray;
mod unasked;
mod uploads;
mod versions;
mod work;

pub(crate) use grants::give;

use std::sync::Arc;

use super::{
    Error, Holdall, Presented, StartOptions, World,
    caller::{Caller, Scope},
    nouns::{
        AppPassword, Expected, NewAccount, RemoveOptions, Removed, Transfer, TransferOptions, Transferred,
        WriteOptions, Written,
    },
};
use crate::{
    model::{
        address::{Address, ItemPath, ObjectKey},
        name::{AccountName, BucketName},
        peer::PeerNet,
        secret::Secret,
        time::Timestamp,
    },
    outside::{clock::SetClock, random::SeededRandom},
    store::io::{Io, sim::SimDisk},
};

/// The password of every account that has one.
pub(super) const PASSWORD: &str = "correct horse";

pub(super) struct Trial {
    pub(super) disk: Arc<SimDisk>,
    pub(super) clock: Arc<SetClock>,
    pub(super) holdall: Arc<Holdall>,
}

pub(super) fn start(disk: Arc<SimDisk>, seed: u64) -> Result<Trial, Error> {
    let clock = Arc::new(SetClock::at(Timestamp(1_000_000)));
    let world = World { clock: clock.clone(), random: Arc::new(SeededRandom::new(seed)) };
    let io: Arc<dyn Io> = disk.clone();
    Ok(Trial { holdall: Holdall::start(StartOptions::new(io), world)?, disk, clock })
}

/// A fresh system in memory whose clock stands at `at`, for the tests of doors.
pub(crate) fn in_memory(at: Timestamp) -> Arc<Holdall> {
    let world = World { clock: Arc::new(SetClock::at(at)), random: Arc::new(SeededRandom::new(1)) };
    Holdall::start(StartOptions::new(Arc::new(SimDisk::new())), world).unwrap()
}

/// A system in which nothing runs unless a test drives it.
pub(super) fn by_hand(disk: &SimDisk) -> Arc<Holdall> {
    let clock = Arc::new(SetClock::at(Timestamp(1_000_000)));
    let world = World { clock, random: Arc::new(SeededRandom::new(1)) };
    let io: Arc<dyn Io> = Arc::new(disk.clone());
    Holdall::start_by_hand(StartOptions::new(io), world).unwrap()
}

pub(super) fn account(text: &str) -> AccountName {
    AccountName::parse(text).unwrap()
}

pub(super) fn bucket(text: &str) -> BucketName {
    BucketName::parse(text).unwrap()
}

/// Somebody who has no password and no address.
pub(crate) fn newcomer(name: &str) -> NewAccount {
    NewAccount { name: account(name), display_name: String::new(), email: None, admin: false, password: None }
}

impl Trial {
    /// An admin `root`, and the people `ada` and `bob`.
    pub(super) async fn new() -> Self {
        let trial = start(Arc::new(SimDisk::new()), 1).unwrap();
        for name in ["root", "ada", "bob"] {
            trial.add(name, Some(PASSWORD)).await.unwrap();
        }
        trial
    }

    /// The same, with files at these paths of `ada`'s bucket; and `ada`.
    pub(super) async fn with_files(paths: &[&str]) -> (Self, Caller) {
        let trial = Self::new().await;
        let ada = trial.caller("ada").await;
        for text in paths {
            trial.put(&ada, &key("ada", text), &[]).await.unwrap();
        }
        (trial, ada)
    }

    pub(super) async fn add(&self, name: &str, password: Option<&str>) -> Result<(), Error> {
        let new = NewAccount {
            email: Some(format!("{name}@Example.org")),
            admin: name == "root",
            password: password.map(Secret::new),
            ..newcomer(name)
        };
        self.holdall.add_account(&Caller::Operator, new).await.map(drop)
    }

    pub(super) async fn login(&self, user: &str, password: &str) -> Result<Caller, Error> {
        self.login_from(None, user, password).await
    }

    pub(super) async fn login_from(
        &self,
        from: Option<PeerNet>,
        user: &str,
        password: &str,
    ) -> Result<Caller, Error> {
        let password = Secret::new(password);
        self.holdall.authenticate(Presented::Password { user, password: &password, from }).await
    }

    /// A person who gave its own password.
    pub(super) async fn caller(&self, name: &str) -> Caller {
        self.login(name, PASSWORD).await.unwrap()
    }

    pub(super) async fn app_password(&self, name: &str, scope: Scope) -> (AppPassword, Secret) {
        let made =
            self.holdall.add_app_password(&Caller::Operator, &account(name), "phone", scope, None).await;
        made.unwrap()
    }

    pub(super) async fn by_token(&self, token: &Secret) -> Result<Caller, Error> {
        self.holdall.authenticate(Presented::Token(token)).await
    }

    /// Signs in with the secret the client believes in.
    pub(super) async fn by_key(&self, access_key: &str, believed: &Secret) -> Result<Caller, Error> {
        let verify = |secret: &Secret| secret.matches(believed.reveal());
        self.holdall.authenticate(Presented::Signature { access_key, verify: &verify }).await
    }
}

/// A path in a bucket named after its owner, as a tree door names it.
pub(super) fn path(bucket_name: &str, text: &str) -> Address {
    Address::path(bucket(bucket_name), ItemPath::parse(text).unwrap())
}

/// The same as S3 names it.
pub(super) fn key(bucket_name: &str, text: &str) -> Address {
    Address::key(bucket(bucket_name), ObjectKey::parse(text).unwrap())
}

impl Trial {
    /// Panics unless the check finds every row in its place.
    pub(super) async fn assert_sound(&self) {
        let report = self.holdall.check(&Caller::Operator).await.unwrap();
        assert!(report.findings.is_empty(), "{:?}", report.findings);
    }

    /// Writes a file with its own name as content.
    pub(super) async fn put(&self, who: &Caller, at: &Address, tokens: &[&str]) -> Result<Written, Error> {
        let mut put = self.holdall.begin_put(who, at, Expected::default()).await?;
        put.write(at.to_string().into()).await?;
        let tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
        put.commit(WriteOptions { tokens, ..WriteOptions::default() }).await
    }

    pub(super) async fn remove(&self, who: &Caller, at: &Address, tokens: &[&str]) -> Result<Removed, Error> {
        let tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
        self.holdall.remove(who, at, RemoveOptions { tokens, ..RemoveOptions::default() }).await
    }

    pub(super) async fn transfer(
        &self,
        (who, how): (&Caller, Transfer),
        from: &Address,
        to: &Address,
        tokens: &[&str],
    ) -> Result<Transferred, Error> {
        let tokens = tokens.iter().map(|token| (*token).to_owned()).collect();
        self.holdall.transfer(who, how, from, to, TransferOptions { tokens, ..Default::default() }).await
    }
}
