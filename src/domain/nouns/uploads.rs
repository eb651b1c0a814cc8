//! Multipart uploads.

use super::{Attributes, FileVersion, Owner, VersionRef};
use crate::model::{
    checksum::{Checksum, ChecksumKind},
    condition::Conditions,
    etag::Etag,
    ids::AccountId,
    time::Timestamp,
};
use std::ops::Range;

/// A multipart upload to be begun.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewUpload {
    /// Kept with the version that Complete makes.
    pub attributes: Attributes,
    /// The client's time of last change.
    pub modified: Option<Timestamp>,
    /// The checksum every part will have, and whether that of the whole is over the parts' values;
    /// `None` leaves it to the kind.
    pub checksum: Option<(ChecksumKind, Option<bool>)>,
}

/// An open multipart upload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upload {
    /// The key it will become.
    pub key: String,
    /// Its id, opaque.
    pub id: String,
    /// When it was begun.
    pub begun: Timestamp,
    /// Who began it.
    pub initiator: AccountId,
    /// The checksum of every part, and whether that of the whole is over the parts' values.
    pub checksum: Option<(ChecksumKind, bool)>,
}

/// A part that is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// 1 to [`crate::model::limits::PARTS`].
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// Its MD5 as a tag.
    pub etag: Etag,
    /// When it was stored.
    pub stored: Timestamp,
    /// Its checksums.
    pub checksums: Vec<Checksum>,
}

/// A page of an upload's parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartPage {
    /// The upload.
    pub upload: Upload,
    /// By number.
    pub parts: Vec<Part>,
    /// Whether there are more.
    pub more: bool,
    /// Who owns the bucket.
    pub owner: Owner,
}

/// A part as Complete names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimedPart {
    /// Its number.
    pub number: u32,
    /// The tag it must have.
    pub etag: Etag,
    /// Checksums it must have.
    pub checksums: Vec<Checksum>,
}

/// How an upload is completed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CompleteOptions {
    /// In ascending order.
    pub parts: Vec<ClaimedPart>,
    /// Must hold in the commit.
    pub conditions: Conditions,
    /// The checksum the whole must have.
    pub checksum: Option<Checksum>,
    /// Whether the upload must have been begun with a checksum over the parts' values, or without.
    pub over_parts: Option<bool>,
    /// The size the whole must have.
    pub size: Option<u64>,
    /// Lock tokens submitted.
    pub tokens: Vec<String>,
}

/// A part copied from another file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CopyPart {
    /// The source's version.
    pub version: Option<VersionRef>,
    /// Must hold for the source.
    pub conditions: Conditions,
    /// Only these bytes; must lie within the source.
    pub range: Option<Range<u64>>,
    /// No more bytes than this are copied.
    pub most_bytes: Option<u64>,
}

/// A part that was copied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartCopied {
    /// The part.
    pub part: Part,
    /// The version it was copied from.
    pub source: FileVersion,
}

/// Which uploads to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListUploads {
    /// As in [`super::ListKeys`].
    pub prefix: String,
    /// As in [`super::ListKeys`].
    pub delimiter: Option<String>,
    /// Start behind this key, or within it behind `id_after`.
    pub key_after: Option<String>,
    /// Start behind this upload of `key_after`.
    pub id_after: Option<String>,
    /// At most this many entries.
    pub limit: usize,
}

/// A page of uploads.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UploadPage {
    /// By key, then by the time they were begun.
    pub uploads: Vec<Upload>,
    /// Groups of keys that share a prefix.
    pub prefixes: Vec<String>,
    /// Where the next page goes on: key or common prefix, and upload id.
    pub next: Option<(String, Option<String>)>,
    /// Who owns the bucket.
    pub owner: Owner,
}
