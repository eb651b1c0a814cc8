//! Reading an object: the whole, a range or a part of it, or its headers alone.

use std::ops::Range;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use s3s::{S3Request, S3Response, S3Result, dto::*};

use super::{
    super::{
        answer::{StatusOverride, blob},
        code::Code,
        error::Refusal,
        request::Parsed,
    },
    Answer, Ops,
    multipart::number,
    shown,
    shown::Overrides,
};
use crate::{
    domain::{Error, Opened, error::BadPart, nouns::FileVersion},
    model::{etag::Etag, range::Unsatisfiable},
};

/// What of an object is asked for.
struct Wanted {
    parsed: Parsed,
    version: Option<String>,
    part: Option<i32>,
    checksums: bool,
    if_range: Option<HeaderValue>,
    overrides: Overrides,
}

/// An object opened, with the bytes that are to be sent and the headers that describe them.
struct Found {
    opened: Opened,
    bytes: Range<u64>,
    partial: bool,
    headers: HeaderMap,
}

/// Takes apart what GET and HEAD have in common, which the library has as two types.
macro_rules! wanted {
    ($request:expr) => {{
        let input = &$request.input;
        Wanted {
            parsed: Parsed::of(&$request.extensions)?,
            version: input.version_id.clone(),
            part: input.part_number,
            checksums: input
                .checksum_mode
                .as_ref()
                .is_some_and(|mode| mode.as_str().eq_ignore_ascii_case(ChecksumMode::ENABLED)),
            if_range: $request.headers.get(header::IF_RANGE).cloned(),
            overrides: Overrides {
                cache_control: input.response_cache_control.clone(),
                content_disposition: input.response_content_disposition.clone(),
                content_encoding: input.response_content_encoding.clone(),
                content_language: input.response_content_language.clone(),
                content_type: input.response_content_type.clone(),
                expires: input.response_expires.as_ref().and_then(http_date),
            },
        }
    }};
}

pub(super) async fn get(ops: &Ops, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
    let found = find(ops, wanted!(request)).await?;
    let body = blob(found.opened.begin(found.bytes).await?);
    let output = GetObjectOutput { body: Some(body), ..Default::default() };
    Ok(with_headers(output, found.headers, found.partial))
}

pub(super) async fn head(ops: &Ops, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
    let found = find(ops, wanted!(request)).await?;
    Ok(with_headers(HeadObjectOutput::default(), found.headers, found.partial))
}

fn with_headers<T>(output: T, headers: HeaderMap, partial: bool) -> S3Response<T> {
    let mut response = S3Response::new(output);
    response.headers = headers;
    if partial {
        response.extensions.insert(StatusOverride(StatusCode::PARTIAL_CONTENT));
    }
    response
}

fn http_date(at: &Timestamp) -> Option<String> {
    let mut text = Vec::new();
    at.format(TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}

async fn find(ops: &Ops, wanted: Wanted) -> S3Result<Found> {
    let Wanted { parsed, version, part, checksums, if_range, overrides } = wanted;
    if part.is_some() && parsed.taken.range.is_some() {
        let said = "Cannot specify both Range header and partNumber query parameter";
        return Err(Refusal::say(Code::InvalidRequest, said).into());
    }
    let part = part.map(number).transpose()?;
    let version = parsed.version(version.as_deref())?;
    let opened =
        ops.holdall.open(&parsed.caller, &parsed.address()?, version, &parsed.taken.conditions).await?;
    let file = &opened.version;
    let asked = parsed.taken.range.filter(|_| if_range.is_none_or(|value| still(&value, file)));
    let range = match (part, asked) {
        (Some(part), _) => Some(opened.part(part).await.map_err(no_such_part)?),
        (None, Some(range)) => {
            let outside = |Unsatisfiable| Error::BadRange { size: file.size };
            Some(range.resolve(file.size).map_err(outside)?)
        }
        (None, None) => None,
    };
    let mut headers = shown::headers(file, overrides);
    if let Some(parts) = file.parts.filter(|_| part.is_some()) {
        headers.insert("x-amz-mp-parts-count", HeaderValue::from(parts));
    }
    // Checksums are of the whole, and clients hold them against what they got.
    if checksums && range.as_ref().is_none_or(|range| *range == (0..file.size)) {
        shown::add_checksums(&mut headers, &file.checksums);
    }
    // There is no way to write the range of no bytes at all.
    let range = range.filter(|range| !range.is_empty());
    let partial = range.is_some();
    if let Some(range) = &range {
        let text = format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), file.size);
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(header::CONTENT_RANGE, value);
        }
    }
    let bytes = range.unwrap_or(0..file.size);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.end.saturating_sub(bytes.start)));
    Ok(Found { opened, bytes, partial, headers })
}

fn no_such_part(error: Error) -> Refusal {
    match error {
        Error::BadPart(BadPart::Unknown, _) => Refusal::new(Code::InvalidPartNumber),
        other => other.into(),
    }
}

/// Whether the version is the one whose rest a client wants (RFC 9110 §13.1.5).
fn still(if_range: &HeaderValue, file: &FileVersion) -> bool {
    let Ok(text) = if_range.to_str() else { return false };
    let text = text.trim();
    if text.starts_with("W/") {
        return false;
    }
    text == file.committed.http_date() || Etag::from_text(text) == file.etag
}
