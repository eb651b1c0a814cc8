//! PROPFIND of depth 0 and 1. The first page of members is at hand before the status is sent; a
//! later failure cuts the connection, so that no client takes a part of a folder for the whole.

mod listing;
mod render;
mod wanted;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt;

use self::{
    listing::Listing,
    render::{Kind, Resource},
    wanted::Wanted,
};
use super::{
    call::{Call, bare, set},
    error::{Condition, Refusal},
    headers::{Depth, depth},
    path::Place,
    quota,
};
use crate::{
    domain::nouns::Item,
    doors::gate::body::{self, Body},
    model::limits,
};

/// Answers PROPFIND.
///
/// # Errors
/// Any refusal, and any failure before the first page of members is read.
pub(super) async fn answer(call: &Call<'_>, body: &mut Body) -> Result<Response<Body>, Refusal> {
    let depth = depth(call.headers())?;
    let wanted = Wanted::read(&collect(body).await?).map_err(|bad| Refusal::bad_request(bad.0))?;
    let own = resource(call, &wanted).await?;
    let is_file = matches!(own.kind, Kind::File { .. });
    if depth == Depth::Infinity && !is_file {
        let text = "folders are listed with depth 0 or 1";
        let refusal = Refusal::new(StatusCode::FORBIDDEN, text);
        return Err(refusal.with_condition(Condition::PropfindFiniteDepth));
    }
    let mut response = bare(StatusCode::MULTI_STATUS);
    let kind = HeaderValue::from_static("application/xml; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    if !is_file && !call.head.uri.path().ends_with('/') {
        set(response.headers_mut(), header::CONTENT_LOCATION, own.href.clone());
    }
    if depth == Depth::One && !is_file {
        let listing = Listing::begin(call, own, wanted).await?;
        *response.body_mut() = body::from_stream(listing.into_stream());
    } else {
        let mut out = render::begin();
        render::response(&mut out, &own, &wanted);
        out.push_str(render::END);
        *response.body_mut() = body::full(out);
    }
    Ok(response)
}

/// The whole of a body that holds XML.
async fn collect(body: &mut Body) -> Result<Bytes, Refusal> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            *body = body::empty();
            return Err(Refusal::bad_request("the body ended before it was complete"));
        };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > limits::DAV_XML_BYTES {
            let text = format!("the body is larger than {} bytes", limits::DAV_XML_BYTES);
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

/// The resource asked for. Its `href` is the request's path, with a slash if it is a folder.
async fn resource(call: &Call<'_>, wanted: &Wanted) -> Result<Resource, Refusal> {
    let mut href = call.place.href();
    let kind = match call.existing()? {
        None => Kind::Folder { created: None, quota: home_quota(call, wanted).await },
        Some(address) => match call.holdall().stat(&call.caller, address, None).await? {
            Item::File(version) => Kind::of_version(version),
            Item::Folder(folder) => {
                let quota = match wanted.asks_quota() {
                    true => quota::of_bucket(call, &address.bucket).await.ok(),
                    false => None,
                };
                Kind::Folder { created: Some(folder.created), quota }
            }
        },
    };
    if !matches!(kind, Kind::File { .. }) {
        href.push('/');
    }
    Ok(Resource { href, name: call.place.name().to_owned(), kind })
}

async fn home_quota(call: &Call<'_>, wanted: &Wanted) -> Option<quota::Quota> {
    match (&call.place, &call.caller) {
        (Place::Home, crate::domain::caller::Caller::Person(person)) if wanted.asks_quota() => {
            quota::of_account(call, &person.name).await.ok()
        }
        _ => None,
    }
}
