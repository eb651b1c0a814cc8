//! The command line, beside a server and without one.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixListener,
    path::PathBuf,
    process::{Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{
    ask::Ask,
    process::{run, serve, serve_with},
};

/// A place for data that is not there yet.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    (directory, data)
}

fn json(done: &Output) -> Value {
    serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"))
}

/// The story: `serve --listen` at another port, and `mount-help` told the one of the configuration.
#[test]
fn the_address_that_is_told_is_the_one_listened_at() {
    let (_directory, data) = place();
    let served = serve(&data);
    let findings = json(&run(&data, &["doctor", "--json"]));
    let server = findings.as_array().unwrap().iter().find(|finding| finding["what"] == "server").unwrap();
    assert_eq!(server["state"], "ok", "{findings}");
    let found = server["found"].as_str().unwrap();
    let address = found.split_once("answers at http://").unwrap().1;
    TcpStream::connect(address).unwrap();
    let help = || String::from_utf8(run(&data, &["mount-help"]).stdout).unwrap();
    let line = |address: &str| format!("gio mount dav://admin@{address}/dav/");
    assert!(help().contains(&line(address)), "{}", help());
    drop(served);
    assert!(help().contains(&line("127.0.0.1:7070")), "{}", help());
}

/// Says of itself what it is told to, whatever it is asked over the socket.
fn answer_over(socket: UnixListener, said: String) {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        said.len()
    );
    std::thread::spawn(move || {
        for mut stream in socket.incoming().flatten() {
            let mut asked = [0; 4096];
            if stream.read(&mut asked).is_ok_and(|length| length > 0) {
                let _ = stream.write_all(format!("{head}{said}").as_bytes());
            }
        }
    });
}

/// The story: after an update the server that still ran was told to be in its own way.
#[test]
fn a_server_of_another_version_holds_its_own_port() {
    let (_directory, data) = place();
    std::fs::create_dir(&data).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let listens = serde_json::json!([{ "address": port.local_addr().unwrap(), "tls": false }]);
    let said = serde_json::json!({ "version": "0.0.0", "listens": listens });
    answer_over(UnixListener::bind(data.join("admin.sock")).unwrap(), said.to_string());
    let findings = json(&run(&data, &["doctor", "--json"]));
    let state = |what: &str| {
        let finding = findings.as_array().unwrap().iter().find(|finding| finding["what"] == what);
        finding.unwrap()["state"].clone()
    };
    assert_eq!((state("server"), state("port")), ("warn".into(), "ok".into()), "{findings}");
}

/// The story: a server that was given a certificate in its environment was said to have none.
#[test]
fn doctor_believes_the_server_about_tls() {
    for (tls, state) in [(true, "ok"), (false, "warn")] {
        let (_directory, data) = place();
        std::fs::create_dir(&data).unwrap();
        let listens = serde_json::json!([{ "address": "0.0.0.0:1", "tls": tls }]);
        let said = serde_json::json!({ "version": "0.0.0", "listens": listens });
        answer_over(UnixListener::bind(data.join("admin.sock")).unwrap(), said.to_string());
        let findings = json(&run(&data, &["doctor", "--json"]));
        let found = findings.as_array().unwrap().iter().find(|finding| finding["what"] == "tls");
        assert_eq!(found.unwrap()["state"], state, "{findings}");
    }
}

/// The story: it printed the name in the settings, and whatever `--user` said.
#[test]
fn mount_help_names_an_account_that_is_there() {
    let (_directory, data) = place();
    let missing = run(&data, &["mount-help"]);
    assert!(String::from_utf8(missing.stderr).unwrap().contains("start `holdall serve` once"));
    let served = serve_with(&data, &[("HOLDALL_ADMIN_USER", "root")], [Stdio::null(), Stdio::null()]);
    for name in ["abel", "zoe"] {
        assert_eq!(run(&data, &["user", "add", name, "--admin"]).status.code(), Some(0));
    }
    let named = |words: &[&str], name: &str| {
        let done = run(&data, &[&["mount-help"], words].concat());
        assert!(String::from_utf8_lossy(&done.stdout).contains(&format!("dav://{name}@")), "{done:?}");
    };
    let unknown = || {
        let done = run(&data, &["mount-help", "--user", "nobody", "--json"]);
        let said: Value = serde_json::from_slice(&done.stderr).unwrap();
        assert_eq!((done.status.code(), &said["code"]), (Some(1), &"no_such_account".into()), "{said}");
    };
    // `admin` is the name in the settings now, and nobody's.
    named(&[], "root");
    named(&["--user", "zoe"], "zoe");
    unknown();
    drop(served);
    named(&[], "root");
    unknown();
    assert_eq!(run(&data, &["user", "disable", "root"]).status.code(), Some(0));
    named(&[], "abel");
}

#[test]
fn errors_are_one_json_object_where_json_is_asked_for() {
    let (_directory, data) = place();
    let missing = run(&data, &["user", "list", "--json"]);
    let said: Value = serde_json::from_slice(&missing.stderr).unwrap();
    assert_eq!((&said["code"], said.get("status")), (&"refused".into(), None), "{said}");
    let _served = serve(&data);
    let cases: [(&[&str], i32, &str); 9] = [
        (&["user", "show", "nobody"], 1, "no_such_account"),
        (&["user", "remove", "admin"], 1, "conflict"),
        (&["user", "disable", "admin"], 1, "conflict"),
        (&["app-password", "add", "admin", "--scope", "nosuch"], 1, "no_such_bucket"),
        (&["app-password", "add", "admin", "--expires", "2020-01-31T00:00:00Z"], 1, "invalid"),
        (&["bucket", "set", "admin", "--quota", "much"], 2, "usage"),
        (&["bucket", "set", "admin"], 2, "usage"),
        (&["mount-help", "--url", "nowhere"], 2, "usage"),
        (&["user", "frobnicate"], 2, "usage"),
    ];
    for (words, code, name) in cases {
        let done = run(&data, &[words, &["--json"]].concat());
        assert_eq!((done.status.code(), done.stdout.len()), (Some(code), 0), "{done:?}");
        let said: Value = serde_json::from_slice(&done.stderr).unwrap_or_else(|_| panic!("{done:?}"));
        assert_eq!(said["code"], name, "{said}");
        let plain = String::from_utf8(run(&data, words).stderr).unwrap();
        assert!(plain.contains(said["detail"].as_str().unwrap()), "{plain} {said}");
        assert!(plain.starts_with("holdall: ") || plain.starts_with("error: "), "{plain}");
    }
}

#[test]
fn a_quota_is_given_as_people_write_sizes() {
    let (_directory, data) = place();
    let _served = serve(&data);
    for (text, bytes) in [("1 GiB", 1 << 30), ("500MB", 500_000_000), ("1g", 1 << 30), ("7", 7)] {
        let done = run(&data, &["bucket", "set", "admin", "--quota", text, "--json"]);
        assert_eq!(json(&done)["quota"], bytes, "{text}");
    }
    assert_eq!(
        json(&run(&data, &["bucket", "set", "admin", "--quota", "none", "--json"]))["quota"],
        Value::Null
    );
}

#[test]
fn the_version_is_told_by_flags_and_by_a_command() {
    let (_directory, data) = place();
    let said = format!("holdall {}\n", env!("CARGO_PKG_VERSION"));
    for word in ["--version", "-V", "version"] {
        let done = run(&data, &[word]);
        assert_eq!((done.status.code(), String::from_utf8(done.stdout).unwrap()), (Some(0), said.clone()));
        let done = run(&data, &[word, "--json"]);
        assert_eq!(json(&done), serde_json::json!({ "version": env!("CARGO_PKG_VERSION") }), "{word}");
    }
}

/// The story: `--data` and `--config` stood between a command's own options.
#[test]
fn help_shows_a_commands_own_options_first() {
    let (_directory, data) = place();
    let help = String::from_utf8(run(&data, &["app-password", "add", "--help"]).stdout).unwrap();
    let at = |found: &str| help.find(found).unwrap_or_else(|| panic!("{found}: {help}"));
    for own in ["--label", "--scope", "--expires"] {
        assert!(at(own) < at("Options of every command:"), "{help}");
    }
    for shared in ["--data", "--config", "--json"] {
        assert!(at("Options of every command:") < at(shared), "{help}");
    }
    assert!(!help.contains("[default: \"\"]"), "{help}");
}

/// The story: an app password for everything was listed with nothing under BUCKETS.
#[test]
fn an_app_password_for_everything_is_listed_so() {
    let (_directory, data) = place();
    let _served = serve(&data);
    run(&data, &["app-password", "add", "admin"]);
    run(&data, &["app-password", "add", "admin", "--scope", "admin", "--label", "phone"]);
    let listed = String::from_utf8(run(&data, &["app-password", "list", "admin"]).stdout).unwrap();
    let shown = |word: &str| listed.lines().any(|line| line.split_whitespace().nth(2) == Some(word));
    assert!(shown("all") && shown("admin"), "{listed}");
    let told = json(&run(&data, &["app-password", "list", "admin", "--json"]));
    assert!(told.as_array().unwrap().iter().any(|one| one["buckets"] == serde_json::json!([])), "{told}");
}

/// The story: an account could not be removed, and nothing said how it could.
#[tokio::test]
async fn what_is_not_empty_is_refused_with_what_to_do() {
    let (_directory, data) = place();
    let _served = serve(&data);
    run(&data, &["user", "add", "ann"]);
    let found = json(&run(&data, &["doctor", "--json"]));
    let server = found.as_array().unwrap().iter().find(|one| one["what"] == "server").unwrap().clone();
    let address = server["found"].as_str().unwrap().split_once("http://").unwrap().1.to_owned();
    let made = json(&run(&data, &["app-password", "add", "ann", "--json"]));
    let put = Ask::new("PUT", "/dav/ann/file").body("content");
    let put = put.basic("ann", made["password"].as_str().unwrap());
    assert_eq!(put.send(address.parse().unwrap()).await.unwrap().status, 201);
    for words in [["user", "remove", "ann"], ["bucket", "remove", "ann"]] {
        let done = run(&data, &words);
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(said.contains("bucket ann is not empty; delete its files first"), "{said}");
    }
}
