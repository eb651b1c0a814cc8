//! Grants, under `bucket, node, account`: whom a role was given on a file, a folder or a bucket's
//! own folder. They are inherited downwards.

use super::{get, put};
use crate::{
    enum_field,
    model::{
        ids::{AccountId, BucketId, NodeId},
        role::Role,
    },
    row,
    store::{
        error::StoreError,
        meta::{
            key::Key,
            rows::{Rows, RowsMut},
            table::Table,
        },
    },
};

enum_field! {
    Role: Viewer = 0, Editor = 1, Owner = 2;
}

row! {
    /// A grant.
    GrantRow {
        /// What it gives.
        role: Role,
    }
}

fn grant_key(bucket: BucketId, node: NodeId, who: AccountId) -> Vec<u8> {
    Key::new().number(bucket.0).number(node.0).number(who.0).done()
}

/// What was granted to somebody on a node itself.
///
/// # Errors
/// If the row cannot be read.
pub fn grant(
    rows: &dyn Rows,
    (bucket, node): (BucketId, NodeId),
    who: AccountId,
) -> Result<Option<GrantRow>, StoreError> {
    get(rows, Table::Grant, &grant_key(bucket, node, who))
}

/// Grants a role on a node; one that was granted before is replaced.
pub fn put_grant(rows: &mut dyn RowsMut, at: (BucketId, NodeId), who: AccountId, row: &GrantRow) {
    put(rows, Table::Grant, grant_key(at.0, at.1, who), row);
}
