//! What If-Match, If-None-Match and If-Unmodified-Since demand of a method: each is carried out by
//! every method that takes it, on files, folders and buckets, or the method changes nothing.

use super::*;

const OTHER: &str = "\"0123456789abcdef0123456789abcdef\"";
const PAST: &str = "Thu, 01 Dec 1994 16:00:00 GMT";
const PATCH: &[u8] =
    br#"<propertyupdate xmlns="DAV:"><set><prop><c xmlns="u">1</c></prop></set></propertyupdate>"#;

async fn filled() -> Dav {
    let dav = Dav::start().await;
    dav.put("/dav/ann/file", "old").await;
    dav.status("MKCOL", "/dav/ann/folder", &[]).await;
    dav.put("/dav/ann/folder/inside", "in").await;
    dav.status("MKCOL", "/dav/empty", &[]).await;
    dav
}

/// All there is: names, properties and the content of the one file.
async fn seen(dav: &Dav) -> String {
    let mut text = String::new();
    for path in ["/dav/", "/dav/ann/", "/dav/ann/folder/"] {
        let reply = dav.send("PROPFIND", path, &[("depth", "1")], b"").await;
        text.push_str(reply.text());
    }
    text.push_str(&dav.content("/dav/ann/file").await.unwrap());
    text
}

#[tokio::test]
async fn a_condition_that_is_not_met_keeps_every_method_from_what_it_would_do() {
    let dav = filled().await;
    let before = seen(&dav).await;
    for at in ["/dav/ann/file", "/dav/ann/folder", "/dav/empty"] {
        for method in ["PUT", "DELETE", "COPY", "MOVE", "PROPPATCH"] {
            let (is_file, is_bucket) = (at.ends_with("file"), at.ends_with("empty"));
            if (method == "PUT" && !is_file) || (is_bucket && matches!(method, "COPY" | "MOVE")) {
                continue;
            }
            for (name, value) in [
                ("if-match", OTHER),
                ("if-none-match", "*"),
                ("if-none-match", "*, *"),
                ("if-unmodified-since", PAST),
            ] {
                // Nobody says when a folder was changed last.
                if name == "if-unmodified-since" && !is_file {
                    continue;
                }
                let headers = [(name, value), ("destination", "/dav/ann/made")];
                let body = if method == "PROPPATCH" { PATCH } else { b"" };
                let reply = dav.send(method, at, &headers, body).await;
                assert_eq!(reply.status, 412, "{method} {at} {name}: {}", reply.text());
                assert_eq!(before, seen(&dav).await, "{method} {at} {name}");
            }
        }
    }
    for (method, at) in [
        ("PUT", "/dav/ann/made"),
        ("MKCOL", "/dav/ann/made"),
        ("MKCOL", "/dav/made"),
        ("DELETE", "/dav/ann/made"),
        ("COPY", "/dav/ann/made"),
        ("MOVE", "/dav/ann/made"),
    ] {
        for value in ["*", OTHER] {
            let headers = [("if-match", value), ("destination", "/dav/ann/to")];
            let reply = dav.send(method, at, &headers, b"").await;
            let fits =
                reply.status == 412 || (reply.status == 404 && matches!(method, "DELETE" | "COPY" | "MOVE"));
            assert!(fits, "{method} {at} {value}: {}", reply.status);
            assert_eq!(before, seen(&dav).await, "{method} {at}");
        }
    }
}

#[tokio::test]
async fn a_condition_that_is_met_is_in_nobodys_way() {
    let dav = filled().await;
    let etag = dav.send("GET", "/dav/ann/file", &[], b"").await.header("etag").unwrap().to_owned();
    let with = |to: &'static str| [("if-match", etag.as_str()), ("destination", to)];
    assert_eq!(dav.status("COPY", "/dav/ann/file", &with("/dav/ann/copy")).await, 201);
    let other = [("if-none-match", OTHER), ("destination", "/dav/ann/copy")];
    assert_eq!(dav.status("COPY", "/dav/ann/file", &other).await, 204);
    assert_eq!(dav.status("MOVE", "/dav/ann/file", &with("/dav/ann/moved")).await, 201);
    assert_eq!(dav.content("/dav/ann/moved").await.as_deref(), Ok("old"));
    assert_eq!(dav.status("DELETE", "/dav/ann/moved", &with("/")).await, 204);
    assert_eq!(dav.content("/dav/ann/moved").await, Err(404));
    let new = [("if-none-match", "*")];
    assert_eq!(dav.status("MKCOL", "/dav/ann/new", &new).await, 201);
    assert_eq!(dav.status("MKCOL", "/dav/new-bucket", &new).await, 201);
    let any = [("if-match", "*")];
    assert_eq!(dav.status("DELETE", "/dav/ann/new", &any).await, 204);
    assert_eq!(dav.status("DELETE", "/dav/new-bucket", &any).await, 204);
}

/// `accepted` is a promise: a client does not send the time again. A bucket has none to keep.
#[tokio::test]
async fn a_time_is_accepted_where_it_is_kept_and_nowhere_else() {
    let dav = filled().await;
    let (name, seconds, shown) = ("x-oc-mtime", "784111777", "Sun, 06 Nov 1994 08:49:37 GMT");
    let with = [(name, seconds), ("destination", "/dav/ann/to")];
    for (method, at, kept) in [
        ("PUT", "/dav/ann/file", "/dav/ann/file"),
        ("COPY", "/dav/ann/folder/inside", "/dav/ann/to"),
        ("MOVE", "/dav/ann/folder/inside", "/dav/ann/to"),
    ] {
        let reply = dav.send(method, at, &with, b"").await;
        assert_eq!((reply.status / 100, reply.header(name)), (2, Some("accepted")), "{method}");
        let found = dav.send("PROPFIND", kept, &[("depth", "0")], b"").await;
        let is = found.text().contains(&format!("<D:getlastmodified>{shown}</D:getlastmodified>"));
        assert!(is, "{method}: {}", found.text());
    }
    let made = dav.send("MKCOL", "/dav/bucket", &with, b"").await;
    assert_eq!((made.status, made.header(name)), (201, None));
}
