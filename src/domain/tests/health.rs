//! What is served while something fails, and afterwards.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::{Trial, account};
use crate::{
    domain::{
        Error,
        caller::Caller,
        health::{Fullness, Readiness, Unready, Watch},
        nouns::Transfer,
    },
    store::io::Site,
};

/// Design: "repair progress shown".
#[tokio::test]
async fn how_far_a_repair_is_can_be_asked_while_it_runs() {
    let trial = Trial::new().await;
    let holdall = &trial.holdall;
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = Arc::clone(&told);
    let heard = holdall.health.repair.heard(Arc::new(move |part| telling.lock().unwrap().push(part)));
    trial.disk.crash_after(0);
    assert!(trial.add("eve", None).await.is_err());
    assert_eq!(holdall.ready(), Readiness::No(Unready::Metadata));
    for (part, percent) in [(0.0, 0), (0.6, 60), (1.0, 100)] {
        heard(part);
        assert_eq!(holdall.ready(), Readiness::Repairing(percent));
    }
    assert_eq!(*told.lock().unwrap(), [0.0, 0.6, 1.0]);
    let mut watch = Watch::new();
    watch.look(&holdall.store, &holdall.health, Instant::now());
    assert_eq!(holdall.ready(), Readiness::No(Unready::Metadata), "it ended, and the disk still fails");
    trial.disk.crash_after(u64::MAX / 2);
    watch.look(&holdall.store, &holdall.health, Instant::now() + Duration::from_secs(2));
    assert_eq!(holdall.ready(), Readiness::Ready);
}

#[tokio::test]
async fn failed_metadata_is_opened_again_and_until_then_only_reads_are_served() {
    let trial = Trial::new().await;
    let holdall = &trial.holdall;
    let (mut watch, now) = (Watch::new(), Instant::now());
    assert_eq!(holdall.ready(), Readiness::Ready);
    trial.disk.crash_after(0);
    assert!(matches!(trial.add("eve", None).await, Err(Error::Unavailable { .. })));
    assert_eq!(holdall.ready(), Readiness::No(Unready::Metadata));
    assert_eq!(holdall.list_accounts(&Caller::Operator).await.unwrap().len(), 3, "reads go on");

    watch.look(&holdall.store, &holdall.health, now);
    assert_eq!(holdall.ready(), Readiness::No(Unready::Metadata), "the disk still fails");
    trial.disk.crash_after(u64::MAX / 2);
    watch.look(&holdall.store, &holdall.health, now);
    assert_eq!(holdall.ready(), Readiness::No(Unready::Metadata), "too early to try again");
    watch.look(&holdall.store, &holdall.health, now + Duration::from_secs(2));
    assert_eq!(holdall.ready(), Readiness::Ready);
    trial.add("eve", None).await.unwrap();
    assert!(holdall.show_account(&Caller::Operator, &account("eve")).await.is_ok());
}

/// Storage: "full disk in three levels".
#[tokio::test]
async fn a_full_disk_is_ready_says_how_full_it_is_and_recovers_by_itself() {
    let trial = Trial::new().await;
    let (holdall, ada) = (&trial.holdall, trial.caller("ada").await);
    let at = |name: &str| super::key("ada", name);
    let ready = || {
        trial.clock.advance(2000);
        Watch::new().look(&holdall.store, &holdall.health, Instant::now());
        holdall.ready()
    };
    for name in ["a", "b", "c", "d"] {
        trial.put(&ada, &at(name), &[]).await.unwrap();
    }
    let full = async |name: &str| matches!(trial.put(&ada, &at(name), &[]).await, Err(Error::DiskFull));
    trial.disk.set_free(1 << 30);
    assert_eq!(ready(), Readiness::Full(Fullness::Content));
    assert!(full("e").await);
    trial.transfer((&ada, Transfer::Copy), &at("a"), &at("e"), &[]).await.unwrap();

    holdall.store.dir().release_reserve().unwrap();
    assert_eq!(ready(), Readiness::Full(Fullness::Reserve));
    trial.transfer((&ada, Transfer::Move), &at("e"), &at("f"), &[]).await.unwrap();

    // Others take everything, and what is allocated ahead is less than any group may need.
    trial.disk.set_free(0);
    let mut moved = 0;
    while trial.transfer((&ada, Transfer::Copy), &at("a"), &at(&format!("n{moved}")), &[]).await.is_ok() {
        moved += 1;
        assert!(moved < 20_000, "metadata grows without room");
    }
    assert_eq!(ready(), Readiness::Full(Fullness::Rows));
    for name in ["b", "c", "f"] {
        trial.remove(&ada, &at(name), &[]).await.unwrap();
    }
    assert!(matches!(
        trial.transfer((&ada, Transfer::Move), &at("a"), &at("g"), &[]).await,
        Err(Error::DiskFull)
    ));
    assert_eq!(holdall.collect(&Caller::Operator, false).await.unwrap().aborted, None);

    trial.disk.set_free(1 << 40);
    assert_eq!(ready(), Readiness::Ready);
    trial.put(&ada, &at("g"), &[]).await.unwrap();
    trial.assert_sound().await;
}

#[tokio::test]
async fn a_lane_whose_syncs_go_on_failing_makes_the_system_not_ready() {
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    // Each another content: what is there already needs no sync.
    let put = async |name: &str| trial.put(&ada, &super::key("ada", name), &[]).await.map(drop);
    let ready = || {
        Watch::new().look(&trial.holdall.store, &trial.holdall.health, Instant::now());
        trial.holdall.ready()
    };
    trial.disk.fail_once(Site::SegmentData);
    assert!(matches!(put("a").await, Err(Error::Unavailable { .. })));
    assert_eq!(ready(), Readiness::Ready, "it goes on in another file");
    put("b").await.unwrap();
    trial.disk.fail(Site::SegmentData);
    for name in ["c", "d"] {
        assert_eq!(ready(), Readiness::Ready);
        assert!(matches!(put(name).await, Err(Error::Unavailable { .. })));
    }
    assert_eq!(ready(), Readiness::No(Unready::Segments));
    trial.holdall.close().unwrap();
    assert_eq!(trial.holdall.ready(), Readiness::No(Unready::Closing));
}
