//! What quotas leave, for callers that ask: the same room that a write would find. Claims of
//! running writes are not taken off; they come and go.

use super::Room;
use crate::{
    domain::{
        Error, Holdall,
        access::{AccountVerb, Verb},
        accounts, buckets,
        caller::Caller,
        nouns::Charged,
    },
    model::name::{AccountName, BucketName},
    store::{
        meta::rows::Rows,
        rows::usage::{self, UsageRow},
    },
};

impl Holdall {
    /// What a bucket holds, and what its quota and its owner's leave. Who may not see the owner's
    /// account is told of the bucket's own quota alone.
    ///
    /// # Errors
    /// `NotFound`, Denied, Unauthenticated.
    pub async fn charged_to_bucket(&self, caller: &Caller, name: &BucketName) -> Result<Charged, Error> {
        let (caller, name) = (caller.clone(), name.clone());
        self.read(move |rows| of_bucket(rows, &caller, &name)).await
    }

    /// What an account is charged for, and what its quota leaves.
    ///
    /// # Errors
    /// Denied unless it is the caller's own or an admin or the operator asks; `NotFound`.
    pub async fn charged_to_account(&self, caller: &Caller, name: &AccountName) -> Result<Charged, Error> {
        let (caller, name) = (caller.clone(), name.clone());
        self.read(move |rows| {
            let row = accounts::allowed(rows, &caller, &name, AccountVerb::Show)?;
            let used = usage::of_account(rows, row.id)?;
            Ok(Charged { used: held(&used), left: row.quota.map(|limit| left(limit, &used)) })
        })
        .await
    }
}

fn of_bucket(rows: &dyn Rows, caller: &Caller, name: &BucketName) -> Result<Charged, Error> {
    let row = buckets::allowed(rows, caller, name, Verb::Inspect)?;
    let owner = buckets::owning(rows, &row)?;
    let used = held(&usage::of_bucket(rows, row.owner, row.id)?);
    let Some(room) = Room::of(rows, &row)? else { return Ok(Charged { used, left: None }) };
    let of_owner = match accounts::allowed(rows, caller, &owner.name, AccountVerb::Show) {
        Ok(_) => room.of_owner,
        Err(Error::Denied(_) | Error::Unauthenticated(_)) => None,
        Err(error) => return Err(error),
    };
    Ok(Charged { used, left: room.of_bucket.into_iter().chain(of_owner).min() })
}

/// What a quota leaves beside what is charged.
pub(super) fn left(limit: u64, used: &UsageRow) -> u64 {
    limit.saturating_sub(used.charged())
}

/// All bytes held. History and trash are shown as used, though they give way to writes.
fn held(used: &UsageRow) -> u64 {
    used.charged().saturating_add(used.history)
}
