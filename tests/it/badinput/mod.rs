//! What nobody should send. Each case has its one right answer; then the state is held against
//! that before, the file's bytes are read again through both doors, and the server must still
//! answer and have caught no panic.

mod bodies;
mod carried;
mod claims;
mod credentials;
mod documents;
mod features;
mod headers;
mod paths;
mod places;
mod stalls;

use std::time::{Duration, Instant};

use holdall::{domain::caller::Caller, server::ServerConfig};

use crate::common::{ask::Ask, wire::Reply, world::World};

/// A world and what it was like before.
struct Bad {
    world: World,
    before: String,
}

impl Bad {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let world = World::start_with(change).await;
        let before = world.state().await;
        Self { world, before }
    }

    /// A request to S3, signed by the owner.
    fn s3(&self, ask: Ask) -> Ask {
        self.world.signer("olga").sign(ask)
    }

    /// A request to WebDAV with the owner's password.
    fn dav(&self, ask: Ask) -> Ask {
        self.world.basic("olga", ask)
    }

    /// The case: this request is answered like that, and nothing has changed.
    async fn is(&self, case: &str, ask: &Ask, status: u16, code: &str) {
        let reply = self.world.ask(ask).await;
        self.was(case, &reply, status, code).await;
    }

    /// The same for a request to S3 that still is to be signed.
    async fn s3_is(&self, case: &str, ask: Ask, status: u16, code: &str) {
        self.is(case, &self.s3(ask), status, code).await;
    }

    /// The same for WebDAV.
    async fn dav_is(&self, case: &str, ask: Ask, status: u16) {
        self.is(case, &self.dav(ask), status, "").await;
    }

    async fn was(&self, case: &str, reply: &Reply, status: u16, code: &str) {
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert_eq!(reply.status, status, "{case}: {text}");
        let found = code.is_empty() || text.contains(&format!("<Code>{code}</Code>"));
        assert!(found, "{case}: no {code} in {text}");
        self.unchanged(case).await;
    }

    async fn unchanged(&self, case: &str) {
        assert_eq!(self.before, self.world.state().await, "{case}: something has changed");
    }

    /// What every test ends with.
    async fn over(self) {
        self.unchanged("at the end").await;
        let by_key = self.world.ask(&self.s3(Ask::new("GET", "/olga/file"))).await;
        let by_path = self.world.ask(&self.dav(Ask::new("GET", "/dav/olga/file"))).await;
        for reply in [&by_key, &by_path] {
            assert_eq!((reply.status, reply.body.as_slice()), (200, &b"content"[..]));
        }
        assert_eq!(by_key.header("etag"), by_path.header("etag"));
        let counts = self.world.basic("adam", Ask::new("GET", "/-/metrics"));
        let counts = self.world.ask(&counts).await;
        let panics = counts.text().lines().find(|line| line.starts_with("holdall_panics_total"));
        assert_eq!(panics, Some("holdall_panics_total 0"), "{}", counts.text());
        self.nothing_is_left().await;
    }

    /// What was refused holds no memory, and left nothing in the store but what is collected.
    async fn nothing_is_left(&self) {
        let (holdall, since) = (self.world.holdall(), Instant::now());
        loop {
            let used = holdall.memory_use(&Caller::Operator).unwrap();
            if used.taken_bytes == 0 {
                break;
            }
            assert!(since.elapsed() < Duration::from_secs(5), "{used:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for round in 0..2 {
            let report = holdall.check(&Caller::Operator).await.unwrap();
            assert!(report.is_clean(), "round {round}: {report:#?}");
            let counts = report.counts;
            assert!(round == 0 || (counts.queued, counts.unreferenced) == (0, 0), "{counts:?}");
            let collected = holdall.collect(&Caller::Operator, false).await.unwrap();
            assert_eq!(collected.aborted, None);
        }
    }
}
