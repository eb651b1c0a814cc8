//! What is known gets through; what is not never reaches a plain operation.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

fn routed(method: &str, level: Level, query: &str) -> Result<Route, Code> {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let query = Query::parse(Some(query)).unwrap();
    route(&method, level, &query, false).map_err(|refusal| refusal.code)
}

use Level::{Bucket, Object, Service};

#[test]
fn known_requests_find_their_operation() {
    for (method, level, query, op) in [
        ("GET", Service, "x-id=ListBuckets", Op::ListBuckets),
        ("GET", Bucket, "", Op::ListObjects),
        ("GET", Bucket, "list-type=2&prefix=a&delimiter=/&fetch-owner=true", Op::ListObjectsV2),
        ("GET", Bucket, "versions&key-marker=a&version-id-marker=b", Op::ListObjectVersions),
        ("GET", Bucket, "uploads&max-uploads=3", Op::ListMultipartUploads),
        ("GET", Bucket, "location", Op::GetBucketLocation),
        ("GET", Bucket, "versioning", Op::GetBucketVersioning),
        ("PUT", Bucket, "versioning", Op::PutBucketVersioning),
        ("PUT", Bucket, "", Op::CreateBucket),
        ("HEAD", Bucket, "", Op::HeadBucket),
        ("DELETE", Bucket, "", Op::DeleteBucket),
        ("POST", Bucket, "delete=", Op::DeleteObjects),
        ("GET", Object, "response-content-type=a&versionId=null", Op::GetObject),
        ("HEAD", Object, "partNumber=1", Op::HeadObject),
        ("GET", Object, "attributes", Op::GetObjectAttributes),
        ("GET", Object, "uploadId=u&max-parts=2", Op::ListParts),
        ("PUT", Object, "x-id=PutObject", Op::PutObject),
        ("PUT", Object, "partNumber=1&uploadId=u", Op::UploadPart),
        ("DELETE", Object, "versionId=v", Op::DeleteObject),
        ("DELETE", Object, "uploadId=u", Op::AbortMultipartUpload),
        ("POST", Object, "uploads", Op::CreateMultipartUpload),
        ("POST", Object, "uploadId=u", Op::CompleteMultipartUpload),
    ] {
        assert_eq!(routed(method, level, query), Ok(Route::Run(op)), "{method} {query}");
    }
    let part = Query::parse(Some("partNumber=1&uploadId=u")).unwrap();
    assert_eq!(route(&Method::PUT, Object, &part, true).unwrap(), Route::Run(Op::UploadPartCopy));
    assert_eq!(route(&Method::PUT, Object, &Query::default(), true).unwrap(), Route::Run(Op::CopyObject));
}

#[test]
fn an_unknown_sub_resource_never_reaches_the_plain_operation() {
    let names = [
        "x",
        "acl",
        "tagging",
        "policy",
        "renameObject",
        "intelligent-tiering",
        "torrent",
        "events",
        "restore",
    ];
    for name in names {
        for method in ["PUT", "DELETE", "POST", "HEAD"] {
            for level in [Bucket, Object] {
                let outcome = routed(method, level, name);
                assert_eq!(outcome, Err(Code::NotImplemented), "{method} {level:?} {name}");
            }
        }
    }
    for (level, query) in
        [(Bucket, "x"), (Object, "x"), (Object, "torrent"), (Bucket, "analytics&id=1"), (Service, "x")]
    {
        assert_eq!(routed("GET", level, query), Err(Code::NotImplemented), "{query}");
    }
}

#[test]
fn a_version_without_a_name_is_not_the_current_one() {
    for method in ["GET", "HEAD", "DELETE"] {
        assert_eq!(routed(method, Object, "versionId="), Err(Code::InvalidArgument), "{method}");
    }
}

#[test]
fn half_a_part_upload_is_no_put() {
    for query in ["uploadId=u", "partNumber=1", "versionId=v"] {
        assert_eq!(routed("PUT", Object, query), Err(Code::InvalidArgument), "{query}");
    }
    assert_eq!(routed("PUT", Object, "uploadId=u&uploadId=v&partNumber=1"), Err(Code::InvalidArgument));
    assert_eq!(routed("GET", Bucket, "list-type=3"), Err(Code::InvalidArgument));
}

#[test]
fn what_is_not_configured_has_the_code_of_aws() {
    let missing = |name| match routed("GET", Bucket, name) {
        Ok(Route::OfBucket(Stub::Missing(code))) => (code.as_str(), code.status().as_u16()),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(missing("policy"), ("NoSuchBucketPolicy", 404));
    assert_eq!(missing("encryption"), ("ServerSideEncryptionConfigurationNotFoundError", 404));
    assert_eq!(missing("publicAccessBlock"), ("NoSuchPublicAccessBlockConfiguration", 404));
    assert!(matches!(routed("GET", Bucket, "acl"), Ok(Route::OfBucket(Stub::Acl))));
    assert!(matches!(routed("GET", Object, "tagging"), Ok(Route::OfObject(Stub::Document(_)))));
    for method in ["OPTIONS", "PATCH", "TRACE", "PROPFIND"] {
        assert_eq!(routed(method, Object, ""), Err(Code::MethodNotAllowed));
    }
}

#[test]
fn headers_of_features_to_come_are_refused_by_name() {
    let refused = |name: &'static str, value: &'static str, op| {
        let pair = (HeaderName::from_static(name), HeaderValue::from_static(value));
        headers::check(&HeaderMap::from_iter([pair]), Some(op)).err().map(|refusal| refusal.code)
    };
    for name in [
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-object-lock-mode",
        "x-amz-grant-read",
        "x-amz-website-redirect-location",
        "x-amz-write-offset-bytes",
        "x-amz-rename-source",
        "x-amz-checksum-sha512",
    ] {
        assert_eq!(refused(name, "a", Op::PutObject), Some(Code::NotImplemented), "{name}");
    }
    for (name, value, answer) in [
        ("x-amz-acl", "private", None),
        ("x-amz-acl", "bucket-owner-full-control", None),
        ("x-amz-acl", "public-read", Some(Code::NotImplemented)),
        ("x-amz-acl", "nobody", Some(Code::InvalidArgument)),
        ("x-amz-storage-class", "STANDARD", None),
        ("x-amz-storage-class", "GLACIER", Some(Code::NotImplemented)),
        ("x-amz-tagging", "a=b", Some(Code::NotImplemented)),
        ("x-amz-request-payer", "requester", None),
        ("x-amz-request-payer", "nobody", Some(Code::NotImplemented)),
        ("x-amz-security-token", "t", Some(Code::InvalidToken)),
        ("x-amz-meta-anything", "x", None),
        ("content-range", "bytes 0-1/2", Some(Code::NotImplemented)),
        ("if-match", "*", None),
    ] {
        assert_eq!(refused(name, value, Op::PutObject), answer, "{name}: {value}");
    }
    assert_eq!(refused("if-match", "*", Op::UploadPart), Some(Code::NotImplemented));
}
