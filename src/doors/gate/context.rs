//! What the gate knows about a request beside the request itself.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use super::id::RequestId;
use crate::{
    domain::caller::Caller,
    model::{peer::PeerNet, time::Timestamp},
};

/// Who is at the other end of the connection. Forwarded headers are not looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    /// An address on the network.
    Net(SocketAddr),
    /// The administration socket, which only the owner of the data can open.
    Socket,
}

impl Peer {
    /// Whom it is counted with, if it can be told apart from others.
    pub(crate) fn net(self) -> Option<PeerNet> {
        match self {
            Self::Net(address) => PeerNet::of(address.ip()),
            Self::Socket => None,
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(address) => address.fmt(f),
            Self::Socket => f.write_str("socket"),
        }
    }
}

/// Handed to a door with each request; cheap to clone.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The request's id, also in the answer's `x-request-id`.
    pub id: RequestId,
    /// The other end of the connection.
    pub peer: Peer,
    /// Whether this connection is encrypted.
    pub tls: bool,
    /// When the head of the request had arrived.
    pub received: Timestamp,
    /// The bucket the host name stands for, where S3 is asked in virtual-host style.
    pub host_bucket: Option<String>,
    caller: Arc<OnceLock<String>>,
}

impl RequestContext {
    /// A context for a request that has just arrived.
    #[must_use]
    pub fn new(id: RequestId, peer: Peer, tls: bool, received: Timestamp) -> Self {
        Self { id, peer, tls, received, host_bucket: None, caller: Arc::default() }
    }

    /// Tells the log who asks; doors call it once they know. The first call counts.
    pub fn note_caller(&self, caller: &Caller) {
        // A second call would tell the same.
        let _ = self.caller.set(caller.label().to_owned());
    }

    /// The caller for the log, `-` while nobody is known.
    #[must_use]
    pub fn caller_label(&self) -> &str {
        self.caller.get().map_or("-", String::as_str)
    }

    /// `https` or `http`, as the client sees it.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}
