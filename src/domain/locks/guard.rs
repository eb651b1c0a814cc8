//! Locks as every write meets them, whichever door it comes through (RFC 4918 §6–7).

use super::{Error, act::Act, tree::Chain};
use crate::{
    model::ids::NodeId,
    store::rows::{
        props::{self, LockRow},
        tree,
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
    /// What to call it.
    pub(crate) name: &'a str,
}

/// Refuses a write on anything a lock covers, unless its holder submits its token.
pub(crate) fn guard(act: &Act<'_, '_>, touch: Touch<'_>, tokens: &[String]) -> Result<(), Error> {
    let bucket = act.bucket.id;
    let covering = |at: NodeId, counts: &dyn Fn(&LockRow) -> bool| -> Result<(), Error> {
        for lock in props::locks(act.tx, bucket, at)? {
            if counts(&lock) && !passes(act, &lock, tokens) {
                return Err(Error::Locked(touch.name.to_owned()));
            }
        }
        Ok(())
    };
    if let Some((node, true)) = touch.node {
        covering(node, &|_| true)?;
    }
    let innermost = touch.chain.last();
    let direct = |folder: NodeId| touch.membership && folder == innermost;
    covering(touch.chain.root, &|lock| lock.deep || direct(touch.chain.root))?;
    for folder in touch.chain.folders.iter().filter(|folder| folder.locks) {
        covering(folder.id, &|lock| lock.deep || direct(folder.id))?;
    }
    Ok(())
}

/// Refuses to move or remove a folder with somebody else's lock somewhere below it.
pub(crate) fn guard_below(
    act: &Act<'_, '_>,
    folder: NodeId,
    name: &str,
    tokens: &[String],
) -> Result<(), Error> {
    let below = props::locks_below(act.tx, act.bucket.id, folder, BELOW_READ)?;
    if below.len() == BELOW_READ || below.iter().any(|lock| !passes(act, lock, tokens)) {
        return Err(Error::Locked(name.to_owned()));
    }
    Ok(())
}

/// Locks below a folder that are looked at before it is refused for having too many.
const BELOW_READ: usize = 500;

fn passes(act: &Act<'_, '_>, lock: &LockRow, tokens: &[String]) -> bool {
    let expired = lock.expires <= act.tx.now();
    let mine = act.caller.account() == Some(lock.holder);
    expired || (mine && tokens.contains(&lock.token))
}

/// Takes the locks off a node that leaves its name; they never travel (RFC 4918 §7.7).
pub(crate) fn drop_all(act: &mut Act<'_, '_>, chain: &Chain, node: NodeId) -> Result<(), Error> {
    let above: Vec<NodeId> = chain.ids().collect();
    for lock in props::locks(act.tx, act.bucket.id, node)? {
        props::remove_lock(act.tx, act.bucket.id, above.iter().copied(), &lock);
    }
    Ok(())
}

/// Takes every lock on a folder and below it off; they never travel (RFC 4918 §7.7). The caller
/// made sure with [`guard_below`] that they are few, and the mover's own or expired.
pub(crate) fn drop_below(act: &mut Act<'_, '_>, chain: &Chain, folder: NodeId) -> Result<(), Error> {
    drop_all(act, chain, folder)?;
    for lock in props::locks_below(act.tx, act.bucket.id, folder, BELOW_READ)? {
        let mut above = Vec::new();
        let mut at = lock.node;
        while let Some(parent) = tree::node(act.tx, at)?.and_then(|row| row.parent) {
            above.push(parent);
            at = parent;
        }
        props::remove_lock(act.tx, act.bucket.id, above, &lock);
    }
    Ok(())
}
