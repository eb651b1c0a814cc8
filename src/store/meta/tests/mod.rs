//! The committer from outside: what a verb sees, what it leaves, when it is answered.

mod crash;
mod failure;
mod model;
mod sums;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use super::{
    Health, InMemory, Keeper, Kind, Meta, MetaOptions, Tx, ctag_key,
    rows::{KeyRange, Order, Rows, RowsMut},
    table::Table,
};
use crate::{
    model::{
        ids::{BucketId, NodeId, Seq},
        limits,
        time::Timestamp,
    },
    store::{
        error::StoreError,
        io::{Io, Site, disk::Disk, sim::SimDisk},
    },
};

fn open(io: impl Io + 'static) -> Result<Meta, StoreError> {
    Meta::open(Arc::new(io), MetaOptions::new(Arc::new(|| Timestamp(7))))
}

fn open_in_memory(rows: &InMemory) -> Meta {
    let keeper = Keeper::InMemory(rows.clone());
    let options = MetaOptions { keeper, ..MetaOptions::new(Arc::new(|| Timestamp(7))) };
    Meta::open(Arc::new(SimDisk::new()), options).unwrap()
}

fn put(tx: &mut Tx<'_>, key: &str, value: &str) -> Result<(), StoreError> {
    tx.put(Table::Dent, key.into(), value.into());
    Ok(())
}

fn all(rows: &dyn Rows, order: Order) -> Vec<(String, String)> {
    let range = KeyRange::prefix(Vec::new());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let found = rows.scan(Table::Dent, &range, order, usize::MAX).unwrap();
    found.into_iter().map(|(key, value)| (text(key), text(value))).collect()
}

fn row(key: &str, value: &str) -> (String, String) {
    (key.into(), value.into())
}

type Log = Arc<Mutex<Vec<String>>>;

/// Submits a verb that sets one row; the log gets the answer.
fn submit_put(meta: &Meta, log: &Log, key: &'static str) {
    let log = Arc::clone(log);
    meta.submit(
        move |tx| {
            put(tx, key, "1")?;
            Ok::<_, StoreError>(key)
        },
        move |result| log.lock().unwrap().push(result.map_or_else(|e| e.to_string(), str::to_owned)),
    );
}

#[test]
fn a_store_on_a_real_disk_keeps_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let meta = open(Disk::open(dir.path()).unwrap()).unwrap();
    meta.apply(|tx| {
        assert_eq!((tx.now(), tx.incarnation()), (Timestamp(7), 1));
        put(tx, "a", "1")?;
        Ok::<_, StoreError>(())
    })
    .unwrap();
    drop(meta);
    let meta = open(Disk::open(dir.path()).unwrap()).unwrap();
    assert_eq!(all(&meta.snapshot().unwrap(), Order::Forward), [row("a", "1")]);
    assert!(!dir.path().join("meta/holdall.redb.new").exists());
}

#[test]
fn rows_in_memory_outlive_their_store_and_no_id_is_given_twice() {
    let rows = InMemory::default();
    let meta = open_in_memory(&rows);
    meta.apply(|tx| put(tx, "a", "1")).unwrap();
    let (old, id) = (meta.snapshot().unwrap(), meta.fresh(Kind::Node).unwrap());
    meta.apply(|tx| put(tx, "a", "2")).unwrap();
    assert_eq!(all(&old, Order::Forward), [row("a", "1")]);
    drop(meta);
    let meta = open_in_memory(&rows);
    assert_eq!(all(&meta.snapshot().unwrap(), Order::Forward), [row("a", "2")]);
    assert!(meta.fresh(Kind::Node).unwrap() > id);
    rows.unreadable(Some(Table::Dent));
    assert!(matches!(meta.snapshot().unwrap().get(Table::Dent, b"a"), Err(StoreError::Io(_))));
    rows.unreadable(None);
    assert_eq!(all(&meta.snapshot().unwrap(), Order::Forward), [row("a", "2")]);
}

#[test]
fn a_refused_verb_leaves_nothing() {
    let meta = open(SimDisk::new()).unwrap();
    let commits = meta.counters().commits;
    let refused = meta.apply(|tx| {
        put(tx, "a", "1")?;
        tx.touch(BucketId(1), NodeId(2), Seq(3));
        Err::<(), _>(StoreError::Busy("no".into()))
    });
    assert!(matches!(refused, Err(StoreError::Busy(_))));
    let snapshot = meta.snapshot().unwrap();
    assert!(all(&snapshot, Order::Forward).is_empty());
    assert_eq!(snapshot.get(Table::Ctag, &ctag_key(BucketId(1), NodeId(2))).unwrap(), None);
    assert_eq!(meta.counters().commits, commits, "a group that changes nothing needs no commit");
}

#[test]
fn a_verb_that_is_refused_inside_another_takes_back_only_its_own() {
    let meta = open(SimDisk::new()).unwrap();
    meta.apply(|tx| {
        put(tx, "a", "1")?;
        let refused = tx.attempt(|tx| {
            put(tx, "a", "2")?;
            put(tx, "b", "2")?;
            Err::<(), _>(StoreError::Refused("inner".into()))
        });
        assert!(refused.is_err());
        tx.attempt(|tx| put(tx, "c", "3"))
    })
    .unwrap();
    assert_eq!(all(&meta.snapshot().unwrap(), Order::Forward), [row("a", "1"), row("c", "3")]);
}

#[test]
fn verbs_of_one_group_see_each_other_in_order_and_are_answered_after_one_commit() {
    let disk = SimDisk::new();
    let meta = open(disk.clone()).unwrap();
    let commits = meta.counters().commits;
    let log = Log::default();
    submit_put(&meta, &log, "b");
    submit_put(&meta, &log, "a");
    let (seen, at_answer) = (Arc::clone(&log), Arc::clone(&log));
    let syncs = move || disk.counts().syncs.get(&Site::Meta).copied().unwrap_or_default();
    let before = syncs();
    meta.submit(
        move |tx| {
            let rows: Vec<String> = all(tx, Order::Reverse).into_iter().map(|(key, _)| key).collect();
            assert!(seen.lock().unwrap().is_empty(), "nobody is answered before the commit");
            tx.delete(Table::Dent, b"a".to_vec());
            Ok::<_, StoreError>(rows)
        },
        move |rows| {
            assert!(syncs() >= before + 2, "both phases were synced");
            at_answer.lock().unwrap().push(rows.unwrap().join(" "));
        },
    );
    assert_eq!(meta.step(), 3);
    assert_eq!(*log.lock().unwrap(), ["b", "a", "b a"]);
    assert_eq!(meta.counters().commits, commits + 1);
    assert_eq!(all(&meta.snapshot().unwrap(), Order::Forward), [row("b", "1")]);
}

#[test]
fn a_group_has_one_time_and_an_end() {
    let clock = Arc::new(AtomicI64::new(0));
    let hand = Arc::clone(&clock);
    let now = Arc::new(move || Timestamp(hand.fetch_add(1, Ordering::Relaxed)));
    let meta = Meta::open(Arc::new(SimDisk::new()), MetaOptions::new(now)).unwrap();
    let times = Arc::new(Mutex::new(Vec::new()));
    let submit = |value: &'static str| {
        let times = Arc::clone(&times);
        let verb = move |tx: &mut Tx<'_>| {
            times.lock().unwrap().push(tx.now());
            put(tx, "a", value)
        };
        meta.submit(verb, |result: Result<(), StoreError>| result.unwrap());
    };
    (0..300).for_each(|_| submit("1"));
    let (commits, first) = (meta.counters().commits, meta.step());
    assert!((1..300).contains(&first), "{first} verbs in one group");
    assert_eq!(meta.counters().commits, commits + 1);
    while meta.step() > 0 {}
    let seen = std::mem::take(&mut *times.lock().unwrap());
    assert_eq!(seen.len(), 300);
    assert!(seen[..first].iter().all(|time| *time == seen[0]) && seen[first] > seen[0], "{seen:?}");
    // Few verbs with much to write are a group as well.
    let long: &'static str = Box::leak("x".repeat(600 << 10).into_boxed_str());
    (0..4).for_each(|_| submit(long));
    assert_eq!(meta.step(), 2);
    while meta.step() > 0 {}
}

#[test]
fn a_panic_in_a_verb_is_that_verbs_failure_only() {
    let meta = open(SimDisk::new()).unwrap();
    let log = Log::default();
    submit_put(&meta, &log, "a");
    let told = Arc::clone(&log);
    meta.submit(
        |tx| {
            put(tx, "x", "1")?;
            let rows = all(tx, Order::Forward);
            assert!(rows.is_empty(), "the store does not work");
            Ok::<_, StoreError>(())
        },
        move |result| told.lock().unwrap().push(result.unwrap_err().to_string()),
    );
    submit_put(&meta, &log, "b");
    assert_eq!(meta.step(), 3);
    assert_eq!(*log.lock().unwrap(), ["a", "not available: internal fault", "b"]);
    assert_eq!(all(&meta.snapshot().unwrap(), Order::Forward), [row("a", "1"), row("b", "1")]);
    assert_eq!((meta.health(), meta.counters().panics), (Health::Open, 1));
}

#[test]
fn a_ctag_is_written_once_per_group_with_the_highest_seq() {
    let meta = open(SimDisk::new()).unwrap();
    let ctag = |rows: &dyn Rows| rows.get(Table::Ctag, &ctag_key(BucketId(1), NodeId(2))).unwrap();
    meta.submit(
        |tx| {
            tx.touch(BucketId(1), NodeId(2), Seq(300));
            tx.touch(BucketId(1), NodeId(2), Seq(8));
            Ok::<_, StoreError>(())
        },
        Result::unwrap,
    );
    meta.submit(
        move |tx| {
            tx.touch(BucketId(1), NodeId(2), Seq(9));
            assert_eq!(ctag(tx), Some(vec![0xac, 2]), "300 as a varint");
            Ok::<_, StoreError>(())
        },
        Result::unwrap,
    );
    meta.step();
    assert_eq!(ctag(&meta.snapshot().unwrap()), Some(vec![0xac, 2]));
}

#[test]
fn a_verb_that_changes_too_many_rows_fails_alone() {
    let meta = open(SimDisk::new()).unwrap();
    let fill = |rows: usize| {
        meta.apply::<usize, StoreError>(move |tx| {
            (0..rows).try_for_each(|row| put(tx, &format!("{row:04}"), "x"))?;
            Ok(tx.room())
        })
    };
    assert!(fill(limits::TX_ROWS + 1).is_err());
    assert_eq!(all(&meta.snapshot().unwrap(), Order::Forward), []);
    assert_eq!(fill(limits::TX_ROWS).unwrap(), 0);
    assert_eq!(meta.health(), Health::Open);
}
