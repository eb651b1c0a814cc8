//! OPTIONS: what is true at a place. Class 2 is not claimed while there are no locks. The
//! preflights of browsers the gate has answered already.

use http::{HeaderValue, Response, StatusCode, header};

use super::{
    call::{Call, bare},
    error::Refusal,
    path::{Place, is_bucket},
};
use crate::{
    domain::{Error, error::What, nouns::Item},
    doors::gate::Body,
};

const HOME: &str = "OPTIONS, GET, HEAD, PROPFIND";
const BUCKET: &str = "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, PROPFIND, PROPPATCH";
// PUT and MKCOL apply to new members: clients ask the folder whether they may write into it.
const FOLDER: &str = "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, PROPFIND, PROPPATCH, COPY, MOVE";
const FILE: &str = "OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND, PROPPATCH, COPY, MOVE";
const NOTHING: &str = "OPTIONS, PUT, MKCOL";

/// Answers OPTIONS.
///
/// # Errors
/// If the domain cannot say what is there.
pub(super) async fn answer(call: &Call<'_>) -> Result<Response<Body>, Refusal> {
    let allow = match &call.place {
        Place::Item(address) => match call.holdall().stat(&call.caller, address, None).await {
            Ok(Item::Folder(_)) if is_bucket(address) => BUCKET,
            Ok(Item::Folder(_)) => FOLDER,
            Ok(Item::File(_)) => FILE,
            Err(Error::NotFound(..) | Error::DeleteMarker { .. }) => NOTHING,
            Err(other) => return Err(other.into()),
        },
        Place::Host | Place::Home | Place::NoBucket { .. } => HOME,
        Place::Hidden(name) => return Err(Error::NotFound(What::Item, name.clone()).into()),
    };
    let mut response = bare(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert("dav", HeaderValue::from_static("1, 3"));
    headers.insert("ms-author-via", HeaderValue::from_static("DAV"));
    headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    Ok(response)
}

/// The methods that may apply at a place, whatever is there.
pub(super) fn allowed_at(place: &Place) -> &'static str {
    match place {
        Place::Host | Place::Home | Place::NoBucket { .. } | Place::Hidden(_) => HOME,
        Place::Item(address) if is_bucket(address) => BUCKET,
        Place::Item(_) => FOLDER,
    }
}
