//! Everything a verb can refuse or fail with: each kind is one a program can act on.
//!
//! The `Display` sentence goes to the client: it names the thing, never a path on the server's
//! disk or a secret. What the log needs beside it travels in `source`. Every door maps every kind
//! in one `match` without a catch-all, so a new kind asks each of them for an answer.

use crate::{
    model::{
        address::BadAddress, checksum::ChecksumKind, etag::Etag, extra::Extra, limits::PARTS, name::BadName,
        time::Timestamp,
    },
    store::error::StoreError,
};

/// A kind of thing that can be missing or in the way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum What {
    /// An account.
    Account,
    /// An account, by its e-mail address.
    Email,
    /// An access key or app password.
    Credential,
    /// A bucket.
    Bucket,
    /// A file, or an S3 key.
    File,
    /// A folder, or whatever a tree path names.
    Item,
    /// The folder something is to be put into.
    Parent,
    /// A version of a file.
    Version,
    /// A multipart upload.
    Upload,
    /// A lock.
    Lock,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Account => "account",
            Self::Email => "an account with the e-mail address",
            Self::Credential => "credential",
            Self::Bucket => "bucket",
            Self::File => "file",
            Self::Item => "item",
            Self::Parent => "parent folder",
            Self::Version => "version",
            Self::Upload => "upload",
            Self::Lock => "lock",
        })
    }
}

/// Why nobody was recognised. Doors may tell S3 clients apart; people get one answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unrecognised {
    /// Nothing was presented, and anonymous callers may not do this.
    Missing,
    /// Wrong name, password or token.
    Wrong,
    /// No such access key.
    UnknownKey,
    /// The signature does not match.
    Signature,
    /// The account or credential is disabled or has expired.
    Disabled,
}

/// What is wrong with a part of a multipart upload, or with the list of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum BadPart {
    /// A part that was never sent, or was sent with other content.
    #[error("was not sent, or with other content")]
    Unknown,
    /// Numbers that do not ascend.
    #[error("is not in ascending order")]
    Order,
    /// A part other than the last below the least size.
    #[error("is too small to have others behind it")]
    TooSmall,
    /// A number that no part can have.
    #[error("has a number outside 1 to {PARTS}")]
    Number,
    /// A checksum of another kind than the upload was begun with.
    #[error("has a checksum of another kind than the upload was begun with")]
    Checksum,
}

/// Why the checksum of an upload cannot be over its whole content, or over the values of its parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum BadSumType {
    /// The kind is never over the parts' values.
    #[error("a {0} is over the whole content, not over the values of parts")]
    NotOverParts(ChecksumKind),
    /// The kind is over the parts' values only.
    #[error("a {0} of an upload is over the values of its parts, not over the whole content")]
    OverPartsOnly(ChecksumKind),
    /// Complete asks for the other one.
    #[error("the upload was begun with a checksum over the values of its parts")]
    BegunOverParts,
    /// Complete asks for the other one.
    #[error("the upload was begun with a checksum over the whole content")]
    BegunOverWhole,
}

/// What can have too many bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Large {
    /// The content of a file.
    #[error("the file")]
    File,
    /// The content of what is copied.
    #[error("the source")]
    Source,
    /// Names and values of user metadata together.
    #[error("the user metadata")]
    UserMetadata,
    /// One header that is kept with a file.
    #[error("the metadata {0}")]
    Header(&'static str),
    /// A password.
    #[error("the password")]
    Password,
    /// What the holder of a lock says about itself.
    #[error("what a lock says of its owner")]
    LockOwner,
}

/// What there can be too many of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Many {
    /// Buckets.
    #[error("buckets of one account")]
    Buckets,
    /// Access keys.
    #[error("access keys of one account")]
    AccessKeys,
    /// App passwords.
    #[error("app passwords of one account")]
    AppPasswords,
    /// Locks somebody holds.
    #[error("locks of one account")]
    Locks,
    /// Locks at one place.
    #[error("locks on one file or folder")]
    LocksHere,
    /// Dead properties.
    #[error("properties of one file or folder")]
    Props,
    /// Bytes of one of them.
    #[error("bytes in one property")]
    PropBytes,
    /// Bytes of all of them.
    #[error("bytes in the properties of one item")]
    PropsBytes,
    /// Rows of one transaction.
    #[error("properties, locks and folders in one change")]
    Rows,
}

/// What a client may declare of a body and is held against it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Sum {
    /// The hash a request was signed with.
    #[error("hash of the payload")]
    Payload,
    /// An MD5.
    #[error("MD5")]
    Md5,
    /// A digest that is not kept.
    #[error("{0}")]
    Extra(Extra),
    /// A checksum.
    #[error("{0}")]
    Checksum(ChecksumKind),
}

/// One thing that a verb on many could not do.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Bucket and key.
    pub name: String,
    /// Why.
    pub why: Box<Error>,
}

/// A refusal or failure of a verb.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It is not there, or the caller may not know that it is.
    #[error("{0} {1} does not exist")]
    NotFound(What, String),
    /// The version is a delete marker. `current` is false when it was named by its id.
    #[error("{name} is deleted")]
    DeleteMarker {
        /// The file.
        name: String,
        /// The marker's version id.
        version: String,
        /// When it was deleted.
        at: Timestamp,
        /// Whether the marker was reached as the current version.
        current: bool,
    },
    /// It is there already.
    #[error("{0} {1} exists already")]
    Exists(What, String),
    /// The caller's own bucket exists already.
    #[error("bucket {0} exists already and is yours")]
    ExistsYours(String),
    /// The bucket or folder still holds something.
    #[error("{0} is not empty")]
    NotEmpty(String),
    /// The caller is known and may not.
    #[error("not allowed: {0}")]
    Denied(String),
    /// Nobody was recognised.
    #[error("not recognised: wrong or missing credentials")]
    Unauthenticated(Unrecognised),
    /// An `If-*` condition does not hold.
    #[error("{0} is not in the state the request demands")]
    PreconditionFailed(String),
    /// A read's condition says that the client has it already.
    #[error("not modified")]
    NotModified {
        /// The version's tag.
        etag: Etag,
        /// Its commit time.
        modified: Timestamp,
    },
    /// The request contradicts the state: a move into itself, a parent that is gone.
    #[error("{0}")]
    Conflict(String),
    /// A verb on a folder that goes file by file was done but for these.
    #[error("{} of the files could not be done", refused.len() as u64 + more)]
    Partly {
        /// The first of them.
        refused: Vec<Refused>,
        /// How many more there are.
        more: u64,
    },
    /// A lock forbids it.
    #[error("{0} is locked")]
    Locked(String),
    /// More bytes than a limit allows.
    #[error("{what} is larger than the {limit} bytes allowed")]
    TooLarge {
        /// What is too large.
        what: Large,
        /// The limit in bytes.
        limit: u64,
    },
    /// More things than a limit allows.
    #[error("there may be {limit} {what} at most")]
    TooMany {
        /// What there are too many of.
        what: Many,
        /// The limit.
        limit: u64,
    },
    /// The bucket owner's quota would be passed.
    #[error("the quota of {owner} is used up")]
    OverQuota {
        /// The account whose quota it is.
        owner: String,
    },
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull,
    /// A name that breaks the rule for its kind.
    #[error("the name {name:?} {why}")]
    BadName {
        /// The name.
        name: String,
        /// The rule that is broken.
        why: BadName,
    },
    /// A key or path that cannot be.
    #[error("{0}")]
    BadAddress(#[from] BadAddress),
    /// A value the request carries makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// No byte of the content is in the range.
    #[error("the range is outside the {size} bytes of the file")]
    BadRange {
        /// The size of the content.
        size: u64,
    },
    /// The parts of an upload do not fit together.
    #[error("part {1} of the upload {0}")]
    BadPart(BadPart, u32),
    /// The checksum of an upload cannot be what it is asked to be.
    #[error("{0}")]
    BadSumType(BadSumType),
    /// The body is not as long as declared.
    #[error("the body has {got} bytes where {declared} were declared")]
    Incomplete {
        /// Bytes declared.
        declared: u64,
        /// Bytes that came.
        got: u64,
    },
    /// The body does not have the digest declared.
    #[error("the {0} declared does not match the body")]
    ChecksumDiffers(Sum),
    /// What is asked for is not built.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// Too much at once; a retry may succeed.
    #[error("too busy: {0}")]
    Busy(String),
    /// No writes, or nothing at all, until somebody looks at the server.
    #[error("not available at the moment")]
    Unavailable {
        /// For the log.
        reason: String,
    },
    /// The stored bytes are not what was written; they are never served.
    #[error("{name} is damaged")]
    Damaged {
        /// The file.
        name: String,
        /// For the log.
        reason: String,
    },
    /// A fault of Holdall.
    #[error("internal error")]
    Internal {
        /// For the log.
        reason: String,
    },
}

impl Error {
    /// What the log gets beside the sentence for the client.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Unavailable { reason } | Self::Damaged { reason, .. } | Self::Internal { reason } => {
                Some(reason)
            }
            _ => None,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(reason) => Self::Damaged { name: "stored data".into(), reason },
            StoreError::Full => Self::DiskFull,
            StoreError::Unavailable(reason) | StoreError::Refused(reason) => Self::Unavailable { reason },
            StoreError::Busy(what) => Self::Busy(what),
            StoreError::Io(source) => Self::Internal { reason: format!("input/output error: {source}") },
        }
    }
}
