//! Listings of keys in both versions.

use super::client::{S3, code};
use crate::common::wire::{element, elements};

const KEYS: [&str; 8] = ["a", "a-", "a%2Fb", "a%2F%2Fc", "a0", "b%20x%2B", "dir%2Fsub%2Fx", "%C3%A9"];

async fn filled() -> S3 {
    let s3 = S3::with_bucket().await;
    for key in KEYS {
        s3.put(key, "v").await;
    }
    s3
}

async fn keys(s3: &S3, query: &str) -> Vec<String> {
    elements(s3.get(&format!("/b-1?{query}")).await.text(), "Key")
}

fn prefixes(text: &str) -> Vec<String> {
    elements(text, "CommonPrefixes").iter().filter_map(|group| element(group, "Prefix")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_in_byte_order_with_any_delimiter() {
    let s3 = filled().await;
    assert_eq!(keys(&s3, "").await, ["a", "a-", "a//c", "a/b", "a0", "b x+", "dir/sub/x", "é"]);
    assert_eq!(keys(&s3, "prefix=a%2F").await, ["a//c", "a/b"]);
    let grouped = s3.get("/b-1?delimiter=%2F&list-type=2").await;
    assert_eq!(elements(grouped.text(), "Key"), ["a", "a-", "a0", "b x+", "é"]);
    assert_eq!(prefixes(grouped.text()), ["a/", "dir/"]);
    assert_eq!(element(grouped.text(), "KeyCount").as_deref(), Some("7"));
    let long = s3.get("/b-1?delimiter=sub%2F&prefix=d").await;
    assert_eq!(prefixes(long.text()), ["dir/sub/"]);
    assert_eq!(keys(&s3, "delimiter=").await.len(), 8, "an empty delimiter is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_version_pages_by_marker() {
    let s3 = filled().await;
    let page = s3.get("/b-1?max-keys=2").await;
    assert_eq!(elements(page.text(), "Key"), ["a", "a-"]);
    assert_eq!(element(page.text(), "IsTruncated").as_deref(), Some("true"));
    assert_eq!(element(page.text(), "NextMarker"), None, "only with a delimiter");
    assert!(element(page.text(), "Owner").is_some());
    assert_eq!(keys(&s3, "marker=a-&max-keys=2").await, ["a//c", "a/b"]);
    let page = s3.get("/b-1?delimiter=%2F&max-keys=3").await;
    assert_eq!(prefixes(page.text()), ["a/"]);
    assert_eq!(element(page.text(), "NextMarker").as_deref(), Some("a/"));
    let next = s3.get("/b-1?delimiter=%2F&marker=a%2F&max-keys=3").await;
    assert_eq!(elements(next.text(), "Key"), ["a0", "b x+"]);
    assert_eq!(prefixes(next.text()), ["dir/"]);
    let last = s3.get("/b-1?delimiter=%2F&marker=dir%2F&max-keys=3").await;
    assert_eq!(elements(last.text(), "Key"), ["é"]);
    assert_eq!(element(last.text(), "IsTruncated").as_deref(), Some("false"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_version_pages_by_token() {
    let s3 = filled().await;
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let more =
            format!("/b-1?continuation-token={token}&delimiter=%2F&list-type=2&max-keys=2&start-after=zzz");
        let first = "/b-1?delimiter=%2F&list-type=2&max-keys=2".to_owned();
        let page = s3.get(if token.is_empty() { &first } else { &more }).await;
        assert!(element(page.text(), "Owner").is_none());
        all.extend(elements(page.text(), "Key"));
        all.extend(prefixes(page.text()));
        match element(page.text(), "NextContinuationToken") {
            Some(next) => token = next,
            None => break,
        }
    }
    all.sort();
    assert_eq!(all, ["a", "a-", "a/", "a0", "b x+", "dir/", "é"]);
    let behind = s3.get("/b-1?fetch-owner=true&list-type=2&start-after=b").await;
    assert_eq!(elements(behind.text(), "Key"), ["b x+", "dir/sub/x", "é"]);
    assert_eq!(element(behind.text(), "StartAfter").as_deref(), Some("b"));
    assert!(element(behind.text(), "Owner").is_some());
    let bad = s3.get("/b-1?continuation-token=%21&list-type=2").await;
    assert_eq!(code(&bad), (400, "InvalidArgument".into()));
    let empty = s3.get("/b-1?continuation-token=&list-type=2").await;
    assert_eq!(elements(empty.text(), "Key").len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_encodings_are_checked() {
    let s3 = filled().await;
    let none = s3.get("/b-1?max-keys=0").await;
    assert_eq!(elements(none.text(), "Key").len(), 0);
    assert_eq!(element(none.text(), "IsTruncated").as_deref(), Some("false"));
    let over = s3.get("/b-1?max-keys=5000").await;
    assert_eq!(element(over.text(), "MaxKeys").as_deref(), Some("1000"));
    for query in ["max-keys=-1", "max-keys=many", "encoding-type=base64"] {
        assert_eq!(code(&s3.get(&format!("/b-1?{query}")).await), (400, "InvalidArgument".into()), "{query}");
    }
    let encoded = s3.get("/b-1?delimiter=%2F&encoding-type=url&prefix=").await;
    assert_eq!(elements(encoded.text(), "Key"), ["a", "a-", "a0", "b%20x%2B", "%C3%A9"]);
    assert_eq!(prefixes(encoded.text()), ["a/", "dir/"]);
    assert_eq!(element(encoded.text(), "EncodingType").as_deref(), Some("url"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_of_buckets_keeps_to_what_it_is_asked_for() {
    let s3 = S3::with_bucket().await;
    assert_eq!(s3.send("PUT", "/c-1", &[], b"").await.status, 200);
    let names = async |query: &str| elements(s3.get(&format!("/?{query}")).await.text(), "Name");
    assert_eq!(names("").await, ["ann", "b-1", "c-1"]);
    assert_eq!(names("prefix=b").await, ["b-1"]);
    assert_eq!(names("bucket-region=us-east-1").await.len(), 3);
    assert_eq!(names("bucket-region=eu-west-1").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_of_uploads_is_grouped_and_pages_by_both_markers() {
    let s3 = S3::with_bucket().await;
    let mut begun = Vec::new();
    for key in ["a", "b%2F1", "b%2F2", "c", "c"] {
        let reply = s3.send("POST", &format!("/b-1/{key}?uploads"), &[], b"").await;
        begun.push((key.replace("%2F", "/"), element(reply.text(), "UploadId").unwrap()));
    }
    let grouped = s3.get("/b-1?delimiter=%2F&uploads").await;
    assert_eq!(elements(grouped.text(), "Key"), ["a", "c", "c"]);
    assert_eq!(prefixes(grouped.text()), ["b/"]);
    let below = s3.get("/b-1?prefix=b%2F&uploads").await;
    assert_eq!(elements(below.text(), "Key"), ["b/1", "b/2"]);
    let (mut found, mut behind) = (Vec::new(), String::new());
    loop {
        let page = s3.get(&format!("/b-1?max-uploads=1&uploads{behind}")).await;
        let text = page.text();
        found.extend(elements(text, "Key").into_iter().zip(elements(text, "UploadId")));
        if element(text, "IsTruncated").as_deref() != Some("true") {
            break;
        }
        let (key, id) =
            (element(text, "NextKeyMarker").unwrap(), element(text, "NextUploadIdMarker").unwrap());
        behind = format!("&key-marker={}&upload-id-marker={id}", key.replace('/', "%2F"));
    }
    assert_eq!(found, begun);
}
