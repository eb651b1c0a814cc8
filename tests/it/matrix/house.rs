//! What the server answers itself: its health and counts, the start page, names that are reserved,
//! and methods no door has.

use holdall::{
    domain::caller::{Caller, Scope},
    doors::gate,
    model::name::{AccountName, BucketName},
};

use super::callers::{AT_DAV, By, Who};
use crate::common::{ask::Ask, world::World};

/// Everybody at `/-/…`: whether they may read the counts.
fn reads_counts(by: By) -> bool {
    matches!(by, By::Password("adam") | By::App("adam") | By::Token("adam"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_for_everybody_and_counts_are_for_admins() {
    assert_eq!(gate::OWN, ["healthy", "ready", "metrics"]);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let world = World::start_with(|config| config.admin_socket = Some(socket.clone())).await;
    for (by, who) in AT_DAV {
        let status = async |method: &str, path: &str| {
            world.ask(&by.dress(&world, Ask::new(method, path))).await.status
        };
        for open in ["/-/healthy", "/-/ready"] {
            assert_eq!(status("GET", open).await, 200, "{by:?}");
            assert_eq!(status("HEAD", open).await, 200, "{by:?}");
            assert_eq!(status("PUT", open).await, 405, "{by:?}");
        }
        let expected = match who {
            Who::Nobody | Who::Wrong(_) => 401,
            _ if reads_counts(by) => 200,
            _ => 403,
        };
        assert_eq!(status("GET", "/-/metrics").await, expected, "{by:?}");
        assert_eq!(status("DELETE", "/-/metrics").await, 405, "{by:?}");
        assert_eq!(status("GET", "/-/anything").await, 404, "{by:?}");
        assert_eq!(status("GET", "/-").await, 404, "{by:?}");
    }
    let narrow = Scope { buckets: vec![BucketName::parse("adam").unwrap()], read_only: true };
    let adam = AccountName::parse("adam").unwrap();
    let made = world.holdall().add_app_password(&Caller::Operator, &adam, "narrow", narrow, None).await;
    let counts = Ask::new("GET", "/-/metrics").basic("adam", made.unwrap().1.reveal());
    assert_eq!(world.ask(&counts).await.status, 403, "an app password for one bucket is no admin's");
    for (path, status) in [("/-/healthy", 200), ("/-/ready", 200), ("/-/metrics", 200), ("/-/anything", 404)]
    {
        assert_eq!(world.ask_operator(&socket, &Ask::new("GET", path)).await.status, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reserved_names_are_nobodys() {
    let world = World::start().await;
    let before = world.state().await;
    let callers = [By::Nobody, By::Password("olga"), By::Password("adam"), By::Key("olga"), By::Key("otto")];
    for name in gate::not_built() {
        for by in callers {
            for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "PROPFIND", "MKCOL", "OPTIONS"] {
                let at = if name == "-" { "/-".to_owned() } else { format!("/{name}") };
                let reply = world.ask(&by.dress(&world, Ask::new(method, &at))).await;
                // S3 in its own words: no bucket may have the name.
                let expected = if matches!(by, By::Key(_)) && name != "-" { 400 } else { 404 };
                assert_eq!(reply.status, expected, "{by:?} {method} {at}");
            }
        }
    }
    for name in gate::not_built().chain(["dav", "api"]) {
        let make = Ask::new("MKCOL", &format!("/dav/{name}"));
        let reply = world.ask(&world.basic("olga", make)).await;
        assert_eq!(reply.status, 403, "MKCOL of {name}");
    }
    assert_eq!(before, world.state().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_start_page_is_for_everybody_and_shows_nobodys_files() {
    let world = World::start().await;
    for by in [By::Nobody, By::WrongPassword, By::Password("olga"), By::Password("adam")] {
        let ask = by.dress(&world, Ask::new("GET", "/").with("accept", "text/html"));
        let reply = world.ask(&ask).await;
        assert_eq!(reply.status, 200, "{by:?}");
        assert!(!reply.text().contains("olga"), "{by:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_no_door_has_does_nothing() {
    let world = World::start().await;
    let before = world.state().await;
    for method in ["LOCK", "UNLOCK", "REPORT", "SEARCH", "PATCH", "POST", "MKCALENDAR", "BIND", "ACL"] {
        for at in ["/dav/", "/dav/olga", "/dav/olga/folder/", "/dav/olga/file", "/dav/olga/none"] {
            let ask = || Ask::new(method, at);
            assert_eq!(world.ask(&ask()).await.status, 401, "{method} {at}");
            assert_eq!(world.ask(&world.basic("dina", ask())).await.status, 401, "{method} {at}");
            let reply = world.ask(&world.basic("olga", ask())).await;
            assert_eq!(reply.status, 405, "{method} {at}");
            let allow = reply.header("allow").unwrap();
            assert!(allow.split(", ").all(|allowed| allowed != method), "{method} {at}: {allow}");
        }
        for at in ["/olga", "/olga/file"] {
            let reply = world.ask(&world.signer("olga").sign(Ask::new(method, at))).await;
            assert_eq!(reply.status, 405, "{method} {at}");
        }
    }
    for method in ["TRACE", "CONNECT"] {
        let reply = world.ask(&world.basic("olga", Ask::new(method, "/dav/olga/file"))).await;
        assert_eq!(reply.status, 405, "{method}");
    }
    assert_eq!(before, world.state().await);
}
