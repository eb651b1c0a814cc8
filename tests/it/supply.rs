//! What may come into the build: version floors and bans, read from the lock file. `deny.toml`
//! says the same to `cargo deny`, which is not everywhere.

use std::{fs, path::Path};

/// A package, and the least version that is without a known fault.
const FLOORS: [(&str, &str); 7] = [
    ("axum-core", "0.5.6"),
    ("h2", "0.4.16"),
    ("quick-xml", "0.41.0"),
    ("redb", "4.4.0"),
    ("rustls-webpki", "0.103.13"),
    ("time", "0.3.47"),
    ("tokio", "1.54.0"),
];

/// A package that is pinned, because our own layer stands around what this version does.
const PINNED: [(&str, &str); 1] = [("s3s", "0.14.1")];

/// A package, or with a version one line of it, that may not come back.
const BANNED: [(&str, &str); 8] = [
    ("openssl-sys", ""),
    ("native-tls", ""),
    ("tokio-tar", ""),
    ("serde_yaml", ""),
    ("http", "0.2."),
    ("hyper", "0.14."),
    ("rustls", "0.21."),
    ("ring", "0.16."),
];

/// Names and versions in a lock file.
fn packages(lock: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut name = "";
    for line in lock.lines() {
        if let Some(text) = line.strip_prefix("name = ") {
            name = text.trim_matches('"');
        } else if let Some(text) = line.strip_prefix("version = ")
            && !name.is_empty()
        {
            found.push((name, text.trim_matches('"')));
            name = "";
        }
    }
    found
}

/// `1.2.3-x+y` as numbers.
fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
}

fn faults(lock: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, version) in packages(lock) {
        for (_, floor) in FLOORS.iter().filter(|(known, _)| *known == name) {
            if numbers(version) < numbers(floor) {
                faults.push(format!("{name} {version} is older than {floor}"));
            }
        }
        for (_, pinned) in PINNED.iter().filter(|(known, _)| *known == name) {
            if version != *pinned {
                faults.push(format!("{name} is {version}, not the {pinned} our layer was written for"));
            }
        }
        for (_, line) in BANNED.iter().filter(|(known, _)| *known == name) {
            if version.starts_with(line) {
                faults.push(format!("{name} {version} is banned"));
            }
        }
    }
    faults
}

fn repository(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn no_package_is_below_its_floor_or_banned() {
    let lock = repository("Cargo.lock");
    assert!(packages(&lock).len() > 100, "the lock file was not read");
    assert_eq!(faults(&lock), Vec::<String>::new());
}

#[test]
fn an_old_a_moved_and_a_banned_package_are_seen() {
    let package =
        |name: &str, version: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
    for (name, version) in [
        ("h2", "0.4.15"),
        ("quick-xml", "0.38.4"),
        ("s3s", "0.15.0"),
        ("hyper", "0.14.32"),
        ("openssl-sys", "0.9.1"),
    ] {
        assert_eq!(faults(&package(name, version)).len(), 1, "{name} {version}");
    }
    assert!(faults(&package("h2", "0.5.0")).is_empty());
}

#[test]
fn cargo_deny_is_told_the_same_bans() {
    let deny = repository("deny.toml");
    for (name, _) in BANNED {
        assert!(deny.contains(&format!("crate = \"{name}")), "deny.toml does not ban {name}");
    }
}
