//! TLS, and HTTP/2 with and without it.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::{Duration, Instant},
};

use bytes::Bytes;
use holdall::server::TlsFiles;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::doors::Seen;
use crate::common::{
    TestServer,
    wire::{Raw, get},
};

async fn encrypted() -> (TestServer, RootCertStore) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let files = tempfile::tempdir().unwrap();
    let certificate = files.path().join("cert.pem");
    let key = files.path().join("key.pem");
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server = TestServer::start_doors(Seen::default().doors(), |config| {
        config.listeners[0].tls = Some(TlsFiles { certificate, key });
        config.limits.handshake = Duration::from_millis(400);
    })
    .await;
    (server, roots)
}

async fn shaken(server: &TestServer, roots: &RootCertStore, protocol: &[u8]) -> TlsStream<TcpStream> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
    stream
}

#[tokio::test]
async fn both_versions_work_over_tls() {
    let (server, roots) = encrypted().await;
    let stream = TokioIo::new(shaken(&server, &roots, b"http/1.1").await);
    let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/a").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_11);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "https /a");

    let stream = TokioIo::new(shaken(&server, &roots, b"h2").await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let body = Full::new(Bytes::from(vec![1; 3_000_000]));
    let request = Request::put("https://localhost/count").body(body).unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert!(response.headers().contains_key("x-request-id"));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "3000000");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_dropped() {
    let (server, _) = encrypted().await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send([0x16, 3, 1]).await;
    let rest = timeout(Duration::from_secs(3), raw.rest()).await.expect("it is closed");
    assert!(rest.is_empty());
}

#[tokio::test]
async fn http_2_works_without_tls_and_finishes_when_the_server_stops() {
    let server = TestServer::start_doors(Seen::default().doors(), |_| {}).await;
    let stream = TokioIo::new(TcpStream::connect(server.address()).await.unwrap());
    let (client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let asked = |path: &str, method: &str| {
        let request =
            Request::builder().method(method).uri(format!("http://test{path}")).body(Empty::<Bytes>::new());
        let mut client = client.clone();
        async move {
            let response = client.send_request(request.unwrap()).await.unwrap();
            let length = response.headers().get("content-length").cloned();
            (length, response.into_body().collect().await.unwrap().to_bytes())
        }
    };
    let (slow, fast) = tokio::join!(asked("/slow", "GET"), asked("/a", "GET"));
    assert_eq!((slow.1, fast.1), ("slow".into(), "http http://test/a".into()));
    let (length, body) = asked("/abc", "HEAD").await;
    assert_eq!((length.unwrap(), body), ("20".parse().unwrap(), Bytes::new()));
    let (reply, whole) = tokio::join!(asked("/slow", "GET"), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.stop().await
    });
    assert!(whole);
    assert_eq!(reply.1, "slow");
    drop(client);
    connection.await.unwrap().unwrap();
}

/// One HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// GET http://test/ in the static table, the host as a literal.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x41, 4, b't', b'e', b's', b't'];
/// GET http://test/endless.
const GET_ENDLESS: &[u8] = b"\x82\x86\x04\x08/endless\x41\x04test";

/// Sends it all, sees the connection closed, and gives the number of requests that reached a door.
async fn flood(bytes: Vec<u8>) -> usize {
    let doors = Seen::default().doors();
    let server = TestServer::start_doors(doors, |config| config.public_metrics = true).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send([PREFACE, &frame(4, 0, 0, &[])].concat()).await;
    let closed = async {
        // The server closes while this is being written.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut raw.stream, &bytes).await;
        raw.rest().await
    };
    timeout(Duration::from_secs(10), closed).await.expect("the connection is given up");
    let metrics = get(server.address(), "/-/metrics").await;
    let requests = |class| {
        let name = format!("holdall_requests_total{{door=\"s3\",status=\"{class}xx\"}} ");
        let count = metrics.text().lines().find_map(|line| line.strip_prefix(&name)).unwrap();
        count.parse::<usize>().unwrap()
    };
    (1..=5).map(requests).sum()
}

#[tokio::test]
async fn a_rapid_reset_ends_the_connection() {
    let resets = (0..20_000_u32).flat_map(|number| {
        let stream = number * 2 + 1;
        [frame(1, 5, stream, GET), frame(3, 0, stream, &8_u32.to_be_bytes())].concat()
    });
    let served = flood(resets.collect()).await;
    assert!(served < 1000, "{served}");
}

#[tokio::test]
async fn headers_without_end_end_the_connection() {
    let literal = [&[0x40, 1, b'a', 127, 0x81, 0x3f][..], &[b'x'; 8192]].concat();
    let more = (0..5_000).flat_map(|_| frame(9, 0, 1, &literal));
    assert_eq!(flood(frame(1, 0, 1, GET).into_iter().chain(more).collect()).await, 0);
}

#[tokio::test]
async fn a_window_that_stays_shut_ends_the_connection() {
    let seen = Seen::default();
    let server = TestServer::start_doors(seen.doors(), |config| {
        config.limits.rate_window = Duration::from_millis(400);
    })
    .await;
    let mut raw = Raw::connect(server.address()).await;
    // SETTINGS_INITIAL_WINDOW_SIZE = 0.
    raw.send([PREFACE, &frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]), &frame(1, 5, 1, GET_ENDLESS)].concat()).await;
    let began = Instant::now();
    timeout(Duration::from_secs(5), raw.rest()).await.expect("the connection is cut");
    assert!(began.elapsed() >= Duration::from_millis(400));
    assert_eq!(seen.given_up.load(SeqCst), 1);
    assert_eq!(get(server.address(), "/a").await.status, 200);
}
