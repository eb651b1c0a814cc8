//! What export and import share: requests with bodies, tags of what lies on a disk, a folder that is
//! written safely, and what is told of it all.

pub(super) mod crowd;
pub(super) mod failed;
pub(super) mod folder;
pub(super) mod link;
pub(super) mod tag;
pub(super) mod tally;
pub(super) mod tree;
