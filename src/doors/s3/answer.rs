//! Answers as they leave: errors in one form with the request's id, no body where HTTP allows
//! none, and user bytes marked so that no browser runs them.

use std::io;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt;
use s3s::dto::StreamingBlob;

use super::{allow::Op, code::Code, error::Refusal, xml};
use crate::{
    domain::Error,
    doors::gate::{Body, RequestId, body},
};

/// Left in an answer's extensions by an operation: the status to send instead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StatusOverride(pub(crate) StatusCode);

/// What an answer needs to know of its request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The method was HEAD.
    pub(crate) head: bool,
    /// The path, for error documents.
    pub(crate) resource: String,
    /// The request's id.
    pub(crate) id: RequestId,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const POLICY: HeaderValue = HeaderValue::from_static("sandbox");
const XML: HeaderValue = HeaderValue::from_static("application/xml");

/// A stream of content as the operations' library takes it.
pub(crate) fn blob(content: impl Stream<Item = Result<Bytes, Error>> + Send + 'static) -> StreamingBlob {
    // An error in the middle breaks the connection; the client has its headers already.
    let content = content.map(|piece| piece.map_err(io::Error::other));
    StreamingBlob::from(s3s::Body::http_body_unsync(body::from_stream(content)))
}

/// The answer to a request that is refused.
pub(crate) fn refuse(asked: &Asked, refusal: Refusal) -> Response<Body> {
    if let Some(reason) = &refusal.reason {
        tracing::warn!(id = %asked.id, code = refusal.code.as_str(), reason, "an S3 request failed");
    }
    let extra: String =
        refusal.extra.iter().map(|(name, text)| format!("<{name}>{}</{name}>", xml::escape(text))).collect();
    let text = document(asked, refusal.code.as_str(), &xml::escape(&refusal.message), &extra);
    let mut response = Response::new(body::full(text));
    *response.status_mut() = refusal.status();
    response.headers_mut().extend(refusal.headers);
    response.headers_mut().insert(header::CONTENT_TYPE, XML);
    dressed(asked, response)
}

/// A document the layer answers with itself.
pub(crate) fn document_of(asked: &Asked, text: &str) -> Response<Body> {
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}");
    let mut response = Response::new(body::full(text));
    response.headers_mut().insert(header::CONTENT_TYPE, XML);
    dressed(asked, response)
}

/// What an operation answered, made ready to leave.
pub(crate) fn finish(asked: &Asked, op: Op, answered: Response<s3s::Body>) -> Response<Body> {
    let (mut parts, content) = answered.into_parts();
    if let Some(StatusOverride(status)) = parts.extensions.remove() {
        parts.status = status;
    }
    let failed = parts.status.is_client_error() || parts.status.is_server_error();
    let content = match content.bytes() {
        Some(bytes) if failed => {
            parts.headers.insert(header::CONTENT_TYPE, XML);
            parts.headers.remove(header::CONTENT_LENGTH);
            body::full(rewritten(asked, parts.status, &bytes))
        }
        // Documents only: content is not ours to change.
        Some(bytes) if op != Op::GetObject && !bytes.is_empty() => {
            parts.headers.remove(header::CONTENT_LENGTH);
            let bytes = if op == Op::GetObjectAttributes { bare_tag(&bytes) } else { bytes };
            body::full(xml::guarded(bytes))
        }
        Some(bytes) => body::full(bytes),
        None => content.map_err(io::Error::other).boxed_unsync(),
    };
    if op == Op::GetObject && !failed {
        parts.headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
        parts.headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    }
    dressed(asked, Response::from_parts(parts, content))
}

/// The one document of S3 that has a tag without its quotes, which the library writes.
fn bare_tag(bytes: &[u8]) -> Bytes {
    let text = String::from_utf8_lossy(bytes);
    Bytes::from(text.replace("<ETag>\"", "<ETag>").replace("\"</ETag>", "</ETag>"))
}

/// The library's error document in our form.
fn rewritten(asked: &Asked, status: StatusCode, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let fallback = if status.is_server_error() { Code::InternalError } else { Code::BadRequest };
    let code = xml::content(&text, "Code").unwrap_or(fallback.as_str());
    let usual = || Code::parse(code).unwrap_or(fallback).message();
    let message = xml::content(&text, "Message").map_or_else(|| xml::escape(usual()), clean);
    document(asked, code, &message, "")
}

/// Escaped text with control characters taken out.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn document(asked: &Asked, code: &str, message: &str, extra: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{extra}\
         <Resource>{}</Resource><RequestId>{}</RequestId></Error>",
        xml::escape(&asked.resource),
        asked.id
    )
}

fn dressed(asked: &Asked, mut response: Response<Body>) -> Response<Body> {
    let status = response.status();
    let bodiless = status == StatusCode::NOT_MODIFIED || status == StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(asked.id.as_str()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::SERVER, HeaderValue::from_static("Holdall"));
    if bodiless {
        headers.remove(header::CONTENT_TYPE);
        headers.remove(header::CONTENT_LENGTH);
    }
    if asked.head || bodiless {
        *response.body_mut() = body::empty();
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(head: bool) -> Asked {
        Asked { head, resource: "/b/<k>\u{1}".into(), id: RequestId::from_random([7; 16]) }
    }

    async fn text(response: Response<Body>) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    fn library_error(message: &str) -> Response<s3s::Body> {
        let text = format!("<?xml?><Error><Code>NoSuchKey</Code>{message}</Error>");
        let mut response = Response::new(s3s::Body::from(text));
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    }

    #[tokio::test]
    async fn every_error_names_resource_and_request() {
        let asked = asked(false);
        let refusal = Refusal::new(Code::AuthorizationHeaderMalformed).with("Region", "us-east-1");
        let response = refuse(&asked, refusal);
        assert_eq!(response.headers()[REQUEST_ID], asked.id.as_str());
        let own = text(response).await;
        assert!(own.contains("<Region>us-east-1</Region>"));
        assert!(own.contains(&format!("<RequestId>{}</RequestId>", asked.id)));
        assert!(own.contains("<Resource>/b/&lt;k&gt;\u{fffd}</Resource>"));
        let theirs = text(finish(&asked, Op::GetObject, library_error("<Message>a &amp; b</Message>"))).await;
        assert!(theirs.contains("<Message>a &amp; b</Message>") && theirs.contains("<RequestId>"));
        let silent = text(finish(&asked, Op::GetObject, library_error(""))).await;
        assert!(silent.contains("<Message>The specified key does not exist.</Message>"));
    }

    #[tokio::test]
    async fn head_and_304_have_no_body() {
        let response = finish(&asked(true), Op::HeadObject, library_error(""));
        assert_eq!(response.status(), 404);
        assert_eq!(text(response).await, "");
        let refusal = Refusal::new(Code::NotModified).header(header::ETAG, "\"e\"");
        let response = refuse(&asked(false), refusal);
        assert_eq!(
            (response.status().as_u16(), response.headers()[header::ETAG].as_bytes()),
            (304, &b"\"e\""[..])
        );
        assert!(response.headers().get(header::CONTENT_TYPE).is_none());
        assert_eq!(text(response).await, "");
    }

    #[tokio::test]
    async fn user_bytes_are_sandboxed_and_the_status_left_behind_is_sent() {
        let mut answered = Response::new(s3s::Body::from("bytes".to_owned()));
        answered.extensions_mut().insert(StatusOverride(StatusCode::PARTIAL_CONTENT));
        let response = finish(&asked(false), Op::GetObject, answered);
        assert_eq!(response.status(), 206);
        assert_eq!(response.headers()[header::CONTENT_SECURITY_POLICY], "sandbox");
        assert_eq!(text(response).await, "bytes");
    }
}
