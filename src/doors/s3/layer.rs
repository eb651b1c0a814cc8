//! The way of a request through the door: recognised first, then held against the lists, its body
//! read as declared, and only then handed to the operations.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header, request::Parts};
use s3s::{
    S3,
    service::{S3Service, S3ServiceBuilder},
};

use super::{
    allow::{self, Op, Route, headers as allowed},
    answer::{self, Asked},
    code::Code,
    document,
    error::Refusal,
    ops::Ops,
    owner,
    payload::{self, Kind, header_text},
    query::{Query, decode},
    request::{self, Parsed},
    sigv4::{self, Presentation, Seed, SigningKeys},
    target::Target,
};
use crate::{
    domain::{Error, Holdall, Presented, caller::Caller, error::Unrecognised},
    doors::gate::{Body, RequestContext},
    model::{limits::S3_XML_BYTES, secret::Secret},
};

/// What the door is configured with.
#[derive(Clone, Debug)]
pub struct S3Options {
    /// The region clients must sign for.
    pub region: String,
}

/// The S3 door.
pub struct S3Door {
    pub(super) holdall: Arc<Holdall>,
    region: String,
    keys: SigningKeys,
    service: S3Service,
}

impl fmt::Debug for S3Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Door").field("region", &self.region).finish_non_exhaustive()
    }
}

/// A request whose signature was looked at.
struct Recognised {
    caller: Caller,
    payload: Option<String>,
    seed: Option<Seed>,
}

/// A request on its way to an operation.
struct Admitted {
    parts: Parts,
    query: Query,
    target: Target,
    who: Recognised,
}

impl S3Door {
    /// A door to this system.
    #[must_use]
    pub fn new(holdall: Arc<Holdall>, options: S3Options) -> Self {
        let ops = Ops::new(Arc::clone(&holdall), options.region.clone());
        Self::with(holdall, options, ops)
    }

    pub(super) fn with(holdall: Arc<Holdall>, options: S3Options, ops: impl S3) -> Self {
        // Without set_auth, set_access and set_host: all three are this layer's.
        let service = S3ServiceBuilder::new(ops).build();
        Self { holdall, region: options.region, keys: SigningKeys::default(), service }
    }

    /// Answers one request; refusals are answers, too.
    pub async fn handle(&self, request: Request<Body>, context: RequestContext) -> Response<Body> {
        let resource = decode(request.uri().path()).unwrap_or_else(|_| request.uri().path().to_owned());
        let asked = Asked { head: request.method() == Method::HEAD, resource, id: context.id };
        match self.answer(request, &context, &asked).await {
            Ok(response) => response,
            Err(refusal) => answer::refuse(&asked, refusal),
        }
    }

    async fn answer(
        &self,
        request: Request<Body>,
        context: &RequestContext,
        asked: &Asked,
    ) -> Result<Response<Body>, Refusal> {
        let (parts, body) = request.into_parts();
        preflight(&parts)?;
        let mut query = Query::parse(parts.uri.query())?;
        let target = Target::parse(parts.uri.path(), context.host_bucket.as_deref())?;
        let who = self.recognise(&parts, &query, context).await?;
        context.note_caller(&who.caller);
        let mut parts = parts;
        hoist(&mut query, &mut parts.headers)?;
        let copies = parts.headers.contains_key("x-amz-copy-source");
        let route = allow::route(&parts.method, target.level(), &query, copies)?;
        let op = if let Route::Run(op) = route { Some(op) } else { None };
        allowed::check(&parts.headers, op)?;
        let overrides = query.iter().any(|(name, _)| name.starts_with("response-"));
        if overrides && who.caller == Caller::Anonymous {
            let said = "Request specific response headers cannot be used for anonymous GET requests.";
            return Err(Refusal::say(Code::InvalidRequest, said));
        }
        let admitted = Admitted { parts, query, target, who };
        match route {
            Route::Run(op) => self.run(op, admitted, body, asked).await,
            Route::OfBucket(stub) | Route::OfObject(stub) => {
                let Admitted { parts, query, target, who } = admitted;
                owner::check(&self.holdall, &who.caller, &parts.headers, (None, &target, None)).await?;
                let text = owner::stub(&self.holdall, &who.caller, &target, &query, stub).await?;
                Ok(answer::document_of(asked, &text))
            }
        }
    }

    /// Who asks. Nothing of the body has been read: a client that waits with it is told first.
    async fn recognise(
        &self,
        parts: &Parts,
        query: &Query,
        context: &RequestContext,
    ) -> Result<Recognised, Refusal> {
        let host = match header_text(&parts.headers, "host")? {
            Some(host) => Some(host),
            None => parts.uri.authority().map(http::uri::Authority::as_str),
        };
        let (method, path, headers) = (&parts.method, parts.uri.path(), &parts.headers);
        let head = sigv4::Head { method, path, query, headers, host };
        let claim = match sigv4::read(&head, &self.region, context.received)? {
            Presentation::Signed(claim) => claim,
            Presentation::Anonymous => {
                let payload = header_text(headers, "x-amz-content-sha256")?.map(str::to_owned);
                return Ok(Recognised { caller: Caller::Anonymous, payload, seed: None });
            }
        };
        let found: Mutex<Option<Seed>> = Mutex::new(None);
        let verify = |secret: &Secret| {
            let seed = claim.verify(&self.keys, secret);
            let good = seed.is_some();
            *found.lock().unwrap_or_else(PoisonError::into_inner) = seed;
            good
        };
        let presented = Presented::Signature { access_key: &claim.access_key, verify: &verify };
        let caller = self.holdall.authenticate(presented).await?;
        let seed = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Whatever the domain says, nobody is recognised whose signature was not found good here.
        if seed.is_none() || caller == Caller::Anonymous {
            return Err(Refusal::new(Code::SignatureDoesNotMatch));
        }
        Ok(Recognised { caller, payload: Some(claim.payload), seed })
    }

    async fn run(
        &self,
        op: Op,
        admitted: Admitted,
        body: Body,
        asked: &Asked,
    ) -> Result<Response<Body>, Refusal> {
        let Admitted { mut parts, query, target, who } = admitted;
        let Recognised { caller, payload, seed } = who;
        // Documents are gathered in memory: not for strangers, whom every verb would refuse anyway.
        if op.body() == Kind::Xml && caller == Caller::Anonymous {
            return Err(Error::Unauthenticated(Unrecognised::Missing).into());
        }
        let plan = payload::plan(&parts.headers, payload.as_deref(), seed, op.body())?;
        let taken = request::take(&mut parts.headers, op)?;
        let about = (Some(op), &target, taken.source.as_ref());
        owner::check(&self.holdall, &caller, &parts.headers, about).await?;
        let expected = plan.expected.clone();
        // Held until the answer is there: the operation works on what was made of the document.
        let mut share = None;
        let (content, declared, length) = match op.body() {
            Kind::None => {
                if op.refuses_body() {
                    document::refuse_any(&plan, body).await?;
                }
                (s3s::Body::empty(), payload::DeclaredSlot::default(), None)
            }
            Kind::Stream => {
                let (body, slot) = payload::open(plan, body);
                (s3s::Body::http_body_unsync(body), slot, expected.size)
            }
            Kind::Xml => {
                let most = u64::try_from(S3_XML_BYTES).unwrap_or(u64::MAX);
                let size = expected.size.unwrap_or(most).min(most);
                share = Some(self.holdall.memory_for_document(&caller, size).await?);
                let (bytes, slot) = document::collect(op, plan, body).await?;
                let length = u64::try_from(bytes.len()).ok();
                (s3s::Body::from(bytes), slot, length)
            }
        };
        let mut headers = parts.headers;
        strip(&mut headers, &taken, op, length);
        let parsed = Parsed { caller, target, taken, expected, declared };
        let mut request = Request::new(content);
        *request.method_mut() = parts.method;
        *request.uri_mut() = uri(&parsed.target, &query)?;
        *request.headers_mut() = headers;
        request.extensions_mut().insert(parsed);
        let answered = self.service.call(request).await;
        drop(share);
        match answered {
            Ok(response) => Ok(answer::finish(asked, op, response)),
            Err(error) => Err(Refusal::internal(format!("the operation failed: {error:?}"))),
        }
    }
}

/// What the door never does, told before anything else is looked at.
fn preflight(parts: &Parts) -> Result<(), Refusal> {
    if parts.method == Method::OPTIONS {
        return Err(if parts.headers.contains_key(header::ORIGIN) {
            Refusal::new(Code::AccessForbidden)
        } else {
            Refusal::say(Code::BadRequest, "Insufficient information. Origin request header needed.")
        });
    }
    let kind = parts.headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes().to_ascii_lowercase());
    let form = kind.is_some_and(|kind| kind.trim_ascii_start().starts_with(b"multipart/form-data"));
    if form && parts.method == Method::POST {
        return Err(Refusal::say(Code::MethodNotAllowed, "Uploads by form are not built."));
    }
    Ok(())
}

/// Takes the signature's parameters off the query and makes headers of the other `x-amz-*` ones:
/// a presigned URL carries there what its maker would have sent as headers.
fn hoist(query: &mut Query, headers: &mut HeaderMap) -> Result<(), Refusal> {
    if query.has("X-Amz-Security-Token") {
        return Err(Refusal::new(Code::InvalidToken));
    }
    query.take(|name| sigv4::QUERY.contains(&name));
    let amz = |name: &str| name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"));
    for (name, value) in query.take(amz) {
        let bad = || Refusal::say(Code::InvalidArgument, format!("The query parameter {name} is malformed."));
        let header = HeaderName::try_from(name.to_ascii_lowercase()).map_err(|_| bad())?;
        let value = HeaderValue::from_str(&value).map_err(|_| bad())?;
        if headers.insert(header, value).is_some() {
            return Err(Refusal::say(Code::InvalidArgument, format!("{name} is given twice.")));
        }
    }
    Ok(())
}

/// Takes off what is consumed and describes the body as the operation gets it.
fn strip(headers: &mut HeaderMap, taken: &request::Taken, op: Op, length: Option<u64>) {
    for name in [
        header::AUTHORIZATION,
        header::EXPECT,
        header::HOST,
        header::TRANSFER_ENCODING,
        header::CONTENT_LENGTH,
    ] {
        headers.remove(name);
    }
    for name in [
        "content-md5",
        "x-amz-content-sha256",
        "x-amz-copy-source",
        "x-amz-decoded-content-length",
        "x-amz-expected-bucket-owner",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-source-expected-bucket-owner",
        "x-amz-trailer",
    ] {
        headers.remove(name);
    }
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let source = taken.source.as_ref().and_then(|source| HeaderValue::try_from(source.encoded()).ok());
    if let Some(source) = source {
        headers.insert("x-amz-copy-source", source);
    }
    if op == Op::GetObjectAttributes {
        headers.insert("x-amz-object-attributes", HeaderValue::from_static("ETag"));
    }
}

fn uri(target: &Target, query: &Query) -> Result<Uri, Refusal> {
    let (path, query) = (target.path(), query.encoded());
    let text = if query.is_empty() { path } else { format!("{path}?{query}") };
    Uri::try_from(text).map_err(|_| Refusal::new(Code::InvalidURI))
}
