//! What a page costs where the delimiter is odd or a run is long: rows read follow the page, whatever
//! is skipped or left for later.

use super::shelf::Shelf;
use crate::{
    domain::nouns::{ListKeys, ListUploads, ListVersions, NewUpload, VersionRef, Versioning},
    store::io::sim::SimDisk,
};

fn rows_read(shelf: &Shelf) -> u64 {
    shelf.holdall.store.meta().counters().rows_read
}

/// Entries and rows of a page of keys.
async fn keys(shelf: &Shelf, delimiter: &str, after: Option<&str>, limit: usize) -> (usize, u64) {
    let (delimiter, after) = (Some(delimiter.to_owned()), after.map(str::to_owned));
    let which = ListKeys { prefix: String::new(), delimiter, after, limit };
    let before = rows_read(shelf);
    let page = shelf.holdall.list_keys(&shelf.who, &shelf.bucket, which).await.unwrap();
    (page.entries.len(), rows_read(shelf) - before)
}

/// The same of versions.
async fn versions(shelf: &Shelf, which: ListVersions) -> (usize, u64) {
    let before = rows_read(shelf);
    let page = shelf.holdall.list_versions(&shelf.who, &shelf.bucket, which).await.unwrap();
    (page.entries.len(), rows_read(shelf) - before)
}

fn pages(delimiter: &str, limit: usize) -> ListVersions {
    let delimiter = Some(delimiter.to_owned()).filter(|text| !text.is_empty());
    ListVersions { prefix: String::new(), delimiter, key_after: None, version_after: None, limit }
}

#[tokio::test]
async fn a_group_that_is_many_folders_is_skipped_as_one() {
    let shelf = Shelf::by_hand(&SimDisk::new()).await;
    for n in 0..600 {
        shelf.key_put(&format!("x{n:03}/sub/file")).await;
    }
    shelf.key_put("y").await;
    for delimiter in ["x", "x0", "b/fi"] {
        let groups = if delimiter == "b/fi" { 601 } else { 2 };
        let (got, rows) = keys(&shelf, delimiter, None, 1).await;
        assert!(got == 1 && rows <= 40, "{delimiter:?}: the first of {groups} read {rows} rows");
        let (got, rows) = keys(&shelf, delimiter, Some("x300"), 10).await;
        assert!(got > 0 && rows <= 250, "{delimiter:?}: {got} from the middle read {rows} rows");
        let (got, rows) = versions(&shelf, pages(delimiter, 1)).await;
        assert!(got == 1 && rows <= 60, "{delimiter:?}: the first of {groups} read {rows} rows of versions");
    }
    let (got, rows) = keys(&shelf, "x", None, 1000).await;
    assert!(got == 2 && rows <= 30, "600 folders of one group read {rows} rows");
    let (got, rows) = versions(&shelf, pages("x", 1000)).await;
    assert!(got == 2 && rows <= 60, "600 folders of one group read {rows} rows of versions");
}

#[tokio::test]
async fn a_page_in_a_long_run_of_versions_reads_the_page() {
    let shelf = Shelf::by_hand(&SimDisk::new()).await;
    shelf.versioning(Versioning::Enabled).await;
    let mut ids = Vec::new();
    for _ in 0..600 {
        ids.push(shelf.key_put("a/long").await.id);
    }
    for n in 0..600 {
        let key = format!("b/{n:03}");
        shelf.key_put(&key).await;
        shelf.remove(&shelf.key(&key)).await.unwrap();
    }
    shelf.key_put("c").await;
    let (got, rows) = versions(&shelf, pages("", 10)).await;
    assert!(got == 10 && rows <= 60, "the newest of 600 versions read {rows} rows");
    let within = |limit| ListVersions {
        key_after: Some("a/long".into()),
        version_after: Some(VersionRef::Id(ids[300])),
        ..pages("", limit)
    };
    let (got, rows) = versions(&shelf, within(10)).await;
    assert!(got == 10 && rows <= 60, "ten behind 300 versions read {rows} rows");
    let (got, rows) = versions(&shelf, pages("/", 1000)).await;
    assert!(got == 3 && rows <= 60, "three groups of 1,800 versions and markers read {rows} rows");
    let odd = ListVersions { prefix: "b/".into(), ..pages("0", 5) };
    let (got, rows) = versions(&shelf, odd).await;
    assert!(got == 5 && rows <= 150, "five groups of an odd delimiter read {rows} rows");
    // 600 deleted names lie between.
    let (got, rows) = keys(&shelf, "%", None, 601).await;
    assert!(got == 2 && rows <= 60, "two keys with 600 deleted ones between read {rows} rows");
}

#[tokio::test]
async fn a_page_of_uploads_reads_the_page_however_they_are_grouped() {
    let shelf = Shelf::by_hand(&SimDisk::new()).await;
    for n in 0..600 {
        let at = shelf.key(&format!("x{n:03}/file"));
        shelf.holdall.begin_upload(&shelf.who, &at, NewUpload::default()).await.unwrap();
    }
    for (delimiter, most, groups) in [("", 700, 600), ("/", 6000, 600), ("x", 100, 1), ("0", 1000, 90)] {
        let which = ListUploads {
            delimiter: Some(delimiter.to_owned()).filter(|text| !text.is_empty()),
            limit: 1000,
            ..ListUploads::default()
        };
        let before = rows_read(&shelf);
        let page = shelf.holdall.list_uploads(&shelf.who, &shelf.bucket, which).await.unwrap();
        let (got, rows) = (page.uploads.len() + page.prefixes.len(), rows_read(&shelf) - before);
        assert!(got >= groups && rows <= most, "{delimiter:?}: {got} entries read {rows} rows");
    }
}
