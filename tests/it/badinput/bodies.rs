//! Bodies that are not what was declared, and uploads that break off: the old version stays.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};
use tokio::time::sleep;

use super::Bad;
use crate::common::{ask::Ask, wire::Raw};

fn put() -> Ask {
    Ask::new("PUT", "/olga/file")
}

fn md5(text: &str) -> String {
    STANDARD.encode(Md5::digest(text))
}

/// Two chunks of the least size that may be followed by another, and a rest.
const FIRST: &[u8] = &[b'a'; 8192];

#[tokio::test]
async fn digests_that_do_not_match_are_refused() {
    let bad = Bad::start().await;
    let cases: [(&str, &str, &str); 10] = [
        ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest"),
        ("content-md5", "nonsense", "InvalidDigest"),
        ("content-md5", "AAAA", "InvalidDigest"),
        ("x-amz-checksum-crc32", "AAAAAA==", "BadDigest"),
        ("x-amz-checksum-crc32c", "AAAAAA==", "BadDigest"),
        ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=", "BadDigest"),
        ("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "BadDigest"),
        ("x-amz-checksum-sha256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "BadDigest"),
        ("x-amz-checksum-crc32", "AAAA", "InvalidRequest"),
        ("x-amz-content-sha256", "00", "InvalidArgument"),
    ];
    for (name, value, code) in cases {
        bad.s3_is(name, put().with(name, value).body("forged"), 400, code).await;
    }
    let hash = "0".repeat(64);
    let wrong = put().with("x-amz-content-sha256", &hash).body("forged");
    bad.s3_is("SHA-256", wrong, 400, "XAmzContentSHA256Mismatch").await;
    let two = put().with("x-amz-checksum-crc32", "AAAAAA==").with("x-amz-checksum-crc32c", "AAAAAA==");
    bad.s3_is("two checksums", two.body("forged"), 400, "InvalidRequest").await;
    for (name, value) in [
        ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("content-md5", "nonsense"),
        ("oc-checksum", "MD5:00000000000000000000000000000000"),
        ("oc-checksum", "SHA1:0000000000000000000000000000000000000000"),
        ("oc-checksum", "SHA1:00"),
        ("oc-checksum", "nonsense"),
        ("x-expected-entity-length", "7"),
        ("x-expected-entity-length", "-1"),
        ("x-oc-mtime", "yesterday"),
        ("content-range", "bytes 0-5/12"),
    ] {
        let ask = Ask::new("PUT", "/dav/olga/file").with(name, value).body("forged");
        bad.dav_is(name, ask, 400).await;
    }
    bad.over().await;
}

#[tokio::test]
async fn chunks_that_are_not_as_signed_or_declared_are_refused() {
    let bad = Bad::start().await;
    let signer = bad.world.signer("olga");
    let whole = || signer.in_chunks(put(), &[FIRST, b"forged"], &[]);
    let spoil = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut ask = whole();
        change(&mut ask.body);
        ask
    };
    let find = |body: &[u8], text: &str| {
        body.windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
    };
    let cases: [(&str, Ask, u16, &str); 7] = [
        ("a byte changed", spoil(&|b| b[200] = b'b'), 403, "SignatureDoesNotMatch"),
        (
            "a signature changed",
            spoil(&|b| {
                let at = find(b, "signature=") + 10;
                b[at] = if b[at] == b'0' { b'1' } else { b'0' };
            }),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            "the last chunk's signature changed",
            spoil(&|b| {
                let at = b.len() - 10;
                b[at] = if b[at] == b'0' { b'1' } else { b'0' };
            }),
            403,
            "SignatureDoesNotMatch",
        ),
        (
            "no signature",
            spoil(&|b| {
                let at = find(b, ";chunk");
                b.drain(at..at + 81);
            }),
            0,
            "",
        ),
        ("a size that is no number", spoil(&|b| b[0] = b'x'), 400, ""),
        (
            "no end",
            spoil(&|b| {
                let end = b.len() - 90;
                b.truncate(end);
            }),
            400,
            "IncompleteBody",
        ),
        ("more behind the end", spoil(&|b| b.extend_from_slice(b"more")), 400, ""),
    ];
    for (case, ask, status, code) in cases {
        let reply = bad.world.ask(&ask).await;
        let status = if status == 0 { reply.status } else { status };
        assert!(matches!(reply.status, 400 | 403), "{case}: {}", reply.text());
        bad.was(case, &reply, status, code).await;
    }
    for length in ["0", "8197", "8199", "99999999999999999999", "-1", ""] {
        let mut ask = Ask::new("PUT", "/olga/file")
            .with("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .with("x-amz-decoded-content-length", length)
            .with("content-encoding", "aws-chunked");
        ask.body = [b"2000\r\n", FIRST, b"\r\n6\r\nforged\r\n0\r\n\r\n"].concat();
        let reply = bad.world.ask(&bad.s3(ask)).await;
        bad.was(length, &reply, 400, "").await;
    }
    let small = signer.in_chunks(put(), &[b"small", b"forged"], &[]);
    bad.is("small chunks", &small, 403, "InvalidChunkSizeError").await;
    let streamed = put().with("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    bad.s3_is("no decoded length", streamed.body("0\r\n\r\n"), 411, "MissingContentLength").await;
    let unknown = put().with("x-amz-content-sha256", "STREAMING-ELSE").body("forged");
    bad.s3_is("an unknown form", unknown, 400, "InvalidArgument").await;
    bad.over().await;
}

#[tokio::test]
async fn trailers_that_are_wrong_or_missing_are_refused() {
    let bad = Bad::start().await;
    let signer = bad.world.signer("olga");
    let wrong = signer.in_chunks(put(), &[b"forged"], &[("x-amz-checksum-crc32", "AAAAAA==")]);
    bad.is("wrong checksum", &wrong, 400, "BadDigest").await;
    let mut spoiled = wrong.clone();
    let at = spoiled.body.len() - 10;
    spoiled.body[at] = if spoiled.body[at] == b'0' { b'1' } else { b'0' };
    bad.is("wrong signature", &spoiled, 403, "SignatureDoesNotMatch").await;
    let plain = |trailer: &str, body: &str| {
        let ask = put()
            .with("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .with("x-amz-decoded-content-length", "6")
            .with("x-amz-trailer", trailer);
        bad.s3(ask.body(body))
    };
    let crc = "x-amz-checksum-crc32";
    let cases = [
        ("wrong", plain(crc, "6\r\nforged\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n")),
        ("missing", plain(crc, "6\r\nforged\r\n0\r\n\r\n")),
        ("another", plain(crc, "6\r\nforged\r\n0\r\nx-amz-checksum-crc32c:AAAAAA==\r\n\r\n")),
        ("not base64", plain(crc, "6\r\nforged\r\n0\r\nx-amz-checksum-crc32:%%%\r\n\r\n")),
        (
            "twice",
            plain(
                crc,
                "6\r\nforged\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
            ),
        ),
        ("cut off", plain(crc, "6\r\nforged\r\n0\r\nx-amz-checksum-crc32:AAA")),
        ("unknown", plain("x-amz-meta-note", "6\r\nforged\r\n0\r\nx-amz-meta-note:x\r\n\r\n")),
        (
            "endless",
            plain(crc, &format!("6\r\nforged\r\n0\r\nx-amz-checksum-crc32:{}\r\n\r\n", "A".repeat(70_000))),
        ),
    ];
    for (case, ask) in cases {
        let reply = bad.world.ask(&ask).await;
        assert!(matches!(reply.status, 400 | 501), "{case}: {} {}", reply.status, reply.text());
        bad.unchanged(case).await;
    }
    bad.over().await;
}

/// A body cut off in the middle, by the client or by what stands between.
#[tokio::test]
async fn an_upload_that_breaks_off_leaves_the_old_version() {
    let bad = Bad::start().await;
    let large = vec![b'f'; 300_000];
    let new = |target: &str| Ask::new("PUT", target).body(large.clone());
    let (upload, _) = bad.world.upload("olga", "big").await;
    let before = bad.world.state().await;
    let part = format!("/olga/big?uploadId={upload}&partNumber=1");
    let signer = bad.world.signer("olga");
    let mut asks = vec![
        signer.in_chunks(put(), &[&large], &[]),
        bad.s3(new("/olga/file")),
        bad.s3(new("/olga/other")),
        bad.s3(new(&part)),
        bad.dav(new("/dav/olga/file")),
        bad.dav(new("/dav/olga/other")),
    ];
    let chunked = bad.dav(Ask::new("PUT", "/dav/olga/file").with("transfer-encoding", "chunked"));
    asks.push(Ask { body: [b"30d40\r\n", &large[..]].concat(), ..chunked });
    for ask in &asks {
        for sent in [0, 1, 65_536, ask.body.len() - 1] {
            if ask.header("transfer-encoding").is_some() && sent + 1 == ask.body.len() {
                continue;
            }
            let mut raw = Raw::connect(bad.world.server.address()).await;
            raw.send(ask.head()).await;
            raw.send(&ask.body[..sent]).await;
            sleep(Duration::from_millis(20)).await;
            drop(raw);
        }
    }
    sleep(Duration::from_millis(300)).await;
    assert_eq!(before, bad.world.state().await);
    let gone = bad.world.ask(&bad.s3(Ask::new("DELETE", &format!("/olga/big?uploadId={upload}")))).await;
    assert_eq!(gone.status, 204);
    bad.over().await;
}

#[tokio::test]
async fn lengths_that_lie_are_refused() {
    let bad = Bad::start().await;
    for (case, length) in
        [("no number", "six"), ("negative", "-6"), ("two", "6, 7"), ("huge", "99999999999999999999")]
    {
        for ask in [
            bad.s3(put().with("content-length", length).body("forged")),
            bad.dav(Ask::new("PUT", "/dav/olga/file").with("content-length", length).body("forged")),
        ] {
            let reply = ask.send(bad.world.server.address()).await;
            assert!(reply.is_none_or(|reply| reply.status == 400), "{case}");
            bad.unchanged(case).await;
        }
    }
    let huge = put().with("content-length", "5368709121").with("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    bad.s3_is("more than 5 GiB", huge, 400, "EntityTooLarge").await;
    let open = put().with("transfer-encoding", "chunked").with("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    bad.s3_is("no length", open.body("6\r\nforged\r\n0\r\n\r\n"), 411, "MissingContentLength").await;
    let good = Ask::new("POST", "/olga?delete").with("content-md5", &md5("else"));
    let text = "<Delete><Object><Key>file</Key></Object></Delete>";
    bad.s3_is("another document's digest", good.body(text), 400, "BadDigest").await;
    bad.over().await;
}
