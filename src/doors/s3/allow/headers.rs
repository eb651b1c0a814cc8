//! Which headers a request may carry. One whose feature is not built is refused by its name:
//! nothing a client asks for is silently dropped.

use http::{HeaderMap, header};

use super::Op;
use crate::doors::s3::{code::Code, error::Refusal};

/// `x-amz-*` headers that mean something here, or nothing anywhere.
const KNOWN: [&str; 39] = [
    "x-amz-bypass-governance-retention",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-mode",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-unmodified-since",
    "x-amz-copy-source-range",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner",
    "x-amz-max-parts",
    "x-amz-metadata-directive",
    "x-amz-mp-object-size",
    "x-amz-object-attributes",
    "x-amz-optional-object-attributes",
    "x-amz-part-number-marker",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-source-expected-bucket-owner",
    "x-amz-tagging-directive",
    "x-amz-trailer",
    "x-amz-user-agent",
    // Checked by value below.
    "x-amz-acl",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-object-ownership",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-security-token",
    "x-amz-request-id",
    "x-amz-id-2",
    "x-amz-te",
];

const CANNED: [&str; 8] = [
    "private",
    "bucket-owner-full-control",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "log-delivery-write",
];

fn not_built(name: &str) -> Refusal {
    let said = format!("The header {name} implies functionality that is not implemented.");
    Refusal::say(Code::NotImplemented, said).with("Header", name)
}

/// Refuses headers whose feature is not built.
pub(crate) fn check(headers: &HeaderMap, op: Option<Op>) -> Result<(), Refusal> {
    for (name, value) in headers {
        let name = name.as_str();
        if !name.starts_with("x-amz-") || name.starts_with("x-amz-meta-") {
            continue;
        }
        if !KNOWN.contains(&name) {
            return Err(not_built(name));
        }
        by_value(name, value.to_str().unwrap_or("\u{fffd}"))?;
    }
    if headers.contains_key(header::CONTENT_RANGE)
        && op.is_some_and(|op| op == Op::PutObject || op == Op::UploadPart)
    {
        return Err(not_built("Content-Range"));
    }
    if !op.is_some_and(Op::takes_conditions) {
        for name in [header::IF_MATCH, header::IF_NONE_MATCH] {
            if headers.contains_key(&name) {
                return Err(not_built(name.as_str()));
            }
        }
    }
    Ok(())
}

fn by_value(name: &str, value: &str) -> Result<(), Refusal> {
    let accepted: &[&str] = match name {
        "x-amz-acl" if !CANNED.contains(&value) => return Err(Refusal::new(Code::InvalidArgument)),
        "x-amz-acl" => &["private", "bucket-owner-full-control"],
        "x-amz-storage-class" => &["STANDARD"],
        "x-amz-object-ownership" => &["BucketOwnerEnforced"],
        "x-amz-bucket-object-lock-enabled" => &["false", "False"],
        "x-amz-tagging" => &[""],
        "x-amz-security-token" => return Err(Refusal::new(Code::InvalidToken)),
        _ => return Ok(()),
    };
    if accepted.contains(&value) { Ok(()) } else { Err(not_built(name)) }
}
