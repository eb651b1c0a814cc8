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
use crate::domain::{Holdall, caller::Caller, nouns::Owner};

/// Holds `x-amz-expected-bucket-owner` and its sibling for the source against the owners.
pub(crate) async fn check(
    holdall: &Holdall,
    caller: &Caller,
    headers: &HeaderMap,
    (op, target, source): (Option<Op>, &Target, Option<&CopySource>),
) -> Result<(), Refusal> {
    let target = target.address().filter(|_| op != Some(Op::CreateBucket));
    let expectations = [
        ("x-amz-expected-bucket-owner", target),
        ("x-amz-source-expected-bucket-owner", source.map(CopySource::address)),
    ];
    for (name, at) in expectations {
        let (Some(expected), Some(at)) = (header_text(headers, name)?, at) else { continue };
        if holdall.bucket_owner(caller, &at).await?.canonical_id != expected {
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
    let at = target.address().ok_or_else(|| Refusal::internal("a stub without bucket"))?;
    if target.key.is_some() {
        let version = query.only("versionId").map(version_ref).transpose()?;
        drop(holdall.stat(caller, &at, version).await?);
    } else {
        drop(holdall.show_bucket(caller, &at.bucket).await?);
    }
    match stub {
        Stub::Missing(code) => Err(Refusal::new(code)),
        Stub::Document(text) => Ok(text.to_owned()),
        Stub::Acl => Ok(acl(&holdall.bucket_owner(caller, &at).await?)),
    }
}

fn acl(owner: &Owner) -> String {
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
