//! The operations of S3 on verbs of the domain.

use std::sync::Arc;

use s3s::S3;

use crate::domain::Holdall;

/// The operations.
pub(crate) struct Ops {
    _holdall: Arc<Holdall>,
}

impl Ops {
    /// Operations on this system.
    pub(crate) fn new(holdall: Arc<Holdall>) -> Self {
        Self { _holdall: holdall }
    }
}

impl S3 for Ops {}
