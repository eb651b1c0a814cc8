//! Reading: ranges, conditions and overridden headers.

use super::client::{S3, code};

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_cut_refused_or_ignored_as_s3_does() {
    let s3 = S3::with_bucket().await;
    s3.put("k", "0123456789").await;
    s3.put("empty", "").await;
    for (range, status, content, shown) in [
        ("bytes=2-4", 206, "234", Some("bytes 2-4/10")),
        ("bytes=8-99", 206, "89", Some("bytes 8-9/10")),
        ("bytes=7-", 206, "789", Some("bytes 7-9/10")),
        ("bytes=-2", 206, "89", Some("bytes 8-9/10")),
        ("bytes=-99", 206, "0123456789", Some("bytes 0-9/10")),
        ("bytes=4-2", 200, "0123456789", None),
        ("bytes=0-1,4-5", 200, "0123456789", None),
        ("lines=1-2", 200, "0123456789", None),
    ] {
        let got = s3.send("GET", "/b-1/k", &[("range", range)], b"").await;
        assert_eq!((got.status, got.text()), (status, content), "{range}");
        assert_eq!(got.header("content-range"), shown, "{range}");
        let head = s3.send("HEAD", "/b-1/k", &[("range", range)], b"").await;
        assert_eq!(head.status, status);
        assert_eq!(head.header("content-length"), Some(content.len().to_string().as_str()));
    }
    for (key, range, shown) in [
        ("k", "bytes=10-", "bytes */10"),
        ("k", "bytes=-0", "bytes */10"),
        ("empty", "bytes=0-", "bytes */0"),
    ] {
        let got = s3.send("GET", &format!("/b-1/{key}"), &[("range", range)], b"").await;
        assert_eq!(code(&got), (416, "InvalidRange".into()), "{range}");
        assert_eq!(got.header("content-range"), Some(shown));
    }
    let etag = "\"781e5e245d69b566979b86e28d23f2c7\"";
    for (if_range, status) in [(etag, 206), ("\"abc\"", 200), ("Thu, 01 Dec 1994 16:00:00 GMT", 200)] {
        let headers = [("if-range", if_range), ("range", "bytes=0-0")];
        assert_eq!(s3.send("GET", "/b-1/k", &headers, b"").await.status, status, "{if_range}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_plain_object_is_the_whole() {
    let s3 = S3::with_bucket().await;
    s3.put("k", "0123456789").await;
    let got = s3.get("/b-1/k?partNumber=1").await;
    assert_eq!((got.status, got.text()), (206, "0123456789"));
    assert_eq!(got.header("x-amz-mp-parts-count"), None);
    assert_eq!(code(&s3.get("/b-1/k?partNumber=2").await), (416, "InvalidPartNumber".into()));
    for number in ["0", "-1", "10001"] {
        let none = s3.get(&format!("/b-1/k?partNumber={number}")).await;
        assert_eq!(code(&none), (400, "InvalidArgument".into()), "{number}");
    }
    let both = s3.send("GET", "/b-1/k?partNumber=1", &[("range", "bytes=0-1")], b"").await;
    assert_eq!(code(&both), (400, "InvalidRequest".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_on_reads_have_their_precedence() {
    let s3 = S3::with_bucket().await;
    let etag = s3.put("k", "v").await.header("etag").unwrap().to_owned();
    let (past, future) = ("Thu, 01 Dec 1994 16:00:00 GMT", "Fri, 01 Dec 2090 16:00:00 GMT");
    for (headers, status) in [
        (vec![("if-match", etag.as_str())], 200),
        (vec![("if-match", "*")], 200),
        (vec![("if-match", "\"x\"")], 412),
        (vec![("if-match", &etag), ("if-unmodified-since", past)], 200),
        (vec![("if-unmodified-since", past)], 412),
        (vec![("if-none-match", &etag)], 304),
        (vec![("if-none-match", "\"x\", *")], 200),
        (vec![("if-none-match", "*")], 304),
        (vec![("if-modified-since", past), ("if-none-match", &etag)], 304),
        (vec![("if-modified-since", future)], 304),
        (vec![("if-modified-since", past)], 200),
    ] {
        for method in ["GET", "HEAD"] {
            let reply = s3.send(method, "/b-1/k", &headers, b"").await;
            assert_eq!(reply.status, status, "{method} {headers:?}");
            if status == 304 {
                assert_eq!(reply.header("etag"), Some(etag.as_str()));
                assert!(reply.header("last-modified").is_some() && reply.body.is_empty());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_request_may_choose_headers() {
    let s3 = S3::with_bucket().await;
    s3.send("PUT", "/b-1/k", &[("content-type", "text/html")], b"v").await;
    let wanted = "response-cache-control=no-store&response-content-disposition=attachment&\
                  response-content-encoding=x-none&response-content-language=fr&\
                  response-content-type=text%2Fplain&response-expires=Thu%2C%2001%20Dec%201994%2016%3A00%3A00%20GMT";
    for method in ["GET", "HEAD"] {
        let reply = s3.send(method, &format!("/b-1/k?{wanted}"), &[], b"").await;
        assert_eq!(reply.status, 200);
        for (name, value) in [
            ("cache-control", "no-store"),
            ("content-disposition", "attachment"),
            ("content-encoding", "x-none"),
            ("content-language", "fr"),
            ("content-type", "text/plain"),
            ("expires", "Thu, 01 Dec 1994 16:00:00 GMT"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{method} {name}");
        }
    }
}
