//! RFC 4331's numbers, from the charge of a bucket and of the account that owns it.

use super::call::Call;
use crate::{
    domain::{
        Error,
        nouns::{Bucket, Usage},
    },
    model::name::{AccountName, BucketName},
};

/// Space below a folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Quota {
    /// Bytes used, history included.
    pub(super) used: u64,
    /// Bytes that may still be written; `None` if nothing limits them.
    pub(super) available: Option<u64>,
}

/// What a bucket holds, and what its quota and its owner's leave.
///
/// # Errors
/// If the bucket's own numbers cannot be had.
pub(super) async fn of_bucket(call: &Call<'_>, name: &BucketName) -> Result<Quota, Error> {
    let bucket: Bucket = call.holdall().show_bucket(&call.caller, name).await?;
    let usage = call.holdall().bucket_usage(&call.caller, name).await?;
    let own = bucket.quota.map(|limit| left(limit, &usage));
    // Who was granted access to a bucket may not see its owner's account.
    let owner = of_account(call, &bucket.owner_name).await.ok().and_then(|quota| quota.available);
    let available = own.into_iter().chain(owner).min();
    Ok(Quota { used: used(&usage), available })
}

/// What an account is charged for, and what its quota leaves.
///
/// # Errors
/// If its numbers cannot be had.
pub(super) async fn of_account(call: &Call<'_>, name: &AccountName) -> Result<Quota, Error> {
    let account = call.holdall().show_account(&call.caller, name).await?;
    let usage = call.holdall().usage(&call.caller, name).await?;
    Ok(Quota { used: used(&usage), available: account.quota.map(|limit| left(limit, &usage)) })
}

fn used(usage: &Usage) -> u64 {
    usage.live.saturating_add(usage.versions).saturating_add(usage.history)
}

/// History gives way to writes, so it does not count here.
fn left(limit: u64, usage: &Usage) -> u64 {
    limit.saturating_sub(usage.live.saturating_add(usage.versions))
}
