//! Locks: who is kept out, by what, and for how long.

use std::cell::Cell;

use super::*;
use crate::{
    domain::{
        access::Verb,
        buckets::allowed,
        error::What,
        locks::{Touch, stopped},
        nouns::{BucketChange, Item, Lock, Member, NewLock, VersionRef, Versioning},
        spot::Found,
    },
    model::limits,
    store::{
        error::StoreError,
        meta::{
            Tx,
            codec::Row as _,
            rows::{KeyRange, KeyValue, Order, Rows, RowsMut as _, Scanned},
            table::Table,
        },
        rows::{lock, tree},
    },
};

fn exclusive() -> NewLock {
    NewLock { exclusive: true, ..NewLock::default() }
}

fn deep() -> NewLock {
    NewLock { deep: true, ..exclusive() }
}

fn shared() -> NewLock {
    NewLock { deep: true, ..NewLock::default() }
}

fn locked<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Locked(name)) => name,
        other => panic!("not locked: {other:?}"),
    }
}

struct Locks {
    trial: Trial,
    ada: Caller,
}

impl Locks {
    async fn new(paths: &[&str]) -> Self {
        let (trial, ada) = Trial::with_files(paths).await;
        Self { trial, ada }
    }

    async fn lock(&self, text: &str, new: NewLock) -> Result<(Lock, bool), Error> {
        self.trial.holdall.lock(&self.ada, &path("ada", text), new).await
    }

    async fn token(&self, text: &str, new: NewLock) -> String {
        self.lock(text, new).await.unwrap().0.token.unwrap()
    }

    async fn locks(&self, text: &str) -> Vec<Lock> {
        self.trial.holdall.locks(&self.ada, &path("ada", text)).await.unwrap()
    }

    /// The rows of locks, of locks below folders, of their owners; and names marked as locked.
    async fn left(&self) -> (usize, usize, usize, usize) {
        self.trial.assert_sound().await;
        self.trial
            .holdall
            .read(|rows| {
                let all = |table| rows.scan(table, &KeyRange::prefix(Vec::new()), Order::Forward, 9999);
                let mut marked = 0;
                for row in all(Table::Dent)?.iter().chain(&all(Table::Dead)?) {
                    marked += usize::from(match tree::read_dent(row)?.1 {
                        tree::Dent::File(row) => row.locks,
                        tree::Dent::Folder(row) => row.locks,
                    });
                }
                let count = |table| all(table).map(|rows| rows.len());
                Ok((count(Table::Lock)?, count(Table::LockBelow)?, count(Table::LockOwner)?, marked))
            })
            .await
            .unwrap()
    }

    /// Hands every lock of ada's to bob, as if buckets were shared.
    async fn hand_to_bob(&self) {
        let bob = self.trial.caller("bob").await.account().unwrap();
        let hand = move |tx: &mut Tx<'_>| {
            for (bucket, lock) in lock::all_locks(tx, None, 1000)? {
                lock::remove_lock(tx, bucket, [], &lock);
                lock::put_lock(tx, bucket, [], &lock::LockRow { holder: bob, ..lock });
            }
            Ok::<(), Error>(())
        };
        self.trial.holdall.write(hand).await.unwrap();
    }
}

const NONE: (usize, usize, usize, usize) = (0, 0, 0, 0);

#[tokio::test]
async fn a_lock_keeps_every_door_out_but_for_its_token() {
    let it = Locks::new(&["docs/plan.txt"]).await;
    let (trial, ada) = (&it.trial, &it.ada);
    let (lock, created) = it.lock("docs/plan.txt", exclusive()).await.unwrap();
    assert!(!created && lock.left == limits::LOCK_DEFAULT_SECONDS && lock.root == "docs/plan.txt");
    let token = lock.token.unwrap();
    assert!(token.starts_with("urn:uuid:") && token.len() == 45 && token.as_bytes()[23] == b'4', "{token}");
    for at in [path("ada", "docs/plan.txt"), key("ada", "docs/plan.txt")] {
        assert_eq!(locked(trial.put(ada, &at, &[]).await), "ada/docs/plan.txt");
        assert_eq!(locked(trial.put(ada, &at, &["urn:uuid:another"]).await), "ada/docs/plan.txt");
        assert_eq!(locked(trial.remove(ada, &at, &[]).await), "ada/docs/plan.txt");
        trial.put(ada, &at, &[&token]).await.unwrap();
    }
    locked(trial.remove(ada, &path("ada", "docs"), &[]).await);
    assert_eq!(it.locks("docs/plan.txt").await.len(), 1, "a lock outlives writes");
    trial.holdall.unlock(ada, &path("ada", "docs/plan.txt"), &token).await.unwrap();
    assert_eq!(it.left().await, NONE);
    trial.put(ada, &key("ada", "docs/plan.txt"), &[]).await.unwrap();
}

#[tokio::test]
async fn a_name_nothing_has_becomes_a_locked_empty_file() {
    let it = Locks::new(&["docs/plan.txt"]).await;
    let (lock, created) = it.lock("docs/new.txt", exclusive()).await.unwrap();
    assert!(created && lock.token.is_some());
    let item = it.trial.holdall.stat(&it.ada, &path("ada", "docs/new.txt"), None).await.unwrap();
    assert!(matches!(item, Item::File(file) if file.size == 0));
    assert!(matches!(it.lock("gone/new.txt", exclusive()).await, Err(Error::Conflict(_))));
    let page = it.trial.holdall.list_folder(&it.ada, &path("ada", "docs"), None, 10).await.unwrap();
    let marks: Vec<_> = page.members.iter().map(|m| matches!(m, Member::File(f) if f.has_locks)).collect();
    assert_eq!(marks, [true, false]);
}

#[tokio::test]
async fn exclusive_locks_stand_alone_and_shared_ones_side_by_side() {
    let it = Locks::new(&["a/b/c", "a/d"]).await;
    let below = it.token("a/b/c", exclusive()).await;
    assert_eq!(locked(it.lock("a/b/c", shared()).await), "ada/a/b/c");
    assert_eq!(locked(it.lock("a", deep()).await), "ada/a/b/c");
    assert_eq!(locked(it.lock("", shared()).await), "ada/a/b/c");
    it.trial.holdall.unlock(&it.ada, &path("ada", "a/b/c"), &below).await.unwrap();
    let one = it.token("a", shared()).await;
    let two = it.token("a/b", shared()).await;
    assert_eq!(locked(it.lock("a/b/c", exclusive()).await), "ada/a");
    assert_eq!(it.locks("a/b/c").await.len(), 2);
    assert_eq!(it.locks("a/nothing").await.len(), 1);
    for token in [&one, &two] {
        it.trial.put(&it.ada, &path("ada", "a/b/c"), &[token]).await.unwrap();
    }
    assert_eq!(locked(it.trial.put(&it.ada, &path("ada", "a/b/c"), &[]).await), "ada/a");
    locked(it.trial.put(&it.ada, &path("ada", "a/d"), &[&two]).await);
}

#[tokio::test]
async fn a_shallow_lock_guards_the_membership_of_its_folder_only() {
    let it = Locks::new(&["a/b/c", "a/d", "e"]).await;
    let (trial, ada) = (&it.trial, &it.ada);
    let token = it.token("a", exclusive()).await;
    trial.put(ada, &key("ada", "a/d"), &[]).await.unwrap();
    trial.put(ada, &key("ada", "a/b/new"), &[]).await.unwrap();
    assert_eq!(locked(trial.put(ada, &key("ada", "a/new"), &[]).await), "ada/a");
    locked(trial.put(ada, &key("ada", "a/new/below"), &[]).await);
    locked(trial.remove(ada, &key("ada", "a/d"), &[]).await);
    trial.remove(ada, &key("ada", "a/b/new"), &[]).await.unwrap();
    assert_eq!(locked(trial.remove(ada, &key("ada", "a/b/c"), &[]).await), "ada/a", "b would go with it");
    locked(it.lock("a/new", exclusive()).await);
    let new = NewLock { tokens: vec![token], ..exclusive() };
    assert!(it.lock("a/new", new).await.unwrap().1);
    it.token("", exclusive()).await;
    assert_eq!(locked(trial.put(ada, &key("ada", "f"), &[]).await), "ada");
    trial.put(ada, &key("ada", "e"), &[]).await.unwrap();
}

#[tokio::test]
async fn an_expired_lock_lets_through_and_is_swept() {
    let it = Locks::new(&["a/b", "a/c"]).await;
    let (trial, ada) = (&it.trial, &it.ada);
    let brief = NewLock { seconds: Some(10), ..exclusive() };
    let token = it.token("a/b", brief.clone()).await;
    it.token("a", brief).await;
    trial.clock.advance(9_000);
    assert_eq!(it.locks("a/b").await[0].left, 1);
    let again = trial.holdall.refresh_lock(ada, &path("ada", "a/b"), &token, Some(1 << 60)).await.unwrap();
    assert_eq!(again.seconds, limits::LOCK_SECONDS);
    trial.clock.advance(1_000);
    trial.put(ada, &key("ada", "a/new"), &[]).await.unwrap();
    locked(trial.put(ada, &key("ada", "a/b"), &[]).await);
    assert!(it.locks("a").await.is_empty());
    trial.holdall.sweep_locks(&Default::default()).await.unwrap();
    assert_eq!(it.left().await, (1, 2, 1, 1));
    trial.clock.advance(90_000_000);
    let late = trial.holdall.refresh_lock(ada, &path("ada", "a/b"), &token, None).await;
    assert!(matches!(late, Err(Error::NotFound(What::Lock, _))));
    trial.remove(ada, &path("ada", "a"), &[]).await.unwrap();
    trial.holdall.sweep_locks(&Default::default()).await.unwrap();
    assert_eq!(it.left().await, NONE);
}

#[tokio::test]
async fn a_member_of_a_deep_lock_refreshes_it_and_gives_it_back() {
    let it = Locks::new(&["a/b/c"]).await;
    let token = it.token("a", deep()).await;
    let holdall = &it.trial.holdall;
    let lock = holdall.refresh_lock(&it.ada, &path("ada", "a/b/c"), &token, Some(77)).await.unwrap();
    assert_eq!((lock.root.as_str(), lock.folder, lock.left), ("a", true, 77));
    holdall.unlock(&it.ada, &path("ada", "a/b"), &token).await.unwrap();
    assert_eq!(it.left().await, NONE);
    let shallow = it.token("a", exclusive()).await;
    let outside = holdall.unlock(&it.ada, &path("ada", "a/b"), &shallow).await;
    assert!(matches!(outside, Err(Error::NotFound(What::Lock, _))));
}

#[tokio::test]
async fn another_accounts_lock_is_closed_and_its_token_hidden_and_the_owner_breaks_it() {
    let it = Locks::new(&["a/b"]).await;
    let (holdall, at) = (&it.trial.holdall, path("ada", "a/b"));
    let token = it.token("a/b", exclusive()).await;
    it.hand_to_bob().await;
    locked(it.trial.put(&it.ada, &at, &[&token]).await);
    assert_eq!(it.locks("a/b").await[0].token, None);
    assert!(matches!(holdall.unlock(&it.ada, &at, &token).await, Err(Error::Denied(_))));
    assert!(holdall.refresh_lock(&it.ada, &at, &token, None).await.is_err());
    let bob = it.trial.caller("bob").await;
    assert!(matches!(holdall.unlock(&bob, &at, &token).await, Err(Error::Denied(_))));
    assert!(matches!(holdall.lock(&bob, &at, shared()).await, Err(Error::Denied(_))));
    assert!(matches!(holdall.break_lock(&bob, &at).await, Err(Error::Denied(_))));
    assert_eq!(holdall.break_lock(&it.ada, &at).await.unwrap(), 1);
    it.trial.put(&it.ada, &at, &[]).await.unwrap();
    assert!(it.locks("a/b").await.is_empty());
}

#[tokio::test]
async fn a_folder_with_a_locked_child_stays_where_it_is() {
    let it = Locks::new(&["a/b/c", "x/y", "z/w"]).await;
    let (trial, ada) = (&it.trial, &it.ada);
    let token = it.token("a/b/c", exclusive()).await;
    let moved = (ada, Transfer::Move);
    let (a, x, q) = (path("ada", "a"), path("ada", "x"), path("ada", "q"));
    assert_eq!(locked(trial.transfer(moved, &a, &q, &[]).await), "ada/a/b/c");
    assert_eq!(locked(trial.transfer(moved, &x, &a, &[]).await), "ada/a/b/c", "nor is it replaced");
    assert_eq!(locked(trial.transfer((ada, Transfer::Copy), &x, &a, &[]).await), "ada/a/b/c");
    assert_eq!(locked(trial.remove(ada, &a, &[]).await), "ada/a/b/c");
    trial.transfer((ada, Transfer::Copy), &a, &q, &[]).await.unwrap();
    assert!(it.locks("q/b/c").await.is_empty());
    assert_eq!(it.left().await, (1, 3, 1, 1), "a copy takes no lock along");
    trial.transfer(moved, &a, &path("ada", "z/moved"), &[&token]).await.unwrap();
    assert_eq!(it.left().await, NONE);
    trial.put(ada, &key("ada", "z/moved/b/c"), &[]).await.unwrap();
}

#[tokio::test]
async fn a_moved_or_removed_file_loses_its_lock_and_a_replaced_one_keeps_it() {
    let it = Locks::new(&["a", "b", "c", "d/e"]).await;
    let (trial, ada) = (&it.trial, &it.ada);
    let (a, b) = (it.token("a", exclusive()).await, it.token("b", exclusive()).await);
    let moved = (ada, Transfer::Move);
    locked(trial.transfer(moved, &path("ada", "a"), &path("ada", "b"), &[&a]).await);
    locked(trial.transfer(moved, &path("ada", "a"), &path("ada", "b"), &[&b]).await);
    trial.transfer(moved, &path("ada", "a"), &path("ada", "b"), &[&a, &b]).await.unwrap();
    assert_eq!(it.locks("b").await.len(), 1);
    assert_eq!(it.left().await, (1, 1, 1, 1));
    trial.transfer(moved, &path("ada", "b"), &path("ada", "d/f"), &[&b]).await.unwrap();
    assert_eq!(it.left().await, NONE);
    let c = it.token("c", exclusive()).await;
    locked(trial.transfer(moved, &path("ada", "d"), &path("ada", "c"), &[]).await);
    trial.transfer(moved, &path("ada", "d"), &path("ada", "c"), &[&c]).await.unwrap();
    let e = it.token("c/e", exclusive()).await;
    trial.remove(ada, &path("ada", "c/e"), &[&e]).await.unwrap();
    assert_eq!(it.left().await, NONE);
}

#[tokio::test]
async fn a_versioned_bucket_keeps_the_same_rules() {
    let it = Locks::new(&["a/b", "a/c"]).await;
    let (trial, ada) = (&it.trial, &it.ada);
    let change = BucketChange { versioning: Some(Versioning::Enabled), ..BucketChange::default() };
    trial.holdall.change_bucket(ada, &bucket("ada"), change).await.unwrap();
    let c = it.token("a/c", exclusive()).await;
    let a = it.token("a", exclusive()).await;
    trial.put(ada, &path("ada", "a/c"), &[&c]).await.unwrap();
    let moved = (ada, Transfer::Move);
    locked(trial.transfer(moved, &path("ada", "a"), &path("ada", "q"), &[&a]).await);
    let missing = trial.holdall.stat(ada, &path("ada", "q"), None).await;
    assert!(matches!(missing, Err(Error::NotFound(..))), "nothing was begun");
    trial.transfer(moved, &path("ada", "a"), &path("ada", "q"), &[&a, &c]).await.unwrap();
    assert_eq!(it.left().await, NONE);
    let b = it.token("q/b", exclusive()).await;
    let only = RemoveOptions {
        version: Some(VersionRef::Id(
            match trial.holdall.stat(ada, &path("ada", "q/b"), None).await.unwrap() {
                Item::File(file) => file.id,
                other @ Item::Folder(_) => panic!("{other:?}"),
            },
        )),
        tokens: vec![b],
        ..RemoveOptions::default()
    };
    trial.holdall.remove(ada, &key("ada", "q/b"), only).await.unwrap();
    assert_eq!(it.left().await, NONE);
}

#[tokio::test]
async fn locks_outlive_a_restart() {
    let it = Locks::new(&["a/b"]).await;
    let token = it.token("a", deep()).await;
    let again = start(Arc::new(it.trial.disk.crash(1)), 2).unwrap();
    let ada = again.caller("ada").await;
    locked(again.put(&ada, &key("ada", "a/b"), &[]).await);
    again.put(&ada, &path("ada", "a/b"), &[&token]).await.unwrap();
    let locks = again.holdall.locks(&ada, &path("ada", "a/b")).await.unwrap();
    assert_eq!(locks[0].token.as_deref(), Some(token.as_str()));
}

/// A folder whose row was lost: the lock was said to be on the bucket.
#[tokio::test]
async fn a_lock_whose_place_is_lost_has_no_other() {
    let it = Locks::new(&["a/b/c"]).await;
    it.token("a/b/c", exclusive()).await;
    let all = KeyRange::prefix(Vec::new());
    let nodes = it.trial.holdall.read(move |rows| Ok(rows.scan(Table::Node, &all, Order::Forward, 99)?));
    let chain = nodes.await.unwrap();
    let named = |name: &str| {
        let is = |row: &&KeyValue| tree::NodeRow::decode(&row.1).unwrap().name == name;
        chain.iter().find(is).unwrap().0.clone()
    };
    for lost in [named("c"), named("a")] {
        let again = start(Arc::new(it.trial.disk.crash(1)), 2).unwrap();
        let lose = move |tx: &mut Tx<'_>| {
            tx.delete(Table::Node, lost.clone());
            Ok(())
        };
        again.holdall.write(lose).await.unwrap();
        let locks = again.holdall.locks(&it.ada, &path("ada", "a/b/c")).await;
        assert!(matches!(locks, Err(Error::Damaged { .. })), "{locks:?}");
    }
}

#[tokio::test]
async fn a_thousand_locks_do_not_slow_the_guard() {
    let it = Locks::new(&["a/b"]).await;
    let names: Vec<String> = (0..1000).map(|n| format!("a/{n}")).collect();
    let made = futures::future::join_all(names.iter().map(|name| it.lock(name, exclusive()))).await;
    assert!(made.iter().all(Result::is_ok));
    let ada = it.ada.clone();
    let read = it.trial.holdall.read(move |rows| {
        let bucket = allowed(rows, &ada, &bucket("ada"), Verb::Write)?;
        let counting = Counting { rows, read: Cell::new(0) };
        let found = Found::at(rows, &bucket, &path("ada", "a/b"))?;
        let touch = Touch { membership: true, ..found.touch("a/b") };
        let refused = stopped(&counting, (bucket.id, Timestamp(1_000_001)), ada.account(), touch)?;
        Ok((refused, counting.read.get()))
    });
    assert_eq!(read.await.unwrap(), (false, 0));
    locked(it.trial.remove(&it.ada, &path("ada", "a"), &[]).await);
    it.trial.put(&it.ada, &key("ada", "a/b"), &[]).await.unwrap();
}

#[tokio::test]
async fn one_node_has_so_many_shared_locks_and_no_more() {
    let it = Locks::new(&["a"]).await;
    for _ in 0..limits::LOCKS_PER_NODE {
        it.lock("a", shared()).await.unwrap();
    }
    assert!(matches!(it.lock("a", shared()).await, Err(Error::TooMany { .. })));
    it.trial.clock.advance(3_600_000);
    it.lock("a", shared()).await.unwrap();
    assert_eq!(it.left().await, (1, 1, 1, 1), "expired ones make room");
    let talk = NewLock { owner: "x".repeat(limits::LOCK_OWNER_BYTES + 1), ..shared() };
    assert!(matches!(it.lock("a", talk).await, Err(Error::TooLarge { .. })));
}

/// Counts the rows it hands out.
struct Counting<'a> {
    rows: &'a dyn Rows,
    read: Cell<usize>,
}

impl Rows for Counting<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read.set(self.read.get() + 1);
        self.rows.get(table, key)
    }

    fn scan(&self, table: Table, range: &KeyRange, order: Order, limit: usize) -> Scanned {
        let found = self.rows.scan(table, range, order, limit)?;
        self.read.set(self.read.get() + found.len());
        Ok(found)
    }
}

#[tokio::test]
async fn a_folder_with_more_locks_below_than_fit_in_a_transaction_stays() {
    let it = Locks::new(&["a/b/c/d/e/f/g/h"]).await;
    let mut tokens = Vec::new();
    for number in 0..40 {
        let at = format!("a/b/c/d/e/f/g/{number}");
        tokens.push((it.token(&at, exclusive()).await, at));
    }
    let all: Vec<&str> = tokens.iter().map(|(token, _)| token.as_str()).collect();
    let (from, to) = (path("ada", "a"), path("ada", "z"));
    let go = || it.trial.transfer((&it.ada, Transfer::Move), &from, &to, &all);
    assert_eq!(locked(go().await), "ada/a");
    for (token, at) in tokens.iter().take(20) {
        it.trial.holdall.unlock(&it.ada, &path("ada", at), token).await.unwrap();
    }
    go().await.unwrap();
    assert_eq!(it.left().await, NONE);
}

#[tokio::test]
async fn the_last_version_of_a_name_stays_where_its_folder_would_leave_locked_members() {
    let shelf = shelf::Shelf::new().await;
    let root = shelf.path("");
    shelf.holdall.lock(&shelf.who, &root, NewLock { deep: false, ..exclusive() }).await.unwrap();
    let lock = shelf.holdall.locks(&shelf.who, &root).await.unwrap();
    let token = lock[0].token.clone().unwrap();
    let options = WriteOptions { tokens: vec![token.clone()], ..WriteOptions::default() };
    shelf.put_with(&shelf.key("f/x"), "x", options).await.unwrap();
    shelf.versioning(Versioning::Enabled).await;
    locked(shelf.remove_version("f/x", VersionRef::Null).await);
    shelf.holdall.unlock(&shelf.who, &root, &token).await.unwrap();
    shelf.remove_version("f/x", VersionRef::Null).await.unwrap();
}

#[tokio::test]
async fn a_version_does_not_bring_a_folder_back_into_one_whose_members_are_locked() {
    let shelf = shelf::Shelf::new().await;
    shelf.keys_put(&["f/g/x"]).await;
    shelf.versioning(Versioning::Enabled).await;
    let marker = shelf.remove(&shelf.key("f/g/x")).await.unwrap().version.unwrap();
    let root = shelf.path("");
    shelf.holdall.lock(&shelf.who, &root, NewLock { deep: false, ..exclusive() }).await.unwrap();
    let token = shelf.holdall.locks(&shelf.who, &root).await.unwrap()[0].token.clone().unwrap();
    locked(shelf.remove_version("f/g/x", marker).await);
    assert!(shelf.members("").await.unwrap().is_empty());
    shelf.holdall.unlock(&shelf.who, &root, &token).await.unwrap();
    shelf.remove_version("f/g/x", marker).await.unwrap();
    assert_eq!(shelf.members("").await.unwrap(), ["f/"]);
}

#[tokio::test]
async fn a_folder_is_not_cleared_for_a_file_that_a_lock_keeps_where_it_is() {
    let shelf = shelf::Shelf::new().await;
    shelf.keys_put(&["b", "f/x", "c", "g/y", "g"]).await;
    shelf.versioning(Versioning::Enabled).await;
    shelf.holdall.lock(&shelf.who, &shelf.path("b"), exclusive()).await.unwrap();
    locked(shelf.mv(&shelf.path("b"), &shelf.path("f")).await);
    assert_eq!(shelf.members("f").await.unwrap(), ["f/x"]);
}
