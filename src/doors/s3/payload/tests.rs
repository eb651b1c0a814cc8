//! Headers about bodies, and bodies that are not what they say.

use http::{HeaderName, HeaderValue};

use super::*;
use crate::{
    doors::{gate::body, s3::error::of_io},
    model::checksum::ChecksumKind,
};
use http_body_util::BodyExt;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn code_of(pairs: &[(&'static str, &str)], payload: Option<&str>) -> Code {
    plan(&headers(pairs), payload, None, Kind::Stream).unwrap_err().code
}

async fn read(
    pairs: &[(&'static str, &str)],
    payload: Option<&str>,
    sent: &str,
) -> Result<(String, Declared), Code> {
    let plan = plan(&headers(pairs), payload, None, Kind::Stream).map_err(|refusal| refusal.code)?;
    let (body, slot) = open(plan, body::full(sent.to_owned()));
    let bytes = body.collect().await.map_err(|error| of_io(&error).code)?.to_bytes();
    Ok((String::from_utf8(bytes.to_vec()).unwrap(), slot.take().unwrap()))
}

const TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const CHUNKED: [(&str, &str); 2] =
    [("x-amz-decoded-content-length", "5"), ("x-amz-trailer", "x-amz-checksum-crc32")];

#[tokio::test]
async fn a_plain_body_is_counted_and_its_declarations_kept() {
    let pairs = [
        ("content-length", "5"),
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
        ("x-amz-checksum-crc32", "NhCmhg=="),
        ("x-amz-sdk-checksum-algorithm", "CRC32"),
    ];
    let (text, declared) = read(&pairs, Some(EMPTY_SHA256), "hello").await.unwrap();
    assert_eq!((text.as_str(), declared.size), ("hello", Some(5)));
    assert!(declared.md5.is_some() && declared.sha256.is_some());
    assert_eq!(declared.checksums[0].value, checksums::of_bytes(ChecksumKind::Crc32, b"hello"));
    for sent in ["hell", "hello!"] {
        assert_eq!(read(&pairs, None, sent).await.unwrap_err(), Code::IncompleteBody);
    }
}

#[tokio::test]
async fn a_trailer_completes_what_is_declared() {
    let good = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
    let (text, declared) = read(&CHUNKED, Some(TRAILER), good).await.unwrap();
    assert_eq!((text.as_str(), declared.checksums.len()), ("hello", 1));
    let early = "5\r\nhello\r\n";
    assert_eq!(read(&CHUNKED, Some(TRAILER), early).await.unwrap_err(), Code::IncompleteBody);
    let narrow = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCm\r\n\r\n";
    assert_eq!(read(&CHUNKED, Some(TRAILER), narrow).await.unwrap_err(), Code::InvalidRequest);
}

#[tokio::test]
async fn nothing_is_declared_of_a_body_that_was_not_read_to_its_end() {
    let plan = plan(&headers(&[("content-length", "5")]), None, None, Kind::Stream).unwrap();
    let (_, slot) = open(plan, body::full("hello"));
    assert_eq!(slot.take().unwrap_err().code, Code::InternalError);
}

#[test]
fn headers_that_make_no_sense_are_refused() {
    let length = ("content-length", "5");
    for (pairs, code) in [
        (vec![length, ("content-md5", "abc")], Code::InvalidDigest),
        (vec![length, ("content-md5", "YWJj")], Code::InvalidDigest),
        (vec![length, ("x-amz-checksum-crc32", "NhCmhg")], Code::InvalidRequest),
        (vec![length, ("x-amz-checksum-crc32c", "YWJj")], Code::InvalidRequest),
        (
            vec![length, ("x-amz-checksum-crc32", "NhCmhg=="), ("x-amz-checksum-crc32c", "NhCmhg==")],
            Code::InvalidRequest,
        ),
        (vec![length, ("x-amz-sdk-checksum-algorithm", "CRC32")], Code::InvalidRequest),
        (vec![length, ("x-amz-sdk-checksum-algorithm", "MD4")], Code::InvalidRequest),
        (
            vec![length, ("x-amz-sdk-checksum-algorithm", "SHA1"), ("x-amz-checksum-crc32", "NhCmhg==")],
            Code::InvalidRequest,
        ),
        (vec![length, ("x-amz-trailer", "x-amz-checksum-crc32")], Code::InvalidRequest),
        (vec![], Code::MissingContentLength),
        (vec![("content-length", "x")], Code::InvalidRequest),
        (vec![("content-length", "5368709121")], Code::EntityTooLarge),
    ] {
        assert_eq!(code_of(&pairs, None), code, "{pairs:?}");
    }
    assert_eq!(code_of(&[length], Some("abc")), Code::InvalidArgument);
    assert_eq!(code_of(&[length], Some(TRAILER)), Code::MissingContentLength);
    assert_eq!(code_of(&CHUNKED, Some("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")), Code::InvalidArgument);
    assert_eq!(code_of(&CHUNKED, Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")), Code::AccessDenied);
    assert_eq!(
        code_of(&[CHUNKED[0], ("x-amz-trailer", "x-amz-meta-a")], Some(TRAILER)),
        Code::InvalidRequest
    );
}

#[test]
fn a_request_without_body_is_signed_for_the_empty_one() {
    let other = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    let none =
        |payload| plan(&HeaderMap::new(), Some(payload), None, Kind::None).map(|_| ()).map_err(|r| r.code);
    assert_eq!(none(EMPTY_SHA256), Ok(()));
    assert_eq!(none(UNSIGNED), Ok(()));
    assert_eq!(none(other), Err(Code::XAmzContentSHA256Mismatch));
}
