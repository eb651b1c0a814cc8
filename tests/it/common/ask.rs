//! A request as a value: dressed in credentials or signed, then sent byte for byte.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use holdall::model::time::Timestamp;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{Duration, timeout},
};

use super::wire::{Raw, Reply, parse};

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: String,
    /// Path and query as sent: already encoded.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { method, target, headers: vec![("host".into(), "test".into())], body: Vec::new() }
    }

    /// One more header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn basic(self, user: &str, password: &str) -> Self {
        let text = STANDARD.encode(format!("{user}:{password}"));
        self.with("authorization", &format!("Basic {text}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Everything before the body. `Content-Length` is added unless the request says otherwise.
    pub(crate) fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let framed = self.header("content-length").is_some() || self.header("transfer-encoding").is_some();
        let has_body = !self.body.is_empty() || matches!(self.method.as_str(), "PUT" | "POST");
        if has_body && !framed {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head + "\r\n"
    }

    /// Sends it on a connection of its own and reads until the server closes it; `None` if no
    /// whole answer came. A server that refuses early may close before it has read everything.
    pub(crate) async fn send(&self, address: SocketAddr) -> Option<Reply> {
        let mut raw = Raw::connect(address).await;
        let _ = raw.stream.write_all(self.head().as_bytes()).await;
        let _ = raw.stream.write_all(&self.body).await;
        parse(&raw.rest().await)
    }

    /// The same to a Unix socket.
    pub(crate) async fn send_local(&self, mut stream: UnixStream) -> Option<Reply> {
        let _ = stream.write_all(self.head().as_bytes()).await;
        let _ = stream.write_all(&self.body).await;
        let mut seen = Vec::new();
        timeout(Duration::from_secs(20), stream.read_to_end(&mut seen)).await.unwrap().unwrap();
        parse(&seen)
    }
}

/// An access key that signs, rightly or wrongly.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) at: Timestamp,
}

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

impl Signer {
    pub(crate) fn new(id: &str, secret: &str, at: Timestamp) -> Self {
        let text = str::to_owned;
        Self { id: text(id), secret: text(secret), region: text("us-east-1"), service: text("s3"), at }
    }

    fn timestamp(&self) -> String {
        self.at.rfc3339_seconds().replace(['-', ':'], "")
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", &self.timestamp()[..8], self.region, self.service)
    }

    fn key(&self) -> Vec<u8> {
        let date = hmac(format!("AWS4{}", self.secret).as_bytes(), &self.timestamp()[..8]);
        let region = hmac(&date, &self.region);
        hmac(&hmac(&region, &self.service), "aws4_request")
    }

    /// The signature of a text of the kinds that end in hashes.
    fn signature(&self, kind: &str, rest: &str) -> String {
        hex::encode(hmac(&self.key(), &format!("{kind}\n{}\n{}\n{rest}", self.timestamp(), self.scope())))
    }

    fn of_request(&self, ask: &Ask, signed: &[String], payload: &str) -> String {
        let (path, query) = ask.target.split_once('?').unwrap_or((&ask.target, ""));
        let mut pairs: Vec<String> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
            .collect();
        pairs.sort();
        let headers: String = signed
            .iter()
            .map(|name| {
                let values: Vec<&str> =
                    ask.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.trim()).collect();
                format!("{name}:{}\n", values.join(","))
            })
            .collect();
        let names = signed.join(";");
        let canonical = format!("{}\n{path}\n{}\n{headers}\n{names}\n{payload}", ask.method, pairs.join("&"));
        self.signature("AWS4-HMAC-SHA256", &sha256(canonical))
    }

    /// Signs by header: everything that must be, and nothing else.
    pub(crate) fn sign(&self, ask: Ask) -> Ask {
        self.sign_all_but(ask, &[])
    }

    /// Leaves some headers out of the signature.
    pub(crate) fn sign_all_but(&self, ask: Ask, left: &[&str]) -> Ask {
        let mut ask = ask;
        if ask.header("x-amz-date").is_none() {
            ask = ask.with("x-amz-date", &self.timestamp());
        }
        if ask.header("x-amz-content-sha256").is_none() {
            let hash = sha256(&ask.body);
            ask = ask.with("x-amz-content-sha256", &hash);
        }
        let mut signed: Vec<String> = ask.headers.iter().map(|(name, _)| name.clone()).collect();
        signed
            .retain(|name| (name == "host" || name.starts_with("x-amz-")) && !left.contains(&name.as_str()));
        signed.sort();
        signed.dedup();
        self.sign_these(ask, &signed)
    }

    /// Signs exactly these headers.
    pub(crate) fn sign_these(&self, ask: Ask, signed: &[String]) -> Ask {
        let payload = ask.header("x-amz-content-sha256").unwrap_or("UNSIGNED-PAYLOAD").to_owned();
        let signature = self.of_request(&ask, signed, &payload);
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={signature}",
            self.id,
            self.scope(),
            signed.join(";")
        );
        ask.with("authorization", &value)
    }

    /// Signs by query, for this many seconds; headers that are there now are signed.
    pub(crate) fn presign(&self, ask: Ask, seconds: i64) -> Ask {
        let mut ask = ask;
        let mut signed: Vec<String> = ask.headers.iter().map(|(name, _)| name.clone()).collect();
        signed.sort();
        let scope = self.scope().replace('/', "%2F");
        let mark = if ask.target.contains('?') { '&' } else { '?' };
        ask.target.push_str(&format!(
            "{mark}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{scope}&X-Amz-Date={}\
             &X-Amz-Expires={seconds}&X-Amz-SignedHeaders={}",
            self.id,
            self.timestamp(),
            signed.join("%3B")
        ));
        let signature = self.of_request(&ask, &signed, "UNSIGNED-PAYLOAD");
        ask.target.push_str(&format!("&X-Amz-Signature={signature}"));
        ask
    }

    /// Signs a body that is sent in signed chunks, with trailers if there are any.
    pub(crate) fn in_chunks(&self, ask: Ask, pieces: &[&[u8]], trailers: &[(&str, &str)]) -> Ask {
        let with_trailer = if trailers.is_empty() { "" } else { "-TRAILER" };
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        let mut ask = ask
            .with("content-encoding", "aws-chunked")
            .with("x-amz-content-sha256", &format!("STREAMING-AWS4-HMAC-SHA256-PAYLOAD{with_trailer}"))
            .with("x-amz-decoded-content-length", &length.to_string());
        for (name, _) in trailers {
            ask = ask.with("x-amz-trailer", name);
        }
        let mut ask = self.sign(ask);
        let seed = ask.header("authorization").unwrap().rsplit('=').next().unwrap().to_owned();
        let mut last = seed;
        for piece in pieces.iter().chain([&&b""[..]]) {
            last = self.signature("AWS4-HMAC-SHA256-PAYLOAD", &format!("{last}\n{EMPTY}\n{}", sha256(piece)));
            ask.body.extend_from_slice(format!("{:x};chunk-signature={last}\r\n", piece.len()).as_bytes());
            if !piece.is_empty() {
                ask.body.extend_from_slice(piece);
                ask.body.extend_from_slice(b"\r\n");
            }
        }
        if !trailers.is_empty() {
            let text: String = trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
            last = self.signature("AWS4-HMAC-SHA256-TRAILER", &format!("{last}\n{}", sha256(&text)));
            for (name, value) in trailers {
                ask.body.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
            }
            ask.body.extend_from_slice(format!("x-amz-trailer-signature:{last}\r\n").as_bytes());
        }
        ask.body.extend_from_slice(b"\r\n");
        ask
    }
}
