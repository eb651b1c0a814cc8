//! What a lock forbids, and to whom.
//!
//! A file or folder is covered by the locks on it and by the deep ones above. Who wants to change
//! it holds, and submits, every exclusive lock that covers it, or one of the shared ones. Making
//! or taking away a name changes the folder it is in as well.

use super::{BELOW_READ, BELOW_ROWS, ROWS_PER_LOCK, active, whereabouts};
use crate::{
    domain::{Error, act::Act, tree::Chain},
    model::{
        ids::{AccountId, BucketId, NodeId},
        time::Timestamp,
    },
    store::{
        faults::Fault,
        meta::rows::{Order, Rows},
        rows::{
            lock::{self, LockRow},
            tree,
        },
    },
};

/// What a write is about to touch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touch<'a> {
    /// The folders above.
    pub(crate) chain: &'a Chain,
    /// The file or folder itself, if it is there, and whether its row says it is locked.
    pub(crate) node: Option<(NodeId, bool)>,
    /// Whether the innermost folder gains or loses a member.
    pub(crate) membership: bool,
    /// What to call it: bucket and path.
    pub(crate) name: &'a str,
}

/// Who wants to pass, and when.
pub(super) struct Passing<'a> {
    pub(super) bucket: BucketId,
    pub(super) holder: Option<AccountId>,
    pub(super) tokens: &'a [String],
    pub(super) now: Timestamp,
}

impl<'a> Passing<'a> {
    fn of(act: &Act<'_, '_>, tokens: &'a [String]) -> Self {
        Self { bucket: act.bucket.id, holder: act.caller.account(), tokens, now: act.tx.now() }
    }

    fn holds(&self, lock: &LockRow) -> bool {
        self.holder == Some(lock.holder) && self.tokens.contains(&lock.token)
    }

    fn on(&self, rows: &dyn Rows, node: NodeId) -> Result<Vec<LockRow>, Error> {
        let mut locks = lock::locks(rows, self.bucket, node)?;
        locks.retain(|lock| active(lock, self.now));
        Ok(locks)
    }

    /// The lock in the way of a change to something these cover, if one is.
    fn stopped_by<'l>(&self, covering: &[&'l LockRow]) -> Option<&'l LockRow> {
        let exclusive = covering.iter().find(|lock| lock.exclusive && !self.holds(lock));
        let shared = || covering.iter().find(|_| !covering.iter().any(|lock| self.holds(lock)));
        exclusive.or_else(shared).copied()
    }

    /// The first lock in the way of a write.
    pub(super) fn refused(&self, rows: &dyn Rows, touch: &Touch<'_>) -> Result<Option<LockRow>, Error> {
        let mut folders = vec![self.on(rows, touch.chain.root)?];
        for folder in &touch.chain.folders {
            folders.push(if folder.locks { self.on(rows, folder.id)? } else { Vec::new() });
        }
        let own = match touch.node {
            Some((node, true)) => self.on(rows, node)?,
            Some((_, false)) | None => Vec::new(),
        };
        let deep = || folders.iter().flatten().filter(|lock| lock.deep);
        let itself: Vec<&LockRow> = own.iter().chain(deep()).collect();
        if let Some(lock) = self.stopped_by(&itself) {
            return Ok(Some(lock.clone()));
        }
        let shallow = folders.last().into_iter().flatten().filter(|lock| !lock.deep);
        let around: Vec<&LockRow> = shallow.chain(deep()).collect();
        let lock = if touch.membership { self.stopped_by(&around) } else { None };
        Ok(lock.cloned())
    }
}

/// Refuses a write on anything a lock covers, unless its holder submits its token.
pub(crate) fn guard(act: &Act<'_, '_>, touch: Touch<'_>, tokens: &[String]) -> Result<(), Error> {
    match Passing::of(act, tokens).refused(act.tx, &touch)? {
        None => Ok(()),
        Some(_) if act.tx.faults().has(Fault::LocksUnasked) => Ok(()),
        Some(lock) if touch.node.is_some_and(|(node, _)| node == lock.node) => {
            Err(Error::Locked(touch.name.to_owned()))
        }
        Some(lock) => Err(locked(act, lock.node)?),
    }
}

/// Whether a write without any token is stopped, on rows that tell what they are asked for.
#[cfg(test)]
pub(crate) fn stopped(
    rows: &dyn Rows,
    (bucket, now): (BucketId, Timestamp),
    holder: Option<AccountId>,
    touch: Touch<'_>,
) -> Result<bool, Error> {
    let passing = Passing { bucket, holder, tokens: &[], now };
    Ok(passing.refused(rows, &touch)?.is_some())
}

/// Refuses to move or remove a folder with a lock somewhere below it that the caller does not
/// hold and submit, or with so many that they cannot go with it in one transaction.
pub(crate) fn guard_below(
    act: &Act<'_, '_>,
    folder: NodeId,
    name: &str,
    tokens: &[String],
) -> Result<(), Error> {
    let passing = Passing::of(act, tokens);
    let below = lock::locks_below(act.tx, act.bucket.id, folder, BELOW_READ)?;
    if let Some(lock) = below.iter().find(|lock| active(lock, passing.now) && !passing.holds(lock)) {
        return Err(locked(act, lock.node)?);
    }
    let mut rows = 0;
    for lock in &below {
        rows += ROWS_PER_LOCK + whereabouts(act.tx, lock.node)?.1.len();
    }
    if below.len() == BELOW_READ || rows > BELOW_ROWS {
        return Err(Error::Locked(name.to_owned()));
    }
    Ok(())
}

/// Refuses to take the last name out of a folder that goes with it, out of one whose members are
/// locked. The last name itself was asked for before.
pub(crate) fn guard_vanishing(act: &Act<'_, '_>, chain: &Chain, tokens: &[String]) -> Result<(), Error> {
    let root_locked = !lock::locks(act.tx, act.bucket.id, chain.root)?.is_empty();
    if !root_locked && !chain.folders.iter().any(|folder| folder.locks) {
        return Ok(());
    }
    let mut above = chain.clone();
    while let Some(folder) = above.folders.pop() {
        let members = tree::members(act.bucket.id, folder.id);
        if act.tx.scan(tree::Side::Live.table(), &members, Order::Forward, 2)?.len() > 1 {
            return Ok(());
        }
        let name = format!("{}/{}", act.bucket.name, above.key(&folder.name));
        let node = Some((folder.id, folder.locks));
        guard(act, Touch { chain: &above, node, membership: true, name: &name }, tokens)?;
    }
    Ok(())
}

/// The refusal that names what is locked.
pub(super) fn locked(act: &Act<'_, '_>, node: NodeId) -> Result<Error, Error> {
    let (path, _) = whereabouts(act.tx, node)?;
    let bucket = &act.bucket.name;
    Ok(Error::Locked(if path.is_empty() { bucket.to_string() } else { format!("{bucket}/{path}") }))
}
