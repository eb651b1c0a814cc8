//! Reaches the system: over the socket of a running server, or by opening the data directly. Both
//! speak to the same JSON door, so that every verb exists once.

use std::{
    fmt,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};

use super::failure::Failure;
use crate::{
    config::{Dedup, Settings},
    domain::{Error, Holdall, ScrubOptions, StartOptions, Waits, World},
    doors::{
        api::{
            ApiDoor,
            types::{Listens, Problem, Version},
        },
        gate::{Peer, RequestContext, RequestId, body, socket},
    },
    outside::{
        clock::{Clock as _, SystemClock},
        random::SystemRandom,
    },
    store::{
        dir::RoomOptions,
        io::{Io, disk::Disk},
        meta::percent,
    },
};

/// The system, however it is reached.
pub(super) enum Reach {
    /// A server runs; this is its socket.
    Socket(PathBuf),
    /// None does; the data is open in this process.
    Direct(ApiDoor),
}

impl Reach {
    /// Finds the server, or opens the data.
    pub(super) async fn find(settings: &Settings) -> Result<Self, Failure> {
        let path = socket_of(&settings.data);
        match socket::connect(&path).await {
            Ok(_) => Ok(Self::Socket(path)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(not_the_owner(&settings.data))
            }
            Err(_) => {
                must_be_ours(&settings.data)?;
                Ok(Self::Direct(ApiDoor::new(open(settings, false)?)))
            }
        }
    }

    /// The running server.
    pub(super) async fn socket(settings: &Settings) -> Result<Self, Failure> {
        let path = socket_of(&settings.data);
        let found = socket::connect(&path).await;
        found
            .map(|_| Self::Socket(path))
            .map_err(|error| Failure::Refused(format!("no server answers: {error}")))
    }

    /// Asks without a body.
    pub(super) async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T, Failure> {
        self.send(method, path, Bytes::new()).await
    }

    /// Asks with a body.
    pub(super) async fn tell<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        what: &impl Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(what).map_err(|error| Failure::Refused(error.to_string()))?;
        self.send(method, path, body.into()).await
    }

    async fn send<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T, Failure> {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "holdall");
        let request = request.body(body).map_err(|error| Failure::Usage(format!("{path}: {error}")))?;
        let answer = match self {
            Self::Socket(path) => over(path, request).await,
            Self::Direct(door) => within(door, request).await,
        };
        let answer =
            answer.map_err(|error| Failure::Refused(format!("the server did not answer: {error}")))?;
        understand(&answer)
    }
}

/// How long the server may take to answer a simple question.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What the running server says of itself.
pub(super) async fn version(settings: &Settings) -> Result<Version, Failure> {
    Reach::socket(settings).await?.ask(Method::GET, "/api/v1/version").await
}

/// Where a running server listens first.
pub(super) fn first(server: Version, settings: &Settings) -> Listens {
    // One that has just started may not know yet.
    server.listens.into_iter().next().unwrap_or_else(|| configured(settings))
}

/// Where a server with these settings would listen.
pub(super) fn configured(settings: &Settings) -> Listens {
    Listens { address: settings.listen, tls: settings.tls.is_some() }
}

/// What an answer says.
pub(super) fn understand<T: DeserializeOwned>(answer: &Response<Bytes>) -> Result<T, Failure> {
    let status = answer.status();
    let bytes: &[u8] = if status == StatusCode::NO_CONTENT { b"null" } else { answer.body() };
    if status.is_success() {
        let read = serde_json::from_slice(bytes);
        return read.map_err(|error| Failure::Refused(format!("the answer is not understood: {error}")));
    }
    Err(match serde_json::from_slice::<Problem>(bytes) {
        Ok(problem) => Failure::Problem(Box::new(problem)),
        Err(_) => Failure::Refused(format!("the server answered {status}")),
    })
}

/// Sends one request over the socket.
async fn over(path: &Path, request: Request<Bytes>) -> Result<Response<Bytes>, Box<dyn std::error::Error>> {
    let stream = TokioIo::new(socket::connect(path).await?);
    let (mut sender, connection) = http1::handshake(stream).await?;
    // It ends with the sender; its error, if any, is also the answer's.
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}

/// Hands one request to the door in this process.
async fn within(
    door: &ApiDoor,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Box<dyn std::error::Error>> {
    let (head, body) = door.handle(request.map(body::full), context()).await.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}

/// What a request in this process comes with.
pub(super) fn context() -> RequestContext {
    let id = RequestId::from_random([0; 16]);
    RequestContext::new(id, Peer::Socket, false, SystemClock.now())
}

/// The administration socket of a data directory.
pub(super) fn socket_of(data: &Path) -> PathBuf {
    data.join("admin.sock")
}

/// The room that is kept on the disk.
pub(super) fn room(settings: &Settings) -> RoomOptions {
    RoomOptions { reserve_bytes: settings.disk_reserve, full_below_bytes: settings.disk_full_below }
}

/// Opens the data; only a server may make it.
pub(super) fn open(settings: &Settings, create: bool) -> Result<Arc<Holdall>, Failure> {
    let refused =
        |error: &dyn fmt::Display| Failure::Refused(format!("{}: {error}", settings.data.display()));
    if std::fs::metadata(&settings.data).is_ok_and(|found| !found.is_dir()) {
        return Err(refused(&"is not a directory; name another with --data"));
    }
    let waits = Arc::new(Waits::default());
    let io = Disk::open(&settings.data).map_err(|error| refused(&error))?.waiting(waits.clone());
    let tell: fn(f64) = if create { log_repair } else { show_repair };
    let options = StartOptions { waits, create, progress: Arc::new(tell), ..options(settings, Arc::new(io)) };
    let world = World { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
    Holdall::start(options, world).map_err(|error| match must_be_ours(&settings.data) {
        // More likely why, and something can be done; root is kept out by nobody.
        Err(foreign) if !rustix::process::geteuid().is_root() => foreign,
        _ => refused(&with_reason(&error)),
    })
}

/// What the settings say of how a data directory is opened.
fn options(settings: &Settings, io: Arc<dyn Io>) -> StartOptions {
    StartOptions {
        shared_dedup: settings.dedup == Dedup::Store,
        room: room(settings),
        cache_bytes: settings.cache_metadata,
        memory_bytes: settings.memory,
        peers_apart: !settings.behind_proxy,
        compact_rate: settings.disk_compact_rate,
        data: Some(settings.data.clone()),
        snapshot_every: settings.disk_snapshot_every,
        scrub: ScrubOptions { days: settings.disk_scrub_days, rate: settings.disk_scrub_rate },
        ..StartOptions::new(io)
    }
}

/// Tells in the server's log how far a repair is.
fn log_repair(part: f64) {
    tracing::warn!(percent = percent(part), "the metadata is repaired after a crash; it takes a while");
}

/// Tells it to people at a terminal.
pub(super) fn show_repair(part: f64) {
    if std::io::stderr().is_terminal() {
        eprintln!("repairing the metadata after a crash, {} % done", percent(part));
    }
}

/// An error with what the log would get: whoever runs commands on the data may know it.
pub(super) fn with_reason(error: &Error) -> String {
    match error {
        // That it passes is a promise to clients of a running server; here it need not.
        Error::Unavailable { reason } => reason.clone(),
        other => other.reason().map_or_else(|| other.to_string(), |reason| format!("{other}: {reason}")),
    }
}

/// Refuses data that is not there, or that belongs to somebody else: files made now would be
/// theirs no more.
pub(super) fn must_be_ours(data: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt as _;
    match std::fs::metadata(data) {
        Ok(found) if found.uid() == rustix::process::geteuid().as_raw() => Ok(()),
        Ok(_) => Err(not_the_owner(data)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failure::Refused(format!(
            "there is no data in {}; start `holdall serve` once, or name the directory with --data",
            data.display()
        ))),
        Err(error) => Err(Failure::Refused(format!("{}: {error}", data.display()))),
    }
}

fn not_the_owner(data: &Path) -> Failure {
    Failure::Refused(format!("{} belongs to another user; run this as its owner", data.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Given, store::io::sim::SimDisk};

    fn opened(flags: Vec<(&'static str, String)>) -> StartOptions {
        let folder = Path::new("/nowhere").to_owned();
        let given = Given { file: None, flags, environment: Vec::new(), folder };
        options(&Settings::load(given).unwrap(), Arc::new(SimDisk::new()))
    }

    #[test]
    fn what_keeps_a_store_healthy_runs_unless_settings_say_otherwise() {
        let usual = opened(Vec::new());
        assert_eq!((usual.scrub.days, usual.scrub.rate), (30, 50_000_000));
        assert_eq!(usual.snapshot_every, Duration::from_secs(6 * 3600));
        assert_eq!((usual.compact_rate, usual.haste), (32 << 20, 1));
        let own = [
            ("disk.scrub_days", "7"),
            ("disk.scrub_rate", "1 MB"),
            ("disk.snapshot_every", "1h"),
            ("disk.compact_rate", "2 MB"),
        ];
        let own = opened(own.map(|(name, value)| (name, value.to_owned())).to_vec());
        assert_eq!((own.scrub.days, own.scrub.rate), (7, 1_000_000));
        assert_eq!((own.snapshot_every, own.compact_rate), (Duration::from_secs(3600), 2_000_000));
    }
}
