//! The WebDAV door: `/dav/<bucket>/<path>` in RFC 4918, classes 1 and 3.
//!
//! Takes a request apart, calls one verb and writes the answer. It decides syntax only; whether
//! something may be done, and whether it fits the state of the tree, the domain says. Files go
//! out through dav-server; everything else is written here, because that library deletes before
//! it moves and publishes bodies that were cut short.

mod call;
mod error;
mod folders;
mod get;
mod headers;
mod mime;
mod multistatus;
mod options;
mod path;
mod propfind;
mod proppatch;
mod put;
mod sums;
mod transfer;
mod xml;

use std::{sync::Arc, time::Duration};

use dav_server::DavHandler;
use http::{Request, Response, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use self::{call::Call, error::Refusal, get::file::Served, path::Place};
use crate::{
    domain::{Error, Holdall, error::Unrecognised, nouns::Transfer},
    doors::gate::{Body, RequestContext, authenticate::authenticate},
    model::limits,
};

macro_rules! methods {
    ($($method:ident $name:literal,)*) => {
        #[derive(Clone, Copy)]
        enum Method { $($method,)* }

        impl Method {
            const ALL: [Self; METHODS.len()] = [$(Self::$method,)*];
        }

        /// The methods of this door; any other is refused. Who may use each,
        /// `tests/it/matrix` holds against this list.
        pub const METHODS: [&str; [$($name,)*].len()] = [$($name,)*];
    };
}

methods! {
    Options "OPTIONS",
    Get "GET",
    Head "HEAD",
    Propfind "PROPFIND",
    Proppatch "PROPPATCH",
    Put "PUT",
    Mkcol "MKCOL",
    Delete "DELETE",
    Copy "COPY",
    Move "MOVE",
}

impl Method {
    fn parse(name: &str) -> Option<Self> {
        METHODS.iter().zip(Self::ALL).find(|(known, _)| **known == name).map(|(_, method)| method)
    }
}

/// What this door answers for an error, whatever the method. `tests/it/errors.txt` is the table.
#[must_use]
pub fn refusal(error: Error) -> Response<Body> {
    Refusal::from(error).into_response()
}

/// The door; cheap to clone.
#[derive(Clone)]
pub struct DavDoor {
    holdall: Arc<Holdall>,
    files: DavHandler<Arc<Served>>,
}

impl std::fmt::Debug for DavDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DavDoor").finish_non_exhaustive()
    }
}

impl DavDoor {
    /// A door to this system.
    #[must_use]
    pub fn new(holdall: Arc<Holdall>) -> Self {
        Self { holdall, files: get::file::handler() }
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Body>, context: RequestContext) -> Response<Body> {
        let (head, mut body) = request.into_parts();
        match self.answer(&head, &mut body, &context).await {
            Ok(response) => response,
            Err(refusal) => {
                if let Some(reason) = refusal.reason() {
                    tracing::error!(request = %context.id, reason, "a WebDAV request failed");
                }
                if !head.headers.contains_key(header::EXPECT) {
                    let patience = Duration::from_millis(limits::DAV_DRAIN_MILLIS);
                    let _ = tokio::time::timeout(patience, drain(&mut body)).await;
                }
                refusal.into_response()
            }
        }
    }

    async fn answer(
        &self,
        head: &http::request::Parts,
        body: &mut Body,
        context: &RequestContext,
    ) -> Result<Response<Body>, Refusal> {
        let caller = authenticate(&self.holdall, &head.headers, context).await?;
        if caller.account().is_none() {
            return Err(Error::Unauthenticated(Unrecognised::Missing).into());
        }
        headers::refuse_unbuilt(&head.method, &head.headers)?;
        let Some(place) = Place::parse(head.uri.path())? else {
            return Err(Refusal::new(http::StatusCode::NOT_FOUND, "nothing is here; files are below /dav/"));
        };
        let call = Call { door: self, caller, head, place };
        let Some(method) = Method::parse(head.method.as_str()) else {
            return Err(options::refused(&call).await);
        };
        match method {
            Method::Options => options::answer(&call).await,
            Method::Get | Method::Head => get::answer(&call).await,
            Method::Propfind => propfind::answer(&call, body).await,
            Method::Proppatch => proppatch::answer(&call, body).await,
            Method::Put => put::answer(&call, body).await,
            Method::Mkcol => folders::make(&call, body).await,
            Method::Delete => folders::remove(&call).await,
            Method::Copy => transfer::answer(&call, Transfer::Copy).await,
            Method::Move => transfer::answer(&call, Transfer::Move).await,
        }
    }
}

/// Reads a little of a body nobody wants: a client that is still sending when the connection is
/// closed may never see the answer.
async fn drain(body: &mut Body) {
    let mut left = limits::DAV_DRAIN_BYTES;
    while left > 0 && !body.is_end_stream() {
        let Some(Ok(frame)) = body.frame().await else { return };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        left = left.saturating_sub(length.max(1));
    }
}
