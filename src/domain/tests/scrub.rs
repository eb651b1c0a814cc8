//! Who may have the store read again, and how it is read by itself.

use super::{
    decay::{noise, segments, write},
    *,
};
use crate::domain::Portion;

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
    let options = crate::domain::ScrubOptions { days: 30, rate: 1 << 30 };
    trial.holdall.scrub_in_background(crate::domain::ScrubOptions { days: 0, ..options }).await.unwrap();
    assert!(trial.holdall.scrub_state().last.is_none(), "never is never");
    trial.holdall.scrub_in_background(options).await.unwrap();
    let last = trial.holdall.scrub_state().last.unwrap();
    assert!(last.chunks > 0);
    trial.holdall.scrub_in_background(options).await.unwrap();
    assert_eq!(trial.holdall.scrub_state().last, Some(last));
}
