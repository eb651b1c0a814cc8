//! Writing objects, and everything that keeps a write from being seen.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::Digest;

use super::client::{S3, code};
use crate::common::wire::{element, elements};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_comes_back_with_all_that_was_said_about_it() {
    let s3 = S3::with_bucket().await;
    let headers = [
        ("cache-control", "no-cache"),
        ("content-disposition", "attachment; filename=\"a b\""),
        ("content-encoding", "gzip"),
        ("content-language", "de"),
        ("content-type", "text/plain; charset=utf-8"),
        ("expires", "Thu, 01 Dec 1994 16:00:00 GMT"),
        ("x-amz-meta-color", "blue"),
        ("x-amz-meta-mtime", "1700000000.123456789"),
        ("x-amz-meta-word", "=?UTF-8?B?w6k=?="),
        ("x-amz-storage-class", "STANDARD"),
    ];
    let put = s3.send("PUT", "/b-1/a%20b/%2B//%C3%A9", &headers, b"hello").await;
    assert_eq!(put.status, 200, "{}", put.text());
    let etag = put.header("etag").map(str::to_owned);
    assert_eq!(etag.as_deref(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let got = s3.get("/b-1/a%20b/%2B//%C3%A9").await;
    let head = s3.head_of("/b-1/a%20b/%2B//%C3%A9").await;
    assert_eq!(got.text(), "hello");
    for reply in [&got, &head] {
        assert_eq!(reply.status, 200);
        for (name, value) in headers.iter().filter(|(name, _)| *name != "x-amz-storage-class") {
            assert_eq!(reply.header(name), Some(*value), "{name}");
        }
        assert_eq!(reply.header("content-length"), Some("5"));
        assert_eq!(reply.header("accept-ranges"), Some("bytes"));
        assert_eq!(reply.header("etag"), etag.as_deref());
        assert_eq!(reply.header("x-amz-version-id"), None);
        assert!(reply.header("last-modified").is_some_and(|date| date.ends_with(" GMT")));
    }
    let plain = s3.put("plain", "x").await;
    assert_eq!(plain.header("x-amz-version-id"), None);
    assert_eq!(s3.get("/b-1/plain").await.header("content-type"), Some("binary/octet-stream"));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_over_two_kilobytes_is_refused() {
    let s3 = S3::with_bucket().await;
    let long = "x".repeat(2048);
    let put = s3.send("PUT", "/b-1/k", &[("x-amz-meta-a", &long)], b"").await;
    assert_eq!(code(&put), (400, "MetadataTooLarge".into()));
    assert_eq!(s3.send("PUT", "/b-1/k", &[("x-amz-meta-a", &long[1..])], b"").await.status, 200);
    let kind = "x".repeat(1025);
    assert_eq!(
        code(&s3.send("PUT", "/b-1/k", &[("content-type", &kind)], b"").await),
        (400, "MetadataTooLarge".into())
    );
    assert_eq!(
        code(&s3.send("POST", "/b-1/k?uploads", &[("content-type", &kind)], b"").await),
        (400, "MetadataTooLarge".into())
    );
    let copy =
        [("x-amz-copy-source", "/b-1/k"), ("x-amz-metadata-directive", "REPLACE"), ("content-type", &*kind)];
    assert_eq!(code(&s3.send("PUT", "/b-1/l", &copy, b"").await), (400, "MetadataTooLarge".into()));
    assert_eq!(s3.send("PUT", "/b-1/k", &[("content-type", &kind[1..])], b"").await.status, 200);
    let key = "k".repeat(1025);
    assert_eq!(
        code(&s3.send("PUT", &format!("/b-1/{key}"), &[], b"").await),
        (400, "KeyTooLongError".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_what_was_declared_is_never_seen() {
    let s3 = S3::with_bucket().await;
    s3.put("k", "old").await;
    let md5 = STANDARD.encode(md5::Md5::digest("other"));
    let crc = STANDARD.encode([0, 0, 0, 1]);
    for (name, value, expected) in [
        ("content-md5", md5.as_str(), "BadDigest"),
        ("content-md5", "abc", "InvalidDigest"),
        ("x-amz-checksum-crc32", crc.as_str(), "BadDigest"),
        ("x-amz-checksum-crc32", "abc", "InvalidRequest"),
        ("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "BadDigest"),
    ] {
        let put = s3.send("PUT", "/b-1/k", &[(name, value)], b"new").await;
        assert_eq!(code(&put), (400, expected.into()), "{name}: {value}");
        assert_eq!(s3.get("/b-1/k").await.text(), "old");
    }
    let good = STANDARD.encode(md5::Md5::digest("new"));
    assert_eq!(s3.send("PUT", "/b-1/k", &[("content-md5", &good)], b"new").await.status, 200);
    assert_eq!(s3.get("/b-1/k").await.text(), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn checksums_come_back_when_asked_for_and_not_with_ranges() {
    let s3 = S3::with_bucket().await;
    for (name, value) in [
        ("x-amz-checksum-crc32", "NhCmhg=="),
        ("x-amz-checksum-crc32c", "mnG7TA=="),
        ("x-amz-checksum-crc64nvme", "M3eFcAZSQlc="),
        ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
        ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
    ] {
        let put = s3.send("PUT", "/b-1/k", &[(name, value)], b"hello").await;
        assert_eq!((put.status, put.header(name)), (200, Some(value)), "{}", put.text());
        assert_eq!(s3.get("/b-1/k").await.header(name), None);
        let mode = ("x-amz-checksum-mode", "enabled");
        let whole = s3.send("GET", "/b-1/k", &[mode], b"").await;
        assert_eq!(whole.header(name), Some(value));
        assert_eq!(whole.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
        let range = s3.send("GET", "/b-1/k", &[("range", "bytes=0-1"), mode], b"").await;
        assert_eq!((range.status, range.header(name)), (206, None));
        let listed = s3.get("/b-1").await;
        let kind = name.trim_start_matches("x-amz-checksum-").to_ascii_uppercase();
        assert_eq!(element(listed.text(), "ChecksumAlgorithm"), Some(kind));
        let attributes = [("x-amz-object-attributes", "ETag,Checksum,ObjectSize,ObjectParts,StorageClass")];
        let asked = s3.send("GET", "/b-1/k?attributes", &attributes, b"").await;
        assert_eq!(element(asked.text(), "ObjectSize").as_deref(), Some("5"), "{}", asked.text());
        let tag = element(asked.text(), "ETag");
        assert_eq!(tag.as_deref(), Some("5d41402abc4b2a76b9719d911017c592"), "without quotes, here only");
        assert!(asked.text().contains(value) && asked.text().contains("FULL_OBJECT"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunked_bodies_are_unpacked_and_their_signatures_and_trailers_checked() {
    let s3 = S3::with_bucket().await;
    let (first, second) = (vec![b'a'; 70_000], vec![b'b'; 3]);
    let whole = [first.clone(), second.clone()].concat();
    let coding = [("content-encoding", "aws-chunked")];
    let put = s3.send_chunks("/b-1/k", &coding, &[&first, &second], false).await;
    assert_eq!(put.status, 200, "{}", put.text());
    let got = s3.get("/b-1/k").await;
    assert_eq!((got.header("content-encoding"), got.body == whole), (None, true));
    let spoilt = s3.send_chunks("/b-1/other", &coding, &[&first, &second], true).await;
    assert_eq!(code(&spoilt), (403, "SignatureDoesNotMatch".into()));
    assert_eq!(s3.head_of("/b-1/other").await.status, 404);

    let headers = [("x-amz-decoded-content-length", "5"), ("x-amz-trailer", "x-amz-checksum-crc32")];
    let trailed = |trailer: &str| format!("5\r\nhello\r\n0\r\n{trailer}\r\n\r\n").into_bytes();
    let form = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    let good = trailed("x-amz-checksum-crc32:NhCmhg==");
    let put = s3.send_as("PUT", "/b-1/t", &headers, (form, &good)).await;
    assert_eq!((put.status, put.header("x-amz-checksum-crc32")), (200, Some("NhCmhg==")));
    assert_eq!(s3.get("/b-1/t").await.text(), "hello");
    let wrong = trailed("x-amz-checksum-crc32:AAAAAA==");
    let put = s3.send_as("PUT", "/b-1/u", &headers, (form, &wrong)).await;
    assert_eq!(code(&put), (400, "BadDigest".into()));
    assert_eq!(s3.head_of("/b-1/u").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_happen_only_in_the_state_they_demand() {
    let s3 = S3::with_bucket().await;
    let put = async |name: &str, value: &str| code(&s3.send("PUT", "/b-1/k", &[(name, value)], b"new").await);
    assert_eq!(put("if-match", "\"abc\"").await, (404, "NoSuchKey".into()));
    assert_eq!(put("if-none-match", "*").await.0, 200);
    assert_eq!(put("if-none-match", "*").await, (412, "PreconditionFailed".into()));
    assert_eq!(put("if-match", "\"abc\"").await, (412, "PreconditionFailed".into()));
    assert_eq!(put("if-match", "\"22af645d1859cb5ca6da0c484f1f37ea\"").await.0, 200);
    let delete = s3.send("DELETE", "/b-1/k", &[("if-match", "\"abc\"")], b"").await;
    assert_eq!(code(&delete), (412, "PreconditionFailed".into()));
    let right = [("if-match", "\"22af645d1859cb5ca6da0c484f1f37ea\"")];
    assert_eq!(s3.send("DELETE", "/b-1/k", &right, b"").await.status, 204);
    assert_eq!(s3.delete("/b-1/k").await.status, 204, "what is not there is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_objects_are_removed_in_one_request_each_for_itself() {
    let s3 = S3::with_bucket().await;
    for key in ["a", "b", "c%26", "d"] {
        s3.put(key, key).await;
    }
    let text = format!(
        "<Delete><Object><Key>a</Key></Object><Object><Key>missing</Key></Object>\
         <Object><Key>c&amp;</Key></Object><Object><Key>b</Key><ETag>\"abc\"</ETag></Object>\
         <Object><Key>{}</Key></Object></Delete>",
        "x".repeat(1025)
    );
    let reply = s3.post("/b-1?delete", &text).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(elements(reply.text(), "Deleted").len(), 3);
    assert_eq!(elements(reply.text(), "Code"), ["PreconditionFailed", "KeyTooLongError"]);
    assert_eq!(elements(s3.get("/b-1").await.text(), "Key"), ["b", "d"]);
    let quiet = "<Delete><Quiet>true</Quiet><Object><Key>b</Key></Object></Delete>";
    let reply = s3.post("/b-1?delete", quiet).await;
    assert_eq!((reply.status, elements(reply.text(), "Deleted").len()), (200, 0));
    let none = s3.post("/b-1?delete", "<Delete></Delete>").await;
    assert_eq!(code(&none), (400, "MalformedXML".into()));
    let many = "<Object><Key>d</Key></Object>".repeat(1001);
    let many = s3.post("/b-1?delete", &format!("<Delete>{many}</Delete>")).await;
    assert_eq!(code(&many), (400, "MalformedXML".into()));
    let size = "<Delete><Object><Key>d</Key><Size>1</Size></Object></Delete>";
    assert_eq!(code(&s3.post("/b-1?delete", size).await), (501, "NotImplemented".into()));
    assert_eq!(elements(s3.get("/b-1").await.text(), "Key"), ["d"]);
}
