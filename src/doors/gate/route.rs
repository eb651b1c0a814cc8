//! Which door a request goes to: one pure function over its head. Knows no account, no bucket
//! and no file; every request has exactly one door whoever sends it.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Method, header, request::Parts};
use percent_encoding::percent_decode_str;

use crate::model::name::RESERVED;

/// First segments that are neither buckets nor accounts and have no door yet, or never will:
/// [`RESERVED`] without those of a door, and what the server says of itself.
pub fn not_built() -> impl Iterator<Item = &'static str> {
    RESERVED.into_iter().filter(|name| !matches!(*name, "dav" | "api")).chain(["-"])
}

/// Where a request goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// `/-/…`: the server about itself, with what follows the second slash.
    Own(String),
    /// S3, with the bucket the host name stands for, if it does.
    S3 {
        /// The part of the host name before a configured S3 host.
        host_bucket: Option<String>,
    },
    /// WebDAV.
    Dav,
    /// The JSON API.
    Api,
    /// The page a browser gets at `/`.
    StartPage,
    /// A browser asks whether a page from elsewhere may send a request.
    Preflight,
    /// Reserved, and nothing is there.
    NotFound,
    /// A method no door has.
    NotAllowed,
    /// No host, or more than one; the text says which.
    BadHost(&'static str),
}

/// Host names that mean S3.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hosts {
    s3: Vec<String>,
}

impl Hosts {
    /// The S3 host names, without ports.
    #[must_use]
    pub fn new<'a>(s3: impl IntoIterator<Item = &'a str>) -> Self {
        Self { s3: s3.into_iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect() }
    }

    /// `Some` if the host is an S3 one; the bucket before it where there is one.
    fn s3_bucket(&self, host: &str) -> Option<Option<String>> {
        let host = host_name(host).to_ascii_lowercase();
        self.s3.iter().find_map(|name| match host.strip_suffix(name.as_str())? {
            "" => Some(None),
            before => before
                .strip_suffix('.')
                .filter(|bucket| !bucket.is_empty())
                .map(|bucket| Some(bucket.to_owned())),
        })
    }
}

/// A host without its port and without the dot that may end it.
fn host_name(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name)
}

/// The host a request is for: of its target, or its `Host` header.
#[must_use]
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    match parts.uri.authority() {
        Some(authority) => Some(authority.as_str().rsplit('@').next().unwrap_or_default()),
        None => parts.headers.get(header::HOST).and_then(|value| value.to_str().ok()),
    }
}

/// Where the request goes.
#[must_use]
pub fn route(parts: &Parts, hosts: &Hosts) -> Route {
    if parts.method == Method::CONNECT || parts.method == Method::TRACE {
        return Route::NotAllowed;
    }
    let path = parts.uri.path();
    let (first, rest) = first_segment(path);
    if let ("-", Some(rest)) = (first.as_ref(), rest) {
        return Route::Own(rest.to_owned());
    }
    if let Some(host_bucket) = host(parts).and_then(|host| hosts.s3_bucket(host)) {
        return Route::S3 { host_bucket };
    }
    let preflight = is_preflight(parts);
    match first.as_ref() {
        "dav" | "api" if preflight => return Route::Preflight,
        "dav" => return Route::Dav,
        "api" => return Route::Api,
        name if not_built().any(|other| other == name) => {
            // Nobody else signs like this: an S3 client that takes the name for a bucket's is told
            // in its own words that it is none.
            let asks = name != "-" && signs(&parts.headers);
            return if asks { Route::S3 { host_bucket: None } } else { Route::NotFound };
        }
        _ => {}
    }
    if is_signed(parts) {
        return Route::S3 { host_bucket: None };
    }
    let root = path == "/" || path == "*" || path.is_empty();
    match parts.method.as_str() {
        "OPTIONS" if preflight => Route::Preflight,
        "PROPFIND" | "OPTIONS" if root => Route::Dav,
        "GET" | "HEAD" if root && accepts_html(&parts.headers) => Route::StartPage,
        _ => Route::S3 { host_bucket: None },
    }
}

/// The first segment, decoded once, and what follows its slash. A segment that is not UTF-8 when
/// decoded stays as it is: it is none of ours.
fn first_segment(path: &str) -> (Cow<'_, str>, Option<&str>) {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (first, rest) = match path.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    (percent_decode_str(first).decode_utf8().unwrap_or(Cow::Borrowed(first)), rest)
}

fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(header::ORIGIN)
        && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether the request carries anything of S3's: a signature, right or wrong, or a form.
fn is_signed(parts: &Parts) -> bool {
    let form = || {
        let kind = header::CONTENT_TYPE;
        parts.method == Method::POST && starts(&parts.headers, &kind, b"multipart/form-data")
    };
    let query = parts.uri.query().unwrap_or_default();
    signs(&parts.headers)
        || query.split('&').any(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            let name = percent_decode_str(name).decode_utf8_lossy();
            name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
        })
        || form()
}

/// Whether its head is signed as S3's are, right or wrong.
fn signs(headers: &HeaderMap) -> bool {
    starts(headers, &header::AUTHORIZATION, b"AWS4-")
}

fn starts(headers: &HeaderMap, name: &HeaderName, with: &[u8]) -> bool {
    headers
        .get_all(name)
        .iter()
        .any(|value| value.as_bytes().get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with)))
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|accept| {
        accept.split(',').any(|kind| {
            kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
        })
    })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn routed(method: &str, target: &str, headers: &[(&str, &str)]) -> Route {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        route(&parts, &Hosts::new(["s3.example.org", "Objects.Local."]))
    }

    fn s3() -> Route {
        Route::S3 { host_bucket: None }
    }

    #[test]
    fn the_path_alone_decides_where_it_can() {
        let own = |rest: &str| Route::Own(rest.into());
        for (target, expected) in [
            ("/-/healthy", own("healthy")),
            ("/%2d/healthy", own("healthy")),
            ("/-/", own("")),
            ("/-/a/b", own("a/b")),
            ("/-", Route::NotFound),
            ("/dav", Route::Dav),
            ("/dav/", Route::Dav),
            ("/dav/photos/a", Route::Dav),
            ("/%64av/photos", Route::Dav),
            ("/%64%61%76", Route::Dav),
            ("/%2564av/photos", s3()),
            ("/davx", s3()),
            ("/dav%2Fphotos", s3()),
            ("/DAV/photos", s3()),
            ("//dav/photos", s3()),
            ("/./dav/photos", s3()),
            ("/../dav", s3()),
            ("/dav?x-id=1", Route::Dav),
            ("/da%FFv", s3()),
            ("/api", Route::Api),
            ("/api/v1/accounts", Route::Api),
            ("/apidocs", Route::NotFound),
            ("/s/token", Route::NotFound),
            ("/%73/token", Route::NotFound),
            ("/sx/token", s3()),
            ("/login", Route::NotFound),
            ("/.well-known/x", Route::NotFound),
            ("/remote.php/dav/files", Route::NotFound),
            ("/favicon.ico", Route::NotFound),
            ("/robots.txt", Route::NotFound),
            ("/photos", s3()),
            ("/photos/dav/a", s3()),
            ("/photos/-/healthy", s3()),
            ("/", s3()),
        ] {
            assert_eq!(routed("GET", target, &[]), expected, "{target}");
        }
    }

    #[test]
    fn the_root_belongs_to_whoever_asks_in_their_way() {
        let html = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
        let signed = ("authorization", "AWS4-HMAC-SHA256 Credential=x");
        let origin = ("origin", "https://a.example");
        let asks = ("access-control-request-method", "PUT");
        for (method, target, headers, expected) in [
            ("GET", "/", &[html][..], Route::StartPage),
            ("HEAD", "/", &[html], Route::StartPage),
            ("GET", "/", &[("accept", "*/*")], s3()),
            ("GET", "/", &[html, signed], s3()),
            ("GET", "/?X-Amz-Signature=1", &[html], s3()),
            ("GET", "/?x%2DAmz-Date=1", &[html], s3()),
            ("GET", "/photos", &[html], s3()),
            ("PROPFIND", "/", &[], Route::Dav),
            ("PROPFIND", "/", &[signed], s3()),
            ("PROPFIND", "/photos", &[], s3()),
            ("OPTIONS", "/", &[], Route::Dav),
            ("OPTIONS", "*", &[], Route::Dav),
            ("OPTIONS", "/", &[origin], Route::Dav),
            ("OPTIONS", "/", &[origin, asks], Route::Preflight),
            ("OPTIONS", "/photos/a", &[origin, asks], Route::Preflight),
            ("OPTIONS", "/dav/photos/a", &[origin, asks], Route::Preflight),
            ("OPTIONS", "/dav/photos/a", &[origin], Route::Dav),
            ("PUT", "/dav/photos/a", &[origin, asks], Route::Dav),
            ("POST", "/", &[("content-type", "multipart/form-data; boundary=x")], s3()),
            ("POST", "/photos", &[("content-type", "multipart/form-data; boundary=x")], s3()),
            ("GET", "/dav/photos/a", &[signed], Route::Dav),
            ("PUT", "/%6Cogin", &[signed], s3()),
            ("PUT", "/-", &[signed], Route::NotFound),
            ("GET", "/-/metrics", &[signed], Route::Own("metrics".into())),
            ("GET", "/dav/photos/a?X-Amz-Signature=1", &[], Route::Dav),
            ("TRACE", "/", &[], Route::NotAllowed),
            ("TRACE", "/dav/a", &[], Route::NotAllowed),
        ] {
            assert_eq!(routed(method, target, headers), expected, "{method} {target} {headers:?}");
        }
    }

    #[test]
    fn an_s3_host_name_beats_every_path_but_our_own() {
        let bucket = |name: &str| Route::S3 { host_bucket: Some(name.into()) };
        for (target, host, expected) in [
            ("/dav/a", "s3.example.org", s3()),
            ("/dav/a", "S3.Example.ORG:7070", s3()),
            ("/dav/a", "objects.local.", s3()),
            ("/dav/a", "photos.s3.example.org", bucket("photos")),
            ("/", "my.photos.s3.example.org:80", bucket("my.photos")),
            ("/-/healthy", "photos.s3.example.org", Route::Own("healthy".into())),
            ("/dav/a", "xs3.example.org", Route::Dav),
            ("/dav/a", ".s3.example.org", Route::Dav),
            ("/dav/a", "example.org", Route::Dav),
            ("/dav/a", "[::1]:7070", Route::Dav),
            ("http://photos.s3.example.org/dav/a", "example.org", bucket("photos")),
        ] {
            assert_eq!(routed("GET", target, &[("host", host)]), expected, "{target} {host}");
        }
    }

    #[test]
    fn a_page_elsewhere_may_ask_an_s3_host_too() {
        let headers =
            [("host", "s3.example.org"), ("origin", "https://a"), ("access-control-request-method", "PUT")];
        assert_eq!(routed("OPTIONS", "/photos", &headers), s3());
    }
}
