//! What a check finds. Knows nothing of how.

use std::fmt;

use super::damage::{Damaged, Hit};

/// Findings kept in full; more are only counted.
const FINDINGS: usize = 1000;

/// What others than the operator read where a file or a lock is named.
const UNTOLD: &str = "what it is about is told to the operator of this machine alone";

/// What a finding is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FindingKind {
    /// A bucket's rows disagree.
    Bucket,
    /// A name and what it leads to disagree.
    Name,
    /// A folder is not as alive as what is in it, or hangs nowhere.
    Folder,
    /// A folder's bounds are too low.
    Bounds,
    /// A name and its versions disagree, or versions belong to nothing.
    Version,
    /// An upload and its parts disagree.
    Upload,
    /// A usage is not what was counted.
    Usage,
    /// A journal has a gap.
    Journal,
    /// Locks, or what names show of them, disagree.
    Lock,
    /// Properties, or what names show of them, disagree.
    Property,
    /// Manifests and chunks do not add up.
    Body,
    /// A segment is missing or too short.
    Segment,
    /// Background work cannot be done.
    Work,
    /// A row is not what was written.
    Row,
}

impl FindingKind {
    /// For programs; never changes its meaning.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Bucket => "bucket",
            Self::Name => "name",
            Self::Folder => "folder",
            Self::Bounds => "bounds",
            Self::Version => "version",
            Self::Upload => "upload",
            Self::Usage => "usage",
            Self::Journal => "journal",
            Self::Lock => "lock",
            Self::Property => "property",
            Self::Body => "body",
            Self::Segment => "segment",
            Self::Work => "work",
            Self::Row => "row",
        }
    }
}

/// Something that does not add up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What it is about.
    pub kind: FindingKind,
    /// A sentence that names it.
    pub text: String,
    /// It names somebody's file, or a lock.
    private: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.code(), self.text)
    }
}

/// How much was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Buckets.
    pub buckets: u64,
    /// Files, deleted ones that have versions and those in the trash too.
    pub files: u64,
    /// Folders.
    pub folders: u64,
    /// Versions, delete markers and people's history too.
    pub versions: u64,
    /// Parts of uploads.
    pub parts: u64,
    /// Rows of the journals.
    pub changes: u64,
    /// Locks.
    pub locks: u64,
    /// Folder verbs that go file by file and have not ended.
    pub batches: u64,
    /// Rows that refer to a manifest: versions and parts.
    pub references: u64,
    /// Manifests.
    pub manifests: u64,
    /// Chunks.
    pub chunks: u64,
    /// Chunks that are needed.
    pub needed: u64,
    /// Chunks that the collector has been given.
    pub queued: u64,
    /// Chunks that nothing refers to, left by uploads that were cut off.
    pub unreferenced: u64,
    /// Segments.
    pub segments: u64,
    /// Chunks and segments known to be damaged, those that nothing needs any more too.
    pub damaged: u64,
    /// Versions and parts that cannot be read whole because of it.
    pub hits: u64,
    /// Folders whose bounds are higher than need be. No damage: a move that just fits may be
    /// refused.
    pub stale_bounds: u64,
    /// Folders whose bounds this check lowered.
    pub lowered_bounds: u64,
}

impl Counts {
    /// Each count with its name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 19] {
        [
            ("buckets", self.buckets),
            ("files", self.files),
            ("folders", self.folders),
            ("versions", self.versions),
            ("parts", self.parts),
            ("changes", self.changes),
            ("locks", self.locks),
            ("batches", self.batches),
            ("references", self.references),
            ("manifests", self.manifests),
            ("chunks", self.chunks),
            ("needed", self.needed),
            ("queued", self.queued),
            ("unreferenced", self.unreferenced),
            ("segments", self.segments),
            ("damaged", self.damaged),
            ("damaged_files", self.hits),
            ("stale_bounds", self.stale_bounds),
            ("lowered_bounds", self.lowered_bounds),
        ]
    }
}

/// The result of a check.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct CheckReport {
    /// How much was looked at.
    pub counts: Counts,
    /// How much does not add up.
    pub found: u64,
    /// The first of it.
    pub findings: Vec<Finding>,
    /// The first thousand things known to be damaged.
    pub damage: Vec<Damaged>,
    /// The first thousand versions and parts that need something damaged.
    pub hits: Vec<Hit>,
    /// Why the check ended before it had seen everything.
    pub unfinished: Option<String>,
}

impl CheckReport {
    /// True if everything was looked at and adds up.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.found == 0 && self.unfinished.is_none()
    }

    pub(super) fn note(&mut self, kind: FindingKind, text: impl Into<String>) {
        self.found += 1;
        if self.findings.len() < FINDINGS {
            self.findings.push(Finding { kind, text: text.into(), private: false });
        }
    }

    /// Notes something whose text names somebody's file, or a lock.
    pub(super) fn note_private(&mut self, kind: FindingKind, text: impl Into<String>) {
        let kept = self.findings.len();
        self.note(kind, text);
        for finding in self.findings.iter_mut().skip(kept) {
            finding.private = true;
        }
    }

    /// Leaves nothing in it that names others' files or locks. How much was found, and of what kind, stays.
    pub(super) fn without_names(&mut self) {
        self.hits.clear();
        for finding in self.findings.iter_mut().filter(|finding| finding.private) {
            finding.text = UNTOLD.to_owned();
        }
    }
}
