//! WebDAV end to end: requests as clients send them, answers as they must come, and the tree
//! looked at again afterwards.

mod bodies;
mod conditions;
mod options;
mod properties;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use holdall::{
    domain::{caller::Caller, nouns::NewAccount},
    doors::dav::METHODS,
    model::secret::Secret,
};

use crate::common::{
    TestServer, newcomer,
    wire::{Raw, Reply, parse},
};

const PASSWORD: &str = "correct horse";

/// A server with the account `ann`, whose bucket is `ann`.
struct Dav {
    server: TestServer,
}

impl Dav {
    async fn start() -> Self {
        let server = TestServer::start().await;
        let new = NewAccount { password: Some(Secret::new(PASSWORD)), ..newcomer("ann") };
        server.holdall.add_account(&Caller::Operator, new).await.unwrap();
        Self { server }
    }

    fn head(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let basic = STANDARD.encode(format!("ann:{PASSWORD}"));
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Basic {basic}\r\n"
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head
    }

    /// One request on a connection of its own.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut head = self.head(method, path, headers);
        if !body.is_empty() || method == "PUT" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        self.raw(&format!("{head}\r\n"), body).await.expect("a whole answer")
    }

    /// Bytes as they are; `None` if the answer was not complete.
    async fn raw(&self, head: &str, body: &[u8]) -> Option<Reply> {
        let mut raw = Raw::connect(self.server.address()).await;
        raw.send(head).await;
        raw.send(body).await;
        parse(&raw.rest().await)
    }

    async fn status(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        self.send(method, path, headers, b"").await.status
    }

    async fn put(&self, path: &str, body: &str) -> u16 {
        self.send("PUT", path, &[], body.as_bytes()).await.status
    }

    /// Makes `f`, a file, and `d`, a folder, and removes what a method may have made.
    async fn settle(&self) {
        for path in ["/dav/ann/none", "/dav/ann/to", "/dav/nobucket/x", "/dav/nobucket"] {
            self.status("DELETE", path, &[]).await;
        }
        self.put("/dav/ann/f", "").await;
        self.status("MKCOL", "/dav/ann/d", &[]).await;
    }

    /// The content, or the status in its place.
    async fn content(&self, path: &str) -> Result<String, u16> {
        let reply = self.send("GET", path, &[], b"").await;
        if reply.status == 200 { Ok(reply.text().to_owned()) } else { Err(reply.status) }
    }

    /// The `href`s a folder shows, without its own.
    async fn members(&self, path: &str) -> Vec<String> {
        let reply = self.send("PROPFIND", path, &[("depth", "1")], b"").await;
        assert_eq!(reply.status, 207, "{}", reply.text());
        let hrefs = reply.text().split("<D:href>").skip(2);
        hrefs.filter_map(|rest| rest.split("</D:href>").next()).map(str::to_owned).collect()
    }
}

#[test]
fn a_chunked_answer_that_breaks_off_is_no_answer() {
    let head = "HTTP/1.1 207 Multi-Status\r\ntransfer-encoding: chunked\r\n\r\n";
    let whole = parse(format!("{head}3\r\nabc\r\n0\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(whole.body, b"abc");
    assert!(parse(format!("{head}3\r\nabc\r\n").as_bytes()).is_none());
}

#[tokio::test]
async fn nobody_gets_in_without_credentials() {
    let server = TestServer::start().await;
    for method in ["OPTIONS", "GET", "PROPFIND", "PUT", "DELETE", "MKCOL"] {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(format!("{method} /dav/ann/a HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")).await;
        let reply = parse(&raw.rest().await).unwrap();
        assert_eq!(reply.status, 401, "{method}");
        assert!(reply.header("www-authenticate").unwrap().starts_with("Basic realm="));
    }
}

#[tokio::test]
async fn a_file_comes_back_with_the_same_etag_everywhere() {
    let dav = Dav::start().await;
    let put = dav.send("PUT", "/dav/ann/a.txt", &[("x-oc-mtime", "784111777.5")], b"hello").await;
    assert_eq!(put.status, 201);
    assert_eq!(put.header("x-oc-mtime"), Some("accepted"));
    let etag = put.header("etag").unwrap().to_owned();
    assert_eq!(etag, "\"5d41402abc4b2a76b9719d911017c592\"");
    let got = dav.send("GET", "/dav/ann/a.txt", &[], b"").await;
    assert_eq!((got.text(), got.header("etag")), ("hello", Some(etag.as_str())));
    assert_eq!(got.header("last-modified"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert_eq!(got.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(got.header("content-security-policy"), Some("sandbox"));
    assert_eq!(dav.status("GET", "/dav/ann/a.txt", &[("if-none-match", &etag)]).await, 304);
    assert_eq!(dav.status("GET", "/dav/ann/a.txt", &[("if-match", "\"x\"")]).await, 412);
    let head = dav.send("HEAD", "/dav/ann/a.txt", &[], b"").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("5")));
    for depth in ["0", "1", "infinity"] {
        let found = dav.send("PROPFIND", "/dav/ann/a.txt", &[("depth", depth)], b"").await;
        assert_eq!(found.status, 207);
        assert!(found.text().contains(&format!("<D:getetag>{etag}</D:getetag>")));
    }
    assert_eq!(dav.put("/dav/ann/a.txt", "again").await, 204);
}

#[tokio::test]
async fn ranges_are_one_or_none() {
    let dav = Dav::start().await;
    dav.put("/dav/ann/a", "0123456789").await;
    for (range, status, body) in [
        ("bytes=2-4", 206, "234"),
        ("bytes=-2", 206, "89"),
        ("bytes=8-", 206, "89"),
        ("bytes=0-1,4-5", 200, "0123456789"),
        ("bytes=5-2", 200, "0123456789"),
    ] {
        let reply = dav.send("GET", "/dav/ann/a", &[("range", range)], b"").await;
        assert_eq!((reply.status, reply.text()), (status, body), "{range}");
    }
    let beyond = dav.send("GET", "/dav/ann/a", &[("range", "bytes=10-")], b"").await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */10")));
}

#[tokio::test]
async fn folders_are_made_listed_and_removed() {
    let dav = Dav::start().await;
    assert_eq!(dav.status("MKCOL", "/dav/ann/d", &[]).await, 201);
    assert_eq!(dav.status("MKCOL", "/dav/ann/d/", &[]).await, 405);
    assert_eq!(dav.status("MKCOL", "/dav/ann/x/y", &[]).await, 409);
    assert_eq!(dav.send("MKCOL", "/dav/ann/e", &[], b"<x/>").await.status, 415);
    assert_eq!(dav.put("/dav/ann/x/y", "").await, 409);
    assert_eq!(dav.put("/dav/ann/d", "").await, 405);
    assert_eq!(dav.put("/dav/ann/d/a%20%26b", "x").await, 201);
    for path in ["/dav/ann/d", "/dav/ann/d/"] {
        assert_eq!(dav.members(path).await, ["/dav/ann/d/a%20%26b"], "{path}");
        assert_eq!(dav.status("HEAD", path, &[]).await, 200);
        let page = dav.send("GET", path, &[], b"").await;
        assert!(page.text().contains("a &amp;b") && page.header("content-security-policy").is_some());
        let deep = dav.send("PROPFIND", path, &[], b"").await;
        assert_eq!(deep.status, 403);
        assert!(deep.text().contains("<D:propfind-finite-depth/>"));
    }
    assert_eq!(dav.status("DELETE", "/dav/ann/d", &[("depth", "0")]).await, 400);
    assert_eq!(dav.status("DELETE", "/dav/ann/d", &[]).await, 204);
    assert_eq!(dav.status("DELETE", "/dav/ann/d", &[]).await, 404);
    assert!(dav.members("/dav/ann/").await.is_empty());
}

#[tokio::test]
async fn buckets_are_the_folders_of_the_first_level() {
    let dav = Dav::start().await;
    assert_eq!(dav.members("/").await, ["/dav/"]);
    assert_eq!(dav.status("MKCOL", "/dav/photos", &[]).await, 201);
    assert_eq!(dav.status("MKCOL", "/dav/photos", &[]).await, 405);
    assert_eq!(dav.status("MKCOL", "/dav/New%20folder", &[]).await, 403);
    assert_eq!(dav.members("/dav").await, ["/dav/ann/", "/dav/photos/"]);
    assert_eq!(dav.put("/dav/file.txt", "x").await, 405);
    dav.put("/dav/photos/a", "x").await;
    assert_eq!(dav.status("DELETE", "/dav/photos", &[]).await, 409);
    assert_eq!(dav.status("MOVE", "/dav/photos", &[("destination", "/dav/other")]).await, 403);
    dav.status("DELETE", "/dav/photos/a", &[]).await;
    assert_eq!(dav.status("DELETE", "/dav/photos", &[]).await, 204);
    assert_eq!(dav.status("PROPFIND", "/dav/photos", &[("depth", "1")]).await, 404);
}

#[tokio::test]
async fn copies_and_moves_that_would_lose_something_are_refused() {
    let dav = Dav::start().await;
    for folder in ["/dav/ann/a", "/dav/ann/a/b"] {
        dav.status("MKCOL", folder, &[]).await;
    }
    dav.put("/dav/ann/a/b/f", "1").await;
    dav.put("/dav/ann/g", "2").await;
    for method in ["COPY", "MOVE"] {
        for (from, to, statuses) in [
            ("/dav/ann/g", "/dav/ann/g", &[403, 409][..]),
            ("/dav/ann/a", "/dav/ann/a/", &[403, 409]),
            ("/dav/ann/a", "/dav/ann/a/b/c", &[403, 409]),
            ("/dav/ann/a/b", "/dav/ann/a", &[403, 409]),
            ("/dav/ann/a/b/f", "/dav/ann/a", &[403, 409]),
            ("/dav/ann/g", "/dav/ann/x/y", &[409]),
            ("/dav/ann/none", "/dav/ann/g", &[404]),
            ("/dav/ann/g", "/dav/nobucket/g", &[409]),
            ("/dav/ann/g", "/dav/ann", &[403]),
            ("/dav/ann/g", "http://other.example/elsewhere/g", &[502]),
            ("/dav/ann/g", "/dav/ann/../g", &[400]),
            ("/dav/ann/g", "/dav/ann/h#x", &[400]),
        ] {
            let status = dav.status(method, from, &[("destination", to)]).await;
            assert!(statuses.contains(&status), "{method} {from} {to}: {status}");
            assert_eq!(dav.content("/dav/ann/a/b/f").await.as_deref(), Ok("1"), "{method} {from} {to}");
            assert_eq!(dav.content("/dav/ann/g").await.as_deref(), Ok("2"), "{method} {from} {to}");
        }
        let keep = [("destination", "/dav/ann/g"), ("overwrite", "F")];
        assert_eq!(dav.status(method, "/dav/ann/a/b/f", &keep).await, 412);
    }
}

#[tokio::test]
async fn copies_and_moves_arrive_whole() {
    let dav = Dav::start().await;
    dav.status("MKCOL", "/dav/ann/a", &[]).await;
    dav.put("/dav/ann/a/f", "1").await;
    dav.put("/dav/ann/g", "2").await;
    let to = |path: &'static str| [("destination", path)];
    assert_eq!(dav.status("COPY", "/dav/ann/a", &to("https://proxy.example/dav/ann/c/")).await, 201);
    assert_eq!(dav.content("/dav/ann/c/f").await.as_deref(), Ok("1"));
    let shallow = [("destination", "/dav/ann/s"), ("depth", "0")];
    assert_eq!(dav.status("COPY", "/dav/ann/a", &shallow).await, 201);
    assert!(dav.members("/dav/ann/s").await.is_empty());
    assert_eq!(dav.status("MOVE", "/dav/ann/a", &to("/dav/ann/s")).await, 204);
    assert_eq!(dav.members("/dav/ann/s").await, ["/dav/ann/s/f"]);
    assert_eq!(dav.status("MOVE", "/dav/ann/g", &to("/dav/ann/s/f")).await, 204);
    assert_eq!(dav.content("/dav/ann/s/f").await.as_deref(), Ok("2"));
    assert_eq!(dav.content("/dav/ann/g").await, Err(404));
    assert_eq!(dav.status("MOVE", "/dav/ann/s", &[("destination", "/dav/ann/t"), ("depth", "0")]).await, 400);
}

#[tokio::test]
async fn hostile_xml_and_paths_are_refused_quickly() {
    let dav = Dav::start().await;
    let deep = "<a>".repeat(20_000);
    let bomb = "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>";
    for body in [deep.as_str(), bomb, "<propfind", "<propfind xmlns=\"DAV:\"><p:x/></propfind>"] {
        let reply = dav.send("PROPFIND", "/dav/ann/", &[("depth", "0")], body.as_bytes()).await;
        assert_eq!(reply.status, 400);
    }
    let large = vec![b' '; (1 << 20) + 1];
    let reply = dav.send("PROPFIND", "/dav/ann/", &[("depth", "0")], &large).await;
    assert_eq!(reply.status, 413);
    for path in ["/dav/ann/a%2Fb", "/dav/ann/%2e%2e/x", "/dav/ann/%00", "/dav/ann/%ff"] {
        assert_eq!(dav.status("PUT", path, &[]).await, 400, "{path}");
    }
    assert_eq!(dav.put(&format!("/dav/ann/{}", "x".repeat(256)), "").await, 414);
    for method in ["LOCK", "UNLOCK", "REPORT", "SEARCH", "PATCH"] {
        let reply = dav.send(method, "/dav/ann/a", &[], b"").await;
        assert_eq!(reply.status, 405, "{method}");
        assert!(reply.header("allow").is_some());
    }
    assert!(dav.members("/dav/ann/").await.is_empty());
}

const FIND: &str = r#"<propfind xmlns="DAV:"><prop><a xmlns="urn:n"/><b xmlns="urn:n"/></prop></propfind>"#;

#[tokio::test]
async fn a_long_folder_is_listed_whole_and_both_unicode_forms_find_a_name() {
    let dav = Dav::start().await;
    for n in 0..1100 {
        assert_eq!(dav.put(&format!("/dav/ann/{n:04}"), "").await, 201);
    }
    assert_eq!(dav.members("/dav/ann/").await.len(), 1100);
    assert_eq!(dav.put("/dav/ann/e%CC%81", "x").await, 201);
    assert_eq!(dav.content("/dav/ann/%C3%A9").await.as_deref(), Ok("x"));
    assert_eq!(dav.content("/dav/ann/e%CC%81").await.as_deref(), Ok("x"));
    assert_eq!(dav.put("/dav/ann/e%CC%81", "y").await, 204);
}
