//! What is known to be damaged, and which files need it ([`walk`]).
//!
//! Everything that somebody may still want to read is told: the current versions, older ones,
//! people's history, the trash, and parts of open uploads. What was deleted and waits for its
//! release is not: nobody can read it any more.
//!
//! Names of files, and tokens of locks, are told to the operator alone, who could look into the data directory as well.
//! Admins learn how much is damaged and how many versions that is; they read no others' files, and
//! no names of them either.

mod walk;

use super::watched::Watched;
use crate::{
    domain::{Error, Holdall, access, caller::Caller},
    model::ids::{ChunkNo, VersionId},
    store::blobs::damage,
};

pub use crate::store::blobs::damage::{Damaged, Part as DamagedPart};
pub(super) use walk::count;
pub(crate) use walk::{hits, page};

/// Damaged things, or versions they hit, in one page.
pub(super) const DAMAGE_PAGE: usize = 1000;
/// Rows after which a page of versions ends, however few there are in it.
const ROWS_READ: u64 = 100_000;

/// What is hit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HitKind {
    /// What a file is now.
    Current,
    /// An older version that S3 lists.
    Version,
    /// A version that people may restore.
    History,
    /// Something in the trash.
    Trash,
    /// A part of an open upload.
    Part,
}

impl HitKind {
    /// For programs; never changes its meaning.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Version => "version",
            Self::History => "history",
            Self::Trash => "trash",
            Self::Part => "part",
        }
    }
}

/// A version or part that needs something damaged.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Hit {
    /// The bucket.
    pub bucket: String,
    /// The name of who owns it.
    pub owner: String,
    /// The key.
    pub path: String,
    /// What is hit.
    pub kind: HitKind,
    /// Which version, if it is one.
    pub version: Option<VersionId>,
    /// Which part, if it is one.
    pub part: Option<u64>,
    /// The damaged chunks it needs and where in it they begin; the first 100.
    pub chunks: Vec<(ChunkNo, u64)>,
    /// Bytes of it that cannot be read.
    pub bytes: u64,
}

/// A page of versions that are hit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hits {
    /// In the order of their rows.
    pub hits: Vec<Hit>,
    /// Where the next page goes on.
    pub next: Option<HitCursor>,
}

/// A place in the list of versions that are hit. Its text is for programs to give back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct HitCursor {
    stage: u8,
    key: Vec<u8>,
    /// Versions of that row up to this one were told.
    version: Option<Vec<u8>>,
}

impl HitCursor {
    /// Reads what it is written as.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let stage = parts.next()?.parse().ok()?;
        let key = hex::decode(parts.next()?).ok()?;
        let version = parts.next().map(hex::decode).transpose().ok()?;
        parts.next().is_none().then_some(Self { stage, key, version })
    }
}

impl std::fmt::Display for HitCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.stage, hex::encode(&self.key))?;
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "-{}", hex::encode(version)))
    }
}

impl Holdall {
    /// A page of what is known to be damaged, behind `after`; only for who manages the system.
    ///
    /// # Errors
    /// Denied, unavailable.
    pub async fn damage(
        &self,
        caller: &Caller,
        after: Option<DamagedPart>,
    ) -> Result<(Vec<Damaged>, Option<DamagedPart>), Error> {
        if !access::is_manager(caller) {
            return Err(Error::Denied("only admins look at the store".into()));
        }
        self.read(move |rows| {
            let known = damage::known(rows, after, DAMAGE_PAGE)?;
            let next = known.last().filter(|_| known.len() == DAMAGE_PAGE).map(|last| last.part);
            Ok((known, next))
        })
        .await
    }

    /// A page of the versions that need something damaged, from `from` on; only for the operator of
    /// this machine. It may be empty and not the last.
    ///
    /// # Errors
    /// Denied, unavailable.
    pub async fn damaged_files(&self, caller: &Caller, from: Option<HitCursor>) -> Result<Hits, Error> {
        if *caller != Caller::Operator {
            return Err(Error::Denied(
                "only the operator of this machine sees names of others' files".into(),
            ));
        }
        let stop = self.stop.clone();
        self.read(move |rows| {
            let rows = Watched { rows, stop: &stop };
            Ok(page(&rows, from.unwrap_or_default(), (DAMAGE_PAGE, ROWS_READ))?)
        })
        .await
    }
}
