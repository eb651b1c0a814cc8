//! The same directory again: by the next server, by a second one at the same time, and by the
//! check beside a server.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use holdall::{
    domain::{caller::Caller, nouns::NewAccount},
    model::{name::AccountName, secret::Secret},
};

use crate::common::{
    TestServer,
    process::{run, serve},
    wire::Raw,
};

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
    let new = NewAccount {
        name: AccountName::parse("ann").unwrap(),
        display_name: String::new(),
        email: None,
        admin: false,
        password: Some(Secret::new("correct horse")),
    };
    server.holdall.add_account(&Caller::Operator, new).await.unwrap();
    assert_eq!(send(&server, "PUT", "dear ann").await.0, 201);
    let server = server.restart().await;
    assert_eq!(send(&server, "GET", "").await, (200, "dear ann".to_owned()));
    let report = server.holdall.check(&Caller::Operator).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
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
