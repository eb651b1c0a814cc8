//! `holdall rebuild` on the data of a server that was stopped.

use std::{fs, os::unix::process::ExitStatusExt as _, path::Path, process::Output, sync::Arc};

use holdall::{
    model::time::Timestamp,
    store::{Store, StoreOptions, io::disk::Disk, snapshots},
};
use serde_json::Value;

use crate::common::process::{run, serve};

/// The signal of a process that gave itself up.
const ABORTED: i32 = 6;
const META: &str = "meta/holdall.redb";
const PAGE: usize = 4096;

/// Data with a few files of an account, by a server that was killed.
fn fill(place: &Path) -> std::path::PathBuf {
    let (data, from) = (place.join("data"), place.join("from"));
    fs::create_dir_all(from.join("deep/er")).unwrap();
    for (name, size) in [("small", 10_usize), ("deep/middle", 70_000), ("deep/er/large", 3 << 20)] {
        let content: Vec<u8> = (0..size).map(|n| (n * n % 251) as u8).collect();
        fs::write(from.join(name), content).unwrap();
    }
    drop(serve(&data));
    let done = run(&data, &["import", from.to_str().unwrap(), "--into", "admin"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    data
}

fn snapshot(data: &Path) {
    let disk = Arc::new(Disk::open(data).unwrap());
    let options =
        StoreOptions { create: false, ..StoreOptions::new(disk.clone(), Arc::new(|| Timestamp(0)), [0; 16]) };
    let store = Store::open(options).unwrap();
    let rows = store.snapshot().unwrap();
    snapshots::take(&*disk, &rows, (store.dir().uuid(), Timestamp(5)), 4, &mut |_| Ok(())).unwrap();
}

fn said(done: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
}

/// Everything that was imported is there, byte for byte, and nothing is left to say.
fn assert_whole(data: &Path, place: &Path, to: &str) {
    let dest = place.join(to);
    let done = run(data, &["export", "admin", dest.to_str().unwrap(), "--json"]);
    let told: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
    assert_eq!((done.status.code(), &told["files"]), (Some(0), &3.into()), "{told}");
    for name in ["small", "deep/middle", "deep/er/large"] {
        let same = fs::read(place.join("from").join(name)).unwrap()
            == fs::read(dest.join("admin").join(name)).unwrap();
        assert!(same, "{name}");
    }
    assert_eq!(run(data, &["check"]).status.code(), Some(0));
}

#[test]
fn lost_metadata_comes_back_from_a_snapshot() {
    let place = tempfile::tempdir().unwrap();
    let data = fill(place.path());
    snapshot(&data);
    fs::remove_file(data.join(META)).unwrap();
    let told = said(&run(&data, &["check"]));
    assert!(told.contains("`holdall rebuild`"), "{told}");
    let refused = run(&data, &["rebuild"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(said(&refused).contains("`holdall rebuild --from-snapshot`"), "{refused:?}");
    let done = run(&data, &["rebuild", "--from-snapshot"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(said(&done).contains("names are as they were at 1970-01-01T00:00:00Z"), "{done:?}");
    assert_whole(&data, place.path(), "one");
    // One that cannot be read is kept.
    fs::write(data.join(META), "this is no metadata").unwrap();
    let done = run(&data, &["rebuild", "--from-snapshot", "--json"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let told: Value = serde_json::from_slice(&done.stdout).expect("one document");
    assert_eq!((&told["lost_chunks"], &told["check"]["clean"]), (&0.into(), &true.into()), "{told}");
    assert_eq!(fs::read(data.join("meta/holdall.redb.kept-1")).unwrap(), b"this is no metadata");
    assert_whole(&data, place.path(), "two");
}

#[test]
fn a_rebuild_is_refused_where_nothing_is_wrong_or_a_server_runs() {
    let place = tempfile::tempdir().unwrap();
    let data = fill(place.path());
    let refused = |words: &[&str], why: &str| {
        let done = run(&data, words);
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        assert!(said(&done).contains(why), "{done:?}");
    };
    refused(&["rebuild"], "nothing is wrong");
    let served = serve(&data);
    refused(&["rebuild", "--force"], "a server runs");
    drop(served);
    let done = run(&data, &["rebuild", "--force"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_whole(&data, place.path(), "one");
    // The server may have taken some.
    let _ = fs::remove_dir_all(data.join("meta/snapshots"));
    let whole = fs::read(data.join(META)).unwrap();
    fs::write(data.join(META), &whole[..whole.len() / 3]).unwrap();
    refused(&["rebuild"], "no whole snapshot");
    assert_eq!(fs::read(data.join(META)).unwrap(), &whole[..whole.len() / 3]);
}

/// Whatever page is spoiled: who hears that something is wrong hears what to do.
#[test]
fn damaged_metadata_is_told_with_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    let data = fill(place.path());
    let whole = fs::read(data.join(META)).unwrap();
    let full = |page: &usize| whole[page * PAGE..][..PAGE].iter().any(|byte| *byte != 0);
    let mut told = [0; 3];
    for page in (0..whole.len() / PAGE).filter(full) {
        let mut spoiled = whole.clone();
        spoiled[page * PAGE..][..PAGE].iter_mut().skip(page % 7).step_by(41).for_each(|byte| *byte ^= 0x24);
        fs::write(data.join(META), spoiled).unwrap();
        let done = run(&data, &["check"]);
        let code = match (done.status.code(), done.status.signal()) {
            (Some(code @ 0..3), _) => code,
            // redb may assert once more while it unwinds: what was said before is all there is then.
            (None, Some(ABORTED)) => 2,
            _ => panic!("page {page}: {done:?}"),
        };
        told[code as usize] += 1;
        assert!(code == 0 || said(&done).contains("`holdall rebuild`"), "page {page}: {done:?}");
    }
    assert!(told[1] > 0 && told[2] > 0, "{told:?}");
    fs::write(data.join(META), whole).unwrap();
    assert_whole(&data, place.path(), "to");
}
