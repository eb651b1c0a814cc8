//! A quota is held before the bytes come, and again in the commit.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Trial, bucket};
use crate::{
    domain::{
        Error, Holdall, StartOptions, World,
        caller::{Caller, Scope},
        nouns::{
            AccountChange, BucketChange, Charged, CopyPart, Expected, NewUpload, Transfer, WriteOptions,
        },
    },
    model::{
        address::{Address, ObjectKey},
        time::Timestamp,
    },
    outside::{clock::SetClock, random::SeededRandom},
    store::{Store, io::sim::SimDisk},
};

fn at(key: &str) -> Address {
    Address::key(bucket("ada"), ObjectKey::parse(key).unwrap())
}

fn sized(size: u64) -> Expected {
    Expected { size: Some(size), ..Expected::default() }
}

#[tokio::test]
async fn a_body_that_cannot_pass_is_refused_before_its_bytes_come() {
    let trial = Trial::new().await;
    let ada = trial.login("ada", super::PASSWORD).await.unwrap();
    let limit = BucketChange { quota: Some(Some(100)), ..BucketChange::default() };
    trial.holdall.change_bucket(&ada, &bucket("ada"), limit).await.unwrap();
    let mut put = trial.holdall.begin_put(&ada, &at("a"), sized(80)).await.unwrap();
    put.write(vec![7; 80].into()).await.unwrap();
    put.commit(WriteOptions::default()).await.unwrap();

    let refused = trial.holdall.begin_put(&ada, &at("b"), sized(21)).await.unwrap_err();
    assert!(matches!(refused, Error::OverQuota { .. }), "{refused}");
    trial.holdall.begin_put(&ada, &at("b"), sized(20)).await.unwrap();
    trial.holdall.begin_put(&ada, &at("a"), sized(100)).await.unwrap();

    let upload = trial.holdall.begin_upload(&ada, &at("c"), NewUpload::default()).await.unwrap();
    let part = trial.holdall.begin_part(&ada, &at("c"), &upload.id, 1, sized(21)).await;
    assert!(matches!(part.unwrap_err(), Error::OverQuota { .. }));
}

#[tokio::test]
async fn a_body_of_unknown_length_ends_where_the_quota_does() {
    let trial = Trial::new().await;
    let ada = trial.login("ada", super::PASSWORD).await.unwrap();
    let root = trial.login("root", super::PASSWORD).await.unwrap();
    let change = AccountChange { quota: Some(Some(10)), ..AccountChange::default() };
    trial.holdall.change_account(&root, &super::account("ada"), change).await.unwrap();
    let mut put = trial.holdall.begin_put(&ada, &at("a"), Expected::default()).await.unwrap();
    put.write(vec![7; 10].into()).await.unwrap();
    let refused = put.write(vec![7; 1].into()).await.unwrap_err();
    assert!(matches!(refused, Error::OverQuota { .. }), "{refused}");
}

/// Ada with a quota of her own.
async fn limited(quota: u64) -> (Trial, Caller) {
    limited_on(Trial::new().await, quota).await
}

async fn limited_on(trial: Trial, quota: u64) -> (Trial, Caller) {
    let (ada, root) = (trial.caller("ada").await, trial.caller("root").await);
    let change = AccountChange { quota: Some(Some(quota)), ..AccountChange::default() };
    trial.holdall.change_account(&root, &super::account("ada"), change).await.unwrap();
    (trial, ada)
}

async fn bucket_without_history(trial: &Trial, ada: &Caller, name: &str) {
    trial.holdall.create_bucket(ada, &bucket(name), Default::default()).await.unwrap();
}

async fn store(trial: &Trial, who: &Caller, at: &Address, bytes: usize) -> Result<(), Error> {
    let mut put = trial.holdall.begin_put(who, at, sized(bytes as u64)).await?;
    put.write(vec![7; bytes].into()).await?;
    put.commit(WriteOptions::default()).await.map(drop)
}

fn over<T: std::fmt::Debug>(refused: Result<T, Error>) {
    assert!(matches!(refused, Err(Error::OverQuota { .. })), "{refused:?}");
}

/// Ten uploads at once used to stage all their bytes, and only the commits refused.
#[tokio::test]
async fn uploads_at_once_do_not_count_on_the_same_room() {
    let (trial, ada) = limited(500).await;
    let begin = |n: usize| {
        let (trial, ada) = (&trial, &ada);
        async move { trial.holdall.begin_put(ada, &at(["a", "b"][n % 2]), sized(100)).await }
    };
    let begun = futures::future::join_all((0..10).map(begin)).await;
    let (mut puts, refused): (Vec<_>, Vec<_>) = begun.into_iter().partition(Result::is_ok);
    assert_eq!((puts.len(), refused.len()), (5, 5));
    refused.into_iter().for_each(over);

    drop(puts.pop());
    let mut put = begin(0).await.unwrap();
    over(begin(1).await);
    over(trial.holdall.begin_put(&ada, &at("c"), sized(101)).await);
    put.write(vec![7; 100].into()).await.unwrap();
    put.commit(WriteOptions::default()).await.unwrap();
    over(begin(1).await);
    drop(puts);
    // What the file becomes is claimed only as far as it grows.
    let _whole = trial.holdall.begin_put(&ada, &at("a"), sized(500)).await.unwrap();
    over(trial.holdall.begin_put(&ada, &at("c"), sized(1)).await);
}

#[tokio::test]
async fn bodies_of_unknown_length_claim_what_comes() {
    let (trial, ada) = limited(10).await;
    let mut first = trial.holdall.begin_put(&ada, &at("a"), Expected::default()).await.unwrap();
    let mut second = trial.holdall.begin_put(&ada, &at("b"), Expected::default()).await.unwrap();
    first.write(vec![7; 6].into()).await.unwrap();
    over(second.write(vec![7; 5].into()).await);
    first.commit(WriteOptions::default()).await.unwrap();
    second.write(vec![7; 4].into()).await.unwrap_err();
    let mut third = trial.holdall.begin_put(&ada, &at("c"), Expected::default()).await.unwrap();
    third.write(vec![7; 4].into()).await.unwrap();
    third.commit(WriteOptions::default()).await.unwrap();
}

#[tokio::test]
async fn a_copy_leaves_what_an_upload_claimed() {
    let (trial, ada) = limited(100).await;
    store(&trial, &ada, &at("a"), 20).await.unwrap();
    let claimed = trial.holdall.begin_put(&ada, &at("b"), sized(70)).await.unwrap();
    let copy = || async { trial.transfer((&ada, Transfer::Copy), &at("a"), &at("c"), &[]).await };
    over(copy().await);
    let upload = trial.holdall.begin_upload(&ada, &at("d"), NewUpload::default()).await.unwrap();
    let part = || async {
        trial.holdall.copy_part(&ada, (&at("d"), &upload.id, 1), &at("a"), CopyPart::default()).await
    };
    over(part().await);
    drop(claimed);
    copy().await.unwrap();
    part().await.unwrap();
    trial.assert_sound().await;
}

#[tokio::test]
async fn a_move_to_another_bucket_of_the_same_owner_needs_no_room() {
    let (trial, ada) = limited(100).await;
    bucket_without_history(&trial, &ada, "other").await;
    let path = |bucket: &str, name: &str| super::path(bucket, name);
    store(&trial, &ada, &at("a"), 60).await.unwrap();
    store(&trial, &ada, &at("d/b"), 40).await.unwrap();
    let to = |how, from: Address, to: Address| {
        let (trial, ada) = (&trial, &ada);
        async move { trial.transfer((ada, how), &from, &to, &[]).await }
    };
    over(to(Transfer::Copy, path("ada", "a"), path("other", "a")).await);
    over(to(Transfer::Copy, path("ada", "d"), path("other", "d")).await);
    to(Transfer::Move, path("ada", "a"), path("other", "a")).await.unwrap();
    to(Transfer::Move, path("ada", "d"), path("other", "d")).await.unwrap();
    store(&trial, &ada, &at("c"), 0).await.unwrap();
    over(store(&trial, &ada, &at("c"), 1).await);

    let small = BucketChange { quota: Some(Some(50)), ..BucketChange::default() };
    trial.holdall.change_bucket(&ada, &bucket("ada"), small).await.unwrap();
    over(to(Transfer::Move, path("other", "a"), path("ada", "a")).await);
    to(Transfer::Move, path("other", "d"), path("ada", "d")).await.unwrap();
    trial.assert_sound().await;
}

#[tokio::test]
async fn a_write_waits_for_what_was_removed_to_be_released() {
    let (trial, ada) = limited(1000).await;
    bucket_without_history(&trial, &ada, "plain").await;
    for round in 0..20 {
        store(&trial, &ada, &super::key("plain", "d/a"), 600).await.unwrap();
        store(&trial, &ada, &super::key("plain", "d/b"), 400).await.unwrap();
        trial.remove(&ada, &super::path("plain", "d"), &[]).await.unwrap();
        let copied = super::key("plain", "d/c");
        store(&trial, &ada, &copied, 1000).await.unwrap_or_else(|error| panic!("{round}: {error}"));
        trial.remove(&ada, &copied, &[]).await.unwrap();
    }
}

#[tokio::test]
async fn a_write_that_waited_in_vain_may_be_tried_again() {
    let (disk, clock) = (Arc::new(SimDisk::new()), Arc::new(SetClock::at(Timestamp(1_000_000))));
    let world = World { clock: clock.clone(), random: Arc::new(SeededRandom::new(1)) };
    let wait = Duration::from_millis(300);
    let options = StartOptions { quota_wait: wait, ..StartOptions::new(disk.clone()) };
    // The store is driven and the jobs are not: as if releasing took for ever.
    let holdall = Holdall::start_by_hand(options, world).unwrap();
    *holdall.driver.lock().unwrap() = Some(Store::drive(&holdall.store).unwrap());
    let trial = Trial { disk, clock, holdall };
    for name in ["root", "ada"] {
        trial.add(name, Some(super::PASSWORD)).await.unwrap();
    }
    let (trial, ada) = limited_on(trial, 100).await;
    bucket_without_history(&trial, &ada, "plain").await;
    store(&trial, &ada, &super::key("plain", "d/a"), 60).await.unwrap();
    trial.remove(&ada, &super::path("plain", "d"), &[]).await.unwrap();
    let before = Instant::now();
    let busy = trial.holdall.begin_put(&ada, &at("b"), sized(41)).await.unwrap_err();
    assert!(matches!(busy, Error::Busy(_)), "{busy}");
    assert!(before.elapsed() >= wait);
    trial.holdall.begin_put(&ada, &at("b"), sized(40)).await.unwrap();
}

#[tokio::test]
async fn what_quotas_leave_is_what_a_write_may_take() {
    let (trial, ada) = limited(100).await;
    let root = trial.caller("root").await;
    store(&trial, &ada, &at("a"), 40).await.unwrap();
    store(&trial, &ada, &at("a"), 10).await.unwrap();
    let of_account = trial.holdall.charged_to_account(&ada, &super::account("ada")).await.unwrap();
    // The replaced version is history: in use, and in no write's way.
    assert_eq!(of_account, Charged { used: 50, left: Some(90) });
    let of_bucket = || async { trial.holdall.charged_to_bucket(&ada, &bucket("ada")).await };
    assert_eq!(of_bucket().await.unwrap(), of_account, "its owner's quota limits it");
    let limit = BucketChange { quota: Some(Some(70)), ..BucketChange::default() };
    trial.holdall.change_bucket(&ada, &bucket("ada"), limit).await.unwrap();
    assert_eq!(of_bucket().await.unwrap(), Charged { used: 50, left: Some(60) });
    over(store(&trial, &ada, &at("b"), 61).await);
    store(&trial, &ada, &at("b"), 60).await.unwrap();
    assert_eq!(of_bucket().await.unwrap().left, Some(0));

    let bob = super::account("bob");
    assert!(matches!(trial.holdall.charged_to_account(&ada, &bob).await, Err(Error::Denied(_))));
    let unlimited = trial.holdall.charged_to_account(&root, &bob).await.unwrap();
    assert_eq!(unlimited, Charged::default());
}

/// An app password for one bucket does not see what the account has elsewhere.
#[tokio::test]
async fn who_may_not_see_the_account_learns_of_the_bucket_alone() {
    let (trial, ada) = limited(100).await;
    bucket_without_history(&trial, &ada, "other").await;
    store(&trial, &ada, &super::key("other", "a"), 10).await.unwrap();
    let scope = Scope { buckets: vec![bucket("ada")], read_only: false };
    let (_, token) = trial.app_password("ada", scope).await;
    let phone = trial.by_token(&token).await.unwrap();
    let seen = trial.holdall.charged_to_bucket(&phone, &bucket("ada")).await.unwrap();
    assert_eq!(seen, Charged { used: 0, left: None });
    let account = trial.holdall.charged_to_account(&phone, &super::account("ada")).await;
    assert!(matches!(account, Err(Error::Denied(_))));
}
