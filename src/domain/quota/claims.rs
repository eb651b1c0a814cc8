//! Room that running writes have claimed, so that many at once do not each count on the same. In
//! memory only: a restart ends the writes as well.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{Claimed, Room};
use crate::{
    domain::Error,
    model::ids::{AccountId, BucketId},
    store::rows::bucket::BucketRow,
};

#[derive(Debug, Default)]
struct Sums {
    buckets: HashMap<BucketId, u64>,
    owners: HashMap<AccountId, u64>,
}

/// All claims of one process.
#[derive(Debug, Default)]
pub(crate) struct Claims(Mutex<Sums>);

impl Claims {
    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a claim of nothing.
    pub(crate) fn begin(self: &Arc<Self>, bucket: &BucketRow) -> Arc<Claim> {
        let (bucket, owner) = (bucket.id, bucket.owner);
        Arc::new(Claim { claims: Arc::clone(self), bucket, owner, bytes: AtomicU64::new(0) })
    }
}

impl Sums {
    fn claimed(&self, bucket: BucketId, owner: AccountId) -> Claimed {
        let sum = |found: Option<&u64>| found.copied().unwrap_or_default();
        Claimed { bucket: sum(self.buckets.get(&bucket)), owner: sum(self.owners.get(&owner)) }
    }
}

/// What one write claims; given back when it is settled or dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    claims: Arc<Claims>,
    bucket: BucketId,
    owner: AccountId,
    /// Changed under the lock of the sums alone.
    bytes: AtomicU64,
}

impl Claim {
    /// Claims so many bytes instead of what it had, if they fit beside what others claim.
    pub(super) fn raise(&self, room: &Room, bytes: u64) -> Result<(), Error> {
        let mut sums = self.claims.sums();
        let mine = self.bytes.load(Relaxed);
        room.admits(bytes, self.beside(&sums, self.bucket, self.owner))?;
        add(&mut sums.buckets, self.bucket, bytes, mine);
        add(&mut sums.owners, self.owner, bytes, mine);
        self.bytes.store(bytes, Relaxed);
        Ok(())
    }

    /// What others claim in a bucket and of its owner.
    pub(crate) fn others(&self, bucket: &BucketRow) -> Claimed {
        self.beside(&self.claims.sums(), bucket.id, bucket.owner)
    }

    fn beside(&self, sums: &Sums, bucket: BucketId, owner: AccountId) -> Claimed {
        let all = sums.claimed(bucket, owner);
        let mine = |same: bool| if same { self.bytes.load(Relaxed) } else { 0 };
        Claimed {
            bucket: all.bucket.saturating_sub(mine(self.bucket == bucket)),
            owner: all.owner.saturating_sub(mine(self.owner == owner)),
        }
    }

    /// Gives the claim back: from here on the rows tell.
    pub(crate) fn settle(&self) {
        let mut sums = self.claims.sums();
        let mine = self.bytes.swap(0, Relaxed);
        add(&mut sums.buckets, self.bucket, 0, mine);
        add(&mut sums.owners, self.owner, 0, mine);
    }
}

fn add<K: Eq + Hash>(sums: &mut HashMap<K, u64>, key: K, more: u64, less: u64) {
    if more == less {
        return;
    }
    let after = sums.get(&key).copied().unwrap_or_default().saturating_sub(less).saturating_add(more);
    if after == 0 {
        sums.remove(&key);
    } else {
        sums.insert(key, after);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.settle();
    }
}
