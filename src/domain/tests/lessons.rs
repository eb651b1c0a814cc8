//! What people lost data to elsewhere, tried here: a body that ends early, a Complete that is
//! repeated, a move into itself, two writers with one condition.

use super::{shelf::Shelf, *};
use crate::{
    domain::nouns::{ClaimedPart, CompleteOptions, Declared, Expected, NewUpload, Versioning, WriteOptions},
    model::condition::{Conditions, EtagList},
};

async fn text(shelf: &Shelf, name: &str) -> Option<Vec<u8>> {
    use futures::TryStreamExt as _;
    let at = key("shelf", name);
    let opened = shelf.holdall.open(&shelf.who, &at, None, &Conditions::default()).await.ok()?;
    let size = opened.version.size;
    let bytes: Vec<_> = opened.read(0..size).try_collect().await.unwrap();
    Some(bytes.concat())
}

async fn write(shelf: &Shelf, name: &str, bytes: &'static str, options: WriteOptions) -> Result<(), Error> {
    let mut put = shelf.holdall.begin_put(&shelf.who, &key("shelf", name), Expected::default()).await?;
    put.write(bytes.into()).await?;
    put.commit(options).await.map(drop)
}

/// Nextcloud answered 201 and stored a part of the bytes (nextcloud/server#7995).
#[tokio::test]
async fn a_body_that_ends_early_leaves_the_old_file() {
    let shelf = Shelf::new().await;
    write(&shelf, "a", "old", WriteOptions::default()).await.unwrap();
    let expected = Expected { size: Some(5), ..Expected::default() };
    let mut put = shelf.holdall.begin_put(&shelf.who, &key("shelf", "a"), expected).await.unwrap();
    put.write("new".into()).await.unwrap();
    let cut = put.commit(WriteOptions::default()).await;
    assert!(matches!(cut, Err(Error::Incomplete { declared: 5, got: 3 })), "{cut:?}");
    assert_eq!(text(&shelf, "a").await.unwrap(), b"old");
}

/// `MinIO` answered success and had only metadata left (minio/minio#17858).
#[tokio::test]
async fn a_repeated_complete_answers_with_the_file_it_made() {
    let shelf = Shelf::new().await;
    let (who, at) = (&shelf.who, key("shelf", "a"));
    let upload = shelf.holdall.begin_upload(who, &at, NewUpload::default()).await.unwrap().id;
    let mut part = shelf.holdall.begin_part(who, &at, &upload, 1, Expected::default()).await.unwrap();
    part.write("part".into()).await.unwrap();
    let etag = part.commit(Declared::default()).await.unwrap().etag;
    let parts = vec![ClaimedPart { number: 1, etag, checksums: Vec::new() }];
    let mut made = Vec::new();
    for _ in 0..2 {
        let how = CompleteOptions { parts: parts.clone(), ..CompleteOptions::default() };
        made.push(shelf.holdall.complete_upload(who, &at, &upload, how).await.unwrap().version.id);
    }
    assert_eq!(made[0], made[1]);
    assert_eq!(text(&shelf, "a").await.unwrap(), b"part");
}

/// A folder that was moved into itself was gone with all it held (owncloud/ocis#6739,
/// mikedeboer/jsDAV#118).
#[tokio::test]
async fn nothing_is_moved_into_itself_or_over_what_it_lies_in() {
    let shelf = Shelf::new().await;
    write(&shelf, "a/b/c", "old", WriteOptions::default()).await.unwrap();
    for (from, to) in [("a", "a"), ("a", "a/b/n"), ("a/b", "a"), ("a/b/c", "a")] {
        let (from, to) = (path("shelf", from), path("shelf", to));
        let moved =
            shelf.holdall.transfer(&shelf.who, Transfer::Move, &from, &to, TransferOptions::default()).await;
        let refused = matches!(moved, Err(Error::Conflict(_) | Error::Denied(_)));
        assert!(refused, "{from} to {to}: {moved:?}");
        assert_eq!(text(&shelf, "a/b/c").await.unwrap(), b"old");
    }
}

/// A literal key finds no folder. One that stands there keeps its name all the same, and so does what is
/// below it.
#[tokio::test]
async fn a_folder_takes_the_name_of_no_other_through_a_literal_key() {
    let shelf = Shelf::new().await;
    // Beside the first of them stands a file of the same name.
    for name in ["n/x", "b/x/w", "b/x", "b/y/w"] {
        write(&shelf, name, "old", WriteOptions::default()).await.unwrap();
    }
    for versioned in [false, true] {
        if versioned {
            shelf.versioning(Versioning::Enabled).await;
        }
        for (how, shallow) in [(Transfer::Copy, false), (Transfer::Move, false), (Transfer::Copy, true)] {
            for name in ["b/x", "b/y"] {
                let (from, to) = (path("shelf", "n"), key("shelf", name));
                let options = TransferOptions { shallow, overwrite: true, ..TransferOptions::default() };
                let done = shelf.holdall.transfer(&shelf.who, how, &from, &to, options).await;
                assert!(matches!(done, Err(Error::Conflict(_))), "{versioned} {done:?}");
                assert_eq!(text(&shelf, &format!("{name}/w")).await.unwrap(), b"old");
            }
        }
    }
    assert_eq!(text(&shelf, "b/x").await.unwrap(), b"old");
    assert!(shelf.holdall.check(&Caller::Operator).await.unwrap().is_clean());
}

/// Of two writers who both found nothing, one wins (rustfs/rustfs#1659).
#[tokio::test]
async fn a_condition_is_decided_when_the_body_is_there() {
    let shelf = Shelf::new().await;
    let absent = || Conditions { if_none_match: Some(EtagList::Any), ..Conditions::default() };
    let fresh = || WriteOptions { conditions: absent(), ..WriteOptions::default() };
    let at = key("shelf", "a");
    let mut puts = Vec::new();
    for bytes in ["one", "two"] {
        let mut put = shelf.holdall.begin_put(&shelf.who, &at, Expected::default()).await.unwrap();
        put.write(bytes.into()).await.unwrap();
        puts.push(put);
    }
    let mut won = Vec::new();
    for put in puts {
        won.push(put.commit(fresh()).await.is_ok());
    }
    assert_eq!(won, [true, false]);
    assert_eq!(text(&shelf, "a").await.unwrap(), b"one");
}
