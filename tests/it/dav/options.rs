//! What OPTIONS and 405 say of a place is what the methods then do.

use super::*;

#[tokio::test]
async fn options_say_what_is_true() {
    let dav = Dav::start().await;
    for path in [
        "/dav/",
        "/dav/ann/",
        "/dav/ann/f",
        "/dav/ann/f/",
        "/dav/ann/d",
        "/dav/ann/d/",
        "/dav/ann/none",
        "/dav/ann/none/",
        "/dav/ann/none/x",
        "/dav/nobucket",
        "/dav/nobucket/x",
        "/dav/No%20bucket",
        "/dav/No%20bucket/x",
    ] {
        dav.settle().await;
        let reply = dav.send("OPTIONS", path, &[], b"").await;
        assert_eq!((reply.status, reply.header("dav")), (200, Some("1, 3")), "{path}");
        let allowed = allow(&reply);
        for method in METHODS.into_iter().chain(["PATCH", "POST", "REPORT"]) {
            dav.settle().await;
            let headers = [("destination", "/dav/ann/to"), ("depth", "0")];
            let headers = if method == "PROPFIND" || method == "COPY" { &headers[..] } else { &headers[..1] };
            let reply = dav.send(method, path, headers, b"").await;
            let (status, listed) = (reply.status, allowed.iter().any(|name| name == method));
            assert!(!listed || status != 405, "{path} allows {allowed:?}, but {method} is refused");
            assert!(listed || status >= 400, "{path} allows {allowed:?}, but {method} gave {status}");
            if status == 405 {
                let instead = allow(&reply);
                assert!(!instead.is_empty() && instead.iter().all(|name| allowed.contains(name)));
            }
        }
    }
}

/// The methods an answer allows.
fn allow(reply: &Reply) -> Vec<String> {
    reply.header("allow").unwrap().split(", ").map(str::to_owned).collect()
}
