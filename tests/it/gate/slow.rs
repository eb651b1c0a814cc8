//! Clients that are slow or silent lose their connection, and others do not notice them.

use std::{
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::doors::Seen;
use crate::common::{
    TestServer,
    wire::{Raw, get},
};

const SHORT: Duration = Duration::from_millis(400);

async fn impatient(seen: &Seen) -> TestServer {
    TestServer::start_doors(seen.doors(), |config| {
        config.limits.first_byte = SHORT;
        config.limits.head = SHORT;
        config.limits.rate_window = SHORT;
    })
    .await
}

#[tokio::test]
async fn a_silent_connection_is_dropped() {
    let server = impatient(&Seen::default()).await;
    let (began, raw) = (Instant::now(), Raw::connect(server.address()).await);
    assert!(raw.rest().await.is_empty());
    assert!(began.elapsed() >= SHORT && began.elapsed() < SHORT * 5);
}

#[tokio::test]
async fn a_head_that_drips_in_is_dropped_and_others_are_served() {
    let server = impatient(&Seen::default()).await;
    let mut raw = Raw::connect(server.address()).await;
    let began = Instant::now();
    let dripping = async {
        raw.send("GET / HTTP/1.1\r\nhost: test\r\n").await;
        while raw.stream.try_write(b"x").is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let other = async { assert_eq!(get(server.address(), "/count").await.status, 200) };
    tokio::join!(dripping, other);
    assert!(began.elapsed() < SHORT * 5, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_head_after_a_first_answer_has_the_same_limit() {
    let server = impatient(&Seen::default()).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("GET /a HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert_eq!(raw.reply().await.unwrap().status, 200);
    raw.send("GET /b HTTP/1.1\r\n").await;
    let began = Instant::now();
    assert!(raw.rest().await.is_empty());
    assert!(began.elapsed() < SHORT * 5);
}

#[tokio::test]
async fn a_body_that_stops_or_drips_fails_its_handler() {
    let server = impatient(&Seen::default()).await;
    for drip in [false, true] {
        let mut raw = Raw::connect(server.address()).await;
        raw.send("PUT /count HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\nabc").await;
        for _ in 0..30 {
            if drip && raw.stream.try_write(b"x").is_err() {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        let reply = raw.reply().await.unwrap();
        assert_eq!((reply.status, reply.text()), (408, "timed out"), "drip: {drip}");
    }
}

#[tokio::test]
async fn a_body_above_the_least_rate_is_taken_however_long_it_lasts() {
    let server = impatient(&Seen::default()).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("PUT /count HTTP/1.1\r\nhost: test\r\ncontent-length: 6000\r\n\r\n").await;
    for _ in 0..30 {
        raw.send([b'x'; 200]).await;
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(raw.reply().await.unwrap().text(), "6000");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let seen = Seen::default();
    let server = impatient(&seen).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("GET /endless HTTP/1.1\r\nhost: test\r\n\r\n").await;
    let began = Instant::now();
    while seen.given_up.load(SeqCst) == 0 {
        assert!(began.elapsed() < SHORT * 10, "it is still being sent");
        sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() >= SHORT);
    assert_eq!(get(server.address(), "/a").await.status, 200);
}

#[tokio::test]
async fn a_handler_may_take_longer_than_a_client() {
    let server = impatient(&Seen::default()).await;
    assert_eq!(get(server.address(), "/thoughtful").await.text(), "abcdabcdabcdabcd");
}

#[tokio::test]
async fn an_idle_connection_is_closed_when_its_time_is_up_and_not_before() {
    let idle = Duration::from_millis(600);
    let server = TestServer::start_doors(Seen::default().doors(), |config| config.limits.idle = idle).await;
    let mut raw = Raw::connect(server.address()).await;
    for _ in 0..3 {
        raw.send("GET /a HTTP/1.1\r\nhost: test\r\n\r\n").await;
        assert_eq!(raw.reply().await.unwrap().status, 200);
        sleep(idle / 2).await;
    }
    let began = Instant::now();
    assert!(raw.rest().await.is_empty());
    assert!(began.elapsed() < idle * 5, "{:?}", began.elapsed());
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_idle_ones_are_closed() {
    let server = TestServer::start_doors(Seen::default().doors(), |config| {
        config.limits.connections = 4;
        config.limits.idle = Duration::from_millis(600);
        config.public_metrics = true;
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(Raw::connect(server.address()).await);
    }
    for raw in idle.iter_mut().take(4) {
        raw.send("GET /a HTTP/1.1\r\nhost: test\r\n\r\n").await;
        assert_eq!(raw.reply().await.unwrap().status, 200);
    }
    let began = Instant::now();
    let last = idle.last_mut().unwrap();
    last.send("GET /-/metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    drop(idle.drain(4..19));
    let reply = idle.last_mut().unwrap().reply().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    let open = reply.text().lines().find_map(|line| line.strip_prefix("holdall_connections ")).unwrap();
    assert!(open.parse::<usize>().unwrap() <= 4, "{open}");
}

/// The body is not waited for at its own pace: nobody asked for it.
#[tokio::test]
async fn a_refusal_does_not_wait_for_a_body_that_stalls() {
    let server = TestServer::start().await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("PUT /dav/photos/a HTTP/1.1\r\nhost: test\r\ncontent-length: 1000\r\n\r\nx").await;
    let began = Instant::now();
    assert_eq!(raw.reply().await.unwrap().status, 401);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}
