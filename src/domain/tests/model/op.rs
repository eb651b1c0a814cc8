//! What a run does, as plain values: operations of clients, and of the world around the server.
//!
//! Nothing in here names a thing by what an earlier answer said. Versions, uploads and parts are
//! meant by their number in the model, so that any operation can be left out and the others still
//! mean something.

/// A body: noise from a seed, zeros for seed 0. Bodies of one seed begin alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Body {
    pub(crate) seed: u8,
    pub(crate) length: u32,
}

/// A place: a literal key, or a path of a tree door.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct At {
    pub(crate) bucket: String,
    pub(crate) name: String,
    pub(crate) path: bool,
}

/// What a write demands of what stands there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Only {
    /// Nothing.
    Any,
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match` with the tag that stands there; `*` if none does.
    Same,
    /// `If-Match` with another tag.
    Other,
}

/// Which version of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Which {
    /// The newest.
    Latest,
    /// The null version.
    Null,
    /// Of all that the key ever had, the one with this number, counted round and round.
    Nth(u8),
}

/// Which parts Complete lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Listed {
    /// All of them.
    All,
    /// The last one.
    Last,
    /// All of them, the other way round.
    Backwards,
    /// The first one with another tag.
    Wrong,
}

/// How a body ends that never becomes a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Broken {
    /// The client goes away in the middle.
    Left,
    /// More was declared than came.
    Short,
    /// Another MD5 was declared.
    Sum,
}

/// What is asked of a transfer beside its ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct How {
    pub(crate) moved: bool,
    pub(crate) overwrite: bool,
    /// A folder alone.
    pub(crate) shallow: bool,
    /// New attributes.
    pub(crate) retype: Option<u8>,
    pub(crate) which: Which,
}

/// Versioning as a client sets it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Versions {
    Enabled,
    Suspended,
}

/// One operation. `tokens` says whether the client submits the tokens of all its locks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    Put { at: At, body: Body, only: Only, tokens: bool },
    Broken { at: At, body: Body, how: Broken },
    Read { at: At, which: Which, range: Option<(u32, u32)> },
    Remove { at: At, only: Only, tokens: bool },
    RemoveVersion { at: At, which: Which, tokens: bool },
    Transfer { from: At, to: At, how: How, tokens: bool },
    Mkcol { at: At, tokens: bool },
    Prop { at: At, name: u8, value: Option<u8>, tokens: bool },
    Lock { at: At, exclusive: bool, deep: bool, seconds: u32 },
    Unlock { number: u8 },
    Begin { at: At },
    Part { upload: u8, number: u32, body: Body },
    Complete { upload: u8, listed: Listed },
    Abort { upload: u8 },
    Version { bucket: String, to: Versions },
    Quota { bucket: String, bytes: Option<u64> },
    History { bucket: String, days: Option<u32> },
    MakeBucket { bucket: String, days: Option<u32> },
    DropBucket { bucket: String },
    Pages { bucket: String, prefix: String, grouped: bool, limit: u8 },
    World(World),
}

/// What an operation can have changed, and so what is looked at behind it.
pub(crate) enum About<'o> {
    Nothing,
    /// These two places, which may be one.
    Places(&'o At, &'o At),
    /// The pages of a listing.
    Pages {
        bucket: &'o str,
        prefix: &'o str,
        grouped: bool,
        limit: usize,
    },
    Everything,
}

impl Op {
    pub(crate) fn about(&self) -> About<'_> {
        match self {
            Self::Put { at, .. } | Self::Broken { at, .. } | Self::Remove { at, .. } => About::Places(at, at),
            Self::RemoveVersion { at, .. } | Self::Mkcol { at, .. } | Self::Prop { at, .. } => {
                About::Places(at, at)
            }
            Self::Lock { at, .. } | Self::Begin { at } => About::Places(at, at),
            Self::Transfer { from, to, .. } => About::Places(from, to),
            Self::Pages { bucket, prefix, grouped, limit } => {
                About::Pages { bucket, prefix, grouped: *grouped, limit: usize::from(*limit) }
            }
            Self::Read { .. } | Self::Unlock { .. } => About::Nothing,
            _ => About::Everything,
        }
    }
}

/// What happens around the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum World {
    /// What is kept for a time is looked through.
    Expire,
    /// The clock jumps by so many milliseconds.
    Clock(i64),
    Restart,
    /// The power is cut after so many changes of the disk in the next operation; the seed says
    /// what the disk keeps of them.
    Cut {
        calls: u16,
        seed: u64,
    },
    Collect {
        compact: bool,
    },
    /// The disk has room again, or none for bodies.
    Room(bool),
}
