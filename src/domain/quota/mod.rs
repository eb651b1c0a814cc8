//! Quota: what a bucket and its owner may be charged for. The commit decides; a body that could
//! not pass it is refused before its bytes fill the disk, and room claimed for one write is not
//! given to another. History and trash are shown as used and not held against a quota.

mod allowance;
mod claims;
mod left;
mod patience;

pub(crate) use allowance::Allowance;
pub(crate) use claims::{Claim, Claims};

use super::{Error, buckets::owning};
use crate::store::{
    faults::Fault,
    meta::rows::Rows,
    rows::{bucket::BucketRow, usage},
};

/// What quotas leave beside what is charged; others' claims are not taken off yet.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    of_bucket: Option<u64>,
    of_owner: Option<u64>,
    owner: String,
}

impl Room {
    /// What is left in a bucket; `None` if nothing limits it.
    fn of(rows: &dyn Rows, bucket: &BucketRow) -> Result<Option<Self>, Error> {
        let owner = owning(rows, bucket)?;
        let of_bucket = match bucket.quota {
            Some(limit) => {
                let here = usage::of_bucket(rows, bucket.owner, bucket.id)?;
                Some(left::left(limit, &here))
            }
            None => None,
        };
        let of_owner = match owner.quota {
            Some(limit) => Some(left::left(limit, &usage::of_account(rows, owner.id)?)),
            None => None,
        };
        let limited = of_bucket.or(of_owner).is_some();
        Ok(limited.then(|| Self { of_bucket, of_owner, owner: owner.name.to_string() }))
    }

    /// Whether so many more bytes fit beside those that others claim.
    fn admits(&self, more: u64, claimed: Claimed) -> Result<(), Error> {
        let fits =
            |left: Option<u64>, claimed: u64| left.is_none_or(|left| more.saturating_add(claimed) <= left);
        if more == 0 || (fits(self.of_bucket, claimed.bucket) && fits(self.of_owner, claimed.owner)) {
            return Ok(());
        }
        Err(Error::OverQuota { owner: self.owner.clone() })
    }
}

/// Bytes that others claim.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Claimed {
    /// In the bucket.
    bucket: u64,
    /// In all buckets of its owner.
    owner: u64,
}

/// What a verb does to the charge of a bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charge {
    /// Bytes charged before it.
    pub(crate) before: u64,
    /// Bytes charged after it.
    pub(crate) after: u64,
    /// Bytes that it frees in another bucket of the same owner.
    pub(crate) freed: u64,
}

/// Refuses a commit that charges more than before, and more than a quota allows beside what others
/// claim. The rows are as the verb leaves them.
pub(crate) fn hold(
    rows: &dyn Rows,
    bucket: &BucketRow,
    charge: Charge,
    claimed: Claimed,
) -> Result<(), Error> {
    let more = charge.after.saturating_sub(charge.before);
    if more == 0 || rows.faults().has(Fault::QuotaUnasked) {
        return Ok(());
    }
    let owner = owning(rows, bucket)?;
    let over = |limit: Option<u64>, used: u64| limit.is_some_and(|limit| used > limit);
    let refused = || Error::OverQuota { owner: owner.name.to_string() };
    if over(bucket.quota, charge.after.saturating_add(claimed.bucket)) {
        return Err(refused());
    }
    if owner.quota.is_some() && more > charge.freed {
        let all = usage::of_account(rows, owner.id)?.charged();
        if over(owner.quota, all.saturating_sub(charge.freed).saturating_add(claimed.owner)) {
            return Err(refused());
        }
    }
    Ok(())
}
