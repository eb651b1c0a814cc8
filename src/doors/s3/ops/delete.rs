//! Removal of one object, or of many in one request.
//!
//! Keys with control characters come back as character references, as AWS writes them. XML 1.0 has
//! no such references and `encoding-type` does not exist here, so parsers that follow it (expat,
//! and with it boto3) refuse the answer to a batch that names such a key; `Quiet` leaves it out.

use futures::{StreamExt, stream};
use s3s::{S3Request, dto::*};

use super::{
    super::{code::Code, error::Refusal, request::Parsed},
    Answer, Ops, answer, shown,
};
use crate::{
    domain::{
        Error as DomainError,
        error::What,
        nouns::{RemoveOptions, Removed, VersionRef},
    },
    model::{
        address::{Address, ObjectKey as Key},
        condition::{Conditions, EtagList},
        limits::DELETE_BATCH,
    },
};

/// How many removals of one request are under way at once: enough to share commits.
const AT_ONCE: usize = 64;

async fn remove(
    ops: &Ops,
    parsed: &Parsed,
    at: &Address,
    version: Option<VersionRef>,
    conditions: Conditions,
) -> Result<Removed, Refusal> {
    let options = RemoveOptions { version, conditions, tokens: Vec::new() };
    match ops.holdall.remove(&parsed.caller, at, options).await {
        // To S3 a version that is not there is gone.
        Err(DomainError::NotFound(What::Version, _)) => Ok(Removed { version, ..Removed::default() }),
        outcome => Ok(outcome?),
    }
}

pub(super) async fn one(ops: &Ops, request: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let version = parsed.version(request.input.version_id.as_deref())?;
    let removed = remove(ops, &parsed, &parsed.address()?, version, parsed.taken.conditions.clone()).await?;
    answer(DeleteObjectOutput {
        delete_marker: removed.marker.then_some(true),
        version_id: removed.version.map(shown::version_ref),
        ..Default::default()
    })
}

pub(super) async fn many(ops: &Ops, request: S3Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let Delete { objects, quiet } = request.input.delete;
    if objects.is_empty() || objects.len() > DELETE_BATCH {
        return Err(Refusal::new(Code::MalformedXML).into());
    }
    if objects.iter().any(|object| object.last_modified_time.is_some() || object.size.is_some()) {
        let said = "Conditions on LastModifiedTime and Size are not implemented.";
        return Err(Refusal::say(Code::NotImplemented, said).into());
    }
    // One answer for a bucket that is missing, not one per key. Whether a key may go is asked for
    // each: one folder may be somebody's who may not know the rest.
    let bucket = ops.holdall.stat(&parsed.caller, &parsed.whole_bucket()?, None).await;
    if let Err(missing @ DomainError::NotFound(..)) = bucket {
        return Err(missing.into());
    }
    let each = objects.into_iter().map(|object| item(ops, &parsed, object));
    let outcomes: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(done) => deleted.push(done),
            Err(error) => errors.push(error),
        }
    }
    let deleted = if quiet.unwrap_or(false) { Vec::new() } else { deleted };
    answer(DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), request_charged: None })
}

async fn item(ops: &Ops, parsed: &Parsed, object: ObjectIdentifier) -> Result<DeletedObject, Error> {
    let named = object.version_id.clone().filter(|version| !version.is_empty());
    match try_item(ops, parsed, &object).await {
        Ok(removed) => {
            let marker = removed.version.filter(|_| removed.marker).map(shown::version_ref);
            Ok(DeletedObject {
                delete_marker: removed.marker.then_some(true),
                delete_marker_version_id: marker,
                key: Some(object.key),
                version_id: named,
            })
        }
        Err(refusal) => Err(Error {
            code: Some(refusal.code.as_str().to_owned()),
            key: Some(object.key),
            message: Some(refusal.message.into_owned()),
            version_id: named,
        }),
    }
}

async fn try_item(ops: &Ops, parsed: &Parsed, object: &ObjectIdentifier) -> Result<Removed, Refusal> {
    let bucket = parsed.target.bucket.clone().ok_or_else(|| Refusal::internal("no bucket was parsed"))?;
    let at = Address::key(bucket, Key::parse(&object.key)?);
    let version = object.version_id.as_deref().filter(|text| !text.is_empty());
    let version = version.map(super::super::target::version_ref).transpose()?;
    let conditions = Conditions {
        if_match: object.e_tag.as_ref().map(|etag| EtagList::parse(etag.value())),
        ..Conditions::default()
    };
    remove(ops, parsed, &at, version, conditions).await
}
