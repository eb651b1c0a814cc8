//! `holdall doctor`: one line for each thing that must be right, and what to do where it is not.

use std::{net::SocketAddr, os::unix::fs::MetadataExt as _};

use http::Method;
use serde::Serialize;
use tokio::{net::TcpStream, time::timeout};

use super::{
    Context,
    arguments::Doctor,
    bucket,
    failure::Failure,
    print::many_of,
    reach::{self, PATIENCE, Reach},
    recovery,
    room::{self, Room},
};
use crate::{
    config::Settings,
    doors::{
        api::types::{Listens, Scrubbing, Snapshot},
        gate,
    },
    model::size::shown,
    outside::clock::{Clock as _, SystemClock},
};

/// 2026-01-01: a clock before it has never been set.
const PLAUSIBLE_MS: i64 = 1_767_225_600_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

/// One finding.
#[derive(Debug, Serialize)]
struct Finding {
    state: State,
    what: &'static str,
    found: String,
}

fn finding(state: State, what: &'static str, found: impl Into<String>) -> Finding {
    Finding { state, what, found: found.into() }
}

/// Runs; exit code 1 if anything fails.
pub(super) async fn run(context: &Context, doctor: &Doctor) -> Result<(), Failure> {
    let settings = &context.settings;
    if doctor.healthy {
        let (server, ..) = server(settings).await;
        let fine = server.state == State::Ok;
        context.printer.one(&server, || format!("{}: {}", server.what, server.found))?;
        return if fine { Ok(()) } else { Err(Failure::Said(1)) };
    }
    let (server, at, running) = server(settings).await;
    let hangs = server.state == State::Fail;
    let (data, reach) = data(settings).await;
    let mut findings =
        vec![data, space(settings), server, port(&at, running).await, tls(settings, &at), clock()];
    if let Some(reach) = reach.filter(|_| !hangs) {
        findings.push(twins(&reach).await.unwrap_or_else(|failure| failed("twins", &failure)));
        findings
            .push(snapshots(settings, &reach).await.unwrap_or_else(|failure| failed("snapshots", &failure)));
        findings.push(damage(&reach).await.unwrap_or_else(|failure| failed("damage", &failure)));
        findings.push(recovery_key(&reach).await.unwrap_or_else(|failure| failed("recovery key", &failure)));
    }
    let failed = findings.iter().any(|finding| finding.state == State::Fail);
    context.printer.many(&findings, &["state", "what", "found"])?;
    if failed { Err(Failure::Said(1)) } else { Ok(()) }
}

/// What could not be looked at.
fn failed(what: &'static str, failure: &Failure) -> Finding {
    finding(State::Fail, what, failure.message().unwrap_or_default())
}

/// Whether the data can be opened, or is open in the server; and the way to it.
async fn data(settings: &Settings) -> (Finding, Option<Reach>) {
    let path = settings.data.display();
    let reach = match Reach::find(settings).await {
        Ok(reach) => reach,
        Err(failure) => return (failed("data", &failure), None),
    };
    let found = match std::fs::metadata(&settings.data) {
        Ok(found) if found.mode() & 0o077 != 0 => {
            finding(State::Warn, "data", format!("other users can look into {path}; run chmod 700 {path}"))
        }
        Ok(_) => finding(State::Ok, "data", format!("{path} can be opened, and is yours alone")),
        Err(error) => finding(State::Fail, "data", format!("{path}: {error}")),
    };
    (found, Some(reach))
}

fn space(settings: &Settings) -> Finding {
    let Some(Room { free, total, reserved }) = room::of(&settings.data) else {
        return finding(State::Warn, "space", "cannot be told without the data directory");
    };
    let least = reach::room(settings).full_below(total);
    let text = format!("{} of {} are free", shown(free), shown(total));
    if free < least {
        // As far as that can be seen from here; `/-/ready` of the server says exactly.
        let reserve = if reserved == 0 { " and the reserve is in use" } else { "" };
        let text = format!(
            "{text}{reserve}: new files are refused, deletes go on; delete files and run `holdall gc`, add \
             room, or lower disk.full_below"
        );
        finding(State::Fail, "space", text)
    } else if reserved < reach::room(settings).reserve(total) && settings.data.join("FORMAT").exists() {
        let text = format!("{text}: new files are refused until there is room for disk.reserve, too");
        finding(State::Warn, "space", text)
    } else if free < least.saturating_mul(4) {
        finding(State::Warn, "space", format!("{text}: new files are refused below {}", shown(least)))
    } else {
        finding(State::Ok, "space", text)
    }
}

/// Whether the server answers on its socket and listens where it says; where that is, or would be;
/// and whether it is the server, of whatever version, who listens there.
async fn server(settings: &Settings) -> (Finding, Listens, bool) {
    let server = match timeout(PATIENCE, reach::version(settings)).await {
        Ok(Ok(server)) => server,
        Ok(Err(_)) => {
            let text = "does not run; once everything else is right, start it with `holdall serve`";
            return (finding(State::Warn, "server", text), reach::configured(settings), false);
        }
        Err(_) => {
            let text = "does not answer; look at its log and restart it";
            return (finding(State::Fail, "server", text), reach::configured(settings), false);
        }
    };
    let (own, runs) = (env!("CARGO_PKG_VERSION"), server.version.clone());
    let at = reach::first(server, settings);
    let url = format!("{}://{}", if at.tls { "https" } else { "http" }, at.address);
    let listening = listens(at.address).await;
    let found = if !listening {
        let text = format!("runs, and does not answer at {url}; look at its log and restart it");
        finding(State::Fail, "server", text)
    } else if runs == own {
        finding(State::Ok, "server", format!("version {own} answers at {url}"))
    } else {
        finding(State::Warn, "server", format!("version {runs} runs, this is {own}; restart the server"))
    };
    (found, at, listening)
}

async fn listens(address: SocketAddr) -> bool {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    matches!(timeout(PATIENCE, TcpStream::connect(address)).await, Ok(Ok(_)))
}

async fn port(at: &Listens, running: bool) -> Finding {
    let address = at.address;
    if running {
        return finding(State::Ok, "port", format!("{address} is the server's"));
    }
    match tokio::net::TcpListener::bind(address).await {
        Ok(_) => finding(State::Ok, "port", format!("{address} is free")),
        Err(error) => finding(
            State::Fail,
            "port",
            format!("{address}: {error}; choose another with --listen or listen"),
        ),
    }
}

fn tls(settings: &Settings, at: &Listens) -> Finding {
    match &settings.tls {
        Some((cert, key)) => match gate::acceptor(cert, key) {
            Ok(_) => finding(State::Ok, "tls", format!("{} and its key are good", cert.display())),
            Err(error) => finding(State::Fail, "tls", error.to_string()),
        },
        // Settings of the server that this command does not share.
        None if at.tls => finding(State::Ok, "tls", "the server has a certificate of its own"),
        None if settings.behind_proxy => finding(State::Ok, "tls", "a proxy in front ends it"),
        None if at.address.ip().is_loopback() => {
            finding(State::Ok, "tls", "is not needed: only this machine is listened to")
        }
        None => finding(
            State::Warn,
            "tls",
            "passwords travel in the clear; set tls.cert and tls.key, or behind_proxy if a proxy ends TLS",
        ),
    }
}

/// Files that WebDAV hides behind a folder of the same name.
async fn twins(reach: &Reach) -> Result<Finding, Failure> {
    let mut found = Vec::new();
    for bucket in bucket::all(reach).await? {
        let path = format!("{}/twins", bucket::address(&bucket.name));
        let keys: Vec<String> = reach.ask(Method::GET, &path).await?;
        found.extend(keys.into_iter().map(|key| format!("{}/{key}", bucket.name)));
    }
    Ok(match found.as_slice() {
        [] => finding(State::Ok, "twins", "no file has the name of a folder beside it"),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            let text =
                format!("{first}{more}: WebDAV shows the folder of that name only; rename it through S3");
            finding(State::Warn, "twins", text)
        }
    })
}

/// Whether anything stored is known to be damaged, and how long ago all of it was read.
async fn damage(reach: &Reach) -> Result<Finding, Failure> {
    let state: Scrubbing = reach.ask(Method::GET, "/api/v1/scrub").await?;
    if state.damaged > 0 {
        let text = format!(
            "{} of the data damaged: `holdall check` tells which chunks, segments and rows, and which files need \
             them; the log names damaged snapshots of the metadata",
            many_of(state.damaged, "part")
        );
        return Ok(finding(State::Fail, "damage", text));
    }
    let read = match (state.last.and_then(|last| last.ended), state.now) {
        (_, Some(now)) => format!("everything is being read again, {:.0} % are done", now.percent),
        (Some(ended), None) => format!("everything was read again until {ended}"),
        (None, None) => "`holdall scrub` reads everything again".to_owned(),
    };
    Ok(finding(State::Ok, "damage", format!("none is known; {read}")))
}

/// Whether people kept what opens their backups.
async fn recovery_key(reach: &Reach) -> Result<Finding, Failure> {
    Ok(if recovery::confirmed(reach).await? {
        finding(State::Ok, "recovery key", "was confirmed")
    } else {
        let text = "nobody showed that it was kept, and it opens backups; run `holdall recovery-key confirm`";
        finding(State::Warn, "recovery key", text)
    })
}

/// Whether there is something to start from if the metadata file is lost.
async fn snapshots(settings: &Settings, reach: &Reach) -> Result<Finding, Failure> {
    let kept: Vec<Snapshot> = reach.ask(Method::GET, "/api/v1/snapshots").await?;
    Ok(match kept.last() {
        _ if settings.disk_snapshot_every.is_zero() => {
            finding(State::Warn, "snapshots", "of the metadata are not taken; set disk.snapshot_every")
        }
        Some(newest) => finding(
            State::Ok,
            "snapshots",
            format!("{} of the metadata, the newest of {}", kept.len(), newest.taken_at),
        ),
        None => finding(State::Ok, "snapshots", "of the metadata: none yet; a running server takes them"),
    })
}

fn clock() -> Finding {
    let now = SystemClock.now();
    if now.0 < PLAUSIBLE_MS {
        let text = format!("says {}; set it, or every S3 client is refused", now.rfc3339_seconds());
        return finding(State::Fail, "clock", text);
    }
    finding(State::Ok, "clock", now.rfc3339_seconds())
}
