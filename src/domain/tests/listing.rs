//! Pages of keys and versions against a naive model, and what a page costs.

use proptest::prelude::*;

use super::shelf::Shelf;
use crate::domain::nouns::{KeyEntry, ListKeys, ListVersions, VersionEntry, Versioning};

/// An entry of either listing: a key, or a group.
type Line = (String, bool);

fn model<'k>(keys: impl Iterator<Item = &'k String>, prefix: &str, delimiter: Option<&str>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for key in keys {
        let Some(tail) = key.strip_prefix(prefix) else { continue };
        let cut = delimiter.and_then(|delimiter| Some(tail.find(delimiter)? + delimiter.len()));
        let line = match cut {
            Some(cut) => (key[..prefix.len() + cut].to_owned(), true),
            None => (key.clone(), false),
        };
        if !line.1 || lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines
}

async fn key_pages(shelf: &Shelf, mut which: ListKeys) -> Vec<Line> {
    let mut lines = Vec::new();
    loop {
        let page = shelf.holdall.list_keys(&shelf.who, &shelf.bucket, which.clone()).await.unwrap();
        assert!(page.entries.len() <= which.limit);
        assert!(page.next.is_none() || page.entries.len() == which.limit);
        lines.extend(page.entries.into_iter().map(|entry| match entry {
            KeyEntry::File(file) => (file.key, false),
            KeyEntry::Prefix(prefix) => (prefix, true),
        }));
        match page.next {
            Some(next) => which.after = Some(next),
            None => return lines,
        }
    }
}

async fn version_pages(shelf: &Shelf, mut which: ListVersions) -> Vec<Line> {
    let mut lines = Vec::new();
    loop {
        let page = shelf.holdall.list_versions(&shelf.who, &shelf.bucket, which.clone()).await.unwrap();
        assert!(page.entries.len() <= which.limit);
        lines.extend(page.entries.into_iter().map(|entry| match entry {
            VersionEntry::Version(version) => (version.key, false),
            VersionEntry::Marker { key, .. } => (key, false),
            VersionEntry::Prefix(prefix) => (prefix, true),
        }));
        match page.next {
            Some((key, version)) => {
                which.key_after = Some(key);
                which.version_after = version.map(crate::domain::nouns::VersionRef::Id);
            }
            None => return lines,
        }
    }
}

fn word() -> impl Strategy<Value = String> {
    let letters = prop::sample::select(vec!["a", "b", "/", "/", "%", " ", "\u{e9}", "!", "0", "\u{10ffff}"]);
    prop::collection::vec(letters, 1..7).prop_map(|letters| letters.concat())
}

fn query() -> impl Strategy<Value = (String, Option<String>, Option<String>, usize)> {
    let delimiters = vec!["/", "//", "a", "a/", "/b", "%", " ", "\u{e9}", "ab/", "\u{10ffff}"];
    let delimiter = prop::option::of(prop::sample::select(delimiters).prop_map(str::to_owned));
    let prefix = prop_oneof![Just(String::new()), word(), word_start()];
    (prefix, delimiter, prop::option::weighted(0.3, word()), 1usize..6)
}

fn word_start() -> impl Strategy<Value = String> {
    word().prop_map(|word| word.chars().take(1).collect())
}

#[test]
fn pages_put_together_are_what_a_naive_listing_gives() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let keys = prop::collection::btree_set(prop_oneof![word(), word_start()], 0..25);
    let asked = prop::collection::vec(query(), 12);
    let config = ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(keys in keys, asked in asked)| {
        runtime.block_on(async {
            let shelf = Shelf::new().await;
            for key in &keys {
                shelf.key_put(key).await;
            }
            shelf.versioning(Versioning::Enabled).await;
            // Every third is deleted, every fourth has two versions more.
            for (index, key) in keys.iter().enumerate() {
                if index % 4 == 0 {
                    shelf.key_put(key).await;
                    shelf.key_put(key).await;
                }
                if index % 3 == 0 {
                    shelf.remove(&shelf.key(key)).await.unwrap();
                }
            }
            for (prefix, delimiter, after, limit) in asked {
                compare(&shelf, &keys, (&prefix, delimiter.as_deref(), after.as_deref()), limit).await;
            }
        });
    });
}

async fn compare(
    shelf: &Shelf,
    keys: &std::collections::BTreeSet<String>,
    (prefix, delimiter, after): (&str, Option<&str>, Option<&str>),
    limit: usize,
) {
    let live = keys.iter().enumerate().filter(|(index, _)| index % 3 != 0).map(|(_, key)| key);
    // A marker that is itself a group skips the group; any other is a place between keys.
    let skips = |after: &str| {
        let tail = after.strip_prefix(prefix)?;
        let cut = tail.find(delimiter?)? + delimiter?.len();
        (cut == tail.len()).then_some(())
    };
    let behind = |key: &&String| match after {
        Some(after) if skips(after).is_some() => key.as_str() > after && !key.starts_with(after),
        Some(after) => key.as_str() > after,
        None => true,
    };
    let expected = model(live.filter(behind), prefix, delimiter);
    let which = ListKeys {
        prefix: prefix.to_owned(),
        delimiter: delimiter.map(str::to_owned),
        after: after.map(str::to_owned),
        limit,
    };
    assert_eq!(key_pages(shelf, which.clone()).await, expected, "{which:?}");
    let times = |(index, key)| {
        std::iter::repeat_n(key, 1 + usize::from(index % 3 == 0) + if index % 4 == 0 { 2 } else { 0 })
    };
    let expected = model(keys.iter().enumerate().flat_map(times).filter(behind), prefix, delimiter);
    let which = ListVersions {
        prefix: which.prefix,
        delimiter: which.delimiter,
        key_after: which.after,
        version_after: None,
        limit,
    };
    assert_eq!(version_pages(shelf, which.clone()).await, expected, "{which:?}");
}

/// Rows one page of keys reads.
async fn cost(shelf: &Shelf, prefix: &str, delimiter: Option<&str>, limit: usize) -> (usize, u64) {
    let which =
        ListKeys { prefix: prefix.to_owned(), delimiter: delimiter.map(str::to_owned), after: None, limit };
    let name = shelf.bucket.clone();
    let looked = shelf.holdall.read(move |rows| {
        let bucket = crate::store::rows::bucket::by_name(rows, &name)?.unwrap();
        let before = rows.rows_read();
        let page = crate::domain::listing::list(rows, &bucket, &which)?;
        Ok((page.entries.len(), rows.rows_read() - before))
    });
    looked.await.unwrap()
}

/// Copies one file under many names, a few hundred in flight at once.
async fn fill(shelf: &Shelf, names: impl Iterator<Item = String>) {
    use futures::StreamExt;
    shelf.key_put("seed").await;
    let from = shelf.key("seed");
    let copies = futures::stream::iter(names).map(|name| {
        let (from, to) = (from.clone(), shelf.key(&name));
        async move { shelf.copy(&from, &to).await.map(drop) }
    });
    copies.buffer_unordered(250).for_each(|done| async { done.unwrap() }).await;
}

#[tokio::test]
async fn a_page_of_a_large_folder_reads_the_page() {
    let shelf = Shelf::new().await;
    fill(&shelf, (0..10_000).map(|n| format!("many/{n:05}"))).await;
    for (limit, most) in [(1, 30), (100, 300), (1000, 1200)] {
        let (got, rows) = cost(&shelf, "many/", None, limit).await;
        assert!(got == limit && rows <= most, "{limit} entries read {rows} rows");
        let (_, rows) = cost(&shelf, "many/05", Some("0"), 10).await;
        assert!(rows <= 150, "ten groups of an odd delimiter read {rows} rows");
    }
    let (got, rows) = cost(&shelf, "", Some("/"), 1000).await;
    assert!(got == 2 && rows <= 10, "one group of 10,000 keys read {rows} rows");
    let (got, rows) = cost(&shelf, "", Some("%"), 1000).await;
    assert!(got == 1000 && rows <= 1300, "a delimiter in no key reads {rows} rows");
}

#[tokio::test]
async fn a_page_of_many_small_folders_reads_one_row_for_each() {
    let shelf = Shelf::new().await;
    fill(&shelf, (0..10_000).map(|n| format!("{n:05}/file"))).await;
    let (got, rows) = cost(&shelf, "", Some("/"), 1000).await;
    assert!(got == 1000 && rows <= 1200, "1,000 folders as groups read {rows} rows");
    let (got, rows) = cost(&shelf, "", None, 1000).await;
    assert!(got == 1000 && rows <= 2500, "1,000 files in as many folders read {rows} rows");
}

#[tokio::test]
async fn deleted_keys_cost_a_plain_listing_nothing() {
    let shelf = Shelf::new().await;
    shelf.versioning(Versioning::Enabled).await;
    fill(&shelf, (0..2000).map(|n| format!("gone/{n:04}"))).await;
    let removals = (0..2000).map(|n| shelf.key(&format!("gone/{n:04}")));
    {
        use futures::StreamExt;
        let removals = futures::stream::iter(removals).map(|at| shelf_remove(&shelf, at));
        removals.buffer_unordered(250).for_each(|()| async {}).await;
    }
    let (got, rows) = cost(&shelf, "", None, 10).await;
    assert!(got == 1 && rows <= 4, "2,000 delete markers before the first live key cost {rows} rows");
    shelf.assert_sound().await;
}

async fn shelf_remove(shelf: &Shelf, at: crate::model::address::Address) {
    shelf.remove(&at).await.unwrap();
}

#[tokio::test]
async fn deep_chains_cost_their_depth() {
    let shelf = Shelf::new().await;
    let deep = "d/".repeat(120);
    shelf.keys_put(&[&format!("{deep}a"), &format!("{deep}b"), "e"]).await;
    let (got, rows) = cost(&shelf, &deep, Some("/"), 10).await;
    assert!(got == 2 && rows <= 2 * 121 + 4, "two files 120 folders deep read {rows} rows");
    let (got, rows) = cost(&shelf, "", Some("/"), 10).await;
    assert!(got == 2 && rows <= 4, "a deep group reads {rows} rows");
}
