//! Which operation a request means, decided from method, level and query against a list of what
//! is known. A sub-resource that is not known never reaches the plain operation: `DELETE /b?x`
//! must not delete the bucket.

pub(crate) mod headers;
#[cfg(test)]
mod tests;

use http::Method;

use super::{code::Code, error::Refusal, payload::Kind, query::Query};

/// What a path names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    /// `/`.
    Service,
    /// `/bucket`.
    Bucket,
    /// `/bucket/key`.
    Object,
}

macro_rules! operations {
    ($($name:ident,)*) => {
        /// An operation that is built.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub(crate) enum Op { $($name,)* }

        impl Op {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];
        }

        /// The names of all operations that are built.
        pub(crate) const OPERATIONS: &[&str] = &[$(stringify!($name),)*];
    };
}

operations! {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    GetBucketLocation,
    GetBucketVersioning,
    PutBucketVersioning,
    ListObjects,
    ListObjectsV2,
    ListObjectVersions,
    ListMultipartUploads,
    DeleteObjects,
    GetObject,
    HeadObject,
    PutObject,
    CopyObject,
    DeleteObject,
    GetObjectAttributes,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
}

impl Op {
    /// What kind of body it takes.
    pub(crate) fn body(self) -> Kind {
        match self {
            Self::PutObject | Self::UploadPart => Kind::Stream,
            Self::CreateBucket
            | Self::PutBucketVersioning
            | Self::DeleteObjects
            | Self::CompleteMultipartUpload => Kind::Xml,
            Self::ListBuckets
            | Self::HeadBucket
            | Self::DeleteBucket
            | Self::GetBucketLocation
            | Self::GetBucketVersioning
            | Self::ListObjects
            | Self::ListObjectsV2
            | Self::ListObjectVersions
            | Self::ListMultipartUploads
            | Self::GetObject
            | Self::HeadObject
            | Self::CopyObject
            | Self::DeleteObject
            | Self::GetObjectAttributes
            | Self::CreateMultipartUpload
            | Self::UploadPartCopy
            | Self::AbortMultipartUpload
            | Self::ListParts => Kind::None,
        }
    }

    /// Whether bytes become an object or a part of one by it.
    pub(crate) fn stores_content(self) -> bool {
        matches!(self, Self::PutObject | Self::CopyObject | Self::UploadPart | Self::UploadPartCopy)
    }

    /// Whether a body, which it does not take, is a mistake of the sender's. On a GET or DELETE a
    /// body means nothing to anybody.
    pub(crate) fn refuses_body(self) -> bool {
        matches!(self, Self::CopyObject | Self::UploadPartCopy | Self::CreateMultipartUpload)
    }
}

/// An answer the layer gives itself, for a bucket or object that exists and the caller may see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stub {
    /// Nothing is configured: AWS's own code for that.
    Missing(Code),
    /// Nothing is configured: the document AWS sends then.
    Document(&'static str),
    /// The owner has full control, nobody else anything.
    Acl,
}

/// What is to be done with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Route {
    /// Run an operation.
    Run(Op),
    /// Answer for the bucket.
    OfBucket(Stub),
    /// Answer for the object.
    OfObject(Stub),
}

const LISTING: &[&str] = &[
    "prefix",
    "delimiter",
    "marker",
    "max-keys",
    "encoding-type",
    "list-type",
    "continuation-token",
    "start-after",
    "fetch-owner",
];
const VERSIONS: &[&str] =
    &["versions", "prefix", "delimiter", "key-marker", "version-id-marker", "max-keys", "encoding-type"];
const UPLOADS: &[&str] =
    &["uploads", "prefix", "delimiter", "key-marker", "upload-id-marker", "max-uploads", "encoding-type"];
const BUCKETS: &[&str] = &["prefix", "max-buckets", "continuation-token", "bucket-region"];
const READ: &[&str] = &[
    "versionId",
    "partNumber",
    "response-content-type",
    "response-content-language",
    "response-expires",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
];

/// Finds the route.
pub(crate) fn route(method: &Method, level: Level, query: &Query, copies: bool) -> Result<Route, Refusal> {
    let (route, known): (Route, &[&str]) = match (level, method.as_str()) {
        (Level::Service, "GET") => (Route::Run(Op::ListBuckets), BUCKETS),
        (Level::Service, _) => return Err(Refusal::new(Code::MethodNotAllowed)),
        (Level::Bucket, "GET") => bucket_get(query)?,
        (Level::Bucket, "HEAD") => (Route::Run(Op::HeadBucket), &[]),
        (Level::Bucket, "PUT") if query.has("versioning") => {
            (Route::Run(Op::PutBucketVersioning), &["versioning"])
        }
        (Level::Bucket, "PUT") => (Route::Run(Op::CreateBucket), &[]),
        (Level::Bucket, "DELETE") => (Route::Run(Op::DeleteBucket), &[]),
        (Level::Bucket, "POST") if query.has("delete") => (Route::Run(Op::DeleteObjects), &["delete"]),
        (Level::Object, "GET") => object_get(query),
        (Level::Object, "HEAD") => (Route::Run(Op::HeadObject), READ),
        (Level::Object, "PUT") => object_put(query, copies)?,
        (Level::Object, "DELETE") if query.has("uploadId") => {
            (Route::Run(Op::AbortMultipartUpload), &["uploadId"])
        }
        (Level::Object, "DELETE") => (Route::Run(Op::DeleteObject), &["versionId"]),
        (Level::Object, "POST") if query.has("uploads") => {
            (Route::Run(Op::CreateMultipartUpload), &["uploads"])
        }
        (Level::Object, "POST") if query.has("uploadId") => {
            (Route::Run(Op::CompleteMultipartUpload), &["uploadId"])
        }
        (_, "POST") if query.iter().all(|(name, _)| name == "x-id") => {
            return Err(Refusal::new(Code::MethodNotAllowed));
        }
        (_, "POST") => return Err(unknown(query.iter().map(|(name, _)| name).next().unwrap_or_default())),
        _ => return Err(Refusal::new(Code::MethodNotAllowed)),
    };
    check(query, known)?;
    Ok(route)
}

fn unknown(name: &str) -> Refusal {
    Refusal::say(
        Code::NotImplemented,
        format!("The query parameter {name} is not implemented for this request."),
    )
}

/// Every key must be known for the operation, and occur once.
fn check(query: &Query, known: &[&str]) -> Result<(), Refusal> {
    for (name, value) in query.iter() {
        if name != "x-id" && !known.contains(&name) {
            return Err(unknown(name));
        }
        // Taken for none at all, it would mean the current version.
        if name == "versionId" && value.is_empty() {
            return Err(Refusal::say(Code::InvalidArgument, "Version id cannot be the empty string"));
        }
        if query.only(name).is_none() {
            return Err(Refusal::say(
                Code::InvalidArgument,
                format!("The query parameter {name} occurs twice."),
            ));
        }
    }
    Ok(())
}

fn bucket_get(query: &Query) -> Result<(Route, &'static [&'static str]), Refusal> {
    if let Some((name, stub)) = BUCKET_STUBS.iter().find(|(name, _)| query.has(name)) {
        return Ok((Route::OfBucket(*stub), std::slice::from_ref(name)));
    }
    let run = |op, known: &'static [&'static str]| Ok((Route::Run(op), known));
    if query.has("location") {
        return run(Op::GetBucketLocation, &["location"]);
    }
    if query.has("versioning") {
        return run(Op::GetBucketVersioning, &["versioning"]);
    }
    if query.has("versions") {
        return run(Op::ListObjectVersions, VERSIONS);
    }
    if query.has("uploads") {
        return run(Op::ListMultipartUploads, UPLOADS);
    }
    match query.only("list-type") {
        Some("2") => run(Op::ListObjectsV2, LISTING),
        None | Some("1") => run(Op::ListObjects, LISTING),
        Some(_) => Err(Refusal::say(Code::InvalidArgument, "Invalid List Type specified in Request")),
    }
}

fn object_get(query: &Query) -> (Route, &'static [&'static str]) {
    if let Some((known, stub)) = OBJECT_STUBS.iter().find(|([name, _], _)| query.has(name)) {
        return (Route::OfObject(*stub), known);
    }
    if query.has("attributes") {
        return (Route::Run(Op::GetObjectAttributes), &["attributes", "versionId"]);
    }
    if query.has("uploadId") {
        let known = &["uploadId", "max-parts", "part-number-marker", "encoding-type"];
        return (Route::Run(Op::ListParts), known);
    }
    (Route::Run(Op::GetObject), READ)
}

fn object_put(query: &Query, copies: bool) -> Result<(Route, &'static [&'static str]), Refusal> {
    match (query.has("uploadId"), query.has("partNumber")) {
        (true, true) => {
            let op = if copies { Op::UploadPartCopy } else { Op::UploadPart };
            Ok((Route::Run(op), &["uploadId", "partNumber"]))
        }
        (false, false) if query.has("versionId") => {
            Err(Refusal::say(Code::InvalidArgument, "This operation does not accept a version-id."))
        }
        (false, false) => Ok((Route::Run(if copies { Op::CopyObject } else { Op::PutObject }), &[])),
        _ => Err(Refusal::say(Code::InvalidArgument, "uploadId and partNumber belong together.")),
    }
}

const NO_TAGS: &str = "<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet/></Tagging>";

/// Sub-resources of an object that are answered "not configured", each with what may stand beside it.
static OBJECT_STUBS: [([&str; 2], Stub); 4] = [
    (["acl", "versionId"], Stub::Acl),
    (["tagging", "versionId"], Stub::Document(NO_TAGS)),
    (["retention", "versionId"], Stub::Missing(Code::NoSuchObjectLockConfiguration)),
    (["legal-hold", "versionId"], Stub::Missing(Code::NoSuchObjectLockConfiguration)),
];

/// Names of the sub-resources of buckets, then of objects, that are not configured.
pub(crate) fn unconfigured() -> (Vec<&'static str>, Vec<&'static str>) {
    let buckets = BUCKET_STUBS.iter().map(|(name, _)| *name).collect();
    (buckets, OBJECT_STUBS.iter().map(|([name, _], _)| *name).collect())
}

static BUCKET_STUBS: [(&str, Stub); 18] = [
    ("acl", Stub::Acl),
    (
        "accelerate",
        Stub::Document("<AccelerateConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>"),
    ),
    ("logging", Stub::Document("<BucketLoggingStatus xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>")),
    (
        "notification",
        Stub::Document("<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>"),
    ),
    (
        "requestPayment",
        Stub::Document(
            "<RequestPaymentConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
        ),
    ),
    ("policy", Stub::Missing(Code::NoSuchBucketPolicy)),
    ("policyStatus", Stub::Missing(Code::NoSuchBucketPolicy)),
    ("cors", Stub::Missing(Code::NoSuchCORSConfiguration)),
    ("lifecycle", Stub::Missing(Code::NoSuchLifecycleConfiguration)),
    ("encryption", Stub::Missing(Code::ServerSideEncryptionConfigurationNotFoundError)),
    ("tagging", Stub::Missing(Code::NoSuchTagSet)),
    ("object-lock", Stub::Missing(Code::ObjectLockConfigurationNotFoundError)),
    ("replication", Stub::Missing(Code::ReplicationConfigurationNotFoundError)),
    ("website", Stub::Missing(Code::NoSuchWebsiteConfiguration)),
    ("publicAccessBlock", Stub::Missing(Code::NoSuchPublicAccessBlockConfiguration)),
    ("ownershipControls", Stub::Missing(Code::OwnershipControlsNotFoundError)),
    ("metadataTable", Stub::Missing(Code::NoSuchConfiguration)),
    ("metadataConfiguration", Stub::Missing(Code::NoSuchConfiguration)),
];
