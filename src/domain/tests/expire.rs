//! People's history comes to an end.

use super::{Trial, bucket};
use crate::{
    domain::nouns::{BucketChange, Expected, HistoryPolicy, RemoveOptions, WriteOptions},
    model::address::{Address, ItemPath},
    store::meta::{
        rows::{KeyRange, Order, Rows as _},
        table::Table,
    },
};

fn all() -> KeyRange {
    KeyRange::prefix(Vec::new())
}

const DAY: i64 = 24 * 3600 * 1000;

fn at(path: &str) -> Address {
    Address::path(bucket("ada"), ItemPath::parse(path).unwrap())
}

async fn write(trial: &Trial, path: &str, text: &str) {
    let ada = trial.login("ada", super::PASSWORD).await.unwrap();
    let mut put = trial.holdall.begin_put(&ada, &at(path), Expected::default()).await.unwrap();
    put.write(text.to_owned().into()).await.unwrap();
    put.commit(WriteOptions::default()).await.unwrap();
}

async fn history(trial: &Trial) -> u64 {
    let ada = trial.login("ada", super::PASSWORD).await.unwrap();
    trial.holdall.bucket_usage(&ada, &bucket("ada")).await.unwrap().history
}

#[tokio::test]
async fn trash_is_kept_for_its_days_and_then_released() {
    let trial = Trial::new().await;
    write(&trial, "letter", "four").await;
    let ada = trial.login("ada", super::PASSWORD).await.unwrap();
    trial.holdall.remove(&ada, &at("letter"), RemoveOptions::default()).await.unwrap();
    assert_eq!(history(&trial).await, 4);
    trial.clock.advance(29 * DAY);
    trial.holdall.clear_trash().await.unwrap();
    assert_eq!(history(&trial).await, 4, "a day is left");
    trial.clock.advance(2 * DAY);
    trial.holdall.clear_trash().await.unwrap();
    assert_eq!(history(&trial).await, 0);
}

#[tokio::test]
async fn old_versions_of_a_file_end_in_time_without_a_write() {
    let trial = Trial::new().await;
    for text in ["1", "22", "333"] {
        write(&trial, "letter", text).await;
        trial.clock.advance(10 * DAY);
    }
    write(&trial, "other", "1").await;
    write(&trial, "other", "2").await;
    assert_eq!(history(&trial).await, 4);
    trial.clock.advance(11 * DAY);
    trial.holdall.clear_trash().await.unwrap();
    assert_eq!(history(&trial).await, 3, "the first was replaced 31 days ago, the second 21");
    trial.clock.advance(10 * DAY);
    trial.holdall.clear_trash().await.unwrap();
    assert_eq!(history(&trial).await, 1);
    let left = trial.holdall.read(|rows| Ok(rows.scan(Table::Replaced, &all(), Order::Forward, 9)?.len()));
    assert_eq!(left.await.unwrap(), 1, "nothing is left of those that are gone");
    trial.assert_sound().await;
}

#[tokio::test]
async fn a_policy_that_is_turned_off_ends_what_was_kept_before() {
    let trial = Trial::new().await;
    write(&trial, "letter", "1").await;
    write(&trial, "letter", "22").await;
    let ada = trial.login("ada", super::PASSWORD).await.unwrap();
    let off = BucketChange { history: Some(HistoryPolicy::Off), ..BucketChange::default() };
    trial.holdall.change_bucket(&ada, &bucket("ada"), off).await.unwrap();
    trial.clock.advance(31 * DAY);
    trial.holdall.clear_trash().await.unwrap();
    assert_eq!(history(&trial).await, 0);
    trial.assert_sound().await;
}

#[tokio::test]
async fn a_removed_bucket_leaves_no_times() {
    let trial = Trial::new().await;
    write(&trial, "letter", "1").await;
    write(&trial, "letter", "22").await;
    let ada = trial.login("ada", super::PASSWORD).await.unwrap();
    trial.holdall.remove(&ada, &at("letter"), RemoveOptions::default()).await.unwrap();
    trial.holdall.remove_bucket(&ada, &bucket("ada"), Default::default()).await.unwrap();
    trial.holdall.clear_trash().await.unwrap();
    assert!(!trial.holdall.read(|rows| Ok(rows.any(Table::Replaced, &all())?)).await.unwrap());
}

#[tokio::test]
async fn old_versions_of_a_file_end_when_it_is_written_again() {
    let trial = Trial::new().await;
    for text in ["1", "22", "333"] {
        write(&trial, "letter", text).await;
    }
    assert_eq!(history(&trial).await, 3, "two versions are kept beside the current one");
    trial.clock.advance(31 * DAY);
    write(&trial, "letter", "4444").await;
    assert_eq!(history(&trial).await, 3, "only the one that was current until now");
}

#[tokio::test]
async fn a_file_written_over_and_over_keeps_a_bounded_history() {
    let trial = Trial::new().await;
    for _ in 0..crate::model::limits::PEOPLE_VERSIONS + 20 {
        write(&trial, "log", "x").await;
    }
    assert_eq!(history(&trial).await, crate::model::limits::PEOPLE_VERSIONS as u64);
}
