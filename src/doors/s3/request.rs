//! What the operations read instead of the headers the library would misread.

use std::ops::Range;

use http::{Extensions, HeaderMap, HeaderName, header};
use s3s::S3Result;

use super::{
    allow::Op,
    attributes::{self, joined},
    code::Code,
    error::Refusal,
    payload::{DeclaredSlot, header_text, malformed},
    target::{CopySource, Target, version_ref},
};
use crate::{
    domain::{
        caller::Caller,
        nouns::{Attributes, Expected, VersionRef},
    },
    doors::gate::conditions::{self as gate, ConditionNames, IF, Unreadable},
    model::{
        address::{Address, ItemPath, ObjectKey},
        condition::Conditions,
        name::BucketName,
        range::ByteRange,
    },
};

/// What GetObjectAttributes may be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ObjectAttribute {
    Etag,
    Checksum,
    ObjectParts,
    StorageClass,
    ObjectSize,
}

impl ObjectAttribute {
    fn parse(text: &str) -> Result<Self, Refusal> {
        Ok(match text {
            "ETag" => Self::Etag,
            "Checksum" => Self::Checksum,
            "ObjectParts" => Self::ObjectParts,
            "StorageClass" => Self::StorageClass,
            "ObjectSize" => Self::ObjectSize,
            _ => return Err(Refusal::say(Code::InvalidArgument, "Invalid attribute name specified.")),
        })
    }
}

/// Handed to the operations in the request's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    /// Who asks; verbs decide.
    pub(crate) caller: Caller,
    /// What the path names.
    pub(crate) target: Target,
    /// What was taken off the headers.
    pub(crate) taken: Taken,
    /// What is known of the body before it is read.
    pub(crate) expected: Expected,
    /// What is known of it afterwards.
    pub(crate) declared: DeclaredSlot,
}

impl Parsed {
    /// What the layer left. A request without it did not pass the layer, and nothing is done.
    pub(crate) fn of(extensions: &Extensions) -> S3Result<Self> {
        let parsed = extensions.get::<Self>().cloned();
        parsed.ok_or_else(|| Refusal::internal("a request reached an operation past the outer layer").into())
    }

    /// The bucket.
    pub(crate) fn bucket(&self) -> S3Result<&BucketName> {
        self.target.bucket.as_ref().ok_or_else(|| Refusal::internal("no bucket was parsed").into())
    }

    /// The key.
    pub(crate) fn key(&self) -> S3Result<&ObjectKey> {
        self.target.key.as_ref().ok_or_else(|| Refusal::internal("no key was parsed").into())
    }

    /// Bucket and key.
    pub(crate) fn address(&self) -> S3Result<Address> {
        Ok(Address::key(self.bucket()?.clone(), self.key()?.clone()))
    }

    /// The bucket itself.
    pub(crate) fn whole_bucket(&self) -> S3Result<Address> {
        Ok(Address::path(self.bucket()?.clone(), ItemPath::root()))
    }

    /// Where to copy from.
    pub(crate) fn source(&self) -> S3Result<&CopySource> {
        self.taken.source.as_ref().ok_or_else(|| Refusal::internal("no copy source was parsed").into())
    }

    /// A version id of the query.
    pub(crate) fn version(&self, text: Option<&str>) -> S3Result<Option<VersionRef>> {
        Ok(text.filter(|text| !text.is_empty()).map(version_ref).transpose()?)
    }
}

/// What [`take`] takes off the headers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    /// `Range`, if it is one well-formed range.
    pub(crate) range: Option<ByteRange>,
    /// `If-*`.
    pub(crate) conditions: Conditions,
    /// `x-amz-copy-source`.
    pub(crate) source: Option<CopySource>,
    /// `x-amz-copy-source-if-*`.
    pub(crate) source_conditions: Conditions,
    /// `x-amz-copy-source-range`.
    pub(crate) source_range: Option<Range<u64>>,
    /// Content headers and user metadata.
    pub(crate) attributes: Attributes,
    /// `x-amz-object-attributes`.
    pub(crate) object_attributes: Vec<ObjectAttribute>,
}

const SOURCE: HeaderName = HeaderName::from_static("x-amz-copy-source");
const SOURCE_RANGE: HeaderName = HeaderName::from_static("x-amz-copy-source-range");
const SOURCE_CONDITIONS: ConditionNames = [
    HeaderName::from_static("x-amz-copy-source-if-match"),
    HeaderName::from_static("x-amz-copy-source-if-none-match"),
    HeaderName::from_static("x-amz-copy-source-if-modified-since"),
    HeaderName::from_static("x-amz-copy-source-if-unmodified-since"),
];
const OBJECT_ATTRIBUTES: HeaderName = HeaderName::from_static("x-amz-object-attributes");

/// Takes off the headers what the library would misread.
pub(crate) fn take(headers: &mut HeaderMap, op: Op) -> Result<Taken, Refusal> {
    let range = joined(headers, &header::RANGE, ",").and_then(|text| ByteRange::parse(&text));
    headers.remove(header::RANGE);
    let copies = matches!(op, Op::CopyObject | Op::UploadPartCopy);
    let source = joined(headers, &SOURCE, ",").filter(|_| copies);
    let source_range = header_text(headers, SOURCE_RANGE.as_str())?.map(parse_source_range).transpose()?;
    headers.remove(SOURCE_RANGE);
    let listed = joined(headers, &OBJECT_ATTRIBUTES, ",");
    headers.remove(OBJECT_ATTRIBUTES);
    let missing = || Refusal::say(Code::InvalidArgument, "x-amz-object-attributes is missing");
    let object_attributes = match listed {
        Some(list) => {
            list.split(',').map(|name| ObjectAttribute::parse(name.trim())).collect::<Result<_, _>>()?
        }
        None if op == Op::GetObjectAttributes => return Err(missing()),
        None => Vec::new(),
    };
    Ok(Taken {
        range,
        conditions: conditions(headers, &IF)?,
        source: source.as_deref().map(CopySource::parse).transpose()?,
        source_conditions: conditions(headers, &SOURCE_CONDITIONS)?,
        source_range,
        attributes: attributes::take(headers),
        object_attributes,
    })
}

fn conditions(headers: &mut HeaderMap, names: &ConditionNames) -> Result<Conditions, Refusal> {
    let found = gate::conditions(headers, names).map_err(|Unreadable(name)| malformed(&name))?;
    for name in names {
        headers.remove(name);
    }
    Ok(found)
}

fn parse_source_range(text: &str) -> Result<Range<u64>, Refusal> {
    match ByteRange::parse(text) {
        Some(ByteRange::Between(first, last)) if last < u64::MAX => Ok(first..last + 1),
        _ => Err(Refusal::say(
            Code::InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are \
             the zero-based offsets of the first and last bytes to copy",
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::model::condition::EtagList;

    #[test]
    fn a_condition_that_cannot_be_understood_is_refused() {
        for (name, values) in [
            ("if-match", &["\"\u{e9}\""][..]),
            ("x-amz-copy-source-if-modified-since", &["Sun, 06 Nov 1994 08:49:37 GMT", "x"]),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            assert_eq!(take(&mut headers, Op::CopyObject).unwrap_err().code, Code::InvalidRequest, "{name}");
        }
    }

    #[test]
    fn what_the_library_would_misread_is_taken_off() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("range", "bytes=5-2"),
            ("if-match", "\"a\""),
            ("if-match", "b"),
            ("if-modified-since", "yesterday"),
            ("x-amz-copy-source", "abc/k"),
            ("x-amz-copy-source-if-none-match", "*"),
            ("x-amz-copy-source-range", "bytes=0-9"),
            ("x-amz-object-attributes", "ETag, ObjectSize"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let taken = take(&mut headers, Op::UploadPartCopy).unwrap();
        assert_eq!((taken.range, taken.source_range), (None, Some(0..10)));
        assert_eq!(taken.conditions.if_match, Some(EtagList::parse("a,b")));
        assert_eq!(taken.conditions.if_modified_since, None);
        assert_eq!(taken.source_conditions.if_none_match, Some(EtagList::Any));
        assert_eq!(taken.object_attributes, [ObjectAttribute::Etag, ObjectAttribute::ObjectSize]);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-amz-copy-source"]);
        headers.insert("x-amz-copy-source-range", HeaderValue::from_static("bytes=0-"));
        assert_eq!(take(&mut headers, Op::UploadPartCopy).unwrap_err().code, Code::InvalidArgument);
    }
}
