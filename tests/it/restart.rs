//! The same directory again: by the next server, by a second one at the same time, and by the
//! check beside a server.

use std::{
    net::{SocketAddr, TcpListener},
    process::Stdio,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use holdall::{
    domain::{caller::Caller, nouns::NewAccount},
    model::secret::Secret,
};

use crate::common::{
    TestServer, newcomer,
    process::{run, serve, serve_at},
    wire::{Raw, Reply},
};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

async fn send(server: &TestServer, method: &str, body: &str) -> (u16, String) {
    let basic = STANDARD.encode("ann:correct horse");
    let length = body.len();
    let head = format!(
        "{method} /dav/ann/letter HTTP/1.1\r\nhost: test\r\nauthorization: Basic {basic}\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    let mut raw = Raw::connect(server.address()).await;
    raw.send(head).await;
    let reply = raw.reply().await.unwrap();
    (reply.status, reply.text().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_there_when_the_server_starts_again() {
    let server = TestServer::start().await;
    let new = NewAccount { password: Some(Secret::new("correct horse")), ..newcomer("ann") };
    server.holdall.add_account(&Caller::Operator, new).await.unwrap();
    assert_eq!(send(&server, "PUT", "dear ann").await.0, 201);
    let server = server.restart().await;
    assert_eq!(send(&server, "GET", "").await, (200, "dear ann".to_owned()));
    let report = server.holdall.check(&Caller::Operator).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
}

/// One request to a server in a process of its own; `None` if it breaks off.
async fn ask(address: SocketAddr, method: &str, path: &str, headers: &str) -> Option<Reply> {
    let mut raw = Raw::connect(address).await;
    let basic = STANDARD.encode("ann:correct horse");
    let head = format!(
        "{method} /dav/ann/{path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Basic {basic}\r\n\
         {headers}content-length: 1\r\n\r\nx"
    );
    raw.send(if method == "PUT" { head } else { head.replace("content-length: 1\r\n\r\nx", "\r\n") }).await;
    raw.reply().await
}

async fn status(address: SocketAddr, method: &str, path: &str, headers: &str) -> u16 {
    ask(address, method, path, headers).await.expect("an answer").status
}

// A folder of a versioned bucket goes file by file. A kill in the middle once left 726 files in
// one folder and 75 in the other, and the same MOVE again was refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_being_moved_file_by_file_arrives_after_a_kill() {
    const FILES: usize = 400;
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = address.to_string();
    let account = [("HOLDALL_ADMIN_USER", "ann"), ("HOLDALL_ADMIN_PASSWORD", "correct horse")];
    let start = || serve_at(&data, &listen, &account, [Stdio::null(), Stdio::null()]);
    let first = start();
    let set = run(&data, &["bucket", "set", "ann", "--versioning", "enabled"]);
    assert!(set.status.success(), "{set:?}");
    assert_eq!(status(address, "MKCOL", "d", "").await, 201);
    for n in 0..FILES {
        assert_eq!(status(address, "PUT", &format!("d/{n:04}"), "").await, 201);
    }
    let destination = format!("destination: http://{address}/dav/ann/e\r\n");
    let moving = tokio::spawn(async move { ask(address, "MOVE", "d", &destination).await.is_some() });
    while status(address, "GET", "e/0000", "").await != 200 {
        tokio::task::yield_now().await;
    }
    drop(first);
    assert!(!moving.await.unwrap(), "the kill came too late to show anything");
    let _second = start();
    let since = Instant::now();
    while status(address, "GET", &format!("e/{:04}", FILES - 1), "").await != 200 {
        assert!(since.elapsed() < PATIENCE, "the folder arrives");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status(address, "PROPFIND", "d", "depth: 0\r\n").await, 404);
    for n in 0..FILES {
        assert_eq!(status(address, "GET", &format!("e/{n:04}"), "").await, 200, "{n}");
    }
    let checked = run(&data, &["check"]);
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn a_second_server_on_the_same_directory_is_refused_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let first = serve(&data);
    let second = run(&data, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("another holdall is using this data directory"), "{said}");
    drop(first);
}

#[test]
fn a_check_runs_beside_a_server_after_its_death_and_not_without_data() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    assert_eq!(run(&data, &["check"]).status.code(), Some(2), "there is no data");
    let served = serve(&data);
    let online = run(&data, &["check", "--json"]);
    assert_eq!(online.status.code(), Some(0), "{online:?}");
    let report: serde_json::Value = serde_json::from_slice(&online.stdout).unwrap();
    assert_eq!((&report["clean"], &report["counts"]["buckets"]), (&true.into(), &1.into()), "{report}");
    // Killed, not stopped.
    drop(served);
    let offline = run(&data, &["check"]);
    assert_eq!(offline.status.code(), Some(0), "{offline:?}");
    assert!(String::from_utf8_lossy(&offline.stdout).ends_with("clean\n"), "{offline:?}");
}
