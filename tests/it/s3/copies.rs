//! Copies: metadata kept or replaced, conditions on both ends, and what cannot be copied.

use super::client::{S3, code};
use crate::common::wire::element;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_keeps_metadata_or_takes_new() {
    let s3 = S3::with_bucket().await;
    let headers = [("content-type", "text/a"), ("x-amz-meta-a", "1"), ("x-amz-meta-mtime", "1600000000.5")];
    s3.send("PUT", "/b-1/a%20b%2Bc", &headers, b"hello").await;
    let copy = s3.send("PUT", "/b-1/k", &[("x-amz-copy-source", "/b-1/a%20b%2Bc")], b"").await;
    assert_eq!(copy.status, 200, "{}", copy.text());
    assert_eq!(element(copy.text(), "ETag").as_deref(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let head = s3.get("/b-1/k").await;
    assert_eq!((head.text(), head.header("content-type")), ("hello", Some("text/a")));
    assert_eq!(
        (head.header("x-amz-meta-a"), head.header("x-amz-meta-mtime")),
        (Some("1"), Some("1600000000.5"))
    );

    let replace = [
        ("content-type", "text/b"),
        ("x-amz-copy-source", "b-1/k"),
        ("x-amz-meta-b", "2"),
        ("x-amz-metadata-directive", "REPLACE"),
    ];
    assert_eq!(s3.send("PUT", "/b-1/k", &replace, b"").await.status, 200, "onto itself");
    let head = s3.head_of("/b-1/k").await;
    assert_eq!((head.header("x-amz-meta-a"), head.header("x-amz-meta-b")), (None, Some("2")));
    assert_eq!((head.header("content-type"), head.header("x-amz-meta-mtime")), (Some("text/b"), None));
    let plain = s3.send("PUT", "/b-1/k", &[("x-amz-copy-source", "b-1/k")], b"").await;
    assert_eq!(code(&plain), (400, "InvalidRequest".into()));
    let odd = [("x-amz-copy-source", "b-1/k"), ("x-amz-metadata-directive", "MERGE")];
    assert_eq!(code(&s3.send("PUT", "/b-1/l", &odd, b"").await), (400, "InvalidArgument".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_made_only_in_the_state_it_demands() {
    let s3 = S3::with_bucket().await;
    let etag = s3.put("from", "1").await.header("etag").unwrap().to_owned();
    let (past, future) = ("Thu, 01 Dec 1994 16:00:00 GMT", "Fri, 01 Dec 2090 16:00:00 GMT");
    for (name, value, status) in [
        ("x-amz-copy-source-if-match", etag.as_str(), 200),
        ("x-amz-copy-source-if-match", "\"x\"", 412),
        ("x-amz-copy-source-if-none-match", &etag, 412),
        ("x-amz-copy-source-if-none-match", "\"x\"", 200),
        ("x-amz-copy-source-if-modified-since", past, 200),
        ("x-amz-copy-source-if-modified-since", future, 412),
        ("x-amz-copy-source-if-unmodified-since", past, 412),
        ("x-amz-copy-source-if-unmodified-since", future, 200),
    ] {
        let headers = [("x-amz-copy-source", "b-1/from"), (name, value)];
        let copy = s3.send("PUT", "/b-1/to", &headers, b"").await;
        assert_eq!(copy.status, status, "{name}: {value}: {}", copy.text());
    }
    let absent = [("if-none-match", "*"), ("x-amz-copy-source", "b-1/from")];
    assert_eq!(s3.send("PUT", "/b-1/to", &absent, b"").await.status, 412);
    assert_eq!(s3.send("PUT", "/b-1/new", &absent, b"").await.status, 200);
    let missing = s3.send("PUT", "/b-1/to", &[("x-amz-copy-source", "b-1/none")], b"").await;
    assert_eq!(code(&missing), (404, "NoSuchKey".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_the_checksum_that_is_asked_for_or_is_refused() {
    let s3 = S3::with_bucket().await;
    s3.send("PUT", "/b-1/from", &[("x-amz-checksum-crc32", "NhCmhg==")], b"hello").await;
    for (algorithm, expected) in [("SHA256", (501, "NotImplemented")), ("MD4", (400, "InvalidRequest"))] {
        let headers = [("x-amz-copy-source", "b-1/from"), ("x-amz-checksum-algorithm", algorithm)];
        let copy = s3.send("PUT", "/b-1/to", &headers, b"").await;
        assert_eq!(code(&copy), (expected.0, expected.1.into()), "{algorithm}");
        assert_eq!(s3.head_of("/b-1/to").await.status, 404, "{algorithm}");
    }
    let headers = [("x-amz-copy-source", "b-1/from"), ("x-amz-checksum-algorithm", "CRC32")];
    let copy = s3.send("PUT", "/b-1/to", &headers, b"").await;
    assert_eq!(copy.status, 200, "{}", copy.text());
    assert_eq!(element(copy.text(), "ChecksumCRC32").as_deref(), Some("NhCmhg=="));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_can_be_copied_and_a_marker_cannot() {
    let s3 = S3::with_versions().await;
    let first = s3.put("k", "one").await;
    let (first, tag) = (first.header("x-amz-version-id").unwrap(), first.header("etag").unwrap());
    s3.put("k", "two").await;
    let source = format!("b-1/k?versionId={first}");
    let restore = [("x-amz-copy-source", source.as_str()), ("x-amz-copy-source-if-match", tag)];
    let copy = s3.send("PUT", "/b-1/k", &restore, b"").await;
    assert_eq!(copy.status, 200, "{}", copy.text());
    assert_eq!(copy.header("x-amz-copy-source-version-id"), Some(first));
    let made = copy.header("x-amz-version-id").expect("a version of its own");
    assert_ne!(made, first);
    assert_eq!(s3.get("/b-1/k").await.text(), "one");
    let marker = s3.delete("/b-1/k").await;
    let marker = format!("b-1/k?versionId={}", marker.header("x-amz-version-id").unwrap());
    let by_id = s3.send("PUT", "/b-1/l", &[("x-amz-copy-source", &marker)], b"").await;
    assert_eq!(code(&by_id), (400, "InvalidRequest".into()));
    let current = s3.send("PUT", "/b-1/l", &[("x-amz-copy-source", "b-1/k")], b"").await;
    assert_eq!(code(&current), (404, "NoSuchKey".into()));
}
