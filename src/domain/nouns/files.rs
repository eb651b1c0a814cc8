//! What is read and written: versions of files, folders, bodies.

use crate::model::{
    checksum::{Checksum, ChecksumKind},
    condition::Conditions,
    etag::Etag,
    extra::Extra,
    ids::{AccountId, NodeId, VersionId},
    time::Timestamp,
};

/// Which version of a file is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VersionRef {
    /// The one with this id.
    Id(VersionId),
    /// The null version, whatever its id.
    Null,
}

/// What a client may say about content beside its bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes {
    /// `Content-Type`; `None` lets the door choose what it shows.
    pub content_type: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Expires`, as it was sent.
    pub expires: Option<String>,
    /// User metadata (`x-amz-meta-*`): lower-case names without the prefix, and values.
    pub user: Vec<(String, String)>,
}

/// One version of a file, as every door shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileVersion {
    /// The full key below the bucket.
    pub key: String,
    /// The file's identity.
    pub node: NodeId,
    /// The version's id.
    pub id: VersionId,
    /// It is the null version: S3 calls it `null`.
    pub null: bool,
    /// Whether the bucket was ever versioned, so that S3 names versions at all.
    pub versioned: bool,
    /// Whether it is the newest.
    pub latest: bool,
    /// Bytes.
    pub size: u64,
    /// The content's tag.
    pub etag: Etag,
    /// When it was committed: S3's Last-Modified.
    pub committed: Timestamp,
    /// The client's time of last change, or the commit time: WebDAV's getlastmodified.
    pub modified: Timestamp,
    /// When the file was made.
    pub created: Timestamp,
    /// What the client said about it.
    pub attributes: Attributes,
    /// Checksums kept with it.
    pub checksums: Vec<Checksum>,
    /// Number of parts, if it came as a multipart upload.
    pub parts: Option<u32>,
    /// Who owns the bucket it is in.
    pub owner: AccountId,
}

/// A folder, as a tree door shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder {
    /// Its path below the bucket, without slashes at the ends; empty for the bucket itself.
    pub path: String,
    /// Its identity.
    pub node: NodeId,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it may have dead properties.
    pub has_props: bool,
    /// Whether it may be locked directly.
    pub has_locks: bool,
}

/// What a tree path names.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every one is of the large kind")]
pub enum Item {
    /// A file, by its current version.
    File(FileVersion),
    /// A folder, or the bucket itself.
    Folder(Folder),
}

/// What a body is known to be before its bytes come.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expected {
    /// Its size, if declared.
    pub size: Option<u64>,
    /// Checksums to compute beside MD5, because the client declares them or a trailer will.
    pub checksums: Vec<ChecksumKind>,
    /// Whether the SHA-256 of the whole body is needed (a signed payload).
    pub sha256: bool,
    /// Other digests to compute, each once, because the client declares them.
    pub extras: Vec<Extra>,
    /// Kept with the version. Parts have none: what their upload was begun with is kept.
    pub attributes: Attributes,
}

/// What the client declared of the body; each is verified before the commit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Declared {
    /// `Content-Length`, `x-amz-decoded-content-length`, `X-Expected-Entity-Length`.
    pub size: Option<u64>,
    /// `Content-MD5`.
    pub md5: Option<[u8; 16]>,
    /// `x-amz-content-sha256` of a signed payload.
    pub sha256: Option<[u8; 32]>,
    /// `x-amz-checksum-*`, from headers or trailers; kept with the version.
    pub checksums: Vec<Checksum>,
    /// Others, which are not kept.
    pub extras: Vec<(Extra, Vec<u8>)>,
}

/// How a write is made visible.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WriteOptions {
    /// Must hold in the commit.
    pub conditions: Conditions,
    /// Verified before the commit.
    pub declared: Declared,
    /// The client's time of last change.
    pub modified: Option<Timestamp>,
    /// Lock tokens submitted.
    pub tokens: Vec<String>,
}

/// A write that is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    /// The version made.
    pub version: FileVersion,
    /// Whether nothing was there before.
    pub created: bool,
}

/// Copy or move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transfer {
    /// The source stays.
    Copy,
    /// The source goes.
    Move,
}

/// How something is copied or moved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferOptions {
    /// The source's version; copies of files only.
    pub version: Option<VersionRef>,
    /// Must hold for the source.
    pub source_conditions: Conditions,
    /// The source has no more bytes; files only.
    pub most_bytes: Option<u64>,
    /// The source has this checksum, of its whole content: none is computed; files only.
    pub checksum: Option<ChecksumKind>,
    /// Must hold for the destination.
    pub conditions: Conditions,
    /// Whether an existing destination is replaced.
    pub overwrite: bool,
    /// A folder without its members (`Depth: 0`); copies only.
    pub shallow: bool,
    /// New attributes instead of the source's; files only.
    pub attributes: Option<Attributes>,
    /// New client time instead of the source's, which stays only with the source's attributes.
    pub modified: Option<Timestamp>,
    /// Lock tokens submitted.
    pub tokens: Vec<String>,
}

impl Default for TransferOptions {
    fn default() -> Self {
        Self {
            version: None,
            source_conditions: Conditions::default(),
            most_bytes: None,
            checksum: None,
            conditions: Conditions::default(),
            overwrite: true,
            shallow: false,
            attributes: None,
            modified: None,
            tokens: Vec::new(),
        }
    }
}

/// A copy or move that is durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transferred {
    /// The destination's current state.
    pub item: Item,
    /// Whether nothing was there before.
    pub created: bool,
    /// The version that was copied, where versions are named.
    pub source: Option<FileVersion>,
}

/// How something is removed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RemoveOptions {
    /// Exactly this version, for good; otherwise the current one as the bucket's state has it.
    pub version: Option<VersionRef>,
    /// Must hold in the commit.
    pub conditions: Conditions,
    /// Lock tokens submitted.
    pub tokens: Vec<String>,
}

/// A removal that is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Removed {
    /// Whether anything was there.
    pub existed: bool,
    /// The version that went, or the marker that came; `None` in never-versioned buckets.
    pub version: Option<VersionRef>,
    /// A delete marker was made, or the version removed was one.
    pub marker: bool,
}
