//! Accepting connections: all listeners share one number of connections, and none of them waits
//! for a client.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream, UnixListener},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    connection::{self, Told},
    context::Peer,
    handle::{Gate, Inlet, Setup},
    limits::{ACCEPT_REST, IDLE_WHEN_FULL},
    route::Route,
};

/// What a listener leads to. `/-/…` is answered on each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Serves {
    /// Every door, by the rules of routing.
    #[default]
    All,
    /// S3 only: every path is a bucket's.
    S3,
    /// WebDAV only.
    Dav,
    /// The JSON API only.
    Api,
}

impl Serves {
    /// The route on this listener.
    pub(crate) fn narrow(self, route: Route) -> Route {
        match (self, route) {
            (_, route @ (Route::Own(_) | Route::NotAllowed)) | (Self::All, route) => route,
            (Self::S3, route @ Route::S3 { .. }) => route,
            (Self::S3, _) => Route::S3 { host_bucket: None },
            (Self::Dav, route @ (Route::Dav | Route::Preflight | Route::StartPage)) => route,
            (Self::Api, route @ (Route::Api | Route::Preflight)) => route,
            (Self::Dav | Self::Api, _) => Route::NotFound,
        }
    }
}

/// The accept loops and what they share.
#[derive(Debug)]
pub struct Front {
    gate: Arc<Gate>,
    places: Arc<Semaphore>,
    drain: CancellationToken,
    accepting: TaskTracker,
    connections: TaskTracker,
}

impl Front {
    /// A gate that nobody comes through yet.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let places = Arc::new(Semaphore::new(setup.limits.connections));
        Self {
            gate: Arc::new(Gate::new(setup)),
            places,
            drain: CancellationToken::new(),
            accepting: TaskTracker::new(),
            connections: TaskTracker::new(),
        }
    }

    /// Accepts on a TCP listener until [`Front::drain`].
    pub fn listen(&self, listener: TcpListener, tls: Option<TlsAcceptor>, serves: Serves) {
        let door = self.hinge();
        self.accepting.spawn(async move {
            while let Some((accepted, place)) = door.next(|| listener.accept()).await {
                let (stream, peer) = accepted;
                // Small answers wait 40 ms otherwise.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "a connection was gone at once");
                    continue;
                }
                let inlet = Inlet { peer: Peer::Net(peer), tls: tls.is_some(), serves };
                door.enter(place, {
                    let (gate, told, tls) = (Arc::clone(&door.gate), door.told(), tls.clone());
                    async move { encrypted(gate, stream, tls, (inlet, told)).await }
                });
            }
        });
    }

    /// Accepts on the administration socket until [`Front::drain`].
    pub fn listen_socket(&self, listener: UnixListener) {
        // The operator gets in however many clients there are.
        let door = Hinge { places: Arc::new(Semaphore::new(16)), ..self.hinge() };
        self.accepting.spawn(async move {
            while let Some(((stream, _), place)) = door.next(|| listener.accept()).await {
                let inlet = Inlet { peer: Peer::Socket, tls: false, serves: Serves::Api };
                let (gate, told) = (Arc::clone(&door.gate), door.told());
                door.enter(place, connection::serve(gate, stream, inlet, told));
            }
        });
    }

    /// Stops accepting, lets running requests end for as long as configured, then cuts them off.
    /// True if all of them ended by themselves.
    pub async fn drain(&self) -> bool {
        self.drain.cancel();
        self.accepting.close();
        self.accepting.wait().await;
        self.connections.close();
        self.gate.tasks.close();
        let ended = async {
            self.connections.wait().await;
            self.gate.tasks.wait().await;
        };
        if timeout(self.gate.limits().drain, ended).await.is_ok() {
            return true;
        }
        self.gate.abort.cancel();
        // What is left only has to notice.
        let noticed = async {
            self.gate.tasks.wait().await;
            self.connections.wait().await;
        };
        let _ = timeout(IDLE_WHEN_FULL, noticed).await;
        false
    }

    fn hinge(&self) -> Hinge {
        Hinge {
            gate: Arc::clone(&self.gate),
            places: Arc::clone(&self.places),
            drain: self.drain.clone(),
            connections: self.connections.clone(),
        }
    }
}

/// What an accept loop needs of the front.
struct Hinge {
    gate: Arc<Gate>,
    places: Arc<Semaphore>,
    drain: CancellationToken,
    connections: TaskTracker,
}

impl Hinge {
    /// The next connection with its place; `None` when the server stops. Nothing is accepted while
    /// there is no place, so that clients beyond the limit stay in the kernel's queue.
    async fn next<T, F>(&self, accept: impl Fn() -> F) -> Option<(T, OwnedSemaphorePermit)>
    where
        F: Future<Output = io::Result<T>>,
    {
        loop {
            // Given back at once: a listener that waits for clients takes no place from another.
            drop(self.place().await?);
            let accepted = tokio::select! {
                () = self.drain.cancelled() => return None,
                accepted = accept() => accepted,
            };
            match accepted {
                Ok(accepted) => return Some((accepted, self.place().await?)),
                Err(error) if is_of_one_client(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections for a moment");
                    self.rest(ACCEPT_REST).await;
                }
            }
        }
    }

    async fn place(&self) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            () = self.drain.cancelled() => None,
            place = Arc::clone(&self.places).acquire_owned() => place.ok(),
        }
    }

    async fn rest(&self, time: Duration) {
        tokio::select! {
            () = self.drain.cancelled() => {}
            () = sleep(time) => {}
        }
    }

    fn told(&self) -> Told {
        let places = Arc::clone(&self.places);
        Told { drain: self.drain.clone(), full: Arc::new(move || places.available_permits() == 0) }
    }

    fn enter(&self, place: OwnedSemaphorePermit, connection: impl Future<Output = ()> + Send + 'static) {
        let open = Open::new(Arc::clone(&self.gate));
        self.connections.spawn(async move {
            connection.await;
            drop((open, place));
        });
    }
}

/// Counts a connection for as long as it lives, also if serving it panics.
struct Open(Arc<Gate>);

impl Open {
    fn new(gate: Arc<Gate>) -> Self {
        gate.metrics.opened();
        Self(gate)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.metrics.closed();
    }
}

async fn encrypted(
    gate: Arc<Gate>,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    (inlet, told): (Inlet, Told),
) {
    let Some(tls) = tls else {
        return connection::serve(gate, stream, inlet, told).await;
    };
    let shaken = tokio::select! {
        () = told.drain.cancelled() => return,
        shaken = timeout(gate.limits().handshake, tls.accept(stream)) => shaken,
    };
    match shaken {
        Ok(Ok(stream)) => connection::serve(gate, stream, inlet, told).await,
        Ok(Err(error)) => tracing::debug!(%error, peer = %inlet.peer, "no TLS handshake"),
        Err(_) => tracing::debug!(peer = %inlet.peer, "the TLS handshake took too long"),
    }
}

/// Errors of a client that was gone before it was accepted.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
