//! Every header that means something to some operation, on every operation: carried out, refused by
//! its name, or ignored because HTTP or AWS ignores it there; never silently dropped (invariant 12).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use holdall::doors::s3;
use md5::{Digest, Md5};

use super::Bad;
use crate::common::{
    ask::Ask,
    world::{PART, World},
};

/// A request of each operation, and of one that is answered "not configured".
const REQUESTS: [(&str, &str, &str); 25] = [
    ("", "GET", "/olga?acl"),
    ("ListBuckets", "GET", "/"),
    ("CreateBucket", "PUT", "/fresh"),
    ("HeadBucket", "HEAD", "/olga"),
    ("GetBucketLocation", "GET", "/olga?location"),
    ("GetBucketVersioning", "GET", "/olga?versioning"),
    ("PutBucketVersioning", "PUT", "/olga-two?versioning"),
    ("ListObjects", "GET", "/olga"),
    ("ListObjectsV2", "GET", "/olga?list-type=2"),
    ("ListObjectVersions", "GET", "/olga?versions"),
    ("ListMultipartUploads", "GET", "/olga?uploads"),
    ("GetObject", "GET", "/olga/file"),
    ("HeadObject", "HEAD", "/olga/file"),
    ("GetObjectAttributes", "GET", "/olga/file?attributes"),
    ("PutObject", "PUT", "/olga/file"),
    ("CopyObject", "PUT", "/olga/copy"),
    ("CreateMultipartUpload", "POST", "/olga/big?uploads"),
    ("UploadPart", "PUT", "/olga/big?uploadId={upload}&partNumber=2"),
    ("UploadPartCopy", "PUT", "/olga/big?uploadId={upload}&partNumber=2"),
    ("ListParts", "GET", "/olga/big?uploadId={upload}"),
    ("CompleteMultipartUpload", "POST", "/olga/big?uploadId={upload}"),
    ("AbortMultipartUpload", "DELETE", "/olga/big?uploadId={upload}"),
    ("DeleteObjects", "POST", "/olga?delete"),
    ("DeleteObject", "DELETE", "/olga/file"),
    ("DeleteBucket", "DELETE", "/olga-empty"),
];

/// Headers this test signs with.
const SIGNED: [&str; 3] = ["x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];

fn request((op, method, target): (&str, &str, &str), upload: &str) -> Ask {
    let ask = Ask::new(method, &target.replace("{upload}", upload));
    match op {
        "CopyObject" | "UploadPartCopy" => ask.with("x-amz-copy-source", "olga/file"),
        "GetObjectAttributes" => ask.with("x-amz-object-attributes", "ETag"),
        _ => ask,
    }
}

/// A value a client would send.
fn value(header: &str) -> &'static str {
    match header {
        "x-amz-acl" => "private",
        "x-amz-storage-class" => "STANDARD",
        "x-amz-object-ownership" => "BucketOwnerEnforced",
        "x-amz-bucket-object-lock-enabled" => "false",
        "x-amz-tagging" => "",
        "x-amz-request-payer" => "requester",
        "x-amz-optional-object-attributes" => "RestoreStatus",
        "x-amz-copy-source" => "olga/file",
        "range" | "x-amz-copy-source-range" => "bytes=0-1",
        "content-range" => "bytes 0-1/7",
        "x-amz-checksum-algorithm" | "x-amz-sdk-checksum-algorithm" => "CRC32",
        "x-amz-trailer" => "x-amz-checksum-crc32",
        "x-amz-checksum-crc32" => "NhCmhg==",
        _ => "1",
    }
}

/// The header on that request, unless it makes it one of another operation.
fn dressed(ask: &Ask, op: &str, header: &str) -> Option<Ask> {
    let becomes_copy = header == "x-amz-copy-source" && matches!(op, "PutObject" | "UploadPart");
    if becomes_copy || SIGNED.contains(&header) || ask.header(header).is_some() {
        return None;
    }
    let name = if header.ends_with('-') { format!("{header}a") } else { header.to_owned() };
    Some(ask.clone().with(&name, value(header)))
}

#[tokio::test]
async fn a_header_that_is_not_carried_out_is_refused() {
    for op in s3::OPERATIONS {
        assert!(REQUESTS.iter().any(|(name, ..)| name == op), "{op} is not among the requests");
    }
    let mut bad = Bad::start().await;
    let (upload, _) = bad.world.upload("olga", "big").await;
    bad.before = bad.world.state().await;
    for case in REQUESTS {
        let ask = request(case, &upload);
        for header in s3::headers().into_iter().filter(|header| s3::refuses_header(case.0, header)) {
            let Some(ask) = dressed(&ask, case.0, header) else { continue };
            let reply = bad.world.ask(&bad.s3(ask)).await;
            assert_eq!(reply.status, 501, "{header} on {}: {}", case.0, reply.text());
            let named = reply.text().contains("<Code>NotImplemented</Code>");
            assert!(named || case.1 == "HEAD", "{header} on {}: {}", case.0, reply.text());
        }
        bad.unchanged(case.0).await;
    }
    bad.over().await;
}

#[tokio::test]
async fn a_header_that_is_carried_out_is_not_refused() {
    let world = World::start().await;
    let (upload, _) = world.upload("olga", "big").await;
    for case in REQUESTS {
        let ask = request(case, &upload);
        for header in s3::headers().into_iter().filter(|header| !s3::refuses_header(case.0, header)) {
            // A copy has the checksums of its source.
            if (case.0, header) == ("CopyObject", "x-amz-checksum-algorithm") {
                continue;
            }
            let Some(ask) = dressed(&ask, case.0, header) else { continue };
            let reply = world.ask(&world.signer("olga").sign(ask)).await;
            assert_ne!(reply.status, 501, "{header} on {}: {}", case.0, reply.text());
        }
    }
}

/// The table itself, where it was wrong once: these were accepted, and nothing came of them.
#[tokio::test]
async fn what_was_once_dropped_is_refused() {
    let mut bad = Bad::start().await;
    let (upload, _) = bad.world.upload("olga", "big").await;
    bad.before = bad.world.state().await;
    let put = || Ask::new("PUT", "/olga/file").body("forged");
    let copy = || Ask::new("PUT", "/olga/copy").with("x-amz-copy-source", "olga/file");
    let part = || Ask::new("PUT", &format!("/olga/big?uploadId={upload}&partNumber=2")).body("forged");
    let begin = || Ask::new("POST", "/olga/other?uploads");
    for (ask, name, value) in [
        (copy(), "x-amz-copy-source-range", "bytes=0-1"),
        (copy(), "x-amz-checksum-crc32", "AAAAAA=="),
        (copy(), "x-amz-checksum-sha256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        (copy(), "range", "bytes=0-1"),
        (put(), "x-amz-copy-source-if-match", "\"x\""),
        (put(), "x-amz-copy-source-range", "bytes=0-1"),
        (put(), "x-amz-mp-object-size", "3"),
        (put(), "x-amz-object-attributes", "ETag"),
        (put(), "x-amz-checksum-type", "COMPOSITE"),
        (put(), "x-amz-metadata-directive", "REPLACE"),
        (put(), "range", "bytes=0-1"),
        (part(), "x-amz-meta-colour", "red"),
        (part(), "if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        (part(), "x-amz-storage-class", "STANDARD"),
        (begin(), "x-amz-copy-source", "olga/file"),
        (begin(), "if-none-match", "*"),
    ] {
        let case = format!("{name} with {} {}", ask.method, ask.target);
        bad.s3_is(&case, ask.with(name, value), 501, "NotImplemented").await;
    }
    let decoded = put().with("x-amz-decoded-content-length", "3");
    bad.s3_is("a decoded length of no coding", decoded, 400, "InvalidRequest").await;
    for ask in [copy(), begin()] {
        bad.s3_is("a body", ask.clone().body("forged"), 400, "InvalidRequest").await;
        let chunked =
            ask.with("transfer-encoding", "chunked").with("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        let chunked = chunked.body("6\r\nforged\r\n0\r\n\r\n");
        bad.s3_is("a body in chunks", chunked, 400, "InvalidRequest").await;
    }
    let other = put().with("x-amz-checksum-algorithm", "SHA1").with("x-amz-checksum-crc32", "NhCmhg==");
    bad.s3_is("another algorithm", other, 400, "InvalidRequest").await;
    for target in ["/olga?acl", "/olga?policy", "/olga/file?tagging", "/olga/file"] {
        let ask = Ask::new("GET", target).with("x-amz-expected-bucket-owner", "somebody else");
        bad.s3_is(target, ask, 403, "AccessDenied").await;
    }
    bad.over().await;
}

/// Requests as aws-cli, the SDKs, rclone, s3cmd and browsers send them.
#[tokio::test]
async fn what_clients_send_is_understood() {
    let world = World::start().await;
    let ask = async |ask: Ask| {
        let case = format!("{} {} {:?}", ask.method, ask.target, ask.headers);
        let reply = world.ask(&world.signer("olga").sign(ask)).await;
        assert!(matches!(reply.status, 200 | 204 | 206), "{case}: {} {}", reply.status, reply.text());
        reply
    };
    let sdk = |ask: Ask| {
        ask.with("x-amz-user-agent", "aws-sdk-js/3").with("x-amz-te", "append-md5").with("te", "trailers")
    };
    let hello = || sdk(Ask::new("PUT", "/olga/new").body("hello")).with("x-amz-request-payer", "requester");
    let crc = ("x-amz-checksum-crc32", "NhCmhg==");
    ask(hello().with(crc.0, crc.1).with("x-amz-sdk-checksum-algorithm", "CRC32")).await;
    ask(hello().with(crc.0, crc.1).with("x-amz-checksum-algorithm", "CRC32")).await;
    ask(hello().with("x-amz-decoded-content-length", "5").with("x-amz-acl", "private")).await;
    let computed = ask(hello().with("x-amz-checksum-algorithm", "SHA256")).await;
    let sum = Some("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
    assert_eq!(computed.header("x-amz-checksum-sha256"), sum, "asked for without a value");
    let got = ask(Ask::new("GET", "/olga/new").with("x-amz-checksum-mode", "ENABLED")).await;
    assert_eq!(got.header("x-amz-checksum-sha256"), sum);
    ask(Ask::new("GET", "/olga/new").with("range", "bytes=0-1").with("x-amz-request-payer", "requester"))
        .await;
    for target in ["/olga", "/olga?list-type=2", "/olga?versions", "/olga?uploads", "/"] {
        let list = Ask::new("GET", target).with("range", "bytes=0-9");
        let reply = ask(list.with("if-modified-since", "Sun, 06 Nov 2094 08:49:37 GMT")).await;
        assert!(reply.status == 200 && reply.text().contains("Result>"), "{target}: {}", reply.text());
    }
    let (upload, etag) = world.upload("olga", "big").await;
    let part = Ask::new("PUT", &format!("/olga/big?uploadId={upload}&partNumber=1")).body(PART);
    ask(sdk(part).with("x-amz-checksum-algorithm", "CRC32").with("content-type", "text/plain")).await;
    let document = format!(
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><ETag>{etag}</ETag>\
         <PartNumber>1</PartNumber></Part></CompleteMultipartUpload>"
    );
    let done = Ask::new("POST", &format!("/olga/big?uploadId={upload}")).body(document);
    ask(sdk(done).with("x-amz-mp-object-size", "6")).await;
    let document =
        "<Delete><Quiet>true</Quiet><Object><Key>new</Key><VersionId>null</VersionId></Object></Delete>";
    let delete = Ask::new("POST", "/olga?delete").body(document);
    let md5 = STANDARD.encode(Md5::digest(document));
    ask(delete.with("content-md5", &md5).with("x-amz-bypass-governance-retention", "true")).await;
}
