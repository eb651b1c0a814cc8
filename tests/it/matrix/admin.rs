//! The administration API: over its socket for the operator only, over the network not at all.

use std::collections::BTreeSet;

use holdall::doors::api;

use crate::common::{ask::Ask, world::World};

/// Every address and method of the API, with a body that would be understood, and what the
/// operator gets.
const ROUTES: [(&str, &str, &str, u16); 38] = [
    ("GET", "/api/v1/version", "", 200),
    ("GET", "/api/v1/check", "", 200),
    ("GET", "/api/v1/collection", "", 200),
    ("POST", "/api/v1/collection", r#"{"dry_run":true}"#, 200),
    ("GET", "/api/v1/scrub", "", 200),
    ("POST", "/api/v1/scrub", r#"{"part":"1/2"}"#, 200),
    ("GET", "/api/v1/damage", "", 200),
    ("GET", "/api/v1/damage/files", "", 200),
    ("GET", "/api/v1/accounts", "", 200),
    ("POST", "/api/v1/accounts", r#"{"name":"made"}"#, 201),
    ("GET", "/api/v1/accounts/{name}", "", 200),
    ("PATCH", "/api/v1/accounts/{name}", r#"{"disabled":false}"#, 200),
    ("DELETE", "/api/v1/accounts/{name}", "", 0),
    ("GET", "/api/v1/accounts/{name}/keys", "", 200),
    ("POST", "/api/v1/accounts/{name}/keys", "{}", 201),
    ("DELETE", "/api/v1/keys/{id}", "", 0),
    ("GET", "/api/v1/accounts/{name}/app-passwords", "", 200),
    ("POST", "/api/v1/accounts/{name}/app-passwords", r#"{"label":"x"}"#, 201),
    ("DELETE", "/api/v1/accounts/{name}/app-passwords/{id}", "", 0),
    ("GET", "/api/v1/buckets", "", 200),
    ("POST", "/api/v1/buckets", r#"{"name":"made-too","owner":"olga"}"#, 201),
    ("GET", "/api/v1/buckets/{name}", "", 200),
    ("PATCH", "/api/v1/buckets/{name}", r#"{"quota":null}"#, 200),
    ("DELETE", "/api/v1/buckets/{name}", "", 0),
    ("GET", "/api/v1/buckets/{name}/twins", "", 200),
    // Files: in its own name the operator reaches none.
    ("GET", "/api/v1/buckets/{name}/keys", "", 403),
    ("GET", "/api/v1/buckets/{name}/files/{key}", "", 403),
    ("PUT", "/api/v1/buckets/{name}/files/{key}", "forged", 403),
    ("GET", "/api/v1/buckets/{name}/parts/{key}", "", 403),
    ("GET", "/api/v1/backup", "", 200),
    ("POST", "/api/v1/backup", r#"{"folder":"not/from/the/root"}"#, 400),
    ("GET", "/api/v1/snapshots", "", 200),
    ("GET", "/api/v1/recovery-key", "", 200),
    ("POST", "/api/v1/recovery-key", r#"{"key":"none was shown"}"#, 400),
    // What no address has.
    ("GET", "/api", "", 404),
    ("GET", "/api/v1/nothing", "", 404),
    ("PUT", "/api/v1/accounts", "{}", 405),
    ("GET", "/dav/olga/file", "", 404),
];

#[test]
fn no_address_of_the_api_is_missing_from_the_table() {
    let table = ROUTES.iter().filter(|(.., status)| !matches!(status, 404 | 405));
    let table: BTreeSet<_> = table.map(|(method, path, ..)| (*method, *path)).collect();
    assert_eq!(table, api::routes().into_iter().collect());
}

fn request((method, path, body, _): (&str, &str, &str, u16)) -> Ask {
    let at = path.replace("{name}", "olga").replace("{id}", "AKIAOLGA0000000000AA").replace("{key}", "file");
    Ask::new(method, &at).with("content-type", "application/json").body(body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_administers_over_the_network() {
    let world = World::start().await;
    let before = world.state().await;
    for route in ROUTES.into_iter().filter(|(_, path, ..)| path.starts_with("/api")) {
        let ask = || request(route);
        for (who, ask) in [
            ("nobody", ask()),
            ("admin", world.basic("adam", ask())),
            ("admin's app password", ask().with("authorization", &format!("Bearer {}", world.app("adam")))),
            ("admin's key", world.signer("adam").sign(ask())),
            ("owner", world.basic("olga", ask())),
            ("disabled", world.basic("dina", ask())),
            ("wrong", ask().basic("adam", "wrong")),
            ("as if forwarded", ask().with("x-forwarded-for", "127.0.0.1").with("forwarded", "for=unix")),
        ] {
            let reply = world.ask(&ask).await;
            assert_eq!(reply.status, 501, "{who} {} {}: {}", ask.method, ask.target, reply.text());
        }
    }
    assert_eq!(before, world.state().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_administers_over_the_socket_and_reaches_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let world = World::start_with(|config| config.admin_socket = Some(socket.clone())).await;
    for route in ROUTES.into_iter().filter(|(.., status)| *status != 0) {
        let reply = world.ask_operator(&socket, &request(route)).await;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(!text.contains("content"), "{text}");
        assert_eq!(reply.status, route.3, "{} {}: {text}", route.0, route.1);
    }
    let before = world.state().await;
    let at = |path: &str| Ask::new("GET", &format!("/api/v1/buckets/{path}"));
    for (ask, whose, status, text) in [
        (at("olga/files/file"), "olga", 200, "content"),
        (at("olga/files/folder%2Finside"), "olga", 200, "inside"),
        (at("olga/files/none"), "olga", 404, ""),
        (at("olga/files/file"), "otto", 403, ""),
        (at("olga/files/file"), "nobody", 404, ""),
        (at("olga/files/file"), "", 400, ""),
        (at("olga/keys?prefix=fo"), "olga", 200, ""),
        (Ask::new("GET", "/api/v1/accounts"), "adam", 403, ""),
    ] {
        let reply = world.ask_operator(&socket, &ask.with("holdall-on-behalf", whose)).await;
        let found = String::from_utf8_lossy(&reply.body);
        assert_eq!(reply.status, status, "for {whose}: {found}");
        assert!(status != 200 || found.contains(text), "{found}");
        assert!(status == 200 || !found.contains("content"), "{found}");
    }
    let key = world.signer("olga").sign(Ask::new("GET", "/olga/file"));
    for ask in [
        Ask::new("GET", "/olga/file"),
        Ask::new("PUT", "/olga/file").body("forged"),
        Ask::new("PROPFIND", "/dav/olga/"),
        Ask::new("DELETE", "/dav/olga/file"),
        world.basic("olga", Ask::new("GET", "/dav/olga/file")),
        key,
    ] {
        let reply = world.ask_operator(&socket, &ask).await;
        assert_eq!(reply.status, 404, "{} {}", ask.method, ask.target);
    }
    assert_eq!(before, world.state().await);
    for (ask, status) in [
        (Ask::new("DELETE", "/api/v1/keys/AKIAOLGA0000000000AA"), 204),
        (Ask::new("DELETE", "/api/v1/keys/AKIAOLGA0000000000AA"), 404),
        (Ask::new("DELETE", "/api/v1/accounts/olga/app-passwords/none"), 404),
        (Ask::new("DELETE", "/api/v1/buckets/olga-empty"), 204),
        (Ask::new("DELETE", "/api/v1/buckets/olga"), 409),
        (Ask::new("DELETE", "/api/v1/accounts/olga"), 409),
    ] {
        let reply = world.ask_operator(&socket, &ask).await;
        assert_eq!(reply.status, status, "{} {}: {:?}", ask.method, ask.target, reply);
    }
    // A key that is gone lets nobody in any more.
    let reply = world.ask(&world.signer("olga").sign(Ask::new("GET", "/olga/file"))).await;
    assert_eq!(reply.status, 403);
}
