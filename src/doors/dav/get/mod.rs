//! GET and HEAD. The version is opened once; the domain decides `If-*` on it, this layer the
//! range, and dav-server sends the bytes. Folders answer with a page for people.

pub(super) mod file;
mod page;
mod reading;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use self::file::Served;
use super::{
    call::{Call, bare, set},
    error::Refusal,
    headers::{self, conditions},
    mime,
};
use crate::{
    domain::{Error, nouns::FileVersion},
    doors::gate::Body,
    model::{
        etag::Etag,
        range::{ByteRange, Unsatisfiable},
        time::Timestamp,
    },
};

/// Answers GET and HEAD.
///
/// # Errors
/// Any refusal, 304 and 416 among them.
pub(super) async fn answer(call: &Call<'_>) -> Result<Response<Body>, Refusal> {
    let Some(address) = call.existing()? else { return folder(call).await };
    let conditions = conditions(call.headers())?;
    match call.holdall().open(&call.caller, address, None, &conditions).await {
        Ok(opened) => {
            let range = range(call.headers(), &call.head.method, &opened.version)?;
            let version = opened.version.clone();
            let read: file::Read = match call.head.method == Method::HEAD {
                true => Box::new(move |range| opened.read(range)),
                false => {
                    let bytes = opened.begin(range.clone().unwrap_or(0..version.size)).await?;
                    Box::new(move |_| bytes)
                }
            };
            let served = Arc::new(Served::new(&version, range, read));
            let mut response = file::send(&call.door.files, &call.head.method, served).await?;
            let kind = version.attributes.content_type.as_deref();
            let kind = kind.unwrap_or_else(|| mime::of_name(call.place.name()));
            set(response.headers_mut(), header::CONTENT_TYPE, kind.to_owned());
            protect(response.headers_mut(), "sandbox");
            Ok(response)
        }
        // So `open` says of a folder, and of nothing else.
        Err(Error::Conflict(_)) => folder(call).await,
        Err(error) => Err(error.into()),
    }
}

async fn folder(call: &Call<'_>) -> Result<Response<Body>, Refusal> {
    let mut response = match call.head.method == Method::HEAD {
        true => bare(StatusCode::OK),
        false => page::answer(call).await?,
    };
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    protect(response.headers_mut(), "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-downloads");
    Ok(response)
}

/// Nothing stored runs as a page of this host.
fn protect(headers: &mut HeaderMap, policy: &'static str) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// The one range to be sent. HEAD has none (RFC 9110 §14.2), and what `If-Range` does not
/// match gets the whole.
fn range(
    headers: &HeaderMap,
    method: &Method,
    version: &FileVersion,
) -> Result<Option<std::ops::Range<u64>>, Refusal> {
    let mut values = headers.get_all(header::RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Ok(None) };
    let asked = value.to_str().ok().and_then(ByteRange::parse);
    let Some(asked) = asked.filter(|_| *method == Method::GET) else { return Ok(None) };
    if !if_range(headers, version)? {
        return Ok(None);
    }
    let size = version.size;
    asked.resolve(size).map(Some).map_err(|Unsatisfiable| Error::BadRange { size }.into())
}

/// Whether `If-Range`, if there is one, names this very version. A date does only if it is the
/// time of the commit: times that clients set may come back.
fn if_range(headers: &HeaderMap, version: &FileVersion) -> Result<bool, Refusal> {
    let Some(value) = headers::text(headers, &header::IF_RANGE)? else { return Ok(true) };
    if value.starts_with("W/") {
        return Ok(false);
    }
    Ok(match Timestamp::parse_http_date(value) {
        Some(date) => {
            let committed = version.committed.whole_seconds();
            date == committed && version.modified.whole_seconds() == committed
        }
        None => Etag::from_text(value) == version.etag,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&'static str, &str)], method: Method) -> Result<Option<std::ops::Range<u64>>, u16> {
        let version = file::tests::version(10);
        range(&headers::with(pairs), &method, &version).map_err(|refusal| refusal.status().as_u16())
    }

    #[test]
    fn one_range_is_served_and_anything_else_is_no_range() {
        for (value, expected) in [
            ("bytes=0-0", Ok(Some(0..1))),
            ("bytes=5-99", Ok(Some(5..10))),
            ("bytes=-3", Ok(Some(7..10))),
            ("bytes=10-", Err(416)),
            ("bytes=-0", Err(416)),
            ("bytes=0-1,3-4", Ok(None)),
            ("bytes=5-2", Ok(None)),
            ("lines=1-2", Ok(None)),
        ] {
            assert_eq!(asked(&[("range", value)], Method::GET), expected, "{value}");
        }
        assert_eq!(asked(&[("range", "bytes=0-0")], Method::HEAD), Ok(None));
        assert_eq!(asked(&[("range", "bytes=0-0"), ("range", "bytes=1-1")], Method::GET), Ok(None));
    }

    #[test]
    fn if_range_must_name_the_very_version() {
        let version = file::tests::version(10);
        let with = |value: &str| asked(&[("range", "bytes=1-1"), ("if-range", value)], Method::GET).unwrap();
        assert_eq!(with(&version.etag.quoted()), Some(1..2));
        assert_eq!(with(&format!("W/{}", version.etag.quoted())), None);
        assert_eq!(with("\"other\""), None);
        assert_eq!(with(&version.committed.http_date()), Some(1..2));
        assert_eq!(with("Sun, 06 Nov 1994 08:49:38 GMT"), None);
    }
}
