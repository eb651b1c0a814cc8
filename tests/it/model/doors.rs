//! Runs operations through the doors of a server in this process, over a simulated disk.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use holdall::{
    domain::{
        Holdall, StartOptions, World as Outside,
        caller::{Caller, Scope},
    },
    model::{secret::Secret, time::Timestamp},
    outside::{
        clock::SetClock,
        random::{SeededRandom, SystemRandom},
    },
    server::Server,
    store::{
        dir::RoomOptions,
        io::{Io, sim::SimDisk},
    },
};

use super::{
    compare::Shows as _,
    op::{At, Op, World},
    rules::{Answer, Did, Model},
};
use crate::common::{
    self,
    ask::{Ask, Signer},
    newcomer,
    wire::Reply,
    world::now,
};

const START: i64 = 1_700_000_000_000;
/// Free bytes at which a disk takes no bodies, but everything else.
const TIGHT: u64 = 48 << 20;
const WIDE: u64 = 1 << 40;
const KEY: &str = "AKIAMODEL00000000000";
const SECRET: &str = "a-secret-of-forty-characters-or-so/model";
/// How long what goes on in the background after a power cut may take.
const PATIENCE: u32 = 200;
const PAUSE: Duration = Duration::from_millis(25);

/// A server on its way.
pub(super) struct Run {
    pub(super) disk: SimDisk,
    clock: Arc<SetClock>,
    pub(super) holdall: Arc<Holdall>,
    server: Option<Server>,
    password: String,
    pub(super) model: Model,
    /// What S3 calls the model's versions and uploads.
    pub(super) versions: HashMap<u64, String>,
    pub(super) uploads: HashMap<usize, String>,
    cut: Option<(u16, u64)>,
}

/// What the doors answered: what was done as the model words it, or the status of a refusal.
pub(super) enum Told {
    Done(Did),
    Refused(u16),
    /// No answer, or that of a server whose disk is gone.
    Lost,
}

/// Runs all of them; tells where the two differ.
pub(super) async fn run(ops: &[Op]) -> Result<(), String> {
    let mut run = Run::new().await?;
    for (number, op) in ops.iter().enumerate() {
        run.step(op).await.map_err(|why| format!("operation {number}, {op:?}: {why}"))?;
        let all = number % 10 == 9 || number + 1 == ops.len();
        run.compare(op, all).await.map_err(|why| format!("after {number}, {op:?}: {why}"))?;
    }
    let report = run.holdall.check(&Caller::Operator).await.map_err(|error| error.to_string())?;
    if !report.is_clean() {
        return Err(format!("the check finds {report:#?}"));
    }
    run.stop().await
}

async fn serve(disk: &SimDisk, clock: &Arc<SetClock>) -> Result<(Arc<Holdall>, Server), String> {
    let io: Arc<dyn Io> = Arc::new(disk.clone());
    let room = RoomOptions { reserve_bytes: Some(4096), full_below_bytes: Some(64 << 20) };
    let options = StartOptions { room, cache_bytes: 1 << 20, ..StartOptions::new(io) };
    let world = Outside { clock: clock.clone(), random: Arc::new(SystemRandom) };
    let holdall = Holdall::start(options, world).map_err(|error| format!("{error}: {:?}", error.reason()))?;
    let server = Server::start(common::config(|_| {}), Arc::clone(&holdall)).await;
    Ok((holdall, server.map_err(|error| error.to_string())?))
}

impl Run {
    async fn new() -> Result<Self, String> {
        let (disk, clock) = (SimDisk::new(), Arc::new(SetClock::at(Timestamp(START))));
        let (holdall, server) = serve(&disk, &clock).await?;
        let new = newcomer("ada");
        let name = new.name.clone();
        holdall.add_account(&Caller::Operator, new).await.unwrap();
        let pair = Some((KEY.to_owned(), Secret::new(SECRET)));
        holdall.add_key(&Caller::Operator, &name, pair).await.unwrap();
        let made = holdall.add_app_password(&Caller::Operator, &name, "dav", Scope::default(), None).await;
        let mut run = Self {
            disk,
            clock,
            holdall,
            server: Some(server),
            password: made.unwrap().1.reveal().to_owned(),
            model: Model::at(START),
            versions: HashMap::new(),
            uploads: HashMap::new(),
            cut: None,
        };
        run.s3(Ask::new("DELETE", "/ada")).await;
        run.dav(Ask::new("MKCOL", "/dav/home")).await;
        run.model.apply(&Op::MakeBucket { bucket: "home".into(), days: Some(30) });
        for bucket in ["plain", "kept"] {
            run.step(&Op::MakeBucket { bucket: bucket.into(), days: None }).await?;
        }
        Ok(run)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().addresses()[0]
    }

    /// Signed for S3, or with an app password for WebDAV.
    pub(super) fn dressed(&self, path: bool, ask: Ask) -> Ask {
        // Signatures are held against the clock of the machine.
        let at = now();
        if path { ask.basic("ada", &self.password) } else { Signer::new(KEY, SECRET, at).sign(ask) }
    }

    pub(super) async fn s3(&self, ask: Ask) -> Option<Reply> {
        self.dressed(false, ask).send(self.address()).await
    }

    pub(super) async fn dav(&self, ask: Ask) -> Option<Reply> {
        self.dressed(true, ask).send(self.address()).await
    }

    /// One operation on both.
    async fn step(&mut self, op: &Op) -> Result<(), String> {
        match op {
            Op::World(World::Cut { calls, seed }) => {
                self.cut = Some((*calls, *seed));
                return Ok(());
            }
            Op::World(world) if self.cut.is_none() => return self.world(world).await,
            _ => {}
        }
        if self.model.full {
            self.disk.set_free(TIGHT);
        }
        let cut = self.cut.take();
        self.clock.advance(1500);
        self.model.now += 1500;
        let before = self.model.clone();
        if let Some((calls, _)) = cut {
            self.disk.crash_after(u64::from(calls));
        }
        let told = self.act(op).await;
        let answer = self.model.apply(op);
        if let Op::World(World::Clock(by)) = op {
            self.clock.advance(*by);
        }
        let lost = matches!(told, Told::Lost) && cut.is_some();
        if !lost {
            super::act::agree(&before, op, &answer, &told)?;
        }
        match cut {
            Some((_, seed)) => self.after_cut(seed, (before, lost)).await,
            None => Ok(()),
        }
    }

    async fn world(&mut self, world: &World) -> Result<(), String> {
        self.model.apply(&Op::World(world.clone()));
        match world {
            World::Clock(by) => self.clock.advance(*by),
            World::Restart => self.restart(None).await?,
            World::Collect { compact } => {
                let collected = self.holdall.collect(&Caller::Operator, *compact).await;
                let aborted = collected.map_err(|error| error.to_string())?.aborted;
                if let (Some(why), false) = (aborted, self.model.full) {
                    return Err(format!("collecting was ended: {why}"));
                }
            }
            World::Room(room) => self.disk.set_free(if *room { WIDE } else { TIGHT }),
            World::Expire | World::Cut { .. } => {}
        }
        Ok(())
    }

    /// The power comes back. What was answered is there; what was not is there wholly or not.
    async fn after_cut(&mut self, seed: u64, (before, lost): (Model, bool)) -> Result<(), String> {
        let image = self.disk.crash(seed);
        if !self.model.full {
            image.set_free(WIDE);
        }
        self.restart(Some(image)).await?;
        let after = self.model.clone();
        let mut unlike = String::new();
        for _ in 0..PATIENCE {
            // A folder that goes file by file is finished in the background.
            tokio::time::sleep(PAUSE).await;
            self.model = after.clone();
            unlike = match self.see_all().await {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            if lost {
                self.model = before.clone();
                self.model.now = after.now;
                if self.see_all().await.is_ok() {
                    return Ok(());
                }
            }
        }
        Err(format!("after a power cut, answered: {}: {unlike}", !lost))
    }

    async fn restart(&mut self, image: Option<SimDisk>) -> Result<(), String> {
        let crashed = image.is_some();
        self.server.take().unwrap().stop().await;
        // On a disk that is gone nothing can be closed well.
        let closed = self.holdall.close();
        if !crashed {
            closed.map_err(|error| error.to_string())?;
        }
        while Arc::strong_count(&self.holdall) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let idle = Arc::new(SimDisk::new());
        let world = Outside { clock: self.clock.clone(), random: Arc::new(SeededRandom::new(1)) };
        let idle = Holdall::start(StartOptions::new(idle), world).map_err(|error| error.to_string())?;
        drop(std::mem::replace(&mut self.holdall, idle));
        self.disk = image.unwrap_or_else(|| self.disk.clone());
        let (holdall, server) = serve(&self.disk, &self.clock).await?;
        self.holdall = holdall;
        self.server = Some(server);
        Ok(())
    }

    async fn stop(mut self) -> Result<(), String> {
        self.server.take().unwrap().stop().await;
        self.holdall.close().map_err(|error| error.to_string())
    }
}

/// A key or path as it stands in a request's line.
pub(super) fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let code = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(code).collect()
}

/// Where a place is found: through S3 if it is a key, else through WebDAV.
pub(super) fn target(at: &At) -> String {
    let door = if at.path { "/dav" } else { "" };
    format!("{door}/{}/{}", at.bucket, encoded(&at.name))
}

/// Whether a model's answer is a success.
pub(super) fn done(answer: &Answer) -> Option<&Did> {
    match answer {
        Answer::Done(did) => Some(did),
        Answer::Partly | Answer::Refused(_) => None,
    }
}
