//! What somebody sees of a damaged file, through both doors: a refusal before the answer began, a
//! connection that is cut after it did, never a wrong byte and never a clean end that came too
//! early. And what makes it whole again.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use holdall::{
    domain::{Portion, caller::Caller},
    store::io::{Io as _, Mode, sim::SimDisk},
};

use crate::common::{
    ask::Ask,
    process::{run, run_typing, serve_at},
    sim::{Olga, SimServer},
    wire::Reply,
};

/// Large enough for many chunks and the lane that large files share.
const LARGE: usize = 3 << 20;

fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// The segment in which some bytes stand, and where.
fn find(disk: &SimDisk, bytes: &[u8]) -> (String, u64) {
    for hi in disk.list("segments").unwrap() {
        for name in disk.list(&format!("segments/{hi}")).unwrap() {
            let path = format!("segments/{hi}/{name}");
            let file = disk.open(&path, Mode::Read).unwrap();
            let mut all = vec![0; file.len().unwrap() as usize];
            file.read_at(&mut all, 0).unwrap();
            if let Some(at) = all.windows(bytes.len()).position(|window| window == bytes) {
                return (path, at as u64);
            }
        }
    }
    panic!("it is stored nowhere");
}

async fn send(server: &SimServer, ask: Ask) -> Reply {
    ask.send(server.address()).await.unwrap()
}

type Dress = fn(&Olga, Ask) -> Ask;

/// The same file through each door.
const DOORS: [(&str, &str, Dress); 2] =
    [("s3", "/olga/", |olga, ask| olga.s3(ask)), ("dav", "/dav/olga/", |olga, ask| olga.dav(ask))];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_refused_or_cut_and_heals_through_either_door() {
    for (healer, other) in [(0, 1), (1, 0)] {
        let server = SimServer::start().await;
        let olga = server.olga();
        let (large, small, sound) = (noise("large", LARGE), noise("small", 30_000), noise("sound", 90_000));
        for (name, body) in [("large", &large), ("small", &small), ("sound", &sound)] {
            let put = olga.s3(Ask::new("PUT", &format!("/olga/{name}")).body(body.clone()));
            assert_eq!(send(&server, put).await.status, 200);
        }
        let (path, at) = find(&server.disk, &large[LARGE - 900_000..LARGE - 899_900]);
        server.disk.damage(&path, at, 1).unwrap();
        let (path, at) = find(&server.disk, &small[500..600]);
        server.disk.damage(&path, at, 1).unwrap();
        for (door, root, dress) in DOORS {
            let get = |name: &str| dress(&olga, Ask::new("GET", &format!("{root}{name}")));
            let refused = send(&server, get("small")).await;
            assert_eq!(refused.status, 500, "{door}: {}", refused.head);
            let cut = send(&server, get("large")).await;
            let length = cut.header("content-length").map(str::to_owned);
            assert_eq!((cut.status, length), (200, Some(LARGE.to_string())), "{door}");
            assert!(cut.body.len() < LARGE - 800_000 && !cut.body.is_empty(), "{door}: {}", cut.body.len());
            assert!(cut.body == large[..cut.body.len()], "{door}");
            let part = get("large").with("range", "bytes=100-299999");
            let part = send(&server, part).await;
            assert!(part.status == 206 && part.body == large[100..300_000], "{door}: {}", part.head);
            let beyond = get("large").with("range", &format!("bytes={}-", LARGE - 899_950));
            let beyond = send(&server, beyond).await;
            assert_eq!(beyond.status, 500, "{door}: a range that begins in what is damaged");
            let whole = send(&server, get("sound")).await;
            assert!(whole.status == 200 && whole.body == sound, "{door}");
            let head = dress(&olga, Ask::new("HEAD", &format!("{root}large")));
            assert_eq!(send(&server, head).await.status, 200, "{door}");
        }
        server.holdall.scrub(&Caller::Operator, Portion::ALL).await.unwrap();
        let hits = server.holdall.damaged_files(&Caller::Operator, None).await.unwrap().hits;
        let names: Vec<_> = hits.iter().map(|hit| (hit.path.as_str(), hit.owner.as_str())).collect();
        assert_eq!(names, [("large", "olga"), ("small", "olga")]);
        // Under other names: it is the content that heals.
        for (name, body) in [("again", &large), ("and again", &small)] {
            let (_, root, dress) = DOORS[healer];
            let put = Ask::new("PUT", &format!("{root}{}", name.replace(' ', "%20"))).body(body.clone());
            let status = send(&server, dress(&olga, put)).await.status;
            assert!(status == 200 || status == 201, "{status}");
        }
        let (door, root, dress) = DOORS[other];
        for (name, body) in [("large", &large), ("small", &small)] {
            let whole = send(&server, dress(&olga, Ask::new("GET", &format!("{root}{name}")))).await;
            assert!(whole.status == 200 && whole.body == *body, "{door}");
        }
        server.assert_clean("healed").await;
        let (known, _) = server.holdall.damage(&Caller::Operator, None).await.unwrap();
        assert!(known.is_empty(), "{known:?}");
    }
}

/// The segment in a data directory in which these bytes lie, and where.
fn stored(data: &Path, bytes: &[u8]) -> (PathBuf, u64) {
    for folder in fs::read_dir(data.join("segments")).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let all = fs::read(&path).unwrap();
            if let Some(at) = all.windows(bytes.len()).position(|window| window == bytes) {
                return (path, at as u64);
            }
        }
    }
    panic!("it is stored nowhere");
}

/// Turns a bit of these bytes around wherever they lie in a data directory.
fn flip(data: &Path, bytes: &[u8]) -> u64 {
    let (path, at) = stored(data, bytes);
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&[bytes[0] ^ 4], at).unwrap();
    at
}

async fn dav(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> Reply {
    let ask = Ask::new(method, path).basic("ann", "secret 12").body(body);
    ask.send(address).await.expect("an answer")
}

fn as_json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// All that somebody at the command line is told, with a server and without.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_is_told_with_all_that_is_known_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let (data, log) = (directory.path().join("data"), directory.path().join("log"));
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let variables = [("HOLDALL_ADMIN_USER", "ann"), ("HOLDALL_ADMIN_PASSWORD", "secret 12")];
    let output = [Stdio::null(), fs::File::create(&log).unwrap().into()];
    let served = serve_at(&data, &address.to_string(), &variables, output);
    let mut body = noise("told", 40_000);
    for (name, body) in [("letter", &body), ("other", &noise("other", 40_000))] {
        assert_eq!(dav(address, "PUT", &format!("/dav/ann/{name}"), body).await.status, 201);
    }
    let run = |arguments: &[&str]| run(&data, arguments);
    let at = flip(&data, &body[3000..3100]);
    assert_eq!(run(&["check"]).status.code(), Some(0), "nobody has looked yet");
    let expected = hex::encode(blake3::hash(&body).as_bytes());
    body[3000] ^= 4;
    let found = hex::encode(blake3::hash(&body).as_bytes());
    body[3000] ^= 4;

    let scrubbed = run(&["scrub", "--json"]);
    assert_eq!((scrubbed.status.code(), &as_json(&scrubbed)["damaged"]), (Some(1), &1.into()));
    let metrics = dav(address, "GET", "/-/metrics", b"").await;
    assert!(metrics.text().contains("\nholdall_damaged 1\n"), "{}", metrics.text());
    // Lines of the log are written by a thread of their own, the files behind the answer.
    let mut logged = fs::read_to_string(&log).unwrap();
    for _ in 0..400 {
        if logged.contains("a file is damaged") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        logged = fs::read_to_string(&log).unwrap();
    }
    let line = |what: &str| logged.lines().find(|line| line.contains(what)).expect(what);
    assert!(
        [&expected, &found].iter().all(|digest| line("a chunk is damaged").contains(*digest)),
        "{logged}"
    );
    let [file, other] = ["letter", "other"].map(|name| line("a file is damaged").contains(name));
    assert!(file && !other, "{logged}");
    assert_eq!(dav(address, "GET", "/dav/ann/letter", b"").await.status, 500);
    assert_eq!(dav(address, "GET", "/dav/ann/other", b"").await.status, 200);
    assert_eq!(dav(address, "GET", "/-/ready", b"").await.status, 200, "the rest is served");
    assert_eq!(run(&["doctor"]).status.code(), Some(1));
    let online = run(&["check", "--json"]);
    let told = as_json(&online);
    let (damage, file) = (&told["damage"][0], &told["files"][0]);
    assert_eq!(
        (online.status.code(), &told["clean"], &damage["kind"]),
        (Some(1), &false.into(), &"bytes".into())
    );
    assert_eq!((&damage["expected"], &damage["found"]), (&expected.into(), &found.into()), "{damage}");
    assert_eq!(damage["offset"].as_u64().unwrap() + 136 + 3000, at, "{damage}");
    assert!(damage["first_seen"].as_str().unwrap().starts_with("20") && damage["segment"].is_string());
    assert_eq!(
        (&file["path"], &file["owner"], &file["bucket"]),
        (&"letter".into(), &"ann".into(), &"ann".into())
    );
    assert_eq!((&file["bytes"], &file["kind"]), (&40_000.into(), &"current".into()));
    assert_eq!((&file["chunks"][0]["chunk"], &file["chunks"][0]["at"]), (&damage["chunk"], &0.into()));
    assert!(file["version"].is_string() && told["files"].as_array().unwrap().len() == 1, "{told}");
    drop(served);
    assert_eq!(as_json(&run(&["check", "--json"])), told, "without a server");

    let _served = serve_at(&data, &address.to_string(), &variables, [Stdio::null(), Stdio::null()]);
    assert_eq!(dav(address, "PUT", "/dav/ann/copy", &body).await.status, 201);
    assert!(dav(address, "GET", "/dav/ann/letter", b"").await.body == body, "the same content heals it");
    assert_eq!(
        (run(&["check"]).status.code(), run(&["scrub", "--part", "1/1"]).status.code()),
        (Some(0), Some(0))
    );
}

/// It ended well and named no file, although the point told of the loss.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_store_had_lost_before_a_backup_is_told_when_it_is_restored() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (data, told) = (directory.path().join("data"), place("told"));
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let variables = [("HOLDALL_ADMIN_USER", "ann"), ("HOLDALL_ADMIN_PASSWORD", "secret 12")];
    for name in ["letter", "other"] {
        // Another life of the server, another segment.
        let output = fs::OpenOptions::new().create(true).append(true).open(&told).unwrap();
        let served = serve_at(&data, &address.to_string(), &variables, [output.into(), Stdio::null()]);
        let body = noise(name, 40_000);
        assert_eq!(dav(address, "PUT", &format!("/dav/ann/{name}"), &body).await.status, 201);
        drop(served);
    }
    let key = fs::read_to_string(&told).unwrap();
    let key = key.lines().find_map(|line| line.trim().strip_prefix("recovery key")).unwrap().trim();
    for name in ["whole", "lost"] {
        fs::create_dir(place(name)).unwrap();
    }
    assert_eq!(run(&data, &["backup", "create", &place("whole")]).status.code(), Some(0));
    fs::remove_file(stored(&data, &noise("letter", 40_000)[3000..3100]).0).unwrap();
    let done = run(&data, &["backup", "create", &place("lost"), "--keep", "1"]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.code() == Some(1) && said.contains("segments are missing"), "{done:?}");
    assert!(said.contains("no older one was removed"), "{done:?}");
    let restore = |from: &str, into: &str, how: &[&str]| {
        fs::create_dir(place(into)).unwrap();
        let (from, into) = (place(from), place(into));
        run_typing(&data, &[&["backup", "restore", &from, "--into", &into], how].concat(), key)
    };
    assert_eq!(restore("whole", "one", &[]).status.code(), Some(0));
    let done = restore("lost", "two", &["--json"]);
    let told = as_json(&done);
    assert_eq!((done.status.code(), &told["lost"][0]["bytes"]), (Some(1), &serde_json::Value::Null));
    let files = told["files"].as_array().unwrap();
    assert!(files.len() == 1 && files[0]["path"] == "letter", "{told}");
    let done = restore("lost", "three", &[]);
    let said = String::from_utf8_lossy(&done.stdout);
    let lines = ["was damaged in the store already", "is restored, but for what is damaged", "letter"];
    assert!(done.status.code() == Some(1) && lines.iter().all(|line| said.contains(line)), "{done:?}");
}
