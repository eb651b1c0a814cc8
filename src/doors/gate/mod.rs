//! What stands before every door: accepting, limits, authentication, routing.
//!
//! A request passes here once: it gets its id, its door and its line in the log. Knows nothing of
//! files; what a door does with a request is the door's.

mod answer;
pub mod authenticate;
pub mod body;
pub mod conditions;
mod connection;
pub mod context;
mod cors;
mod door;
mod handle;
mod head;
pub mod id;
mod limits;
mod listen;
mod metrics;
mod own;
mod pace;
mod page;
mod problem;
mod pulse;
mod room;
mod route;
pub mod socket;
mod target;
mod tls;
mod wire;

pub use body::Body;
pub use context::{Peer, RequestContext};
pub use cors::Origins;
pub use door::{Door, Doors};
pub use handle::Setup;
pub use id::RequestId;
pub use limits::Limits;
pub use listen::{Front, Serves};
pub use own::OWN;
pub use problem::problem;
pub use route::{Hosts, Route, not_built, route};
pub use tls::{TlsError, acceptor};
