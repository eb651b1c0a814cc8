//! Chains of folders that leave with the last file in them, however much they carry.

use super::{shelf::Shelf, *};
use crate::{domain::nouns::*, model::limits};

const CHAIN: [&str; 5] = ["a", "a/b", "a/b/c", "a/b/c/d", "a/b/c/d/e"];
const FILE: &str = "a/b/c/d/e/f";

/// A file in folders that have as many properties as they may, and of which none is explicit.
async fn laden(versioning: bool) -> Shelf {
    let shelf = Shelf::by_hand(&SimDisk::new()).await;
    if versioning {
        shelf.versioning(Versioning::Enabled).await;
    }
    for folder in CHAIN {
        shelf.mkcol(folder).await.unwrap();
        let changes = (0..limits::PROPS_PER_NODE).map(|number| {
            let name = format!("p{number}");
            PropChange::Set(Prop { namespace: "urn:x".into(), xml: format!("<{name}/>"), name })
        });
        let (at, how) = (shelf.path(folder), PropOptions::default());
        shelf.holdall.set_props(&shelf.who, &at, changes.collect(), how).await.unwrap();
    }
    shelf.key_put(FILE).await;
    for folder in CHAIN {
        shelf.remove(&shelf.key(&format!("{folder}/"))).await.unwrap();
    }
    assert_eq!(shelf.keys().await, [FILE]);
    shelf
}

async fn props_of_chain(shelf: &Shelf) -> usize {
    let mut count = 0;
    for folder in CHAIN {
        count += shelf.holdall.props(&shelf.who, &shelf.path(folder)).await.unwrap().len();
    }
    count
}

/// What the check finds while the jobs have not run.
async fn findings(shelf: &Shelf) -> Vec<String> {
    let report = shelf.holdall.check(&Caller::Operator).await.unwrap();
    report.findings.iter().map(|finding| format!("{finding:?}")).collect()
}

#[tokio::test]
async fn folders_full_of_properties_leave_with_the_last_file() {
    let shelf = laden(false).await;
    assert_eq!(props_of_chain(&shelf).await, CHAIN.len() * limits::PROPS_PER_NODE);
    shelf.remove(&shelf.key(FILE)).await.unwrap();
    assert!(shelf.keys().await.is_empty());
    assert_eq!(findings(&shelf).await, [""; 0]);
    shelf.key_put(FILE).await;
    assert_eq!(props_of_chain(&shelf).await, 0, "these are other folders");
    shelf.assert_sound().await;
}

#[tokio::test]
async fn a_folder_that_comes_back_has_none_of_the_properties_it_had() {
    let shelf = laden(true).await;
    shelf.remove(&shelf.key(FILE)).await.unwrap();
    assert_eq!(findings(&shelf).await, [""; 0]);
    let early = shelf.put(&shelf.key(FILE), "x").await;
    assert!(matches!(early, Err(Error::Busy(_))), "they are not gone yet: {early:?}");
    shelf.work_off().await;
    shelf.key_put(FILE).await;
    assert_eq!(props_of_chain(&shelf).await, 0);
    shelf.assert_sound().await;
}

#[tokio::test]
async fn dead_folders_go_for_good_while_their_properties_are_left() {
    let shelf = laden(true).await;
    shelf.remove(&shelf.key(FILE)).await.unwrap();
    // The oldest first: nothing comes back to life.
    loop {
        let which = ListVersions { limit: 1000, ..ListVersions::default() };
        let page = shelf.holdall.list_versions(&shelf.who, &shelf.bucket, which).await.unwrap();
        let Some(entry) = page.entries.into_iter().last() else { break };
        let (key, id) = match entry {
            VersionEntry::Version(version) => (version.key, version.id),
            VersionEntry::Marker { key, id, .. } => (key, id),
            VersionEntry::Prefix(_) => panic!("a group without a delimiter"),
        };
        shelf.remove_version(&key, VersionRef::Id(id)).await.unwrap();
        assert_eq!(findings(&shelf).await, [""; 0]);
    }
    shelf.assert_sound().await;
}
