//! Work that a verb leaves behind for jobs that run in small transactions of their own, and the
//! trash people restore from.

use super::put;
use crate::{
    enum_field,
    model::{
        ids::{AccountId, BucketId, HistoryId, NodeId, Seq, UploadId},
        time::Timestamp,
    },
    row,
    store::{
        error::StoreError,
        meta::{
            codec::Row,
            key::Key,
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
    },
};

/// The kinds of work in `queue`, each its own stretch of keys. The numbers up to 15 belong to
/// manifests and chunks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A folder that left its name: everything below it is to be released. Id: the folder's node.
    Subtree,
    /// A file whose versions are to be released. Id: the history.
    History,
    /// An upload whose parts are to be released. Id: the upload.
    Upload,
    /// A bucket whose trash, journal and uploads are to be released. Id: the bucket.
    Bucket,
    /// A copy of a folder that is being made and has no name yet. Id: the new folder's node. Found
    /// at start, it is what a crash left, and becomes [`Kind::Subtree`].
    Staging,
    /// A folder in the trash whose bytes are still counted as live. Id: the seq of its trash row.
    Trashed,
}

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Self::Subtree => 16,
            Self::History => 17,
            Self::Upload => 18,
            Self::Bucket => 19,
            Self::Staging => 20,
            Self::Trashed => 21,
        }
    }
}

row! {
    /// A piece of work.
    WorkRow {
        /// The bucket it is in.
        bucket: BucketId,
        /// Who is charged for what it releases.
        owner: AccountId,
        /// What it is about; the kind says of what.
        id: u64,
        /// Whether what it releases is counted as history rather than as live.
        history: bool,
    }
}

/// The bucket is part of it: ids of some kinds are only told apart within theirs.
fn key(kind: Kind, row: &WorkRow) -> Vec<u8> {
    Key::new().byte(kind.byte()).number(row.bucket.0).number(row.id).done()
}

/// All work of a kind.
#[must_use]
pub fn all(kind: Kind) -> KeyRange {
    KeyRange::prefix(vec![kind.byte()])
}

/// Queues work; the same work twice is once.
pub fn queue(rows: &mut dyn RowsMut, kind: Kind, row: &WorkRow) {
    put(rows, Table::Queue, key(kind, row), row);
}

/// Takes work off the queue.
pub fn finish(rows: &mut dyn RowsMut, kind: Kind, row: &WorkRow) {
    rows.delete(Table::Queue, key(kind, row));
}

/// The next work of a kind.
///
/// # Errors
/// If the row cannot be read.
pub fn next(rows: &dyn Rows, kind: Kind) -> Result<Option<WorkRow>, StoreError> {
    let found = rows.scan(Table::Queue, &all(kind), Order::Forward, 1)?;
    found.first().map(|(_, value)| WorkRow::decode(value)).transpose()
}

/// Whether work is still to be done.
///
/// # Errors
/// If the row cannot be read.
pub fn queued(rows: &dyn Rows, kind: Kind, row: &WorkRow) -> Result<bool, StoreError> {
    Ok(rows.get(Table::Queue, &key(kind, row))?.is_some())
}

/// What an item in the trash was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrashKind {
    /// A file; the id is its history.
    File,
    /// A folder; the id is its node.
    Folder,
}

enum_field! {
    TrashKind: File = 0, Folder = 1;
}

row! {
    /// Something people may restore.
    TrashRow {
        /// File or folder.
        kind: TrashKind,
        /// Its identity.
        node: NodeId,
        /// A file's versions.
        history: Option<HistoryId>,
        /// The key it had; a folder's ends in `/`.
        path: String,
        /// When it was removed.
        at: Timestamp,
        /// Who removed it.
        by: Option<AccountId>,
        /// Bytes it holds, as far as known without a walk.
        size: u64,
    }
}

/// Puts an item into the trash, at the place of the change that removed it.
pub fn trash(rows: &mut dyn RowsMut, bucket: BucketId, seq: Seq, row: &TrashRow) {
    put(rows, Table::Trash, Key::new().number(bucket.0).number(seq.0).done(), row);
}

/// An item of the trash.
///
/// # Errors
/// If the row cannot be read.
pub fn trashed(rows: &dyn Rows, bucket: BucketId, seq: Seq) -> Result<Option<TrashRow>, StoreError> {
    super::get(rows, Table::Trash, &Key::new().number(bucket.0).number(seq.0).done())
}

/// Names an upload's queue entry.
#[must_use]
pub fn upload(bucket: BucketId, owner: AccountId, upload: UploadId) -> WorkRow {
    WorkRow { bucket, owner, id: upload.0, history: false }
}
