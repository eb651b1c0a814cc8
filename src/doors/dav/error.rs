//! Refusals: every kind of domain error as a status, an RFC condition element where one is
//! defined, and a sentence for people. The only place that gives errors a number here.

use std::{fmt::Write as _, io};

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::{
    path::escape,
    xml::write::{DECLARATION, escape_into},
};
use crate::{
    domain::{
        Error,
        error::{Refused, What},
    },
    doors::gate::body::{self, Body},
    model::{address::BadAddress, limits::RETRY_AFTER_SECONDS},
};

/// Methods that files and folders share; what a 405 for one of the others allows.
pub(super) const ALLOW_EXISTING: &str = "OPTIONS, GET, HEAD, DELETE, PROPFIND, PROPPATCH, COPY, MOVE";

/// The pre- and postcondition elements of RFC 4918 §16 and RFC 4331 §6 that are answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    /// The named resource is locked.
    LockTokenSubmitted {
        /// Its path.
        href: String,
    },
    /// Depth infinity is not offered.
    PropfindFiniteDepth,
    /// A quota is used up.
    QuotaNotExceeded,
    /// The disk is full.
    SufficientDiskSpace,
}

impl Condition {
    fn write(&self, out: &mut String) {
        match self {
            Self::LockTokenSubmitted { href } => {
                out.push_str("<D:lock-token-submitted><D:href>");
                escape_into(out, href);
                out.push_str("</D:href></D:lock-token-submitted>");
            }
            Self::PropfindFiniteDepth => out.push_str("<D:propfind-finite-depth/>"),
            Self::QuotaNotExceeded => out.push_str("<D:quota-not-exceeded/>"),
            Self::SufficientDiskSpace => out.push_str("<D:sufficient-disk-space/>"),
        }
    }
}

/// An answer that says no. Boxed: it is the rare half of every result here.
#[derive(Clone, Debug)]
pub(super) struct Refusal(Box<Answer>);

#[derive(Clone, Debug)]
struct Answer {
    status: StatusCode,
    condition: Option<Condition>,
    text: String,
    headers: HeaderMap,
    reason: Option<String>,
    /// What a verb on many could not do, by `href`: the answer is a multistatus (RFC 4918 §13).
    members: Vec<(String, Refusal)>,
}

impl Refusal {
    /// A refusal of this door's own.
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        let text = text.into();
        let (headers, members) = (HeaderMap::new(), Vec::new());
        Self(Box::new(Answer { status, condition: None, text, headers, reason: None, members }))
    }

    /// 400.
    pub(super) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// What a body that did not come to its end is answered: its time was up, or it broke off.
    pub(super) fn of_body(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "the body did not come within the time there is for it",
            ),
            _ => Self::bad_request("the body ended before it was complete"),
        }
    }

    /// 405 with what would be allowed.
    pub(super) fn not_allowed(allow: &'static str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "the method does not apply here").with_allow(allow)
    }

    /// The same refusal in other words.
    pub(super) fn with_text(mut self, text: &str) -> Self {
        text.clone_into(&mut self.0.text);
        self
    }

    /// The same refusal with a condition element.
    pub(super) fn with_condition(mut self, condition: Condition) -> Self {
        self.0.condition = Some(condition);
        self
    }

    /// The same refusal with another status.
    pub(super) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// The same refusal with what would be allowed.
    pub(super) fn with_allow(mut self, allow: &'static str) -> Self {
        self.0.headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        self
    }

    /// The refusal for an error that at this place has another status than elsewhere.
    pub(super) fn at(error: Error, status: Option<StatusCode>) -> Self {
        let refusal = Self::from(error);
        match status {
            Some(status) => refusal.with_status(status),
            None => refusal,
        }
    }

    /// Its status.
    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What the log gets beside the answer.
    pub(super) fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The answer. A 304 has no body.
    pub(super) fn into_response(self) -> Response<Body> {
        let answer = *self.0;
        let bare = answer.status == StatusCode::NOT_MODIFIED;
        let mut response = Response::new(if bare { body::empty() } else { body::full(answer.xml()) });
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        if !bare {
            let kind = HeaderValue::from_static("application/xml; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response
    }
}

impl Answer {
    fn xml(&self) -> String {
        if self.status == StatusCode::MULTI_STATUS {
            return self.multistatus();
        }
        let mut out = format!(r#"{DECLARATION}<D:error xmlns:D="DAV:">"#);
        if let Some(condition) = &self.condition {
            condition.write(&mut out);
        }
        out.push_str(r#"<H:message xmlns:H="urn:holdall">"#);
        escape_into(&mut out, &self.text);
        out.push_str("</H:message></D:error>\n");
        out
    }

    fn multistatus(&self) -> String {
        let mut out = format!(r#"{DECLARATION}<D:multistatus xmlns:D="DAV:">"#);
        for (href, refusal) in &self.members {
            out.push_str("<D:response><D:href>");
            escape_into(&mut out, href);
            let _ = write!(out, "</D:href><D:status>HTTP/1.1 {}</D:status>", refusal.0.status);
            if let Some(condition) = &refusal.0.condition {
                out.push_str("<D:error>");
                condition.write(&mut out);
                out.push_str("</D:error>");
            }
            write_described(&mut out, &refusal.0.text);
            out.push_str("</D:response>");
        }
        write_described(&mut out, &self.text);
        out.push_str("</D:multistatus>\n");
        out
    }
}

fn write_described(out: &mut String, text: &str) {
    out.push_str("<D:responsedescription>");
    escape_into(out, text);
    out.push_str("</D:responsedescription>");
}

#[deny(clippy::wildcard_enum_match_arm)]
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (status, condition) = verdict(&error);
        let mut refusal = Self::new(status, error.to_string());
        refusal.0.condition = condition;
        refusal.0.reason = error.reason().map(str::to_owned);
        if let Error::Partly { refused, .. } = &error {
            let member = |one: &Refused| (href_of(&one.name), Self::from((*one.why).clone()));
            refusal.0.members = refused.iter().map(member).collect();
        }
        let set = match &error {
            Error::Unauthenticated(_) => {
                Some((header::WWW_AUTHENTICATE, crate::doors::gate::authenticate::CHALLENGE))
            }
            Error::Exists(..) | Error::ExistsYours(_) => {
                Some((header::ALLOW, HeaderValue::from_static(ALLOW_EXISTING)))
            }
            Error::Busy(_) | Error::Unavailable { .. } => {
                Some((header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS)))
            }
            Error::BadRange { size } => {
                let value = HeaderValue::try_from(format!("bytes */{size}")).ok();
                value.map(|value| (header::CONTENT_RANGE, value))
            }
            Error::NotModified { etag, .. } => {
                HeaderValue::try_from(etag.quoted()).ok().map(|value| (header::ETAG, value))
            }
            Error::NotFound(..)
            | Error::DeleteMarker { .. }
            | Error::NotEmpty(_)
            | Error::Denied(_)
            | Error::PreconditionFailed(_)
            | Error::Conflict(_)
            | Error::Partly { .. }
            | Error::Locked(_)
            | Error::TooLarge { .. }
            | Error::TooMany { .. }
            | Error::OverQuota { .. }
            | Error::DiskFull
            | Error::BadName { .. }
            | Error::BadAddress(_)
            | Error::Invalid(_)
            | Error::BadPart(..)
            | Error::BadSumType(_)
            | Error::Incomplete { .. }
            | Error::ChecksumDiffers(_)
            | Error::Unsupported(_)
            | Error::Damaged { .. }
            | Error::Internal { .. } => None,
        };
        if let Some((name, value)) = set {
            refusal.0.headers.insert(name, value);
        }
        refusal
    }
}

/// The table: every kind of domain error, and no others.
fn verdict(error: &Error) -> (StatusCode, Option<Condition>) {
    (status_of(error), condition_of(error))
}

#[deny(clippy::wildcard_enum_match_arm)]
fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::NotFound(What::Parent, _) => StatusCode::CONFLICT,
        Error::NotFound(
            What::Account
            | What::Email
            | What::Credential
            | What::Bucket
            | What::File
            | What::Item
            | What::Version
            | What::Upload
            | What::Lock,
            _,
        )
        | Error::DeleteMarker { .. } => StatusCode::NOT_FOUND,
        Error::Exists(..) | Error::ExistsYours(_) => StatusCode::METHOD_NOT_ALLOWED,
        Error::NotEmpty(_) | Error::Conflict(_) => StatusCode::CONFLICT,
        Error::Denied(_) | Error::BadName { .. } => StatusCode::FORBIDDEN,
        Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        Error::PreconditionFailed(_) => StatusCode::PRECONDITION_FAILED,
        Error::NotModified { .. } => StatusCode::NOT_MODIFIED,
        Error::Partly { .. } => StatusCode::MULTI_STATUS,
        Error::Locked(_) => StatusCode::LOCKED,
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::TooMany { .. } | Error::OverQuota { .. } | Error::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        Error::BadAddress(BadAddress::TooLong) => StatusCode::URI_TOO_LONG,
        Error::BadAddress(BadAddress::Empty | BadAddress::Segment)
        | Error::Invalid(_)
        | Error::BadPart(..)
        | Error::BadSumType(_)
        | Error::Incomplete { .. }
        | Error::ChecksumDiffers(_) => StatusCode::BAD_REQUEST,
        Error::BadRange { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
        Error::Unsupported(_) => StatusCode::NOT_IMPLEMENTED,
        Error::Busy(_) | Error::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Error::Damaged { .. } | Error::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The element, where an RFC has one for the kind.
#[deny(clippy::wildcard_enum_match_arm)]
fn condition_of(error: &Error) -> Option<Condition> {
    match error {
        Error::Locked(name) => Some(Condition::LockTokenSubmitted { href: href_of(name) }),
        Error::OverQuota { .. } => Some(Condition::QuotaNotExceeded),
        Error::DiskFull => Some(Condition::SufficientDiskSpace),
        Error::NotFound(..)
        | Error::DeleteMarker { .. }
        | Error::Exists(..)
        | Error::ExistsYours(_)
        | Error::NotEmpty(_)
        | Error::Denied(_)
        | Error::Unauthenticated(_)
        | Error::PreconditionFailed(_)
        | Error::NotModified { .. }
        | Error::Conflict(_)
        | Error::Partly { .. }
        | Error::TooLarge { .. }
        | Error::TooMany { .. }
        | Error::BadName { .. }
        | Error::BadAddress(_)
        | Error::Invalid(_)
        | Error::BadRange { .. }
        | Error::BadPart(..)
        | Error::BadSumType(_)
        | Error::Incomplete { .. }
        | Error::ChecksumDiffers(_)
        | Error::Unsupported(_)
        | Error::Busy(_)
        | Error::Unavailable { .. }
        | Error::Damaged { .. }
        | Error::Internal { .. } => None,
    }
}

/// The `href` of something the domain names as `bucket/path`.
fn href_of(name: &str) -> String {
    let segments: Vec<String> = name.split('/').map(escape).collect();
    format!("/dav/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::{
        domain::error::{BadPart, Large, Many, Sum, Unrecognised},
        model::{etag::Etag, name::BadName, time::Timestamp},
    };

    fn partly() -> Error {
        let refused = |name: &str, why| Refused { name: name.to_owned(), why: Box::new(why) };
        let locked = refused("photos/d/a b", Error::Locked("photos/d".into()));
        let full = refused("photos/d/", Error::OverQuota { owner: "ann".into() });
        Error::Partly { refused: vec![locked, full], more: 3 }
    }

    #[tokio::test]
    async fn what_a_folder_verb_could_not_do_is_a_multistatus() {
        let response = Refusal::from(partly()).into_response();
        assert_eq!(response.status(), StatusCode::MULTI_STATUS);
        let text = response.into_body().collect().await.unwrap().to_bytes();
        let expected = "<D:multistatus xmlns:D=\"DAV:\">\
            <D:response><D:href>/dav/photos/d/a%20b</D:href><D:status>HTTP/1.1 423 Locked</D:status>\
            <D:error><D:lock-token-submitted><D:href>/dav/photos/d</D:href></D:lock-token-submitted></D:error>\
            <D:responsedescription>photos/d is locked</D:responsedescription></D:response>\
            <D:response><D:href>/dav/photos/d/</D:href>\
            <D:status>HTTP/1.1 507 Insufficient Storage</D:status>\
            <D:error><D:quota-not-exceeded/></D:error>\
            <D:responsedescription>the quota of ann is used up</D:responsedescription></D:response>\
            <D:responsedescription>5 of the files could not be done</D:responsedescription>\
            </D:multistatus>\n";
        assert_eq!(String::from_utf8_lossy(&text), format!("{DECLARATION}{expected}"));
    }

    fn every_kind() -> Vec<Error> {
        let name = || "photos/a".to_owned();
        vec![
            Error::NotFound(What::Item, name()),
            Error::NotFound(What::Parent, name()),
            Error::DeleteMarker { name: name(), version: "1".into(), at: Timestamp(0), current: true },
            Error::Exists(What::Item, name()),
            Error::ExistsYours(name()),
            Error::NotEmpty(name()),
            Error::Denied(name()),
            Error::Unauthenticated(Unrecognised::Wrong),
            Error::PreconditionFailed(name()),
            Error::NotModified { etag: Etag::from_text("e"), modified: Timestamp(0) },
            Error::Conflict(name()),
            partly(),
            Error::Locked(name()),
            Error::TooLarge { what: Large::File, limit: 1 },
            Error::TooMany { what: Many::Props, limit: 1 },
            Error::OverQuota { owner: "ann".into() },
            Error::DiskFull,
            Error::BadName { name: name(), why: BadName::Characters },
            Error::BadAddress(BadAddress::TooLong),
            Error::BadAddress(BadAddress::Segment),
            Error::Invalid(name()),
            Error::BadRange { size: 7 },
            Error::BadPart(BadPart::Order, 1),
            Error::Incomplete { declared: 2, got: 1 },
            Error::ChecksumDiffers(Sum::Md5),
            Error::Unsupported(name()),
            Error::Busy(name()),
            Error::Unavailable { reason: "secret".into() },
            Error::Damaged { name: name(), reason: "secret".into() },
            Error::Internal { reason: "secret".into() },
        ]
    }

    #[test]
    fn every_kind_of_error_has_its_status() {
        let expected = [
            404, 409, 404, 405, 405, 409, 403, 401, 412, 304, 409, 207, 423, 413, 507, 507, 507, 403, 414,
            400, 400, 416, 400, 400, 400, 501, 503, 503, 500, 500,
        ];
        let kinds = every_kind();
        assert_eq!(kinds.len(), expected.len());
        for (error, status) in kinds.into_iter().zip(expected) {
            let (is, condition) = verdict(&error);
            println!("{:3} {error} {condition:?}", is.as_u16());
            assert_eq!(is.as_u16(), status, "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_refusal_is_a_condition_and_a_sentence_and_no_secret() {
        for error in every_kind() {
            let refusal = Refusal::from(error);
            let text = refusal.clone().into_response().into_body().collect().await.unwrap().to_bytes();
            assert!(!String::from_utf8_lossy(&text).contains("secret"));
            assert_eq!(text.is_empty(), refusal.status() == StatusCode::NOT_MODIFIED);
        }
        let response = Refusal::from(Error::Locked("photos/a b<".into())).into_response();
        let text = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            String::from_utf8_lossy(&text),
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:error xmlns:D=\"DAV:\">\
             <D:lock-token-submitted><D:href>/dav/photos/a%20b%3C</D:href></D:lock-token-submitted>\
             <H:message xmlns:H=\"urn:holdall\">photos/a b&lt; is locked</H:message></D:error>\n"
        );
    }

    #[test]
    fn headers_go_with_the_statuses_that_need_them() {
        let header = |error: Error, name| Refusal::from(error).into_response().headers().contains_key(name);
        assert!(header(Error::Unauthenticated(Unrecognised::Missing), "www-authenticate"));
        assert!(header(Error::Exists(What::Item, String::new()), "allow"));
        assert!(header(Error::Busy(String::new()), "retry-after"));
        assert!(header(Error::BadRange { size: 3 }, "content-range"));
    }
}
