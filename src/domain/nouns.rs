//! What verbs take and give: plain values in the words of the house. Doors translate them; none
//! is ever serialised as it stands.

use std::ops::Range;

pub use crate::model::bucket::{HistoryPolicy, Versioning};
use crate::model::{
    checksum::{Checksum, ChecksumKind},
    condition::Conditions,
    etag::Etag,
    ids::{AccountId, NodeId, Seq, VersionId},
    name::{AccountName, BucketName},
    secret::Secret,
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
    /// When a change last happened anywhere below it, as a place in the journal.
    pub changed: Seq,
}

/// What a tree path names.
#[derive(Clone, PartialEq, Eq, Debug)]
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
}

/// How a write is made visible.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WriteOptions {
    /// Must hold in the commit.
    pub conditions: Conditions,
    /// Verified before the commit.
    pub declared: Declared,
    /// Kept with the version.
    pub attributes: Attributes,
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

/// Which keys to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListKeys {
    /// Keys start with this.
    pub prefix: String,
    /// Keys that agree up to and including this after the prefix are shown as one.
    pub delimiter: Option<String>,
    /// Only what comes behind this key; a common prefix here skips its whole group.
    pub after: Option<String>,
    /// At most this many entries; clamped to the limit.
    pub limit: usize,
}

/// One line of a flat listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyEntry {
    /// A file, by its current version; attributes are left empty.
    File(ListedFile),
    /// A group of keys that share this prefix.
    Prefix(String),
}

/// A file in a listing: what its directory row knows, and no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedFile {
    /// The full key below the bucket.
    pub key: String,
    /// The file's identity.
    pub node: NodeId,
    /// Bytes.
    pub size: u64,
    /// The content's tag.
    pub etag: Etag,
    /// Commit time.
    pub committed: Timestamp,
    /// Client time, or commit time.
    pub modified: Timestamp,
    /// When the file was made.
    pub created: Timestamp,
    /// Content type, if the client gave one.
    pub content_type: Option<String>,
    /// Kinds of checksums kept with it, and whether they are over parts.
    pub checksums: Vec<(ChecksumKind, bool)>,
    /// Whether it has dead properties.
    pub has_props: bool,
    /// Whether it is locked directly.
    pub has_locks: bool,
}

/// A page of a flat listing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyPage {
    /// In byte order of the full key.
    pub entries: Vec<KeyEntry>,
    /// Where the next page goes on (for [`ListKeys::after`]); `None` at the end.
    pub next: Option<String>,
}

/// Which versions to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListVersions {
    /// As in [`ListKeys`].
    pub prefix: String,
    /// As in [`ListKeys`].
    pub delimiter: Option<String>,
    /// Start behind this key, or within it behind `version_after`.
    pub key_after: Option<String>,
    /// Start behind this version of `key_after`.
    pub version_after: Option<VersionRef>,
    /// At most this many entries.
    pub limit: usize,
}

/// One line of a listing of versions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VersionEntry {
    /// A version with content.
    Version(FileVersion),
    /// A delete marker.
    Marker {
        /// The full key.
        key: String,
        /// The marker's id.
        id: VersionId,
        /// It is the null version.
        null: bool,
        /// Whether it is the newest.
        latest: bool,
        /// When it was made.
        committed: Timestamp,
        /// Who owns the bucket.
        owner: AccountId,
    },
    /// A group of keys that share this prefix.
    Prefix(String),
}

/// A page of versions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VersionPage {
    /// Key ascending, newest first.
    pub entries: Vec<VersionEntry>,
    /// Where the next page goes on: key or common prefix, and the version within it.
    pub next: Option<(String, Option<VersionId>)>,
}

/// A member of a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Member {
    /// A file; `key` is its full path.
    File(ListedFile),
    /// A folder.
    Folder(Folder),
}

/// A page of a folder's members.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FolderPage {
    /// In byte order of the sort name.
    pub members: Vec<Member>,
    /// Where the next page goes on; `None` at the end.
    pub next: Option<String>,
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

/// A bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// Its name.
    pub name: BucketName,
    /// Who owns it and is charged.
    pub owner: AccountId,
    /// The owner's name.
    pub owner_name: AccountName,
    /// When it was made.
    pub created: Timestamp,
    /// Its versioning state.
    pub versioning: Versioning,
    /// Its history policy.
    pub history: HistoryPolicy,
    /// Bytes it may hold; `None` leaves it to the owner's quota.
    pub quota: Option<u64>,
}

/// Which buckets to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListBuckets {
    /// Names start with this.
    pub prefix: String,
    /// Names behind this one.
    pub after: Option<String>,
    /// At most this many; clamped to the limit.
    pub limit: usize,
}

/// A change to a bucket's settings; `None` leaves a setting alone.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BucketChange {
    /// Never goes back to [`Versioning::Never`].
    pub versioning: Option<Versioning>,
    /// Affects what is replaced and deleted from now on.
    pub history: Option<HistoryPolicy>,
    /// `Some(None)` takes the quota off.
    pub quota: Option<Option<u64>>,
}

/// How many bytes are charged to an account, or held in a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Current versions.
    pub live: u64,
    /// Other S3 versions and stored parts.
    pub versions: u64,
    /// History and trash.
    pub history: u64,
    /// Files.
    pub files: u64,
}

/// An account, without any secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The canonical owner id of S3: 64 hexadecimal digits.
    pub canonical_id: String,
    /// Its name.
    pub name: AccountName,
    /// For people.
    pub display_name: String,
    /// For mail, and S3 grants by e-mail.
    pub email: Option<String>,
    /// Manages accounts.
    pub admin: bool,
    /// May do nothing.
    pub disabled: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Bytes it may hold; `None` is unlimited.
    pub quota: Option<u64>,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its name, and that of its first bucket.
    pub name: AccountName,
    /// For people; the name if empty.
    pub display_name: String,
    /// For mail.
    pub email: Option<String>,
    /// Manages accounts.
    pub admin: bool,
    /// Its password; without one only app passwords and access keys work.
    pub password: Option<Secret>,
}

/// A change to an account; `None` leaves a setting alone.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AccountChange {
    /// For people.
    pub display_name: Option<String>,
    /// `Some(None)` takes the address off.
    pub email: Option<Option<String>>,
    /// Whether it manages accounts.
    pub admin: Option<bool>,
    /// `Some(None)` takes the quota off.
    pub quota: Option<Option<u64>>,
}

/// An access key, without its secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessKey {
    /// The id S3 clients name.
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
}

/// An app password, without its token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppPassword {
    /// Names it, for removal.
    pub id: String,
    /// For people.
    pub label: String,
    /// What it is good for.
    pub scope: super::caller::Scope,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

/// A multipart upload to be begun.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NewUpload {
    /// Kept with the version that Complete makes.
    pub attributes: Attributes,
    /// The client's time of last change.
    pub modified: Option<Timestamp>,
    /// The checksum every part will have; the flag asks for one over the parts' values.
    pub checksum: Option<(ChecksumKind, bool)>,
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
    /// As in [`NewUpload`].
    pub checksum: Option<(ChecksumKind, bool)>,
}

/// A part that is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// 1 to 10,000.
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
}

/// Which uploads to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListUploads {
    /// As in [`ListKeys`].
    pub prefix: String,
    /// As in [`ListKeys`].
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
}

/// One row of a bucket's journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Its place.
    pub seq: Seq,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub by: Option<AccountId>,
    /// What happened, to which node, under which path.
    pub event: Event,
    /// The file or folder.
    pub node: NodeId,
    /// Its path afterwards, as a key (folders end in `/`).
    pub path: String,
}

/// What a change was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// New content, or new attributes.
    Put,
    /// Gone, or hidden by a delete marker.
    Removed,
    /// A folder was made explicit.
    Folder,
    /// Moved here from this path.
    Moved(String),
    /// Copied here from this path.
    Copied(String),
    /// A version was removed for good.
    VersionRemoved,
    /// Dead properties changed.
    Props,
}
