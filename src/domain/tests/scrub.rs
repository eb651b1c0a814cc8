//! Who may have the store read again, and how it is read by itself.

use std::time::{Duration, Instant};

use super::{
    decay::{noise, segments, write},
    *,
};
use crate::{
    domain::{Portion, ScrubOptions},
    store::scrub::Scrubber,
};

#[tokio::test]
async fn names_of_damaged_files_are_for_the_operator_alone() {
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    let root = trial.caller("root").await;
    write(&trial, &ada, &key("ada", "secret name"), noise(1, 50_000)).await;
    let (path, _) = segments(&trial.disk).remove(0);
    trial.disk.damage(&path, 5000, 1).unwrap();
    assert!(matches!(trial.holdall.scrub(&ada, Portion::ALL).await, Err(Error::Denied(_))));
    assert_eq!(trial.holdall.scrub(&root, Portion::ALL).await.unwrap().damaged, 1);
    for denied in [&ada, &root, &Caller::Anonymous] {
        assert!(matches!(trial.holdall.damaged_files(denied, None).await, Err(Error::Denied(_))));
    }
    for denied in [&ada, &Caller::Anonymous] {
        assert!(
            trial.holdall.damage(denied, None).await.is_err() && trial.holdall.scrubbing(denied).is_err()
        );
    }
    assert_eq!(trial.holdall.damage(&root, None).await.unwrap().0.len(), 1);
    let report = trial.holdall.check(&root).await.unwrap();
    assert!(report.hits.is_empty() && report.counts.hits == 1);
    assert!(!format!("{report:?}").contains("secret name"));
    assert_eq!(trial.holdall.check(&Caller::Operator).await.unwrap().hits[0].path, "secret name");
}

/// The job that runs by itself: it is due at first, goes to its end, and is not due again.
#[tokio::test]
async fn the_store_is_scrubbed_by_itself() {
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    write(&trial, &ada, &key("ada", "a"), noise(1, 50_000)).await;
    let options = ScrubOptions { days: 30, rate: 1 << 30 };
    trial.holdall.scrub_in_background(ScrubOptions { days: 0, ..options }).await.unwrap();
    assert!(trial.holdall.scrub_state().last.is_none(), "never is never");
    trial.holdall.scrub_in_background(options).await.unwrap();
    let last = trial.holdall.scrub_state().last.unwrap();
    assert!(last.chunks > 0);
    trial.holdall.scrub_in_background(options).await.unwrap();
    assert_eq!(trial.holdall.scrub_state().last, Some(last));
}

/// A store of about nine megabytes, which a run reads in more than one step.
async fn some_megabytes() -> (Trial, u64) {
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    for n in 0..3 {
        write(&trial, &ada, &key("ada", &n.to_string()), noise(n, 3_000_000)).await;
    }
    let all = trial.holdall.scrub(&Caller::Operator, Portion::ALL).await.unwrap();
    assert!(all.bytes > 9_000_000);
    trial.clock.advance(40 * 86_400_000);
    (trial, all.bytes)
}

/// The bytes of a second are not read in less.
#[tokio::test]
async fn a_run_of_the_background_keeps_to_its_rate() {
    let (trial, bytes) = some_megabytes().await;
    let began = Instant::now();
    trial.holdall.scrub_in_background(ScrubOptions { days: 30, rate: 10_000_000 }).await.unwrap();
    let took = began.elapsed();
    assert_eq!(trial.holdall.scrub_state().last.unwrap().bytes, bytes);
    // Each step may be a millisecond early.
    assert!(took >= Duration::from_millis(bytes / 10_000 - 50), "{bytes} bytes in {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_of_the_background_gives_way_and_goes_on_where_it_was() {
    let (trial, all) = some_megabytes().await;
    let before = trial.holdall.scrub_state();
    let holdall = Arc::clone(&trial.holdall);
    // So slow that it does not end by itself; the metadata is small.
    let slow =
        tokio::spawn(
            async move { holdall.scrub_in_background(ScrubOptions { days: 30, rate: 200_000 }).await },
        );
    let first = loop {
        match trial.holdall.scrub_state().now {
            Some(now) if now.bytes > 0 => break now,
            _ => tokio::task::yield_now().await,
        }
    };
    assert!(first.bytes < all, "{first:?}");
    let half = Portion::new(1, 2).unwrap();
    let asked = trial.holdall.scrub(&Caller::Operator, half).await.unwrap();
    slow.await.unwrap().unwrap();
    let now = trial.holdall.scrub_state();
    assert_eq!((now.now, now.last), (Some(first), before.last), "it is kept how far it came");
    trial.holdall.scrub_in_background(ScrubOptions { days: 30, rate: 1 << 30 }).await.unwrap();
    let after = trial.holdall.scrub_state();
    assert_eq!(after.last.unwrap().bytes, all);
    assert_eq!(after.bytes - before.bytes, all + asked.bytes, "nothing is read twice");
}

/// The whole store every thirty days, counted from the end of the last run.
#[tokio::test]
async fn a_run_begins_by_itself_thirty_days_after_the_last_and_not_before() {
    const DAY_MS: i64 = 86_400_000;
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    write(&trial, &ada, &key("ada", "file"), noise(1, 50_000)).await;
    let look = async || {
        trial.holdall.scrub_in_background(ScrubOptions { days: 30, rate: 1 << 30 }).await.unwrap();
        let state = trial.holdall.scrub_state();
        (state.now, state.last.and_then(|last| last.ended), state.bytes)
    };
    let first = look().await;
    let ended = first.1.expect("it was never done");
    trial.clock.advance(29 * DAY_MS);
    assert_eq!(look().await, first, "nothing was read");
    trial.clock.advance(2 * DAY_MS);
    let (now, last, bytes) = look().await;
    assert_eq!((now, last), (None, Some(Timestamp(ended.0 + 31 * DAY_MS))));
    assert!(bytes > first.2);
    assert_eq!(look().await, (now, last, bytes), "and it is done for another thirty");
}

/// The story: each request that waited for another run held one of the threads that all work which
/// waits for the disk shares.
#[test]
fn who_waits_for_another_run_holds_no_thread() {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).max_blocking_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let trial = Trial::new().await;
        let other = Scrubber::begin(&trial.holdall.store, Portion::ALL).unwrap();
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                let holdall = Arc::clone(&trial.holdall);
                tokio::spawn(async move { holdall.scrub(&Caller::Operator, Portion::ALL).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let work = trial.holdall.blocking(|| Ok(()));
        tokio::time::timeout(Duration::from_secs(5), work).await.expect("a thread is free").unwrap();
        assert!(waiting.iter().all(|one| !one.is_finished()));
        drop(other);
        for one in waiting {
            one.await.unwrap().unwrap();
        }
    });
}
