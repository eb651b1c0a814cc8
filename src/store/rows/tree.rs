//! Names in folders.
//!
//! `dent` and `dead` are keyed `bucket, parent, sortname`, where the sortname of a file is its
//! name and that of a folder its name and `/`. A depth-first walk in byte order of sortnames is
//! therefore the byte order of full keys, and a file `a` and a folder `a/` are two rows. `dent`
//! holds what a plain listing shows; `dead` what only a listing of versions does. `node` leads
//! from an identity back to its name.

use super::{get, put};
use crate::{
    enum_field,
    model::{
        address::nfc,
        checksum::ChecksumKind,
        etag::Etag,
        ids::{BucketId, HistoryId, NodeId, Seq, VersionId},
        time::Timestamp,
    },
    row,
    store::{
        error::StoreError,
        meta::{
            codec::{Field, Row},
            key::Key,
            rows::{KeyRange, KeyValue, Order, Rows, RowsMut},
            table::Table,
        },
    },
};

row! {
    /// A file's name: everything a listing shows of its newest version.
    FileRow {
        /// The file's identity.
        node: NodeId,
        /// Where its versions are.
        history: HistoryId,
        /// Its newest version; a delete marker if the row is in `dead`.
        latest: VersionId,
        /// The place of its null version, if it has one.
        null: Option<Seq>,
        /// Bytes.
        size: u64,
        /// The content's tag.
        etag: Etag,
        /// When the newest version was committed.
        committed: Timestamp,
        /// The client's time of last change, or the commit time.
        modified: Timestamp,
        /// When the file was made.
        created: Timestamp,
        /// Content type, if the client gave one.
        content_type: Option<String>,
        /// Kinds of checksums kept, and whether they are over parts.
        checksums: Vec<(ChecksumKind, bool)>,
        /// It has dead properties.
        props: bool,
        /// It is locked directly.
        locks: bool,
        /// A folder of the same name stands beside it; tree doors show that one.
        twin: bool,
    }
}

row! {
    /// A folder's name.
    FolderRow {
        /// The folder's identity.
        node: NodeId,
        /// When it was made.
        created: Timestamp,
        /// No key below has more bytes than this after the folder's own; never too low.
        longest: u32,
        /// No key below has more segments than this after the folder's own; never too low.
        height: u32,
        /// It has dead properties.
        props: bool,
        /// It is locked directly.
        locks: bool,
        /// A file of the same name stands beside it.
        twin: bool,
    }
}

/// File or folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
}

enum_field! {
    Kind: File = 0, Folder = 1;
}

row! {
    /// Where a node is.
    NodeRow {
        /// Its bucket.
        bucket: BucketId,
        /// The folder it is in; a bucket's own folder is in none.
        parent: Option<NodeId>,
        /// Its name in that folder.
        name: String,
        /// File or folder.
        kind: Kind,
    }
}

/// Either row of a folder's listing.
#[derive(Clone, PartialEq, Debug)]
pub enum Dent {
    /// A file.
    File(FileRow),
    /// A folder.
    Folder(FolderRow),
}

/// Which of the two tables of names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// What a plain listing shows.
    Live,
    /// What is there only as deleted.
    Dead,
}

impl Side {
    /// The table.
    #[must_use]
    pub fn table(self) -> Table {
        match self {
            Self::Live => Table::Dent,
            Self::Dead => Table::Dead,
        }
    }
}

/// The sortname of a file.
#[must_use]
pub fn file_sortname(name: &str) -> String {
    name.to_owned()
}

/// The sortname of a folder.
#[must_use]
pub fn folder_sortname(name: &str) -> String {
    format!("{name}/")
}

/// The key of a name.
#[must_use]
pub fn dent_key(bucket: BucketId, parent: NodeId, sortname: &str) -> Vec<u8> {
    Key::new().number(bucket.0).number(parent.0).last(sortname.as_bytes())
}

/// All names of a folder.
#[must_use]
pub fn members(bucket: BucketId, parent: NodeId) -> KeyRange {
    KeyRange::prefix(Key::new().number(bucket.0).number(parent.0).done())
}

/// A file by its name.
///
/// # Errors
/// If the row cannot be read.
pub fn file(
    rows: &dyn Rows,
    side: Side,
    at: (BucketId, NodeId),
    name: &str,
) -> Result<Option<FileRow>, StoreError> {
    get(rows, side.table(), &dent_key(at.0, at.1, name))
}

/// A folder by its name.
///
/// # Errors
/// If the row cannot be read.
pub fn folder(
    rows: &dyn Rows,
    side: Side,
    at: (BucketId, NodeId),
    name: &str,
) -> Result<Option<FolderRow>, StoreError> {
    get(rows, side.table(), &dent_key(at.0, at.1, &folder_sortname(name)))
}

/// Writes a file's name.
pub fn put_file(rows: &mut dyn RowsMut, side: Side, at: (BucketId, NodeId), name: &str, row: &FileRow) {
    put(rows, side.table(), dent_key(at.0, at.1, name), row);
}

/// Writes a folder's name.
pub fn put_folder(rows: &mut dyn RowsMut, side: Side, at: (BucketId, NodeId), name: &str, row: &FolderRow) {
    put(rows, side.table(), dent_key(at.0, at.1, &folder_sortname(name)), row);
}

/// Removes a name.
pub fn remove_name(rows: &mut dyn RowsMut, side: Side, at: (BucketId, NodeId), sortname: &str) {
    rows.delete(side.table(), dent_key(at.0, at.1, sortname));
}

/// Takes a row of `dent` or `dead` apart: its sortname and what stands there.
///
/// # Errors
/// Damaged if it is not such a row.
pub fn read_dent(row: &KeyValue) -> Result<(String, Dent), StoreError> {
    let sortname = row.0.get(16..).and_then(|name| std::str::from_utf8(name).ok());
    let sortname = sortname.ok_or_else(|| StoreError::Damaged("a name has an impossible key".into()))?;
    let dent = if sortname.ends_with('/') {
        Dent::Folder(FolderRow::decode(&row.1)?)
    } else {
        Dent::File(FileRow::decode(&row.1)?)
    };
    Ok((sortname.to_owned(), dent))
}

/// Where a node is.
///
/// # Errors
/// If the row cannot be read.
pub fn node(rows: &dyn Rows, node: NodeId) -> Result<Option<NodeRow>, StoreError> {
    get(rows, Table::Node, &Key::new().number(node.0).done())
}

/// Writes where a node is.
pub fn put_node(rows: &mut dyn RowsMut, node: NodeId, row: &NodeRow) {
    put(rows, Table::Node, Key::new().number(node.0).done(), row);
}

/// Forgets a node.
pub fn remove_node(rows: &mut dyn RowsMut, node: NodeId) {
    rows.delete(Table::Node, Key::new().number(node.0).done());
}

fn alias_key(at: (BucketId, NodeId), nfc: &str, sortname: &str) -> Vec<u8> {
    Key::new().number(at.0.0).number(at.1.0).part(nfc.as_bytes()).last(sortname.as_bytes())
}

/// Notes a name that is not in NFC, so that tree doors find it.
pub fn put_alias(rows: &mut dyn RowsMut, at: (BucketId, NodeId), name: &str, sortname: &str) {
    if let Some(nfc) = nfc(name) {
        rows.put(Table::Alias, alias_key(at, &nfc, sortname), Vec::new());
    }
}

/// Takes back [`put_alias`].
pub fn remove_alias(rows: &mut dyn RowsMut, at: (BucketId, NodeId), name: &str, sortname: &str) {
    if let Some(nfc) = nfc(name) {
        rows.delete(Table::Alias, alias_key(at, &nfc, sortname));
    }
}

/// The first name of that kind whose NFC form is `nfc` without being it.
///
/// # Errors
/// If the rows cannot be read.
pub fn alias(
    rows: &dyn Rows,
    at: (BucketId, NodeId),
    nfc: &str,
    kind: Kind,
) -> Result<Option<String>, StoreError> {
    let prefix = Key::new().number(at.0.0).number(at.1.0).part(nfc.as_bytes()).done();
    let found = rows.scan(Table::Alias, &KeyRange::prefix(prefix.clone()), Order::Forward, ALIASES_READ)?;
    let names = found.iter().filter_map(|(key, _)| std::str::from_utf8(key.get(prefix.len()..)?).ok());
    let mut names = names.filter(|name| (kind == Kind::Folder) == name.ends_with('/'));
    Ok(names.next().map(|name| name.strip_suffix('/').unwrap_or(name).to_owned()))
}

/// Forms of one name in one folder that a look-up reads at most.
const ALIASES_READ: usize = 16;

/// The last change below a folder.
///
/// # Errors
/// If the row cannot be read.
pub fn ctag(rows: &dyn Rows, bucket: BucketId, folder: NodeId) -> Result<Seq, StoreError> {
    let value = rows.get(Table::Ctag, &Key::new().number(bucket.0).number(folder.0).done())?;
    value.map_or(Ok(Seq(0)), |value| Seq::read(&mut crate::store::meta::codec::Reader::new(&value)))
}
