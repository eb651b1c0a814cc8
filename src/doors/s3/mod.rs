//! S3: the same files as objects.
//!
//! A library has the operations' shapes, their XML and their routing. Our own layer stands before
//! it, because it accepts what nobody signed, runs plain operations for sub-resources it does not
//! know, and gathers or truncates bodies. A request passes
//!
//! 1. `sigv4` and the domain: who asks, before a byte of the body is read;
//! 2. `allow`: which operation it is, and whether every parameter and header is known;
//! 3. `payload`, `chunked`, `document`: the body as declared, decoded and counted;
//! 4. `target`, `attributes`, `request`: what the library would misread, typed, in the request's extensions;
//! 5. `ops` on verbs of the domain; `answer` makes the outcome ready to leave.
//!
//! Nothing here decides what a caller may do.

mod allow;
mod answer;
mod attributes;
mod chunked;
mod code;
mod document;
mod error;
mod layer;
mod ops;
mod owner;
mod payload;
mod query;
mod request;
mod sigv4;
mod target;
#[cfg(test)]
mod tests;
mod xml;

use http::Response;

pub use layer::{S3Door, S3Options};

use super::gate::{Body, RequestId};
use crate::domain::Error;

/// The names of the operations that are built. Who may run each, `tests/it/matrix` holds against
/// this list.
pub const OPERATIONS: &[&str] = allow::OPERATIONS;

/// Every header that some operation carries out; one that ends in `-` begins a family.
#[must_use]
pub fn headers() -> Vec<&'static str> {
    allow::headers::known()
}

/// Whether an operation, by its name, refuses a header because it does not do what it asks for.
#[must_use]
pub fn refuses_header(operation: &str, header: &str) -> bool {
    let op = OPERATIONS.iter().zip(allow::Op::ALL).find(|(name, _)| **name == operation);
    allow::headers::refused(op.map(|(_, op)| *op), header)
}

/// Names of the sub-resources of buckets, then of objects, that are answered "not configured".
#[must_use]
pub fn unconfigured() -> (Vec<&'static str>, Vec<&'static str>) {
    allow::unconfigured()
}

/// What this door answers for an error, whatever the operation. `tests/it/errors.txt` is the table.
#[must_use]
pub fn refusal(error: Error) -> Response<Body> {
    let id = RequestId::from_random([0; 16]);
    let asked = answer::Asked { head: false, resource: String::new(), id };
    answer::refuse(&asked, error.into())
}
