//! `holdall bucket`.

use http::Method;

use super::{Context, arguments::BucketCommand, escaped, failure::Failure, reach::Reach};
use crate::{
    doors::api::types::{Bucket, BucketChange, Buckets, NewBucket, VersioningChange},
    model::size::{self, EXAMPLES},
};

pub(super) async fn run(context: &Context, command: BucketCommand) -> Result<(), Failure> {
    let reach = Reach::find(&context.settings).await?;
    match command {
        BucketCommand::List => context
            .printer
            .many(&all(&reach).await?, &["name", "owner", "versioning", "history_days", "quota", "created"]),
        BucketCommand::Create { name, owner, history } => {
            let new = NewBucket { name, owner: Some(owner), history_days: history };
            let bucket: Bucket = reach.tell(Method::POST, "/api/v1/buckets", &new).await?;
            context.printer.one(&bucket, || format!("bucket {} belongs to {}", bucket.name, bucket.owner))
        }
        BucketCommand::Show { name } => {
            let bucket: Bucket = reach.ask(Method::GET, &address(&name)).await?;
            context.printer.members(&bucket)
        }
        BucketCommand::Remove { name } => {
            let removed = reach.ask::<()>(Method::DELETE, &address(&name)).await;
            removed.map_err(Failure::unless_empty)?;
            context.printer.done(&format!("bucket {name} is removed"))
        }
        BucketCommand::Set { versioning: None, history: None, quota: None, .. } => {
            Err(Failure::Usage("nothing to change is named: --versioning, --history or --quota".into()))
        }
        BucketCommand::Set { name, versioning, history, quota } => {
            let change = BucketChange {
                versioning: versioning.map(|to| match to.as_str() {
                    "enabled" => VersioningChange::Enabled,
                    _ => VersioningChange::Suspended,
                }),
                history_days: history,
                quota: quota.as_deref().map(limit).transpose()?,
            };
            let bucket: Bucket = reach.tell(Method::PATCH, &address(&name), &change).await?;
            context.printer.members(&bucket)
        }
    }
}

/// The bucket's address.
pub(super) fn address(name: &str) -> String {
    format!("/api/v1/buckets/{}", escaped(name))
}

/// Every bucket.
pub(super) async fn all(reach: &Reach) -> Result<Vec<Bucket>, Failure> {
    let mut found = Vec::new();
    let mut path = "/api/v1/buckets".to_owned();
    loop {
        let page: Buckets = reach.ask(Method::GET, &path).await?;
        found.extend(page.buckets);
        match page.next {
            Some(next) => path = format!("/api/v1/buckets?after={}", escaped(&next)),
            None => return Ok(found),
        }
    }
}

fn limit(text: &str) -> Result<Option<u64>, Failure> {
    if text == "none" {
        return Ok(None);
    }
    let bytes =
        size::parse(text).ok_or_else(|| Failure::Usage(format!("--quota {text}: {EXAMPLES}, or none")))?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_a_size_or_none() {
        assert_eq!(limit("1 GiB").unwrap(), Some(1 << 30));
        assert_eq!(limit("none").unwrap(), None);
        assert!(
            matches!(limit("much"), Err(Failure::Usage(text)) if text.starts_with("--quota much: a size"))
        );
    }
}
