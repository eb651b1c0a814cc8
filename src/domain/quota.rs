//! Quota: what a bucket and its owner may be charged for. The commit decides; a body that could
//! not pass it is refused before its bytes fill the disk.

use super::{Error, tree::broken};
use crate::store::{
    meta::rows::Rows,
    rows::{
        account::{self, AccountRow},
        bucket::BucketRow,
        usage,
    },
};

/// How many bytes a body may have, and whose quota says so.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    most: u64,
    owner: String,
}

impl Room {
    /// What is left in a bucket for something that replaces `replaced` bytes; `None` if nothing
    /// limits it. Never less than the commit allows.
    pub(crate) fn of(rows: &dyn Rows, bucket: &BucketRow, replaced: u64) -> Result<Option<Self>, Error> {
        let owner = owner(rows, bucket)?;
        let here = usage::of_bucket(rows, bucket.owner, bucket.id)?.charged();
        let of_bucket = bucket.quota.map(|limit| limit.saturating_sub(here));
        let of_owner = match owner.quota {
            Some(limit) => Some(limit.saturating_sub(usage::of_account(rows, owner.id)?.charged())),
            None => None,
        };
        let least = [of_bucket, of_owner].into_iter().flatten().min();
        let owner = owner.name.to_string();
        Ok(least.map(|left| Self { most: left.saturating_add(replaced), owner }))
    }

    /// Refuses a body of so many bytes.
    pub(crate) fn admits(&self, bytes: u64) -> Result<(), Error> {
        if bytes <= self.most { Ok(()) } else { Err(Error::OverQuota { owner: self.owner.clone() }) }
    }
}

/// Refuses a commit that charges more than before, and more than a quota allows.
pub(crate) fn hold(rows: &dyn Rows, bucket: &BucketRow, before: u64, after: u64) -> Result<(), Error> {
    if after <= before {
        return Ok(());
    }
    let owner = owner(rows, bucket)?;
    let over = |limit: Option<u64>, used: u64| limit.is_some_and(|limit| used > limit);
    let refused = || Error::OverQuota { owner: owner.name.to_string() };
    if over(bucket.quota, after) {
        return Err(refused());
    }
    if owner.quota.is_some() {
        let others = usage::of_account(rows, owner.id)?.charged().saturating_sub(before);
        if over(owner.quota, others.saturating_add(after)) {
            return Err(refused());
        }
    }
    Ok(())
}

fn owner(rows: &dyn Rows, bucket: &BucketRow) -> Result<AccountRow, Error> {
    account::by_id(rows, bucket.owner)?.ok_or_else(|| broken("a bucket's owner is gone"))
}
