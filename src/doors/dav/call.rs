//! One request, recognised and parsed: what every method starts from.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header, request::Parts};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::{DavDoor, error::Refusal, path::Place};
use crate::{
    domain::{Error, Holdall, MemoryShare, caller::Caller, error::What},
    doors::gate::body::{self, Body},
    model::{address::Address, etag::Etag, limits},
};

/// A request on its way through a method.
pub(super) struct Call<'a> {
    /// The door it came to.
    pub(super) door: &'a DavDoor,
    /// Who asks; an account.
    pub(super) caller: Caller,
    /// Method, headers and the rest.
    pub(super) head: &'a Parts,
    /// What the path means.
    pub(super) place: Place,
}

impl Call<'_> {
    /// The domain.
    pub(super) fn holdall(&self) -> &Arc<Holdall> {
        &self.door.holdall
    }

    /// The request's headers.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The address of a bucket or something in one, for reading.
    ///
    /// # Errors
    /// 404 where no bucket can be.
    pub(super) fn existing(&self) -> Result<Option<&Address>, Refusal> {
        match &self.place {
            Place::Host | Place::Home => Ok(None),
            Place::Item(address) => Ok(Some(address)),
            Place::NoBucket { name, .. } => Err(Error::NotFound(What::Bucket, name.clone()).into()),
            Place::Hidden(name) => Err(Error::NotFound(What::Item, name.clone()).into()),
        }
    }

    /// The same, to be changed.
    ///
    /// # Errors
    /// And 403 for the levels above the buckets.
    pub(super) fn changeable(&self) -> Result<&Address, Refusal> {
        let own = || Refusal::new(StatusCode::FORBIDDEN, "this folder is the server's own");
        self.existing()?.ok_or_else(own)
    }
}

/// The whole of a body that holds XML, and its share of the memory, to be kept as long.
pub(super) async fn collect_xml(call: &Call<'_>, body: &mut Body) -> Result<(Bytes, MemoryShare), Refusal> {
    let most = limits::DAV_XML_BYTES as u64;
    let declared = body.size_hint().upper().unwrap_or(most).min(most);
    let share = call.holdall().memory_for_document(&call.caller, declared).await?;
    let patience = Duration::from_secs(limits::DOCUMENT_SECONDS);
    *body = body::within(std::mem::replace(body, body::empty()), patience);
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                *body = body::empty();
                return Err(Refusal::of_body(&error));
            }
        };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limits::DAV_XML_BYTES {
            let text = format!("the body is larger than {} bytes", limits::DAV_XML_BYTES);
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes.into(), share))
}

/// An answer with nothing but a status.
pub(super) fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = status;
    response
}

/// 201 if something new came into being, else 204.
pub(super) fn created(created: bool) -> Response<Body> {
    bare(if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT })
}

/// Sets `ETag`.
pub(super) fn set_etag(headers: &mut HeaderMap, etag: &Etag) {
    set(headers, header::ETAG, etag.quoted());
}

/// Sets a header, unless its value cannot be one: stored texts may be older than today's rules.
pub(super) fn set(headers: &mut HeaderMap, name: header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}
