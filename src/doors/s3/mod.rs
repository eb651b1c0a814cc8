//! S3: the same files as objects.

mod allow;
mod attributes;
mod chunked;
mod code;
mod error;
mod payload;
mod query;
mod sigv4;
mod target;
mod xml;
