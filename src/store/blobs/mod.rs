//! Bodies as manifests of chunks: taken in, deduplicated, read back verified.
#![allow(dead_code, reason = "the rows are there before what writes them")]

mod index;
pub mod manifest;
pub mod pins;
mod rows;
pub mod verify;
