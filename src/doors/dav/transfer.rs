//! COPY and MOVE: their headers. Everything about the two places, onto itself, into itself, over
//! something, the domain decides in the commit.

use http::{HeaderValue, Response, StatusCode};

use super::{
    call::{Call, created, set_etag},
    error::Refusal,
    headers::{Depth, depth, modified, overwrite, write_conditions},
    path::{Place, creatable, is_bucket, uncreatable},
};
use crate::{
    domain::{
        Error,
        error::What,
        nouns::{Item, Transfer, TransferOptions},
    },
    doors::gate::Body,
    model::address::Address,
};

/// Answers COPY and MOVE.
///
/// # Errors
/// Any refusal; both places are as they were.
pub(super) async fn answer(call: &Call<'_>, how: Transfer) -> Result<Response<Body>, Refusal> {
    let from = source(call, how)?;
    let to = destination(call)?;
    let shallow = match (how, depth(call.headers())?) {
        (_, Depth::Infinity) => false,
        (Transfer::Copy, Depth::Zero) => true,
        (Transfer::Copy, Depth::One) | (Transfer::Move, _) => {
            return Err(Refusal::bad_request("a COPY has depth 0 or infinity, a MOVE infinity"));
        }
    };
    let options = TransferOptions {
        source_conditions: write_conditions(call.headers())?,
        overwrite: overwrite(call.headers())?,
        shallow,
        modified: modified(call.headers())?,
        ..TransferOptions::default()
    };
    let timed = options.modified.is_some();
    let done = call.holdall().transfer(&call.caller, how, from, &to, options).await;
    let done = done.map_err(|error| refuse(error, from, &to))?;
    let mut response = created(done.created);
    if let Item::File(version) = &done.item {
        set_etag(response.headers_mut(), &version.etag);
    }
    if timed {
        response.headers_mut().insert("x-oc-mtime", HeaderValue::from_static("accepted"));
    }
    Ok(response)
}

fn source<'a>(call: &'a Call<'_>, how: Transfer) -> Result<&'a Address, Refusal> {
    let address = call.changeable()?;
    if how == Transfer::Move && is_bucket(address) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "a bucket cannot be moved"));
    }
    Ok(address)
}

fn destination(call: &Call<'_>) -> Result<Address, Refusal> {
    let mut values = call.headers().get_all("destination").iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Refusal::bad_request("exactly one Destination header is needed"));
    };
    match Place::parse_destination(value.as_bytes())? {
        None => Err(Refusal::new(StatusCode::BAD_GATEWAY, "the destination is outside /dav/")),
        Some(Place::Hidden(_)) => Err(uncreatable()),
        Some(Place::NoBucket { deeper: true, name, .. }) => Err(Error::NotFound(What::Parent, name).into()),
        Some(Place::Item(address)) if !is_bucket(&address) => creatable(&address).map(|()| address),
        Some(Place::Host | Place::Home | Place::NoBucket { .. } | Place::Item(_)) => {
            Err(Refusal::new(StatusCode::FORBIDDEN, "a bucket is not made by COPY or MOVE"))
        }
    }
}

/// What exists stands in the way of `Overwrite: F`; a bucket that does not exist is the
/// destination's if it is not the source's.
fn refuse(error: Error, from: &Address, to: &Address) -> Refusal {
    let status = match &error {
        Error::Exists(..) => Some(StatusCode::PRECONDITION_FAILED),
        Error::NotFound(What::Bucket, name) if from.bucket != to.bucket && name == to.bucket.as_str() => {
            Some(StatusCode::CONFLICT)
        }
        _ => None,
    };
    Refusal::at(error, status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(path: &str) -> Address {
        match Place::parse(path) {
            Ok(Some(Place::Item(address))) => address,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn errors_about_the_destination_are_not_about_the_source() {
        let (from, to) = (address("/dav/one/a"), address("/dav/two/a"));
        let status = |error, to: &Address| refuse(error, &from, to).status().as_u16();
        assert_eq!(status(Error::Exists(What::Item, "two/a".into()), &to), 412);
        assert_eq!(status(Error::NotFound(What::Bucket, "two".into()), &to), 409);
        assert_eq!(status(Error::NotFound(What::Bucket, "one".into()), &to), 404);
        assert_eq!(status(Error::NotFound(What::Bucket, "one".into()), &from), 404);
        assert_eq!(status(Error::NotFound(What::Parent, "two/x".into()), &to), 409);
        assert_eq!(status(Error::Conflict("into itself".into()), &to), 409);
    }
}
