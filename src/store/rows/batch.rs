//! Verbs on whole folders that go file by file, under `bucket, seq`: the bucket that is written
//! to, and a place in its journal that no other batch of the bucket has. A row lives from the
//! batch's first commit to its last and is all that a restart needs to go on.

use super::{get, put};
use crate::{
    enum_field,
    model::{
        ids::{AccountId, BucketId, Seq},
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

/// Names a batch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BatchId {
    /// The bucket that is written to.
    pub bucket: BucketId,
    /// Its place among the bucket's batches.
    pub seq: Seq,
}

impl BatchId {
    /// The key of its row.
    #[must_use]
    pub fn key(self) -> Vec<u8> {
        Key::new().number(self.bucket.0).number(self.seq.0).done()
    }
}

/// Adds a batch; `seq` is the bucket's next place in the journal, which earlier batches may have
/// taken without writing there.
///
/// # Errors
/// If the rows cannot be read.
pub fn add(
    rows: &mut dyn RowsMut,
    (bucket, seq): (BucketId, Seq),
    row: &BatchRow,
) -> Result<BatchId, StoreError> {
    let others = KeyRange::prefix(Key::new().number(bucket.0).done());
    let last = match rows.scan(Table::Batch, &others, Order::Reverse, 1)?.pop() {
        Some((key, _)) => Some(id_of(&key)?.seq),
        None => None,
    };
    let id = BatchId { bucket, seq: last.map_or(seq, |last| last.next().max(seq)) };
    set(rows, id, row);
    Ok(id)
}

fn id_of(key: &[u8]) -> Result<BatchId, StoreError> {
    let mut from = Reader::new(key);
    Ok(BatchId { bucket: BucketId(number(&mut from)?), seq: Seq(number(&mut from)?) })
}

/// A batch.
///
/// # Errors
/// If the row cannot be read.
pub fn batch(rows: &dyn Rows, id: BatchId) -> Result<Option<BatchRow>, StoreError> {
    get(rows, Table::Batch, &id.key())
}

/// Writes how far a batch is.
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
