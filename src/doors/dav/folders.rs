//! MKCOL and DELETE, of folders, files and buckets.

use http::{HeaderValue, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;

use super::{
    call::{Call, bare, created},
    error::Refusal,
    headers::{Depth, depth, modified, write_conditions},
    options::{allow, refused},
    path::{Place, creatable, is_bucket, uncreatable},
};
use crate::{
    domain::{
        Error,
        error::What,
        nouns::{BucketOptions, HistoryPolicy, RemoveOptions, WriteOptions},
    },
    doors::gate::Body,
};

/// Answers MKCOL.
///
/// # Errors
/// Any refusal; nothing was made.
pub(super) async fn make(call: &Call<'_>, body: &mut Body) -> Result<Response<Body>, Refusal> {
    if has_bytes(body).await {
        let text = "a MKCOL has no body";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let modified = modified(call.headers())?;
    let conditions = write_conditions(call.headers())?;
    match &call.place {
        Place::Host | Place::Home => return Err(refused(call).await),
        Place::Hidden(_) => return Err(uncreatable()),
        Place::NoBucket { deeper: true, name, .. } => {
            return Err(Error::NotFound(What::Parent, name.clone()).into());
        }
        Place::NoBucket { name, why, .. } => {
            return Err(Error::BadName { name: name.clone(), why: *why }.into());
        }
        Place::Item(address) if is_bucket(address) => {
            let history = HistoryPolicy::FOR_PEOPLE;
            let options = BucketOptions { history, conditions, ..BucketOptions::default() };
            let made = call.holdall().create_bucket(&call.caller, &address.bucket, options).await;
            if let Err(error) = made {
                return Err(not_made(call, error).await);
            }
            // Nobody keeps a bucket's time.
            return Ok(created(true));
        }
        Place::Item(address) => {
            creatable(address)?;
            let options = WriteOptions { conditions, modified, ..WriteOptions::default() };
            let made = call.holdall().make_folder(&call.caller, address, &options).await;
            if let Err(error) = made {
                return Err(not_made(call, error).await);
            }
        }
    }
    let mut response = created(true);
    if modified.is_some() {
        response.headers_mut().insert("x-oc-mtime", HeaderValue::from_static("accepted"));
    }
    Ok(response)
}

/// What is missing is the way to the folder; what exists says itself what may be done with it.
async fn not_made(call: &Call<'_>, error: Error) -> Refusal {
    match error {
        missing @ Error::NotFound(..) => Refusal::from(missing).with_status(StatusCode::CONFLICT),
        exists @ (Error::Exists(..) | Error::ExistsYours(_)) => {
            Refusal::from(exists).with_allow(allow(call).await)
        }
        other => other.into(),
    }
}

/// Answers DELETE.
///
/// # Errors
/// Any refusal; nothing is gone.
pub(super) async fn remove(call: &Call<'_>) -> Result<Response<Body>, Refusal> {
    if depth(call.headers())? != Depth::Infinity {
        return Err(Refusal::bad_request("a DELETE has depth infinity"));
    }
    let address = call.changeable()?;
    let conditions = write_conditions(call.headers())?;
    if is_bucket(address) {
        call.holdall().remove_bucket(&call.caller, &address.bucket, conditions).await?;
        return Ok(bare(StatusCode::NO_CONTENT));
    }
    let options = RemoveOptions { conditions, ..RemoveOptions::default() };
    let removed = call.holdall().remove(&call.caller, address, options).await?;
    if !removed.existed {
        return Err(Error::NotFound(What::Item, address.to_string()).into());
    }
    Ok(bare(StatusCode::NO_CONTENT))
}

/// Whether a body has any byte.
async fn has_bytes(body: &mut Body) -> bool {
    while !body.is_end_stream() {
        match body.frame().await {
            Some(Ok(frame)) if frame.data_ref().is_none_or(bytes::Bytes::is_empty) => {}
            Some(_) => return true,
            None => return false,
        }
    }
    false
}
