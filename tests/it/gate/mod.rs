//! The gate from outside: what it answers by itself, and what it does to clients that are slow,
//! hostile or gone.

mod doors;
mod drain;
mod http1;
mod http2;
mod log;
mod slow;

use bytes::Bytes;
use doors::Seen;
use holdall::doors::gate::{Serves, socket};
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;

use crate::common::{
    TestServer,
    wire::{Raw, get},
};

#[tokio::test]
async fn health_says_ok_and_nothing_more() {
    let server = TestServer::start().await;
    let reply = get(server.address(), "/-/healthy").await;
    assert_eq!((reply.status, reply.text()), (200, "ok\n"));
    assert_eq!(get(server.address(), "/-/ready").await.status, 200);
    assert_eq!(get(server.address(), "/-/metrics").await.status, 401);
    assert_eq!(get(server.address(), "/-/other").await.status, 404);
    assert_eq!(get(server.address(), "/-/healthy/x").await.status, 404);
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own_and_is_not_sniffed() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(server.address()).await;
    let mut ids = Vec::new();
    for path in ["/-/healthy", "/", "/login", "/dav/", "/photos/a"] {
        raw.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
        let reply = raw.reply().await.unwrap();
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        ids.push(reply.header("x-request-id").unwrap().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn each_path_reaches_its_door() {
    let server = TestServer::start_doors(Seen::default().doors(), |config| {
        let mut dav = config.listeners[0].clone();
        dav.serves = Serves::Dav;
        config.listeners.push(dav);
    })
    .await;
    let address = server.address();
    assert!(get(address, "/%64av/photos%2F/a?b").await.text().starts_with("dav /dav/photos%2F/a?b "));
    assert_eq!(get(address, "/davx").await.text(), "http /davx");
    assert!(get(address, "/api/v1/x").await.text().starts_with("api /api/v1/x 127.0.0.1:"));
    assert_eq!(get(address, "/login").await.status, 404);
    let dav = server.addresses()[1];
    assert!(get(dav, "/dav/a").await.text().starts_with("dav "));
    assert_eq!(get(dav, "/photos").await.status, 404);
    assert_eq!(get(dav, "/-/healthy").await.status, 200);
}

#[tokio::test]
async fn a_browser_gets_a_page_and_a_page_elsewhere_its_answer() {
    let server = TestServer::start_doors(Seen::default().doors(), |config| {
        config.cors_origins = vec!["https://notes.example".into()];
    })
    .await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("GET / HTTP/1.1\r\nhost: test\r\naccept: text/html\r\n\r\n").await;
    let page = raw.reply().await.unwrap();
    assert!(page.text().contains("http://test/dav/"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    for (origin, allowed) in [("https://notes.example", true), ("https://evil.example", false)] {
        let asks = format!("origin: {origin}\r\naccess-control-request-method: PUT\r\n");
        raw.send(format!("OPTIONS /dav/a HTTP/1.1\r\nhost: test\r\n{asks}\r\n")).await;
        let reply = raw.reply().await.unwrap();
        assert_eq!(reply.status, 204);
        assert_eq!(reply.header("access-control-allow-origin").is_some(), allowed);
        raw.send(format!("GET /dav/a HTTP/1.1\r\nhost: test\r\norigin: {origin}\r\n\r\n")).await;
        assert_eq!(raw.reply().await.unwrap().header("access-control-allow-origin").is_some(), allowed);
    }
}

#[tokio::test]
async fn the_administration_socket_leads_to_the_api_as_the_operator() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let server = TestServer::start_doors(Seen::default().doors(), |config| {
        config.admin_socket = Some(path.clone());
    })
    .await;
    for (target, expected) in
        [("/api/v1/x", "api /api/v1/x socket"), ("/-/metrics", "# TYPE"), ("/photos", "{")]
    {
        let stream = TokioIo::new(socket::connect(&path).await.unwrap());
        let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(target).header("host", "admin").body(Empty::<Bytes>::new()).unwrap();
        let response = client.send_request(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(expected.as_bytes()), "{target} {body:?}");
    }
    server.stop().await;
    assert!(!path.exists());
}
