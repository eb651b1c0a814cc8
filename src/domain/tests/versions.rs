//! Versions in the three states of a bucket, and what moves cost.

use super::shelf::Shelf;
use crate::domain::{
    Error,
    nouns::{Item, Removed, VersionRef, Versioning},
};

#[tokio::test]
async fn a_suspended_bucket_replaces_only_its_null_version() {
    let shelf = Shelf::new().await;
    let at = shelf.key("d/a");
    shelf.put(&at, "never").await.unwrap();
    shelf.versioning(Versioning::Enabled).await;
    let named = VersionRef::Id(shelf.put(&at, "enabled").await.unwrap().version.id);
    shelf.versioning(Versioning::Suspended).await;
    shelf.put(&at, "suspended").await.unwrap();
    let seen = shelf.versions().await;
    assert_eq!(seen, [("d/a".to_owned(), "null", true), ("d/a".to_owned(), "file", false)]);
    assert_eq!(shelf.read(&at, Some(VersionRef::Null)).await.unwrap(), "suspended");
    assert_eq!(shelf.read(&at, Some(named)).await.unwrap(), "enabled");
    let usage = shelf.usage().await;
    assert_eq!((usage.live, usage.versions, usage.files), (9, 7, 1));
    let removed = shelf.remove(&at).await.unwrap();
    assert_eq!(removed, Removed { existed: true, version: Some(VersionRef::Null), marker: true });
    let seen = shelf.versions().await;
    assert_eq!(seen, [("d/a".to_owned(), "null marker", true), ("d/a".to_owned(), "file", false)]);
    shelf.assert_sound().await;
    shelf.remove_version("d/a", VersionRef::Null).await.unwrap();
    assert_eq!(shelf.read(&at, None).await.unwrap(), "enabled");
    assert_eq!(shelf.members("d").await.unwrap(), ["d/a"]);
    shelf.assert_sound().await;
}

#[tokio::test]
async fn a_marker_hides_a_file_until_it_is_removed_itself() {
    let shelf = Shelf::new().await;
    shelf.versioning(Versioning::Enabled).await;
    let at = shelf.key("d/e/a");
    let first = VersionRef::Id(shelf.put(&at, "1").await.unwrap().version.id);
    let second = VersionRef::Id(shelf.put(&at, "2").await.unwrap().version.id);
    let marker = shelf.remove(&at).await.unwrap().version.unwrap();
    assert!(matches!(shelf.read(&at, None).await, Err(Error::DeleteMarker { current: true, .. })));
    assert!(matches!(shelf.read(&at, Some(marker)).await, Err(Error::DeleteMarker { current: false, .. })));
    assert!(matches!(shelf.stat(&shelf.path("d")).await, Err(Error::NotFound(..))));
    assert_eq!(shelf.read(&at, Some(first)).await.unwrap(), "1");
    let gone = shelf.remove_version("d/e/a", marker).await.unwrap();
    assert!(gone.marker && gone.existed);
    assert!(matches!(shelf.stat(&shelf.path("d/e")).await, Ok(Item::Folder(_))));
    shelf.remove_version("d/e/a", second).await.unwrap();
    assert_eq!(shelf.read(&at, None).await.unwrap(), "1");
    assert!(!shelf.remove_version("d/e/a", second).await.unwrap().existed);
    shelf.remove_version("d/e/a", first).await.unwrap();
    assert!(shelf.versions().await.is_empty());
    shelf.assert_sound().await;
}

#[tokio::test]
async fn a_marker_on_nothing_makes_deleted_folders_only() {
    let shelf = Shelf::new().await;
    shelf.versioning(Versioning::Enabled).await;
    let removed = shelf.remove(&shelf.key("d/e/a")).await.unwrap();
    assert!(removed.marker && !removed.existed);
    assert!(shelf.keys().await.is_empty());
    assert_eq!(shelf.versions().await, [("d/e/a".to_owned(), "marker", true)]);
    shelf.assert_sound().await;
    shelf.remove_version("d/e/a", removed.version.unwrap()).await.unwrap();
    shelf.assert_sound().await;
}

#[tokio::test]
async fn a_move_keeps_the_node_and_a_copy_shares_bytes() {
    let shelf = Shelf::new().await;
    let file = shelf.key_put("d/a").await;
    shelf.mv(&shelf.path("d"), &shelf.path("e")).await.unwrap();
    let Ok(Item::File(moved)) = shelf.stat(&shelf.path("e/a")).await else { panic!() };
    assert_eq!((moved.node, moved.id), (file.node, file.id));
    shelf.copy(&shelf.path("e"), &shelf.path("f")).await.unwrap();
    let Ok(Item::File(copied)) = shelf.stat(&shelf.path("f/a")).await else { panic!() };
    assert_ne!(copied.node, file.node);
    assert_eq!((copied.etag, copied.size), (file.etag, file.size));
    let target = shelf.key_put("g").await;
    shelf.mv(&shelf.path("f/a"), &shelf.path("g")).await.unwrap();
    let Ok(Item::File(over)) = shelf.stat(&shelf.path("g")).await else { panic!() };
    assert_eq!(over.node, target.node, "the destination's identity goes on");
    shelf.assert_sound().await;
}

#[tokio::test]
async fn moving_a_folder_reads_the_same_rows_whatever_is_in_it() {
    let shelf = Shelf::new().await;
    let mut costs = Vec::new();
    for count in [1, 300] {
        for n in 0..count {
            shelf.key_put(&format!("d{count}/x/{n}")).await;
        }
        let before = shelf.holdall.store.meta().counters().rows_read;
        shelf.mv(&shelf.path(&format!("d{count}")), &shelf.path(&format!("to{count}"))).await.unwrap();
        costs.push(shelf.holdall.store.meta().counters().rows_read - before);
    }
    assert!(costs[1] <= costs[0] + 10, "{costs:?}");
    for target in ["to1/x", "to1/x/y", "to1"] {
        assert!(shelf.mv(&shelf.path("to1"), &shelf.path(target)).await.is_err(), "{target}");
    }
    assert!(shelf.mv(&shelf.path("to1/x"), &shelf.path("to1")).await.is_err());
    shelf.assert_sound().await;
}
