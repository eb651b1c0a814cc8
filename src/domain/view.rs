//! Rows as the nouns doors are given.

use super::nouns::{Attributes, FileVersion, Folder, ListedFile, Versioning};
use crate::{
    model::ids::Seq,
    store::rows::{
        bucket::BucketRow,
        tree::{FileRow, FolderRow},
        version::{AttributeRow, VersionRow},
    },
};

pub(crate) fn attributes(row: &AttributeRow) -> Attributes {
    Attributes {
        content_type: row.content_type.clone(),
        content_encoding: row.content_encoding.clone(),
        content_language: row.content_language.clone(),
        content_disposition: row.content_disposition.clone(),
        cache_control: row.cache_control.clone(),
        expires: row.expires.clone(),
        user: row.user.clone(),
    }
}

pub(crate) fn attribute_row(attributes: &Attributes) -> AttributeRow {
    AttributeRow {
        content_type: attributes.content_type.clone(),
        content_encoding: attributes.content_encoding.clone(),
        content_language: attributes.content_language.clone(),
        content_disposition: attributes.content_disposition.clone(),
        cache_control: attributes.cache_control.clone(),
        expires: attributes.expires.clone(),
        user: attributes.user.clone(),
    }
}

/// A version of the file `key`.
pub(crate) fn version(bucket: &BucketRow, key: String, file: &FileRow, row: &VersionRow) -> FileVersion {
    FileVersion {
        key,
        node: file.node,
        id: row.id,
        null: row.null,
        versioned: bucket.versioning != Versioning::Never,
        latest: file.latest == row.id,
        size: row.size,
        etag: row.etag.clone(),
        committed: row.committed,
        modified: row.modified,
        created: file.created,
        attributes: attributes(&row.attributes),
        checksums: row.checksums.clone(),
        parts: row.parts,
        owner: bucket.owner,
    }
}

/// A file as its name's row knows it.
pub(crate) fn listed(key: String, row: FileRow) -> ListedFile {
    ListedFile {
        key,
        node: row.node,
        size: row.size,
        etag: row.etag,
        committed: row.committed,
        modified: row.modified,
        created: row.created,
        content_type: row.content_type,
        checksums: row.checksums,
        has_props: row.props,
        has_locks: row.locks,
    }
}

/// A folder below the bucket's own.
pub(crate) fn folder(path: String, row: &FolderRow, changed: Seq) -> Folder {
    let (has_props, has_locks) = (row.props, row.locks);
    Folder { path, node: row.node, created: row.created, changed, has_props, has_locks }
}

/// The bucket's own folder. It has no row that knows of properties and locks.
pub(crate) fn root(bucket: &BucketRow, changed: Seq) -> Folder {
    let (path, created) = (String::new(), bucket.created);
    Folder { path, node: bucket.root, created, changed, has_props: true, has_locks: true }
}
