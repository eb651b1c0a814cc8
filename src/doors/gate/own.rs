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
use crate::{
    domain::{Error, Readiness, caller::Caller},
    model::limits::RETRY_AFTER_SECONDS,
};

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
    match counts(gate, request, context).await {
        Ok(counts) => text(StatusCode::OK, counts),
        Err(error) => refused(&error),
    }
}

async fn counts(gate: &Gate, request: &Parts, context: &RequestContext) -> Result<String, Error> {
    let caller = if gate.public_metrics() {
        Caller::Operator
    } else {
        authenticate(gate.holdall(), &request.headers, context).await?
    };
    gate.metrics_text(&caller)
}

fn refused(error: &Error) -> Response<Body> {
    match error {
        Error::Unauthenticated(_) => unauthorized(),
        Error::Denied(_) => problem(StatusCode::FORBIDDEN, "denied", &error.to_string()),
        Error::Busy(_) | Error::Unavailable { .. } => {
            let mut response =
                problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again in a few seconds");
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into());
            response
        }
        // Nothing else is the request's fault.
        _ => {
            tracing::error!(%error, reason = error.reason(), "the counts cannot be told");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "see the server's log")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wrong_credentials_are_answered_as_such() {
        let reason = String::new;
        for (error, status) in [
            (Error::Unauthenticated(crate::domain::error::Unrecognised::Wrong), 401),
            (Error::Denied(reason()), 403),
            (Error::Busy(reason()), 503),
            (Error::Unavailable { reason: reason() }, 503),
            (Error::Internal { reason: reason() }, 500),
        ] {
            assert_eq!(refused(&error).status(), status, "{error}");
        }
    }
}
