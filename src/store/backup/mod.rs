//! Backups: a folder somewhere else with everything that is needed to have the store again, as it
//! was at one or several points.
//!
//! ```text
//! HOLDALL-BACKUP                    whose backups these are
//! LOCK                              held by the one process that changes the folder
//! segments/<id>-<digest>.seg        copies of segments, shared by points
//! segments/….seg.bad                one that verifying found damaged; the next backup copies it again
//! points/<number>.meta              all rows, as a snapshot (see `snapshots`)
//! points/<number>.format, .keys     FORMAT, and the keys wrapped under the recovery key
//! points/<number>.point             what belongs to the point, with digests (see `point`)
//! ```
//!
//! What the disk refuses to read of a segment is zeros in its copy, and told: a backup is needed most
//! while a disk dies, and the rest of the point is good. Where an earlier point has a better copy of what
//! the store has lost, it belongs to this one, too; nothing older is removed then.
//!
//! A point is there when its `.point` file is, which comes last, when everything it lists is
//! synced. A backup that is cut off leaves the points before it as they were, and files that
//! belong to none, which the next one uses or takes away. Nothing is written over by other bytes:
//! the name of a copy holds its digest, and so copies of one segment in two lives of a store lie
//! side by side.
//!
//! Whoever can write to the folder can take backups away, and cannot make one: each point has a mac
//! under a key of its store, which is asked for before anything of a point counts. Copies that
//! an earlier point lists stand for segments only if the store made that point.
//!
//! Knows files, segments and records. What the keys are, who may make a backup and where it may
//! lie is decided above.

mod copying;
mod create;
mod folder;
mod instead;
mod names;
mod point;
mod prune;
mod restore;
#[cfg(test)]
mod tests;
mod verify;

pub use self::{
    create::{Done, Unread, create},
    folder::BackupFolder,
    point::{Lost, Part, Point, PointFile, PointKey, SegmentCopy, Vouched},
    restore::{Restored, Rotten, restore},
    verify::{Verified, verify},
};
use super::error::StoreError;

/// How far something long is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// What is done now, in a word.
    pub phase: &'static str,
    /// Bytes done of it.
    pub done: u64,
    /// Bytes to do, as far as that is known.
    pub total: u64,
}

/// Hears how far it is, and may end it.
pub type Watch<'a> = &'a dyn Fn(Progress) -> Result<(), StoreError>;

fn damaged(what: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("the backup: {what}"))
}
