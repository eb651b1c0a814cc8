//! Identities: numbers that are given out once, in order, and never again.
//!
//! Every id comes from a block whose end is durable before its first number is used, so an id
//! seen anywhere is never given to something else, not even after a crash.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:x}", self.0)
            }
        }
    };
}

id!(
    /// An account.
    AccountId
);
id!(
    /// A bucket; its name may be taken again after removal, its id not.
    BucketId
);
id!(
    /// The identity of a file or folder; travels with MOVE.
    NodeId
);
id!(
    /// The list of versions behind a name.
    HistoryId
);
id!(
    /// An immutable list of a version's bytes.
    ManifestId
);
id!(
    /// One stored chunk, numbered in the order of arrival.
    ChunkNo
);
id!(
    /// One segment file.
    SegmentId
);
id!(
    /// One multipart upload.
    UploadId
);

/// A place in a bucket's journal; the first change is 1, and there are no gaps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Seq(pub u64);

impl Seq {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// How far somebody has followed the changes of a bucket. It is good for that bucket alone, and for
/// that life of the store alone: after a restore the same places hold other changes, and whoever
/// went on from one of before would miss some, or take for removed what was only not restored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Cursor {
    /// Incarnation of the store.
    pub incarnation: u32,
    /// The bucket; one that is made anew under an old name is another.
    pub bucket: BucketId,
    /// The last change that was seen.
    pub seq: Seq,
}

/// Names one version of a file: the incarnation of the store and the journal place of the commit
/// that made it. A restore starts a new incarnation, so no id is given out twice.
///
/// Written as 24 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct VersionId {
    /// Incarnation of the store.
    pub incarnation: u32,
    /// Journal place of the commit.
    pub seq: Seq,
}

impl VersionId {
    /// Reads the written form; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 24 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return None;
        }
        let (incarnation, seq) = text.split_at(8);
        Some(Self {
            incarnation: u32::from_str_radix(incarnation, 16).ok()?,
            seq: Seq(u64::from_str_radix(seq, 16).ok()?),
        })
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}{:016x}", self.incarnation, self.seq.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_id_reads_back_what_it_writes_and_refuses_other_forms() {
        let id = VersionId { incarnation: 1, seq: Seq(0xbeef) };
        assert_eq!(id.to_string(), "00000001000000000000beef");
        assert_eq!(VersionId::parse(&id.to_string()), Some(id));
        for bad in ["", "null", "00000001000000000000BEEF", "+0000001000000000000beef"] {
            assert_eq!(VersionId::parse(bad), None, "{bad}");
        }
    }
}
