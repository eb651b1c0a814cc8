//! Puts the doors behind the gate and the gate on the network, and takes it all down again.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::Holdall,
    doors::{
        api::{ApiDoor, Listening, types::Listens},
        dav::DavDoor,
        gate::{Door, Doors, Front, Hosts, Limits, Origins, Serves, Setup, TlsError, acceptor, socket},
        s3::{S3Door, S3Options},
    },
    model::limits::{LEAST_CONNECTIONS, STORE_FILES},
    outside::{
        clock::{Clock as _, SystemClock},
        random::{Random as _, SystemRandom},
    },
};

/// Certificate and key of a listener.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// PEM file with the certificate, then those it was signed with.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// One address to listen at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListenerConfig {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// Encrypted if there is a certificate.
    pub tls: Option<TlsFiles>,
    /// Which doors it leads to.
    pub serves: Serves,
}

/// What the server needs to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerConfig {
    /// Where it listens.
    pub listeners: Vec<ListenerConfig>,
    /// The administration socket, if there is to be one.
    pub admin_socket: Option<PathBuf>,
    /// Host names that mean S3, also with a bucket before them.
    pub s3_hosts: Vec<String>,
    /// The region S3 signatures are made for.
    pub s3_region: String,
    /// Origins whose pages may use WebDAV and the API; `*` for all.
    pub cors_origins: Vec<String>,
    /// Whether anybody may read `/-/metrics`; else the operator and admins.
    pub public_metrics: bool,
    /// What one connection may take.
    pub limits: Limits,
}

impl Default for ServerConfig {
    fn default() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], 7070));
        Self {
            listeners: vec![ListenerConfig { address, tls: None, serves: Serves::All }],
            admin_socket: None,
            s3_hosts: Vec::new(),
            s3_region: "us-east-1".into(),
            cors_origins: Vec::new(),
            public_metrics: false,
            limits: Limits::default(),
        }
    }
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened at.
    #[error("cannot listen at {address}: {source}; choose another with --listen or listen")]
    Address {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The administration socket cannot be made.
    #[error("cannot make the administration socket {path}: {source}")]
    Socket {
        /// Its path.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The doors of this crate.
fn doors(config: &ServerConfig, holdall: &Arc<Holdall>, listening: Listening) -> Doors {
    let api = ApiDoor::in_server(Arc::clone(holdall), listening);
    let api = Door::new(move |request, context| {
        let api = api.clone();
        async move { api.handle(request, context).await }
    });
    let dav = DavDoor::new(Arc::clone(holdall));
    let dav = Door::new(move |request, context| {
        let dav = dav.clone();
        async move { dav.handle(request, context).await }
    });
    let options = S3Options { region: config.s3_region.clone() };
    let s3 = Arc::new(S3Door::new(Arc::clone(holdall), options));
    let s3 = Door::new(move |request, context| {
        let s3 = Arc::clone(&s3);
        async move { s3.handle(request, context).await }
    });
    Doors { s3, dav, api }
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    front: Front,
    addresses: Vec<SocketAddr>,
    socket: Option<PathBuf>,
}

/// Tries whether [`Server::start`] could listen, so that a first start that cannot makes nothing.
///
/// # Errors
/// As [`Server::start`].
pub fn try_out(config: &ServerConfig) -> Result<(), ServeError> {
    for listener in &config.listeners {
        if let Some(files) = &listener.tls {
            acceptor(&files.certificate, &files.key)?;
        }
        let address = listener.address;
        std::net::TcpListener::bind(address).map_err(|source| ServeError::Address { address, source })?;
    }
    Ok(())
}

impl Server {
    /// Listens everywhere it is configured to and begins to answer.
    ///
    /// # Errors
    /// If one of the listeners cannot be had; none is left open then.
    pub async fn start(config: ServerConfig, holdall: Arc<Holdall>) -> Result<Self, ServeError> {
        let listening = Listening::default();
        let doors = doors(&config, &holdall, Arc::clone(&listening));
        let encrypted: Vec<bool> = config.listeners.iter().map(|listener| listener.tls.is_some()).collect();
        let server = Self::start_with(config, holdall, doors).await?;
        let listens = server.addresses.iter().zip(encrypted);
        // It is new: nobody has filled it.
        let _ = listening.set(listens.map(|(address, tls)| Listens { address: *address, tls }).collect());
        Ok(server)
    }

    /// The same with other doors.
    ///
    /// # Errors
    /// If one of the listeners cannot be had; none is left open then.
    pub async fn start_with(
        config: ServerConfig,
        holdall: Arc<Holdall>,
        doors: Doors,
    ) -> Result<Self, ServeError> {
        let mut bound = Vec::new();
        for listener in &config.listeners {
            let refused = |source| ServeError::Address { address: listener.address, source };
            let files = listener.tls.as_ref();
            let tls = files.map(|files| acceptor(&files.certificate, &files.key)).transpose()?;
            bound.push((TcpListener::bind(listener.address).await.map_err(refused)?, tls, listener.serves));
        }
        let refused = |source| {
            let path = config.admin_socket.as_ref().map(|path| path.display().to_string());
            ServeError::Socket { path: path.unwrap_or_default(), source }
        };
        let admin = config.admin_socket.as_deref().map(socket::bind).transpose().map_err(refused)?;
        let front = Front::new(Setup {
            doors,
            holdall,
            hosts: Hosts::new(config.s3_hosts.iter().map(String::as_str)),
            origins: Origins::new(config.cors_origins),
            public_metrics: config.public_metrics,
            limits: config.limits,
            now: Box::new(|| SystemClock.now()),
            random: Box::new(|| {
                let mut bytes = [0; 16];
                SystemRandom.fill(&mut bytes);
                bytes
            }),
        });
        let mut addresses = Vec::new();
        for (listener, tls, serves) in bound {
            addresses.extend(listener.local_addr().ok());
            front.listen(listener, tls, serves);
        }
        if let Some(admin) = admin {
            front.listen_socket(admin);
        }
        Ok(Self { front, addresses, socket: config.admin_socket })
    }

    /// Where it listens, in the order of the configuration.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops accepting and lets running requests end, for as long as configured. True if none had
    /// to be cut off.
    pub async fn stop(self) -> bool {
        let whole = self.front.drain().await;
        if let Some(socket) = self.socket {
            // It is stale from here on; the next start replaces it if it stays.
            let _ = std::fs::remove_file(socket);
        }
        whole
    }
}

/// Lets this process have as many open files as the system allows: connections and segments need
/// more than a login shell is given. How many that is.
pub fn raise_open_files() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let before = limit.current;
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "the limit of open files stays as it is");
            limit.current = before;
        }
    }
    limit.current.unwrap_or(u64::MAX)
}

/// How many connections are let in: no more than leave the store its files.
#[must_use]
pub fn connections_for(wanted: usize, open_files: u64) -> usize {
    let most =
        usize::try_from(open_files.saturating_sub(STORE_FILES)).unwrap_or(usize::MAX).max(LEAST_CONNECTIONS);
    if most < wanted {
        tracing::warn!(open_files, connections = most, "the system allows few open files: raise `ulimit -n`");
    }
    wanted.min(most)
}

/// A token that SIGTERM and SIGINT cancel. A second signal ends the process at once: the store
/// is made to be stopped anywhere.
///
/// # Errors
/// If signals cannot be received.
pub fn stop_on_signals() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let told = stop.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if first {
                told.cancel();
            }
        }
        std::process::exit(1);
    });
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_the_store_its_files() {
        assert_eq!(connections_for(1024, u64::MAX), 1024);
        assert_eq!(connections_for(1024, 1280), 1024);
        assert_eq!(connections_for(1024, 1024), 768);
        assert_eq!(connections_for(1024, 64), LEAST_CONNECTIONS);
    }
}
