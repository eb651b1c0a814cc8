//! Buckets: made, listed, looked at, removed.

use http::HeaderName;
use s3s::{S3Request, dto::*};

use super::{
    super::{code::Code, error::Refusal, request::Parsed},
    Answer, Ops, answer, page, shown,
};
use crate::{
    domain::{
        Error,
        caller::Caller,
        nouns::{BucketOptions, HistoryPolicy, ListBuckets},
    },
    model::{
        condition::Conditions,
        limits::{BUCKETS_PER_ACCOUNT, LIST_PAGE, S3_MAX_BUCKETS},
    },
};

/// The region where making one's own bucket again succeeds, and whose name is not written.
const CLASSIC: &str = "us-east-1";
const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");

pub(super) async fn list(ops: &Ops, request: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    let input = request.input;
    if input.max_buckets.is_some_and(|most| !(1..=S3_MAX_BUCKETS).contains(&most)) {
        let said = format!("Argument max-buckets must be an integer between 1 and {S3_MAX_BUCKETS}");
        return Err(Refusal::say(Code::InvalidArgument, said).into());
    }
    let most = input.max_buckets.and_then(|most| usize::try_from(most).ok()).unwrap_or(LIST_PAGE);
    let which = ListBuckets {
        prefix: input.prefix.clone().unwrap_or_default(),
        after: page::read_token(input.continuation_token.as_deref())?,
        limit: most.saturating_add(1).min(BUCKETS_PER_ACCOUNT),
    };
    let mut found = ops.holdall.list_buckets(&parsed.caller, which).await?;
    let more = found.len() > most;
    found.truncate(most);
    let token = found.last().filter(|_| more).map(|bucket| page::token(bucket.name.as_str()));
    let elsewhere = input.bucket_region.as_ref().is_some_and(|region| *region != ops.region);
    found.retain(|_| !elsewhere);
    let one = |bucket: crate::domain::nouns::Bucket| Bucket {
        bucket_region: Some(ops.region.clone()),
        creation_date: shown::time(bucket.created),
        name: Some(bucket.name.to_string()),
    };
    let owner = match &parsed.caller {
        Caller::Person(person) => {
            Some(shown::owner(ops.holdall.show_account(&parsed.caller, &person.name).await?.into()))
        }
        Caller::Anonymous | Caller::Operator => None,
    };
    answer(ListBucketsOutput {
        buckets: Some(found.into_iter().map(one).collect()),
        continuation_token: token,
        owner,
        prefix: input.prefix,
    })
}

pub(super) async fn create(ops: &Ops, request: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    if let Some(wanted) = &request.input.create_bucket_configuration {
        if wanted.bucket.is_some() || wanted.location.is_some() {
            return Err(Refusal::say(Code::NotImplemented, "Directory buckets are not implemented.").into());
        }
        let constraint = wanted.location_constraint.as_ref().map(BucketLocationConstraint::as_str);
        if constraint.is_some_and(|region| !region.is_empty() && region != ops.region) {
            return Err(Refusal::new(Code::InvalidLocationConstraint).into());
        }
    }
    let name = parsed.bucket()?;
    let options = BucketOptions { history: HistoryPolicy::FOR_PROGRAMS, ..BucketOptions::default() };
    match ops.holdall.create_bucket(&parsed.caller, name, options).await {
        Ok(_) => {}
        Err(Error::ExistsYours(_)) if ops.region == CLASSIC => {}
        Err(error) => return Err(error.into()),
    }
    answer(CreateBucketOutput { location: Some(format!("/{name}")) })
}

pub(super) async fn head(ops: &Ops, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    match ops.holdall.stat(&parsed.caller, &parsed.whole_bucket()?, None).await {
        Ok(_) => answer(HeadBucketOutput { bucket_region: Some(ops.region.clone()), ..Default::default() }),
        // Clients look for the region here whether they may see the bucket or not.
        Err(error @ Error::Denied(_)) => Err(Refusal::from(error).header(BUCKET_REGION, &ops.region).into()),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn delete(ops: &Ops, request: S3Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    ops.holdall.remove_bucket(&parsed.caller, parsed.bucket()?, Conditions::default()).await?;
    answer(DeleteBucketOutput {})
}

pub(super) async fn location(
    ops: &Ops,
    request: S3Request<GetBucketLocationInput>,
) -> Answer<GetBucketLocationOutput> {
    let parsed = Parsed::of(&request.extensions)?;
    ops.holdall.stat(&parsed.caller, &parsed.whole_bucket()?, None).await?;
    let named = Some(ops.region.clone()).filter(|region| region != CLASSIC);
    answer(GetBucketLocationOutput { location_constraint: named.map(BucketLocationConstraint::from) })
}
