//! What the JSON API answers for every kind of error: a problem document (RFC 9457) with a code
//! that stays. One `match` without a catch-all.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use super::types;
use crate::{
    domain::error::{Error, What},
    model::limits::RETRY_AFTER_SECONDS,
};

/// A problem document to be.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = types::Problem {
            kind: "about:blank".into(),
            title: self.status.canonical_reason().unwrap_or_default().into(),
            status: Some(self.status.as_u16()),
            code: self.code.into(),
            detail: self.detail,
        };
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, kind, axum::Json(document)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into());
        }
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        if let Some(reason) = error.reason() {
            tracing::error!(reason, "{error}");
        }
        let (status, code) = status_and_code(&error);
        Self::new(status, code, error.to_string())
    }
}

/// The answer for each kind.
#[deny(clippy::wildcard_enum_match_arm)]
fn status_and_code(error: &Error) -> (StatusCode, &'static str) {
    match error {
        Error::NotFound(what, _) => (StatusCode::NOT_FOUND, missing(*what)),
        Error::DeleteMarker { .. } => (StatusCode::NOT_FOUND, "deleted"),
        Error::Exists(..) => (StatusCode::CONFLICT, "exists"),
        Error::ExistsYours(_) => (StatusCode::CONFLICT, "exists_yours"),
        Error::NotEmpty(_) => (StatusCode::CONFLICT, "not_empty"),
        Error::Denied(_) => (StatusCode::FORBIDDEN, "denied"),
        Error::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        Error::PreconditionFailed(_) => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
        Error::NotModified { .. } => (StatusCode::NOT_MODIFIED, "not_modified"),
        Error::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
        Error::Partly { .. } => (StatusCode::CONFLICT, "partly_done"),
        Error::Locked(_) => (StatusCode::LOCKED, "locked"),
        Error::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        Error::TooMany { .. } => (StatusCode::CONFLICT, "too_many"),
        Error::OverQuota { .. } => (StatusCode::INSUFFICIENT_STORAGE, "over_quota"),
        Error::DiskFull => (StatusCode::INSUFFICIENT_STORAGE, "disk_full"),
        Error::BadName { .. } => (StatusCode::BAD_REQUEST, "bad_name"),
        Error::BadAddress(_) => (StatusCode::BAD_REQUEST, "bad_address"),
        Error::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid"),
        Error::BadRange { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "bad_range"),
        Error::BadPart(..) => (StatusCode::BAD_REQUEST, "bad_part"),
        Error::BadSumType(_) => (StatusCode::BAD_REQUEST, "bad_checksum_type"),
        Error::Incomplete { .. } => (StatusCode::BAD_REQUEST, "incomplete"),
        Error::ChecksumDiffers(_) => (StatusCode::BAD_REQUEST, "checksum_differs"),
        Error::Unsupported(_) => (StatusCode::NOT_IMPLEMENTED, "unsupported"),
        Error::Busy(_) => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        Error::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        Error::Damaged { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "damaged"),
        Error::Internal { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// The code tells what is missing.
fn missing(what: What) -> &'static str {
    match what {
        What::Account | What::Email => "no_such_account",
        What::Credential => "no_such_credential",
        What::Bucket => "no_such_bucket",
        What::File => "no_such_file",
        What::Item => "no_such_item",
        What::Parent => "no_such_parent",
        What::Version => "no_such_version",
        What::Upload => "no_such_upload",
        What::Lock => "no_such_lock",
    }
}
