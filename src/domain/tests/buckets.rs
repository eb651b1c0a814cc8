//! Buckets that come, change and go.

use super::*;
use crate::{
    domain::{
        error::What,
        nouns::{BucketChange, BucketOptions, Changes, ListBuckets, StartOver, Versioning},
    },
    model::{
        condition::{Conditions, EtagList},
        ids::{Cursor, Seq},
        limits::BUCKETS_PER_ACCOUNT,
    },
    store::{
        meta::{key::Key, rows::RowsMut, table::Table},
        rows,
    },
};

async fn make(trial: &Trial, caller: &Caller, name: &str) -> Result<(), Error> {
    let name = bucket(name);
    trial.holdall.create_bucket(caller, &name, Default::default()).await.map(drop)
}

#[tokio::test]
async fn a_name_is_taken_once_and_says_by_whom_only_to_its_owner() {
    let trial = Trial::new().await;
    let (ada, bob) = (trial.caller("ada").await, trial.caller("bob").await);
    make(&trial, &ada, "photos").await.unwrap();
    assert!(matches!(make(&trial, &ada, "photos").await, Err(Error::ExistsYours(_))));
    assert!(matches!(make(&trial, &bob, "photos").await, Err(Error::Exists(What::Bucket, _))));
    assert!(matches!(make(&trial, &Caller::Anonymous, "plans").await, Err(Error::Unauthenticated(_))));
    trial.holdall.remove_bucket(&ada, &bucket("photos"), Default::default()).await.unwrap();
    make(&trial, &bob, "photos").await.unwrap();
    assert!(matches!(trial.holdall.show_bucket(&ada, &bucket("photos")).await, Err(Error::Denied(_))));
}

#[tokio::test]
async fn what_is_demanded_of_a_bucket_holds_in_the_commit_or_nothing_is_done() {
    let trial = Trial::new().await;
    let (ada, bob) = (trial.caller("ada").await, trial.caller("bob").await);
    let name = bucket("photos");
    let matches = |tags: &str| Conditions { if_match: Some(EtagList::parse(tags)), ..Conditions::default() };
    let absent = || Conditions { if_none_match: Some(EtagList::Any), ..Conditions::default() };
    let create = |caller: &Caller, conditions| {
        let (holdall, caller, name) = (trial.holdall.clone(), caller.clone(), name.clone());
        let options = BucketOptions { conditions, ..BucketOptions::default() };
        async move { holdall.create_bucket(&caller, &name, options).await }
    };
    for tags in ["*", "\"x\""] {
        assert!(matches!(create(&ada, matches(tags)).await, Err(Error::PreconditionFailed(_))), "{tags}");
        let none = trial.holdall.show_bucket(&ada, &name).await;
        assert!(matches!(none, Err(Error::NotFound(What::Bucket, _))), "{tags}");
    }
    create(&ada, absent()).await.unwrap();
    assert!(matches!(create(&ada, matches("\"x\"")).await, Err(Error::ExistsYours(_))));
    assert!(matches!(create(&bob, matches("\"x\"")).await, Err(Error::Exists(What::Bucket, _))));
    for conditions in [matches("\"x\""), absent()] {
        let foreign = trial.holdall.remove_bucket(&bob, &name, conditions.clone()).await;
        assert!(matches!(foreign, Err(Error::Denied(_))), "{conditions:?}");
        let kept = trial.holdall.remove_bucket(&ada, &name, conditions.clone()).await;
        assert!(matches!(kept, Err(Error::PreconditionFailed(_))), "{conditions:?}");
        trial.holdall.show_bucket(&ada, &name).await.unwrap();
    }
    trial.holdall.remove_bucket(&ada, &name, matches("*")).await.unwrap();
}

#[tokio::test]
async fn only_managers_make_buckets_for_others() {
    let trial = Trial::new().await;
    let (ada, root) = (trial.caller("ada").await, trial.caller("root").await);
    let bob = account("bob");
    let make = |caller: Caller, name: &str, owner: Option<&AccountName>| {
        let (holdall, name, owner) = (trial.holdall.clone(), bucket(name), owner.cloned());
        let options = BucketOptions { owner, ..BucketOptions::default() };
        async move { holdall.create_bucket(&caller, &name, options).await }
    };
    assert!(matches!(make(ada.clone(), "one", Some(&bob)).await, Err(Error::Denied(_))));
    assert_eq!(make(ada, "one", Some(&account("ada"))).await.unwrap().owner_name.as_str(), "ada");
    assert_eq!(make(root, "two", Some(&bob)).await.unwrap().owner_name.as_str(), "bob");
    assert_eq!(make(Caller::Operator, "three", Some(&bob)).await.unwrap().owner_name.as_str(), "bob");
    assert!(matches!(make(Caller::Operator, "four", None).await, Err(Error::Invalid(_))));
    let nobody = make(Caller::Operator, "four", Some(&account("nobody"))).await;
    assert!(matches!(nobody, Err(Error::NotFound(What::Account, _))));
}

#[tokio::test]
async fn a_listing_shows_owned_buckets_within_the_scope_page_by_page() {
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    for name in ["photos", "papers", "plans"] {
        make(&trial, &ada, name).await.unwrap();
    }
    let scope = Scope { buckets: vec![bucket("papers"), bucket("bob")], read_only: false };
    let token = trial.app_password("ada", scope).await.1;
    let app = trial.by_token(&token).await.unwrap();
    let list = |caller: &Caller, prefix: &str, after: Option<&str>, limit| {
        let which = ListBuckets { prefix: prefix.into(), after: after.map(str::to_owned), limit };
        let (holdall, caller) = (trial.holdall.clone(), caller.clone());
        async move {
            let found = holdall.list_buckets(&caller, which).await.unwrap();
            found.iter().map(|bucket| bucket.name.to_string()).collect::<Vec<_>>().join(" ")
        }
    };
    assert_eq!(list(&ada, "", None, 100).await, "ada papers photos plans");
    assert_eq!(list(&ada, "", None, 2).await, "ada papers");
    assert_eq!(list(&ada, "", Some("papers"), 100).await, "photos plans");
    assert_eq!(list(&ada, "ph", None, 100).await, "photos");
    assert_eq!(list(&app, "", None, 1).await, "papers");
    assert_eq!(list(&Caller::Operator, "", None, 100).await, "ada bob papers photos plans root");
    let nobody = trial.holdall.list_buckets(&Caller::Anonymous, ListBuckets::default()).await;
    assert!(matches!(nobody, Err(Error::Unauthenticated(_))));
    assert!(matches!(make(&trial, &app, "plans2").await, Err(Error::Denied(_))));
}

#[tokio::test]
async fn names_block_the_removal_of_a_bucket_and_trash_and_uploads_do_not() {
    // The job does not run: what is left to it stays to be seen.
    let (holdall, name) = (&by_hand(&SimDisk::new()), bucket("ada"));
    holdall.add_account(&Caller::Operator, newcomer("ada")).await.unwrap();
    for table in [Table::Dent, Table::Dead, Table::Litter] {
        let row = move |there: bool| {
            holdall.write(move |tx| {
                let row = rows::bucket::by_name(tx, &bucket("ada"))?.unwrap();
                let key = rows::tree::dent_key(row.id, row.root, "name");
                if there {
                    tx.put(table, key, vec![1])
                } else {
                    tx.delete(table, key)
                }
                Ok(())
            })
        };
        row(true).await.unwrap();
        let kept = holdall.remove_bucket(&Caller::Operator, &name, Default::default()).await;
        assert!(matches!(kept, Err(Error::NotEmpty(_))), "{table:?}");
        row(false).await.unwrap();
    }
    let left = holdall.write(|tx| {
        let row = rows::bucket::by_name(tx, &bucket("ada"))?.unwrap();
        tx.put(Table::Trash, Key::new().number(row.id.0).number(Seq(1).0).done(), vec![1]);
        tx.put(Table::Upload, Key::new().number(row.id.0).part(b"key").number(1).done(), vec![1]);
        Ok(row.id)
    });
    let id = left.await.unwrap();
    holdall.remove_bucket(&Caller::Operator, &name, Default::default()).await.unwrap();
    let gone = holdall.show_bucket(&Caller::Operator, &name).await;
    assert!(matches!(gone, Err(Error::NotFound(What::Bucket, _))));
    let work = holdall.read(|rows| {
        let place = rows::work::next(rows, rows::work::Kind::Bucket)?.unwrap();
        Ok(rows::work::at(rows, &place)?)
    });
    assert_eq!(work.await.unwrap().unwrap().bucket, id, "the rest is left to a job");
}

#[tokio::test]
async fn versioning_is_suspended_and_never_taken_back() {
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    let set = |versioning| {
        let change = BucketChange { versioning: Some(versioning), ..BucketChange::default() };
        let (holdall, ada) = (trial.holdall.clone(), ada.clone());
        async move { holdall.change_bucket(&ada, &bucket("ada"), change).await }
    };
    assert_eq!(set(Versioning::Never).await.unwrap().versioning, Versioning::Never);
    assert_eq!(set(Versioning::Enabled).await.unwrap().versioning, Versioning::Enabled);
    assert!(matches!(set(Versioning::Never).await, Err(Error::Conflict(_))));
    assert_eq!(set(Versioning::Suspended).await.unwrap().versioning, Versioning::Suspended);
    let quota = BucketChange { quota: Some(Some(5)), ..BucketChange::default() };
    let bob = trial.caller("bob").await;
    let denied = trial.holdall.change_bucket(&bob, &bucket("ada"), quota.clone()).await;
    assert!(matches!(denied, Err(Error::Denied(_))));
    let changed = trial.holdall.change_bucket(&Caller::Operator, &bucket("ada"), quota).await.unwrap();
    assert_eq!((changed.quota, changed.versioning), (Some(5), Versioning::Suspended));
    assert_eq!(trial.holdall.bucket_usage(&ada, &bucket("ada")).await.unwrap(), Default::default());
    assert!(trial.holdall.bucket_usage(&bob, &bucket("ada")).await.is_err());
}

#[tokio::test]
async fn an_account_has_a_thousand_buckets_at_most() {
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    let names: Vec<_> = (1..BUCKETS_PER_ACCOUNT).map(|n| format!("b{n:04}")).collect();
    let made = futures::future::join_all(names.iter().map(|name| make(&trial, &ada, name))).await;
    assert!(made.iter().all(Result::is_ok));
    assert!(matches!(make(&trial, &ada, "one-more").await, Err(Error::TooMany { .. })));
}

#[tokio::test]
async fn a_bucket_that_is_made_anew_is_not_followed_from_a_place_in_the_old_one() {
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    let name = bucket("again");
    let mut followed = None;
    for turn in 0..2 {
        trial.holdall.create_bucket(&ada, &name, BucketOptions::default()).await.unwrap();
        trial.put(&ada, &key("again", "a"), &[]).await.unwrap();
        let changes = trial.holdall.changes(&ada, &name, followed, 10).await.unwrap();
        followed = match (turn, changes) {
            (0, Changes::Listed { changes, next }) if changes.len() == 1 => Some(next),
            (1, Changes::StartOver { why: StartOver::OtherBucket, next }) => Some(next),
            (_, other) => panic!("{other:?}"),
        };
        assert_eq!(
            trial.holdall.changes(&ada, &name, followed, 10).await.unwrap().listed(),
            Some(Vec::new())
        );
        trial.holdall.remove(&ada, &key("again", "a"), Default::default()).await.unwrap();
        trial.holdall.remove_bucket(&ada, &name, Default::default()).await.unwrap();
    }
}

/// The story: a data directory was put back from a copy, behind the back of `backup restore`. Whoever
/// had followed it further heard of nothing until the journal had caught up, and then of half.
#[tokio::test]
async fn a_cursor_from_beyond_the_newest_change_starts_over_and_deletes_nothing() {
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    let changes = async |after| trial.holdall.changes(&ada, &bucket("ada"), after, 10).await.unwrap();
    let Changes::Listed { next: start, .. } = changes(None).await else { panic!("it is new") };
    assert!(matches!(changes(Some(start)).await, Changes::Listed { .. }), "nothing was written yet");
    trial.put(&ada, &key("ada", "a"), &[]).await.unwrap();
    let Changes::Listed { next: newest, .. } = changes(Some(start)).await else { panic!("it is known") };
    assert_eq!(changes(Some(newest)).await, Changes::Listed { changes: Vec::new(), next: newest });
    for beyond in [newest.seq.next(), Seq(u64::MAX)] {
        let followed = Cursor { seq: beyond, ..newest };
        let why = StartOver::Restored;
        assert_eq!(changes(Some(followed)).await, Changes::StartOver { why, next: newest });
        assert!(why.to_string().contains("delete nothing"), "{why}");
    }
}
