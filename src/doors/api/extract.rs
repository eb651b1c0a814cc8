//! Takes requests apart: names from paths, values from JSON bodies, refusals as problem documents.

use axum::extract::{FromRequest, Request};
use http::StatusCode;
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;

use super::error::Problem;
use crate::{
    domain::error::Error,
    model::name::{AccountName, BucketName},
};

/// Bytes of a JSON body.
const BODY_BYTES: usize = 64 << 10;

/// A JSON body. Members that nobody knows are refused; no body at all is an empty object.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let read = Limited::new(request.into_body(), BODY_BYTES).collect().await;
        let bytes =
            read.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_body", error.to_string()))?;
        let bytes = bytes.to_bytes();
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let read = serde_json::from_slice(text);
        read.map(Self).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_body", error.to_string()))
    }
}

/// The account a path or body names.
pub(super) fn account(name: &str) -> Result<AccountName, Error> {
    AccountName::parse(name).map_err(|why| Error::BadName { name: name.into(), why })
}

/// The bucket a path or body names.
pub(super) fn bucket(name: &str) -> Result<BucketName, Error> {
    BucketName::parse(name).map_err(|why| Error::BadName { name: name.into(), why })
}
