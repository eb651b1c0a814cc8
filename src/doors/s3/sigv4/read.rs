//! Finds the signature in a request and checks all that needs no secret: form, time, scope, and
//! that everything is signed that must be.

use http::{HeaderMap, Method, header};
use jiff::{civil::DateTime, tz::TimeZone};

use super::{ALGORITHM, Claim, Presentation, QUERY, Signing, canonical};
use crate::{
    doors::s3::{code::Code, error::Refusal, query::Query},
    model::{
        limits::{CLOCK_SKEW_SECONDS, PRESIGN_SECONDS},
        time::Timestamp,
    },
};

const SHA256: &str = "x-amz-content-sha256";
const DATE: &str = "x-amz-date";

/// The parts of a request that are signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// The method.
    pub(crate) method: &'a Method,
    /// The path as it came.
    pub(crate) path: &'a str,
    /// The query, decoded.
    pub(crate) query: &'a Query,
    /// All headers.
    pub(crate) headers: &'a HeaderMap,
    /// The host, from the header or, in HTTP/2, the authority.
    pub(crate) host: Option<&'a str>,
}

/// Reads what a request presents, and refuses what could not be right with any secret.
pub(crate) fn read(head: &Head<'_>, region: &str, now: Timestamp) -> Result<Presentation, Refusal> {
    let mut headers = head.headers.get_all(header::AUTHORIZATION).iter();
    let in_header = headers.next();
    let version2 = head.query.has("AWSAccessKeyId") || head.query.has("Signature");
    // The hash of the body may stand in the query of a request that is signed by header.
    let in_query = QUERY.iter().take(6).any(|name| head.query.has(name));
    if headers.next().is_some() || (in_header.is_some() && (in_query || version2)) {
        return Err(Refusal::say(
            Code::InvalidArgument,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query \
             string parameter or the Authorization header should be specified",
        ));
    }
    if version2 {
        return Err(unsupported_mechanism());
    }
    match in_header {
        Some(value) => {
            let text = value.to_str().map_err(|_| malformed("it is not text"))?;
            by_header(head, text, region, now).map(Presentation::Signed)
        }
        None if in_query => presigned(head, region, now).map(Presentation::Signed),
        None => Ok(Presentation::Anonymous),
    }
}

fn unsupported_mechanism() -> Refusal {
    Refusal::say(
        Code::InvalidRequest,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )
}

fn malformed(why: &str) -> Refusal {
    Refusal::say(Code::AuthorizationHeaderMalformed, format!("The authorization header is malformed; {why}."))
}

fn bad_query(why: &str) -> Refusal {
    Refusal::say(Code::AuthorizationQueryParametersError, why.to_owned())
}

fn by_header(head: &Head<'_>, text: &str, region: &str, now: Timestamp) -> Result<Claim, Refusal> {
    let (scheme, fields) = text.trim().split_once(' ').unwrap_or((text, ""));
    if scheme == "AWS" || (scheme.starts_with("AWS4-") && scheme != ALGORITHM) {
        return Err(unsupported_mechanism());
    }
    if scheme != ALGORITHM {
        return Err(Refusal::say(Code::InvalidArgument, "Unsupported Authorization Type"));
    }
    let field = |name: &str| {
        let found =
            fields.split(',').filter_map(|part| part.trim().split_once('=')).find(|(n, _)| *n == name);
        found.map(|(_, value)| value).ok_or_else(|| malformed(&format!("{name} is missing")))
    };
    let credential = Credential::parse(field("Credential")?).ok_or_else(|| {
        malformed(
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"",
        )
    })?;
    let (signed_headers, signature) = (field("SignedHeaders")?, field("Signature")?);
    let at = header_date(head.headers)?;
    if (now.seconds() - at.seconds()).abs() > CLOCK_SKEW_SECONDS {
        return Err(Refusal::new(Code::RequestTimeTooSkewed)
            .with("RequestTime", at.rfc3339_seconds())
            .with("ServerTime", now.rfc3339_seconds())
            .with("MaxAllowedSkewMilliseconds", (CLOCK_SKEW_SECONDS * 1000).to_string()));
    }
    let timestamp = basic(at);
    credential.check(region, &timestamp).map_err(|(why, region)| region.add_to(malformed(&why)))?;
    all_is_signed(head, signed_headers)?;
    let payload = head.headers.get(SHA256).and_then(|value| value.to_str().ok()).ok_or_else(|| {
        Refusal::say(Code::InvalidRequest, "Missing required header for this request: x-amz-content-sha256")
    })?;
    Ok(claim(head, credential, &timestamp, (signed_headers, signature, payload)))
}

fn presigned(head: &Head<'_>, region: &str, now: Timestamp) -> Result<Claim, Refusal> {
    let field =
        |name| head.query.only(name).ok_or_else(|| Refusal::new(Code::AuthorizationQueryParametersError));
    if field("X-Amz-Algorithm")? != ALGORITHM {
        return Err(bad_query(
            "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"",
        ));
    }
    let credential = Credential::parse(field("X-Amz-Credential")?).ok_or_else(|| {
        bad_query("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
    })?;
    let timestamp = field("X-Amz-Date")?;
    let at = parse_basic(timestamp)
        .ok_or_else(|| bad_query("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""))?;
    let (signed_headers, signature) = (field("X-Amz-SignedHeaders")?, field("X-Amz-Signature")?);
    in_time(at, lifetime(field("X-Amz-Expires")?)?, now)?;
    credential.check(region, timestamp).map_err(|(why, region)| {
        region.add_to(bad_query(&format!("Error parsing the X-Amz-Credential parameter; {why}")))
    })?;
    all_is_signed(head, signed_headers)?;
    let in_header = head.headers.get(SHA256).map(|value| value.to_str().unwrap_or_default());
    let payload = in_header.or(head.query.only("X-Amz-Content-Sha256")).unwrap_or("UNSIGNED-PAYLOAD");
    Ok(claim(head, credential, timestamp, (signed_headers, signature, payload)))
}

fn lifetime(text: &str) -> Result<i64, Refusal> {
    match text.parse::<i64>() {
        Ok(seconds) if seconds < 0 => Err(bad_query("X-Amz-Expires must be non-negative")),
        Ok(seconds) if seconds > PRESIGN_SECONDS => Err(bad_query(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        )),
        Ok(seconds) => Ok(seconds),
        Err(_) => Err(bad_query("X-Amz-Expires should be a number")),
    }
}

fn in_time(at: Timestamp, lifetime: i64, now: Timestamp) -> Result<(), Refusal> {
    if at.seconds() > now.seconds() + CLOCK_SKEW_SECONDS {
        return Err(Refusal::say(Code::AccessDenied, "Request is not yet valid"));
    }
    let end = at.seconds() + lifetime;
    if now.seconds() > end {
        return Err(Refusal::say(Code::AccessDenied, "Request has expired")
            .with("X-Amz-Expires", lifetime.to_string())
            .with("Expires", Timestamp(end * 1000).rfc3339_seconds())
            .with("ServerTime", now.rfc3339_seconds()));
    }
    Ok(())
}

fn claim(
    head: &Head<'_>,
    credential: Credential<'_>,
    timestamp: &str,
    (signed_headers, signature, payload): (&str, &str, &str),
) -> Claim {
    Claim {
        access_key: credential.access_key.to_owned(),
        payload: payload.to_owned(),
        signing: Signing { timestamp: timestamp.to_owned(), region: credential.region.to_owned() },
        signature: signature.to_owned(),
        requests: canonical::requests(head, signed_headers, payload),
    }
}

/// `access-key/date/region/service/aws4_request`.
#[derive(Clone, Copy)]
struct Credential<'a> {
    access_key: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
}

/// The region a refusal tells the client to use.
struct Expecting(Option<String>);

impl Expecting {
    fn add_to(self, refusal: Refusal) -> Refusal {
        match self.0 {
            Some(region) => refusal.with("Region", region),
            None => refusal,
        }
    }
}

impl<'a> Credential<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.rsplitn(5, '/');
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let (last, service, region, date, access_key) = (next()?, next()?, next()?, next()?, next()?);
        (last == "aws4_request").then_some(Self { access_key, date, region, service })
    }

    fn check(&self, region: &str, timestamp: &str) -> Result<(), (String, Expecting)> {
        let Self { service, date, .. } = self;
        if timestamp.get(..8) != Some(date) {
            let why = format!(
                "Invalid credential date \"{date}\". This date is not the same as X-Amz-Date: \"{timestamp}\""
            );
            return Err((why, Expecting(None)));
        }
        if self.region != region {
            let why = format!("the region '{}' is wrong; expecting '{region}'", self.region);
            return Err((why, Expecting(Some(region.to_owned()))));
        }
        if *service != "s3" {
            let why = format!("incorrect service \"{service}\". This endpoint belongs to \"s3\"");
            return Err((why, Expecting(None)));
        }
        Ok(())
    }
}

/// Host and every `x-amz-*` header must be signed, and every signed header must be there:
/// otherwise somebody could add to, or take from, what the signer meant.
fn all_is_signed(head: &Head<'_>, signed_headers: &str) -> Result<(), Refusal> {
    let signed: Vec<&str> = signed_headers.split(';').collect();
    let present = head.headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-"));
    let unsigned: Vec<&str> =
        std::iter::once("host").chain(present).filter(|name| !signed.contains(name)).collect();
    if !unsigned.is_empty() {
        let message = "There were headers present in the request which were not signed";
        return Err(Refusal::say(Code::AccessDenied, message).with("HeadersNotSigned", unsigned.join(", ")));
    }
    let there = |name: &str| head.headers.contains_key(name) || (name == "host" && head.host.is_some());
    match signed.iter().find(|name| !there(name)) {
        Some(_) => Err(Refusal::new(Code::SignatureDoesNotMatch)),
        None => Ok(()),
    }
}

fn header_date(headers: &HeaderMap) -> Result<Timestamp, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let found = match text(DATE) {
        Some(value) => parse_basic(value),
        None => {
            text("date").and_then(|value| parse_basic(value).or_else(|| Timestamp::parse_http_date(value)))
        }
    };
    found.ok_or_else(|| {
        Refusal::say(Code::AccessDenied, "AWS authentication requires a valid Date or x-amz-date header")
    })
}

const BASIC: &str = "%Y%m%dT%H%M%SZ";

fn parse_basic(text: &str) -> Option<Timestamp> {
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    if date.len() != 8 || time.len() != 6 || !all_digits(date) || !all_digits(time) {
        return None;
    }
    let civil = DateTime::strptime(BASIC, text).ok()?;
    Some(Timestamp(civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond()))
}

fn basic(at: Timestamp) -> String {
    at.rfc3339_seconds().replace(['-', ':'], "")
}
