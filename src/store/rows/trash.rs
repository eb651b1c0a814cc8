//! The trash people restore from, under `bucket, seq`: the place in the journal of the change that
//! removed an item.

use super::{get, put};
use crate::{
    enum_field,
    model::{
        ids::{AccountId, BucketId, HistoryId, NodeId, Seq},
        time::Timestamp,
    },
    row,
    store::{
        error::StoreError,
        meta::{
            key::Key,
            rows::{Rows, RowsMut},
            table::Table,
        },
    },
};

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
pub fn put_item(rows: &mut dyn RowsMut, bucket: BucketId, seq: Seq, row: &TrashRow) {
    put(rows, Table::Trash, Key::new().number(bucket.0).number(seq.0).done(), row);
}

/// An item of the trash.
///
/// # Errors
/// If the row cannot be read.
pub fn item(rows: &dyn Rows, bucket: BucketId, seq: Seq) -> Result<Option<TrashRow>, StoreError> {
    get(rows, Table::Trash, &Key::new().number(bucket.0).number(seq.0).done())
}
