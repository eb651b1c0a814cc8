//! Folders of versioned buckets, which go file by file.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{shelf::Shelf, *};
use crate::{
    domain::{
        batch::{self as batches, Driving, NewBatch},
        nouns::*,
    },
    store::rows::{
        batch::{self, BatchId, BatchKind},
        bucket as buckets, usage as usages,
    },
};

async fn versioned() -> Shelf {
    let shelf = Shelf::new().await;
    shelf.versioning(Versioning::Enabled).await;
    shelf
}

async fn under_way(shelf: &Shelf) -> usize {
    shelf.holdall.read(|rows| Ok(batch::all(rows, None, 100)?.len())).await.unwrap()
}

/// Only the first commit of a batch on `d`; nobody drives it.
async fn begun(shelf: &Shelf, kind: BatchKind, to: Option<&str>) -> BatchId {
    begun_in(shelf, &shelf.bucket, kind, to).await
}

async fn begun_in(shelf: &Shelf, bucket: &BucketName, kind: BatchKind, to: Option<&str>) -> BatchId {
    let (who, name, to) = (shelf.who.clone(), bucket.clone(), to.map(str::to_owned));
    let begin = move |tx: &mut crate::store::meta::Tx<'_>| {
        let id = buckets::by_name(tx, &name)?.unwrap().id;
        let new = NewBatch {
            kind,
            from: (id, "d".into()),
            to: to.clone().map(|to| (id, to)),
            file: false,
            clearing: false,
            modified: None,
            tokens: &[],
        };
        batches::begin(tx, &who, new)
    };
    shelf.holdall.write(begin).await.unwrap()
}

async fn drive(shelf: &Shelf, id: BatchId) -> Result<(), Error> {
    let driving = Driving::new(&shelf.holdall.batches);
    shelf.holdall.drive(driving, id, &CancellationToken::new()).await
}

fn refusals(done: Result<(), Error>) -> Vec<(String, Error)> {
    let Err(Error::Partly { refused, more: 0 }) = done else { panic!("{done:?}") };
    refused.into_iter().map(|one| (one.name, *one.why)).collect()
}

#[tokio::test]
async fn a_folder_replaces_another_with_markers_for_what_it_does_not_have() {
    for moved in [true, false] {
        let shelf = versioned().await;
        shelf.keys_put(&["d/a", "d/s/b", "e/a", "e/old", "e/s/c"]).await;
        let (from, to) = (shelf.path("d"), shelf.path("e"));
        let done = if moved { shelf.mv(&from, &to).await } else { shelf.copy(&from, &to).await };
        assert!(!done.unwrap().created);
        let mut keys = vec!["e/", "e/a", "e/s/b"];
        if !moved {
            keys.splice(0..0, ["d/a", "d/s/b"]);
        }
        assert_eq!(shelf.keys().await, keys);
        assert_eq!(shelf.read(&shelf.key("e/a"), None).await.unwrap(), "d/a");
        let seen = shelf.versions().await;
        let of = |key: &str| seen.iter().filter(|seen| seen.0 == key).map(|seen| seen.1).collect::<Vec<_>>();
        assert_eq!((of("e/a"), of("e/old")), (vec!["file", "file"], vec!["marker", "file"]));
        assert_eq!(of("d/a"), if moved { vec!["marker", "file"] } else { vec!["file"] });
        shelf.assert_sound().await;
    }
}

#[tokio::test]
async fn a_file_and_a_folder_replace_each_other() {
    let shelf = versioned().await;
    shelf.keys_put(&["p/file", "p/d/a", "p/d/b", "p/d/c/d"]).await;
    shelf.mv(&shelf.path("p/file"), &shelf.path("p/d")).await.unwrap();
    assert_eq!(shelf.keys().await, ["p/d"]);
    assert_eq!(shelf.read(&shelf.key("p/d"), None).await.unwrap(), "p/file");
    shelf.keys_put(&["e/a", "e/b", "e/c"]).await;
    shelf.copy(&shelf.path("e"), &shelf.path("p/d")).await.unwrap();
    assert_eq!(shelf.keys().await, ["e/a", "e/b", "e/c", "p/d/", "p/d/a", "p/d/b", "p/d/c"]);
    shelf.assert_sound().await;
}

#[tokio::test]
async fn the_last_folder_of_a_folder_leaves_it_explicit() {
    let shelf = versioned().await;
    shelf.keys_put(&["p/d/a", "p/d/b", "p/d/c", "q/d/a", "q/d/b", "q/d/c"]).await;
    shelf.remove(&shelf.path("p/d")).await.unwrap();
    shelf.mv(&shelf.path("q/d"), &shelf.path("d")).await.unwrap();
    assert_eq!(shelf.keys().await, ["d/", "d/a", "d/b", "d/c", "p/", "q/"]);
    shelf.assert_sound().await;
}

#[tokio::test]
async fn what_the_quota_refuses_is_named_and_the_rest_is_done() {
    let shelf = versioned().await;
    for (key, body) in [("d/a", "1"), ("d/b", "1234567"), ("d/c", "1")] {
        shelf.put(&shelf.key(key), body).await.unwrap();
    }
    let change = BucketChange { quota: Some(Some(12)), ..BucketChange::default() };
    shelf.holdall.change_bucket(&shelf.who, &shelf.bucket, change).await.unwrap();
    let refused = refusals(shelf.copy(&shelf.path("d"), &shelf.path("e")).await.map(drop));
    assert!(matches!(&refused[..], [(name, Error::OverQuota { .. })] if name == "shelf/d/b"), "{refused:?}");
    assert_eq!(shelf.keys().await, ["d/a", "d/b", "d/c", "e/", "e/a", "e/c"]);
    assert_eq!(under_way(&shelf).await, 0);
    shelf.assert_sound().await;
}

#[tokio::test]
async fn a_lock_taken_meanwhile_is_respected() {
    let shelf = versioned().await;
    shelf.keys_put(&["d/a", "d/b", "d/c"]).await;
    let id = begun(&shelf, BatchKind::Remove, None).await;
    let lock = NewLock { exclusive: true, ..NewLock::default() };
    shelf.holdall.lock(&shelf.who, &shelf.key("d/b"), lock).await.unwrap();
    let refused = refusals(drive(&shelf, id).await);
    assert!(matches!(&refused[..], [(name, Error::Locked(_))] if name == "shelf/d/b"), "{refused:?}");
    assert_eq!(shelf.keys().await, ["d/b"]);
    assert_eq!(under_way(&shelf).await, 0);
}

#[tokio::test]
async fn more_refusals_than_an_answer_names_are_counted() {
    let shelf = versioned().await;
    let count = crate::model::limits::BATCH_REFUSALS + 3;
    for n in 0..count {
        shelf.key_put(&format!("d/{n:03}")).await;
    }
    let change = BucketChange { quota: Some(Some(0)), ..BucketChange::default() };
    shelf.holdall.change_bucket(&shelf.who, &shelf.bucket, change).await.unwrap();
    let done = shelf.copy(&shelf.path("d"), &shelf.path("e")).await;
    let Err(Error::Partly { refused, more: 3 }) = done else { panic!("{done:?}") };
    assert_eq!(refused.len(), crate::model::limits::BATCH_REFUSALS);
}

#[tokio::test]
async fn a_batch_ends_for_whom_it_is_no_longer_allowed() {
    let shelf = versioned().await;
    shelf.keys_put(&["d/a", "d/b", "d/c"]).await;
    let id = begun(&shelf, BatchKind::Remove, None).await;
    shelf.holdall.set_disabled(&Caller::Operator, &account("ada"), true).await.unwrap();
    let done = drive(&shelf, id).await;
    assert!(matches!(done, Err(Error::Denied(_))), "{done:?}");
    assert_eq!((shelf.keys().await.len(), under_way(&shelf).await), (3, 0));
}

#[tokio::test]
async fn a_batch_goes_on_when_its_request_is_gone() {
    let shelf = versioned().await;
    for n in 0..40 {
        shelf.key_put(&format!("d/{n:02}")).await;
    }
    let (from, to) = (shelf.path("d"), shelf.path("e"));
    {
        let mut request = std::pin::pin!(shelf.mv(&from, &to));
        while under_way(&shelf).await == 0 {
            assert!(futures::poll!(request.as_mut()).is_pending(), "it takes more than that");
        }
    }
    let since = Instant::now();
    while under_way(&shelf).await > 0 {
        assert!(since.elapsed() < Duration::from_secs(20), "nobody finishes it");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let keys = shelf.keys().await;
    assert!(keys.len() == 41 && keys.iter().all(|key| key.starts_with("e/")), "{keys:?}");
    shelf.assert_sound().await;
}

#[tokio::test]
async fn two_batches_never_work_on_one_folder() {
    let shelf = versioned().await;
    shelf.keys_put(&["d/a", "d/s/b", "dd/c", "x/y"]).await;
    let id = begun(&shelf, BatchKind::Move, Some("to/e")).await;
    let conflict = |done: Result<(), Error>| assert!(matches!(done, Err(Error::Conflict(_))), "{done:?}");
    conflict(shelf.remove(&shelf.path("d")).await.map(drop));
    conflict(shelf.remove(&shelf.path("d/s")).await.map(drop));
    conflict(shelf.copy(&shelf.path("d"), &shelf.path("f")).await.map(drop));
    conflict(shelf.copy(&shelf.path("x"), &shelf.path("d/x")).await.map(drop));
    shelf.key_put("d/c").await;
    shelf.remove(&shelf.path("dd")).await.unwrap();
    drive(&shelf, id).await.unwrap();
    assert_eq!(shelf.keys().await, ["to/e/a", "to/e/c", "to/e/s/b", "x/y"]);
    shelf.remove(&shelf.path("to")).await.unwrap();
    shelf.assert_sound().await;
}

#[tokio::test]
async fn one_account_has_so_many_batches_under_way_and_no_more() {
    let shelf = versioned().await;
    shelf.keys_put(&["d/a", "x/y"]).await;
    for _ in 0..crate::model::limits::BATCHES_PER_ACCOUNT {
        // Copies may read one folder together.
        let to = format!("to{}", under_way(&shelf).await);
        begun(&shelf, BatchKind::Copy, Some(&to)).await;
    }
    let done = shelf.remove(&shelf.path("x")).await;
    assert!(matches!(done, Err(Error::Busy(_))), "{done:?}");
    shelf.work_off().await;
    shelf.remove(&shelf.path("x")).await.unwrap();
    assert_eq!(shelf.keys().await.len(), 1 + crate::model::limits::BATCHES_PER_ACCOUNT);
}

/// No bucket can hold a byte more than it is said to hold: adding one is a fault.
async fn full_to_the_brim(shelf: &Shelf) {
    let name = shelf.bucket.clone();
    let fill = move |tx: &mut crate::store::meta::Tx<'_>| {
        let row = buckets::by_name(tx, &name)?.unwrap();
        let mut most = usages::of_bucket(tx, row.owner, row.id)?;
        most.live = u64::MAX;
        usages::set(tx, row.owner, row.id, &most);
        Ok(())
    };
    shelf.holdall.write(fill).await.unwrap();
}

#[tokio::test]
async fn a_file_whose_step_fails_again_and_again_is_left_and_the_rest_is_done() {
    let shelf = versioned().await;
    for (key, body) in [("d/a", ""), ("d/b", "1"), ("d/c", ""), ("d/e", "1")] {
        shelf.put(&shelf.key(key), body).await.unwrap();
    }
    full_to_the_brim(&shelf).await;
    let id = begun(&shelf, BatchKind::Copy, Some("e")).await;
    let refused = refusals(drive(&shelf, id).await);
    let names: Vec<_> = refused.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["shelf/d/b", "shelf/d/e"]);
    assert!(refused.iter().all(|(_, why)| matches!(why, Error::Internal { .. })), "{refused:?}");
    assert_eq!(shelf.keys().await, ["d/a", "d/b", "d/c", "d/e", "e/a", "e/c"]);
    assert_eq!(under_way(&shelf).await, 0);
}

#[tokio::test]
async fn a_file_that_is_more_than_a_transaction_holds_is_refused_and_stays() {
    let shelf = versioned().await;
    let deep = format!("d/{}f", "x/".repeat(120));
    shelf.keys_put(&["d/a", &deep]).await;
    let changes = (0..crate::model::limits::PROPS_PER_NODE).map(|number| {
        let name = format!("p{number}");
        PropChange::Set(Prop { namespace: String::new(), xml: format!("<{name}/>"), name })
    });
    let how = PropOptions::default();
    shelf.holdall.set_props(&shelf.who, &shelf.path(&deep), changes.collect(), how).await.unwrap();
    let refused = refusals(shelf.mv(&shelf.path("d"), &shelf.path("e")).await.map(drop));
    assert!(matches!(&refused[..], [(_, Error::TooMany { .. })]), "{refused:?}");
    assert_eq!(shelf.keys().await, [&deep, "e/", "e/a"]);
    shelf.assert_sound().await;
}

/// A request that drives a batch that ended must never drive, or let go of, another one's.
#[tokio::test]
async fn no_batch_has_the_number_of_another_even_after_a_restart() {
    let disk = SimDisk::new();
    let mut shelf = Shelf::by_hand(&disk).await;
    shelf.versioning(Versioning::Enabled).await;
    let mut last = None;
    for _ in 0..2 {
        for _ in 0..2 {
            // A batch that finds nothing writes nothing to the journal of its bucket.
            let id = begun(&shelf, BatchKind::Remove, None).await;
            assert!(last < Some(id.number), "{id:?} after {last:?}");
            last = Some(id.number);
            drive(&shelf, id).await.unwrap();
        }
        let Shelf { holdall, who, bucket } = shelf;
        holdall.close().unwrap();
        drop(holdall);
        shelf = Shelf { holdall: by_hand(&disk), who, bucket };
    }
}

#[tokio::test]
async fn a_batch_that_fails_and_one_that_hangs_keep_no_other_waiting() {
    let disk = SimDisk::new();
    let shelf = Shelf::by_hand(&disk).await;
    shelf.versioning(Versioning::Enabled).await;
    shelf.keys_put(&["d/a", "d/b"]).await;
    let other = bucket("other");
    shelf.bucket_named("other", HistoryPolicy::Off).await;
    let change = BucketChange { versioning: Some(Versioning::Enabled), ..BucketChange::default() };
    shelf.holdall.change_bucket(&shelf.who, &other, change).await.unwrap();
    let put = |name: &str| Address::key(other.clone(), ObjectKey::parse(name).unwrap());
    shelf.put(&put("d/c"), "c").await.unwrap();
    full_to_the_brim(&shelf).await;

    let hangs = begun(&shelf, BatchKind::Copy, Some("e")).await;
    let request = Driving::new(&shelf.holdall.batches);
    Driving::hold(&Arc::downgrade(&request), hangs);
    let fails = begun(&shelf, BatchKind::Copy, Some("f")).await;
    let next = begun_in(&shelf, &other, BatchKind::Copy, Some("e")).await;
    assert!(hangs < fails && fails < next, "the order in which they are looked at");

    shelf.holdall.finish_batches(&CancellationToken::new()).await.unwrap();
    let left = shelf.holdall.read(|rows| Ok(batch::all(rows, None, 100)?)).await.unwrap();
    assert_eq!(left.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [hangs]);
    assert_eq!(shelf.read(&put("e/c"), None).await.unwrap(), "c");
}
