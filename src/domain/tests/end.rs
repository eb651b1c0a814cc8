//! Files that change, race, move between buckets and go: what is left, and what is charged.

use bytes::Bytes;

use super::{shelf::Shelf, *};
use crate::{
    domain::nouns::*,
    model::{
        address::{Address, ObjectKey},
        condition::{Conditions, EtagList},
        limits,
    },
};

#[tokio::test]
async fn of_many_writers_that_ask_for_a_free_name_one_wins() {
    let shelf = Shelf::new().await;
    let at = shelf.key("a/one");
    let options = WriteOptions {
        conditions: Conditions { if_none_match: Some(EtagList::parse("*")), ..Conditions::default() },
        ..WriteOptions::default()
    };
    let writers = (0..32).map(|n| {
        let (shelf, at, options) = (&shelf, &at, options.clone());
        async move { shelf.put_with(at, &format!("writer {n}"), options).await }
    });
    let answers = futures::future::join_all(writers).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let refused = |answer: &Result<Written, Error>| matches!(answer, Err(Error::PreconditionFailed(_)));
    assert_eq!(answers.iter().filter(|answer| refused(answer)).count(), 31);
    shelf.assert_sound().await;
}

#[tokio::test]
async fn a_quota_refuses_and_leaves_nothing() {
    let shelf = Shelf::new().await;
    shelf.put(&shelf.key("d/a"), "12345").await.unwrap();
    let change = BucketChange { quota: Some(Some(8)), ..BucketChange::default() };
    shelf.holdall.change_bucket(&shelf.who, &shelf.bucket, change).await.unwrap();
    let over =
        |refused: Result<(), Error>| assert!(matches!(refused, Err(Error::OverQuota { .. })), "{refused:?}");
    over(shelf.put(&shelf.key("b"), "1234").await.map(drop));
    over(shelf.copy(&shelf.key("d/a"), &shelf.key("b")).await.map(drop));
    over(shelf.copy(&shelf.path("d"), &shelf.path("e")).await.map(drop));
    shelf.put(&shelf.key("d/a"), "12345678").await.unwrap();
    assert_eq!(shelf.keys().await, ["d/a"]);
    shelf.assert_sound().await;
}

#[tokio::test]
async fn what_people_keep_is_charged_as_history_and_never_seen_by_s3() {
    let shelf = Shelf::with(HistoryPolicy::Days(30)).await;
    for text in ["1", "22", "333"] {
        shelf.put(&shelf.key("d/a"), text).await.unwrap();
    }
    shelf.put(&shelf.key("d/b"), "4444").await.unwrap();
    shelf.remove(&shelf.key("d/b")).await.unwrap();
    let usage = shelf.usage().await;
    assert_eq!((usage.live, usage.history, usage.files), (3, 3 + 4, 1));
    shelf.versioning(Versioning::Enabled).await;
    assert_eq!(shelf.versions().await, [("d/a".to_owned(), "null", true)]);
    shelf.remove_version("d/a", VersionRef::Null).await.unwrap();
    shelf.assert_sound().await;
    assert_eq!(shelf.usage().await.history, 4, "only the trash is left");
}

#[tokio::test]
async fn folders_in_the_trash_of_two_buckets_are_both_counted() {
    let mut shelf = Shelf::with(HistoryPolicy::Days(30)).await;
    shelf.bucket_named("other", HistoryPolicy::Days(30)).await;
    for name in ["shelf", "other"] {
        shelf.bucket = bucket(name);
        shelf.put(&shelf.key("d/a"), "12345").await.unwrap();
    }
    let (here, there) = (shelf.path("d"), Address { bucket: bucket("shelf"), ..shelf.path("d") });
    let both = futures::join!(shelf.remove(&here), shelf.remove(&there));
    assert!(both.0.is_ok() && both.1.is_ok());
    shelf.assert_sound().await;
    for name in ["shelf", "other"] {
        shelf.bucket = bucket(name);
        let usage = shelf.usage().await;
        assert_eq!((usage.live, usage.history, usage.files), (0, 5, 0));
    }
}

#[tokio::test]
async fn a_folder_goes_to_another_bucket_whole() {
    let shelf = Shelf::new().await;
    shelf.bucket_named("other", HistoryPolicy::Off).await;
    shelf.keys_put(&["p/d/a", "p/d/a/x", "p/d/b/", "p/f"]).await;
    let there = |path: &str| Address { bucket: bucket("other"), ..shelf.path(path) };
    shelf.mv(&shelf.path("p/d"), &there("d")).await.unwrap();
    shelf.mv(&shelf.path("p/f"), &there("f")).await.unwrap();
    assert_eq!(shelf.keys().await, ["p/"]);
    let which = ListKeys { limit: 100, ..ListKeys::default() };
    let page = shelf.holdall.list_keys(&shelf.who, &bucket("other"), which).await.unwrap();
    assert_eq!(page.entries.len(), 4);
    let read = Address::key(bucket("other"), ObjectKey::parse("d/a/x").unwrap());
    assert_eq!(shelf.read(&read, None).await.unwrap(), "p/d/a/x");
    shelf.assert_sound().await;
}

async fn part(shelf: &Shelf, at: &Address, upload: &str, number: u32, size: usize) -> ClaimedPart {
    let begun = shelf.holdall.begin_part(&shelf.who, at, upload, number, Expected::default()).await;
    let mut put = begun.unwrap();
    put.write(Bytes::from(vec![b'a' + u8::try_from(number % 20).unwrap(); size])).await.unwrap();
    let part = put.commit(Declared::default()).await.unwrap();
    ClaimedPart { number, etag: part.etag, checksums: Vec::new() }
}

#[tokio::test]
async fn an_upload_becomes_its_listed_parts_once() {
    let shelf = Shelf::new().await;
    let at = shelf.key("d/big");
    let upload = shelf.holdall.begin_upload(&shelf.who, &at, NewUpload::default()).await.unwrap();
    let least = usize::try_from(limits::PART_MIN_BYTES).unwrap();
    part(&shelf, &at, &upload.id, 1, 10).await;
    let small = part(&shelf, &at, &upload.id, 2, 10).await;
    let one = part(&shelf, &at, &upload.id, 1, least).await;
    let unlisted = part(&shelf, &at, &upload.id, 7, 30).await;
    assert_eq!(shelf.usage().await.versions, limits::PART_MIN_BYTES + 40);
    let complete = |parts: Vec<ClaimedPart>| {
        let how = CompleteOptions { parts, ..CompleteOptions::default() };
        shelf.holdall.complete_upload(&shelf.who, &at, &upload.id, how)
    };
    let unknown = ClaimedPart { number: 3, ..one.clone() };
    for parts in [
        vec![],
        vec![small.clone(), one.clone()],
        vec![one.clone(), unknown],
        vec![one.clone(), small.clone(), unlisted],
    ] {
        assert!(complete(parts).await.is_err());
    }
    shelf.assert_sound().await;
    let page = shelf.holdall.list_parts(&shelf.who, &at, &upload.id, 1, 1).await.unwrap();
    assert!(page.more && page.parts.len() == 1 && page.parts[0].number == 2);
    let done = complete(vec![one.clone(), small.clone()]).await.unwrap();
    let again = complete(vec![one, small]).await.unwrap();
    assert_eq!(done.version, again.version);
    assert_eq!(done.version.size, limits::PART_MIN_BYTES + 10);
    shelf.assert_sound().await;
    assert_eq!(shelf.usage().await.versions, 0);
}

#[tokio::test]
async fn uploads_are_listed_page_by_page_and_go_when_aborted() {
    let shelf = Shelf::new().await;
    let mut begun = Vec::new();
    for key in ["a", "b/1", "b/2", "c", "c"] {
        let upload =
            shelf.holdall.begin_upload(&shelf.who, &shelf.key(key), NewUpload::default()).await.unwrap();
        part(&shelf, &shelf.key(key), &upload.id, 1, 3).await;
        begun.push(upload);
    }
    let mut which = ListUploads { delimiter: Some("/".into()), limit: 1, ..ListUploads::default() };
    let mut seen = Vec::new();
    loop {
        let page = shelf.holdall.list_uploads(&shelf.who, &shelf.bucket, which.clone()).await.unwrap();
        seen.extend(page.prefixes);
        seen.extend(page.uploads.into_iter().map(|upload| upload.id));
        let Some((key, id)) = page.next else { break };
        (which.key_after, which.id_after) = (Some(key), id);
    }
    assert_eq!(seen, [&begun[0].id, "b/", &begun[3].id, &begun[4].id]);
    for upload in &begun {
        shelf.holdall.abort_upload(&shelf.who, &shelf.key(&upload.key), &upload.id).await.unwrap();
    }
    shelf.assert_sound().await;
    assert_eq!(shelf.usage().await, Usage::default());
}

#[tokio::test]
async fn a_page_of_uploads_goes_on_behind_one_that_was_aborted() {
    let shelf = Shelf::new().await;
    let mut begun = Vec::new();
    for key in ["a", "c", "c", "c", "c", "d"] {
        let upload = shelf.holdall.begin_upload(&shelf.who, &shelf.key(key), NewUpload::default()).await;
        begun.push(upload.unwrap().id);
    }
    let which = ListUploads { limit: 3, ..ListUploads::default() };
    let page = shelf.holdall.list_uploads(&shelf.who, &shelf.bucket, which.clone()).await.unwrap();
    let (key, id) = page.next.unwrap();
    assert_eq!(id.as_ref(), Some(&begun[2]));
    shelf.holdall.abort_upload(&shelf.who, &shelf.key("c"), &begun[2]).await.unwrap();
    for limit in [1, 10] {
        let mut which =
            ListUploads { key_after: Some(key.clone()), id_after: id.clone(), limit, ..which.clone() };
        let mut seen = Vec::new();
        loop {
            let page = shelf.holdall.list_uploads(&shelf.who, &shelf.bucket, which.clone()).await.unwrap();
            seen.extend(page.uploads.into_iter().map(|upload| upload.id));
            let Some((key, id)) = page.next else { break };
            (which.key_after, which.id_after) = (Some(key), id);
        }
        assert_eq!(seen, begun[3..], "in pages of {limit}");
    }
}

#[tokio::test]
async fn completed_uploads_are_forgotten_however_many_stay_open() {
    let trial = Trial::new().await;
    let ada = trial.caller("ada").await;
    let at = key("ada", "f");
    let begin = || trial.holdall.begin_upload(&ada, &at, NewUpload::default());
    for _ in 0..10 {
        begin().await.unwrap();
    }
    let upload = begin().await.unwrap();
    let put = trial.holdall.begin_part(&ada, &at, &upload.id, 1, Expected::default()).await.unwrap();
    let part = put.commit(Declared::default()).await.unwrap();
    let parts = vec![ClaimedPart { number: 1, etag: part.etag, checksums: Vec::new() }];
    let how = CompleteOptions { parts, ..CompleteOptions::default() };
    let complete = || trial.holdall.complete_upload(&ada, &at, &upload.id, how.clone());
    let first = complete().await.unwrap();
    const DAY: i64 = 24 * 3600 * 1000;
    for days in [6, 2] {
        assert_eq!(complete().await.unwrap().version, first.version);
        trial.clock.advance(days * DAY);
        trial.holdall.forget_uploads().await.unwrap();
    }
    assert!(matches!(complete().await, Err(Error::NotFound(..))));
    let which = ListUploads { limit: 100, ..ListUploads::default() };
    assert_eq!(trial.holdall.list_uploads(&ada, &bucket("ada"), which).await.unwrap().uploads.len(), 10);
}

#[tokio::test]
async fn when_everything_is_removed_nothing_is_needed() {
    for history in [HistoryPolicy::Off, HistoryPolicy::Days(30)] {
        let shelf = Shelf::with(history).await;
        shelf.keys_put(&["a", "a/b", "a/c/d", "e/f/", "e\u{301}/g"]).await;
        shelf.put(&shelf.key("a/b"), &"again ".repeat(50_000)).await.unwrap();
        shelf.copy(&shelf.path("a"), &shelf.path("copy")).await.unwrap();
        shelf.mv(&shelf.path("a/c"), &shelf.path("moved")).await.unwrap();
        let open =
            shelf.holdall.begin_upload(&shelf.who, &shelf.key("u"), NewUpload::default()).await.unwrap();
        part(&shelf, &shelf.key("u"), &open.id, 1, 100_000).await;
        shelf.assert_sound().await;
        for path in ["a", "copy", "moved", "e", "\u{e9}", "a"] {
            shelf.remove(&shelf.path(path)).await.unwrap();
        }
        assert_eq!(shelf.keys().await, [""; 0]);
        shelf.holdall.remove_bucket(&shelf.who, &shelf.bucket, Default::default()).await.unwrap();
        shelf.assert_sound().await;
        let usage = shelf.holdall.usage(&shelf.who, &account("ada")).await.unwrap();
        assert_eq!(usage, Usage::default());
        let left = shelf.holdall.check(&Caller::Operator).await.unwrap();
        assert_eq!((left.counts.references, left.counts.needed, left.found), (0, 0, 0), "{left:?}");
        assert_eq!(left.counts.chunks, left.counts.queued + left.counts.unreferenced);
    }
}
