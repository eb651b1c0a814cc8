//! What stands before every door: accepting, limits, authentication, routing.
//!
//! A request passes here once: it gets its id, its door and its line in the log. Knows nothing of
//! files; what a door does with a request is the door's.

mod answer;
pub mod authenticate;
pub mod body;
pub mod context;
mod cors;
mod door;
pub mod id;
mod limits;
mod metrics;
mod pace;
mod page;
mod problem;
mod pulse;
mod route;
mod target;
mod wire;

pub use body::Body;
pub use context::{Peer, RequestContext};
pub use cors::Origins;
pub use door::{Door, Doors};
pub use id::RequestId;
pub use limits::Limits;
pub use problem::problem;
pub use route::{Hosts, Route, route};
