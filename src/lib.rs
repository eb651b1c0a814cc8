//! Holdall: one store, every door.
//!
//! # Rooms
//!
//! | Room | What it is | May import |
//! |---|---|---|
//! | [`model`] | nouns and pure functions | – |
//! | [`store`] | remembers bytes and rows | model |
//! | [`outside`] | the world we call | model |
//! | [`domain`] | the rules: one struct, its verbs | store, outside, model |
//! | [`doors`] | each translates one protocol, behind one gate | domain, model |
//! | [`server`], [`cli`], [`config`], [`telemetry`] | put the parts together | all |

pub mod cli;
pub mod config;
pub mod domain;
pub mod doors;
pub mod model;
pub mod outside;
pub mod server;
pub mod store;
pub mod telemetry;
