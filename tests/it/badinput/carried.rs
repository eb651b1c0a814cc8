//! A header that an operation takes is carried out: each demand is made where it is not met, of every
//! operation that does not refuse the header, and nothing may come of the request.

use holdall::doors::s3;

use super::Bad;
use crate::common::ask::Ask;

/// A request of each operation that would be carried out, on things that are there: `{upload}` is one
/// under way for `file`.
const REQUESTS: [(&str, &str, &str); 24] = [
    ("ListBuckets", "GET", "/"),
    ("CreateBucket", "PUT", "/fresh"),
    ("HeadBucket", "HEAD", "/olga"),
    ("DeleteBucket", "DELETE", "/olga-empty"),
    ("GetBucketLocation", "GET", "/olga?location"),
    ("GetBucketVersioning", "GET", "/olga?versioning"),
    ("PutBucketVersioning", "PUT", "/olga?versioning"),
    ("ListObjects", "GET", "/olga"),
    ("ListObjectsV2", "GET", "/olga?list-type=2"),
    ("ListObjectVersions", "GET", "/olga?versions"),
    ("ListMultipartUploads", "GET", "/olga?uploads"),
    ("DeleteObjects", "POST", "/olga?delete"),
    ("GetObject", "GET", "/olga/file"),
    ("HeadObject", "HEAD", "/olga/file"),
    ("GetObjectAttributes", "GET", "/olga/file?attributes"),
    ("PutObject", "PUT", "/olga/file"),
    ("CopyObject", "PUT", "/olga/file"),
    ("DeleteObject", "DELETE", "/olga/file"),
    ("CreateMultipartUpload", "POST", "/olga/file?uploads"),
    ("UploadPart", "PUT", "/olga/file?uploadId={upload}&partNumber=2"),
    ("UploadPartCopy", "PUT", "/olga/file?uploadId={upload}&partNumber=2"),
    ("CompleteMultipartUpload", "POST", "/olga/file?uploadId={upload}"),
    ("ListParts", "GET", "/olga/file?uploadId={upload}"),
    ("AbortMultipartUpload", "DELETE", "/olga/file?uploadId={upload}"),
];

/// A checksum of each kind that no body here has.
const SUMS: [(&str, &str); 5] = [
    ("x-amz-checksum-crc32", "AAAAAA=="),
    ("x-amz-checksum-crc32c", "AAAAAA=="),
    ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
    ("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ("x-amz-checksum-sha256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
];

const PAST: &str = "Thu, 01 Dec 1994 16:00:00 GMT";
const FUTURE: &str = "Fri, 01 Dec 2090 16:00:00 GMT";

fn request((op, method, target): (&str, &str, &str), (upload, etag): &(String, String)) -> Ask {
    let ask = Ask::new(method, &target.replace("{upload}", upload));
    match op {
        "PutObject" | "UploadPart" => ask.body("forged"),
        "CopyObject" | "UploadPartCopy" => ask.with("x-amz-copy-source", "olga/folder/inside"),
        "GetObjectAttributes" => ask.with("x-amz-object-attributes", "ETag"),
        "PutBucketVersioning" => {
            ask.body("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
        }
        "CreateBucket" => ask.body("<CreateBucketConfiguration/>"),
        "DeleteObjects" => ask.body("<Delete><Object><Key>file</Key></Object></Delete>"),
        "CompleteMultipartUpload" => ask.body(format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
             </CompleteMultipartUpload>"
        )),
        _ => ask,
    }
}

async fn started() -> (Bad, (String, String)) {
    for op in s3::OPERATIONS {
        assert!(REQUESTS.iter().any(|(name, ..)| name == op), "{op} is not among the requests");
    }
    let mut bad = Bad::start().await;
    let upload = bad.world.upload("olga", "file").await;
    bad.before = bad.world.state().await;
    (bad, upload)
}

#[tokio::test]
async fn an_owner_who_is_not_the_expected_one_ends_every_operation() {
    let (bad, upload) = started().await;
    for case in REQUESTS {
        let ask = request(case, &upload).with("x-amz-expected-bucket-owner", &"0".repeat(64));
        // Neither is about a bucket that is there.
        if matches!(case.0, "ListBuckets" | "CreateBucket") {
            continue;
        }
        let code = if case.1 == "HEAD" { "" } else { "AccessDenied" };
        bad.s3_is(case.0, ask, 403, code).await;
        if !s3::refuses_header(case.0, "x-amz-source-expected-bucket-owner") {
            let ask = request(case, &upload).with("x-amz-source-expected-bucket-owner", &"0".repeat(64));
            bad.s3_is(case.0, ask, 403, "AccessDenied").await;
        }
    }
    bad.over().await;
}

#[tokio::test]
async fn a_digest_that_differs_ends_every_operation_with_a_body() {
    let (bad, upload) = started().await;
    let mut met = 0;
    for case in REQUESTS {
        let ask = || request(case, &upload);
        if !ask().body.is_empty() {
            let wrong = ask().with("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==");
            bad.s3_is(&format!("Content-MD5 of {}", case.0), wrong, 400, "BadDigest").await;
            let hash = ask().with("x-amz-content-sha256", &"0".repeat(64));
            bad.s3_is(&format!("SHA-256 of {}", case.0), hash, 400, "XAmzContentSHA256Mismatch").await;
            met += 1;
        }
        for (name, value) in SUMS.into_iter().filter(|(name, _)| !s3::refuses_header(case.0, name)) {
            let text = format!("{name} of {}", case.0);
            bad.s3_is(&text, ask().with(name, value), 400, "BadDigest").await;
            met += 1;
        }
    }
    assert_eq!(met, 6 * 6, "four documents, an object and a part");
    bad.over().await;
}

#[tokio::test]
async fn a_condition_that_is_not_met_ends_every_operation_that_takes_it() {
    let (bad, upload) = started().await;
    let other = "\"0123456789abcdef0123456789abcdef\"";
    let mut met = 0;
    for case in REQUESTS {
        for (name, value) in [
            ("if-match", other),
            ("if-none-match", "*"),
            ("if-unmodified-since", PAST),
            ("x-amz-copy-source-if-match", other),
            ("x-amz-copy-source-if-none-match", "*"),
            ("x-amz-copy-source-if-modified-since", FUTURE),
            ("x-amz-copy-source-if-unmodified-since", PAST),
        ] {
            if s3::refuses_header(case.0, name) {
                continue;
            }
            let reads = matches!(case.1, "GET" | "HEAD");
            let status = if reads && name == "if-none-match" { 304 } else { 412 };
            let code = if reads { "" } else { "PreconditionFailed" };
            let ask = request(case, &upload).with(name, value);
            bad.s3_is(&format!("{name} of {}", case.0), ask, status, code).await;
            met += 1;
        }
    }
    assert_eq!(met, 6 * 3 + 2 * 4);
    bad.over().await;
}
