//! HTTP as bytes: what no client library would send, and what it would hide.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longer than anything a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection to a server.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    seen: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// A header's value; names are compared without case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), seen: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    async fn more(&mut self) -> bool {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.seen)).await;
        read.expect("the server answers").is_ok_and(|bytes| bytes > 0)
    }

    /// The next answer; `None` if the connection closes before one came whole.
    pub(crate) async fn reply(&mut self) -> Option<Reply> {
        self.reply_to(false).await
    }

    /// The next answer, which has no body if it is one to HEAD.
    pub(crate) async fn reply_to(&mut self, head_only: bool) -> Option<Reply> {
        let end = loop {
            if let Some(at) = self.seen.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more().await {
                return None;
            }
        };
        let head = String::from_utf8(self.seen.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1)?.parse().unwrap();
        let mut reply = Reply { status, head, body: Vec::new() };
        if !head_only && status != 204 && status != 304 && status >= 200 {
            let length = reply.header("content-length").expect("tests' answers have a length");
            let length: usize = length.parse().unwrap();
            while self.seen.len() < length {
                if !self.more().await {
                    return None;
                }
            }
            reply.body = self.seen.drain(..length).collect();
        }
        Some(reply)
    }

    /// Waits until the server closes and gives what it still sent.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        while self.more().await {}
        self.seen
    }
}

/// One GET on a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Reply {
    let mut raw = Raw::connect(address).await;
    raw.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    raw.reply().await.expect("an answer")
}

/// An answer that ends with its connection; chunks are joined.
pub(crate) fn parse(bytes: &[u8]) -> Option<Reply> {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(rest[..end].to_vec()).unwrap();
        let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
        at += end;
        if status == 100 {
            continue;
        }
        let mut reply = Reply { status, head, body: bytes[at..].to_vec() };
        if reply.header("transfer-encoding").is_some() {
            reply.body = unchunk(&reply.body)?;
        }
        return Some(reply);
    }
}

fn unchunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let line = bytes.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).ok()?, 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(bytes.get(line + 2..line + 2 + length)?);
        bytes = bytes.get(line + 4 + length..)?;
    }
}

/// What every element of this name holds, in order.
pub(crate) fn elements(text: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = text.split(&open).skip(1);
    parts.filter_map(|part| part.split_once(&close).map(|(inner, _)| inner.to_owned())).collect()
}

/// What the first element of this name holds.
pub(crate) fn element(text: &str, name: &str) -> Option<String> {
    elements(text, name).into_iter().next()
}
