//! Giving names: folders come to life on the way to a file, bounds rise, twins learn of each
//! other.

use super::{At, Chain, Node, Place, settle::without_props};
use crate::{
    domain::Error,
    model::{address::ObjectKey, ids::NodeId, limits},
    store::{
        meta::{Kind as IdKind, Tx},
        rows::{
            bucket::BucketRow,
            tree::{self, FileRow, FolderRow, Kind, NodeRow, Side},
        },
    },
};

/// Makes every missing folder of a place, or brings it back to life with the identity it had.
/// Afterwards nothing is missing.
pub(crate) fn ensure_folders(
    tx: &mut Tx<'_>,
    bucket: &BucketRow,
    place: &mut Place,
    side: Side,
) -> Result<(), Error> {
    for name in std::mem::take(&mut place.missing) {
        let at = (bucket.id, place.chain.last());
        let id = match tree::folder(tx, Side::Dead, at, &name)? {
            Some(row) if side == Side::Live => revive(tx, bucket, (at, &name), row)?,
            Some(row) => row.node,
            None => new_folder(tx, at, &name, side)?,
        };
        place.chain.folders.push(Node { id, name, locks: false });
    }
    Ok(())
}

fn new_folder(tx: &mut Tx<'_>, at: At, name: &str, side: Side) -> Result<NodeId, Error> {
    let node = NodeId(tx.fresh(IdKind::Node)?);
    tree::put_node(
        tx,
        node,
        &NodeRow { bucket: at.0, parent: Some(at.1), name: name.to_owned(), kind: Kind::Folder },
    );
    let row =
        FolderRow { node, created: tx.now(), longest: 0, height: 0, props: false, locks: false, twin: false };
    match side {
        Side::Live => enliven(tx, at, name, row),
        Side::Dead => {
            tree::put_folder(tx, Side::Dead, at, name, &row);
            Ok(node)
        }
    }
}

/// Brings a dead folder back to life with the identity it had.
fn revive(
    tx: &mut Tx<'_>,
    bucket: &BucketRow,
    (at, name): (At, &str),
    row: FolderRow,
) -> Result<NodeId, Error> {
    let row = without_props(tx, bucket, row)?;
    tree::remove_name(tx, Side::Dead, at, &tree::folder_sortname(name));
    enliven(tx, at, name, row)
}

/// Writes a folder's live name, with its alias and its twin.
fn enliven(tx: &mut Tx<'_>, at: At, name: &str, mut row: FolderRow) -> Result<NodeId, Error> {
    row.twin = false;
    if let Some(mut file) = tree::file(tx, Side::Live, at, name)?
        && !name.is_empty()
    {
        row.twin = true;
        file.twin = true;
        tree::put_file(tx, Side::Live, at, name, &file);
    }
    tree::put_alias(tx, at, name, &tree::folder_sortname(name));
    tree::put_folder(tx, Side::Live, at, name, &row);
    Ok(row.node)
}

/// Writes a file's name, new or again, and where its node is. The place's folders must be there.
pub(crate) fn attach(
    tx: &mut Tx<'_>,
    bucket: &BucketRow,
    place: &Place,
    side: Side,
    mut row: FileRow,
) -> Result<FileRow, Error> {
    let at = place.at(bucket);
    let known = tree::file(tx, side, at, &place.name)?;
    if known.is_none() {
        // Stored names can be longer than the forms of them that a request used.
        ObjectKey::parse(&place.key())?;
    }
    if known.as_ref().is_none_or(|known| known.node != row.node) {
        let node = NodeRow { bucket: at.0, parent: Some(at.1), name: place.name.clone(), kind: Kind::File };
        tree::put_node(tx, row.node, &node);
        raise(tx, bucket, &place.chain, (place.name.len(), 1))?;
    }
    row.twin = false;
    if side == Side::Live {
        if !place.name.is_empty()
            && let Some(mut folder) = tree::folder(tx, Side::Live, at, &place.name)?
        {
            row.twin = true;
            if !folder.twin {
                folder.twin = true;
                tree::put_folder(tx, Side::Live, at, &place.name, &folder);
            }
        }
        tree::put_alias(tx, at, &place.name, &tree::file_sortname(&place.name));
    }
    tree::put_file(tx, side, at, &place.name, &row);
    Ok(row)
}

/// Gives a folder, with everything below it, a live name. The place's folders must be there and
/// the name free.
pub(crate) fn link_folder(
    tx: &mut Tx<'_>,
    bucket: &BucketRow,
    place: &Place,
    row: FolderRow,
) -> Result<(), Error> {
    if !place.missing.is_empty() {
        return Err(super::broken("a folder is linked below one that is not there"));
    }
    let at = place.at(bucket);
    let node = NodeRow { bucket: at.0, parent: Some(at.1), name: place.name.clone(), kind: Kind::Folder };
    tree::put_node(tx, row.node, &node);
    let tail = (place.name.len() + 1 + row.longest as usize, 1 + row.height as usize);
    raise(tx, bucket, &place.chain, tail)?;
    enliven(tx, at, &place.name, row)?;
    Ok(())
}

/// Refuses to give a folder a name under which a key below it would pass a limit.
pub(crate) fn moved_folder_fits(place: &Place, row: &FolderRow) -> Result<(), Error> {
    let key = place.key();
    let bytes = key.len() + 1 + row.longest as usize;
    let segments = key.split('/').count() + row.height.max(1) as usize;
    if bytes > limits::KEY_BYTES || segments > limits::KEY_SEGMENTS {
        return Err(Error::Denied(format!("{key}/ would hold names longer than 1,024 bytes")));
    }
    Ok(())
}

/// Raises the bounds of the folders above a name that is `tail` long: bytes and segments.
fn raise(tx: &mut Tx<'_>, bucket: &BucketRow, chain: &Chain, mut tail: (usize, usize)) -> Result<(), Error> {
    for (index, folder) in chain.folders.iter().enumerate().rev() {
        let at = (bucket.id, chain.parent_of(index));
        let (side, mut row) = match tree::folder(tx, Side::Live, at, &folder.name)? {
            Some(row) => (Side::Live, row),
            None => match tree::folder(tx, Side::Dead, at, &folder.name)? {
                Some(row) => (Side::Dead, row),
                None => return Err(super::broken("a folder on the way has no name")),
            },
        };
        let (bytes, height) = (bound(tail.0), bound(tail.1));
        if row.longest >= bytes && row.height >= height {
            return Ok(());
        }
        row.longest = row.longest.max(bytes);
        row.height = row.height.max(height);
        tree::put_folder(tx, side, at, &folder.name, &row);
        tail = (folder.name.len() + 1 + tail.0, 1 + tail.1);
    }
    Ok(())
}

fn bound(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Brings the dead folders of a chain back to life, outermost first, because a file below them is
/// live again.
pub(crate) fn revive_folders(tx: &mut Tx<'_>, bucket: &BucketRow, place: &mut Place) -> Result<(), Error> {
    for (index, folder) in place.chain.folders.iter().enumerate() {
        let at = (bucket.id, place.chain.parent_of(index));
        if let Some(row) = tree::folder(tx, Side::Dead, at, &folder.name)? {
            revive(tx, bucket, (at, &folder.name), row)?;
        }
    }
    Ok(())
}
