//! `/-/…`: the server about itself. Health says that it is there and nothing else; counts are for
//! the operator and for admins.

use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};

use super::{
    authenticate::{authenticate, unauthorized},
    body::Body,
    context::RequestContext,
    handle::Gate,
    problem::{problem, text},
};
use crate::domain::{Readiness, caller::Caller};

/// What there is below `/-/`.
pub const OWN: [&str; 3] = ["healthy", "ready", "metrics"];

/// Answers for `rest`, what follows `/-/`.
pub(crate) async fn answer(
    gate: &Gate,
    rest: &str,
    request: &Parts,
    context: &RequestContext,
) -> Response<Body> {
    if !OWN.contains(&rest) {
        return problem(StatusCode::NOT_FOUND, "not_found", "there is nothing here");
    }
    if request.method != Method::GET && request.method != Method::HEAD {
        let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "only GET and HEAD");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match rest {
        "healthy" => text(StatusCode::OK, "ok\n"),
        "ready" => match gate.ready() {
            Readiness::Ready => text(StatusCode::OK, "ready\n"),
            Readiness::Full => text(StatusCode::OK, "ready, and the disk is full: no new files are taken\n"),
            Readiness::No => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            Readiness::Repairing(percent) => text(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("not ready: the metadata is repaired, {percent} % are done\n"),
            ),
        },
        _ => metrics(gate, request, context).await,
    }
}

async fn metrics(gate: &Gate, request: &Parts, context: &RequestContext) -> Response<Body> {
    let caller = if gate.public_metrics() {
        Ok(Caller::Operator)
    } else {
        authenticate(gate.holdall(), &request.headers, context).await
    };
    match caller {
        Ok(Caller::Operator) => text(StatusCode::OK, gate.metrics_text()),
        Ok(Caller::Person(person)) if person.admin => text(StatusCode::OK, gate.metrics_text()),
        Ok(Caller::Person(_)) => problem(StatusCode::FORBIDDEN, "denied", "counts are for admins"),
        Ok(Caller::Anonymous) | Err(_) => unauthorized(),
    }
}
