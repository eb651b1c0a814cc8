//! Questions about a bucket's owner that no operation asks: the owner a client expects, and what
//! the layer answers for sub-resources that are not configured.

use http::HeaderMap;

use super::{
    allow::{Op, Stub},
    code::Code,
    error::Refusal,
    payload::header_text,
    query::Query,
    target::{CopySource, Target, version_ref},
    xml,
};
use crate::{
    domain::{Holdall, caller::Caller, nouns::Account},
    model::{address::Address, name::BucketName},
};

async fn owner(holdall: &Holdall, caller: &Caller, bucket: &BucketName) -> Result<Account, Refusal> {
    let bucket = holdall.show_bucket(caller, bucket).await?;
    Ok(holdall.show_account(caller, &bucket.owner_name).await?)
}

/// Holds `x-amz-expected-bucket-owner` and its sibling for the source against the owners.
pub(crate) async fn check(
    holdall: &Holdall,
    caller: &Caller,
    headers: &HeaderMap,
    (op, target, source): (Option<Op>, &Target, Option<&CopySource>),
) -> Result<(), Refusal> {
    let target = target.bucket.as_ref().filter(|_| op != Some(Op::CreateBucket));
    let expectations = [
        ("x-amz-expected-bucket-owner", target),
        ("x-amz-source-expected-bucket-owner", source.map(|source| &source.bucket)),
    ];
    for (name, bucket) in expectations {
        let (Some(expected), Some(bucket)) = (header_text(headers, name)?, bucket) else { continue };
        if owner(holdall, caller, bucket).await?.canonical_id != expected {
            return Err(Refusal::new(Code::AccessDenied));
        }
    }
    Ok(())
}

/// Answers for a sub-resource that is not built, where the bucket or object exists and the
/// caller may see it.
pub(crate) async fn stub(
    holdall: &Holdall,
    caller: &Caller,
    target: &Target,
    query: &Query,
    stub: Stub,
) -> Result<String, Refusal> {
    let bucket = target.bucket.as_ref().ok_or_else(|| Refusal::internal("a stub without bucket"))?;
    match &target.key {
        None => drop(holdall.show_bucket(caller, bucket).await?),
        Some(key) => {
            let version = query.only("versionId").map(version_ref).transpose()?;
            let address = Address::key(bucket.clone(), key.clone());
            drop(holdall.stat(caller, &address, version).await?);
        }
    }
    match stub {
        Stub::Missing(code) => Err(Refusal::new(code)),
        Stub::Document(text) => Ok(text.to_owned()),
        Stub::Acl => Ok(acl(&owner(holdall, caller, bucket).await?)),
    }
}

fn acl(owner: &Account) -> String {
    let who = format!(
        "<ID>{}</ID><DisplayName>{}</DisplayName>",
        xml::escape(&owner.canonical_id),
        xml::escape(&owner.display_name)
    );
    format!(
        "<AccessControlPolicy xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner>{who}</Owner>\
         <AccessControlList><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:type=\"CanonicalUser\">{who}</Grantee><Permission>FULL_CONTROL</Permission></Grant>\
         </AccessControlList></AccessControlPolicy>"
    )
}
