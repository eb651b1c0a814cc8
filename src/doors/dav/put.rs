//! PUT: a body into a new version of a file, visible only when every byte and every condition
//! is right.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt;

use super::{
    call::{Call, created, set, set_etag},
    error::Refusal,
    headers::{self, declared_size, write_conditions},
    options::refused,
    path::{Place, creatable, has_slash, is_bucket, uncreatable},
    sums::sums,
};
use crate::{
    domain::{
        Error, Put,
        error::What,
        nouns::{Attributes, Declared, Expected, WriteOptions, Written},
    },
    doors::gate::body::{self, Body},
    model::address::Address,
};

/// Answers PUT.
///
/// # Errors
/// Any refusal; the file is as it was.
pub(super) async fn answer(call: &Call<'_>, body: &mut Body) -> Result<Response<Body>, Refusal> {
    let address = target(call).await?;
    if call.headers().contains_key(header::CONTENT_RANGE) {
        return Err(Refusal::bad_request("a PUT replaces the whole file; Content-Range is not accepted"));
    }
    let sums = sums(call.headers())?;
    let size = declared_size(call.headers())?;
    let expected = Expected {
        size,
        checksums: sums.kinds(),
        sha256: false,
        extras: sums.extra_kinds(),
        attributes: attributes(call.headers())?,
    };
    let options = WriteOptions {
        conditions: write_conditions(call.headers())?,
        declared: Declared { size, md5: sums.md5, sha256: None, checksums: sums.others, extras: sums.extras },
        modified: headers::modified(call.headers())?,
        tokens: Vec::new(),
    };
    let mut put = call.holdall().begin_put(&call.caller, address, expected).await.map_err(refuse)?;
    fill(&mut put, body).await?;
    let timed = options.modified.is_some();
    let written = put.commit(options).await.map_err(refuse)?;
    Ok(answer_to(&written, timed))
}

/// What people see who drop a file into the drive's top folder.
const BESIDE_BUCKETS: &str = "a file cannot stand beside the buckets; put it into one of them";

/// Where a file may be put.
async fn target<'a>(call: &'a Call<'_>) -> Result<&'a Address, Refusal> {
    match &call.place {
        Place::Item(address) if has_slash(address) => Err(refused(call).await),
        Place::Item(address) if is_bucket(address) => Err(refused(call).await.with_text(BESIDE_BUCKETS)),
        Place::Item(address) => creatable(address).map(|()| address),
        Place::Hidden(_) => Err(uncreatable()),
        Place::NoBucket { deeper: true, name, .. } => Err(Error::NotFound(What::Parent, name.clone()).into()),
        Place::Host | Place::Home | Place::NoBucket { .. } => {
            Err(refused(call).await.with_text(BESIDE_BUCKETS))
        }
    }
}

/// Streams the body. The domain stops at the first byte too many, and finds out one too few.
async fn fill(put: &mut Put, body: &mut Body) -> Result<(), Refusal> {
    while let Some(frame) = body.frame().await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                // It must not be polled again.
                *body = body::empty();
                return Err(Refusal::of_body(&error));
            }
        };
        let Ok(data) = frame.into_data() else { continue };
        put.write(data).await.map_err(refuse)?;
    }
    Ok(())
}

/// What is missing here is the way to the file, or the file `If-Match` asks for.
fn refuse(error: Error) -> Refusal {
    let status = match &error {
        Error::NotFound(What::File | What::Item, _) => Some(StatusCode::PRECONDITION_FAILED),
        Error::NotFound(..) => Some(StatusCode::CONFLICT),
        _ => None,
    };
    Refusal::at(error, status)
}

/// What is kept with the file. `application/octet-stream` is what clients send that do not
/// know, so the name's ending says more.
fn attributes(headers: &HeaderMap) -> Result<Attributes, Refusal> {
    let text = |name: &HeaderName| headers::text(headers, name).map(|value| value.map(str::to_owned));
    let content_type = text(&header::CONTENT_TYPE)?;
    let content_encoding = text(&header::CONTENT_ENCODING)?;
    Ok(Attributes {
        content_type: content_type.filter(|kind| !kind.is_empty() && kind != "application/octet-stream"),
        content_encoding: content_encoding.filter(|coding| !coding.eq_ignore_ascii_case("identity")),
        content_language: text(&header::CONTENT_LANGUAGE)?,
        ..Attributes::default()
    })
}

fn answer_to(written: &Written, timed: bool) -> Response<Body> {
    let mut response = created(written.created);
    let headers = response.headers_mut();
    set_etag(headers, &written.version.etag);
    set(headers, header::LAST_MODIFIED, written.version.modified.http_date());
    if timed {
        headers.insert("x-oc-mtime", HeaderValue::from_static("accepted"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_way_is_a_conflict_and_a_missing_file_a_failed_condition() {
        let status = |what| refuse(Error::NotFound(what, String::new())).status().as_u16();
        assert_eq!(status(What::Parent), 409);
        assert_eq!(status(What::Bucket), 409);
        assert_eq!(status(What::File), 412);
        assert_eq!(refuse(Error::DiskFull).status().as_u16(), 507);
    }

    #[test]
    fn a_type_that_says_nothing_is_not_kept() {
        let kept = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            attributes(&headers).unwrap().content_type
        };
        assert_eq!(kept("text/x-own; charset=utf-8").as_deref(), Some("text/x-own; charset=utf-8"));
        assert_eq!(kept("application/octet-stream"), None);
    }
}
