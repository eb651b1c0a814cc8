//! PROPFIND of depth 0 and 1. The first page of members is at hand before the status is sent; a
//! later failure cuts the connection, so that no client takes a part of a folder for the whole.

mod listing;
mod render;
mod wanted;

use http::{HeaderValue, Response, StatusCode, header};

use self::{
    listing::Listing,
    render::{Kind, Resource},
    wanted::Wanted,
};
use super::{
    call::{Call, bare, collect_xml, set},
    error::{Condition, Refusal},
    headers::{Depth, depth},
    multistatus,
    path::Place,
};
use crate::{
    domain::{
        caller::Caller,
        nouns::{Charged, Item},
    },
    doors::gate::body::{self, Body},
};

/// Answers PROPFIND.
///
/// # Errors
/// Any refusal, and any failure before the first page of members is read.
pub(super) async fn answer(call: &Call<'_>, body: &mut Body) -> Result<Response<Body>, Refusal> {
    let depth = depth(call.headers())?;
    let (document, _share) = collect_xml(call, body).await?;
    let wanted = Wanted::read(&document).map_err(|bad| Refusal::bad_request(bad.0))?;
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
        let mut out = multistatus::begin();
        let at = call.existing()?;
        let dead = listing::dead(call.holdall(), &call.caller, (at, &own), &wanted).await?;
        render::response(&mut out, &own, &dead, &wanted);
        out.push_str(multistatus::END);
        *response.body_mut() = body::full(out);
    }
    Ok(response)
}

/// The resource asked for. Its `href` is the request's path, with a slash if it is a folder.
async fn resource(call: &Call<'_>, wanted: &Wanted) -> Result<Resource, Refusal> {
    let mut href = call.place.href();
    // What a single version does not tell is looked up.
    let mut has_props = true;
    let kind = match call.existing()? {
        None => Kind::Folder { created: None, quota: home_quota(call, wanted).await },
        Some(address) => match call.holdall().stat(&call.caller, address, None).await? {
            Item::File(version) => Kind::of_version(version),
            Item::Folder(folder) => {
                has_props = folder.has_props;
                let quota = match wanted.asks_quota() {
                    true => call.holdall().charged_to_bucket(&call.caller, &address.bucket).await.ok(),
                    false => None,
                };
                Kind::Folder { created: Some(folder.created), quota }
            }
        },
    };
    if !matches!(kind, Kind::File { .. }) {
        href.push('/');
    }
    Ok(Resource { href, name: call.place.name().to_owned(), kind, has_props })
}

async fn home_quota(call: &Call<'_>, wanted: &Wanted) -> Option<Charged> {
    match (&call.place, &call.caller) {
        (Place::Home, Caller::Person(person)) if wanted.asks_quota() => {
            call.holdall().charged_to_account(&call.caller, &person.name).await.ok()
        }
        _ => None,
    }
}
