//! The journal: one row for every verb that changed a bucket, in the order they became visible.

use crate::{
    enum_field,
    model::{
        ids::{AccountId, BucketId, NodeId, Seq},
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

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// New content or attributes.
    Put,
    /// Gone, or hidden by a marker.
    Removed,
    /// A folder became explicit.
    Folder,
    /// Moved here.
    Moved,
    /// Copied here.
    Copied,
    /// A version was removed for good.
    VersionRemoved,
    /// Dead properties changed.
    Props,
}

enum_field! {
    EventKind: Put = 0, Removed = 1, Folder = 2, Moved = 3, Copied = 4, VersionRemoved = 5, Props = 6;
}

row! {
    /// A change.
    ChangeRow {
        /// When it happened.
        at: Timestamp,
        /// Who did it.
        by: Option<AccountId>,
        /// What happened.
        kind: EventKind,
        /// To which file or folder.
        node: NodeId,
        /// Its key afterwards; a folder's ends in `/`.
        path: String,
        /// The key it was moved or copied from.
        from: Option<String>,
    }
}

/// Writes a change at its place.
pub fn append(rows: &mut dyn RowsMut, bucket: BucketId, seq: Seq, row: &ChangeRow) {
    rows.put(Table::Journal, Key::new().number(bucket.0).number(seq.0).done(), row.encode());
}

/// Up to `limit` changes behind `after`, oldest first.
///
/// # Errors
/// If the rows cannot be read.
pub fn changes(
    rows: &dyn Rows,
    bucket: BucketId,
    after: Seq,
    limit: usize,
) -> Result<Vec<(Seq, ChangeRow)>, StoreError> {
    let all = KeyRange::prefix(Key::new().number(bucket.0).done());
    let range = all.after(Key::new().number(bucket.0).number(after.0).done());
    let found = rows.scan(Table::Journal, &range, Order::Forward, limit)?;
    found
        .iter()
        .map(|(key, value)| {
            let mut from = Reader::new(key);
            number(&mut from)?;
            Ok((Seq(number(&mut from)?), ChangeRow::decode(value)?))
        })
        .collect()
}

/// The place of the oldest change that is kept; `None` before the first one.
///
/// # Errors
/// If the row cannot be read.
pub fn oldest(rows: &dyn Rows, bucket: BucketId) -> Result<Option<Seq>, StoreError> {
    place(rows, bucket, Order::Forward)
}

/// The place of the newest change; `None` before the first one.
///
/// # Errors
/// If the row cannot be read.
pub fn newest(rows: &dyn Rows, bucket: BucketId) -> Result<Option<Seq>, StoreError> {
    place(rows, bucket, Order::Reverse)
}

fn place(rows: &dyn Rows, bucket: BucketId, order: Order) -> Result<Option<Seq>, StoreError> {
    let all = KeyRange::prefix(Key::new().number(bucket.0).done());
    let found = rows.scan(Table::Journal, &all, order, 1)?;
    let seq = |key: &[u8]| {
        let mut from = Reader::new(key);
        number(&mut from)?;
        number(&mut from).map(Seq)
    };
    found.first().map(|(key, _)| seq(key)).transpose()
}

/// Removes a change. Only ever the oldest one, and never the newest: the next one counts from it.
pub fn remove(rows: &mut dyn RowsMut, bucket: BucketId, seq: Seq) {
    rows.delete(Table::Journal, Key::new().number(bucket.0).number(seq.0).done());
}
