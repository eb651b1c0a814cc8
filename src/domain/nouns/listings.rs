//! Pages of keys, versions and members, and the journal.

use super::{FileVersion, Folder, Owner, VersionRef};
use crate::model::{
    checksum::ChecksumKind,
    etag::Etag,
    ids::{AccountId, Cursor, NodeId, Seq, VersionId},
    time::Timestamp,
};

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
    /// Whether a folder of the same name stands beside it.
    pub twin: bool,
}

/// A page of a flat listing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeyPage {
    /// In byte order of the full key.
    pub entries: Vec<KeyEntry>,
    /// Where the next page goes on (for [`ListKeys::after`]); `None` at the end.
    pub next: Option<String>,
    /// Who owns the bucket.
    pub owner: Owner,
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
#[expect(clippy::large_enum_variant, reason = "nearly every one is of the large kind")]
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
    /// Who owns the bucket.
    pub owner: Owner,
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

/// What happened in a bucket behind a cursor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Changes {
    /// The changes, oldest first; no more than these if there are none.
    Listed {
        /// The changes.
        changes: Vec<Change>,
        /// The cursor behind them.
        next: Cursor,
    },
    /// That cannot be told from there.
    StartOver {
        /// Why.
        why: StartOver,
        /// The cursor of now: whoever lists the bucket after this answer goes on from there.
        next: Cursor,
    },
}

impl Changes {
    /// The changes, if they can be told.
    #[must_use]
    pub fn listed(self) -> Option<Vec<Change>> {
        match self {
            Self::Listed { changes, .. } => Some(changes),
            Self::StartOver { .. } => None,
        }
    }
}

/// Why a cursor leads nowhere, and what to do: whoever follows a bucket lists it and begins anew.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum StartOver {
    /// What is not in the listing was removed, if it was ever seen there.
    #[error("changes since then are not kept any more: list the bucket and start over")]
    Forgotten,
    /// What is not in the listing may only not have been restored: nothing was removed because of it.
    #[error(
        "the store was restored to an earlier state since then: list the bucket and start over, and delete \
         nothing for not being in it"
    )]
    Restored,
    /// The one that was followed is gone.
    #[error("that is another bucket of the same name: list it and start over")]
    OtherBucket,
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
