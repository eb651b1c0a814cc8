//! XML bodies: gathered within bounds, verified and checked before an operation sees them.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::{
    allow::Op,
    code::Code,
    error::{Refusal, of_io},
    payload::{self, DeclaredSlot, Plan},
    xml,
};
use crate::{
    domain::nouns::Declared,
    doors::gate::{Body, body::within},
    model::{
        checksum::{Checksum, ChecksumKind},
        digest::Digester,
        limits::{DOCUMENT_SECONDS, S3_XML_BYTES},
    },
};

/// The body of an operation that takes a document; empty where it may be left out.
pub(crate) async fn collect(op: Op, plan: Plan, body: Body) -> Result<(Bytes, DeclaredSlot), Refusal> {
    let limit = u64::try_from(S3_XML_BYTES).unwrap_or(u64::MAX);
    if plan.expected.size.is_some_and(|size| size > limit) {
        return Err(Refusal::new(Code::MalformedXML));
    }
    let body = within(body, Duration::from_secs(DOCUMENT_SECONDS));
    let (mut body, slot) = payload::open(plan, body);
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| of_io(&error))?;
        let data = frame.into_data().unwrap_or_default();
        if bytes.len() + data.len() > S3_XML_BYTES {
            return Err(Refusal::new(Code::MalformedXML));
        }
        bytes.extend_from_slice(&data);
    }
    let bytes = bytes.freeze();
    verify(op, &slot.take()?, &bytes)?;
    if !bytes.is_empty() {
        xml::check(&bytes)?;
        xml::check_elements(&bytes, elements(op))?;
    }
    Ok((bytes, DeclaredSlot::default()))
}

/// Refuses a body where none belongs: its sender believes that the bytes are kept.
pub(crate) async fn refuse_any(plan: &Plan, mut body: Body) -> Result<(), Refusal> {
    let mut found = plan.expected.size.is_some_and(|size| size > 0);
    while !found && let Some(frame) = body.frame().await {
        let data = frame.map_err(|error| of_io(&error))?.into_data().unwrap_or_default();
        found = !data.is_empty();
    }
    if found { Err(Refusal::say(Code::InvalidRequest, "This request has no body.")) } else { Ok(()) }
}

fn verify(op: Op, declared: &Declared, bytes: &[u8]) -> Result<(), Refusal> {
    // On Complete the checksum is that of the object, not of the list of parts.
    let sums = if op == Op::CompleteMultipartUpload { &[][..] } else { &declared.checksums };
    let kinds: Vec<ChecksumKind> = sums.iter().map(|sum| sum.kind).collect();
    let mut digester = Digester::new(declared.sha256.is_some(), &kinds);
    digester.update(bytes);
    let found = digester.finish();
    if declared.sha256 != found.sha256 {
        return Err(Refusal::new(Code::XAmzContentSHA256Mismatch));
    }
    let differs = |sum: &Checksum| found.checksum(sum.kind).is_none_or(|found| found.value != sum.value);
    if declared.md5.is_some_and(|md5| md5 != found.md5) || sums.iter().any(differs) {
        return Err(Refusal::new(Code::BadDigest));
    }
    if op == Op::DeleteObjects && declared.md5.is_none() && declared.checksums.is_empty() {
        let said = "Missing required header for this request: Content-MD5";
        return Err(Refusal::say(Code::InvalidRequest, said));
    }
    Ok(())
}

/// What a document may hold: what is read of it, and what is not built.
fn elements(op: Op) -> xml::Elements {
    let (read, unbuilt): (&[&str], &[&str]) = match op {
        Op::CreateBucket => (
            &["CreateBucketConfiguration", "CreateBucketConfiguration/LocationConstraint"],
            &[
                "CreateBucketConfiguration/Bucket",
                "CreateBucketConfiguration/Location",
                "CreateBucketConfiguration/Tags",
            ],
        ),
        Op::PutBucketVersioning => (
            &[
                "VersioningConfiguration",
                "VersioningConfiguration/MfaDelete",
                "VersioningConfiguration/Status",
            ],
            &[],
        ),
        Op::DeleteObjects => (
            &[
                "Delete",
                "Delete/Quiet",
                "Delete/Object",
                "Delete/Object/Key",
                "Delete/Object/VersionId",
                "Delete/Object/ETag",
                "Delete/Object/LastModifiedTime",
                "Delete/Object/Size",
            ],
            &[],
        ),
        Op::CompleteMultipartUpload => (
            &[
                "CompleteMultipartUpload",
                "CompleteMultipartUpload/Part",
                "CompleteMultipartUpload/Part/PartNumber",
                "CompleteMultipartUpload/Part/ETag",
                "CompleteMultipartUpload/Part/ChecksumCRC32",
                "CompleteMultipartUpload/Part/ChecksumCRC32C",
                "CompleteMultipartUpload/Part/ChecksumCRC64NVME",
                "CompleteMultipartUpload/Part/ChecksumSHA1",
                "CompleteMultipartUpload/Part/ChecksumSHA256",
            ],
            &[
                "CompleteMultipartUpload/Part/ChecksumMD5",
                "CompleteMultipartUpload/Part/ChecksumSHA512",
                "CompleteMultipartUpload/Part/ChecksumXXHASH128",
                "CompleteMultipartUpload/Part/ChecksumXXHASH3",
                "CompleteMultipartUpload/Part/ChecksumXXHASH64",
            ],
        ),
        _ => (&[], &[]),
    };
    xml::Elements { read, unbuilt }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use http::{HeaderMap, HeaderName, HeaderValue};
    use md5::{Digest, Md5};

    use super::*;
    use crate::doors::{
        gate::body,
        s3::payload::{Kind, checksums},
    };

    async fn collected(op: Op, sent: &str, pairs: &[(&'static str, String)]) -> Result<Bytes, Code> {
        let mut headers: HeaderMap = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        headers.insert("content-length", HeaderValue::from(sent.len()));
        let plan = payload::plan(&headers, None, None, Kind::Xml).map_err(|refusal| refusal.code)?;
        let outcome = collect(op, plan, body::full(sent.to_owned())).await;
        outcome.map(|(bytes, _)| bytes).map_err(|refusal| refusal.code)
    }

    fn md5_of(text: &str) -> (&'static str, String) {
        ("content-md5", STANDARD.encode(Md5::digest(text)))
    }

    #[tokio::test]
    async fn a_list_of_deletions_must_come_with_a_digest() {
        let text = "<Delete><Object><Key>a</Key></Object></Delete>";
        assert!(collected(Op::DeleteObjects, text, &[md5_of(text)]).await.is_ok());
        assert_eq!(collected(Op::DeleteObjects, text, &[]).await, Err(Code::InvalidRequest));
        assert_eq!(collected(Op::DeleteObjects, text, &[md5_of("x")]).await, Err(Code::BadDigest));
        let crc = |of: &str| {
            let value = checksums::of_bytes(ChecksumKind::Crc32, of.as_bytes());
            ("x-amz-checksum-crc32", STANDARD.encode(value))
        };
        assert!(collected(Op::DeleteObjects, text, &[crc(text)]).await.is_ok());
        assert_eq!(collected(Op::DeleteObjects, text, &[crc("x")]).await, Err(Code::BadDigest));
        let parts = "<CompleteMultipartUpload><Part/></CompleteMultipartUpload>";
        assert!(collected(Op::CompleteMultipartUpload, parts, &[crc("the object")]).await.is_ok());
    }

    #[tokio::test]
    async fn an_empty_body_is_left_to_the_operation_and_a_huge_one_refused() {
        assert_eq!(collected(Op::CreateBucket, "", &[]).await, Ok(Bytes::new()));
        let huge = format!("<a>{}</a>", "x".repeat(S3_XML_BYTES));
        assert_eq!(collected(Op::CreateBucket, &huge, &[]).await, Err(Code::MalformedXML));
        assert_eq!(collected(Op::CreateBucket, "<a>", &[]).await, Err(Code::MalformedXML));
    }
}
