//! The one test binary: every door against an in-process server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there"
)]

mod badinput;
mod cli;
mod common;
mod damaged;
mod dav;
mod errors;
mod folders;
mod gate;
mod layering;
mod linear;
mod matrix;
mod model;
mod moving;
mod opening;
#[path = "../../src/proof.rs"]
mod proof;
mod rebuild;
mod restart;
mod s3;
mod space;
mod supply;
mod uploads;
