//! A server in this process on a simulated disk whose power can be cut.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use holdall::{
    domain::{
        Holdall, Presented, StartOptions,
        caller::{Caller, Scope},
    },
    model::secret::Secret,
    server::Server,
    store::{dir::RoomOptions, io::sim::SimDisk},
};
use tokio::time::sleep;

use super::{
    ask::{Ask, Signer},
    config, newcomer,
    world::{account, now},
};

const KEY: &str = "AKIASIMULATED000000A";
const SECRET: &str = "simulated/0123456789/0123456789/01234567";

/// The server, with the account `olga`, whose bucket is `olga`.
pub(crate) struct SimServer {
    pub(crate) disk: SimDisk,
    pub(crate) holdall: Arc<Holdall>,
    server: Server,
    token: String,
}

fn open(disk: &SimDisk) -> Arc<Holdall> {
    let room = RoomOptions { reserve_bytes: Some(4096), full_below_bytes: Some(64 << 20) };
    let options = StartOptions { room, cache_bytes: 8 << 20, ..StartOptions::new(Arc::new(disk.clone())) };
    Holdall::start(options, super::real_world()).unwrap()
}

async fn serve(holdall: &Arc<Holdall>) -> Server {
    Server::start(config(|_| {}), Arc::clone(holdall)).await.unwrap()
}

impl SimServer {
    pub(crate) async fn start() -> Self {
        let disk = SimDisk::new();
        let holdall = open(&disk);
        holdall.add_account(&Caller::Operator, newcomer("olga")).await.unwrap();
        let (olga, pair) = (account("olga"), (KEY.to_owned(), Secret::new(SECRET)));
        holdall.add_key(&Caller::Operator, &olga, Some(pair)).await.unwrap();
        let made = holdall.add_app_password(&Caller::Operator, &olga, "sim", Scope::default(), None).await;
        let token = made.unwrap().1.reveal().to_owned();
        let server = serve(&holdall).await;
        Self { disk, holdall, server, token }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.addresses()[0]
    }

    /// What olga's requests are signed and dressed with.
    pub(crate) fn olga(&self) -> Olga {
        Olga { signer: Signer::new(KEY, SECRET, now()), token: self.token.clone() }
    }

    /// Olga as the domain knows her.
    pub(crate) async fn caller(&self) -> Caller {
        let token = Secret::new(&self.token);
        self.holdall.authenticate(Presented::Token(&token)).await.unwrap()
    }

    /// Ends it after the power was cut, and starts another on what the cut left of the disk.
    pub(crate) async fn after_cut(self, seed: u64) -> Self {
        let disk = self.disk.crash(seed);
        self.server.stop().await;
        let _ = self.holdall.close();
        let holdall = open(&disk);
        let server = serve(&holdall).await;
        Self { disk, holdall, server, token: self.token }
    }

    /// Stops and starts again on the same disk.
    pub(crate) async fn restart(self) -> Self {
        let Self { disk, holdall, server, token } = self;
        server.stop().await;
        holdall.close().unwrap();
        while Arc::strong_count(&holdall) > 1 {
            sleep(Duration::from_millis(5)).await;
        }
        drop(holdall);
        let holdall = open(&disk);
        let server = serve(&holdall).await;
        Self { disk, holdall, server, token }
    }

    /// Panics unless the check finds every row in its place and everything it needs.
    pub(crate) async fn assert_clean(&self, case: &str) {
        let report = self.holdall.check(&Caller::Operator).await.unwrap();
        assert!(report.is_clean(), "{case}: {report:#?}");
    }
}

/// Somebody's credentials for both doors.
#[derive(Clone, Debug)]
pub(crate) struct Olga {
    signer: Signer,
    token: String,
}

impl Olga {
    pub(crate) fn s3(&self, ask: Ask) -> Ask {
        self.signer.sign(ask)
    }

    pub(crate) fn dav(&self, ask: Ask) -> Ask {
        ask.basic("olga", &self.token)
    }
}
