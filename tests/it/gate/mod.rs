//! The gate from outside: what it answers by itself, and what it does to clients that are slow,
//! hostile or gone.

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
