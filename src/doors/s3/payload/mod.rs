//! What a request says of its body, and the body as the operations read it: decoded, counted,
//! with what was declared at hand once it has ended. Digests are verified by the domain, which
//! computes them beside storing; XML bodies are verified here.

pub(crate) mod checksums;
mod stream;
#[cfg(test)]
mod tests;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};

use self::checksums::Announced;
pub(crate) use self::stream::{DeclaredSlot, open};
use super::{
    chunked,
    code::Code,
    error::Refusal,
    sigv4::{EMPTY_SHA256, Seed},
};
use crate::{
    domain::nouns::{Declared, Expected},
    doors::gate::conditions::{Unreadable, only},
    model::limits::S3_PUT_BYTES,
};

/// The body is not signed.
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// What the name of every streaming form starts with.
const STREAMING: &str = "STREAMING-";

/// What kind of body an operation takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// None: what comes is not read.
    None,
    /// A document, gathered and checked before the operation runs.
    Xml,
    /// Content, streamed.
    Stream,
}

/// A body to be read.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Known before the bytes come.
    pub(crate) expected: Expected,
    /// Known without the trailers.
    pub(crate) declared: Declared,
    coding: Option<chunked::Plan>,
}

/// Reads what the headers say. `payload` is what the signature, or the header of an anonymous
/// request, says of the body.
pub(crate) fn plan(
    headers: &HeaderMap,
    payload: Option<&str>,
    seed: Option<Seed>,
    kind: Kind,
) -> Result<Plan, Refusal> {
    let announced = if kind == Kind::None { Announced::default() } else { checksums::announced(headers)? };
    if kind == Kind::Stream && announced.value.as_ref().is_some_and(|value| value.parts.is_some()) {
        return Err(Refusal::say(Code::InvalidRequest, "A checksum over parts is for multipart uploads."));
    }
    let md5 = headers.get(header::HeaderName::from_static("content-md5")).map(|v| md5(v.as_bytes()));
    let payload = payload.unwrap_or(UNSIGNED);
    let mut declared = Declared { md5: md5.transpose()?, ..Declared::default() };
    declared.checksums.extend(announced.value.clone());
    if let Some(form) = payload.strip_prefix(STREAMING) {
        let coding = coding(headers, form, seed, &announced)?;
        declared.size = Some(coding.length);
        return finish(declared, &announced, Some(coding), kind);
    }
    if announced.trailer.is_some() {
        let said = "x-amz-trailer needs a streaming x-amz-content-sha256";
        return Err(Refusal::say(Code::InvalidRequest, said));
    }
    declared.size = content_length(headers)?;
    let decoded = header_text(headers, "x-amz-decoded-content-length")?.map(number);
    if decoded.is_some_and(|decoded| decoded.is_none() || decoded != declared.size) {
        let said = "x-amz-decoded-content-length differs from Content-Length, and the body is not coded";
        return Err(Refusal::say(Code::InvalidRequest, said));
    }
    declared.sha256 = (payload != UNSIGNED).then(|| sha256(payload)).transpose()?;
    if kind == Kind::None && declared.size.is_none_or(|size| size == 0) && signed_else(payload) {
        return Err(Refusal::new(Code::XAmzContentSHA256Mismatch));
    }
    if kind == Kind::Stream && declared.size.is_none() {
        return Err(Refusal::new(Code::MissingContentLength));
    }
    finish(declared, &announced, None, kind)
}

/// A hash that is not that of the empty body.
fn signed_else(payload: &str) -> bool {
    payload != UNSIGNED && !payload.eq_ignore_ascii_case(EMPTY_SHA256)
}

fn finish(
    declared: Declared,
    announced: &Announced,
    coding: Option<chunked::Plan>,
    kind: Kind,
) -> Result<Plan, Refusal> {
    if kind == Kind::Stream && declared.size.is_some_and(|size| size > S3_PUT_BYTES) {
        return Err(Refusal::new(Code::EntityTooLarge)
            .with("ProposedSize", declared.size.unwrap_or_default().to_string())
            .with("MaxSizeAllowed", S3_PUT_BYTES.to_string()));
    }
    let expected = Expected {
        size: declared.size,
        checksums: announced.kind().into_iter().collect(),
        sha256: declared.sha256.is_some(),
        ..Expected::default()
    };
    Ok(Plan { expected, declared, coding })
}

fn coding(
    headers: &HeaderMap,
    form: &str,
    seed: Option<Seed>,
    announced: &Announced,
) -> Result<chunked::Plan, Refusal> {
    let (signed, trailer) = match form {
        "AWS4-HMAC-SHA256-PAYLOAD" => (true, false),
        "AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => (true, true),
        "UNSIGNED-PAYLOAD-TRAILER" => (false, true),
        _ => return Err(bad_sha256()),
    };
    // A signed stream whose request is not signed has no first signature.
    let seed = match (signed, seed) {
        (true, Some(seed)) => Some(seed),
        (true, None) => return Err(Refusal::new(Code::AccessDenied)),
        (false, _) => None,
    };
    if announced.trailer.is_some() && !trailer {
        return Err(Refusal::new(Code::MalformedTrailerError));
    }
    let length = header_text(headers, "x-amz-decoded-content-length")?
        .ok_or_else(|| Refusal::new(Code::MissingContentLength))?;
    let length = number(length).ok_or_else(|| {
        Refusal::say(Code::InvalidArgument, "The x-amz-decoded-content-length header is not a number.")
    })?;
    let names = announced.trailer.map(checksums::header_name).into_iter().collect();
    Ok(chunked::Plan { seed, trailers: trailer.then_some(names), length })
}

fn bad_sha256() -> Refusal {
    Refusal::say(
        Code::InvalidArgument,
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
         STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
    )
}

fn sha256(text: &str) -> Result<[u8; 32], Refusal> {
    let mut value = [0; 32];
    hex::decode_to_slice(text, &mut value).map_err(|_| bad_sha256())?;
    Ok(value)
}

fn md5(text: &[u8]) -> Result<[u8; 16], Refusal> {
    let value = STANDARD.decode(text.trim_ascii()).ok().and_then(|bytes| bytes.try_into().ok());
    value.ok_or_else(|| Refusal::say(Code::InvalidDigest, "The Content-MD5 you specified was invalid."))
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let text = header_text(headers, "content-length")?;
    let bad = || Refusal::say(Code::InvalidRequest, "The Content-Length header is not a number.");
    text.map(|text| number(text).ok_or_else(bad)).transpose()
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The one value of a header; twice, or not text, is refused.
pub(crate) fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    only(headers, name).map_err(|Unreadable(name)| malformed(&name))
}

pub(crate) fn malformed(header: &str) -> Refusal {
    Refusal::say(Code::InvalidRequest, format!("The header {header} is malformed."))
}
