//! The direction of imports, as two tables anyone can read, and a test that reads `src/` against
//! them. A change of architecture is one edited line here, seen in a review.

mod source;

use std::{
    fs,
    path::{Path, PathBuf},
};

use source::Mention;

/// A room, and the rooms it may import. A room may always import itself.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("store", &["model"]),
    ("outside", &["model"]),
    ("domain", &["store", "outside", "model"]),
    ("doors/gate", &["domain", "model"]),
    ("doors/s3", &["doors/gate", "domain", "model"]),
    ("doors/dav", &["doors/gate", "domain", "model"]),
    ("doors/api", &["doors/gate", "domain", "model"]),
    ("doors/web", &["doors/gate", "domain", "model"]),
    ("client", &["model"]),
    ("telemetry", &[]),
    ("proof", &[]),
    ("config", &["model"]),
    ("server", &["doors/gate", "doors/s3", "doors/dav", "doors/api", "domain", "outside", "model"]),
    ("cli", EVERY),
];

/// The room that puts the parts together.
const EVERY: &[&str] = &["*"];

/// Macros, which Rust puts at the crate's root, and the room each belongs to.
const MACROS: &[(&str, &str)] = &[("row", "store"), ("enum_field", "store")];

/// A heavy library, and the places it may be named in.
const HOMES: &[(&str, &[&str])] = &[
    ("redb", &["store/meta"]),
    ("s3s", &["doors/s3"]),
    ("dav_server", &["doors/dav"]),
    ("axum", &["doors", "server"]),
    ("bollard", &["outside/docker"]),
    ("argon2", &["domain"]),
    ("clap", &["cli"]),
    ("tracing_subscriber", &["telemetry"]),
    ("toml", &["config"]),
    ("quick_xml", &["doors"]),
    ("hyper", &["doors", "server", "cli"]),
    ("tokio", &["outside", "domain", "doors", "client", "server", "cli"]),
];

/// Parts of the standard library that a room takes from one module of its own, so that a scheduler
/// can stand in their place. Its tests may have their own threads.
const THROUGH: &[(&str, &str, &[&str])] = &[("store", "store/sync", &["sync", "thread"])];

/// Types that make a `static` remember something.
const STATEFUL: [&str; 9] =
    ["mut", "Mutex", "RwLock", "OnceLock", "OnceCell", "Cell", "RefCell", "UnsafeCell", "Atomic"];

/// The room a path of segments lies in: one segment, but two below `doors`.
fn room_of(path: &[String]) -> Option<String> {
    match path {
        [doors, door, ..] if doors == "doors" => Some(format!("doors/{door}")),
        [first, ..] => {
            let of_macro = MACROS.iter().find(|(name, _)| name == first).map(|(_, room)| (*room).to_owned());
            Some(of_macro.unwrap_or_else(|| first.clone()))
        }
        [] => None,
    }
}

/// The module a file holds: `store/meta/key.rs` and `store/meta/mod.rs` lie in `store::meta`.
fn module_of(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// What is wrong with one file, as sentences.
fn faults(file: &Path, text: &str) -> Vec<String> {
    let module = module_of(file);
    let shown = file.display();
    let here = room_of(&module).filter(|room| room != "doors");
    let mut faults = Vec::new();
    for Mention { line, path, import } in source::mentions(&module, text) {
        if let Some(("crate", inner)) = path.split_first().map(|(first, rest)| (first.as_str(), rest)) {
            faults.extend(bad_import(here.as_deref(), inner).map(|why| format!("src/{shown}:{line}: {why}")));
        } else if path.len() > 1 || import {
            let why = away_from_home(&module, &path).or_else(|| around(&module, &path));
            faults.extend(why.map(|why| format!("src/{shown}:{line}: {why}")));
        }
    }
    for (line, words) in source::statics(text) {
        if let Some(word) = words.iter().find(|word| STATEFUL.iter().any(|bad| word.starts_with(bad))) {
            faults.push(format!("src/{shown}:{line}: a static holds state ({word}); hand it in instead"));
        }
    }
    faults
}

/// Why a room may not import a path of the crate. `here` is `None` for the crate's top and for
/// `doors/mod.rs`, which only name the rooms.
fn bad_import(here: Option<&str>, inner: &[String]) -> Option<String> {
    let here = here?;
    let (_, allowed) = match ROOMS.iter().find(|(room, _)| *room == here) {
        Some(row) => row,
        None => return Some(format!("the room {here} is not in the table of rooms")),
    };
    let there = room_of(inner)?;
    // Tests alone have it.
    let fine =
        there == "proof" || there == here || allowed.contains(&"*") || allowed.contains(&there.as_str());
    (!fine).then(|| format!("{here} imports {there}; it may import {}", listed(allowed)))
}

/// Why a library may not be named in a module.
fn away_from_home(module: &[String], path: &[String]) -> Option<String> {
    let name = path.first()?;
    let (_, homes) = HOMES.iter().find(|(library, _)| library == name)?;
    let place = module.join("/");
    let home = homes.iter().any(|home| place == *home || place.starts_with(&format!("{home}/")));
    // The crate's top, `main.rs`, starts the runtime through the command line only.
    (!home).then(|| format!("{name} is named outside its home, {}", listed(homes)))
}

/// Why a part of the standard library may not be named in a module.
fn around(module: &[String], path: &[String]) -> Option<String> {
    let [std, part, ..] = path else { return None };
    let (room, through, _) =
        THROUGH.iter().find(|(_, _, parts)| std == "std" && parts.contains(&part.as_str()))?;
    let place = module.join("/");
    let its_own = place == *through || place.starts_with(&format!("{through}/"));
    let bad =
        module.first().is_some_and(|first| first == room) && !its_own && !module.contains(&"tests".into());
    bad.then(|| format!("std::{part} is named outside {through}"))
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_file_imports_only_what_its_room_may() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let twice =
        ROOMS.iter().enumerate().find(|(at, (room, _))| ROOMS[..*at].iter().any(|(other, _)| other == room));
    assert_eq!(twice, None, "only its first row would count");
    assert!(files.len() > 20, "only {} source files were found", files.len());
    let mut found = Vec::new();
    for file in &files {
        found.extend(faults(file.strip_prefix(&src).unwrap(), &fs::read_to_string(file).unwrap()));
    }
    assert!(found.is_empty(), "the layering is broken:\n{}", found.join("\n"));
}

#[test]
fn each_way_around_the_tables_is_seen() {
    let bad = [
        ("model/name.rs", "use crate::store::error::StoreError;", "model imports store"),
        ("store/blobs/mod.rs", "fn f() { crate::domain::error::Error::new(); }", "store imports domain"),
        ("domain/mod.rs", "use super::doors::gate::Body;", "domain imports doors/gate"),
        ("domain/read.rs", "use crate::{model::ids, doors};", "domain imports doors"),
        ("domain/read.rs", "use super::super::cli;", "domain imports cli"),
        ("server.rs", "use crate::{cli, domain};", "server imports cli"),
        ("config/mod.rs", "use crate::domain;", "config imports domain"),
        ("doors/dav/put.rs", "use super::super::s3::sig;", "doors/dav imports doors/s3"),
        ("doors/dav/put.rs", "use crate::{domain, doors::{gate, s3::sig}};", "doors/dav imports doors/s3"),
        ("doors/dav/put.rs", "mod tests { use super::super::super::api; }", "doors/dav imports doors/api"),
        ("doors/gate/mod.rs", "use crate::doors::s3 as other;", "doors/gate imports doors/s3"),
        ("doors/s3/mod.rs", "use crate::store::blobs;", "doors/s3 imports store"),
        ("doors/gate/mod.rs", "use crate::*;", "doors/gate imports *"),
        ("domain/mod.rs", "use crate::nothing;", "domain imports nothing"),
        ("model/mod.rs", "crate::row! {}", "model imports store"),
        ("jobs/mod.rs", "use crate::model::ids;", "not in the table of rooms"),
        ("store/blobs/mod.rs", "use redb::Database;", "redb is named outside its home"),
        ("domain/mod.rs", "fn f() { redb::Builder::new(); }", "redb is named outside its home"),
        ("domain/mod.rs", "extern crate s3s;", "s3s is named outside its home"),
        ("domain/mod.rs", "use ::axum::Router;", "axum is named outside its home"),
        ("doors/api/mod.rs", "use {bytes::Bytes, s3s::S3};", "s3s is named outside its home"),
        ("store/meta/lane.rs", "#[tokio::test] async fn f() {}", "tokio is named outside its home"),
        ("store/blobs/pins.rs", "use std::{io, sync::Mutex};", "std::sync is named outside store/sync"),
        ("store/collect/mod.rs", "fn f() { std::thread::yield_now(); }", "std::thread is named outside"),
        ("main.rs", "use toml as t;", "toml is named outside its home"),
        ("domain/a.rs", "static N: AtomicU64 = AtomicU64::new(0);", "a static holds state (AtomicU64)"),
        ("domain/a.rs", "pub static A: std::sync::Mutex<u8> = x();", "a static holds state (Mutex)"),
        ("domain/a.rs", "static mut A: u8 = 0;", "a static holds state (mut)"),
        ("domain/a.rs", "thread_local! { static A: Cell<u8> = x(); }", "a static holds state (Cell)"),
    ];
    for (file, text, why) in bad {
        let found = faults(Path::new(file), text);
        assert!(found.iter().any(|fault| fault.contains(why)), "{file}: {text}\n  gave {found:?}, not {why}");
    }
}

#[test]
fn what_the_rooms_may_do_is_no_fault() {
    let good = [
        ("lib.rs", "pub mod doors; pub mod store;"),
        ("doors/mod.rs", "pub mod s3;"),
        ("domain/mod.rs", "use crate::{model::ids::{NodeId, Seq}, store::Rows, outside::clock};"),
        ("doors/s3/mod.rs", "use crate::doors::gate::Body; use super::gate; use s3s::S3;"),
        ("store/meta/engine.rs", "use redb::Database; use super::super::error::StoreError;"),
        ("store/meta/key.rs", "mod tests { use super::*; use super::super::rows; }"),
        ("store/rows/tree.rs", "use crate::{row, model::ids}; crate::enum_field!();"),
        ("store/sync.rs", "pub use std::{sync::Mutex, thread};"),
        ("store/tests/threads.rs", "use std::thread;"),
        ("domain/lanes.rs", "use std::sync::Arc;"),
        ("model/a.rs", "// use crate::store\n/* crate::doors::s3 */ const A: &str = \"crate::store::io\";"),
        ("model/a.rs", "const A: &str = r#\"use \"redb::x\" \"#; fn f(c: char) -> bool { c == '\"' }"),
        ("model/a.rs", "static NAMES: [&'static str; 1] = [\"a\"]; fn redb() {}"),
        ("server.rs", "use crate::{domain::Holdall, doors::s3::S3Door}; use axum::Router;"),
        ("cli/serve.rs", "use crate::{config, server::Server, store::io, telemetry}; use clap::Parser;"),
    ];
    for (file, text) in good {
        assert_eq!(faults(Path::new(file), text), Vec::<String>::new(), "{file}: {text}");
    }
}
