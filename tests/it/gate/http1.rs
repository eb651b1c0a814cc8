//! HTTP/1.1 in its less friendly forms.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use tokio::time::{sleep, timeout};

use super::doors::Seen;
use crate::common::{
    TestServer,
    wire::{Raw, get},
};

async fn server() -> (TestServer, Seen) {
    let seen = Seen::default();
    (TestServer::start_doors(seen.doors(), |_| {}).await, seen)
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered_431() {
    let (server, _) = server().await;
    let long = format!("GET / HTTP/1.1\r\nhost: test\r\nx-long: {}\r\n\r\n", "a".repeat(100 * 1024));
    let many = format!("GET / HTTP/1.1\r\nhost: test\r\n{}\r\n", "a: b\r\n".repeat(200));
    let flood = format!("GET / HTTP/1.1\r\nhost: test\r\n{}\r\n", "a: b\r\n".repeat(10_000));
    for head in [long, many, flood] {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(head).await;
        let answer = String::from_utf8(raw.rest().await).unwrap();
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_eq!(get(server.address(), "/a").await.status, 200);
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_order() {
    let (server, _) = server().await;
    let mut raw = Raw::connect(server.address()).await;
    let paths = ["/slow", "/a", "/b?c", "/d"];
    let all: String = paths.map(|path| format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).concat();
    raw.send(all).await;
    for expected in ["slow", "http /a", "http /b?c", "http /d"] {
        assert_eq!(raw.reply().await.unwrap().text(), expected);
    }
}

#[tokio::test]
async fn a_panic_is_the_answer_of_one_request() {
    let (server, _) = server().await;
    let mut raw = Raw::connect(server.address()).await;
    for (path, status) in [("/panic", 500), ("/a", 200)] {
        raw.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
        let reply = raw.reply().await.unwrap();
        assert_eq!(reply.status, status);
        assert!(reply.header("x-request-id").is_some());
        assert!(!reply.text().contains("as asked"), "what the panic said stays in the log");
    }
}

#[tokio::test]
async fn a_client_that_leaves_stops_no_handler() {
    let (server, seen) = server().await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").await;
    sleep(Duration::from_millis(100)).await;
    drop(raw);
    sleep(Duration::from_millis(500)).await;
    assert_eq!(seen.finished.load(SeqCst), 1);
    assert_eq!(get(server.address(), "/a").await.status, 200);
}

#[tokio::test]
async fn a_body_whose_client_leaves_breaks_off() {
    let (server, seen) = server().await;
    for head in ["content-length: 1000\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(format!("PUT /count HTTP/1.1\r\nhost: test\r\n{head}")).await;
    }
    for _ in 0..100 {
        sleep(Duration::from_millis(20)).await;
        if seen.broken.load(SeqCst) == 2 {
            return;
        }
    }
    panic!("the handlers still wait");
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let (server, _) = server().await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("HEAD /abc HTTP/1.1\r\nhost: test\r\n\r\n").await;
    let reply = raw.reply_to(true).await.unwrap();
    assert_eq!(reply.header("content-length"), Some("9"));
    raw.send("GET /abc HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert_eq!(raw.reply().await.unwrap().text(), "http /abc");
}

#[tokio::test]
async fn a_refused_upload_gets_its_answer_and_may_try_again() {
    let (server, _) = server().await;
    let mut raw = Raw::connect(server.address()).await;
    for _ in 0..2 {
        raw.send("PUT /refuse HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\n").await;
        raw.send([b'x'; 100_000]).await;
        let reply = raw.reply().await.unwrap();
        assert_eq!(reply.status, 401);
        assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"Holdall\", charset=\"UTF-8\""));
    }
}

#[tokio::test]
async fn a_large_refused_upload_sees_the_answer_and_no_reset() {
    let (server, _) = server().await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("PUT /refuse HTTP/1.1\r\nhost: test\r\ncontent-length: 100000000\r\n\r\n").await;
    // Far more than the kernel holds: a connection closed at once would fail one of these.
    for _ in 0..200 {
        raw.send([b'x'; 64 * 1024]).await;
    }
    assert_eq!(raw.reply().await.unwrap().status, 401);
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_no_before_it_sends() {
    let (server, _) = server().await;
    let expect = "host: test\r\ncontent-length: 1000\r\nexpect: 100-continue\r\n\r\n";
    let mut raw = Raw::connect(server.address()).await;
    raw.send(format!("PUT /refuse HTTP/1.1\r\n{expect}")).await;
    assert_eq!(raw.reply().await.unwrap().status, 401);
    let mut raw = Raw::connect(server.address()).await;
    raw.send(format!("PUT /count HTTP/1.1\r\n{expect}")).await;
    assert_eq!(raw.reply().await.unwrap().status, 100);
    raw.send([b'x'; 1000]).await;
    assert_eq!(raw.reply().await.unwrap().text(), "1000");
}

/// The story: aws-cli asks before it sends, even nothing at all. The answer that came without a go-ahead
/// before it made it read the next one wrongly, and wait for a minute after a folder with an empty file.
#[tokio::test]
async fn a_client_that_asks_and_has_nothing_to_send_begins_anew() {
    let (server, _) = server().await;
    let expect = "host: test\r\ncontent-length: 0\r\nexpect: 100-continue\r\n\r\n";
    let mut raw = Raw::connect(server.address()).await;
    raw.send(format!("PUT /count HTTP/1.1\r\n{expect}")).await;
    let reply = raw.reply().await.unwrap();
    assert_eq!((reply.text(), reply.header("connection")), ("0", Some("close")));
    assert!(raw.rest().await.is_empty(), "the connection ends");
}

#[tokio::test]
async fn two_lengths_smuggle_nothing() {
    let (server, _) = server().await;
    let inner = "GET /smuggled HTTP/1.1\r\nhost: test\r\n\r\n";
    let length = inner.len() + 5;
    for head in [
        format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n\r\n0\r\n\r\n{inner}"),
        format!("content-length: 5\r\ncontent-length: {length}\r\n\r\n0\r\n\r\n{inner}"),
        format!("transfer-encoding: xchunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n{inner}"),
        format!("transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{inner}"),
        format!("transfer-encoding : chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("x: y\r\n content-length: 5\r\n\r\n{inner}"),
    ] {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(format!("POST /count HTTP/1.1\r\nhost: test\r\n{head}")).await;
        let answers = String::from_utf8(raw.rest().await).unwrap();
        assert!(!answers.contains("smuggled"), "{head} {answers}");
    }
}

#[tokio::test]
async fn a_request_has_exactly_one_host() {
    let (server, _) = server().await;
    for (head, status) in [
        ("GET /a HTTP/1.1\r\n", 400),
        ("GET /a HTTP/1.1\r\nhost: a\r\nhost: b\r\n", 400),
        ("GET http://a/x HTTP/1.1\r\nhost: b\r\n", 400),
        ("GET http://a/x HTTP/1.1\r\nhost: A\r\n", 200),
        ("GET /a HTTP/1.0\r\n", 200),
        ("TRACE /a HTTP/1.1\r\nhost: a\r\n", 405),
        ("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n", 405),
    ] {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(format!("{head}\r\n")).await;
        assert_eq!(raw.reply().await.unwrap().status, status, "{head}");
    }
}

#[tokio::test]
async fn huge_chunk_extensions_are_refused() {
    let (server, _) = server().await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("PUT /count HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let sending = async {
        let piece = format!("1;{}\r\nx\r\n", "e".repeat(1000));
        for _ in 0..100 {
            if raw.stream.writable().await.is_err() || raw.stream.try_write(piece.as_bytes()).is_err() {
                break;
            }
        }
    };
    timeout(Duration::from_secs(5), sending).await.unwrap();
    let answer = String::from_utf8_lossy(&raw.rest().await).into_owned();
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
}
