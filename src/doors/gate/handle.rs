//! The way of one request through the gate: id, door, answer, log. Knows doors as functions.

use std::{fmt, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures::FutureExt;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use super::{
    answer::{Answer, Entry},
    body::{self, Body},
    context::{Peer, RequestContext},
    cors::Origins,
    door::Doors,
    head,
    id::RequestId,
    limits::Limits,
    listen::Serves,
    metrics::{DoorName, Metrics},
    own,
    pace::Paced,
    page,
    problem::problem,
    pulse::{Active, Pulse},
    room,
    route::{self, Hosts, Route},
    target,
};
use crate::{
    domain::{Error, Holdall, Readiness, caller::Caller},
    model::time::Timestamp,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// For an answer to a client that waited to be asked for a body that it then had none of. aws-cli up to
/// 1.46 takes the next request of such a connection for answered, and waits for its body until the
/// connection is closed.
const CLOSE: HeaderValue = HeaderValue::from_static("close");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// What the gate is made of.
pub struct Setup {
    /// The doors behind it.
    pub doors: Doors,
    /// Asked for credentials and readiness, by the gate itself only for `/-/…`.
    pub holdall: Arc<Holdall>,
    /// Host names that mean S3.
    pub hosts: Hosts,
    /// Where pages may use WebDAV and the API from.
    pub origins: Origins,
    /// Whether anybody may read `/-/metrics`.
    pub public_metrics: bool,
    /// What a connection may take.
    pub limits: Limits,
    /// The clock.
    pub now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// Randomness for request ids.
    pub random: Box<dyn Fn() -> [u8; 16] + Send + Sync>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("doors", &self.doors)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The gate, shared by all connections.
#[derive(Debug)]
pub(crate) struct Gate {
    setup: Setup,
    pub(crate) metrics: Arc<Metrics>,
    /// Running handlers.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the time to drain is over.
    pub(crate) abort: CancellationToken,
}

/// Where a request came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inlet {
    pub(crate) peer: Peer,
    pub(crate) tls: bool,
    pub(crate) serves: Serves,
}

impl Gate {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { setup, metrics: Arc::default(), tasks: TaskTracker::new(), abort: CancellationToken::new() }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.setup.limits
    }

    pub(crate) fn holdall(&self) -> &Holdall {
        &self.setup.holdall
    }

    pub(crate) fn ready(&self) -> Readiness {
        self.setup.holdall.ready()
    }

    pub(crate) fn public_metrics(&self) -> bool {
        self.setup.public_metrics
    }

    pub(crate) fn metrics_text(&self, caller: &Caller) -> Result<String, Error> {
        let (connections, holdall) = (self.setup.limits.connections, &self.setup.holdall);
        let (aside, memory) = (holdall.work_set_aside(caller)?, holdall.memory_use(caller)?);
        let counts = (aside, holdall.verb_panics(caller)?);
        let mut text = self.metrics.text(connections, counts, memory);
        text.push_str(&room::text(&holdall.collection_state(), &holdall.backing_up()));
        text.push_str(&room::condition(&holdall.condition(caller)?));
        text.push_str(&room::scrub_text(&holdall.scrub_state()));
        Ok(text)
    }

    /// Answers a request. The handler runs in a task of its own: a client that goes away breaks
    /// its body off and loses the answer, but no verb stops half-way.
    pub(crate) async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        inlet: Inlet,
        pulse: Pulse,
    ) -> Response<Answer> {
        let active = pulse.begin();
        let started = Instant::now();
        let id = RequestId::from_random((self.setup.random)());
        let context = RequestContext::new(id, inlet.peer, inlet.tls, (self.setup.now)());
        let expects = request.headers().contains_key(header::EXPECT);
        let unasked = expects && request.body().is_end_stream() && !pulse.is_h2();
        let request = request.map(|body| {
            if body.is_end_stream() { body::empty() } else { Paced::new(body, pulse, expects).boxed_unsync() }
        });
        let gate = Arc::clone(&self);
        let answered =
            self.tasks.spawn(async move { gate.run(request, context, inlet, (started, active)).await });
        match answered.await {
            Ok(mut response) => {
                if unasked {
                    response.headers_mut().insert(header::CONNECTION, CLOSE);
                }
                response
            }
            // The task catches panics itself and is never aborted: the runtime is going down.
            Err(_) => std::future::pending().await,
        }
    }

    async fn run(
        &self,
        request: Request<Body>,
        mut context: RequestContext,
        inlet: Inlet,
        (started, active): (Instant, Active),
    ) -> Response<Answer> {
        let (mut parts, body) = request.into_parts();
        let route = self.route(&mut parts, inlet);
        if let Route::S3 { host_bucket } = &route {
            context.host_bucket.clone_from(host_bucket);
        }
        let mut entry = Entry {
            metrics: Arc::clone(&self.metrics),
            context: context.clone(),
            door: door_name(&route),
            method: printable(parts.method.as_str()),
            target: target::shown(&parts.uri),
            started,
            status: 0,
            bytes: 0,
            whole: false,
        };
        let head_only = parts.method == Method::HEAD;
        let mut response = self.guarded(route, Request::from_parts(parts, body), context).await;
        let id = HeaderValue::from_str(entry.context.id.as_str());
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, id.unwrap_or(HeaderValue::from_static("-")));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        if head_only {
            response = head::without_body(response);
        }
        entry.status = response.status().as_u16();
        let declared = response.headers().get(header::CONTENT_LENGTH);
        let declared = declared.and_then(|value| value.to_str().ok()?.parse().ok());
        response.map(|body| Answer::new(body, declared, entry, active))
    }

    /// The door, with the request's head as that door expects it.
    fn route(&self, parts: &mut Parts, inlet: Inlet) -> Route {
        if let Err(why) = head::settle_host(parts) {
            return Route::BadHost(why);
        }
        let route = inlet.serves.narrow(route::route(parts, &self.setup.hosts));
        if route == Route::Dav {
            head::spell_out_prefix(parts);
        }
        route
    }

    /// Runs the handler; a panic in it is an answer of this request and nothing else.
    async fn guarded(&self, route: Route, request: Request<Body>, context: RequestContext) -> Response<Body> {
        let id = context.id;
        let span = tracing::error_span!("request", %id);
        let handler =
            AssertUnwindSafe(self.dispatch(route, request, context).instrument(span)).catch_unwind();
        tokio::select! {
            biased;
            () = self.abort.cancelled() => {
                problem(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server is stopping")
            }
            answered = handler => answered.unwrap_or_else(|panic| {
                self.metrics.panicked();
                let text = panic.downcast_ref::<&str>().copied();
                let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                tracing::error!(id = %id, panic = text.unwrap_or("no text"), "a handler panicked");
                problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "internal error")
            }),
        }
    }

    async fn dispatch(
        &self,
        route: Route,
        request: Request<Body>,
        context: RequestContext,
    ) -> Response<Body> {
        let doors = &self.setup.doors;
        match route {
            Route::Own(rest) => {
                context.note_caller(&Caller::Anonymous);
                own::answer(self, &rest, &request.into_parts().0, &context).await
            }
            Route::S3 { .. } => doors.s3.handle(request, context).await,
            Route::Dav | Route::Api => {
                let origin = self.setup.origins.reader(request.headers());
                let door = if route == Route::Dav { &doors.dav } else { &doors.api };
                let mut response = door.handle(request, context).await;
                self.setup.origins.expose(origin, response.headers_mut());
                response
            }
            Route::StartPage => page::start_page(&request.into_parts().0, context.scheme()),
            Route::Preflight => self.setup.origins.preflight(request.headers()),
            Route::BadHost(why) => problem(StatusCode::BAD_REQUEST, "bad_host", why),
            Route::NotFound => problem(StatusCode::NOT_FOUND, "not_found", "there is nothing here"),
            Route::NotAllowed => head::not_allowed(),
        }
    }
}

fn door_name(route: &Route) -> DoorName {
    match route {
        Route::S3 { .. } => DoorName::S3,
        Route::Dav => DoorName::Dav,
        Route::Api => DoorName::Api,
        Route::StartPage => DoorName::Web,
        Route::Own(_) | Route::Preflight | Route::NotFound | Route::NotAllowed | Route::BadHost(_) => {
            DoorName::Own
        }
    }
}

fn printable(text: &str) -> String {
    let mut shown = String::new();
    target::escape(&mut shown, text);
    shown
}
