//! Versions of files, newest first under `bucket, history, class, !seq`.

use super::{get, put};
use crate::{
    enum_field,
    model::{
        checksum::Checksum,
        etag::Etag,
        ids::{BucketId, HistoryId, ManifestId, Seq, VersionId},
        time::Timestamp,
    },
    row,
    store::{
        error::StoreError,
        meta::{
            codec::{Field, Reader, Row},
            key::{Key, number},
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
    },
};

/// Whom a version is kept for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// S3 lists it: the current version, and all of a versioned bucket.
    S3,
    /// People may restore it; S3 never sees it, not even after versioning is enabled.
    People,
}

impl Class {
    fn byte(self) -> u8 {
        match self {
            Self::S3 => 0,
            Self::People => 1,
        }
    }
}

/// What a version is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// Bytes.
    File,
    /// None: a delete marker.
    Marker,
}

enum_field! {
    Content: File = 0, Marker = 1;
}

row! {
    /// What a client said about the content, as it is stored.
    #[derive(Default)]
    AttributeRow {
        /// `Content-Type`.
        content_type: Option<String>,
        /// `Content-Encoding`.
        content_encoding: Option<String>,
        /// `Content-Language`.
        content_language: Option<String>,
        /// `Content-Disposition`.
        content_disposition: Option<String>,
        /// `Cache-Control`.
        cache_control: Option<String>,
        /// `Expires`.
        expires: Option<String>,
        /// User metadata.
        user: Vec<(String, String)>,
    }
}

impl Field for AttributeRow {
    fn write(&self, out: &mut Vec<u8>) {
        crate::store::meta::codec::Bytes(self.encode()).write(out);
    }

    fn read(from: &mut crate::store::meta::codec::Reader<'_>) -> Result<Self, StoreError> {
        Self::decode(&crate::store::meta::codec::Bytes::read(from)?.0)
    }
}

row! {
    /// One version.
    VersionRow {
        /// Its id; the seq is the one in the key.
        id: VersionId,
        /// It is the null version.
        null: bool,
        /// Bytes or a delete marker.
        content: Content,
        /// Where the bytes are; an empty file has no manifest.
        manifest: Option<ManifestId>,
        /// Bytes.
        size: u64,
        /// The content's tag.
        etag: Etag,
        /// When it was committed.
        committed: Timestamp,
        /// The client's time of last change, or the commit time.
        modified: Timestamp,
        /// What the client said about it.
        attributes: AttributeRow,
        /// Checksums kept with it.
        checksums: Vec<Checksum>,
        /// Number of parts, if it came as a multipart upload.
        parts: Option<u32>,
    }
}

fn prefix(bucket: BucketId, history: HistoryId, class: Class) -> Key {
    Key::new().number(bucket.0).number(history.0).byte(class.byte())
}

/// For whom the version with this key is kept; `None` if no class is written so.
#[must_use]
pub fn class_of(key: &[u8]) -> Option<Class> {
    [Class::S3, Class::People].into_iter().find(|class| key.get(16) == Some(&class.byte()))
}

/// The key of a version.
#[must_use]
pub fn version_key(bucket: BucketId, history: HistoryId, class: Class, seq: Seq) -> Vec<u8> {
    prefix(bucket, history, class).newest_first(seq.0).done()
}

/// One version.
///
/// # Errors
/// If the row cannot be read.
pub fn version(
    rows: &dyn Rows,
    at: (BucketId, HistoryId),
    class: Class,
    seq: Seq,
) -> Result<Option<VersionRow>, StoreError> {
    get(rows, Table::Versions, &version_key(at.0, at.1, class, seq))
}

/// Up to `limit` versions older than `behind` (or all from the newest on), newest first.
///
/// # Errors
/// If the rows cannot be read.
pub fn versions(
    rows: &dyn Rows,
    at: (BucketId, HistoryId),
    class: Class,
    behind: Option<Seq>,
    limit: usize,
) -> Result<Vec<VersionRow>, StoreError> {
    let all = KeyRange::prefix(prefix(at.0, at.1, class).done());
    let range = match behind {
        Some(seq) => all.after(version_key(at.0, at.1, class, seq)),
        None => all,
    };
    let found = rows.scan(Table::Versions, &range, Order::Forward, limit)?;
    found.iter().map(|(_, value)| VersionRow::decode(value)).collect()
}

/// Writes a version.
pub fn put_version(rows: &mut dyn RowsMut, at: (BucketId, HistoryId), class: Class, row: &VersionRow) {
    put(rows, Table::Versions, version_key(at.0, at.1, class, row.id.seq), row);
}

/// When people's version was replaced, and which it is: in the order of time, so that what is over
/// is found without a look at any name. A version that went earlier leaves its row until then.
pub type Replaced = (Timestamp, HistoryId, Seq);

fn replaced_key(bucket: BucketId, (at, history, seq): Replaced) -> Vec<u8> {
    let at = u64::try_from(at.0).unwrap_or_default();
    Key::new().number(bucket.0).number(at).number(history.0).number(seq.0).done()
}

/// Notes that a version was replaced.
pub fn put_replaced(rows: &mut dyn RowsMut, bucket: BucketId, which: Replaced) {
    rows.put(Table::Replaced, replaced_key(bucket, which), Vec::new());
}

/// Takes back [`put_replaced`].
pub fn remove_replaced(rows: &mut dyn RowsMut, bucket: BucketId, which: Replaced) {
    rows.delete(Table::Replaced, replaced_key(bucket, which));
}

/// Up to `limit` of a bucket's replaced versions, the oldest first.
///
/// # Errors
/// If the rows cannot be read.
pub fn replaced(rows: &dyn Rows, bucket: BucketId, limit: usize) -> Result<Vec<Replaced>, StoreError> {
    let all = KeyRange::prefix(Key::new().number(bucket.0).done());
    let found = rows.scan(Table::Replaced, &all, Order::Forward, limit)?;
    let read = |(key, _): &(Vec<u8>, Vec<u8>)| {
        let mut from = Reader::new(key);
        number(&mut from)?;
        let at = Timestamp(i64::try_from(number(&mut from)?).unwrap_or(i64::MAX));
        Ok((at, HistoryId(number(&mut from)?), Seq(number(&mut from)?)))
    };
    found.iter().map(read).collect()
}

/// Removes a version's row; its manifest is the caller's to release.
pub fn remove_version(rows: &mut dyn RowsMut, at: (BucketId, HistoryId), class: Class, seq: Seq) {
    rows.delete(Table::Versions, version_key(at.0, at.1, class, seq));
}
