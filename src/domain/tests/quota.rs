//! A quota is held before the bytes come, and again in the commit.

use super::{Trial, bucket};
use crate::{
    domain::{
        Error,
        nouns::{AccountChange, BucketChange, Expected, NewUpload, WriteOptions},
    },
    model::address::{Address, ObjectKey},
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
