//! How the data directory of a format is made, once, by the last build before its release:
//!
//! ```text
//! cargo test --lib make_a_released_directory -- --ignored
//! ```
//!
//! It goes through every feature there is. A later format gets a directory of its own beside the
//! older ones; these stay as they are.

use super::*;
use crate::{
    domain::{nouns::*, tests::give},
    model::role::Role,
    proof::Dice,
};

/// When the first thing was written; the last was within the hour.
pub(super) const BEGAN: i64 = 1_800_000_000_000;
pub(super) const KEY: (&str, &str) = ("AKIAGOLDEN0000000001", "golden/secret/0123456789/0123456789/0123");

struct Maker {
    trial: Trial,
    ada: Caller,
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut dice = Dice(seed);
    std::iter::repeat_with(|| dice.next().to_le_bytes()).flatten().take(length).collect()
}

/// Lines that compress well and do not repeat.
fn text(lines: u64) -> Vec<u8> {
    (0..lines).flat_map(|n| format!("line {n} says {:08x} and no more\n", n * n).into_bytes()).collect()
}

impl Maker {
    async fn put(&self, bucket_name: &str, name: &str, content: impl Into<Vec<u8>>) {
        let at = key(bucket_name, name);
        let attributes = Attributes {
            content_type: Some("text/x-golden".into()),
            user: vec![("colour".into(), "gold".into())],
            ..Attributes::default()
        };
        let expected = Expected { attributes, ..Expected::default() };
        let mut put = self.trial.holdall.begin_put(&self.ada, &at, expected).await.unwrap();
        put.write(content.into().into()).await.unwrap();
        let modified = Some(Timestamp(1_500_000_000_000));
        put.commit(WriteOptions { modified, ..WriteOptions::default() }).await.unwrap();
        self.trial.clock.advance(1000);
    }

    async fn transfer(&self, how: Transfer, from: Address, to: Address) {
        self.trial.transfer((&self.ada, how), &from, &to, &[]).await.unwrap();
        self.trial.clock.advance(60_000);
    }

    async fn remove(&self, at: Address) {
        self.trial.remove(&self.ada, &at, &[]).await.unwrap();
        self.trial.clock.advance(60_000);
    }

    async fn bucket(&self, name: &str) {
        self.trial.holdall.create_bucket(&self.ada, &bucket(name), Default::default()).await.unwrap();
    }

    async fn versioning(&self, name: &str, versioning: Versioning) {
        let change = BucketChange { versioning: Some(versioning), ..BucketChange::default() };
        self.trial.holdall.change_bucket(&self.ada, &bucket(name), change).await.unwrap();
    }

    async fn accounts(&self) {
        let holdall = &self.trial.holdall;
        let scope = Scope { buckets: vec![bucket("ada")], read_only: true };
        self.trial.app_password("ada", scope).await;
        let pair = (KEY.0.to_owned(), Secret::new(KEY.1));
        holdall.add_key(&Caller::Operator, &account("ada"), Some(pair)).await.unwrap();
        let change = BucketChange { quota: Some(Some(1 << 30)), ..BucketChange::default() };
        holdall.change_bucket(&self.ada, &bucket("ada"), change).await.unwrap();
        holdall.set_disabled(&Caller::Operator, &account("bob"), true).await.unwrap();
        holdall.set_disabled(&Caller::Operator, &account("bob"), false).await.unwrap();
    }

    async fn contents(&self) {
        let hole = [noise(1, 60_000), vec![0; 3 << 20], noise(2, 1000)].concat();
        for (name, content) in [
            ("empty", Vec::new()),
            ("just-small", noise(3, 65_536)),
            ("large", noise(4, 200_000)),
            ("lines", text(40_000)),
            ("hole", hole),
            ("again/large", noise(4, 200_000)),
        ] {
            self.put("ada", &format!("contents/{name}"), content).await;
        }
        self.transfer(Transfer::Copy, path("ada", "contents/large"), path("ada", "contents/copy")).await;
    }

    async fn names(&self) {
        for name in
            ["cafe\u{301}/e\u{301}", "twin", "twin/x", "a//b", "/lead", "..", "\u{1f600} & <>", "dir/"]
        {
            self.put("ada", name, name).await;
        }
        self.put("ada", &"long/".repeat(20), "deep").await;
    }

    async fn past(&self) {
        for n in 1..=3 {
            self.put("ada", "past/changed", format!("state {n}")).await;
        }
        for name in ["past/gone", "past/folder/a", "past/folder/b", "past/kept/c"] {
            self.put("ada", name, name).await;
        }
        self.remove(path("ada", "past/gone")).await;
        self.remove(path("ada", "past/folder")).await;
        self.transfer(Transfer::Move, path("ada", "past/kept"), path("ada", "moved")).await;
        self.transfer(Transfer::Copy, path("ada", "moved"), path("ada", "copied")).await;
    }

    async fn versions(&self) {
        self.bucket("kept").await;
        for name in ["a", "b", "d/c"] {
            self.put("kept", name, "before versions").await;
        }
        self.versioning("kept", Versioning::Enabled).await;
        for name in ["a", "a", "d/c"] {
            self.put("kept", name, format!("a version of {name}")).await;
        }
        self.remove(key("kept", "b")).await;
        self.remove(key("kept", "d/c")).await;
        self.transfer(Transfer::Copy, key("kept", "a"), key("kept", "e")).await;
        self.versioning("kept", Versioning::Suspended).await;
        self.put("kept", "a", "without versions again").await;
    }

    async fn part(&self, name: &str, id: &str, number: u32, content: Vec<u8>) -> ClaimedPart {
        let at = key("plain", name);
        let begun = self.trial.holdall.begin_part(&self.ada, &at, id, number, Expected::default()).await;
        let mut put = begun.unwrap();
        put.write(content.into()).await.unwrap();
        let etag = put.commit(Declared::default()).await.unwrap().etag;
        ClaimedPart { number, etag, checksums: Vec::new() }
    }

    async fn uploads(&self) {
        self.bucket("plain").await;
        let holdall = &self.trial.holdall;
        for name in ["open", "whole"] {
            let at = key("plain", name);
            let id = holdall.begin_upload(&self.ada, &at, NewUpload::default()).await.unwrap().id;
            let first = self.part(name, &id, 1, vec![0; 5 << 20]).await;
            let last = self.part(name, &id, 7, noise(5, 30_000)).await;
            let how = CompleteOptions { parts: vec![first, last], ..CompleteOptions::default() };
            if name == "whole" {
                holdall.complete_upload(&self.ada, &at, &id, how).await.unwrap();
            }
        }
    }

    async fn beside(&self) {
        let holdall = &self.trial.holdall;
        for (at, deep) in [("contents/lines", false), ("moved", true)] {
            let seconds = Some(u64::MAX);
            let new =
                NewLock { exclusive: !deep, deep, owner: "golden".into(), seconds, ..NewLock::default() };
            holdall.lock(&self.ada, &path("ada", at), new).await.unwrap();
        }
        for at in ["contents/large", "copied"] {
            let prop = Prop { namespace: "urn:golden".into(), name: "p".into(), xml: "<p>gold</p>".into() };
            let changes = vec![PropChange::Set(prop)];
            holdall.set_props(&self.ada, &path("ada", at), changes, PropOptions::default()).await.unwrap();
        }
        let bob = self.trial.caller("bob").await;
        give(holdall, &path("ada", "contents"), &bob, Role::Viewer).await;
    }
}

/// Writes `tests/golden/format-1.zst` and `.txt`.
#[tokio::test]
#[ignore = "makes what the other tests are held against"]
async fn make_a_released_directory() {
    let disk = Arc::new(SimDisk::new());
    let clock = Arc::new(SetClock::at(Timestamp(BEGAN)));
    let world = World { clock: clock.clone(), random: Arc::new(SeededRandom::new(1)) };
    let room = RoomOptions { reserve_bytes: Some(4096), full_below_bytes: Some(64 << 20) };
    let io: Arc<dyn Io> = disk.clone();
    let holdall = Holdall::start_by_hand(StartOptions { room, ..StartOptions::new(io) }, world).unwrap();
    let trial = Trial { disk: Arc::clone(&disk), clock, holdall };
    for name in ["ada", "bob"] {
        trial.add(name, Some(PASSWORD)).await.unwrap();
    }
    let ada = trial.caller("ada").await;
    let maker = Maker { trial, ada };
    maker.accounts().await;
    maker.contents().await;
    maker.names().await;
    maker.past().await;
    maker.versions().await;
    maker.uploads().await;
    maker.beside().await;
    let lines = all(&maker.trial.holdall).await;
    drop(maker);
    fs::write(golden("format-1.zst"), packed(&disk)).unwrap();
    fs::write(golden("format-1.txt"), lines.join("\n") + "\n").unwrap();
}
