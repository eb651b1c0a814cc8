//! The shapes of collecting; part of [`super::types`].

use serde::{Deserialize, Serialize};

use crate::domain;

/// What a store holds and what that takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Space {
    /// Bytes of all versions, parts and history, as quotas count them.
    pub logical_bytes: u64,
    /// Bytes of segments that are needed.
    pub live_bytes: u64,
    /// Bytes of segments that nothing needs; compaction returns most of them.
    pub dead_bytes: u64,
    /// Logical bytes that are not stored, because the same content, a copy, or zeros are there.
    /// Compression is not in it.
    pub deduplicated_bytes: u64,
    /// When it was counted, RFC 3339. What was written since is not in it.
    pub counted_at: String,
}

impl From<domain::Space> for Space {
    fn from(space: domain::Space) -> Self {
        Self {
            logical_bytes: space.logical_bytes,
            live_bytes: space.segments.live_bytes,
            dead_bytes: space.segments.dead_bytes,
            deduplicated_bytes: space.saved_bytes(),
            counted_at: space.counted_at.rfc3339(),
        }
    }
}

/// A run that is asked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionRun {
    /// Only say what it would do.
    #[serde(default)]
    pub dry_run: bool,
    /// Move sparse segments together.
    #[serde(default)]
    pub compact: bool,
}

/// What a run did, or would do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Collected {
    /// Nothing was changed; these are what a run would do.
    pub dry_run: bool,
    /// Bodies that were given up.
    pub manifests: u64,
    /// Chunks deleted.
    pub chunks: u64,
    /// Bytes of segments those took.
    pub deleted_bytes: u64,
    /// Segments removed.
    pub segments: u64,
    /// Bytes given back to the disk.
    pub returned_bytes: u64,
    /// Segments moved out of.
    pub compacted: u64,
    /// Bytes moved.
    pub moved_bytes: u64,
    /// Bytes that are dead in other segments afterwards.
    pub dead_bytes: u64,
    /// Bodies that are being read and were left for later.
    pub passed_over: u64,
    /// There was not enough room to move segments.
    pub no_room: bool,
    /// Files stayed because a backup or a check is under way; a later run removes them.
    pub held: bool,
    /// Damaged chunks and segments, which stay where they are.
    pub damaged: Vec<String>,
    /// Why it was ended before it was done.
    pub aborted: Option<String>,
}

impl From<domain::CollectReport> for Collected {
    fn from(report: domain::CollectReport) -> Self {
        Self {
            dry_run: false,
            manifests: report.manifests,
            chunks: report.chunks_deleted,
            deleted_bytes: report.bytes_deleted,
            segments: report.segments_removed,
            returned_bytes: report.bytes_returned,
            compacted: report.segments_compacted,
            moved_bytes: report.bytes_moved,
            dead_bytes: report.usage.dead_bytes,
            passed_over: report.passed_over,
            no_room: report.no_room,
            held: report.held,
            damaged: report.damaged,
            aborted: None,
        }
    }
}

impl From<domain::Collected> for Collected {
    fn from(collected: domain::Collected) -> Self {
        Self { aborted: collected.aborted, ..collected.report.into() }
    }
}

impl From<domain::Forecast> for Collected {
    fn from(forecast: domain::Forecast) -> Self {
        Self {
            dry_run: true,
            manifests: forecast.manifests,
            chunks: forecast.chunks,
            deleted_bytes: forecast.bytes_deleted,
            segments: forecast.segments,
            returned_bytes: forecast.bytes_returned,
            dead_bytes: forecast.bytes_dead,
            ..Self::default()
        }
    }
}

/// How collecting stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Collection {
    /// A run is under way.
    pub running: bool,
    /// What it does, or did last.
    pub phase: String,
    /// What it did so far.
    pub done: Collected,
    /// Why the last run was ended; nothing is freed until one that is asked for ends well.
    pub aborted: Option<String>,
    /// What was counted last, if anything was since the start.
    pub space: Option<Space>,
}

impl From<domain::CollectionState> for Collection {
    fn from(state: domain::CollectionState) -> Self {
        Self {
            running: state.running,
            phase: state.phase.to_owned(),
            done: state.report.into(),
            aborted: state.aborted,
            space: state.space.map(Space::from),
        }
    }
}
