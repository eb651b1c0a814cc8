//! What the log says of a request, and what it never does.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::sleep;

use super::doors::Seen;
use crate::common::{TestServer, ask::Ask, wire::Raw, world::World};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// What was written, once it holds this: the line follows the last byte of the answer.
    async fn until(&self, found: &str) -> String {
        for _ in 0..500 {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            if text.contains(found) {
                return text;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("{found} was not written in 5 s");
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A subscriber that writes down everything of this thread.
fn subscriber(lines: &Lines) -> impl tracing::Subscriber + Send + Sync + use<> {
    let writer = lines.clone();
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish()
}

/// Bodies of WebDAV do not say that their last piece was the last; their length does.
#[tokio::test]
async fn a_file_that_went_out_whole_is_logged_as_whole() {
    let lines = Lines::default();
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let _kept = tracing::subscriber::set_default(subscriber(&lines));
    let world = World::start().await;
    let get = Ask::new("GET", "/dav/olga/file");
    assert_eq!(world.ask(&world.basic("olga", get)).await.text(), "content");
    let text = lines.until("/dav/olga/file").await;
    let line = text.lines().find(|line| line.contains("holdall::access") && line.contains("/dav/olga/file"));
    let line: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    assert_eq!((&line["whole"], &line["bytes"]), (&true.into(), &7.into()), "{line}");
}

#[tokio::test]
async fn each_request_is_one_line_without_secrets() {
    let lines = Lines::default();
    // While there is one subscriber only, a place that logs for the first time in another thread
    // asks that thread's, which is none, and is silent from then on. So there are two.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let _kept = tracing::subscriber::set_default(subscriber(&lines));
    let server = TestServer::start_doors(Seen::default().doors(), |_| {}).await;
    let mut raw = Raw::connect(server.address()).await;
    let query = "X-Amz-Signature=HIDE1&X-Amz-Credential=HIDE2&X-Amz-Security-Token=HIDE3&x-id=GetObject";
    raw.send(format!(
        "GET /photos/a%0Ab?{query} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer HIDE4\r\ncookie: HIDE5\r\n\r\n"
    ))
    .await;
    let reply = raw.reply().await.unwrap();
    let text = lines.until("holdall::access").await;
    let ours: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["target"] == "holdall::access")
        .collect();
    assert_eq!(ours.len(), 1, "{text}");
    let line = &ours[0];
    assert_eq!(line["id"].as_str(), reply.header("x-request-id"));
    assert_eq!(line["method"], "GET");
    assert_eq!(
        line["path"],
        "/photos/a%0Ab?X-Amz-Signature=***&X-Amz-Credential=***&X-Amz-Security-Token=***&x-id=GetObject"
    );
    assert_eq!((&line["status"], &line["door"], &line["caller"]), (&200.into(), &"s3".into(), &"-".into()));
    assert_eq!((&line["whole"], line["bytes"].as_u64()), (&true.into(), Some(reply.body.len() as u64)));
    let own = text.lines().filter(|line| line.contains("\"target\":\"holdall"));
    assert!(!own.collect::<String>().contains("HIDE"), "{text}");
}

/// The story: a container that asked every five seconds whether all was well filled the log.
#[tokio::test]
async fn what_watchers_ask_is_no_news_unless_something_is_wrong() {
    let lines = Lines::default();
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let _kept = tracing::subscriber::set_default(subscriber(&lines));
    let server = TestServer::start_doors(Seen::default().doors(), |_| {}).await;
    let mut raw = Raw::connect(server.address()).await;
    for (path, status, level) in
        [("/-/healthy", 200, "DEBUG"), ("/-/metrics", 401, "INFO"), ("/-/x", 404, "INFO")]
    {
        raw.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")).await;
        assert_eq!(raw.reply().await.unwrap().status, status);
        let path = format!("\"path\":\"{path}\"");
        let text = lines.until(&path).await;
        let line = text.lines().find(|line| line.contains(&path)).unwrap();
        assert!(line.contains(&format!("\"level\":\"{level}\"")), "{line}");
    }
}
