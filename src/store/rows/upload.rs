//! Multipart uploads: they belong to a key string, not to a node.

use super::{get, put, version::AttributeRow};
use crate::{
    model::{
        checksum::{Checksum, ChecksumKind},
        etag::Etag,
        ids::{AccountId, BucketId, ManifestId, Seq, UploadId},
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

row! {
    /// An open upload, under `bucket, key, seq`.
    UploadRow {
        /// Its id.
        id: UploadId,
        /// The place in the journal when it was begun; orders uploads of one key.
        seq: Seq,
        /// The key it will become.
        key: String,
        /// When it was begun.
        begun: Timestamp,
        /// Who began it.
        initiator: AccountId,
        /// What the version will carry.
        attributes: AttributeRow,
        /// The client's time of last change.
        modified: Option<Timestamp>,
        /// The checksum of every part; the flag asks for one over the parts' values.
        checksum: Option<(ChecksumKind, bool)>,
    }
}

row! {
    /// Leads from an id to its upload, and remembers for a while what a completed one became.
    UploadIdRow {
        /// The bucket.
        bucket: BucketId,
        /// The key.
        key: String,
        /// Where in [`UploadRow`]'s order.
        seq: Seq,
        /// The version it became, and when.
        completed: Option<(Seq, Timestamp)>,
    }
}

row! {
    /// A stored part.
    PartRow {
        /// Its bytes; carries one reference.
        manifest: ManifestId,
        /// Bytes.
        size: u64,
        /// Their MD5.
        md5: [u8; 16],
        /// When it was stored.
        stored: Timestamp,
        /// Checksums declared or asked for.
        checksums: Vec<Checksum>,
    }
}

impl PartRow {
    /// Its tag.
    #[must_use]
    pub fn etag(&self) -> Etag {
        Etag::of_md5(&self.md5)
    }
}

/// The key of an upload.
#[must_use]
pub fn upload_key(bucket: BucketId, key: &str, seq: Seq, id: UploadId) -> Vec<u8> {
    Key::new().number(bucket.0).part(key.as_bytes()).number(seq.0).number(id.0).done()
}

/// All uploads of a bucket, by key and then by the time they were begun.
#[must_use]
pub fn uploads(bucket: BucketId) -> KeyRange {
    KeyRange::prefix(Key::new().number(bucket.0).done())
}

/// The first possible row of uploads whose key is not before `key`.
#[must_use]
pub fn uploads_from(bucket: BucketId, key: &[u8]) -> Vec<u8> {
    // The escaped form without its end sorts before every key that starts with it.
    let mut from = Key::new().number(bucket.0).part(key).done();
    from.truncate(from.len().saturating_sub(2));
    from
}

/// What an id leads to.
///
/// # Errors
/// If the row cannot be read.
pub fn by_id(rows: &dyn Rows, id: UploadId) -> Result<Option<UploadIdRow>, StoreError> {
    get(rows, Table::UploadId, &Key::new().number(id.0).done())
}

/// Writes what an id leads to.
pub fn put_id(rows: &mut dyn RowsMut, id: UploadId, row: &UploadIdRow) {
    put(rows, Table::UploadId, Key::new().number(id.0).done(), row);
}

/// Forgets an id.
pub fn remove_id(rows: &mut dyn RowsMut, id: UploadId) {
    rows.delete(Table::UploadId, Key::new().number(id.0).done());
}

/// Up to `limit` ids behind one, oldest first.
///
/// # Errors
/// If the rows cannot be read.
pub fn ids(
    rows: &dyn Rows,
    after: Option<UploadId>,
    limit: usize,
) -> Result<Vec<(UploadId, UploadIdRow)>, StoreError> {
    let all = KeyRange::prefix(Vec::new());
    let range = match after {
        Some(id) => all.after(Key::new().number(id.0).done()),
        None => all,
    };
    let found = rows.scan(Table::UploadId, &range, Order::Forward, limit)?;
    let id = |key: &[u8]| UploadId(u64::from_be_bytes(key.try_into().unwrap_or_default()));
    found.iter().map(|(key, value)| Ok((id(key), UploadIdRow::decode(value)?))).collect()
}

/// An open upload.
///
/// # Errors
/// If the row cannot be read.
pub fn upload(rows: &dyn Rows, id: UploadId, at: &UploadIdRow) -> Result<Option<UploadRow>, StoreError> {
    get(rows, Table::Upload, &upload_key(at.bucket, &at.key, at.seq, id))
}

/// Writes an open upload.
pub fn put_upload(rows: &mut dyn RowsMut, bucket: BucketId, row: &UploadRow) {
    put(rows, Table::Upload, upload_key(bucket, &row.key, row.seq, row.id), row);
}

/// Removes an upload's row; its parts are the caller's to look after.
pub fn remove_upload(rows: &mut dyn RowsMut, bucket: BucketId, row: &UploadRow) {
    rows.delete(Table::Upload, upload_key(bucket, &row.key, row.seq, row.id));
}

fn part_key(id: UploadId, number: u32) -> Vec<u8> {
    Key::new().number(id.0).number(u64::from(number)).done()
}

/// A stored part.
///
/// # Errors
/// If the row cannot be read.
pub fn part(rows: &dyn Rows, id: UploadId, number: u32) -> Result<Option<PartRow>, StoreError> {
    get(rows, Table::Part, &part_key(id, number))
}

/// Up to `limit` parts behind a number, ascending.
///
/// # Errors
/// If the rows cannot be read.
pub fn parts(
    rows: &dyn Rows,
    id: UploadId,
    after: u32,
    limit: usize,
) -> Result<Vec<(u32, PartRow)>, StoreError> {
    let range = KeyRange::prefix(Key::new().number(id.0).done()).after(part_key(id, after));
    let found = rows.scan(Table::Part, &range, Order::Forward, limit)?;
    found
        .iter()
        .map(|(key, value)| {
            let number = key.get(8..).and_then(|tail| tail.try_into().ok()).map(u64::from_be_bytes);
            Ok((u32::try_from(number.unwrap_or_default()).unwrap_or(u32::MAX), PartRow::decode(value)?))
        })
        .collect()
}

/// Writes a part.
pub fn put_part(rows: &mut dyn RowsMut, id: UploadId, number: u32, row: &PartRow) {
    put(rows, Table::Part, part_key(id, number), row);
}

/// Removes a part's row; its manifest is the caller's to release or to take over.
pub fn remove_part(rows: &mut dyn RowsMut, id: UploadId, number: u32) {
    rows.delete(Table::Part, part_key(id, number));
}
