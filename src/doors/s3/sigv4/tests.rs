//! The examples AWS prints in its documentation, and what must be refused.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::*;
use crate::{
    doors::s3::{code::Code, error::Refusal, query::Query},
    model::time::Timestamp,
};

/// 2013-05-24T00:00:00Z, the day of AWS's examples.
const DAY: Timestamp = Timestamp(1_369_353_600_000);
const REGION: &str = "us-east-1";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const HOST: &str = "examplebucket.s3.amazonaws.com";

struct Request {
    method: Method,
    path: String,
    query: String,
    headers: Vec<(&'static str, String)>,
}

impl Request {
    fn new(method: Method, path: &str, query: &str) -> Self {
        Self { method, path: path.into(), query: query.into(), headers: vec![("host", HOST.into())] }
    }

    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self.headers.push((name, value.into()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self
    }

    /// The example's date and body hash, and its signature over `signed`.
    fn signed(self, hash: &str, signed: &str, signature: &str) -> Self {
        let credential = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
        let value =
            format!("AWS4-HMAC-SHA256 Credential={credential},SignedHeaders={signed},Signature={signature}");
        self.header("x-amz-date", "20130524T000000Z")
            .header("x-amz-content-sha256", hash)
            .header("authorization", &value)
    }

    fn read_at(&self, now: Timestamp) -> Result<Presentation, Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let query = Query::parse(Some(&self.query))?;
        let host = self.headers.iter().find(|(name, _)| *name == "host").map(|(_, value)| value.as_str());
        let head = Head { method: &self.method, path: &self.path, query: &query, headers: &headers, host };
        read(&head, REGION, now)
    }

    fn verdict_at(&self, now: Timestamp) -> Result<(), Code> {
        match self.read_at(now).map_err(|refusal| refusal.code)? {
            Presentation::Anonymous => panic!("nothing was presented"),
            Presentation::Signed(claim) => {
                let seed = claim.verify(&SigningKeys::default(), &Secret::new(SECRET));
                seed.map(|_| ()).ok_or(Code::SignatureDoesNotMatch)
            }
        }
    }

    fn verdict(&self) -> Result<(), Code> {
        self.verdict_at(DAY)
    }
}

const SIGNED: &str = "host;range;x-amz-content-sha256;x-amz-date";

fn get_object() -> Request {
    Request::new(Method::GET, "/test.txt", "").header("range", "bytes=0-9").signed(
        EMPTY_SHA256,
        SIGNED,
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    )
}

fn presigned(lifetime: &str) -> Request {
    let query = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20130524T000000Z&X-Amz-Expires={lifetime}&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
    Request::new(Method::GET, "/test.txt", &query)
}

#[test]
fn the_documented_get_object_is_recognised() {
    assert_eq!(get_object().verdict(), Ok(()));
}

#[test]
fn the_documented_put_object_is_recognised() {
    let put = |path| {
        Request::new(Method::PUT, path, "")
            .header("date", "Fri, 24 May 2013 00:00:00 GMT")
            .header("x-amz-storage-class", "REDUCED_REDUNDANCY")
            .signed(
                "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
                "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            )
    };
    assert_eq!(put("/test%24file.text").verdict(), Ok(()));
    assert_eq!(put("/test$file.text").verdict(), Ok(()), "sent bare, signed encoded");
}

#[test]
fn the_documented_bucket_requests_are_recognised() {
    let signed = "host;x-amz-content-sha256;x-amz-date";
    let lifecycle = Request::new(Method::GET, "/", "lifecycle").signed(
        EMPTY_SHA256,
        signed,
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
    assert_eq!(lifecycle.verdict(), Ok(()));
    let list = Request::new(Method::GET, "/", "max-keys=2&prefix=J").signed(
        EMPTY_SHA256,
        signed,
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
    assert_eq!(list.verdict(), Ok(()));
}

#[test]
fn the_documented_presigned_url_is_recognised_until_it_expires() {
    assert_eq!(presigned("86400").verdict(), Ok(()));
    assert_eq!(presigned("86400").verdict_at(Timestamp(DAY.0 + 86_400_000)), Ok(()));
    assert_eq!(presigned("86400").verdict_at(Timestamp(DAY.0 + 86_401_000)), Err(Code::AccessDenied));
    assert_eq!(presigned("86400").verdict_at(Timestamp(DAY.0 - 901_000)), Err(Code::AccessDenied));
}

#[test]
fn a_presigned_url_lives_a_week_at_most_and_lacks_nothing() {
    let bad = Err(Code::AuthorizationQueryParametersError);
    for lifetime in ["604801", "-1", "x", ""] {
        assert_eq!(presigned(lifetime).verdict(), bad, "{lifetime:?}");
    }
    assert_eq!(presigned("604800").verdict(), Err(Code::SignatureDoesNotMatch), "in time, other text");
    let whole = presigned("86400").query;
    for missing in 0..6 {
        let parts = whole.split('&').enumerate().filter(|(index, _)| *index != missing);
        let query = parts.map(|(_, part)| part).collect::<Vec<_>>().join("&");
        assert_eq!(Request::new(Method::GET, "/test.txt", &query).verdict(), bad, "{query}");
    }
    let twice = format!("{whole}&X-Amz-Expires=1");
    assert_eq!(Request::new(Method::GET, "/test.txt", &twice).verdict(), bad);
}

#[test]
fn a_header_added_to_what_was_signed_is_refused() {
    let added = [
        "x-amz-copy-source",
        "x-amz-acl",
        "x-amz-tagging",
        "x-amz-meta-a",
        "x-amz-object-lock-mode",
        "x-amz-website-redirect-location",
        "x-amz-security-token",
    ];
    for name in added {
        assert_eq!(get_object().header(name, "x").verdict(), Err(Code::AccessDenied), "{name}");
        assert_eq!(presigned("86400").header(name, "x").verdict(), Err(Code::AccessDenied), "{name}");
    }
}

#[test]
fn an_unsigned_host_and_a_signed_header_that_is_absent_are_refused() {
    let unsigned = get_object().signed(EMPTY_SHA256, "range;x-amz-content-sha256;x-amz-date", "00");
    assert_eq!(unsigned.verdict(), Err(Code::AccessDenied));
    assert_eq!(get_object().without("range").verdict(), Err(Code::SignatureDoesNotMatch));
}

#[test]
fn anything_changed_breaks_the_signature() {
    let mismatch = Err(Code::SignatureDoesNotMatch);
    assert_eq!(get_object().header("range", "bytes=0-8").verdict(), mismatch);
    assert_eq!(get_object().header("host", "other").verdict(), mismatch);
    let mut request = get_object();
    request.path = "/test.txt/../test.txt".into();
    assert_eq!(request.verdict(), mismatch);
    request.path = "//test.txt".into();
    assert_eq!(request.verdict(), mismatch);
    let mut request = get_object();
    request.query = "x=1".into();
    assert_eq!(request.verdict(), mismatch);
    for signature in ["", "0", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb4"] {
        assert_eq!(get_object().signed(EMPTY_SHA256, SIGNED, signature).verdict(), mismatch);
    }
}

#[test]
fn a_request_sixteen_minutes_off_is_refused() {
    for seconds in [-960, -901, 901, 960] {
        let now = Timestamp(DAY.0 + seconds * 1000);
        assert_eq!(get_object().verdict_at(now), Err(Code::RequestTimeTooSkewed), "{seconds}");
    }
    assert_eq!(get_object().verdict_at(Timestamp(DAY.0 + 900_000)), Ok(()));
    let dateless = get_object().without("x-amz-date");
    assert_eq!(dateless.verdict(), Err(Code::AccessDenied));
    assert_eq!(get_object().header("x-amz-date", "20130524").verdict(), Err(Code::AccessDenied));
}

#[test]
fn scope_and_form_are_checked_with_the_codes_of_aws() {
    let with = |value: &str| get_object().header("authorization", value);
    let whole = |credential: &str| {
        with(&format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={SIGNED}, Signature=00"))
    };
    let malformed = Err(Code::AuthorizationHeaderMalformed);
    for credential in [
        "AK/20130524/eu-west-1/s3/aws4_request",
        "AK/20130524/us-east-1/sts/aws4_request",
        "AK/20130523/us-east-1/s3/aws4_request",
        "AK/20130524/us-east-1/s3/aws5_request",
        "/20130524/us-east-1/s3/aws4_request",
        "AK",
    ] {
        assert_eq!(whole(credential).verdict(), malformed, "{credential}");
    }
    let wrong_region = whole("AK/20130524/eu-west-1/s3/aws4_request").read_at(DAY).unwrap_err();
    assert_eq!(wrong_region.extra, [("Region", REGION.to_owned())]);
    assert_eq!(with("AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request").verdict(), malformed);
    assert_eq!(with("AWS4-HMAC-SHA256").verdict(), malformed);
    assert_eq!(with("Basic YTpi").verdict(), Err(Code::InvalidArgument));
    // The header the body's hash stands in is itself part of what is signed.
    let hashless = get_object().without("x-amz-content-sha256");
    assert!(hashless.verdict().is_err());
}

#[test]
fn version_2_and_two_mechanisms_at_once_are_refused() {
    let header = Request::new(Method::GET, "/k", "").header("authorization", "AWS AK:c2ln");
    assert_eq!(header.verdict(), Err(Code::InvalidRequest));
    let query = Request::new(Method::GET, "/k", "AWSAccessKeyId=AK&Expires=1&Signature=x");
    assert_eq!(query.verdict(), Err(Code::InvalidRequest));
    let mut both = get_object();
    both.query = presigned("86400").query;
    assert_eq!(both.verdict(), Err(Code::InvalidArgument));
}

#[test]
fn a_request_without_any_signature_is_anonymous() {
    let request = Request::new(Method::GET, "/k", "prefix=a");
    assert!(matches!(request.read_at(DAY), Ok(Presentation::Anonymous)));
}

proptest::proptest! {
    #[test]
    fn garbage_never_panics(value in "[ -~]{0,200}", query in "(X-Amz-[A-Za-z]{1,12}=[ -~]{0,20}&){0,8}") {
        let _ = Request::new(Method::GET, "/k", &query).read_at(DAY).is_ok();
        let _ = get_object().header("authorization", value.trim()).read_at(DAY).is_ok();
        let text = format!("AWS4-HMAC-SHA256 {value}");
        let _ = get_object().header("authorization", text.trim()).read_at(DAY).is_ok();
    }
}
