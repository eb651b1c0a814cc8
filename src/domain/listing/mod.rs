//! Listings: pages whose cost follows the page, whatever the bucket holds.

mod folder;
mod keys;
mod twins;
mod versions;
mod walker;

pub(crate) use keys::{group, list};
