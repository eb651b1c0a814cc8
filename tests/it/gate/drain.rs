//! Stopping.

use std::{
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

use tokio::{net::TcpStream, time::sleep};

use super::doors::Seen;
use crate::common::{TestServer, wire::Raw};

#[tokio::test]
async fn a_running_request_ends_before_the_server_does() {
    let seen = Seen::default();
    let server = TestServer::start_doors(seen.doors(), |_| {}).await;
    let address = server.address();
    let mut idle = Raw::connect(address).await;
    idle.send("GET /a HTTP/1.1\r\nhost: test\r\n\r\n").await;
    idle.reply().await.unwrap();
    let silent = Raw::connect(address).await;
    let mut raw = Raw::connect(address).await;
    raw.send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").await;
    sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    let (whole, reply) = tokio::join!(server.stop(), raw.reply());
    assert!(whole && began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(reply.unwrap().text(), "slow");
    assert_eq!(seen.finished.load(SeqCst), 1);
    assert!(idle.rest().await.is_empty() && silent.rest().await.is_empty());
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off() {
    let server = TestServer::start_doors(Seen::default().doors(), |config| {
        config.limits.drain = Duration::from_millis(300);
    })
    .await;
    let mut stuck = Raw::connect(server.address()).await;
    stuck.send("GET /stuck HTTP/1.1\r\nhost: test\r\n\r\n").await;
    let mut endless = Raw::connect(server.address()).await;
    endless.send("GET /endless HTTP/1.1\r\nhost: test\r\n\r\n").await;
    sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    assert!(!server.stop().await);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
