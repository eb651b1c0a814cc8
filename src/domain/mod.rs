//! The rules: one struct, [`Holdall`], whose verbs decide and change things.
//!
//! Every verb takes the [`caller::Caller`] first and decides inside whether it may. One
//! transaction makes a verb visible, with its preconditions and its journal row. Knows no
//! protocol: doors translate requests into verbs and nouns back into answers.

mod access;
mod accounts;
mod authenticate;
mod bootstrap;
mod buckets;
pub mod caller;
mod credentials;
pub mod error;
mod health;
mod lanes;
pub mod nouns;
mod passwords;
mod recognised;
mod seal;
mod start;
#[cfg(test)]
mod tests;
mod tokens;
mod unbuilt;

pub use authenticate::Presented;
pub use bootstrap::{FirstAdmin, Welcome};
pub use error::Error;
pub use start::{StartOptions, World};
#[cfg(test)]
pub(crate) use tests::in_memory;
pub use unbuilt::{Opened, PartPut, Put};

use std::sync::{Arc, Mutex};

use crate::{
    outside::{clock::Clock, random::Random},
    store::{Driver, Store},
};
use credentials::Credentials;

/// The system, opened once and shared by all doors.
pub struct Holdall {
    store: Arc<Store>,
    driver: Mutex<Option<Driver>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    credentials: Credentials,
}
