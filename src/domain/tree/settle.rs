//! Taking names: a folder leaves the listing with the last thing in it.

use super::{At, Chain, Place};
use crate::{
    domain::Error,
    model::ids::{BucketId, NodeId},
    store::{
        meta::{
            Tx, ctag_key,
            rows::{Rows, RowsMut},
            table::Table,
        },
        rows::{
            bucket::BucketRow,
            lock, props,
            tree::{self, FolderRow, Side},
            work::{self, Kind, WorkRow},
        },
    },
};

/// What a verb changes beside the properties of folders: names, nodes and tags on a path of as
/// many segments as one may have. As many rows of its transaction are kept for that.
const KEPT_ROWS: usize = 800;

/// The same for a verb that brings folders back: it can have made room for them itself just
/// before, and then no job could do it first.
const KEPT_TO_REVIVE: usize = 400;

/// Takes a file's name away. Its node and its folders are the caller's to look after.
pub(crate) fn detach(tx: &mut Tx<'_>, bucket: &BucketRow, place: &Place, side: Side) -> Result<(), Error> {
    let at = place.at(bucket);
    if side == Side::Live {
        if let Some(mut folder) = tree::folder(tx, Side::Live, at, &place.name)?
            && folder.twin
        {
            folder.twin = false;
            tree::put_folder(tx, Side::Live, at, &place.name, &folder);
        }
        tree::remove_alias(tx, at, &place.name, &tree::file_sortname(&place.name));
    }
    tree::remove_name(tx, side, at, &tree::file_sortname(&place.name));
    Ok(())
}

/// Takes a folder's live name away, with everything below it.
pub(crate) fn unlink_folder(tx: &mut Tx<'_>, at: At, name: &str) -> Result<(), Error> {
    if let Some(mut file) = tree::file(tx, Side::Live, at, name)?
        && file.twin
    {
        file.twin = false;
        tree::put_file(tx, Side::Live, at, name, &file);
    }
    let sortname = tree::folder_sortname(name);
    tree::remove_alias(tx, at, name, &sortname);
    tree::remove_name(tx, Side::Live, at, &sortname);
    Ok(())
}

/// Puts every folder of a chain where it belongs after something below went: live while
/// something live is in it, dead while only deleted names are, else gone. Stops at the first
/// folder that stays as it is. Returns the folders that are gone.
pub(crate) fn settle(tx: &mut Tx<'_>, bucket: &BucketRow, chain: &Chain) -> Result<Vec<NodeId>, Error> {
    let mut gone = Vec::new();
    for (index, folder) in chain.folders.iter().enumerate().rev() {
        let at = (bucket.id, chain.parent_of(index));
        let live = tree::folder(tx, Side::Live, at, &folder.name)?;
        let dead = tree::folder(tx, Side::Dead, at, &folder.name)?;
        let was = if live.is_some() { Some(Side::Live) } else { dead.as_ref().map(|_| Side::Dead) };
        let now = state(tx, bucket.id, folder.id)?;
        let (Some(was), Some(row)) = (was, live.or(dead)) else { continue };
        if now == Some(was) {
            return Ok(gone);
        }
        if was == Side::Live {
            unlink_folder(tx, at, &folder.name)?;
            if row.locks {
                let above: Vec<_> = chain.ids().take(index + 1).collect();
                lock::clear_locks(tx, bucket.id, &above, folder.id)?;
            }
        } else {
            tree::remove_name(tx, Side::Dead, at, &tree::folder_sortname(&folder.name));
        }
        let left = !forget_props(tx, bucket, &row, KEPT_ROWS)?;
        match now {
            Some(side) => {
                let row = FolderRow { twin: false, props: left, locks: false, ..row };
                tree::put_folder(tx, side, at, &folder.name, &row);
                if left {
                    work::queue(tx, Kind::Props, &work(bucket, folder.id));
                }
            }
            None => {
                if left {
                    work::queue(tx, Kind::Subtree, &work(bucket, folder.id));
                }
                tree::remove_node(tx, folder.id);
                tx.delete(Table::Ctag, ctag_key(bucket.id, folder.id));
                gone.push(folder.id);
            }
        }
    }
    Ok(gone)
}

/// The row of a dead folder that comes back to life: it has none of the properties it had.
pub(super) fn without_props(tx: &mut Tx<'_>, bucket: &BucketRow, row: FolderRow) -> Result<FolderRow, Error> {
    if !forget_props(tx, bucket, &row, KEPT_TO_REVIVE)? {
        return Err(Error::Busy("a folder was removed just now; try again when that has ended".into()));
    }
    Ok(FolderRow { props: false, ..row })
}

/// Forgets the properties of a folder that leaves the listing, or left it; false if they are too
/// many for what is left of the transaction. They are a job's then.
fn forget_props(tx: &mut Tx<'_>, bucket: &BucketRow, row: &FolderRow, kept: usize) -> Result<bool, Error> {
    if !row.props {
        return Ok(true);
    }
    work::drop_work(tx, Kind::Props, &work(bucket, row.node));
    let most = tx.room().saturating_sub(kept);
    Ok(props::clear_few(tx, bucket.id, row.node, most)?)
}

fn work(bucket: &BucketRow, folder: NodeId) -> WorkRow {
    WorkRow { bucket: bucket.id, owner: bucket.owner, id: folder.0, history: false }
}

/// Where a folder belongs, by what is in it.
fn state(rows: &dyn Rows, bucket: BucketId, folder: NodeId) -> Result<Option<Side>, Error> {
    for side in [Side::Live, Side::Dead] {
        if rows.any(side.table(), &tree::members(bucket, folder))? {
            return Ok(Some(side));
        }
    }
    Ok(None)
}
