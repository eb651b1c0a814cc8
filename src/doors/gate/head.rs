//! Heads of requests and answers made what doors and clients may rely on.

use http::{HeaderValue, Response, StatusCode, Uri, Version, header, request::Parts, uri::PathAndQuery};
use http_body::Body as _;

use super::{
    body::{self, Body},
    problem::problem,
};

/// What the doors have between them, for methods none of them has.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT, POST, DELETE, OPTIONS");

/// The answer to a method no door has.
pub(super) fn not_allowed() -> Response<Body> {
    let mut response =
        problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "no door has this method");
    response.headers_mut().insert(header::ALLOW, METHODS);
    response
}

/// Makes sure that there is one host and that doors find it in `Host`, whatever the version.
pub(super) fn settle_host(parts: &mut Parts) -> Result<(), &'static str> {
    let mut values = parts.headers.get_all(header::HOST).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err("there is more than one Host header");
    }
    let Some(authority) = parts.uri.authority() else {
        let missing = first.is_none() && parts.version == Version::HTTP_11;
        return if missing { Err("the Host header is missing") } else { Ok(()) };
    };
    if first.is_some_and(|host| !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())) {
        return Err("the Host header names another host than the target");
    }
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| "the host is not readable")?;
    parts.headers.insert(header::HOST, host);
    Ok(())
}

/// WebDAV sees `/dav` in letters however the client escaped it.
pub(super) fn spell_out_prefix(parts: &mut Parts) {
    let path = parts.uri.path();
    if path == "/dav" || path.starts_with("/dav/") || path == "/" || path == "*" {
        return;
    }
    let rest =
        path.get(1..).and_then(|path| path.find('/').and_then(|at| path.get(at..))).unwrap_or_default();
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut spelled = parts.uri.clone().into_parts();
    spelled.path_and_query = PathAndQuery::try_from(format!("/dav{rest}{query}")).ok();
    if let Ok(uri) = Uri::from_parts(spelled) {
        parts.uri = uri;
    }
}

/// The answer to HEAD: what GET says of the body stays in the headers.
pub(super) fn without_body(mut response: Response<Body>) -> Response<Body> {
    if let (Some(length), false) =
        (response.body().size_hint().exact(), response.headers().contains_key(header::CONTENT_LENGTH))
        && length > 0
    {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response.map(|_| body::empty())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(target: &str, hosts: &[&str]) -> Parts {
        let mut request = Request::get(target);
        for host in hosts {
            request = request.header("host", *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn webdav_sees_its_prefix_in_letters_and_the_rest_as_sent() {
        for (target, expected) in [
            ("/%64av/a%2Fb/%64av?c=%64", "/dav/a%2Fb/%64av?c=%64"),
            ("/%64av", "/dav"),
            ("/d%61v/", "/dav/"),
            ("/dav/%64", "/dav/%64"),
            ("http://host/%64av/a", "http://host/dav/a"),
            ("/", "/"),
            ("*", "*"),
        ] {
            let mut parts = parts(target, &[]);
            spell_out_prefix(&mut parts);
            assert_eq!(parts.uri.to_string(), expected);
        }
    }

    #[test]
    fn the_host_of_the_target_is_the_host() {
        for (target, hosts, expected) in [
            ("/", &["a:1"][..], Some("a:1")),
            ("http://a:1/", &[], Some("a:1")),
            ("http://a:1/", &["A:1"], Some("A:1")),
            ("http://a:1/", &["b"], None),
            ("/", &["a", "a"], None),
            ("/", &[], None),
        ] {
            let mut parts = parts(target, hosts);
            let settled = settle_host(&mut parts).ok();
            let host = settled.and_then(|()| parts.headers.get("host")?.to_str().ok());
            assert_eq!(host.map(str::to_ascii_lowercase), expected.map(str::to_ascii_lowercase), "{target}");
        }
    }

    #[test]
    fn the_answer_to_head_keeps_the_length_a_door_told() {
        let mut told = Response::new(body::full("abc"));
        told.headers_mut().insert("content-length", 7.into());
        assert_eq!(without_body(told).headers()["content-length"], "7");
        assert_eq!(without_body(Response::new(body::full("abc"))).headers()["content-length"], "3");
        assert!(without_body(Response::new(body::full("abc"))).body().is_end_stream());
    }
}
