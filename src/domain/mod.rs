//! The rules: one struct, [`Holdall`], whose verbs decide and change things.
//!
//! Every verb takes the [`caller::Caller`] first and decides inside whether it may. One
//! transaction makes a verb visible, with its preconditions and its journal row. Knows no
//! protocol: doors translate requests into verbs and nouns back into answers.

mod access;
pub mod caller;
pub mod error;
mod health;
pub mod nouns;
mod recognised;
mod seal;
mod tokens;
mod unbuilt;

pub use error::Error;
pub use unbuilt::{Opened, PartPut, Presented, Put};

/// The system, opened once and shared by all doors.
#[derive(Debug)]
pub struct Holdall {}
