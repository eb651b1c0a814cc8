//! Bodies that stop coming: the request is given up after its time, through both doors, and nothing of
//! it stays.

use std::time::{Duration, Instant};

use super::Bad;
use crate::common::{ask::Ask, wire::Raw, world::World};

const SHORT: Duration = Duration::from_millis(400);

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up_and_leaves_nothing() {
    let world = World::start_with(|config| config.limits.rate_window = SHORT).await;
    let (upload, _) = world.upload("olga", "big").await;
    let before = world.state().await;
    let bad = Bad { world, before };
    let body = vec![b'f'; 300_000];
    let new = |target: &str| Ask::new("PUT", target).body(body.clone());
    let part = format!("/olga/big?uploadId={upload}&partNumber=2");
    let delete = "<Delete><Object><Key>file</Key></Object></Delete>".to_owned() + &" ".repeat(100_000);
    let find = "<propfind xmlns=\"DAV:\"/>".to_owned() + &" ".repeat(100_000);
    let asks = [
        ("object", 400, bad.s3(new("/olga/file"))),
        ("part", 400, bad.s3(new(&part))),
        ("chunks", 400, bad.world.signer("olga").in_chunks(Ask::new("PUT", "/olga/file"), &[&body], &[])),
        ("document", 400, bad.s3(Ask::new("POST", "/olga?delete").body(delete))),
        ("file", 408, bad.dav(new("/dav/olga/file"))),
        ("new file", 408, bad.dav(new("/dav/olga/other"))),
        ("properties", 408, bad.dav(Ask::new("PROPFIND", "/dav/olga/").with("depth", "0").body(find))),
    ];
    for (case, status, ask) in &asks {
        let mut raw = Raw::connect(bad.world.server.address()).await;
        raw.send(ask.head()).await;
        raw.send(&ask.body[..ask.body.len() / 2]).await;
        let began = Instant::now();
        let reply = raw.reply().await.unwrap_or_else(|| panic!("{case}: no answer"));
        assert!(began.elapsed() < SHORT * 10, "{case}: {:?}", began.elapsed());
        let code = if case.contains("file") || *case == "properties" { "" } else { "RequestTimeout" };
        bad.was(case, &reply, *status, code).await;
    }
    bad.over().await;
}
