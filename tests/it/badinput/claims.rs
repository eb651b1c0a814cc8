//! Room that an upload claimed of a quota is free again as soon as the upload is over, however it
//! ends: others of the account wait for no clock.

use std::time::{Duration, Instant};

use holdall::domain::{
    Error,
    caller::Caller,
    nouns::{BucketChange, Expected},
};
use tokio::time::sleep;

use super::Bad;
use crate::common::{
    ask::Ask,
    wire::Raw,
    world::{bucket, key},
};

/// All that the quota leaves.
const ROOM: usize = 10_000;

/// Whether there is room for another upload.
async fn room(bad: &Bad, olga: &Caller) -> bool {
    let expected = Expected { size: Some(ROOM as u64), ..Expected::default() };
    match bad.world.holdall().begin_put(olga, &key("olga", "probe"), expected).await {
        Ok(_) => true,
        Err(Error::OverQuota { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Both doors' uploads that claim it all and stop half-way, one after the other; each ends as told.
async fn each_stalled(bad: &Bad, mut end: impl AsyncFnMut(Raw)) {
    let olga = bad.world.person("olga").await;
    let used = bad.world.holdall().bucket_usage(&olga, &bucket("olga")).await.unwrap();
    let quota = Some(Some(used.live + ROOM as u64));
    let limit = BucketChange { quota, ..BucketChange::default() };
    bad.world.holdall().change_bucket(&olga, &bucket("olga"), limit).await.unwrap();
    let new = |target: &str| Ask::new("PUT", target).body(vec![b'f'; ROOM]);
    for ask in [bad.s3(new("/olga/other")), bad.dav(new("/dav/olga/other"))] {
        let mut raw = Raw::connect(bad.world.server.address()).await;
        raw.send(ask.head()).await;
        raw.send(&ask.body[..ROOM / 2]).await;
        let since = Instant::now();
        while room(bad, &olga).await {
            assert!(since.elapsed() < Duration::from_secs(10), "it claims nothing");
            sleep(Duration::from_millis(5)).await;
        }
        end(raw).await;
        let since = Instant::now();
        while !room(bad, &olga).await {
            assert!(since.elapsed() < Duration::from_secs(5), "the claim outlives its upload");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn an_upload_whose_client_goes_claims_nothing_any_more() {
    // Half a minute until it would be too slow.
    each_stalled(&Bad::start().await, async |raw| drop(raw)).await;
}

#[tokio::test]
async fn an_upload_that_stalls_is_cut_and_claims_nothing_any_more() {
    let bad = Bad::start_with(|config| config.limits.rate_window = Duration::from_millis(400)).await;
    each_stalled(&bad, async |mut raw| {
        assert!(matches!(raw.reply().await.unwrap().status, 400 | 408));
    })
    .await;
}
