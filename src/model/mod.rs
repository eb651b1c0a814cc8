//! The nouns of Holdall and pure functions over them.
//!
//! Everything here is a value: no I/O, no async, no clock, no randomness. Every other room may
//! import this one; it imports none.

pub mod address;
pub mod bucket;
pub mod checksum;
pub mod chunker;
pub mod condition;
pub mod digest;
pub mod escape;
pub mod etag;
pub mod extra;
pub mod ids;
pub mod limits;
pub mod name;
pub mod peer;
pub mod range;
pub mod role;
pub mod secret;
pub mod size;
pub mod time;
