//! Lowers the bounds of folders that are higher than need be, each in a transaction of its own
//! and only if nothing changed below the folder since it was counted. Nothing a reader sees
//! changes, only which moves fit.

use std::{cmp::Reverse, collections::BTreeSet};

use super::{super::Holdall, Pages};
use crate::{
    domain::Error,
    model::{
        ids::{NodeId, Seq},
        limits,
    },
    store::{
        error::StoreError,
        meta::{Tx, rows::Rows},
        rows::tree::{self, Dent, FolderRow, Kind, NodeRow, Side},
    },
};

/// Folders whose bounds one check lowers, beside those above them; the next check goes on.
pub(super) const MOST: usize = 10_000;

/// How long and how deep names below a folder are at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Bounds {
    pub(super) longest: u32,
    pub(super) height: u32,
}

impl Bounds {
    /// Takes in a name of the folder.
    pub(super) fn grow(&mut self, sortname: &str, dent: &Dent) {
        let own = u32::try_from(sortname.len()).unwrap_or(u32::MAX);
        let (longest, height) = match dent {
            Dent::File(_) => (own, 1),
            Dent::Folder(row) => (own.saturating_add(row.longest), row.height.saturating_add(1)),
        };
        self.longest = self.longest.max(longest);
        self.height = self.height.max(height);
    }

    /// Whether a folder's row allows for more than this.
    pub(super) fn below(self, row: &FolderRow) -> bool {
        row.longest > self.longest || row.height > self.height
    }
}

/// A folder as it stands.
#[derive(PartialEq, Debug)]
struct Folder {
    node: NodeRow,
    side: Side,
    row: FolderRow,
    /// The last change below it.
    ctag: Seq,
}

impl Folder {
    /// `None` for the top of a bucket, which has no bounds, and for what is no folder with a name.
    fn find(rows: &dyn Rows, folder: NodeId) -> Result<Option<(Self, NodeId)>, StoreError> {
        let Some(node) = tree::node(rows, folder)?.filter(|node| node.kind == Kind::Folder) else {
            return Ok(None);
        };
        let Some(parent) = node.parent else { return Ok(None) };
        for side in [Side::Live, Side::Dead] {
            let row = tree::folder(rows, side, (node.bucket, parent), &node.name)?;
            if let Some(row) = row.filter(|row| row.node == folder) {
                let ctag = tree::ctag(rows, node.bucket, folder)?;
                return Ok(Some((Self { node, side, row, ctag }, parent)));
            }
        }
        Ok(None)
    }
}

/// A folder whose bounds are higher than need be, as it was counted.
pub(crate) struct Stale {
    folder: Folder,
    parent: NodeId,
    bounds: Bounds,
}

impl Stale {
    /// Reads all names of the folder; `None` if its bounds are as they should be.
    pub(crate) fn count(rows: &dyn Rows, folder: NodeId) -> Result<Option<Self>, StoreError> {
        let Some((folder, parent)) = Folder::find(rows, folder)? else { return Ok(None) };
        let mut bounds = Bounds::default();
        for side in [Side::Live, Side::Dead] {
            for row in Pages::of(rows, side.table(), tree::members(folder.node.bucket, folder.row.node)) {
                let (sortname, dent) = tree::read_dent(&row?)?;
                bounds.grow(&sortname, &dent);
            }
        }
        Ok(bounds.below(&folder.row).then_some(Self { folder, parent, bounds }))
    }

    /// Lowers them, unless anything changed since.
    pub(crate) fn lower(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let Folder { node, side, row, .. } = &self.folder;
        if Folder::find(tx, row.node)?.is_none_or(|(now, _)| now != self.folder) {
            return Ok(false);
        }
        let row = FolderRow { longest: self.bounds.longest, height: self.bounds.height, ..row.clone() };
        tree::put_folder(tx, *side, (node.bucket, self.parent), &node.name, &row);
        Ok(true)
    }
}

/// How many folders are above one.
fn depth(rows: &dyn Rows, mut folder: NodeId) -> Result<usize, StoreError> {
    for above in 0..limits::KEY_SEGMENTS {
        match tree::node(rows, folder)?.and_then(|node| node.parent) {
            Some(parent) => folder = parent,
            None => return Ok(above),
        }
    }
    Ok(limits::KEY_SEGMENTS)
}

impl Holdall {
    /// Lowers the bounds of these folders, and then of those above them; tells how many.
    pub(super) async fn lower_bounds(&self, stale: Vec<NodeId>) -> Result<u64, Error> {
        let deepest_first = move |rows: &dyn Rows| {
            let folders = stale.into_iter().map(|folder| Ok((Reverse(depth(rows, folder)?), folder)));
            folders.collect::<Result<BTreeSet<_>, StoreError>>()
        };
        let mut folders = self.read(move |rows| Ok(deepest_first(rows)?)).await?;
        let mut lowered = 0;
        while let Some((Reverse(depth), folder)) = folders.pop_first() {
            if let Some(parent) = self.lower(folder).await? {
                lowered += 1;
                folders.insert((Reverse(depth.saturating_sub(1)), parent));
            }
        }
        Ok(lowered)
    }

    /// Lowers one folder's bounds and tells the folder above.
    async fn lower(&self, folder: NodeId) -> Result<Option<NodeId>, Error> {
        let Some(stale) = self.read(move |rows| Ok(Stale::count(rows, folder)?)).await? else {
            return Ok(None);
        };
        self.write(move |tx| Ok(stale.lower(tx)?.then_some(stale.parent))).await
    }
}
