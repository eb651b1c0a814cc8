//! The WebDAV door: `/dav/<bucket>/<path>` in RFC 4918, classes 1 and 3.
//!
//! Takes a request apart, calls one verb and writes the answer. It decides syntax only; whether
//! something may be done, and whether it fits the state of the tree, the domain says. Files go
//! out through dav-server; everything else is written here, because that library deletes before
//! it moves and publishes bodies that were cut short.

mod error;
mod headers;
mod path;
mod xml;
