//! What a door looks like to the gate: a function from a request to an answer that cannot fail.

use std::{fmt, future::Future, sync::Arc};

use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};

use super::{body::Body, context::RequestContext, problem::problem};

type Handler = dyn Fn(Request<Body>, RequestContext) -> BoxFuture<'static, Response<Body>> + Send + Sync;

/// A door.
#[derive(Clone)]
pub struct Door(Arc<Handler>);

impl Door {
    /// A door that answers with `handle`.
    pub fn new<F, Answer>(handle: F) -> Self
    where
        F: Fn(Request<Body>, RequestContext) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Response<Body>> + Send + 'static,
    {
        Self(Arc::new(move |request, context| Box::pin(handle(request, context))))
    }

    /// A door that says that it is not built.
    #[must_use]
    pub fn not_built() -> Self {
        Self::new(|_, _| async { problem(StatusCode::NOT_IMPLEMENTED, "not_built", "this is not there yet") })
    }

    pub(crate) fn handle(
        &self,
        request: Request<Body>,
        context: RequestContext,
    ) -> BoxFuture<'static, Response<Body>> {
        (self.0)(request, context)
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door")
    }
}

/// The doors behind the gate.
#[derive(Clone, Debug)]
pub struct Doors {
    /// S3.
    pub s3: Door,
    /// WebDAV.
    pub dav: Door,
    /// The JSON API, which also serves the administration socket.
    pub api: Door,
}
