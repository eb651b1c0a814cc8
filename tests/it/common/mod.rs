//! What end-to-end tests share: a server in this process on a free port with a directory of its
//! own, and the least of an HTTP client that lets a test see every byte.

#![allow(dead_code, reason = "not every test needs every part")]

pub(crate) mod ask;
pub(crate) mod process;
pub(crate) mod sim;
pub(crate) mod wire;
pub(crate) mod world;

use std::{net::SocketAddr, sync::Arc};

use holdall::{
    domain::{Holdall, StartOptions, World, nouns::NewAccount},
    doors::gate::{Doors, Serves},
    model::name::AccountName,
    outside::{clock::SystemClock, random::SystemRandom},
    server::{ListenerConfig, Server, ServerConfig},
    store::io::disk::Disk,
};
use tempfile::TempDir;

/// A running server. Dropping it ends it with the test's runtime; [`TestServer::stop`] drains it.
pub(crate) struct TestServer {
    pub(crate) directory: TempDir,
    pub(crate) holdall: Arc<Holdall>,
    server: Server,
}

impl TestServer {
    /// A server on an empty directory with all doors and default settings.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same with settings changed.
    pub(crate) async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let holdall = open(&directory);
        let server = Server::start(config(change), Arc::clone(&holdall)).await.unwrap();
        Self { directory, holdall, server }
    }

    /// The same with other doors.
    pub(crate) async fn start_doors(doors: Doors, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let holdall = open(&directory);
        let server = Server::start_with(config(change), Arc::clone(&holdall), doors).await.unwrap();
        Self { directory, holdall, server }
    }

    /// The address of the first listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    /// The addresses of all listeners, in the order of the configuration.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        self.server.addresses()
    }

    /// `http://…` of the first listener, with a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// Stops, and starts again on the same directory.
    pub(crate) async fn restart(self) -> Self {
        let Self { directory, holdall, server } = self;
        server.stop().await;
        holdall.close().unwrap();
        // Jobs hold the system for a moment more; the directory is free when all let go.
        while Arc::strong_count(&holdall) > 1 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        drop(holdall);
        let holdall = open(&directory);
        let server = Server::start(config(|_| {}), Arc::clone(&holdall)).await.unwrap();
        Self { directory, holdall, server }
    }

    /// Lets running requests end.
    pub(crate) async fn stop(self) -> bool {
        self.server.stop().await
    }
}

/// An account without a password.
pub(crate) fn newcomer(name: &str) -> NewAccount {
    let name = AccountName::parse(name).unwrap();
    NewAccount { name, display_name: String::new(), email: None, admin: false, password: None }
}

/// The one place where tests open the system.
fn open(directory: &TempDir) -> Arc<Holdall> {
    let disk = Disk::open(directory.path().join("data")).unwrap();
    Holdall::start(StartOptions::new(Arc::new(disk)), real_world()).unwrap()
}

fn real_world() -> World {
    World { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) }
}

pub(crate) fn config(change: impl FnOnce(&mut ServerConfig)) -> ServerConfig {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let listeners = vec![ListenerConfig { address, tls: None, serves: Serves::All }];
    let mut config = ServerConfig { listeners, ..ServerConfig::default() };
    change(&mut config);
    config
}
