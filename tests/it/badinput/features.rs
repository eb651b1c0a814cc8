//! What a client asks for and nobody built is told, never dropped (invariant 12), and a
//! sub-resource nobody knows is never the plain operation.

use super::Bad;
use crate::common::ask::Ask;

/// Sub-resources of AWS whose feature comes later, and one that never will.
const SUB_RESOURCES: [&str; 34] = [
    "acl",
    "accelerate",
    "analytics",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "lifecycle",
    "logging",
    "metadataConfiguration",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "tagging",
    "website",
    "legal-hold",
    "retention",
    "restore",
    "select",
    "torrent",
    "renameObject",
    "append",
    "session",
    "versions",
    "location",
    "attributes",
    "unknown",
];

#[tokio::test]
async fn a_sub_resource_that_is_not_built_is_never_the_plain_operation() {
    let bad = Bad::start().await;
    for name in SUB_RESOURCES {
        for method in ["PUT", "DELETE", "POST", "HEAD"] {
            for at in ["/olga-empty", "/olga/file"] {
                let target = format!("{at}?{name}");
                let case = format!("{method} {target}");
                let ask = Ask::new(method, &target).body(if method == "HEAD" { "" } else { "forged" });
                let code = if method == "HEAD" { "" } else { "NotImplemented" };
                bad.s3_is(&case, ask, 501, code).await;
            }
        }
    }
    for target in
        ["/olga?unknown", "/olga/file?unknown", "/olga?analytics&id=x", "/olga/file?torrent", "/?unknown"]
    {
        bad.s3_is(target, Ask::new("GET", target), 501, "NotImplemented").await;
    }
    for target in
        ["/olga?unknown=1&list-type=2", "/olga/file?versionId=null&unknown", "/olga?list-type=2&acl=1&x"]
    {
        bad.s3_is(target, Ask::new("GET", target), 501, "NotImplemented").await;
    }
    bad.over().await;
}

#[tokio::test]
async fn a_sub_resource_that_is_not_configured_has_the_code_of_aws() {
    let bad = Bad::start().await;
    for (target, code) in [
        ("/olga?policy", "NoSuchBucketPolicy"),
        ("/olga?policyStatus", "NoSuchBucketPolicy"),
        ("/olga?cors", "NoSuchCORSConfiguration"),
        ("/olga?lifecycle", "NoSuchLifecycleConfiguration"),
        ("/olga?encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("/olga?tagging", "NoSuchTagSet"),
        ("/olga?object-lock", "ObjectLockConfigurationNotFoundError"),
        ("/olga?replication", "ReplicationConfigurationNotFoundError"),
        ("/olga?website", "NoSuchWebsiteConfiguration"),
        ("/olga?publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
        ("/olga?ownershipControls", "OwnershipControlsNotFoundError"),
        ("/olga/file?retention", "NoSuchObjectLockConfiguration"),
        ("/olga/file?legal-hold", "NoSuchObjectLockConfiguration"),
        ("/absent?policy", "NoSuchBucket"),
        ("/olga/none?tagging", "NoSuchKey"),
    ] {
        bad.s3_is(target, Ask::new("GET", target), 404, code).await;
    }
    bad.over().await;
}

/// Headers whose feature comes later, with a value a client would send.
const HEADERS: [(&str, &str); 33] = [
    ("x-amz-acl", "public-read"),
    ("x-amz-grant-read", "id=\"x\""),
    ("x-amz-grant-write", "id=\"x\""),
    ("x-amz-grant-read-acp", "id=\"x\""),
    ("x-amz-grant-write-acp", "id=\"x\""),
    ("x-amz-grant-full-control", "id=\"x\""),
    ("x-amz-storage-class", "GLACIER"),
    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ("x-amz-tagging", "a=b"),
    ("x-amz-tagging-count", "1"),
    ("x-amz-website-redirect-location", "/elsewhere"),
    ("x-amz-server-side-encryption", "AES256"),
    ("x-amz-server-side-encryption", "aws:kms"),
    ("x-amz-server-side-encryption-aws-kms-key-id", "x"),
    ("x-amz-server-side-encryption-context", "x"),
    ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
    ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
    ("x-amz-server-side-encryption-customer-key", "x"),
    ("x-amz-server-side-encryption-customer-key-md5", "x"),
    ("x-amz-copy-source-server-side-encryption-customer-algorithm", "AES256"),
    ("x-amz-object-lock-mode", "COMPLIANCE"),
    ("x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z"),
    ("x-amz-object-lock-legal-hold", "ON"),
    ("x-amz-bucket-object-lock-enabled", "true"),
    ("x-amz-object-ownership", "ObjectWriter"),
    ("x-amz-mfa", "x 1"),
    ("x-amz-write-offset-bytes", "7"),
    ("x-amz-rename-source", "/olga/file"),
    ("x-amz-replication-status", "x"),
    ("x-amz-restore", "x"),
    ("x-amz-checksum-sha512", "x"),
    ("x-amz-if-match-size", "1"),
    ("x-amz-unknown", "x"),
];

#[tokio::test]
async fn headers_of_features_to_come_are_refused_by_name() {
    let bad = Bad::start().await;
    for (name, value) in HEADERS {
        let asks = [
            Ask::new("PUT", "/olga/file").body("forged"),
            Ask::new("PUT", "/olga/copy").with("x-amz-copy-source", "olga/file"),
            Ask::new("POST", "/olga/other?uploads"),
            Ask::new("DELETE", "/olga/file"),
            Ask::new("PUT", "/fresh"),
            Ask::new("GET", "/olga/file"),
            Ask::new("GET", "/olga?list-type=2"),
        ];
        for ask in asks {
            let case = format!("{name}: {value} with {} {}", ask.method, ask.target);
            bad.s3_is(&case, ask.with(name, value), 501, "NotImplemented").await;
        }
    }
    let token = Ask::new("PUT", "/olga/file").with("x-amz-security-token", "x").body("forged");
    bad.s3_is("a session token", token, 400, "InvalidToken").await;
    let range = Ask::new("PUT", "/olga/file").with("content-range", "bytes 0-5/12").body("forged");
    bad.s3_is("Content-Range", range, 501, "NotImplemented").await;
    for (name, value) in [("if", "(<urn:uuid:x>)"), ("oc-chunked", "1")] {
        for (method, at) in
            [("PUT", "/dav/olga/file"), ("DELETE", "/dav/olga/file"), ("MKCOL", "/dav/olga/made")]
        {
            bad.dav_is(name, Ask::new(method, at).with(name, value), 501).await;
        }
    }
    bad.over().await;
}
