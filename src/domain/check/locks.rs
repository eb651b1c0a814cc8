//! Locks and properties, and what names show of them.

use super::{Check, FindingKind, Pages, numbers};
use crate::{
    model::ids::{BucketId, NodeId},
    store::{
        error::StoreError,
        meta::{
            codec::{Field as _, Reader, Row as _},
            key::Key,
            rows::KeyRange,
            table::Table,
        },
        rows::{lock::LockRow, tree},
    },
};

fn key(first: u64, second: u64, token: &[u8]) -> Vec<u8> {
    Key::new().number(first).number(second).last(token)
}

impl Check<'_> {
    /// A name shows properties and locks exactly where there are some.
    pub(super) fn flags(
        &mut self,
        (bucket, folder): (BucketId, NodeId),
        name: &str,
        (node, props, locks): (NodeId, bool, bool),
    ) -> Result<(), StoreError> {
        let of_node = || KeyRange::prefix(Key::new().number(bucket.0).number(node.0).done());
        if self.rows.any(Table::Prop, &of_node())? != props {
            self.note_at(FindingKind::Property, (bucket, folder, name), "is wrong about having properties")?;
        }
        if self.rows.any(Table::Lock, &of_node())? != locks {
            self.note_at(FindingKind::Lock, (bucket, folder, name), "is wrong about being locked")?;
        }
        Ok(())
    }

    /// The three tables of locks agree.
    pub(super) fn locks(&mut self) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Lock) {
            let (key, value) = row?;
            let ([bucket, node], row) = (numbers(&key)?, LockRow::decode(&value)?);
            self.report.counts.locks += 1;
            if let Some(what) = self.lock(BucketId(bucket), NodeId(node), &row)? {
                let bucket = self.bucket_name(BucketId(bucket));
                self.note_private(FindingKind::Lock, format!("lock {} in bucket {bucket} {what}", row.token));
            }
        }
        for row in Pages::all(self.rows, Table::LockBelow) {
            let (found, value) = row?;
            let [bucket, ancestor] = numbers(&found)?;
            let node = u64::read(&mut Reader::new(&value))?;
            let token = found.get(16..).unwrap_or_default();
            let locked = self.rows.get(Table::Lock, &key(bucket, node, token))?.is_some();
            if !locked || !self.above(NodeId(node))?.contains(&NodeId(ancestor)) {
                let (bucket, token) = (self.bucket_name(BucketId(bucket)), String::from_utf8_lossy(token));
                let text = format!("a folder of bucket {bucket} knows lock {token} below it, which is not");
                self.note_private(FindingKind::Lock, text);
            }
        }
        for row in Pages::all(self.rows, Table::LockOwner) {
            let (found, value) = row?;
            let [bucket, node] = numbers(&value)?;
            let token = found.get(8..).unwrap_or_default();
            if self.rows.get(Table::Lock, &key(bucket, node, token))?.is_none() {
                let token = String::from_utf8_lossy(token);
                self.note_private(FindingKind::Lock, format!("an account holds lock {token}, which is gone"));
            }
        }
        Ok(())
    }

    fn lock(
        &self,
        bucket: BucketId,
        node: NodeId,
        row: &LockRow,
    ) -> Result<Option<&'static str>, StoreError> {
        if row.node != node || tree::node(self.rows, node)?.is_none_or(|found| found.bucket != bucket) {
            return Ok(Some("is on nothing"));
        }
        let owner = Key::new().number(row.holder.0).last(row.token.as_bytes());
        let owned = self.rows.get(Table::LockOwner, &owner)?;
        if owned.as_deref() != Some(&key(bucket.0, node.0, b"")[..]) {
            return Ok(Some("is not known by who holds it"));
        }
        for ancestor in self.above(node)? {
            let below = key(bucket.0, ancestor.0, row.token.as_bytes());
            if self.rows.get(Table::LockBelow, &below)?.is_none() {
                return Ok(Some("is not known by a folder above"));
            }
        }
        Ok(None)
    }

    /// The folders above a node, the nearest first.
    fn above(&self, node: NodeId) -> Result<Vec<NodeId>, StoreError> {
        let mut above = Vec::new();
        let mut at = node;
        while let Some(parent) = tree::node(self.rows, at)?.and_then(|row| row.parent) {
            if above.contains(&parent) {
                break;
            }
            above.push(parent);
            at = parent;
        }
        Ok(above)
    }

    /// Properties belong to something.
    pub(super) fn props(&mut self) -> Result<(), StoreError> {
        let mut seen = None;
        for row in Pages::all(self.rows, Table::Prop) {
            let [bucket, node] = numbers(&row?.0)?;
            if seen == Some(node) {
                continue;
            }
            seen = Some(node);
            let known = tree::node(self.rows, NodeId(node))?.is_some_and(|found| found.bucket.0 == bucket);
            if !known && !self.detached.contains_key(&NodeId(node)) {
                let bucket = self.bucket_name(BucketId(bucket));
                self.note(FindingKind::Property, format!("properties in bucket {bucket} belong to nothing"));
            }
        }
        Ok(())
    }
}
