//! Work that a verb leaves behind for jobs that run in small transactions of their own.

use super::put;
use crate::{
    model::ids::{AccountId, BucketId, UploadId},
    row,
    store::{
        error::StoreError,
        meta::{
            codec::Row,
            key::Key,
            rows::{KeyRange, KeyValue, Order, Rows, RowsMut},
            table::Table,
        },
    },
};

/// Stands before the key of work that was set aside; every kind is below it.
const ASIDE: u8 = 127;

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
    /// A completed upload whose parts' rows are left; [`super::taken`] tells which of them the file
    /// took over. Id: the upload.
    Completed,
    /// A dead folder whose properties are left: its row says that it has some until they are gone.
    /// Id: the folder's node.
    Props,
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
            Self::Completed => 22,
            Self::Props => 23,
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

/// The key of the next work of a kind.
///
/// # Errors
/// If the queue cannot be read.
pub fn next(rows: &dyn Rows, kind: Kind) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(rows.scan(Table::Queue, &all(kind), Order::Forward, 1)?.pop().map(|(key, _)| key))
}

/// The work at a key, if it is still queued.
///
/// # Errors
/// Damaged if the row cannot be read, or is not the work its key names.
pub fn at(rows: &dyn Rows, place: &[u8]) -> Result<Option<WorkRow>, StoreError> {
    rows.get(Table::Queue, place)?.map(|value| decode(place, &value)).transpose()
}

/// Reads work and makes sure that its key, the part behind the kind, agrees.
///
/// # Errors
/// Damaged if it cannot be read or does not.
pub fn decode(place: &[u8], value: &[u8]) -> Result<WorkRow, StoreError> {
    let row = WorkRow::decode(value)?;
    if !place.ends_with(&Key::new().number(row.bucket.0).number(row.id).done()) {
        return Err(StoreError::Damaged("queued work is not where its key says".into()));
    }
    Ok(row)
}

/// Whether work is on the queue.
///
/// # Errors
/// If the row cannot be read.
pub fn queued(rows: &dyn Rows, kind: Kind, row: &WorkRow) -> Result<bool, StoreError> {
    Ok(rows.get(Table::Queue, &key(kind, row))?.is_some())
}

/// Whether work was not done: it is on the queue, or was set aside.
///
/// # Errors
/// If the row cannot be read.
pub fn undone(rows: &dyn Rows, kind: Kind, row: &WorkRow) -> Result<bool, StoreError> {
    Ok(queued(rows, kind, row)? || rows.get(Table::Queue, &aside(&key(kind, row)))?.is_some())
}

/// The key of work that was set aside.
fn aside(place: &[u8]) -> Vec<u8> {
    let mut key = vec![ASIDE];
    key.extend_from_slice(place);
    key
}

/// All work that was set aside, of every kind.
#[must_use]
pub fn all_aside() -> KeyRange {
    KeyRange::prefix(vec![ASIDE])
}

/// The work of a kind that was set aside.
#[must_use]
pub fn of_kind_aside(kind: Kind) -> KeyRange {
    KeyRange::prefix(vec![ASIDE, kind.byte()])
}

/// Keeps work that cannot be done, whatever its row holds, where no job meets it.
///
/// # Errors
/// If the row cannot be read.
pub fn set_aside(rows: &mut dyn RowsMut, place: &[u8]) -> Result<(), StoreError> {
    if let Some(value) = rows.get(Table::Queue, place)? {
        rows.delete(Table::Queue, place.to_vec());
        rows.put(Table::Queue, aside(place), value);
    }
    Ok(())
}

/// Queues up to `limit` pieces of work again that were set aside; how many there were.
///
/// # Errors
/// If they cannot be read.
pub fn take_back(rows: &mut dyn RowsMut, limit: usize) -> Result<usize, StoreError> {
    let found: Vec<KeyValue> = rows.scan(Table::Queue, &all_aside(), Order::Forward, limit)?;
    for (key, value) in &found {
        rows.delete(Table::Queue, key.clone());
        rows.put(Table::Queue, key.get(1..).unwrap_or_default().to_vec(), value.clone());
    }
    Ok(found.len())
}

/// Takes work off the queue and from what was set aside: there is nothing left to do.
pub fn drop_work(rows: &mut dyn RowsMut, kind: Kind, row: &WorkRow) {
    rows.delete(Table::Queue, aside(&key(kind, row)));
    finish(rows, kind, row);
}

/// Whether work in a bucket will free bytes that a quota is held against.
///
/// # Errors
/// If the rows cannot be read.
pub fn frees(rows: &dyn Rows, bucket: BucketId) -> Result<bool, StoreError> {
    for kind in [Kind::Trashed, Kind::Subtree, Kind::Upload, Kind::Completed, Kind::Bucket] {
        let range = KeyRange::prefix(Key::new().byte(kind.byte()).number(bucket.0).done());
        let found = rows.scan(Table::Queue, &range, Order::Forward, LOOKED_AT)?;
        if found.len() == LOOKED_AT {
            return Ok(true);
        }
        for (_, value) in &found {
            if !WorkRow::decode(value)?.history {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Rows of one kind that [`frees`] reads. More are taken for freeing something.
const LOOKED_AT: usize = 100;

/// Names an upload's queue entry.
#[must_use]
pub fn upload(bucket: BucketId, owner: AccountId, upload: UploadId) -> WorkRow {
    WorkRow { bucket, owner, id: upload.0, history: false }
}
