//! The shapes of backups; part of [`super::types`].

use serde::{Deserialize, Serialize};

use crate::domain;

/// A backup that is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupRun {
    /// A folder of the server's disk, named from the root on.
    pub folder: String,
    /// How many of the newest are left there; all if it is not said.
    #[serde(default)]
    pub keep: Option<u64>,
}

/// What a backup came to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BackedUp {
    /// Its number in the folder.
    pub point: u64,
    /// Bytes that belong to it.
    pub bytes: u64,
    /// Segments that belong to it.
    pub segments: u64,
    /// Segments that were copied; the others were there.
    pub copied: u64,
    /// Bytes that were copied.
    pub copied_bytes: u64,
    /// Older backups that were removed.
    pub removed: u64,
    /// Why older ones were not removed.
    #[serde(default)]
    pub not_removed: Option<String>,
    /// Segments that should be there and are not: the store is damaged.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Segments that the disk cannot read whole: the store is damaged. All else of them is there.
    #[serde(default)]
    pub unread: Vec<UnreadSegment>,
}

/// A segment of which the disk refuses to read a part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnreadSegment {
    /// Which.
    pub segment: String,
    /// Bytes that could not be read; the backup has zeros there, unless an earlier copy stands for it.
    pub bytes: u64,
}

impl From<domain::BackupDone> for BackedUp {
    fn from(done: domain::BackupDone) -> Self {
        Self {
            point: done.number,
            bytes: done.bytes,
            segments: done.segments,
            copied: done.copied,
            copied_bytes: done.copied_bytes,
            removed: done.removed,
            not_removed: done.not_removed,
            missing: done.missing.iter().map(ToString::to_string).collect(),
            unread: done.unread.iter().map(UnreadSegment::from).collect(),
        }
    }
}

impl From<&domain::BackupUnread> for UnreadSegment {
    fn from(unread: &domain::BackupUnread) -> Self {
        Self { segment: unread.segment.to_string(), bytes: unread.bytes }
    }
}

/// How backups stand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Backup {
    /// One is being made.
    pub running: bool,
    /// What it does.
    pub phase: String,
    /// Bytes of that done.
    pub done_bytes: u64,
    /// Bytes of that to do, if it is known.
    pub total_bytes: u64,
    /// When the last one came to its end, since the start.
    pub last: Option<String>,
}

impl From<domain::BackupState> for Backup {
    fn from(state: domain::BackupState) -> Self {
        let progress = state.running.unwrap_or_default();
        Self {
            running: state.running.is_some(),
            phase: progress.phase.to_owned(),
            done_bytes: progress.done,
            total_bytes: progress.total,
            last: state.last.map(|at| at.rfc3339_seconds()),
        }
    }
}

/// A snapshot of the metadata that is kept beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its number.
    pub number: u64,
    /// When it was taken.
    pub taken_at: String,
    /// Its length.
    pub bytes: u64,
}

impl From<domain::KeptSnapshot> for Snapshot {
    fn from(kept: domain::KeptSnapshot) -> Self {
        Self { number: kept.number, taken_at: kept.taken_at.rfc3339_seconds(), bytes: kept.bytes }
    }
}
