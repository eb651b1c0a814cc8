//! Every route of every door with every kind of caller: who is let through, who is not and how they
//! are told, and that whoever was not has changed nothing. The doors say what routes they have; one
//! that is not in the tables here fails the test.

mod admin;
mod callers;
mod house;
mod routes;
mod same;

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use holdall::{
    domain::{
        caller::Caller,
        nouns::{ListBuckets, ListKeys, ListUploads, RemoveOptions},
    },
    doors::{dav, s3},
};
use md5::{Digest, Md5};

use self::{
    callers::{AT_DAV, AT_S3, By, Who},
    routes::{DAV, Needs, Route, S3},
};
use crate::common::{
    ask::Ask,
    wire::Reply,
    world::{World, bucket, key},
};

/// Where the uploads of the moment are.
struct Uploads {
    olga: (String, String),
    otto: String,
    adam: String,
}

/// Makes everything as the tables expect it, whatever the request before did.
async fn settle(world: &World) -> Uploads {
    for name in ["olga", "otto", "adam"] {
        clear(world, name).await;
    }
    world.put("olga", "file", b"content").await;
    world.put("olga", "folder/inside", b"inside").await;
    world.put("olga-two", "elsewhere", b"elsewhere").await;
    for name in ["olga", "otto", "adam"] {
        world.put(name, "own", b"own").await;
    }
    Uploads {
        olga: world.upload("olga", "big").await,
        otto: world.upload("otto", "big").await.0,
        adam: world.upload("adam", "big").await.0,
    }
}

async fn clear(world: &World, name: &str) {
    let (holdall, caller) = (world.holdall(), world.person(name).await);
    let which = ListBuckets { prefix: String::new(), after: None, limit: 100 };
    for found in holdall.list_buckets(&caller, which).await.unwrap() {
        let at = found.name.as_str();
        let uploads = ListUploads { limit: 100, ..ListUploads::default() };
        for upload in holdall.list_uploads(&caller, &found.name, uploads).await.unwrap().uploads {
            holdall.abort_upload(&caller, &key(at, &upload.key), &upload.id).await.unwrap();
        }
        let keys = ListKeys { limit: 100, ..ListKeys::default() };
        for entry in holdall.list_keys(&caller, &found.name, keys).await.unwrap().entries {
            let holdall::domain::nouns::KeyEntry::File(file) = entry else { continue };
            holdall.remove(&caller, &key(at, &file.key), RemoveOptions::default()).await.unwrap();
        }
        if at == "fresh" || at == "olga-empty" {
            holdall.remove_bucket(&caller, &found.name, Default::default()).await.unwrap();
        }
    }
    if name == "olga" {
        let made = holdall.create_bucket(&caller, &bucket("olga-empty"), Default::default()).await;
        made.unwrap();
    }
}

/// The request of a route, as this caller would send it.
fn request(world: &World, route: &Route, uploads: &Uploads, (by, who): (By, Who)) -> Ask {
    let name = if let Who::Other(name) = who { name } else { "olga" };
    let own = match name {
        "otto" => &uploads.otto,
        "adam" => &uploads.adam,
        _ => &uploads.olga.0,
    };
    let fill = |text: &str| {
        let text = text.replace("{who}", name).replace("{own-upload}", own);
        text.replace("{upload}", &uploads.olga.0).replace("{etag}", &uploads.olga.1)
    };
    let mut ask = Ask::new(route.method, &fill(route.target)).body(fill(route.body));
    if route.method == "PROPFIND" {
        ask = ask.with("depth", "1");
    }
    for (name, value) in route.headers {
        ask = match *name {
            "md5" => {
                let digest = STANDARD.encode(Md5::digest(&ask.body));
                ask.with("content-md5", &digest)
            }
            name => ask.with(name, &fill(value)),
        };
    }
    by.dress(world, ask)
}

/// Whether somebody who was recognised is let through.
fn may(needs: Needs, who: Who) -> bool {
    match (needs, who) {
        (_, Who::Nobody | Who::Wrong(_)) => false,
        (_, Who::Owner) | (Needs::Anybody, _) | (Needs::Reading, Who::Reader) => true,
        (Needs::AnybodyWriting, Who::Other(_)) => true,
        (_, Who::Reader | Who::Elsewhere | Who::Other(_)) => false,
    }
}

fn reads_only(route: &Route) -> bool {
    matches!(route.method, "GET" | "HEAD" | "OPTIONS" | "PROPFIND")
}

/// Runs one table: first all who are refused, with the state held against that before, then those
/// who are not, each on a world made anew if the one before may have changed it.
async fn run(table: &[Route], callers: &[(By, Who)], refused: fn(&Route, (By, Who), &Reply)) {
    // A world for a few routes: after ten wrong passwords every further one is made to wait.
    for routes in table.chunks(5) {
        some(&World::start().await, routes, callers, refused).await;
    }
}

async fn some(
    world: &World,
    routes: &[Route],
    callers: &[(By, Who)],
    refused: fn(&Route, (By, Who), &Reply),
) {
    let mut uploads = settle(world).await;
    for route in routes {
        // At the root of the host a signature leads to S3.
        let here = |by: By| route.target != "/" || !route.name.is_empty() || !by.signs();
        let callers = || callers.iter().copied().filter(|(by, _)| here(*by));
        let mut before = world.state().await;
        for (by, who) in callers().filter(|(_, who)| !may(route.needs, *who)) {
            let reply = world.ask(&request(world, route, &uploads, (by, who))).await;
            refused(route, (by, who), &reply);
        }
        let after = world.state().await;
        assert_eq!(before, after, "somebody who was refused changed something: {route:?}");
        for (by, who) in callers().filter(|(_, who)| may(route.needs, *who)) {
            let reply = world.ask(&request(world, route, &uploads, (by, who))).await;
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert_eq!(reply.status, route.status, "{by:?}: {route:?}\n{text}");
            let untouched = reads_only(route) || reply.status >= 400;
            if untouched {
                assert_eq!(before, world.state().await, "{by:?}: {route:?}");
            } else {
                uploads = settle(world).await;
                before = world.state().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_method_of_webdav_lets_through_whom_it_must() {
    run(&DAV, &AT_DAV, |route, (by, who), reply| {
        let expected = if matches!(who, Who::Nobody | Who::Wrong(_)) { 401 } else { 403 };
        assert_eq!(reply.status, expected, "{by:?}: {route:?}");
        assert_eq!(reply.header("www-authenticate").is_some(), expected == 401, "{by:?}: {route:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_of_s3_lets_through_whom_it_must() {
    run(&S3, &AT_S3, |route, (by, who), reply| {
        let code = match who {
            Who::Wrong(code) => code,
            _ => "AccessDenied",
        };
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        if route.name == "DeleteObjects" && !matches!(who, Who::Wrong(_)) && reply.status == 200 {
            // A batch is one verb per item: each is refused by itself.
            assert!(text.contains("<Code>AccessDenied</Code>"), "{by:?}: {text}");
            assert!(!text.contains("<Deleted>"), "{by:?}: {text}");
            return;
        }
        let status = if code == "InvalidArgument" { 400 } else { 403 };
        assert_eq!(reply.status, status, "{by:?}: {route:?}\n{text}");
        if route.method != "HEAD" {
            assert!(text.contains(&format!("<Code>{code}</Code>")), "{by:?}: {route:?}\n{text}");
        }
    })
    .await;
}

/// Sub-resources that are answered without an operation are for those who may see the resource.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_configured_is_told_to_the_owner_only() {
    let world = World::start().await;
    let uploads = settle(&world).await;
    let before = world.state().await;
    let (buckets, objects) = s3::unconfigured();
    let of = |at: &str, names: Vec<&str>| -> Vec<String> {
        names.iter().map(|name| format!("{at}?{name}")).collect()
    };
    for target in of("/olga", buckets).into_iter().chain(of("/olga/file", objects)) {
        for (by, who) in AT_S3 {
            let target: &'static str = Box::leak(target.clone().into_boxed_str());
            let route = Route { name: "", method: "GET", target, ..S3[0] };
            let reply = world.ask(&request(&world, &route, &uploads, (by, who))).await;
            let text = reply.text();
            let refused = reply.status == 403 || text.contains("<Code>InvalidArgument</Code>");
            assert_eq!(refused, who != Who::Owner, "{target} {by:?}: {} {text}", reply.status);
            assert!(matches!(reply.status, 200 | 400 | 403 | 404), "{target} {by:?}: {text}");
        }
    }
    assert_eq!(before, world.state().await);
}

#[test]
fn no_operation_of_s3_is_missing_from_the_table() {
    let table: BTreeSet<&str> = S3.iter().map(|route| route.name).collect();
    let built: BTreeSet<&str> = s3::OPERATIONS.iter().copied().collect();
    assert_eq!(table, built);
}

/// What a path of the table is; `{who}` rows repeat others.
fn place(target: &str) -> &'static str {
    let parts: Vec<&str> = target.split('/').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [] => "host",
        ["dav"] => "buckets",
        ["dav", _] => "bucket",
        ["dav", _, "folder"] => "folder",
        ["dav", _, "file"] => "file",
        _ => "other",
    }
}

#[test]
fn no_method_of_webdav_is_missing_from_the_table_at_any_place() {
    let table: BTreeSet<(&str, &str)> = DAV.iter().map(|route| (place(route.target), route.method)).collect();
    let places = ["buckets", "bucket", "folder", "file"];
    let wanted = places.iter().flat_map(|place| dav::METHODS.iter().map(move |method| (*place, *method)));
    let missing: Vec<_> = wanted.filter(|cell| !table.contains(cell)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let known = |route: &&Route| !dav::METHODS.contains(&route.method);
    assert_eq!(DAV.iter().filter(known).count(), 0);
}

#[tokio::test]
async fn the_operator_reads_no_files_through_the_domain_either() {
    let world = World::start().await;
    let which = ListKeys { limit: 1, ..ListKeys::default() };
    let asked = world.holdall().list_keys(&Caller::Operator, &bucket("olga"), which).await;
    assert!(matches!(asked, Err(holdall::domain::Error::Denied(_))), "{asked:?}");
}
