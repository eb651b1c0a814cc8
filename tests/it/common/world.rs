//! A server with people and files in it, everybody's credentials, and its whole state as text: what
//! was refused must have changed nothing.

use std::{fmt::Write as _, sync::Arc};

use holdall::{
    domain::{
        Holdall, Presented,
        caller::{Caller, Scope},
        nouns::{
            Declared, Expected, ListBuckets, ListUploads, ListVersions, NewAccount, NewUpload, RemoveOptions,
            WriteOptions,
        },
    },
    model::{
        address::{Address, ObjectKey},
        name::{AccountName, BucketName},
        secret::Secret,
        time::Timestamp,
    },
    outside::clock::{Clock as _, SystemClock},
    server::ServerConfig,
};
use tokio::net::UnixStream;

use super::{
    TestServer,
    ask::{Ask, Signer},
    newcomer,
    wire::Reply,
};

/// Accounts: the owner of the files, somebody else, an admin, and one that is disabled.
pub(crate) const PEOPLE: [&str; 4] = ["olga", "otto", "adam", "dina"];
/// Parts of an upload but the last have at least this many bytes; one part may have fewer.
pub(crate) const PART: &[u8] = b"a part";

/// The server and what is needed to ask it.
pub(crate) struct World {
    pub(crate) server: TestServer,
    /// App passwords by what they are for: `olga`, `olga-reading`, `olga-elsewhere`, `otto`, …
    pub(crate) tokens: Vec<(String, String)>,
}

pub(crate) fn account(name: &str) -> AccountName {
    AccountName::parse(name).unwrap()
}

pub(crate) fn bucket(name: &str) -> BucketName {
    BucketName::parse(name).unwrap()
}

pub(crate) fn key(bucket_name: &str, text: &str) -> Address {
    Address::key(bucket(bucket_name), ObjectKey::parse(text).unwrap())
}

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

fn password(name: &str) -> String {
    format!("correct horse of {name}")
}

fn key_id(name: &str) -> String {
    format!("AKIA{}0000000000AA", name.to_uppercase())
}

fn secret(name: &str) -> String {
    format!("{name}/0123456789/0123456789/0123456789/")
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut world = Self { server: TestServer::start_with(change).await, tokens: Vec::new() };
        for name in PEOPLE {
            world.add(name).await;
        }
        let olga = world.person("olga").await;
        for name in ["olga-two", "olga-empty"] {
            let made = world.holdall().create_bucket(&olga, &bucket(name), Default::default()).await;
            made.unwrap();
        }
        let two = Scope { buckets: vec![bucket("olga-two")], read_only: false };
        world.token("olga-elsewhere", "olga", two).await;
        world.token("olga-reading", "olga", Scope { read_only: true, ..Scope::default() }).await;
        world.put("olga", "file", b"content").await;
        world.put("olga", "folder/inside", b"inside").await;
        world.holdall().set_disabled(&Caller::Operator, &account("dina"), true).await.unwrap();
        world
    }

    async fn add(&mut self, name: &str) {
        let password = Some(Secret::new(password(name)));
        let new = NewAccount { admin: name == "adam", password, ..newcomer(name) };
        self.holdall().add_account(&Caller::Operator, new).await.unwrap();
        let pair = (key_id(name), Secret::new(secret(name)));
        self.holdall().add_key(&Caller::Operator, &account(name), Some(pair)).await.unwrap();
        self.token(name, name, Scope::default()).await;
    }

    async fn token(&mut self, what: &str, of: &str, scope: Scope) {
        let made = self.holdall().add_app_password(&Caller::Operator, &account(of), what, scope, None).await;
        self.tokens.push((what.to_owned(), made.unwrap().1.reveal().to_owned()));
    }

    pub(crate) fn holdall(&self) -> &Arc<Holdall> {
        &self.server.holdall
    }

    /// An account, recognised by its password.
    pub(crate) async fn person(&self, name: &str) -> Caller {
        let password = Secret::new(password(name));
        let presented = Presented::Password { user: name, password: &password, from: None };
        self.holdall().authenticate(presented).await.unwrap()
    }

    /// Somebody's access key.
    pub(crate) fn signer(&self, name: &str) -> Signer {
        Signer::new(&key_id(name), &secret(name), now())
    }

    /// Dressed with an account's password.
    pub(crate) fn basic(&self, name: &str, ask: Ask) -> Ask {
        ask.basic(name, &password(name))
    }

    /// An app password.
    pub(crate) fn app(&self, what: &str) -> &str {
        let found = self.tokens.iter().find(|(name, _)| name == what);
        &found.unwrap_or_else(|| panic!("no app password {what}")).1
    }

    pub(crate) async fn put(&self, bucket: &str, at: &str, content: &'static [u8]) {
        let caller = self.person(bucket.split('-').next().unwrap()).await;
        let at = key(bucket, at);
        let mut put = self.holdall().begin_put(&caller, &at, Expected::default()).await.unwrap();
        put.write(bytes::Bytes::from_static(content)).await.unwrap();
        put.commit(WriteOptions::default()).await.unwrap();
    }

    pub(crate) async fn remove(&self, bucket: &str, at: &str) {
        let caller = self.person(bucket.split('-').next().unwrap()).await;
        self.holdall().remove(&caller, &key(bucket, at), RemoveOptions::default()).await.unwrap();
    }

    /// Begins an upload with one part; gives its id and the part's tag.
    pub(crate) async fn upload(&self, bucket: &str, at: &str) -> (String, String) {
        let caller = self.person(bucket.split('-').next().unwrap()).await;
        let at = key(bucket, at);
        let id = self.holdall().begin_upload(&caller, &at, NewUpload::default()).await.unwrap().id;
        let mut part = self.holdall().begin_part(&caller, &at, &id, 1, Expected::default()).await.unwrap();
        part.write(bytes::Bytes::from_static(PART)).await.unwrap();
        let etag = part.commit(Declared::default()).await.unwrap().etag.quoted();
        (id, etag)
    }

    /// A request over the network.
    pub(crate) async fn ask(&self, ask: &Ask) -> Reply {
        let reply = ask.send(self.server.address()).await;
        reply.unwrap_or_else(|| panic!("no whole answer to {} {}", ask.method, ask.target))
    }

    /// A request over the administration socket.
    pub(crate) async fn ask_operator(&self, socket: &std::path::Path, ask: &Ask) -> Reply {
        let stream = UnixStream::connect(socket).await.unwrap();
        ask.send_local(stream).await.unwrap()
    }

    /// Everything anybody has, but the bytes: names, tags, sizes, times, versions, uploads and
    /// their parts, journals, accounts and credentials. A change of anything is a change of this.
    pub(crate) async fn state(&self) -> String {
        let mut text = String::new();
        let holdall = self.holdall();
        for one in holdall.list_accounts(&Caller::Operator).await.unwrap() {
            let keys = holdall.list_keys_of(&Caller::Operator, &one.name).await.unwrap();
            let tokens = holdall.list_app_passwords(&Caller::Operator, &one.name).await.unwrap();
            writeln!(text, "{one:?}\n  {keys:?}\n  {tokens:?}").unwrap();
            if one.disabled || !PEOPLE.contains(&one.name.as_str()) {
                continue;
            }
            let caller = self.person(one.name.as_str()).await;
            let which = ListBuckets { prefix: String::new(), after: None, limit: 1000 };
            for bucket in holdall.list_buckets(&caller, which).await.unwrap() {
                writeln!(text, "  {bucket:?}").unwrap();
                self.bucket_state(&caller, &bucket.name, &mut text).await;
            }
        }
        text
    }

    async fn bucket_state(&self, caller: &Caller, name: &BucketName, text: &mut String) {
        let holdall = self.holdall();
        let which = ListVersions {
            prefix: String::new(),
            delimiter: None,
            key_after: None,
            version_after: None,
            limit: 1000,
        };
        let versions = holdall.list_versions(caller, name, which).await.unwrap();
        writeln!(text, "    {versions:?}").unwrap();
        let changes = holdall.changes(caller, name, None, 1000).await.unwrap().listed().unwrap();
        writeln!(text, "    {} changes, last {:?}", changes.len(), changes.last()).unwrap();
        let which = ListUploads { limit: 1000, ..ListUploads::default() };
        for upload in holdall.list_uploads(caller, name, which).await.unwrap().uploads {
            let at = key(name.as_str(), &upload.key);
            let parts = holdall.list_parts(caller, &at, &upload.id, 0, 1000).await.unwrap();
            writeln!(text, "    {parts:?}").unwrap();
        }
    }
}
