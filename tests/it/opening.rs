//! What the command says of data that is not there, or that cannot be opened.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::process::{run, run_typing, run_with, serve, serve_below, serve_with};

/// A place for data that is not there yet.
fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    (directory, data)
}

/// A data directory that was served once and is not now.
fn served() -> (TempDir, PathBuf) {
    let (directory, data) = place();
    drop(serve(&data));
    (directory, data)
}

fn said(done: &Output) -> String {
    String::from_utf8(done.stderr.clone()).unwrap()
}

/// What `doctor` found of one thing: its state, and in words.
fn found(done: &Output, what: &str) -> (String, String) {
    let findings: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
    let finding = findings.as_array().unwrap().iter().find(|finding| finding["what"] == what);
    let finding = finding.unwrap_or_else(|| panic!("{what}: {findings}"));
    (finding["state"].as_str().unwrap().into(), finding["found"].as_str().unwrap().into())
}

/// FORMAT with other lines and the sum that belongs to them.
fn format_of(lines: &str) -> Vec<u8> {
    format!("{lines}crc32c {:08x}\n", crc_fast::crc32_iscsi(lines.as_bytes())).into_bytes()
}

/// The ways to break a data directory, and a word of what must be said.
fn break_it(data: &Path, way: usize) -> Option<&'static str> {
    let format = data.join("FORMAT");
    let uuid = "uuid 000102030405060708090a0b0c0d0e0f\ncompat\nro-compat\n";
    match way {
        0 => fs::write(format, "junk").unwrap(),
        1 => fs::write(format, "holdall format 2\nwhatever comes then\n").unwrap(),
        2 => fs::write(format, format_of(&format!("holdall format 1\n{uuid}incompat redo-log\n"))).unwrap(),
        3 => fs::remove_dir_all(data.join("keys")).unwrap(),
        4 => fs::write(data.join("meta/holdall.redb"), vec![b'x'; 1 << 20]).unwrap(),
        5 => fs::write(data.join("meta/holdall.redb"), "").unwrap(),
        6 => fs::remove_file(data.join("meta/holdall.redb")).unwrap(),
        _ => return None,
    }
    Some(match way {
        0 => "FORMAT of the data directory is not what was written",
        1 => "has format 2, and this holdall knows up to 1: use a newer one",
        2 => "uses \"redo-log\", which this holdall does not know: use a newer one",
        3 => "keys/holdall.key is missing",
        _ => "meta/holdall.redb",
    })
}

/// The story: `doctor` only asked whether the directory is there. It called data good, and told
/// people to start a server that then refused.
#[test]
fn doctor_fails_where_the_server_would_refuse_and_with_the_same_words() {
    for way in 0.. {
        let (_directory, data) = served();
        // Something is in it, so that the metadata cannot be taken for that of a first start.
        fs::create_dir_all(data.join("segments/00")).unwrap();
        let Some(words) = break_it(&data, way) else { break };
        let refused = run(&data, &["serve", "--listen", "127.0.0.1:0"]);
        let why = said(&refused);
        assert_eq!(refused.status.code(), Some(1), "{words}: {why}");
        let done = run(&data, &["doctor", "--json"]);
        let (state, text) = found(&done, "data");
        assert_eq!((done.status.code(), state.as_str()), (Some(1), "fail"), "{words}: {text}");
        assert!(text.contains(words), "{words}: {text}");
        assert!(why.contains(&text), "{why} {text}");
        assert!(!why.contains("at the moment"), "it does not pass: {why}");
    }
}

/// Design: "`doctor` warns until it was confirmed".
#[test]
fn doctor_warns_until_the_recovery_key_was_confirmed() {
    let (_directory, data) = place();
    let told = data.parent().unwrap().join("told");
    let served = serve_with(&data, &[], [fs::File::create(&told).unwrap().into(), Stdio::null()]);
    let key = fs::read_to_string(&told).unwrap();
    let key =
        key.lines().find_map(|line| line.trim().strip_prefix("recovery key")).unwrap().trim().to_owned();
    let state = || found(&run(&data, &["doctor", "--json"]), "recovery key").0;
    let confirm = |key: &str| run_typing(&data, &["recovery-key", "confirm"], key);
    assert_eq!(state(), "warn");
    let refused = confirm("abcd-efgh\n");
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("not the recovery key"), "{}", said(&refused));
    assert_eq!(state(), "warn");
    // Beside the server and without it.
    assert_eq!(confirm(&format!("{key}\n")).status.code(), Some(0));
    assert_eq!(state(), "ok");
    drop(served);
    assert_eq!(state(), "ok");
    assert_eq!(confirm(&key).status.code(), Some(0));
}

/// Leaves the metadata as a crash does when it is too large to be repaired at once; its bytes.
fn leave_unrepaired(metadata: &Path) -> Vec<u8> {
    let database = redb::Database::open(metadata).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set_quick_repair(false);
    let table: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("config");
    transaction.open_table(table).unwrap().insert(b"left".as_slice(), b"".as_slice()).unwrap();
    transaction.commit().unwrap();
    // Closing it would leave nothing to repair.
    std::mem::forget(database);
    fs::read(metadata).unwrap()
}

/// Design: "plain two-phase with repair progress shown".
#[test]
fn a_repair_of_the_metadata_is_told_in_the_log() {
    let (directory, data) = served();
    let log = |name: &str| {
        let path = directory.path().join(name);
        drop(serve_with(&data, &[], [Stdio::null(), fs::File::create(&path).unwrap().into()]));
        fs::read_to_string(path).unwrap()
    };
    let quick = log("quick");
    assert!(!quick.contains("repaired"), "{quick}");
    let metadata = data.join("meta/holdall.redb");
    let left = leave_unrepaired(&metadata);
    let slow = log("slow");
    for percent in ["0", "60", "90"] {
        let line = slow.lines().find(|line| line.contains(&format!("\"percent\":{percent}")));
        assert!(line.is_some_and(|line| line.contains("the metadata is repaired")), "{percent}: {slow}");
    }
    // Commands say it on a terminal only.
    fs::write(&metadata, left).unwrap();
    let done = run(&data, &["user", "list"]);
    assert_eq!((done.status.code(), said(&done).as_str()), (Some(0), ""));
}

/// Every file below a directory.
fn files(data: &Path) -> Vec<PathBuf> {
    fs::read_dir(data).map_or_else(|_| Vec::new(), |names| names.map(|name| name.unwrap().path()).collect())
}

#[test]
fn only_serve_makes_data() {
    let (_directory, data) = place();
    let commands: [&[&str]; 5] =
        [&["user", "list"], &["user", "add", "ann"], &["check"], &["doctor"], &["bucket", "list"]];
    for exists in [false, true] {
        if exists {
            fs::create_dir(&data).unwrap();
        }
        for words in commands {
            let done = run(&data, words);
            let text = said(&done) + &String::from_utf8_lossy(&done.stdout);
            assert!(matches!(done.status.code(), Some(1 | 2)), "{words:?}: {text}");
            assert!(text.contains("start `holdall serve` once"), "{words:?}: {text}");
            assert_eq!((data.exists(), files(&data)), (exists, Vec::new()), "{words:?}");
        }
    }
    drop(serve(&data));
    assert_eq!(run(&data, &["user", "list"]).status.code(), Some(0));
}

#[test]
fn a_preset_that_cannot_be_is_refused_by_name_before_anything_is_made() {
    let (directory, data) = place();
    let key = ("HOLDALL_ADMIN_ACCESS_KEY", "ANNSKEY");
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[("HOLDALL_ADMIN_PASSWORD", "x")], "admin.password"),
        (
            &[("HOLDALL_ADMIN_ACCESS_KEY", "a/b"), ("HOLDALL_ADMIN_SECRET_KEY", "long-enough")],
            "admin.access_key",
        ),
        (&[key, ("HOLDALL_ADMIN_SECRET_KEY", "s")], "admin.secret_key"),
        (&[("HOLDALL_ADMIN_USER", "s3")], "admin.user"),
    ];
    for (variables, setting) in cases {
        let done = run_with(&data, &["serve", "--listen", "127.0.0.1:0"], variables);
        let why = said(&done);
        assert_eq!(done.status.code(), Some(2), "{why}");
        assert!(why.starts_with("holdall: ") && why.contains(setting) && why.lines().count() == 1, "{why}");
        assert!(files(directory.path()).is_empty(), "{setting}");
    }
}

/// A preset that no longer is one, after an update say, keeps no server from starting.
#[test]
fn presets_are_not_looked_at_once_there_is_an_account() {
    let (_directory, data) = served();
    let _served = serve_with(&data, &[("HOLDALL_ADMIN_PASSWORD", "x")], [Stdio::null(), Stdio::null()]);
    assert_eq!(run(&data, &["doctor", "--healthy"]).status.code(), Some(0));
}

#[test]
fn an_address_that_is_taken_is_called_one() {
    let (_directory, data) = served();
    let add = |name| run(&data, &["user", "add", name, "--email", "bob@x.org"]);
    assert_eq!(add("bob").status.code(), Some(0));
    let refused = add("rob");
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("the e-mail address bob@x.org exists already"), "{}", said(&refused));
}

/// The story: a folder of pictures became a data directory without a word, and they were not there.
#[test]
fn a_first_start_beside_other_files_says_that_they_are_not_served() {
    let (directory, data) = place();
    let warned = |fill: &dyn Fn()| {
        let _ = fs::remove_dir_all(&data);
        fs::create_dir(&data).unwrap();
        fill();
        let log = directory.path().join("log");
        drop(serve_with(&data, &[], [Stdio::null(), fs::File::create(&log).unwrap().into()]));
        fs::read_to_string(log).unwrap().contains("is not served")
    };
    assert!(warned(&|| fs::write(data.join("picture.jpg"), "").unwrap()));
    assert_eq!(fs::read(data.join("picture.jpg")).unwrap(), b"");
    assert!(!warned(&|| fs::create_dir(data.join("lost+found")).unwrap()));
    assert!(!warned(&|| fs::write(data.join("config.toml"), "").unwrap()));
}

/// The story: "File exists (os error 17)".
#[test]
fn a_file_is_not_taken_for_a_data_directory() {
    let (_directory, data) = place();
    fs::write(&data, "").unwrap();
    let done = run(&data, &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(said(&done).contains("is not a directory; name another with --data"), "{}", said(&done));
}

/// The story: the server kept the 1,024 open files of a login shell, fewer than its connections.
#[test]
fn the_server_takes_as_many_open_files_as_it_may_have() {
    let (_directory, data) = place();
    let served = serve_below(&data, "ulimit -Sn 256");
    let limits = fs::read_to_string(format!("/proc/{}/limits", served.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
    assert_ne!(numbers[0], "256", "nothing was to be raised");
}
