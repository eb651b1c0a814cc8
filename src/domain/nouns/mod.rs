//! What verbs take and give: plain values in the words of the house. Doors translate them; none
//! is ever serialised as it stands.

mod accounts;
mod extras;
mod files;
mod listings;
mod uploads;

pub use accounts::*;
pub use extras::*;
pub use files::*;
pub use listings::*;
pub use uploads::*;

pub use crate::model::bucket::{HistoryPolicy, Versioning};
