//! Locks on nodes, in three tables: `lock` by the node they are on, `lockbelow` by each folder
//! above it, `lockowner` by who holds them.

use super::{get, put};
use crate::{
    model::{
        ids::{AccountId, BucketId, NodeId},
        time::Timestamp,
    },
    row,
    store::{
        error::StoreError,
        meta::{
            codec::Row,
            key::Key,
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
    },
};

row! {
    /// A lock (RFC 4918 §6).
    LockRow {
        /// Its token, an URI.
        token: String,
        /// What it is on.
        node: NodeId,
        /// Nobody else may hold one beside it.
        exclusive: bool,
        /// It covers everything below.
        deep: bool,
        /// Who holds it.
        holder: AccountId,
        /// What the holder says about itself: the content of the `owner` element.
        owner: String,
        /// How long it was granted for, seconds.
        seconds: u64,
        /// When it ends.
        expires: Timestamp,
    }
}

fn of_node(bucket: BucketId, node: NodeId) -> KeyRange {
    KeyRange::prefix(Key::new().number(bucket.0).number(node.0).done())
}

fn lock_key(bucket: BucketId, node: NodeId, token: &str) -> Vec<u8> {
    Key::new().number(bucket.0).number(node.0).last(token.as_bytes())
}

/// The locks directly on a node, expired ones too.
///
/// # Errors
/// If the rows cannot be read.
pub fn locks(rows: &dyn Rows, bucket: BucketId, node: NodeId) -> Result<Vec<LockRow>, StoreError> {
    let found = rows.scan(Table::Lock, &of_node(bucket, node), Order::Forward, usize::MAX)?;
    found.iter().map(|(_, value)| LockRow::decode(value)).collect()
}

/// The locks somewhere below a folder: up to `limit` of them, with the nodes they are on.
///
/// # Errors
/// If the rows cannot be read.
pub fn locks_below(
    rows: &dyn Rows,
    bucket: BucketId,
    folder: NodeId,
    limit: usize,
) -> Result<Vec<LockRow>, StoreError> {
    let found = rows.scan(Table::LockBelow, &of_node(bucket, folder), Order::Forward, limit)?;
    let mut locks = Vec::new();
    for (key, node) in found {
        let token = String::from_utf8_lossy(key.get(16..).unwrap_or_default()).into_owned();
        let node = NodeId(crate::store::meta::codec::Field::read(
            &mut crate::store::meta::codec::Reader::new(&node),
        )?);
        locks.extend(get::<LockRow>(rows, Table::Lock, &lock_key(bucket, node, &token))?);
    }
    Ok(locks)
}

/// Writes a lock, with one row for every folder above its node.
pub fn put_lock(
    rows: &mut dyn RowsMut,
    bucket: BucketId,
    above: impl IntoIterator<Item = NodeId>,
    row: &LockRow,
) {
    put(rows, Table::Lock, lock_key(bucket, row.node, &row.token), row);
    let mut node = Vec::new();
    crate::store::meta::codec::Field::write(&row.node.0, &mut node);
    for ancestor in above {
        rows.put(Table::LockBelow, lock_key(bucket, ancestor, &row.token), node.clone());
    }
    let owned = Key::new().number(row.holder.0).last(row.token.as_bytes());
    rows.put(Table::LockOwner, owned, Key::new().number(bucket.0).number(row.node.0).done());
}

/// Removes a lock and its rows above.
pub fn remove_lock(
    rows: &mut dyn RowsMut,
    bucket: BucketId,
    above: impl IntoIterator<Item = NodeId>,
    row: &LockRow,
) {
    rows.delete(Table::Lock, lock_key(bucket, row.node, &row.token));
    for ancestor in above {
        rows.delete(Table::LockBelow, lock_key(bucket, ancestor, &row.token));
    }
    rows.delete(Table::LockOwner, Key::new().number(row.holder.0).last(row.token.as_bytes()));
}

/// How many locks an account holds, counted up to `limit`.
///
/// # Errors
/// If the rows cannot be read.
pub fn held(rows: &dyn Rows, holder: AccountId, limit: usize) -> Result<usize, StoreError> {
    let range = KeyRange::prefix(Key::new().number(holder.0).done());
    Ok(rows.scan(Table::LockOwner, &range, Order::Forward, limit)?.len())
}

/// Removes every lock directly on a node below these folders.
///
/// # Errors
/// If the rows cannot be read.
pub fn clear_locks(
    rows: &mut dyn RowsMut,
    bucket: BucketId,
    above: &[NodeId],
    node: NodeId,
) -> Result<(), StoreError> {
    for lock in locks(rows, bucket, node)? {
        remove_lock(rows, bucket, above.iter().copied(), &lock);
    }
    Ok(())
}

/// The first locks of a bucket, on whatever nodes.
///
/// # Errors
/// If the rows cannot be read.
pub fn locks_in(rows: &dyn Rows, bucket: BucketId, limit: usize) -> Result<Vec<LockRow>, StoreError> {
    let range = KeyRange::prefix(Key::new().number(bucket.0).done());
    let found = rows.scan(Table::Lock, &range, Order::Forward, limit)?;
    found.iter().map(|(_, value)| LockRow::decode(value)).collect()
}

/// The next locks of all buckets, each with its bucket, behind the one that came last.
///
/// # Errors
/// If the rows cannot be read.
pub fn all_locks(
    rows: &dyn Rows,
    after: Option<&(BucketId, LockRow)>,
    limit: usize,
) -> Result<Vec<(BucketId, LockRow)>, StoreError> {
    let all = KeyRange::prefix(Vec::new());
    let range = match after {
        Some((bucket, lock)) => all.after(lock_key(*bucket, lock.node, &lock.token)),
        None => all,
    };
    let found = rows.scan(Table::Lock, &range, Order::Forward, limit)?;
    let mut locks = Vec::with_capacity(found.len());
    for (key, value) in found {
        let bucket = key.first_chunk::<8>().map(|bytes| BucketId(u64::from_be_bytes(*bytes)));
        let bucket = bucket.ok_or_else(|| StoreError::Damaged("a lock has an impossible key".into()))?;
        locks.push((bucket, LockRow::decode(&value)?));
    }
    Ok(locks)
}
