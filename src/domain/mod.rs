//! The rules: one struct, [`Holdall`], whose verbs decide and change things.
//!
//! Every verb takes the [`caller::Caller`] first and decides inside whether it may. One
//! transaction makes a verb visible, with its preconditions and its journal row. Knows no
//! protocol: doors translate requests into verbs and nouns back into answers.

mod access;
mod accounts;
mod act;
mod asked;
mod authenticate;
mod backup;
mod batch;
mod behalf;
mod body;
mod bootstrap;
mod buckets;
pub mod caller;
mod changes;
mod check;
mod collect;
mod conditions;
mod credentials;
pub mod error;
mod folders;
mod health;
mod history;
mod jobs;
mod lanes;
mod listing;
mod locks;
mod memory;
pub mod nouns;
mod pace;
mod passwords;
mod places;
mod props;
mod put;
mod quota;
mod read;
mod recognised;
mod recovery;
mod remove;
mod scrub;
mod seal;
mod snapshots;
mod spot;
mod staging;
mod start;
#[cfg(test)]
mod tests;
mod tokens;
mod transfer;
mod tree;
mod turns;
mod uploads;
mod view;
mod wrapping;

pub use authenticate::Presented;
pub use backup::{
    BackupDone, BackupLost, BackupPoint, BackupProgress, BackupState, BackupUnread, Restored, Rotten,
    Verified, backup_points, restore_backup, verify_backup,
};
pub use bootstrap::{FirstAdmin, Preset, Welcome};
pub use check::{
    CheckReport, Counts as CheckCounts, Damaged, DamagedPart, Finding, FindingKind, Hit, HitCursor, HitKind,
    Hits,
};
pub use collect::{CollectReport, Collected, CollectionState, Forecast, SegmentUsage, Space};
pub use error::Error;
pub use health::{Condition, Fullness, Readiness, Unready};
pub use lanes::Waits;
pub use memory::{MemoryShare, MemoryUse};
pub use put::Put;
pub use read::Opened;
pub use scrub::{Portion, ScrubOptions, ScrubState, ScrubSummary};
pub use snapshots::KeptSnapshot;
pub use start::{StartOptions, World};
#[cfg(test)]
pub(crate) use tests::{give, in_memory, newcomer};
pub use tokens::password as made_password;
pub use uploads::PartPut;

use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use crate::{
    outside::{clock::Clock, random::Random},
    store::{Driver, Store},
};
use credentials::Credentials;

/// The system, opened once and shared by all doors.
pub struct Holdall {
    store: Arc<Store>,
    driver: Mutex<Option<Driver>>,
    jobs: Arc<jobs::Jobs>,
    batches: Arc<batch::Drivers>,
    health: health::Seen,
    collecting: Arc<collect::Collecting>,
    backing_up: Arc<backup::BackingUp>,
    data: Option<std::path::PathBuf>,
    scrubs: Arc<scrub::Scrubs>,
    stop: CancellationToken,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    credentials: Credentials,
    claims: Arc<quota::Claims>,
    quota_wait: std::time::Duration,
    memory: memory::Memory,
    waits: Arc<Waits>,
}
