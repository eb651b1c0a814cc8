//! A bucket to try verbs on, with the short words tests use for them.

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::{stray::strays, *};
use crate::{
    domain::{
        caller::{Person, Proof},
        nouns::*,
    },
    model::address::{Address, ItemPath, ObjectKey},
};

pub(super) struct Shelf {
    pub(super) holdall: Arc<Holdall>,
    pub(super) who: Caller,
    pub(super) bucket: BucketName,
}

/// A version as tests compare it: its key, its id as S3 writes it, its kind, whether it is the newest.
pub(super) type Seen = (String, &'static str, bool);

impl Shelf {
    pub(super) async fn new() -> Self {
        Self::with(HistoryPolicy::Off).await
    }

    pub(super) async fn with(history: HistoryPolicy) -> Self {
        Self::on(in_memory(Timestamp(1_000_000)), history).await
    }

    /// On a disk where no job runs unless it is told to.
    pub(super) async fn by_hand(disk: &SimDisk) -> Self {
        Self::on(by_hand(disk), HistoryPolicy::Off).await
    }

    async fn on(holdall: Arc<Holdall>, history: HistoryPolicy) -> Self {
        let made = holdall.add_account(&Caller::Operator, newcomer("ada")).await.unwrap();
        let who = Caller::Person(Person {
            account: made.id,
            name: made.name,
            admin: false,
            proof: Proof::Password,
            scope: Scope::default(),
        });
        holdall.remove_bucket(&who, &bucket("ada"), Default::default()).await.unwrap();
        let shelf = Self { holdall, who, bucket: bucket("shelf") };
        shelf.bucket_named("shelf", history).await;
        shelf
    }

    pub(super) async fn bucket_named(&self, name: &str, history: HistoryPolicy) {
        let options = BucketOptions { history, ..BucketOptions::default() };
        self.holdall.create_bucket(&self.who, &bucket(name), options).await.unwrap();
    }

    pub(super) fn key(&self, key: &str) -> Address {
        Address::key(self.bucket.clone(), ObjectKey::parse(key).unwrap())
    }

    pub(super) fn path(&self, path: &str) -> Address {
        Address::path(self.bucket.clone(), ItemPath::parse(path).unwrap())
    }

    pub(super) async fn put_with(
        &self,
        at: &Address,
        body: &str,
        options: WriteOptions,
    ) -> Result<Written, Error> {
        let mut put = self.holdall.begin_put(&self.who, at, Expected::default()).await?;
        put.write(Bytes::copy_from_slice(body.as_bytes())).await?;
        put.commit(options).await
    }

    pub(super) async fn put(&self, at: &Address, body: &str) -> Result<Written, Error> {
        self.put_with(at, body, WriteOptions::default()).await
    }

    /// Puts a literal key whose content is the key itself.
    pub(super) async fn key_put(&self, key: &str) -> FileVersion {
        self.put(&self.key(key), key).await.unwrap().version
    }

    pub(super) async fn keys_put(&self, keys: &[&str]) {
        for key in keys {
            self.key_put(key).await;
        }
    }

    pub(super) async fn mkcol(&self, path: &str) -> Result<Item, Error> {
        self.holdall.make_folder(&self.who, &self.path(path), &WriteOptions::default()).await
    }

    pub(super) async fn remove(&self, at: &Address) -> Result<Removed, Error> {
        self.holdall.remove(&self.who, at, RemoveOptions::default()).await
    }

    pub(super) async fn remove_version(&self, key: &str, which: VersionRef) -> Result<Removed, Error> {
        let options = RemoveOptions { version: Some(which), ..RemoveOptions::default() };
        self.holdall.remove(&self.who, &self.key(key), options).await
    }

    pub(super) async fn copy(&self, from: &Address, to: &Address) -> Result<Transferred, Error> {
        self.holdall.transfer(&self.who, Transfer::Copy, from, to, TransferOptions::default()).await
    }

    pub(super) async fn mv(&self, from: &Address, to: &Address) -> Result<Transferred, Error> {
        self.holdall.transfer(&self.who, Transfer::Move, from, to, TransferOptions::default()).await
    }

    pub(super) async fn versioning(&self, state: Versioning) {
        let change = BucketChange { versioning: Some(state), ..BucketChange::default() };
        self.holdall.change_bucket(&self.who, &self.bucket, change).await.unwrap();
    }

    pub(super) async fn stat(&self, at: &Address) -> Result<Item, Error> {
        self.holdall.stat(&self.who, at, None).await
    }

    /// The content of a version.
    pub(super) async fn read(&self, at: &Address, which: Option<VersionRef>) -> Result<String, Error> {
        use futures::TryStreamExt;
        let opened = self.holdall.open(&self.who, at, which, &Default::default()).await?;
        let size = opened.version.size;
        let pieces: Vec<Bytes> = opened.read(0..size).try_collect().await?;
        Ok(String::from_utf8(pieces.concat()).unwrap())
    }

    /// All keys, over all pages.
    pub(super) async fn keys(&self) -> Vec<String> {
        let mut which = ListKeys { limit: 1000, ..ListKeys::default() };
        let mut all = Vec::new();
        loop {
            let page = self.holdall.list_keys(&self.who, &self.bucket, which.clone()).await.unwrap();
            for entry in page.entries {
                let KeyEntry::File(file) = entry else { panic!("a group without a delimiter") };
                all.push(file.key);
            }
            match page.next {
                Some(next) => which.after = Some(next),
                None => return all,
            }
        }
    }

    /// All versions.
    pub(super) async fn versions(&self) -> Vec<Seen> {
        let which = ListVersions { limit: 1000, ..ListVersions::default() };
        let page = self.holdall.list_versions(&self.who, &self.bucket, which).await.unwrap();
        assert_eq!(page.next, None);
        page.entries
            .into_iter()
            .map(|entry| match entry {
                VersionEntry::Version(v) => (v.key, if v.null { "null" } else { "file" }, v.latest),
                VersionEntry::Marker { key, null, latest, .. } => {
                    (key, if null { "null marker" } else { "marker" }, latest)
                }
                VersionEntry::Prefix(_) => panic!("a group without a delimiter"),
            })
            .collect()
    }

    /// The members of a folder, folders with a slash.
    pub(super) async fn members(&self, path: &str) -> Result<Vec<String>, Error> {
        let page = self.holdall.list_folder(&self.who, &self.path(path), None, 1000).await?;
        assert_eq!(page.next, None);
        Ok(page
            .members
            .into_iter()
            .map(|member| match member {
                Member::File(file) => file.key,
                Member::Folder(folder) => folder.path + "/",
            })
            .collect())
    }

    pub(super) async fn usage(&self) -> Usage {
        self.holdall.bucket_usage(&self.who, &self.bucket).await.unwrap()
    }

    /// Lets the jobs run dry.
    pub(super) async fn work_off(&self) {
        self.holdall.finish_batches(&CancellationToken::new()).await.unwrap();
        self.holdall.work_off(&CancellationToken::new()).await.unwrap();
    }

    /// Everything that does not add up, once the jobs ran dry.
    pub(super) async fn strays(&self) -> Vec<String> {
        self.work_off().await;
        self.holdall.read(|rows| Ok(strays(rows)?)).await.unwrap()
    }

    pub(super) async fn assert_sound(&self) {
        let found = self.strays().await;
        assert!(found.is_empty(), "{found:#?}");
    }
}
