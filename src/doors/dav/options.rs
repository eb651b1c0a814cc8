//! OPTIONS: what is true at a place. Class 2 is not claimed while there are no locks. The
//! preflights of browsers the gate has answered already.

use http::{HeaderValue, Response, StatusCode, header};

use super::{
    call::{Call, bare},
    error::{ALLOW_EXISTING, Refusal},
    path::{Place, has_slash, is_bucket},
};
use crate::{
    domain::{Error, error::What, nouns::Item},
    doors::gate::Body,
};

const HOME: &str = "OPTIONS, GET, HEAD, PROPFIND";
const BUCKET: &str = "OPTIONS, GET, HEAD, DELETE, PROPFIND, PROPPATCH";
const FILE: &str = "OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND, PROPPATCH, COPY, MOVE";
/// Where something may be made; with a slash behind it, or for a bucket, a folder only.
const NEW: &str = "OPTIONS, PUT, MKCOL";
const NEW_FOLDER: &str = "OPTIONS, MKCOL";
/// Where nothing is and nothing can be.
const NOTHING: &str = "OPTIONS";

/// Answers OPTIONS.
///
/// # Errors
/// If the domain cannot say what is there.
pub(super) async fn answer(call: &Call<'_>) -> Result<Response<Body>, Refusal> {
    let allow = allowed(call).await?;
    let mut response = bare(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert("dav", HeaderValue::from_static("1, 3"));
    headers.insert("ms-author-via", HeaderValue::from_static("DAV"));
    headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    Ok(response)
}

/// The methods that apply to what is there.
async fn allowed(call: &Call<'_>) -> Result<&'static str, Error> {
    let address = match &call.place {
        Place::Item(address) => address,
        Place::Host | Place::Home => return Ok(HOME),
        Place::NoBucket { .. } => return Ok(NOTHING),
        Place::Hidden(name) => return Err(Error::NotFound(What::Item, name.clone())),
    };
    let folder_only = is_bucket(address) || has_slash(address);
    match call.holdall().stat(&call.caller, address, None).await {
        Ok(Item::Folder(_)) if is_bucket(address) => Ok(BUCKET),
        Ok(Item::File(_)) if !folder_only => Ok(FILE),
        Ok(_) => Ok(ALLOW_EXISTING),
        Err(Error::NotFound(..) | Error::DeleteMarker { .. }) if folder_only => Ok(NEW_FOLDER),
        Err(Error::NotFound(..) | Error::DeleteMarker { .. }) => Ok(NEW),
        Err(other) => Err(other),
    }
}

/// What a 405 allows: to somebody who may not know what is there, nothing but to ask.
pub(super) async fn allow(call: &Call<'_>) -> &'static str {
    allowed(call).await.unwrap_or(NOTHING)
}

/// 405 with what is allowed instead.
pub(super) async fn refused(call: &Call<'_>) -> Refusal {
    Refusal::not_allowed(allow(call).await)
}
