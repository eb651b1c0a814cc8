//! What a browser gets at `/`: how to reach the files with something else. One page without
//! scripts, links to other hosts or anything about what is stored.

use http::{HeaderValue, Response, header, request::Parts};

use super::{
    body::{self, Body},
    route,
};

const PAGE: &str = include_str!("page.html");
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The start page, with the address the browser used in the examples.
pub(crate) fn start_page(parts: &Parts, scheme: &str) -> Response<Body> {
    let host = route::host(parts).filter(|host| is_plain(host)).unwrap_or("localhost:7070");
    let page = PAGE.replace("{scheme}", scheme).replace("{dav}", dav_scheme(scheme)).replace("{host}", host);
    let mut response = Response::new(body::full(page));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Authorization"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The name file managers give WebDAV addresses.
fn dav_scheme(scheme: &str) -> &'static str {
    if scheme == "https" { "davs" } else { "dav" }
}

/// The host comes from the client: only what a host consists of is written into the page.
fn is_plain(host: &str) -> bool {
    host.len() <= 255
        && !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body_util::BodyExt;

    use super::*;

    async fn page(host: &str) -> String {
        let request = Request::builder().uri("/").header("host", host).body(()).unwrap();
        let response = start_page(&request.into_parts().0, "https");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_page_shows_the_address_the_browser_used_unless_it_is_a_trick() {
        let shown = page("files.example:8443").await;
        assert!(shown.contains("https://files.example:8443/dav/"));
        assert!(shown.contains("davs://files.example:8443/dav/"));
        assert!(!shown.contains('{') || !shown.contains("{host}"));
        let shown = page("a\"><script>").await;
        assert!(!shown.contains("<script"));
        assert!(shown.contains("https://localhost:7070/dav/"));
    }
}
