//! Rows as the nouns doors are given.

use super::{
    Error,
    error::Large,
    nouns::{Attributes, FileVersion, Folder, ListedFile, Versioning},
};
use crate::{
    model::limits::{HEADER_VALUE_BYTES, USER_METADATA_BYTES},
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

/// Attributes as they are kept.
///
/// # Errors
/// Too large.
pub(crate) fn attribute_row(attributes: &Attributes) -> Result<AttributeRow, Error> {
    check(attributes)?;
    Ok(AttributeRow {
        content_type: attributes.content_type.clone(),
        content_encoding: attributes.content_encoding.clone(),
        content_language: attributes.content_language.clone(),
        content_disposition: attributes.content_disposition.clone(),
        cache_control: attributes.cache_control.clone(),
        expires: attributes.expires.clone(),
        user: attributes.user.clone(),
    })
}

fn check(attributes: &Attributes) -> Result<(), Error> {
    let user: usize = attributes.user.iter().map(|(name, value)| name.len() + value.len()).sum();
    if user > USER_METADATA_BYTES {
        return Err(Error::TooLarge { what: Large::UserMetadata, limit: USER_METADATA_BYTES as u64 });
    }
    let headers = [
        ("Content-Type", &attributes.content_type),
        ("Content-Encoding", &attributes.content_encoding),
        ("Content-Language", &attributes.content_language),
        ("Content-Disposition", &attributes.content_disposition),
        ("Cache-Control", &attributes.cache_control),
        ("Expires", &attributes.expires),
    ];
    let long = |value: &Option<String>| value.as_ref().is_some_and(|value| value.len() > HEADER_VALUE_BYTES);
    match headers.into_iter().find(|(_, value)| long(value)) {
        Some((name, _)) => {
            Err(Error::TooLarge { what: Large::Header(name), limit: HEADER_VALUE_BYTES as u64 })
        }
        None => Ok(()),
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
        twin: row.twin,
    }
}

/// A folder below the bucket's own.
pub(crate) fn folder(path: String, row: &FolderRow) -> Folder {
    let (has_props, has_locks) = (row.props, row.locks);
    Folder { path, node: row.node, created: row.created, has_props, has_locks }
}

/// The bucket's own folder. It has no row that knows of properties and locks.
pub(crate) fn root(bucket: &BucketRow) -> Folder {
    let (path, created) = (String::new(), bucket.created);
    Folder { path, node: bucket.root, created, has_props: true, has_locks: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_metadata_may_have_two_kilobytes_and_a_header_one() {
        let user = |length: usize| Attributes {
            user: vec![("name".into(), "x".repeat(length - 4))],
            ..Attributes::default()
        };
        assert!(attribute_row(&user(USER_METADATA_BYTES)).is_ok());
        let limit = |attributes: &Attributes| match attribute_row(attributes) {
            Err(Error::TooLarge { limit, .. }) => limit,
            other => panic!("{other:?}"),
        };
        assert_eq!(limit(&user(USER_METADATA_BYTES + 1)), 2048);
        let header = |length| Attributes { expires: Some("x".repeat(length)), ..Attributes::default() };
        assert!(attribute_row(&header(HEADER_VALUE_BYTES)).is_ok());
        assert_eq!(limit(&header(HEADER_VALUE_BYTES + 1)), 1024);
    }
}
