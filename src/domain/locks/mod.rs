//! Locks as every write meets them, whichever door it comes through (RFC 4918 §6–7), and the
//! verbs that take and give them back.
//!
//! A lock hangs on a node, with one row for every folder above, so that a folder knows of locks
//! below it. The row of a locked name carries a flag: a write reads the locks of flagged names
//! only. A lock that has expired counts for nothing from then on; its rows go when it is met or
//! swept.

mod guard;
mod leave;
mod verbs;

#[cfg(test)]
pub(crate) use guard::stopped;
pub(crate) use guard::{Touch, guard, guard_below, guard_vanishing};
pub(crate) use leave::{drop_all, drop_below, release, sweep};

use super::Error;
use crate::{
    model::{
        ids::{BucketId, NodeId},
        time::Timestamp,
    },
    store::{
        meta::rows::Rows,
        rows::{lock::LockRow, tree},
    },
};

/// Locks below a folder that are looked at before it is refused for having too many.
const BELOW_READ: usize = 200;

/// Rows that taking the locks below a folder off may change in the transaction that moves or
/// removes it; with more of them, or deeper ones, it is refused until some are given back.
const BELOW_ROWS: usize = 400;

/// Rows of a lock beside one for each folder above: itself, its owner's, the mark on its name.
const ROWS_PER_LOCK: usize = 4;

fn active(lock: &LockRow, now: Timestamp) -> bool {
    lock.expires > now
}

/// Where a node is: its key, that of a folder without its slash, and the folders above, the
/// innermost first.
fn whereabouts(rows: &dyn Rows, node: NodeId) -> Result<(String, Vec<NodeId>), Error> {
    let (mut names, mut above, mut at) = (Vec::new(), Vec::new(), node);
    while let Some(row) = tree::node(rows, at)? {
        let Some(parent) = row.parent else { break };
        names.push(row.name);
        above.push(parent);
        at = parent;
    }
    names.reverse();
    Ok((names.join("/"), above))
}

/// Sets or takes the mark of a locked name. The bucket's own folder has none.
fn flag(
    tx: &mut crate::store::meta::Tx<'_>,
    bucket: BucketId,
    node: NodeId,
    locked: bool,
) -> Result<(), Error> {
    let Some(tree::NodeRow { parent: Some(parent), name, kind, .. }) = tree::node(tx, node)? else {
        return Ok(());
    };
    let at = (bucket, parent);
    match kind {
        tree::Kind::File => {
            let row = tree::file(tx, tree::Side::Live, at, &name)?.filter(|row| row.node == node);
            if let Some(row) = row.filter(|row| row.locks != locked) {
                tree::put_file(tx, tree::Side::Live, at, &name, &tree::FileRow { locks: locked, ..row });
            }
        }
        tree::Kind::Folder => {
            let row = tree::folder(tx, tree::Side::Live, at, &name)?.filter(|row| row.node == node);
            if let Some(row) = row.filter(|row| row.locks != locked) {
                tree::put_folder(tx, tree::Side::Live, at, &name, &tree::FolderRow { locks: locked, ..row });
            }
        }
    }
    Ok(())
}
