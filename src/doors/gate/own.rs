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
    domain::{Error, Fullness, Readiness, Unready, caller::Caller},
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
        "ready" => readiness(gate.ready()),
        _ => metrics(gate, request, context).await,
    }
}

/// The first word after the colon is for programs and does not change.
fn readiness(readiness: Readiness) -> Response<Body> {
    let full = |what| text(StatusCode::OK, format!("ready: {what}\n"));
    let not = |what: &str| text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {what}\n"));
    match readiness {
        Readiness::Ready => text(StatusCode::OK, "ready\n"),
        Readiness::Full(Fullness::Content) => full("disk-full-content, no new content is taken"),
        Readiness::Full(Fullness::Reserve) => {
            full("disk-full-reserve, no content is taken and the reserve is in use")
        }
        Readiness::Full(Fullness::Rows) => full("disk-full-rows, only deletes and collecting are done"),
        Readiness::No(Unready::Closing) => not("closing, it takes nothing more"),
        Readiness::No(Unready::Metadata) => {
            not("metadata-failed, only reads are served until it could be opened again")
        }
        Readiness::No(Unready::Segments) => {
            not("segments-failed, content cannot be written until the next start")
        }
        Readiness::Repairing(percent) => {
            not(&format!("metadata-repair, only reads are served and {percent} % are done"))
        }
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
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_ready_what_takes_no_writes_is_not_and_each_has_a_word_of_its_own() {
        let full = [Fullness::Content, Fullness::Reserve, Fullness::Rows].map(Readiness::Full);
        let not = [Unready::Closing, Unready::Metadata, Unready::Segments].map(Readiness::No);
        let mut words = Vec::new();
        for (states, status) in [(&full[..], 200), (&not, 503), (&[Readiness::Repairing(7)], 503)] {
            for state in states {
                let answer = readiness(*state);
                assert_eq!(answer.status(), status, "{state:?}");
                let body = answer.into_body().collect().await.unwrap().to_bytes();
                let text = String::from_utf8(body.to_vec()).unwrap();
                let (_, behind) = text.split_once(": ").unwrap();
                words.push(behind.split([',', ' ']).next().unwrap().to_owned());
            }
        }
        let full = ["disk-full-content", "disk-full-reserve", "disk-full-rows"];
        let not = ["closing", "metadata-failed", "segments-failed", "metadata-repair"];
        assert_eq!(words, [&full[..], &not].concat());
    }

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
