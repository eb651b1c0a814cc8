//! The shapes of scrubbing and of what is damaged; part of [`super::types`].

use serde::{Deserialize, Serialize};

use crate::domain::{self, DamagedPart};

/// Something that is known to be damaged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Damage {
    /// The chunk, or none if it is the header or footer of a segment.
    pub chunk: Option<String>,
    /// The segment it is in.
    pub segment: String,
    /// Where in it.
    pub offset: u64,
    /// What is wrong: `unreadable`, `missing`, `cut_off`, `header`, `misplaced`, `bytes`, `digest` or
    /// `footer`.
    pub kind: String,
    /// BLAKE3 of what was written.
    pub expected: Option<String>,
    /// BLAKE3 of what is there, if anything that could be one is.
    pub found: Option<String>,
    /// When it was met first.
    pub first_seen: String,
}

impl From<domain::Damaged> for Damage {
    fn from(damaged: domain::Damaged) -> Self {
        let row = damaged.row;
        let chunk = match damaged.part {
            DamagedPart::Chunk(chunk) => Some(chunk.to_string()),
            DamagedPart::Segment(_) => None,
        };
        Self {
            expected: chunk.is_some().then(|| hex::encode(row.expected)),
            chunk,
            segment: row.segment.to_string(),
            offset: row.offset,
            kind: row.kind.code().into(),
            found: row.found.map(hex::encode),
            first_seen: row.seen.rfc3339(),
        }
    }
}

/// A page of what is known to be damaged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Damages {
    /// Chunks, then segments.
    pub damage: Vec<Damage>,
    /// Where the next page goes on (`after`), if there is one.
    pub next: Option<String>,
}

/// A place in that list.
pub(super) fn place(part: DamagedPart) -> String {
    match part {
        DamagedPart::Chunk(chunk) => format!("chunk-{chunk}"),
        DamagedPart::Segment(segment) => format!("segment-{segment}"),
    }
}

/// Reads [`place`].
pub(super) fn part(text: &str) -> Option<DamagedPart> {
    let (kind, number) = text.split_once('-')?;
    let number = u64::from_str_radix(number, 16).ok()?;
    match kind {
        "chunk" => Some(DamagedPart::Chunk(crate::model::ids::ChunkNo(number))),
        "segment" => Some(DamagedPart::Segment(crate::model::ids::SegmentId(number))),
        _ => None,
    }
}

/// A version, or a part of an open upload, that cannot be read whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DamagedFile {
    /// The bucket.
    pub bucket: String,
    /// The name of who owns it.
    pub owner: String,
    /// The key.
    pub path: String,
    /// `current`, `version`, `history`, `trash` or `part`.
    pub kind: String,
    /// The version, if it is one.
    pub version: Option<String>,
    /// The number of the part, if it is one.
    pub part: Option<u64>,
    /// Bytes of it that cannot be read.
    pub bytes: u64,
    /// The first 100 damaged chunks it needs.
    pub chunks: Vec<NeededChunk>,
}

/// A damaged chunk of a version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NeededChunk {
    /// Which.
    pub chunk: String,
    /// Where in the content it begins.
    pub at: u64,
}

impl From<domain::Hit> for DamagedFile {
    fn from(hit: domain::Hit) -> Self {
        let chunks = hit.chunks.into_iter();
        Self {
            bucket: hit.bucket,
            owner: hit.owner,
            path: hit.path,
            kind: hit.kind.code().into(),
            version: hit.version.map(|version| version.to_string()),
            part: hit.part,
            bytes: hit.bytes,
            chunks: chunks.map(|(chunk, at)| NeededChunk { chunk: chunk.to_string(), at }).collect(),
        }
    }
}

/// A page of versions that cannot be read whole. It may be empty and not the last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DamagedFiles {
    /// Each version and part once.
    pub files: Vec<DamagedFile>,
    /// Where the next page goes on (`after`), if there is one.
    pub next: Option<String>,
}

/// A scrub that is asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScrubRun {
    /// A part of the store, such as `2/7`, of 1000 parts at most; everything if it is not given.
    #[serde(default)]
    pub part: Option<String>,
}

/// What a scrub did so far, or did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scrubbed {
    /// When it was begun.
    pub begun: String,
    /// When it ended, if that is known.
    pub ended: Option<String>,
    /// Of what: `1/1` is everything.
    pub part: String,
    /// How much of it is done, in percent.
    pub percent: f64,
    /// Chunks read.
    pub chunks: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Chunks, segments, rows of the metadata and kept snapshots of it that were damaged, known
    /// before or not.
    pub damaged: u64,
}

impl From<domain::ScrubSummary> for Scrubbed {
    #[expect(clippy::cast_precision_loss, reason = "there are at most a thousand")]
    fn from(summary: domain::ScrubSummary) -> Self {
        Self {
            begun: summary.begun.rfc3339(),
            ended: summary.ended.map(|ended| ended.rfc3339()),
            part: summary.portion.to_string(),
            percent: summary.thousandths as f64 / 10.0,
            chunks: summary.chunks,
            bytes: summary.bytes,
            damaged: summary.damaged,
        }
    }
}

/// How scrubbing stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scrubbing {
    /// A run is under way.
    pub running: bool,
    /// The run that is under way, or was begun and goes on later.
    pub now: Option<Scrubbed>,
    /// The last run over everything that ended.
    pub last: Option<Scrubbed>,
    /// Chunks, segments, rows of the metadata and kept snapshots of it that are known to be damaged.
    pub damaged: u64,
}

impl From<domain::ScrubState> for Scrubbing {
    fn from(state: domain::ScrubState) -> Self {
        Self {
            running: state.running,
            now: state.now.map(Scrubbed::from),
            last: state.last.map(Scrubbed::from),
            damaged: state.damaged,
        }
    }
}
