//! From an error of the domain, or of this door itself, to a code of S3. Knows nothing of XML:
//! what a refusal looks like on the wire is `answer`'s.

use std::{borrow::Cow, io};

use http::{HeaderName, HeaderValue, StatusCode, header};
use s3s::{S3Error, S3ErrorCode, StdError};

use super::code::Code;
use crate::{
    domain::error::{BadPart, BadSumType, Error, Large, Many, Sum, Unrecognised, What},
    model::limits::RETRY_AFTER_SECONDS,
};

/// A refusal on its way to the client.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// What a program reads.
    pub(crate) code: Code,
    /// What a person reads.
    pub(crate) message: Cow<'static, str>,
    /// Headers of the answer.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// More elements of the error document, by name.
    pub(crate) extra: Vec<(&'static str, String)>,
    /// What the log gets and the client does not.
    pub(crate) reason: Option<String>,
}

impl Refusal {
    /// With the code's own sentence.
    pub(crate) fn new(code: Code) -> Self {
        Self::say(code, code.message())
    }

    /// With a more exact sentence.
    pub(crate) fn say(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let (headers, extra) = (Vec::new(), Vec::new());
        Self { code, message: message.into(), headers, extra, reason: None }
    }

    /// With a header of the answer; a value no header can carry is left out.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// With the time after which a retry makes sense.
    fn later(mut self) -> Self {
        self.headers.push((header::RETRY_AFTER, RETRY_AFTER_SECONDS.into()));
        self
    }

    /// With one more element in the error document.
    pub(crate) fn with(mut self, element: &'static str, text: impl Into<String>) -> Self {
        self.extra.push((element, text.into()));
        self
    }

    /// A fault of ours; the reason is for the log.
    pub(crate) fn internal(reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..Self::new(Code::InternalError) }
    }

    /// The status it is sent with.
    pub(crate) fn status(&self) -> StatusCode {
        self.code.status()
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Refusal {}

const AMZ_DELETE_MARKER: HeaderName = HeaderName::from_static("x-amz-delete-marker");
const AMZ_VERSION_ID: HeaderName = HeaderName::from_static("x-amz-version-id");

fn missing(what: What) -> Code {
    match what {
        What::Bucket => Code::NoSuchBucket,
        What::Version => Code::NoSuchVersion,
        What::Upload => Code::NoSuchUpload,
        What::File | What::Item | What::Parent | What::Lock => Code::NoSuchKey,
        What::Account | What::Email | What::Credential => Code::InvalidAccessKeyId,
    }
}

fn bad_part(why: BadPart) -> Code {
    match why {
        BadPart::Unknown => Code::InvalidPart,
        BadPart::Order => Code::InvalidPartOrder,
        BadPart::TooSmall => Code::EntityTooSmall,
        BadPart::Number => Code::InvalidArgument,
        BadPart::Checksum => Code::InvalidRequest,
    }
}

fn unrecognised(why: Unrecognised) -> Code {
    match why {
        Unrecognised::Missing | Unrecognised::Wrong => Code::AccessDenied,
        Unrecognised::UnknownKey | Unrecognised::Disabled => Code::InvalidAccessKeyId,
        Unrecognised::Signature => Code::SignatureDoesNotMatch,
    }
}

impl From<Error> for Refusal {
    // One arm per kind and none for the rest: a new kind asks here for its answer.
    fn from(error: Error) -> Self {
        let said = error.to_string();
        match error {
            Error::NotFound(what, _) => Self::new(missing(what)),
            Error::DeleteMarker { version, current, at, .. } => {
                let answer = if current {
                    Self::new(Code::NoSuchKey)
                } else {
                    Self::new(Code::MethodNotAllowed)
                        .header(header::ALLOW, "DELETE")
                        .header(header::LAST_MODIFIED, &at.http_date())
                };
                answer.header(AMZ_DELETE_MARKER, "true").header(AMZ_VERSION_ID, &version)
            }
            Error::Exists(What::Bucket, _) => Self::new(Code::BucketAlreadyExists),
            Error::Exists(..) => Self::say(Code::OperationAborted, said),
            Error::ExistsYours(_) => Self::new(Code::BucketAlreadyOwnedByYou),
            Error::NotEmpty(_) => Self::new(Code::BucketNotEmpty),
            Error::Denied(_) => Self { reason: Some(said), ..Self::new(Code::AccessDenied) },
            Error::Unauthenticated(why) => Self::new(unrecognised(why)),
            Error::PreconditionFailed(_) => Self::new(Code::PreconditionFailed),
            Error::NotModified { etag, modified } => Self::new(Code::NotModified)
                .header(header::ETAG, &etag.quoted())
                .header(header::LAST_MODIFIED, &modified.http_date()),
            Error::Conflict(_) => Self::say(Code::ConditionalRequestConflict, said),
            Error::Partly { .. } | Error::Locked(_) => Self::say(Code::OperationAborted, said),
            Error::TooLarge { what: what @ Large::Source, limit } => Self::say(
                too_large(what),
                format!(
                    "The specified copy source is larger than the maximum allowable size for a copy source: {limit}"
                ),
            ),
            Error::TooLarge { what, .. } => Self::say(too_large(what), said),
            Error::TooMany { what: Many::Buckets, .. } => Self::new(Code::TooManyBuckets),
            Error::TooMany {
                what:
                    Many::AccessKeys
                    | Many::AppPasswords
                    | Many::Locks
                    | Many::LocksHere
                    | Many::Props
                    | Many::PropBytes
                    | Many::PropsBytes
                    | Many::Rows,
                ..
            } => Self::say(Code::InvalidRequest, said),
            Error::OverQuota { .. } => Self::say(Code::QuotaExceeded, said),
            Error::DiskFull => Self::new(Code::InsufficientStorage),
            Error::BadName { .. } => Self::say(Code::InvalidBucketName, said),
            Error::BadAddress(why) => Self::from(why),
            Error::Invalid(_) => Self::say(Code::InvalidArgument, said),
            Error::BadRange { size } => {
                Self::new(Code::InvalidRange).header(header::CONTENT_RANGE, &format!("bytes */{size}"))
            }
            Error::BadSumType(why) => Self::say(Code::InvalidRequest, bad_sum_type(why)),
            Error::BadPart(why, _) => Self { message: said.into(), ..Self::new(bad_part(why)) },
            Error::Incomplete { .. } => Self::new(Code::IncompleteBody),
            Error::ChecksumDiffers(Sum::Payload) => Self::new(Code::XAmzContentSHA256Mismatch),
            Error::ChecksumDiffers(kind @ (Sum::Md5 | Sum::Extra(_) | Sum::Checksum(_))) => Self::say(
                Code::BadDigest,
                format!("The {kind} you specified did not match what we received."),
            ),
            Error::Unsupported(_) => Self::say(Code::NotImplemented, said),
            Error::Busy(_) => Self::new(Code::SlowDown).later(),
            Error::Unavailable { reason } => {
                Self { reason: Some(reason), ..Self::new(Code::ServiceUnavailable).later() }
            }
            Error::Damaged { reason, .. } => Self::internal(format!("{said}: {reason}")),
            Error::Internal { reason } => Self::internal(reason),
        }
    }
}

/// What AWS says of it.
fn bad_sum_type(why: BadSumType) -> &'static str {
    match why {
        BadSumType::NotOverParts(_) => {
            "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm."
        }
        BadSumType::OverPartsOnly(_) => {
            "The FULL_OBJECT checksum type cannot be used with the sha checksum algorithms."
        }
        BadSumType::BegunOverParts => {
            "The upload was created using the COMPOSITE checksum mode. The complete request must use the same \
             checksum mode."
        }
        BadSumType::BegunOverWhole => {
            "The upload was created using the FULL_OBJECT checksum mode. The complete request must use the \
             same checksum mode."
        }
    }
}

fn too_large(what: Large) -> Code {
    match what {
        Large::UserMetadata | Large::Header(_) => Code::MetadataTooLarge,
        Large::Source => Code::InvalidRequest,
        Large::File | Large::Password | Large::LockOwner => Code::EntityTooLarge,
    }
}

impl From<crate::model::address::BadAddress> for Refusal {
    fn from(why: crate::model::address::BadAddress) -> Self {
        use crate::model::address::BadAddress;
        match why {
            BadAddress::TooLong => Self::new(Code::KeyTooLongError),
            BadAddress::Empty | BadAddress::Segment => Self::say(Code::InvalidArgument, why.to_string()),
        }
    }
}

impl From<crate::model::name::BadName> for Refusal {
    fn from(why: crate::model::name::BadName) -> Self {
        Self::say(Code::InvalidBucketName, format!("A bucket name {why}."))
    }
}

impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        let code =
            S3ErrorCode::from_bytes(refusal.code.as_str().as_bytes()).unwrap_or(S3ErrorCode::InternalError);
        let mut error = S3Error::with_message(code, refusal.message);
        error.set_status_code(refusal.code.status());
        if !refusal.headers.is_empty() {
            error.set_headers(refusal.headers.into_iter().collect());
        }
        if let Some(reason) = refusal.reason {
            tracing::warn!(code = refusal.code.as_str(), reason, "an S3 request failed");
        }
        error
    }
}

impl From<Error> for S3Error {
    fn from(error: Error) -> Self {
        Refusal::from(error).into()
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        Self::other(refusal)
    }
}

/// The refusal inside a body's error; a body that just broke off is incomplete.
pub(crate) fn of_io(error: &io::Error) -> Refusal {
    if error.kind() == io::ErrorKind::TimedOut {
        return Refusal::new(Code::RequestTimeout);
    }
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Refusal>())
        .cloned()
        .unwrap_or_else(|| Refusal::new(Code::IncompleteBody))
}

/// The same for the error of a stream that s3s handed over.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(crate) fn of_body(error: StdError) -> S3Error {
    let refusal = error.downcast_ref::<io::Error>().map(of_io);
    refusal.unwrap_or_else(|| Refusal::new(Code::IncompleteBody)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{checksum::ChecksumKind, etag::Etag, name::BadName, time::Timestamp};

    #[test]
    fn every_kind_of_error_has_its_code() {
        let marker = |current| Error::DeleteMarker {
            name: "k".into(),
            version: "v1".into(),
            at: Timestamp(0),
            current,
        };
        let text = || "x".to_owned();
        let not_modified = Error::NotModified { etag: Etag::from_text("e"), modified: Timestamp(0) };
        let table = [
            (Error::NotFound(What::Bucket, text()), "NoSuchBucket", 404),
            (Error::NotFound(What::File, text()), "NoSuchKey", 404),
            (Error::NotFound(What::Version, text()), "NoSuchVersion", 404),
            (Error::NotFound(What::Upload, text()), "NoSuchUpload", 404),
            (marker(true), "NoSuchKey", 404),
            (marker(false), "MethodNotAllowed", 405),
            (Error::Exists(What::Bucket, text()), "BucketAlreadyExists", 409),
            (Error::Exists(What::File, text()), "OperationAborted", 409),
            (Error::ExistsYours(text()), "BucketAlreadyOwnedByYou", 409),
            (Error::NotEmpty(text()), "BucketNotEmpty", 409),
            (Error::Denied(text()), "AccessDenied", 403),
            (Error::Unauthenticated(Unrecognised::Missing), "AccessDenied", 403),
            (Error::Unauthenticated(Unrecognised::UnknownKey), "InvalidAccessKeyId", 403),
            (Error::Unauthenticated(Unrecognised::Signature), "SignatureDoesNotMatch", 403),
            (Error::PreconditionFailed(text()), "PreconditionFailed", 412),
            (not_modified, "NotModified", 304),
            (Error::Conflict(text()), "ConditionalRequestConflict", 409),
            (Error::Locked(text()), "OperationAborted", 409),
            (Error::TooLarge { what: Large::File, limit: 1 }, "EntityTooLarge", 400),
            (Error::TooLarge { what: Large::UserMetadata, limit: 1 }, "MetadataTooLarge", 400),
            (Error::TooLarge { what: Large::Header("Expires"), limit: 1 }, "MetadataTooLarge", 400),
            (Error::TooMany { what: Many::Buckets, limit: 1 }, "TooManyBuckets", 400),
            (Error::OverQuota { owner: text() }, "QuotaExceeded", 403),
            (Error::DiskFull, "InsufficientStorage", 507),
            (Error::BadName { name: text(), why: BadName::Length }, "InvalidBucketName", 400),
            (Error::BadAddress(crate::model::address::BadAddress::TooLong), "KeyTooLongError", 400),
            (Error::Invalid(text()), "InvalidArgument", 400),
            (Error::BadRange { size: 7 }, "InvalidRange", 416),
            (Error::BadPart(BadPart::Unknown, 1), "InvalidPart", 400),
            (Error::BadPart(BadPart::Order, 1), "InvalidPartOrder", 400),
            (Error::BadPart(BadPart::TooSmall, 1), "EntityTooSmall", 400),
            (Error::BadPart(BadPart::Checksum, 1), "InvalidRequest", 400),
            (Error::Incomplete { declared: 2, got: 1 }, "IncompleteBody", 400),
            (Error::ChecksumDiffers(Sum::Checksum(ChecksumKind::Crc32)), "BadDigest", 400),
            (Error::ChecksumDiffers(Sum::Payload), "XAmzContentSHA256Mismatch", 400),
            (Error::Unsupported(text()), "NotImplemented", 501),
            (Error::Busy(text()), "SlowDown", 503),
            (Error::Unavailable { reason: text() }, "ServiceUnavailable", 503),
            (Error::Damaged { name: text(), reason: text() }, "InternalError", 500),
            (Error::Internal { reason: text() }, "InternalError", 500),
        ];
        for (error, code, status) in table {
            let shown = format!("{error:?}");
            let refusal = Refusal::from(error.clone());
            let later = refusal.headers.iter().any(|(name, _)| name == header::RETRY_AFTER);
            assert_eq!(later, status == 503, "{shown}");
            let s3: S3Error = error.into();
            assert_eq!(s3.code().as_str(), code, "{shown}");
            assert_eq!(s3.status_code().map(|s| s.as_u16()), Some(status), "{shown}");
            assert!(s3.message().is_some_and(|m| !m.is_empty()), "{shown}");
        }
    }

    #[test]
    fn a_refusal_inside_a_body_is_found_again() {
        let inside: StdError = Box::new(io::Error::from(Refusal::new(Code::InvalidChunkSizeError)));
        assert_eq!(of_body(inside).code().as_str(), "InvalidChunkSizeError");
        let broken: StdError = Box::new(io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(of_body(broken).code().as_str(), "IncompleteBody");
    }
}
