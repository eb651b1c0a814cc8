//! How locks end: given back, expired, or left behind by what they were on.

use super::{BELOW_READ, ROWS_PER_LOCK, active, flag, whereabouts};
use crate::{
    domain::{Error, act::Act, tree::Chain},
    model::{
        ids::{BucketId, NodeId},
        limits,
    },
    store::{
        meta::Tx,
        rows::lock::{self, LockRow},
    },
};

/// Takes the locks off a node that leaves its name; they never travel (RFC 4918 §7.7).
pub(crate) fn drop_all(act: &mut Act<'_, '_>, chain: &Chain, node: NodeId) -> Result<(), Error> {
    let above: Vec<NodeId> = chain.ids().collect();
    lock::clear_locks(act.tx, act.bucket.id, &above, node)?;
    flag(act.tx, act.bucket.id, node, false)
}

/// Takes every lock on a folder and below it off; they never travel (RFC 4918 §7.7). The caller
/// made sure with [`super::guard_below`] that they are few, and the mover's own or expired.
pub(crate) fn drop_below(act: &mut Act<'_, '_>, chain: &Chain, folder: NodeId) -> Result<(), Error> {
    drop_all(act, chain, folder)?;
    for lock in lock::locks_below(act.tx, act.bucket.id, folder, BELOW_READ)? {
        release(act.tx, act.bucket.id, &lock)?;
    }
    Ok(())
}

/// Takes one lock off, and the mark off its name with the last one.
pub(crate) fn release(tx: &mut Tx<'_>, bucket: BucketId, lock: &LockRow) -> Result<(), Error> {
    let (_, above) = whereabouts(tx, lock.node)?;
    lock::remove_lock(tx, bucket, above, lock);
    if lock::locks(tx, bucket, lock.node)?.is_empty() {
        flag(tx, bucket, lock.node, false)?;
    }
    Ok(())
}

/// Takes off those of these locks that have expired and were not refreshed since they were read,
/// as many as fit in a transaction. The next sweep meets the rest.
pub(crate) fn sweep(tx: &mut Tx<'_>, met: &[(BucketId, LockRow)]) -> Result<(), Error> {
    for (bucket, lock) in met {
        if tx.room() < limits::KEY_SEGMENTS + ROWS_PER_LOCK {
            break;
        }
        let now = tx.now();
        let all = lock::locks(tx, *bucket, lock.node)?;
        if let Some(lock) = all.iter().find(|found| found.token == lock.token && !active(found, now)) {
            release(tx, *bucket, lock)?;
        }
    }
    Ok(())
}
