//! Names in folders, as both kinds of doors see them.

use super::{shelf::Shelf, *};
use crate::{
    domain::{
        error::Large,
        nouns::{Expected, Item, RemoveOptions, Transfer, TransferOptions, Versioning, WriteOptions},
    },
    model::{
        checksum::ChecksumKind,
        condition::{Conditions, EtagList},
    },
};

/// "é" composed and decomposed.
const COMPOSED: &str = "\u{e9}";
const DECOMPOSED: &str = "e\u{301}";

#[tokio::test]
async fn implicit_folders_appear_and_vanish_with_their_last_key() {
    let shelf = Shelf::new().await;
    shelf.keys_put(&["a/b/c", "a/b/d"]).await;
    assert_eq!(shelf.members("").await.unwrap(), ["a/"]);
    assert_eq!(shelf.members("a").await.unwrap(), ["a/b/"]);
    shelf.remove(&shelf.key("a/b/c")).await.unwrap();
    assert_eq!(shelf.members("a/b").await.unwrap(), ["a/b/d"]);
    shelf.remove(&shelf.key("a/b/d")).await.unwrap();
    assert_eq!(shelf.members("").await.unwrap(), [""; 0]);
    shelf.assert_sound().await;
}

#[tokio::test]
async fn a_tree_door_leaves_the_folder_of_what_it_removes() {
    let shelf = Shelf::new().await;
    shelf.keys_put(&["a/b/c"]).await;
    shelf.remove(&shelf.path("a/b/c")).await.unwrap();
    assert_eq!(shelf.keys().await, ["a/b/"]);
    shelf.remove(&shelf.path("a/b")).await.unwrap();
    assert_eq!(shelf.keys().await, ["a/"]);
    assert_eq!(shelf.members("a").await.unwrap(), [""; 0]);
    shelf.assert_sound().await;
}

#[tokio::test]
async fn a_made_folder_is_an_empty_key_that_trees_do_not_list() {
    let shelf = Shelf::new().await;
    shelf.mkcol("a").await.unwrap();
    assert_eq!(shelf.keys().await, ["a/"]);
    assert_eq!(shelf.read(&shelf.key("a/"), None).await.unwrap(), "");
    assert_eq!(shelf.members("a").await.unwrap(), [""; 0]);
    assert!(matches!(shelf.mkcol("a").await, Err(Error::Exists(..))));
    assert!(matches!(shelf.mkcol("b/c").await, Err(Error::Conflict(_))));
    shelf.remove(&shelf.key("a/")).await.unwrap();
    assert!(shelf.stat(&shelf.path("a")).await.is_err());
    shelf.assert_sound().await;
}

#[tokio::test]
async fn a_folder_hides_the_file_of_its_name_until_it_goes() {
    for order in [["a", "a/b"], ["a/b", "a"]] {
        let shelf = Shelf::new().await;
        shelf.keys_put(&order).await;
        assert_eq!(shelf.keys().await, ["a", "a/b"]);
        assert_eq!(shelf.members("").await.unwrap(), ["a/"]);
        assert!(matches!(shelf.stat(&shelf.path("a")).await, Ok(Item::Folder(_))));
        assert!(matches!(shelf.stat(&shelf.key("a")).await, Ok(Item::File(_))));
        shelf.assert_sound().await;
        shelf.remove(&shelf.path("a")).await.unwrap();
        assert_eq!(shelf.members("").await.unwrap(), ["a"]);
        assert!(matches!(shelf.stat(&shelf.path("a")).await, Ok(Item::File(_))));
        shelf.assert_sound().await;
    }
}

#[tokio::test]
async fn a_file_moved_onto_a_folder_goes_on_with_the_file_beside_it() {
    let shelf = Shelf::new().await;
    shelf.keys_put(&["a", "a/b", "c"]).await;
    shelf.mv(&shelf.path("c"), &shelf.path("a")).await.unwrap();
    assert_eq!(shelf.keys().await, ["a"]);
    assert_eq!(shelf.read(&shelf.path("a"), None).await.unwrap(), "c");
    shelf.assert_sound().await;
}

#[tokio::test]
async fn keys_no_path_can_name_are_literal_and_hidden() {
    let shelf = Shelf::new().await;
    let long = "k".repeat(1024);
    let deep = "/".repeat(127);
    let keys = ["/a", "a//b", "a/", "a/../b", "a/./c", "..", long.as_str(), deep.as_str()];
    shelf.keys_put(&keys).await;
    let mut sorted = keys.map(str::to_owned);
    sorted.sort();
    assert_eq!(shelf.keys().await, sorted);
    for key in keys {
        assert_eq!(shelf.read(&shelf.key(key), None).await.unwrap(), key);
    }
    assert_eq!(shelf.members("").await.unwrap(), ["a/", &long]);
    assert_eq!(shelf.members("a").await.unwrap(), [""; 0]);
    assert!(matches!(shelf.remove(&shelf.path("a")).await, Err(Error::Conflict(_))));
    shelf.assert_sound().await;
    for key in keys {
        shelf.remove(&shelf.key(key)).await.unwrap();
    }
    assert_eq!(shelf.keys().await, [""; 0]);
    shelf.assert_sound().await;
}

#[tokio::test]
async fn trees_find_either_form_of_a_name_and_keys_only_their_own() {
    for (stored, asked) in [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)] {
        let shelf = Shelf::new().await;
        shelf.keys_put(&[stored, &format!("d{stored}/x")]).await;
        assert_eq!(shelf.read(&shelf.path(asked), None).await.unwrap(), stored);
        assert!(shelf.read(&shelf.path(&format!("d{asked}/x")), None).await.is_ok());
        assert!(shelf.read(&shelf.key(asked), None).await.is_err());
        shelf.put(&shelf.path(asked), "new").await.unwrap();
        assert_eq!(shelf.read(&shelf.key(stored), None).await.unwrap(), "new");
        assert_eq!(shelf.keys().await.len(), 2);
        shelf.assert_sound().await;
        shelf.remove(&shelf.path(asked)).await.unwrap();
        shelf.remove(&shelf.path(&format!("d{asked}"))).await.unwrap();
        assert_eq!(shelf.keys().await, [""; 0]);
        shelf.assert_sound().await;
    }
}

#[tokio::test]
async fn the_exact_form_of_a_name_comes_first() {
    let shelf = Shelf::new().await;
    shelf.keys_put(&[COMPOSED, DECOMPOSED]).await;
    for form in [COMPOSED, DECOMPOSED] {
        assert_eq!(shelf.read(&shelf.path(form), None).await.unwrap(), form);
    }
    shelf.keys_put(&[&format!("{DECOMPOSED}/x")]).await;
    assert_eq!(shelf.read(&shelf.path(COMPOSED), None).await.unwrap(), COMPOSED);
    assert!(matches!(shelf.stat(&shelf.path(DECOMPOSED)).await, Ok(Item::Folder(_))));
    shelf.assert_sound().await;
}

#[tokio::test]
async fn two_forms_of_one_folder_are_not_moved_into_each_other() {
    for state in [Versioning::Never, Versioning::Enabled] {
        two_forms(state).await;
    }
}

async fn two_forms(state: Versioning) {
    let shelf = Shelf::new().await;
    if state != Versioning::Never {
        shelf.versioning(state).await;
    }
    let key = format!("{COMPOSED}/x/y");
    shelf.keys_put(&[&key]).await;
    for (from, to) in [
        (COMPOSED.to_owned(), DECOMPOSED.to_owned()),
        (COMPOSED.to_owned(), format!("{DECOMPOSED}/x/z")),
        (format!("{COMPOSED}/x"), DECOMPOSED.to_owned()),
        (format!("{COMPOSED}/x/y"), DECOMPOSED.to_owned()),
    ] {
        assert!(shelf.mv(&shelf.path(&from), &shelf.path(&to)).await.is_err(), "{from} {to}");
        assert!(shelf.copy(&shelf.path(&from), &shelf.path(&to)).await.is_err(), "{from} {to}");
        assert_eq!(shelf.keys().await, [key.as_str()]);
        shelf.assert_sound().await;
    }
}

#[tokio::test]
async fn a_revived_folder_is_the_one_it_was() {
    let shelf = Shelf::new().await;
    shelf.versioning(Versioning::Enabled).await;
    let first = shelf.key_put("a/b/c").await;
    let Item::Folder(before) = shelf.stat(&shelf.path("a/b")).await.unwrap() else { panic!() };
    shelf.remove(&shelf.key("a/b/c")).await.unwrap();
    assert!(shelf.members("a").await.is_err());
    shelf.assert_sound().await;
    let again = shelf.key_put("a/b/c").await;
    let Item::Folder(after) = shelf.stat(&shelf.path("a/b")).await.unwrap() else { panic!() };
    assert_eq!((before.node, first.node), (after.node, again.node));
    shelf.assert_sound().await;
}

#[tokio::test]
async fn a_folder_has_no_tag_that_a_condition_could_name() {
    let shelf = Shelf::new().await;
    shelf.keys_put(&["a/x"]).await;
    let (from, to) = (shelf.path("a"), shelf.path("b"));
    let of_a_file = || Conditions { if_match: Some(EtagList::parse("\"x\"")), ..Conditions::default() };
    let absent = || Conditions { if_none_match: Some(EtagList::Any), ..Conditions::default() };
    for conditions in [of_a_file(), absent()] {
        let options = RemoveOptions { conditions: conditions.clone(), ..RemoveOptions::default() };
        let removed = shelf.holdall.remove(&shelf.who, &from, options).await;
        assert!(matches!(removed, Err(Error::PreconditionFailed(_))), "{removed:?}");
        for how in [Transfer::Move, Transfer::Copy] {
            let options =
                TransferOptions { source_conditions: conditions.clone(), ..TransferOptions::default() };
            let moved = shelf.holdall.transfer(&shelf.who, how, &from, &to, options).await;
            assert!(matches!(moved, Err(Error::PreconditionFailed(_))), "{moved:?}");
        }
        assert_eq!(shelf.keys().await, ["a/x"]);
    }
    let any = Conditions { if_match: Some(EtagList::Any), ..Conditions::default() };
    let options = RemoveOptions { conditions: any, ..RemoveOptions::default() };
    shelf.holdall.remove(&shelf.who, &from, options).await.unwrap();
    shelf.assert_sound().await;
}

/// Decided in the commit: what is copied is what was looked at.
#[tokio::test]
async fn a_copy_is_made_of_a_source_the_request_takes_or_not_at_all() {
    let shelf = Shelf::new().await;
    let (from, to) = (shelf.key("from"), shelf.key("to"));
    let expected = Expected { checksums: vec![ChecksumKind::Crc32], ..Expected::default() };
    let mut put = shelf.holdall.begin_put(&shelf.who, &from, expected).await.unwrap();
    put.write("four".into()).await.unwrap();
    put.commit(WriteOptions::default()).await.unwrap();
    let copy = |most_bytes, checksum| {
        let options = TransferOptions { most_bytes, checksum, ..TransferOptions::default() };
        shelf.holdall.transfer(&shelf.who, Transfer::Copy, &from, &to, options)
    };
    let large = copy(Some(3), None).await;
    assert!(matches!(large, Err(Error::TooLarge { what: Large::Source, limit: 3 })), "{large:?}");
    let other = copy(None, Some(ChecksumKind::Sha256)).await;
    assert!(matches!(other, Err(Error::Unsupported(_))), "{other:?}");
    assert_eq!(shelf.keys().await, ["from"]);
    let Item::File(made) = copy(Some(4), Some(ChecksumKind::Crc32)).await.unwrap().item else { panic!() };
    assert_eq!(made.checksums.first().map(|sum| sum.kind), Some(ChecksumKind::Crc32));
    shelf.assert_sound().await;
}

/// A body takes its time. Where it goes is decided when it is there: a tree's folder must still be, a
/// key makes its own.
#[tokio::test]
async fn a_file_whose_folder_went_while_it_came_is_refused_and_a_key_is_not() {
    let shelf = Shelf::new().await;
    for at in [shelf.path("d/f"), shelf.key("d/f")] {
        shelf.mkcol("d").await.unwrap();
        let mut put = shelf.holdall.begin_put(&shelf.who, &at, Expected::default()).await.unwrap();
        put.write("body".into()).await.unwrap();
        shelf.remove(&shelf.path("d")).await.unwrap();
        let written = put.commit(WriteOptions::default()).await;
        if at == shelf.path("d/f") {
            assert!(matches!(written, Err(Error::Conflict(_))), "{written:?}");
            assert_eq!(shelf.keys().await, [""; 0]);
        } else {
            written.unwrap();
            assert_eq!(shelf.keys().await, ["d/f"]);
        }
    }
    shelf.assert_sound().await;
}

#[tokio::test]
async fn a_folder_is_never_linked_where_its_parent_is_missing() {
    let shelf = Shelf::new().await;
    shelf.keys_put(&["e/f"]).await;
    shelf.mkcol("n").await.unwrap();
    // It took the name of the folder `e` beside the missing ones, and what was in it was lost.
    for to in [shelf.key("a/c/e"), shelf.path("a/c/e")] {
        assert!(matches!(shelf.copy(&shelf.path("n"), &to).await, Err(Error::Conflict(_))));
        assert!(matches!(shelf.mv(&shelf.path("n"), &to).await, Err(Error::Conflict(_))));
    }
    assert_eq!(shelf.keys().await, ["e/f", "n/"]);
    shelf.assert_sound().await;
    assert!(shelf.holdall.check(&Caller::Operator).await.unwrap().is_clean());
}
