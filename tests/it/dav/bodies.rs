//! What a PUT declares of its body, and what is kept when it is not so.

use super::*;

#[tokio::test]
async fn a_body_that_is_not_as_declared_changes_nothing() {
    let dav = Dav::start().await;
    dav.put("/dav/ann/a", "old").await;
    let cases: [&[(&str, &str)]; 20] = [
        &[("x-expected-entity-length", "9")],
        &[("oc-checksum", "SHA1:0000000000000000000000000000000000000000")],
        &[("oc-checksum", "MD5:00000000000000000000000000000000")],
        &[("oc-checksum", "SHA256:0000000000000000000000000000000000000000000000000000000000000000")],
        &[("oc-checksum", "CRC32C:00000000")],
        &[("oc-checksum", "ADLER32:1")],
        &[("oc-checksum", "ADLER32:28e014b MD5:00000000000000000000000000000000")],
        &[("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")],
        &[("digest", "SHA-256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")],
        &[("digest", "adler32=00000001")],
        &[("content-digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")],
        &[("repr-digest", SHA512_OF_NOTHING)],
        &[("repr-digest", "sha=:AAAAAAAAAAAAAAAAAAAAAAAAAAA=:")],
        &[("oc-total-length", "4")],
        &[("oc-checksum", "SHA3-256:00")],
        &[("x-update-range", "bytes=0-2")],
        &[("range", "bytes=0-2")],
        &[("content-range", "bytes 0-2/9")],
        &[("if-none-match", "*")],
        &[("if-match", "\"00000000000000000000000000000000\"")],
    ];
    for headers in cases {
        let reply = dav.send("PUT", "/dav/ann/a", headers, b"new").await;
        let status = match headers[0] {
            ("if-none-match" | "if-match", _) => 412,
            ("x-update-range" | "range", _) | ("oc-checksum", "SHA3-256:00") => 501,
            _ => 400,
        };
        assert_eq!(reply.status, status, "{headers:?}");
        assert_eq!(dav.content("/dav/ann/a").await.as_deref(), Ok("old"), "{headers:?}");
    }
    for expected in ["2", "4"] {
        let head = dav.head("PUT", "/dav/ann/a", &[("x-expected-entity-length", expected)]);
        let body = b"3\r\nnew\r\n0\r\n\r\n";
        let reply = dav.raw(&format!("{head}transfer-encoding: chunked\r\n\r\n"), body).await.unwrap();
        assert_eq!(reply.status, 400, "{expected}");
        assert_eq!(dav.content("/dav/ann/a").await.as_deref(), Ok("old"));
    }
    let head = dav.head("PUT", "/dav/ann/a", &[("expect", "100-continue")]);
    let reply = dav.raw(&format!("{head}content-length: 3\r\n\r\n"), b"new").await.unwrap();
    assert_eq!(reply.status, 204);
    assert_eq!(dav.content("/dav/ann/a").await.as_deref(), Ok("new"));
}

#[tokio::test]
async fn a_type_too_long_to_be_kept_is_refused() {
    let dav = Dav::start().await;
    let kind = "x".repeat(1025);
    assert_eq!(dav.send("PUT", "/dav/ann/a", &[("content-type", &kind)], b"new").await.status, 413);
    assert_eq!(dav.status("GET", "/dav/ann/a", &[]).await, 404);
    assert_eq!(dav.send("PUT", "/dav/ann/a", &[("content-type", &kind[1..])], b"new").await.status, 201);
}

const SHA512_OF_NOTHING: &str =
    "sha-512=:z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==:";

#[tokio::test]
async fn a_body_that_is_as_declared_is_stored() {
    let dav = Dav::start().await;
    let digests: [(&str, &str); 11] = [
        (
            "oc-checksum",
            "SHA1:c2a6b03f190dfb2b4aa91f8af8d477a9bc3401dc MD5:22af645d1859cb5ca6da0c484f1f37ea SHA256:11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437",
        ),
        ("oc-checksum", "ADLER32:28e014b"),
        ("oc-checksum", "SHA3-256:00 ADLER32:28e014b"),
        ("digest", "SHA-256=EVB6Di9eadXfpApiob17buV+a82FxnybhDGzb/8hxDc=, MD5=Iq9kXRhZy1ym2gxITx836g=="),
        ("digest", "adler32=028e014b"),
        (
            "content-digest",
            "sha-256=:EVB6Di9eadXfpApiob17buV+a82FxnybhDGzb/8hxDc=:, sha-512=:qlTe+eC7EcHrv8l6nuY6+elcT98dAysd3MDyFmH3SGUdKyuPuU6a4EF4BVTbKYFdqhwP6ZHdrlTv8MTCjNnSDA==:",
        ),
        (
            "repr-digest",
            "sha-512=:qlTe+eC7EcHrv8l6nuY6+elcT98dAysd3MDyFmH3SGUdKyuPuU6a4EF4BVTbKYFdqhwP6ZHdrlTv8MTCjNnSDA==:",
        ),
        ("content-md5", "Iq9kXRhZy1ym2gxITx836g=="),
        ("oc-total-length", "3"),
        // What other clients send, and nothing is lost by it.
        ("x-oc-ctime", "1700000000"),
        ("oc-lazyops", "true"),
    ];
    for header in digests {
        assert_eq!(
            dav.status("DELETE", "/dav/ann/a", &[]).await / 100,
            if header == digests[0] { 4 } else { 2 }
        );
        let reply = dav.send("PUT", "/dav/ann/a", &[header], b"new").await;
        assert_eq!(reply.status, 201, "{header:?}: {}", reply.text());
        assert_eq!(dav.content("/dav/ann/a").await.as_deref(), Ok("new"), "{header:?}");
        assert_eq!(reply.header("x-oc-ctime"), None, "the time of creation is not kept");
    }
    for method in ["COPY", "MOVE"] {
        let headers = [("destination", "/dav/ann/b"), ("oc-checksum", "ADLER32:28e014b")];
        assert_eq!(dav.status(method, "/dav/ann/a", &headers).await, 501, "{method}");
    }
    assert_eq!(dav.members("/dav/ann/").await, ["/dav/ann/a"]);
}

/// The story: "the method does not apply here", to people who dropped a file into the top folder.
#[tokio::test]
async fn a_file_beside_the_buckets_is_refused_with_where_it_may_go() {
    let dav = Dav::start().await;
    for at in ["/dav/picture.jpg", "/dav/ann", "/dav/New%20Bucket"] {
        let reply = dav.send("PUT", at, &[], b"new").await;
        assert_eq!(reply.status, 405, "{at}");
        assert!(reply.text().contains("put it into one of them"), "{at}: {}", reply.text());
    }
}
