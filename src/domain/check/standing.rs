//! Where a folder stands: below a bucket's root, or in something that has no name any more.

use super::{Check, FindingKind, Pages, numbers};
use crate::{
    model::ids::{AccountId, BucketId, NodeId},
    store::{
        error::StoreError,
        meta::{codec::Row as _, rows::Rows, table::Table},
        rows::{
            trash::{TrashKind, TrashRow},
            tree::{self, FolderRow, Kind, Side},
            work::{self, WorkRow},
        },
    },
};

/// As what the files below a detached folder are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Counted {
    /// As live: a job did not come to it yet.
    Live,
    /// As history.
    History,
}

/// Where a folder stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Its parents reach the bucket's own folder.
    Attached,
    /// It is below something detached.
    Detached(Counted),
    /// Neither.
    Lost,
}

/// More folders than this above another are a circle.
const HIGHEST: usize = 4096;

/// A folder's row, by its identity, and the side it is on.
pub(super) fn folder(
    rows: &dyn Rows,
    bucket: BucketId,
    folder: NodeId,
) -> Result<Option<(Side, FolderRow)>, StoreError> {
    let Some(row) = tree::node(rows, folder)? else { return Ok(None) };
    let (Some(parent), Kind::Folder, true) = (row.parent, row.kind, row.bucket == bucket) else {
        return Ok(None);
    };
    for side in [Side::Live, Side::Dead] {
        let found = tree::folder(rows, side, (bucket, parent), &row.name)?;
        if let Some(found) = found.filter(|found| found.node == folder) {
            return Ok(Some((side, found)));
        }
    }
    Ok(None)
}

impl Check<'_> {
    /// Everything that has no name and is there all the same: the trash and the queue of work.
    pub(super) fn detached(&mut self) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Trash) {
            let (key, value) = row?;
            let ([bucket, seq], item) = (numbers(&key)?, TrashRow::decode(&value)?);
            let uncounted =
                WorkRow { bucket: BucketId(bucket), owner: AccountId::default(), id: seq, history: false };
            let pending = work::undone(self.rows, work::Kind::Trashed, &uncounted)?;
            let counted = match item.kind {
                TrashKind::Folder if pending => Counted::Live,
                TrashKind::Folder | TrashKind::File => Counted::History,
            };
            self.detached.insert(item.node, counted);
            if let Some(history) = item.history {
                self.whole_history(BucketId(bucket), history.0)?;
            }
        }
        for kind in [work::Kind::Subtree, work::Kind::Staging, work::Kind::History] {
            for row in self.left(kind)? {
                if kind == work::Kind::History {
                    self.whole_history(row.bucket, row.id)?;
                } else {
                    let counted = if row.history { Counted::History } else { Counted::Live };
                    self.detached.insert(NodeId(row.id), counted);
                }
            }
        }
        Ok(())
    }

    /// Work of a kind that is still to be done or was set aside; what cannot be read is noted.
    pub(super) fn left(&mut self, kind: work::Kind) -> Result<Vec<WorkRow>, StoreError> {
        let mut left = Vec::new();
        for range in [work::all(kind), work::of_kind_aside(kind)] {
            for row in Pages::of(self.rows, Table::Queue, range) {
                let (key, value) = row?;
                match work::decode(&key, &value) {
                    Ok(row) => left.push(row),
                    Err(error) => {
                        self.note(FindingKind::Work, format!("queued {}: {error}", hex::encode(&key)))
                    }
                }
            }
        }
        Ok(left)
    }

    /// Work that was set aside waits for somebody.
    pub(super) fn set_aside(&mut self) -> Result<(), StoreError> {
        for row in Pages::of(self.rows, Table::Queue, work::all_aside()) {
            let (key, _) = row?;
            self.note(FindingKind::Work, format!("{} was set aside, the log says why", hex::encode(&key)));
        }
        Ok(())
    }

    /// A folder's row, by its identity, and the side it is on.
    pub(super) fn folder(
        &self,
        bucket: BucketId,
        id: NodeId,
    ) -> Result<Option<(Side, FolderRow)>, StoreError> {
        folder(self.rows, bucket, id)
    }

    /// Where a folder stands.
    pub(super) fn standing(&self, bucket: BucketId, folder: NodeId) -> Result<Standing, StoreError> {
        let mut at = folder;
        for _ in 0..HIGHEST {
            if self.buckets.get(&bucket).is_some_and(|row| row.root == at) {
                return Ok(Standing::Attached);
            }
            let above = match self.folder(bucket, at)? {
                Some(_) => tree::node(self.rows, at)?.and_then(|row| row.parent),
                None => None,
            };
            match (above, self.detached.get(&at)) {
                (Some(above), _) => at = above,
                (None, Some(counted)) => return Ok(Standing::Detached(*counted)),
                (None, None) => return Ok(Standing::Lost),
            }
        }
        Ok(Standing::Lost)
    }

    /// The full name of something in a folder, for people.
    pub(super) fn path(&self, bucket: BucketId, folder: NodeId, name: &str) -> Result<String, StoreError> {
        let mut path = name.to_owned();
        let mut at = folder;
        for _ in 0..HIGHEST {
            match tree::node(self.rows, at)? {
                Some(row) => match row.parent {
                    Some(parent) => {
                        path = format!("{}/{path}", row.name);
                        at = parent;
                    }
                    None => break,
                },
                None => {
                    path = format!("({at})/{path}");
                    break;
                }
            }
        }
        Ok(format!("{}/{path}", self.bucket_name(bucket)))
    }

    /// Notes something about a name.
    pub(super) fn note_at(
        &mut self,
        kind: FindingKind,
        (bucket, folder, name): (BucketId, NodeId, &str),
        what: &str,
    ) -> Result<(), StoreError> {
        let path = self.path(bucket, folder, name)?;
        self.note_private(kind, format!("{path} {what}"));
        Ok(())
    }
}
