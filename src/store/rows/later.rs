//! Keys of tables that no verb writes yet, in the form they will have: a release without those
//! verbs leaves them empty, and the next finds nothing to migrate.

use super::tree::dent_key;
use crate::{
    model::ids::{BucketId, NodeId},
    store::meta::key::Key,
};

/// A share link's token is stored as this hash only.
pub type TokenHash = [u8; 32];

/// The key of a file that an operating system leaves behind; as in `dent`.
#[must_use]
pub fn litter_key(bucket: BucketId, parent: NodeId, sortname: &str) -> Vec<u8> {
    dent_key(bucket, parent, sortname)
}

/// The key of a name that was left by MOVE or DELETE; as in `dent`.
#[must_use]
pub fn vacated_key(bucket: BucketId, parent: NodeId, sortname: &str) -> Vec<u8> {
    dent_key(bucket, parent, sortname)
}

/// The key of a share link.
#[must_use]
pub fn share_key(token: &TokenHash) -> Vec<u8> {
    Key::new().last(token)
}

/// The key that leads from a node to its share links.
#[must_use]
pub fn share_node_key(bucket: BucketId, node: NodeId, token: &TokenHash) -> Vec<u8> {
    Key::new().number(bucket.0).number(node.0).last(token)
}
