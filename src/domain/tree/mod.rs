//! The namespace inside one transaction: finding names, giving and taking them, and keeping
//! folders exactly as alive as what is below them.
//!
//! Works on rows alone and asks nobody's permission; verbs do that before they come here.

mod attach;
mod settle;
mod walk;

pub(crate) use attach::{attach, ensure_folders, link_folder, moved_folder_fits, revive_folders};
pub(crate) use settle::{detach, settle, unlink_folder};
pub(crate) use walk::{Chain, Hit, Node, Place, descend_dead, find, find_folder, place};

use super::Error;
use crate::model::ids::{BucketId, NodeId};

/// A folder's members are named relative to these two.
pub(crate) type At = (BucketId, NodeId);

/// A row that must be there is not: the tables contradict each other.
pub(crate) fn broken(what: &str) -> Error {
    Error::Damaged { name: "the folder tree".into(), reason: what.to_owned() }
}
