//! The JSON API. For now it serves the command line over the administration socket: accounts,
//! credentials and buckets as [`Caller::Operator`], files in the name of an account. From the
//! network it answers that it is not built. Domain values are translated into the shapes of
//! [`types`], never serialised themselves.

mod accounts;
mod backed_up;
mod backup;
mod buckets;
mod check;
mod collected;
mod collection;
mod credentials;
mod damaged;
mod error;
mod extract;
mod filed;
pub mod files;
mod recovery;
mod route;
mod scrub;
pub mod types;

use std::sync::{Arc, OnceLock};

use axum::{Router, response::IntoResponse as _};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use self::route::Route;
use super::gate::{Body, Peer, RequestContext, problem};
use crate::domain::{Error, Holdall, caller::Caller};

/// What every handler gets to work with.
type Shared = Arc<Holdall>;

/// Where a server listens, once it does.
pub type Listening = Arc<OnceLock<Vec<types::Listens>>>;

/// The JSON API over one system.
#[derive(Clone, Debug)]
pub struct ApiDoor {
    holdall: Shared,
    routes: Router,
}

/// The account the operator acts for: in its own name it reaches no file.
pub const ON_BEHALF: HeaderName = HeaderName::from_static("holdall-on-behalf");

impl ApiDoor {
    /// The door to this system, in no server.
    #[must_use]
    pub fn new(holdall: Arc<Holdall>) -> Self {
        Self::in_server(holdall, Arc::default())
    }

    /// The door to this system in a server, which fills in where it listens once it does.
    #[must_use]
    pub fn in_server(holdall: Arc<Holdall>, listening: Listening) -> Self {
        let routes = route::router(table(listening))
            .fallback(nothing)
            .method_not_allowed_fallback(not_allowed)
            .with_state(Arc::clone(&holdall));
        Self { holdall, routes }
    }

    /// Answers one request.
    pub async fn handle(&self, request: Request<Body>, context: RequestContext) -> Response<Body> {
        if context.peer != Peer::Socket {
            return problem(StatusCode::NOT_IMPLEMENTED, "not_built", "the API is not there yet");
        }
        let caller = match self.caller(request.headers()).await {
            Ok(caller) => caller,
            Err(error) => {
                context.note_caller(&Caller::Operator);
                return refusal(error);
            }
        };
        context.note_caller(&caller);
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(caller);
        let answer = match self.routes.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(impossible) => match impossible {},
        };
        answer.map(|body| body.map_err(std::io::Error::other).boxed_unsync())
    }

    /// The operator, or whom it acts for.
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Error> {
        let Some(whose) = headers.get(ON_BEHALF) else { return Ok(Caller::Operator) };
        let whose = extract::account(&String::from_utf8_lossy(whose.as_bytes()))?;
        self.holdall.on_behalf(&Caller::Operator, &whose).await
    }
}

/// Everything this door answers.
fn table(listening: Listening) -> Vec<Route> {
    let version = move || {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let listens = listening.get().cloned().unwrap_or_default();
        std::future::ready(axum::Json(types::Version { version, listens }))
    };
    let mut table = vec![Route::get("/api/v1/version", version)];
    table.extend(accounts::routes());
    table.extend(credentials::routes());
    table.extend(buckets::routes());
    table.extend(check::routes());
    table.extend(collection::routes());
    table.extend(files::routes());
    table.extend(scrub::routes());
    table.extend(recovery::routes());
    table.extend(backup::routes());
    table
}

/// Every method and address of this door. Who may use each, `tests/it/matrix` holds against this
/// list.
#[must_use]
pub fn routes() -> Vec<(&'static str, &'static str)> {
    table(Listening::default()).into_iter().map(|route| (route.method, route.path)).collect()
}

/// What this door answers for an error, whatever was asked. `tests/it/errors.txt` is the table.
#[must_use]
pub fn refusal(error: Error) -> Response<Body> {
    let answer = error::Problem::from(error).into_response();
    answer.map(|body| body.map_err(std::io::Error::other).boxed_unsync())
}

async fn nothing() -> error::Problem {
    error::Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
}

async fn not_allowed() -> error::Problem {
    error::Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this address has other methods",
    )
}
