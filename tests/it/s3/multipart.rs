//! Multipart uploads.

use super::client::{S3, code};
use crate::common::wire::{element, elements};

const BIG: usize = 5 << 20;

async fn begin(s3: &S3, target: &str, headers: &[(&str, &str)]) -> String {
    let reply = s3.send("POST", &format!("{target}?uploads"), headers, b"").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    element(reply.text(), "UploadId").unwrap()
}

async fn part(s3: &S3, target: &str, id: &str, number: u32, content: &[u8]) -> String {
    let target = format!("{target}?partNumber={number}&uploadId={id}");
    let reply = s3.send("PUT", &target, &[], content).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.header("etag").unwrap().to_owned()
}

fn list(parts: &[(u32, &str)]) -> String {
    let one = |(number, etag): &(u32, &str)| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
    };
    let parts: String = parts.iter().map(one).collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_become_one_object() {
    let s3 = S3::with_bucket().await;
    let headers = [("content-type", "text/x"), ("x-amz-meta-a", "1")];
    let id = begin(&s3, "/b-1/k", &headers).await;
    let big = vec![b'x'; BIG];
    let first = part(&s3, "/b-1/k", &id, 2, &big).await;
    part(&s3, "/b-1/k", &id, 3, b"unlisted").await;
    let last = part(&s3, "/b-1/k", &id, 7, b"end").await;
    assert_eq!(s3.head_of("/b-1/k").await.status, 404);
    let listed = s3.get(&format!("/b-1/k?max-parts=2&uploadId={id}")).await;
    assert_eq!(elements(listed.text(), "PartNumber"), ["2", "3"]);
    assert_eq!(element(listed.text(), "NextPartNumberMarker").as_deref(), Some("3"));
    let rest = s3.get(&format!("/b-1/k?part-number-marker=3&uploadId={id}")).await;
    assert_eq!(elements(rest.text(), "PartNumber"), ["7"]);
    let open = s3.get("/b-1?uploads").await;
    assert_eq!(
        (element(open.text(), "Key"), element(open.text(), "UploadId")),
        (Some("k".into()), Some(id.clone()))
    );

    let complete = format!("/b-1/k?uploadId={id}");
    for (parts, expected) in [
        (list(&[(7, &last), (2, &first)]), "InvalidPartOrder"),
        (list(&[(2, &first), (8, &last)]), "InvalidPart"),
        (list(&[(2, &last), (7, &last)]), "InvalidPart"),
        (list(&[]), "MalformedXML"),
    ] {
        let reply = s3.send("POST", &complete, &[], parts.as_bytes()).await;
        assert_eq!(code(&reply), (400, expected.into()));
    }
    let parts = list(&[(2, &first), (7, &last)]);
    let wrong_size = s3.send("POST", &complete, &[("x-amz-mp-object-size", "1")], parts.as_bytes()).await;
    assert_eq!(code(&wrong_size), (400, "InvalidRequest".into()));
    let done = s3.send("POST", &complete, &[], parts.as_bytes()).await;
    assert_eq!(done.status, 200, "{}", done.text());
    let etag = element(done.text(), "ETag").unwrap();
    assert!(etag.ends_with("-2\""), "{etag}");
    let again = s3.send("POST", &complete, &[], parts.as_bytes()).await;
    assert_eq!((again.status, element(again.text(), "ETag")), (200, Some(etag)));

    let whole = s3.get("/b-1/k").await;
    assert_eq!(whole.body.len(), BIG + 3);
    assert_eq!((whole.header("content-type"), whole.header("x-amz-meta-a")), (Some("text/x"), Some("1")));
    let second = s3.get("/b-1/k?partNumber=2").await;
    assert_eq!((second.status, second.text()), (206, "end"));
    assert_eq!(second.header("x-amz-mp-parts-count"), Some("2"));
    assert_eq!(second.header("content-range"), Some(&*format!("bytes {BIG}-{}/{}", BIG + 2, BIG + 3)));
    assert_eq!(code(&s3.get("/b-1/k?partNumber=3").await), (416, "InvalidPartNumber".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn small_parts_are_refused_at_the_end_and_given_up_uploads_are_gone() {
    let s3 = S3::with_bucket().await;
    let id = begin(&s3, "/b-1/k", &[]).await;
    let one = part(&s3, "/b-1/k", &id, 1, b"small").await;
    let two = part(&s3, "/b-1/k", &id, 2, b"small, too").await;
    let parts = list(&[(1, &one), (2, &two)]);
    let complete = format!("/b-1/k?uploadId={id}");
    assert_eq!(
        code(&s3.send("POST", &complete, &[], parts.as_bytes()).await),
        (400, "EntityTooSmall".into())
    );
    assert_eq!(s3.delete(&complete).await.status, 204);
    assert_eq!(code(&s3.delete(&complete).await), (404, "NoSuchUpload".into()));
    assert_eq!(code(&s3.send("POST", &complete, &[], parts.as_bytes()).await), (404, "NoSuchUpload".into()));
    let lost = s3.send("PUT", &format!("/b-1/k?partNumber=1&uploadId={id}"), &[], b"x").await;
    assert_eq!(code(&lost), (404, "NoSuchUpload".into()));
    let other = begin(&s3, "/b-1/k", &[]).await;
    for number in ["0", "10001", "-1"] {
        let target = format!("/b-1/k?partNumber={number}&uploadId={other}");
        assert_eq!(code(&s3.send("PUT", &target, &[], b"x").await), (400, "InvalidArgument".into()));
    }
    assert_eq!(s3.delete("/b-1").await.status, 204, "uploads under way do not hold a bucket");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_can_be_copied_from_ranges() {
    let s3 = S3::with_bucket().await;
    s3.put("from", "0123456789").await;
    let id = begin(&s3, "/b-1/k", &[]).await;
    let target = format!("/b-1/k?partNumber=1&uploadId={id}");
    let headers = [("x-amz-copy-source", "b-1/from"), ("x-amz-copy-source-range", "bytes=2-4")];
    let copied = s3.send("PUT", &target, &headers, b"").await;
    assert_eq!(copied.status, 200, "{}", copied.text());
    let etag = element(copied.text(), "ETag").unwrap();
    let beyond = [("x-amz-copy-source", "b-1/from"), ("x-amz-copy-source-range", "bytes=2-10")];
    assert_eq!(code(&s3.send("PUT", &target, &beyond, b"").await), (416, "InvalidRange".into()));
    let done = s3.send("POST", &format!("/b-1/k?uploadId={id}"), &[], list(&[(1, &etag)]).as_bytes()).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(s3.get("/b-1/k").await.text(), "234");
}

#[tokio::test(flavor = "multi_thread")]
async fn checksums_of_parts_make_one_of_the_whole() {
    let s3 = S3::with_bucket().await;
    for (kind, shown) in [("COMPOSITE", "-1"), ("FULL_OBJECT", "==")] {
        let headers = [("x-amz-checksum-algorithm", "CRC32"), ("x-amz-checksum-type", kind)];
        let id = begin(&s3, "/b-1/k", &headers).await;
        let target = format!("/b-1/k?partNumber=1&uploadId={id}");
        let sent = s3.send("PUT", &target, &[("x-amz-checksum-crc32", "NhCmhg==")], b"hello").await;
        assert_eq!((sent.status, sent.header("x-amz-checksum-crc32")), (200, Some("NhCmhg==")));
        let other = ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00=");
        let other = s3.send("PUT", &target, &[other], b"hello").await;
        assert_eq!(code(&other), (400, "InvalidRequest".into()), "a checksum of another kind");
        let listed = s3.get(&format!("/b-1/k?uploadId={id}")).await;
        assert_eq!(element(listed.text(), "ChecksumType").as_deref(), Some(kind));
        let parts = list(&[(1, sent.header("etag").unwrap())]);
        let other = if kind == "COMPOSITE" { "FULL_OBJECT" } else { "COMPOSITE" };
        let complete = format!("/b-1/k?uploadId={id}");
        let wrong = s3.send("POST", &complete, &[("x-amz-checksum-type", other)], parts.as_bytes()).await;
        assert_eq!(code(&wrong), (400, "InvalidRequest".into()));
        let wrong =
            s3.send("POST", &complete, &[("x-amz-checksum-crc32", "AAAAAA==")], parts.as_bytes()).await;
        assert_eq!(code(&wrong), (400, "BadDigest".into()));
        let done = s3.send("POST", &complete, &[("x-amz-checksum-type", kind)], parts.as_bytes()).await;
        let whole = element(done.text(), "ChecksumCRC32").expect("a checksum");
        assert!(whole.ends_with(shown), "{whole}");
        let got = s3.send("GET", "/b-1/k", &[("x-amz-checksum-mode", "ENABLED")], b"").await;
        assert_eq!(got.header("x-amz-checksum-crc32"), Some(whole.as_str()));
        assert_eq!(got.header("x-amz-checksum-type"), Some(kind));
    }
}
