//! Files by their keys, for export and import: pages of them, their bytes, and new versions.

use axum::{
    Extension, Json,
    extract::{Path, Query, Request, State},
};
use futures::TryStreamExt as _;
use http::{HeaderMap, HeaderName, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use serde::Deserialize;

use super::{
    Shared,
    error::Problem,
    extract,
    filed::{File, Files},
    route::Route,
};
use crate::{
    domain::{
        Error,
        caller::Caller,
        nouns::{Declared, Expected, KeyEntry, ListKeys, WriteOptions},
    },
    model::{
        address::{Address, ObjectKey},
        condition::{Conditions, EtagList},
        limits,
        time::Timestamp,
    },
};

/// The client's time of last change, RFC 3339; on answers and requests.
pub const MODIFIED: HeaderName = HeaderName::from_static("holdall-modified");
/// The MD5 a body has to have, as S3 writes it.
pub const MD5: HeaderName = HeaderName::from_static("content-md5");

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v1/buckets/{name}/keys", list),
        Route::get("/api/v1/buckets/{name}/files/{key}", read),
        Route::put("/api/v1/buckets/{name}/files/{key}", write),
        Route::get("/api/v1/buckets/{name}/parts/{key}", parts),
    ]
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    prefix: String,
    after: Option<String>,
    limit: Option<usize>,
}

async fn list(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Files>, Problem> {
    let limit = page.limit.unwrap_or(limits::LIST_PAGE);
    let which = ListKeys { prefix: page.prefix, after: page.after, limit, delimiter: None };
    let page = holdall.list_keys(&caller, &extract::bucket(&name)?, which).await?;
    let files = page.entries.into_iter().filter_map(|entry| match entry {
        KeyEntry::File(file) => Some(File::from(file)),
        KeyEntry::Prefix(_) => None,
    });
    Ok(Json(Files { files: files.collect(), next: page.next }))
}

async fn read(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path((name, key)): Path<(String, String)>,
) -> Result<Response<axum::body::Body>, Problem> {
    let opened = holdall.open(&caller, &address(&name, &key)?, None, &Conditions::default()).await?;
    let version = &opened.version;
    let (size, etag, modified) = (version.size, version.etag.quoted(), version.modified.rfc3339());
    // What cannot be read at all is told, not broken off.
    let bytes = opened.begin(0..size).await?.map_err(logged);
    let answer = Response::builder()
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, size)
        .header(header::ETAG, etag)
        .header(MODIFIED, modified)
        .body(axum::body::Body::from_stream(bytes));
    Ok(answer.map_err(|error| Error::Internal { reason: format!("an answer cannot be made: {error}") })?)
}

/// Whoever reads only sees that the bytes end; the log says why.
fn logged(error: Error) -> Error {
    if let Some(reason) = error.reason() {
        tracing::error!(reason, "{error}");
    }
    error
}

/// The sizes of the parts a file was sent in: its tag is made of theirs.
async fn parts(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path((name, key)): Path<(String, String)>,
) -> Result<Json<Vec<u64>>, Problem> {
    let opened = holdall.open(&caller, &address(&name, &key)?, None, &Conditions::default()).await?;
    Ok(Json(opened.part_sizes().await?))
}

async fn write(
    State(holdall): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path((name, key)): Path<(String, String)>,
    request: Request,
) -> Result<(StatusCode, Json<File>), Problem> {
    let at = address(&name, &key)?;
    let options = write_options(request.headers())?;
    let expected = Expected { size: options.declared.size, ..Expected::default() };
    let mut put = holdall.begin_put(&caller, &at, expected).await?;
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "bad_body", error.to_string()))?;
        if let Ok(bytes) = frame.into_data() {
            put.write(bytes).await?;
        }
    }
    let written = put.commit(options).await?;
    let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(written.version.into())))
}

fn address(name: &str, key: &str) -> Result<Address, Error> {
    let key = ObjectKey::parse(key).map_err(Error::BadAddress)?;
    Ok(Address::key(extract::bucket(name)?, key))
}

/// What the head of a write declares and demands. What cannot be read is refused, never left out.
fn write_options(headers: &HeaderMap) -> Result<WriteOptions, Error> {
    let conditions = Conditions {
        if_match: text(headers, &header::IF_MATCH)?.map(EtagList::parse),
        if_none_match: text(headers, &header::IF_NONE_MATCH)?.map(EtagList::parse),
        ..Conditions::default()
    };
    let size = text(headers, &header::CONTENT_LENGTH)?.map(|text| text.parse().map_err(|_| unread("length")));
    let md5 = text(headers, &MD5)?.map(|text| md5(text).ok_or_else(|| unread("MD5")));
    let modified = text(headers, &MODIFIED)?
        .map(|text| Timestamp::parse_rfc3339(text).ok_or_else(|| unread("time of last change")));
    let declared = Declared { size: size.transpose()?, md5: md5.transpose()?, ..Declared::default() };
    Ok(WriteOptions { conditions, declared, modified: modified.transpose()?, tokens: Vec::new() })
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Error> {
    let value = headers.get(name).map(|value| value.to_str().map_err(|_| unread(name.as_str())));
    value.transpose()
}

fn md5(text: &str) -> Option<[u8; 16]> {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}

fn unread(what: &str) -> Error {
    Error::Invalid(format!("the {what} in the request's head cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_write_declares_is_read_or_refused() {
        let read = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            write_options(&headers)
        };
        assert_eq!(read("content-length", "5").unwrap().declared.size, Some(5));
        assert_eq!(read("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==").unwrap().declared.md5, Some([0; 16]));
        assert_eq!(
            read("holdall-modified", "1970-01-01T00:00:01.5Z").unwrap().modified,
            Some(Timestamp(1500))
        );
        assert!(read("if-none-match", "*").unwrap().conditions.if_none_match.is_some());
        for (name, value) in [
            ("content-length", "-5"),
            ("content-md5", "AAAA"),
            ("holdall-modified", "yesterday"),
            ("if-match", "\u{e9}"),
        ] {
            assert!(matches!(read(name, value), Err(Error::Invalid(_))), "{name}");
        }
    }
}
