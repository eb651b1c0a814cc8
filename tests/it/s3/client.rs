//! The least of an S3 client: it signs what it is told to send, and sends exactly that.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use holdall::{domain::caller::Caller, model::secret::Secret};
use sha2::{Digest, Sha256};

use crate::common::{
    TestServer, newcomer,
    wire::{Raw, Reply, element},
};

pub(super) const REGION: &str = "us-east-1";
const SECRET: &str = "a-secret-of-forty-characters-or-so/tests";

/// A server with the accounts `ann` and `bob`, asked by `ann` unless told otherwise.
pub(super) struct S3 {
    pub(super) server: TestServer,
    pub(super) key: &'static str,
}

/// What a signature leaves behind for the chunks of a body.
pub(super) struct Signed {
    pub(super) date: String,
    pub(super) signature: String,
}

impl S3 {
    pub(super) async fn start() -> Self {
        let server = TestServer::start().await;
        for (name, key) in [("ann", "ANNSKEY"), ("bob", "BOBSKEY")] {
            let new = newcomer(name);
            let name = new.name.clone();
            server.holdall.add_account(&Caller::Operator, new).await.unwrap();
            let key = (key.to_owned(), Secret::new(SECRET));
            server.holdall.add_key(&Caller::Operator, &name, Some(key)).await.unwrap();
        }
        Self { server, key: "ANNSKEY" }
    }

    /// The same with a bucket `b`.
    pub(super) async fn with_bucket() -> Self {
        let s3 = Self::start().await;
        assert_eq!(s3.send("PUT", "/b-1", &[], b"").await.status, 200);
        s3
    }

    /// The same with versioning on.
    pub(super) async fn with_versions() -> Self {
        let s3 = Self::with_bucket().await;
        assert_eq!(s3.set_versioning("Enabled").await, 200);
        s3
    }

    pub(super) async fn set_versioning(&self, status: &str) -> u16 {
        let text = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        self.send("PUT", "/b-1?versioning", &[], text.as_bytes()).await.status
    }

    /// One signed request on a connection of its own. Path and query are sent as they are given.
    pub(super) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let hash = hex::encode(Sha256::digest(body));
        self.send_as(method, target, headers, (&hash, body)).await
    }

    /// The same with another text in the place of the body's hash.
    pub(super) async fn send_as(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        (payload, body): (&str, &[u8]),
    ) -> Reply {
        let (head, _) = self.head(method, target, headers, payload);
        self.exchange(method, head, body).await
    }

    async fn exchange(&self, method: &str, mut head: String, body: &[u8]) -> Reply {
        if !body.is_empty() || method == "PUT" || method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        let mut raw = Raw::connect(self.server.address()).await;
        raw.send(format!("{head}\r\n")).await;
        // A refusal may come before all of it is read.
        raw.send(body).await;
        raw.reply_to(method == "HEAD").await.expect("an answer")
    }

    /// A request in chunks that are signed one after the other.
    pub(super) async fn send_chunks(
        &self,
        target: &str,
        headers: &[(&str, &str)],
        chunks: &[&[u8]],
        spoil: bool,
    ) -> Reply {
        let length = chunks.iter().map(|chunk| chunk.len()).sum::<usize>().to_string();
        let mut headers = headers.to_vec();
        headers.push(("x-amz-decoded-content-length", &length));
        let (head, signed) = self.head("PUT", target, &headers, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        let (mut body, mut before) = (Vec::new(), signed.signature.clone());
        for chunk in chunks.iter().copied().chain([&b""[..]]) {
            let empty = hex::encode(Sha256::digest(b""));
            let text = format!(
                "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{before}\n{empty}\n{}",
                signed.date,
                scope(&signed.date),
                hex::encode(Sha256::digest(chunk))
            );
            before = hex::encode(mac(&key(&signed.date), &text));
            let sent = if spoil { "0".repeat(64) } else { before.clone() };
            body.extend_from_slice(format!("{:x};chunk-signature={sent}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        self.exchange("PUT", head, &body).await
    }

    fn head(&self, method: &str, target: &str, headers: &[(&str, &str)], payload: &str) -> (String, Signed) {
        let date = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let host = self.server.address().to_string();
        let mut all = vec![("host", host.as_str()), ("x-amz-content-sha256", payload), ("x-amz-date", &date)];
        all.extend_from_slice(headers);
        all.sort_unstable();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut pairs: Vec<String> = query.split('&').filter(|pair| !pair.is_empty()).map(paired).collect();
        pairs.sort_unstable();
        let names = all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: String = all.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("{method}\n{path}\n{}\n{lines}\n{names}\n{payload}", pairs.join("&"));
        let hash = hex::encode(Sha256::digest(canonical));
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{}\n{hash}", scope(&date));
        let signature = hex::encode(mac(&key(&date), &text));
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        for (name, value) in &all {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!(
            "authorization: AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={names}, Signature={signature}\r\n",
            self.key,
            scope(&date)
        ));
        (head, Signed { date, signature })
    }

    pub(super) async fn put(&self, key: &str, content: &str) -> Reply {
        let reply = self.send("PUT", &format!("/b-1/{key}"), &[], content.as_bytes()).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply
    }

    pub(super) async fn get(&self, target: &str) -> Reply {
        self.send("GET", target, &[], b"").await
    }

    pub(super) async fn head_of(&self, target: &str) -> Reply {
        self.send("HEAD", target, &[], b"").await
    }

    pub(super) async fn delete(&self, target: &str) -> Reply {
        self.send("DELETE", target, &[], b"").await
    }

    /// POST of a document that must come with its digest.
    pub(super) async fn post(&self, target: &str, text: &str) -> Reply {
        let md5 = STANDARD.encode(md5::Md5::digest(text));
        self.send("POST", target, &[("content-md5", &md5)], text.as_bytes()).await
    }
}

fn paired(pair: &str) -> String {
    if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") }
}

fn scope(date: &str) -> String {
    format!("{}/{REGION}/s3/aws4_request", &date[..8])
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn key(date: &str) -> Vec<u8> {
    let first = mac(format!("AWS4{SECRET}").as_bytes(), &date[..8]);
    [REGION, "s3", "aws4_request"].iter().fold(first, |key, part| mac(&key, part))
}

/// The code of a refusal.
pub(super) fn code(reply: &Reply) -> (u16, String) {
    (reply.status, element(reply.text(), "Code").unwrap_or_default())
}
