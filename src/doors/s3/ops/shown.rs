//! A version as headers and elements show it, the same for every operation.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use s3s::{
    S3Result,
    dto::{ETag, Owner, Timestamp as S3Timestamp},
};

use super::{
    super::{code::Code, error::Refusal, payload::checksums::header_name},
    attributes, checksums,
};
use crate::{
    domain::nouns::{self, FileVersion, Item, VersionRef},
    model::{checksum::Checksum, etag::Etag, ids::VersionId, time::Timestamp},
};

/// Content type of content whose client said none.
const DEFAULT_TYPE: &str = "binary/octet-stream";
const VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");
const CHECKSUM_TYPE: HeaderName = HeaderName::from_static("x-amz-checksum-type");

/// A tag in the library's type.
pub(super) fn etag(etag: &Etag) -> Option<ETag> {
    Some(ETag::Strong(etag.as_str().to_owned()))
}

/// A time in the library's type.
pub(super) fn time(at: Timestamp) -> Option<S3Timestamp> {
    let distance = Duration::from_millis(at.0.unsigned_abs());
    let time = if at.0 < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    time.map(|time: SystemTime| S3Timestamp::from(time))
}

/// A version as S3 names it.
pub(super) fn version_ref(version: VersionRef) -> String {
    match version {
        VersionRef::Id(id) => id.to_string(),
        VersionRef::Null => "null".to_owned(),
    }
}

/// The same from a version's id.
pub(super) fn named(id: VersionId, null: bool) -> String {
    version_ref(if null { VersionRef::Null } else { VersionRef::Id(id) })
}

/// The id of a version where the bucket names versions.
pub(super) fn version_id(version: &FileVersion) -> Option<String> {
    version.versioned.then(|| named(version.id, version.null))
}

/// What a literal key names.
pub(super) fn file(item: Item) -> S3Result<FileVersion> {
    match item {
        Item::File(version) => Ok(version),
        Item::Folder(_) => Err(Refusal::new(Code::NoSuchKey).into()),
    }
}

/// Who owns a bucket.
pub(super) fn owner(owner: nouns::Owner) -> Owner {
    Owner { display_name: Some(owner.display_name), id: Some(owner.canonical_id) }
}

/// Headers a signed request wants instead of what is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Overrides {
    pub(super) cache_control: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) expires: Option<String>,
}

/// The headers that describe a version, without those about the bytes sent.
pub(super) fn headers(version: &FileVersion, wanted: Overrides) -> HeaderMap {
    let kept = version.attributes.clone();
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: Option<String>| {
        // Raw UTF-8 where it is not ASCII; a value that no header can carry was never accepted.
        if let Some(Ok(value)) = value.map(|value| HeaderValue::from_bytes(value.as_bytes())) {
            headers.insert(name, value);
        }
    };
    set(header::ACCEPT_RANGES, Some("bytes".into()));
    set(header::ETAG, Some(version.etag.quoted()));
    set(header::LAST_MODIFIED, Some(version.committed.http_date()));
    set(header::CACHE_CONTROL, wanted.cache_control.or(kept.cache_control));
    set(header::CONTENT_DISPOSITION, wanted.content_disposition.or(kept.content_disposition));
    set(header::CONTENT_ENCODING, wanted.content_encoding.or(kept.content_encoding));
    set(header::CONTENT_LANGUAGE, wanted.content_language.or(kept.content_language));
    let default = || Some(DEFAULT_TYPE.to_owned());
    set(header::CONTENT_TYPE, wanted.content_type.or(kept.content_type).or_else(default));
    set(header::EXPIRES, wanted.expires.or(kept.expires));
    set(VERSION_ID, version_id(version));
    for (name, value) in attributes::user(version) {
        if let Ok(name) = HeaderName::try_from(format!("x-amz-meta-{name}")) {
            set(name, Some(worded(value)));
        }
    }
    headers
}

/// Text as a header has it: an encoded word of RFC 2047 where it is not ASCII.
fn worded(text: String) -> String {
    if text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)) {
        return text;
    }
    format!("=?UTF-8?B?{}?=", STANDARD.encode(text))
}

/// Adds checksums and their type as headers.
pub(super) fn add_checksums(headers: &mut HeaderMap, sums: &[Checksum]) {
    add_part_checksums(headers, sums);
    if let Some(first) = sums.first() {
        let kind = checksums::kind_of_value(first.parts.is_some());
        headers.insert(CHECKSUM_TYPE, HeaderValue::from_static(kind));
    }
}

/// Adds the checksums of a part, which have no type.
pub(super) fn add_part_checksums(headers: &mut HeaderMap, sums: &[Checksum]) {
    for sum in sums {
        let name = HeaderName::try_from(header_name(sum.kind));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(checksums::written(sum))) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_that_is_not_ascii_leaves_as_an_encoded_word() {
        assert_eq!(worded("plain ~ text".into()), "plain ~ text");
        assert_eq!(worded("é".into()), "=?UTF-8?B?w6k=?=");
        assert_eq!(worded("a\u{7f}".into()), "=?UTF-8?B?YX8=?=");
    }

    #[test]
    fn times_before_1970_can_be_shown() {
        assert!(time(Timestamp(-1500)).is_some());
        assert_eq!(time(Timestamp(0)), Some(S3Timestamp::default()));
    }
}
