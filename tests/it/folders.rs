//! Export and import: files out into folders and in again, beside a server and without one.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, SystemTime},
};

use holdall::{model::digest::Digester, outside::clock::Clock as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::UnixStream;

use crate::{
    common::{
        ask::{Ask, Signer},
        process::{Served, run, serve_with},
        wire::Reply,
    },
    proof::{self, Dice},
};

const KEY: (&str, &str) = ("AKIAFOLDERS000000000", "folders/0123456789/0123456789/0123456789");

/// Keys that no file can be called, and others that are only unusual.
const ODD: [&str; 22] = [
    "plain.txt",
    "odd/a//b",
    "odd//",
    "/odd-leading",
    "odd/../up",
    "odd/./here",
    "..",
    ".",
    "odd/dir/",
    "odd/ends /x",
    "odd/\u{1}control\n",
    "odd/nul\0nul",
    "twin/a",
    "twin/a/b",
    "case/Letter",
    "case/letter",
    "nfc/\u{e9}",
    "nfc/e\u{301}",
    "%2E%2E/%empty",
    "a%file",
    "%holdall-export/part-0",
    "日本/ファイル",
];

/// A data directory with an account `admin`, its bucket, and a second one.
struct Place {
    directory: TempDir,
    data: PathBuf,
    served: Option<Served>,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let mut place = Self { directory, data, served: None };
        place.serve();
        assert_eq!(place.run(&["bucket", "create", "second", "--owner", "admin"]).status.code(), Some(0));
        place
    }

    fn serve(&mut self) {
        let preset = [("HOLDALL_ADMIN_ACCESS_KEY", KEY.0), ("HOLDALL_ADMIN_SECRET_KEY", KEY.1)];
        self.served = Some(serve_with(&self.data, &preset, [Stdio::null(), Stdio::null()]));
    }

    /// Ends the server; commands open the data themselves from now on.
    fn stop(&mut self) {
        self.served = None;
    }

    fn run(&self, words: &[&str]) -> Output {
        run(&self.data, words)
    }

    /// Runs with `--json`; the exit code and what is said.
    fn ask(&self, words: &[&str]) -> (i32, Value) {
        let done = self.run(&[words, &["--json"]].concat());
        let said = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
        (done.status.code().unwrap(), said)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.at(name).to_str().unwrap().to_owned()
    }

    async fn send(&self, ask: Ask) -> Reply {
        let stream = UnixStream::connect(self.data.join("admin.sock")).await.unwrap();
        ask.with("holdall-on-behalf", "admin").send_local(stream).await.unwrap()
    }

    async fn put(&self, key: &str, content: &[u8]) {
        let key = utf8_percent_encode(key, NON_ALPHANUMERIC);
        let ask = Ask::new("PUT", &format!("/api/v1/buckets/admin/files/{key}")).body(content);
        let reply = self.send(ask.with("holdall-modified", "2001-02-03T04:05:06.789Z")).await;
        assert!(matches!(reply.status, 200 | 201), "{key}: {}", reply.text());
    }

    /// Keys, sizes, tags and times of a bucket.
    async fn list(&self, bucket: &str) -> BTreeMap<String, String> {
        let reply = self.send(Ask::new("GET", &format!("/api/v1/buckets/{bucket}/keys"))).await;
        let page: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!((reply.status, &page["next"]), (200, &Value::Null));
        let files = page["files"].as_array().unwrap().iter();
        files.map(|file| (file["key"].as_str().unwrap().to_owned(), file.to_string())).collect()
    }
}

/// Everything in a folder: paths as bytes, content, times of last change.
fn tree(root: &Path) -> BTreeMap<Vec<u8>, (Vec<u8>, SystemTime)> {
    let (mut found, mut ahead) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = ahead.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
            if entry.file_type().unwrap().is_dir() {
                found.insert(name, (Vec::new(), SystemTime::UNIX_EPOCH));
                ahead.push(path);
            } else {
                let modified = entry.metadata().unwrap().modified().unwrap();
                found.insert(name, (fs::read(path).unwrap(), modified));
            }
        }
    }
    found
}

/// "Export and import round trip": the same keys, bytes and times, whatever the keys are.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_exported_and_imported_is_the_same_again() {
    let mut place = Place::new();
    let long = ["k".repeat(1000), format!("{}/{}", "d".repeat(300), "f".repeat(252))];
    for key in ODD.iter().copied().chain(long.iter().map(String::as_str)) {
        place.put(key, key.as_bytes()).await;
    }
    place.put("empty-folder/", b"").await;
    let (code, said) = place.ask(&["export", "--bucket", "admin", &place.text("one")]);
    assert_eq!((code, &said["files"], &said["refused"]), (0, &24.into(), &0.into()), "{said}");
    assert_eq!(fs::read(place.at("one/admin/odd/%2E%2E/up")).unwrap(), b"odd/../up");
    assert_eq!(fs::read(place.at("one/admin/twin/a%file")).unwrap(), b"twin/a");
    assert!(
        !place.at("up").exists()
            && !place.at("one/up").exists()
            && place.at("one/admin/empty-folder").is_dir()
    );
    let modified = fs::metadata(place.at("one/admin/plain.txt")).unwrap().modified().unwrap();
    assert_eq!(modified, SystemTime::UNIX_EPOCH + Duration::from_millis(981_173_106_789));

    let (code, said) = place.ask(&["import", &place.text("one/admin"), "--into", "second"]);
    assert_eq!((code, &said["files"], &said["same"]), (0, &25.into(), &0.into()), "{said}");
    let (before, after) = (place.list("admin").await, place.list("second").await);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let of_time = |text: &String| text.contains("2001-02-03T04:05:06.789Z");
    assert!(after.iter().all(|(key, text)| key == "empty-folder/" || of_time(text)), "{after:?}");

    place.stop();
    let (code, said) = place.ask(&["import", &place.text("one/admin"), "--into", "second/below"]);
    assert_eq!((code, &said["files"]), (0, &25.into()), "{said}");
    let (code, said) = place.ask(&["import", &place.text("one/admin"), "--into", "second"]);
    assert_eq!((code, &said["files"], &said["same"]), (0, &0.into(), &25.into()), "{said}");
    assert_eq!(place.run(&["export", "second", &place.text("two")]).status.code(), Some(0));
    let (one, two) = (tree(&place.at("one/admin")), tree(&place.at("two/second")));
    let below: BTreeMap<_, _> = two
        .iter()
        .filter_map(|(name, held)| Some((name.strip_prefix(b"below/")?.to_vec(), held.clone())))
        .collect();
    assert_eq!(one, below);
    let beside = two.into_iter().filter(|(name, _)| !name.starts_with(b"below"));
    assert_eq!(one, beside.collect());
    assert_eq!(place.run(&["check"]).status.code(), Some(0));
}

/// A repeated export goes by the bytes: what was changed on the disk is seen whatever its size and
/// time say, and nothing else is written again.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_export_writes_only_what_differs() {
    let place = Place::new();
    for key in ["a", "b", "c", "d/e", "d/f"] {
        place.put(key, b"content").await;
    }
    let export = |code: i32| {
        let (found, said) = place.ask(&["export", &place.text("dest")]);
        assert_eq!(found, code, "{said}");
        (said["files"].as_u64().unwrap(), said["same"].as_u64().unwrap())
    };
    assert_eq!(export(0), (5, 0));
    let dest = |name: &str| place.at("dest/admin").join(name);
    let stamp = |name: &str| {
        fs::File::options().write(true).open(dest(name)).unwrap().set_modified(SystemTime::now())
    };
    let time = fs::metadata(dest("a")).unwrap().modified().unwrap();
    fs::write(dest("a"), b"cOntent").unwrap();
    fs::File::options().write(true).open(dest("a")).unwrap().set_modified(time).unwrap();
    fs::write(dest("b"), b"content and more").unwrap();
    fs::remove_file(dest("c")).unwrap();
    stamp("d/e").unwrap();
    let own = place.at("dest/admin/own");
    fs::write(&own, b"mine").unwrap();
    fs::write(place.at("dest/%holdall-export/part-3"), b"con").unwrap();
    assert_eq!(export(0), (3, 2));
    for name in ["a", "b", "c", "d/e", "d/f"] {
        assert_eq!(fs::read(dest(name)).unwrap(), b"content", "{name}");
        assert_eq!(fs::metadata(dest(name)).unwrap().modified().unwrap(), time, "{name}");
    }
    assert_eq!(fs::read(own).unwrap(), b"mine");
    assert_eq!(export(0), (0, 5));
    // What is in the way is left there, and said.
    fs::remove_file(dest("a")).unwrap();
    symlink(place.at("elsewhere"), dest("a")).unwrap();
    fs::remove_file(dest("b")).unwrap();
    fs::create_dir(dest("b")).unwrap();
    assert_eq!(export(1), (0, 3));
    assert!(!place.at("elsewhere").exists() && dest("b").is_dir());
    let only = |what: &str, to: &str| place.ask(&["export", what, &place.text(to)]);
    let (code, said) = only("admin/d", "part");
    assert_eq!((code, &said["files"]), (0, &2.into()), "{said}");
    assert_eq!(only("admin/none", "part").0, 1);
    assert_eq!(place.run(&["export", "nosuch", &place.text("part")]).status.code(), Some(1));
    let inside = place.run(&["export", place.data.join("out").to_str().unwrap()]);
    assert_eq!(inside.status.code(), Some(1), "{inside:?}");
    assert!(!place.data.join("out").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_is_named_and_nothing_is_followed() {
    let place = Place::new();
    let from = place.at("from");
    fs::create_dir_all(from.join("inside")).unwrap();
    fs::create_dir_all(place.at("secret")).unwrap();
    fs::write(place.at("secret/file"), "secret").unwrap();
    fs::write(from.join("inside/file"), "good").unwrap();
    fs::write(from.join("%2E%2E"), "as it is: this is no export").unwrap();
    symlink(place.at("secret"), from.join("link")).unwrap();
    symlink(place.at("secret/file"), from.join("file-link")).unwrap();
    let _pipe = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
    fs::write(from.join(std::ffi::OsStr::from_bytes(b"not-\xff")), "x").unwrap();
    let deep =
        ["d".repeat(200), "e".repeat(200), "f".repeat(200), "g".repeat(200), "h".repeat(240)].join("/");
    fs::create_dir_all(from.join(&deep)).unwrap();
    let (code, said) = place.ask(&["import", &place.text("from"), "--into", "second"]);
    assert_eq!((code, &said["files"], &said["refused"]), (1, &2.into(), &5.into()), "{said}");
    let keys: Vec<_> = place.list("second").await.into_keys().collect();
    assert_eq!(keys, ["%2E%2E", "inside/file"]);
    let plain = place.run(&["import", &place.text("from"), "--into", "second"]);
    let told = String::from_utf8_lossy(&plain.stderr).into_owned();
    for name in ["link: ", "file-link: ", "socket: ", "not-"] {
        assert!(told.contains(name), "{told}");
    }
    // What stands there is not replaced by what somebody may not write.
    assert_eq!(place.run(&["user", "add", "otto"]).status.code(), Some(0));
    let foreign = place.ask(&["import", &place.text("from/inside"), "--into", "second/x", "--as", "otto"]);
    assert_eq!((foreign.0, &foreign.1["files"]), (1, &0.into()), "{foreign:?}");
    // The quota holds.
    assert_eq!(place.run(&["bucket", "set", "second", "--quota", "40"]).status.code(), Some(0));
    fs::write(from.join("inside/large"), [7; 100]).unwrap();
    let (code, said) = place.ask(&["import", &place.text("from/inside"), "--into", "second/inside"]);
    assert_eq!((code, &said["same"], &said["files"]), (1, &1.into(), &0.into()), "{said}");
    assert!(said["problems"][0]["why"].as_str().unwrap().contains("quota"), "{said}");
    for wrong in
        [&["import", "nowhere", "--into", "second"][..], &["import", "data/LOCK", "--into", "second"]]
    {
        assert_eq!(place.run(wrong).status.code(), Some(1), "{wrong:?}");
    }
}

/// A tag of parts is held against the bytes as well, part by part.
#[tokio::test(flavor = "multi_thread")]
async fn files_sent_in_parts_are_compared_by_their_parts() {
    let place = Place::new();
    let findings = place.ask(&["doctor"]).1;
    let server = findings.as_array().unwrap().iter().find(|finding| finding["what"] == "server").unwrap();
    let address = server["found"].as_str().unwrap().split_once("http://").unwrap().1;
    let address = address.split_whitespace().next().unwrap().parse().unwrap();
    let now = holdall::outside::clock::SystemClock.now();
    let signer = Signer::new(KEY.0, KEY.1, now);
    let send = async |ask: Ask| {
        let reply = signer.sign(ask).send(address).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply
    };
    let begun = send(Ask::new("POST", "/admin/big?uploads=")).await;
    let id = begun.text().split_once("<UploadId>").unwrap().1.split_once('<').unwrap().0.to_owned();
    let mut dice = Dice(proof::seed("parts"));
    let whole: Vec<u8> = (0..(5 << 20) + 777).map(|_| dice.next() as u8).collect();
    let mut done = String::from("<CompleteMultipartUpload>");
    for (at, part) in [&whole[..5 << 20], &whole[5 << 20..]].into_iter().enumerate() {
        let number = at + 1;
        send(Ask::new("PUT", &format!("/admin/big?partNumber={number}&uploadId={id}")).body(part)).await;
        let mut md5 = Digester::new(false, &[]);
        md5.update(part);
        let etag = hex::encode(md5.finish().md5);
        done += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    done += "</CompleteMultipartUpload>";
    send(Ask::new("POST", &format!("/admin/big?uploadId={id}")).body(done)).await;
    let export = || {
        let (code, said) = place.ask(&["export", "admin", &place.text("dest")]);
        assert_eq!(code, 0, "{said}");
        (said["files"].as_u64().unwrap(), said["same"].as_u64().unwrap())
    };
    assert_eq!(export(), (1, 0));
    let file = place.at("dest/admin/big");
    assert!(fs::read(&file).unwrap() == whole);
    assert_eq!(export(), (0, 1));
    let mut damaged = whole.clone();
    damaged[(5 << 20) + 5] ^= 1;
    fs::write(&file, &damaged).unwrap();
    assert_eq!(export(), (1, 0));
    assert!(fs::read(&file).unwrap() == whole);
    let import = || place.ask(&["import", &place.text("dest/admin"), "--into", "admin"]).1;
    assert_eq!(import()["same"], 1);
    fs::write(&file, &damaged).unwrap();
    assert_eq!(import()["files"], 1);
    assert_eq!(import()["same"], 1);
}

/// Many small files, some of which change between two runs that are broken off.
#[tokio::test(flavor = "multi_thread")]
async fn many_files_go_out_and_in_and_out_again() {
    let mut place = Place::new();
    let (from, mut dice) = (place.at("from"), Dice(proof::seed("many files")));
    let count = proof::size(600, 10_000);
    for n in 0..count {
        let folder = from.join(format!("{}/{}", n % 7, n % 31));
        fs::create_dir_all(&folder).unwrap();
        let content: Vec<u8> = (0..dice.roll(3000)).map(|_| dice.next() as u8).collect();
        fs::write(folder.join(format!("file {n}")), content).unwrap();
    }
    for (stopped, files) in [(false, count), (true, 0)] {
        if stopped {
            place.stop();
        }
        let (code, said) = place.ask(&["import", &place.text("from"), "--into", "second"]);
        assert_eq!(
            (code, &said["files"], &said["same"]),
            (0, &files.into(), &(count - files).into()),
            "{said}"
        );
    }
    let (code, said) = place.ask(&["export", "--user", "admin", &place.text("dest")]);
    assert_eq!((code, &said["files"]), (0, &count.into()), "{said}");
    let cut = |tree: BTreeMap<Vec<u8>, (Vec<u8>, SystemTime)>| -> BTreeMap<Vec<u8>, (Vec<u8>, u128)> {
        let ms = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        tree.into_iter().map(|(name, (bytes, at))| (name, (bytes, ms(at)))).collect()
    };
    assert!(cut(tree(&from)) == cut(tree(&place.at("dest/second"))));
}
