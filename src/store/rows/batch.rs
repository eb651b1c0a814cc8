//! Verbs on whole folders that go file by file, under `bucket, batch`: the bucket that is written
//! to, and a number that no other batch ever had or will have. A row lives from the batch's first
//! commit to its last and is all that a restart needs to go on.

use super::{get, put};
use crate::{
    enum_field,
    model::{
        ids::{AccountId, BucketId},
        name::BucketName,
        time::Timestamp,
    },
    row,
    store::{
        error::StoreError,
        meta::{
            codec::{Reader, Row},
            key::{Key, number},
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
    },
};

/// What happens to each file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BatchKind {
    /// It goes.
    Remove,
    /// It is copied.
    Copy,
    /// It is moved.
    Move,
}

enum_field! {
    BatchKind: Remove = 0, Copy = 1, Move = 2;
}

row! {
    /// A batch under way.
    BatchRow {
        /// What happens to each file.
        kind: BatchKind,
        /// For whom.
        account: AccountId,
        /// The buckets that the credential it was asked with is good for; all if there are none.
        only: Vec<BucketName>,
        /// Lock tokens submitted.
        tokens: Vec<String>,
        /// When it began.
        began: Timestamp,
        /// The folder it is about, or the file that replaces a folder: bucket, and key without a
        /// slash at the end.
        from: (BucketId, String),
        /// Where that goes.
        to: Option<(BucketId, String)>,
        /// It is about one file.
        file: bool,
        /// The client's time of last change for that file.
        modified: Option<Timestamp>,
        /// What stands at the destination and is not in the source is still being removed.
        clearing: bool,
        /// The key it has come to.
        after: Option<String>,
        /// Files that could not be done so far.
        refused: u64,
    }
}

impl BatchRow {
    /// The bucket that is written to, under which the row lies.
    #[must_use]
    pub fn writes_to(&self) -> BucketId {
        self.to.as_ref().map_or(self.from.0, |(bucket, _)| *bucket)
    }
}

/// Names a batch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BatchId {
    /// The bucket that is written to.
    pub bucket: BucketId,
    /// Its own number, never used again: who still drives a batch that ended drives no other.
    pub number: u64,
}

impl BatchId {
    /// The key of its row.
    #[must_use]
    pub fn key(self) -> Vec<u8> {
        Key::new().number(self.bucket.0).number(self.number).done()
    }
}

fn id_of(key: &[u8]) -> Result<BatchId, StoreError> {
    let mut from = Reader::new(key);
    Ok(BatchId { bucket: BucketId(number(&mut from)?), number: number(&mut from)? })
}

/// A batch.
///
/// # Errors
/// If the row cannot be read.
pub fn batch(rows: &dyn Rows, id: BatchId) -> Result<Option<BatchRow>, StoreError> {
    get(rows, Table::Batch, &id.key())
}

/// Writes a batch: that it began, or how far it is.
pub fn set(rows: &mut dyn RowsMut, id: BatchId, row: &BatchRow) {
    put(rows, Table::Batch, id.key(), row);
}

/// Ends a batch.
pub fn remove(rows: &mut dyn RowsMut, id: BatchId) {
    rows.delete(Table::Batch, id.key());
}

/// Up to `limit` batches behind one; a row that is damaged is `None`.
///
/// # Errors
/// If the rows cannot be read.
pub fn all(
    rows: &dyn Rows,
    after: Option<BatchId>,
    limit: usize,
) -> Result<Vec<(BatchId, Option<BatchRow>)>, StoreError> {
    let all = KeyRange::prefix(Vec::new());
    let range = match after {
        Some(id) => all.after(id.key()),
        None => all,
    };
    let found = rows.scan(Table::Batch, &range, Order::Forward, limit)?;
    found.iter().map(|(key, value)| Ok((id_of(key)?, BatchRow::decode(value).ok()))).collect()
}
