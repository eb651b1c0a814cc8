//! What a recount finds. Knows nothing of how.

use std::fmt;

use crate::model::ids::{ChunkNo, ManifestId};

/// Findings kept in full; more are only counted.
const FINDINGS: usize = 1000;

/// What does not add up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// Something refers to a manifest that has no row.
    NoManifest(ManifestId),
    /// A manifest's count is not what was found.
    ManifestRefs {
        /// Which.
        manifest: ManifestId,
        /// The count in its row.
        kept: u64,
        /// References found.
        found: u64,
    },
    /// A manifest that is open or released is not in the collector's queue, or a live one is.
    Queue(ManifestId),
    /// A manifest's pages do not cover its size without gaps.
    Pages(ManifestId),
    /// A page belongs to no manifest.
    StrayPage(ManifestId),
    /// A manifest refers to a chunk that has no row.
    NoChunk(ChunkNo),
    /// A chunk's count is not what was found.
    ChunkRefs {
        /// Which.
        chunk: ChunkNo,
        /// The count that is kept.
        kept: u64,
        /// References found.
        found: u64,
    },
    /// A chunk is condemned although something refers to it.
    Condemned(ChunkNo),
    /// Nothing refers to a chunk, and the collector does not know of it.
    Lost(ChunkNo),
    /// A chunk that content needs is known to be damaged.
    Bad(ChunkNo),
    /// A chunk lies in a segment that has no row.
    NoSegment(ChunkNo),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoManifest(id) => write!(f, "manifest {id} is referred to and has no row"),
            Self::ManifestRefs { manifest, kept, found } => {
                write!(f, "manifest {manifest} counts {kept} references, {found} were found")
            }
            Self::Queue(id) => write!(f, "manifest {id} and the collector's queue disagree"),
            Self::Pages(id) => write!(f, "the pages of manifest {id} have a gap"),
            Self::StrayPage(id) => write!(f, "a page belongs to manifest {id}, which has no row"),
            Self::NoChunk(chunk) => write!(f, "chunk {chunk} is referred to and has no row"),
            Self::ChunkRefs { chunk, kept, found } => {
                write!(f, "chunk {chunk} counts {kept} references, {found} were found")
            }
            Self::Condemned(chunk) => write!(f, "chunk {chunk} is condemned and referred to"),
            Self::Lost(chunk) => write!(f, "nothing refers to chunk {chunk}, and it is not queued"),
            Self::NoSegment(chunk) => write!(f, "the segment of chunk {chunk} has no row"),
            Self::Bad(chunk) => write!(f, "chunk {chunk} is damaged and needed"),
        }
    }
}

/// The result of a recount.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recount {
    /// Manifests, of whatever state.
    pub manifests: u64,
    /// Chunks with a row.
    pub chunks: u64,
    /// Chunks that live content needs.
    pub referenced: u64,
    /// Chunks that only manifests in the collector's queue refer to.
    pub queued: u64,
    /// Chunks that nothing refers to; the collector knows of them.
    pub unreferenced: u64,
    /// How much does not add up.
    pub found: u64,
    /// The first of it.
    pub findings: Vec<Finding>,
}

impl Recount {
    /// True if everything adds up.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.found == 0
    }

    pub(super) fn note(&mut self, finding: Finding) {
        self.found += 1;
        if self.findings.len() < FINDINGS {
            self.findings.push(finding);
        }
    }
}
