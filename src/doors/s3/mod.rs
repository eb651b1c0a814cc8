//! S3: the same files as objects.

mod allow;
mod chunked;
mod code;
mod error;
mod payload;
mod query;
mod sigv4;
