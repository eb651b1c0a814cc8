//! Remembers: bytes in segments, rows in the metadata. Synchronous.
//!
//! Knows bytes and rows, not permissions. Everything that touches the data directory goes
//! through [`io`].

pub mod blobs;
pub mod dir;
pub mod error;
pub mod io;
pub mod meta;
pub mod rows;
pub mod segments;
