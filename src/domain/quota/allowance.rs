//! How long one body may become: its claim, and the room it was taken from.

use std::sync::Arc;

use super::{Claim, Room};
use crate::{
    domain::{Error, Holdall, lanes::blocking},
    store::{meta::rows::Rows, rows::bucket::BucketRow},
};

/// Bytes that a body of unknown length claims ahead of what came.
const AHEAD: u64 = 8 << 20;

/// What one body may have where a quota limits it.
pub(crate) struct Allowance {
    holdall: Arc<Holdall>,
    bucket: BucketRow,
    /// Bytes the commit releases, so that they need no room.
    replaced: u64,
    /// The longest the body may become without another look.
    most: u64,
    claim: Arc<Claim>,
}

impl Allowance {
    /// Claims room for a body that replaces `replaced` bytes, all of it if its size is known;
    /// blocking. `None` if nothing limits it.
    pub(crate) fn begin(
        (holdall, rows): (&Arc<Holdall>, &dyn Rows),
        bucket: &BucketRow,
        size: Option<u64>,
        replaced: u64,
    ) -> Result<Option<Self>, Error> {
        let Some(room) = Room::of(rows, bucket)? else { return Ok(None) };
        let claim = holdall.claims.begin(bucket);
        claim.raise(&room, size.unwrap_or_default().saturating_sub(replaced))?;
        let (holdall, bucket) = (Arc::clone(holdall), bucket.clone());
        let most = size.unwrap_or_default().max(replaced);
        Ok(Some(Self { holdall, bucket, replaced, most, claim }))
    }

    /// What the commit settles.
    pub(crate) fn claim(&self) -> Arc<Claim> {
        Arc::clone(&self.claim)
    }

    /// Claims what a body of so many bytes needs, and some ahead where there is room.
    pub(crate) async fn admit(&mut self, bytes: u64) -> Result<(), Error> {
        if bytes <= self.most {
            return Ok(());
        }
        let holdall = Arc::clone(&self.holdall);
        self.most = holdall.patiently(|| self.look(bytes)).await?;
        Ok(())
    }

    /// Looks at the usage anew, for others have written meanwhile; answers the new longest.
    fn look(&self, bytes: u64) -> impl Future<Output = Result<u64, Error>> + use<> {
        let (holdall, bucket, claim) = (Arc::clone(&self.holdall), self.bucket.clone(), self.claim());
        let replaced = self.replaced;
        blocking(move || {
            let Some(room) = Room::of(&holdall.store.snapshot()?, &bucket)? else { return Ok(u64::MAX) };
            for most in [bytes.saturating_add(AHEAD), bytes] {
                if claim.raise(&room, most.saturating_sub(replaced)).is_ok() {
                    return Ok(most);
                }
            }
            Err(Error::OverQuota { owner: room.owner })
        })
    }
}
