//! Whether a page from elsewhere may use WebDAV, and the API once the network has one. A preflight carries no credentials
//! and is answered without any; an origin that is not configured gets an answer a browser reads
//! as no. Credentials a browser holds are never allowed along.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::body::{self, Body};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, PROPFIND, PROPPATCH, MKCOL, COPY, MOVE, LOCK, UNLOCK, REPORT, SEARCH";
const REQUEST_HEADERS: &str = "Authorization, Content-Type, Depth, Destination, Overwrite, If, If-Match, \
    If-None-Match, If-Modified-Since, If-Unmodified-Since, Lock-Token, Timeout, Range, X-OC-Mtime, OC-Checksum, Prefer";
const ANSWER_HEADERS: &str =
    "ETag, DAV, Allow, Location, Lock-Token, Content-Range, Last-Modified, X-Request-Id";

/// Origins that may, exactly as browsers write them; `*` stands for all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// These origins.
    #[must_use]
    pub fn new(origins: Vec<String>) -> Self {
        Self(origins)
    }

    fn allowed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let known = self.0.iter().any(|known| known == "*" || known.as_bytes() == origin.as_bytes());
        known.then_some(origin)
    }

    /// The answer to a preflight.
    pub(crate) fn preflight(&self, request: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = self.allowed(request) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        }
        response
    }

    /// The origin a page sent this request from, if its script may read the answer.
    pub(crate) fn reader(&self, request: &HeaderMap) -> Option<HeaderValue> {
        self.allowed(request).cloned()
    }

    /// Lets the page read the answer.
    pub(crate) fn expose(&self, origin: Option<HeaderValue>, answer: &mut HeaderMap) {
        if !self.0.is_empty() {
            answer.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(origin) = origin {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_HEADERS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))])
    }

    #[test]
    fn only_configured_origins_are_let_in_and_never_with_credentials() {
        let origins = Origins::new(vec!["https://notes.example".into()]);
        for (origin, allowed) in [
            ("https://notes.example", true),
            ("https://notes.example.evil", false),
            ("http://notes.example", false),
            ("null", false),
        ] {
            let answer = origins.preflight(&headers(origin));
            assert_eq!(answer.status(), 204);
            assert_eq!(
                answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN),
                allowed,
                "{origin}"
            );
            assert!(!answer.headers().contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
        }
        assert!(Origins::default().reader(&headers("https://notes.example")).is_none());
    }
}
