//! From the other end: every node has its name, and every alias.

use super::{Check, FindingKind, Pages, numbers};
use crate::{
    model::ids::{BucketId, NodeId},
    store::{
        error::StoreError,
        meta::{
            codec::{Reader, Row as _},
            key::{number, part},
            table::Table,
        },
        rows::tree::{self, Kind, NodeRow, Side, dent_key},
    },
};

impl Check<'_> {
    /// Every node is where it says, or is detached.
    pub(super) fn nodes(&mut self) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Node) {
            let (key, value) = row?;
            let ([node], row) = (numbers(&key)?, NodeRow::decode(&value)?);
            if !self.has_name(NodeId(node), &row)? && !self.detached.contains_key(&NodeId(node)) {
                let folder = row.parent.unwrap_or_default();
                let at = (row.bucket, folder, row.name.as_str());
                self.note_at(FindingKind::Name, at, "is a node without a name")?;
            }
        }
        Ok(())
    }

    fn has_name(&self, node: NodeId, row: &NodeRow) -> Result<bool, StoreError> {
        let Some(parent) = row.parent else {
            return Ok(self.buckets.get(&row.bucket).is_some_and(|bucket| bucket.root == node));
        };
        let at = (row.bucket, parent);
        for side in [Side::Live, Side::Dead] {
            let found = match row.kind {
                Kind::File => tree::file(self.rows, side, at, &row.name)?.map(|found| found.node),
                Kind::Folder => tree::folder(self.rows, side, at, &row.name)?.map(|found| found.node),
            };
            if found == Some(node) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every alias leads to a name that is listed. What a removed bucket left does not count.
    pub(super) fn aliases(&mut self) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Alias) {
            let (key, _) = row?;
            let mut from = Reader::new(&key);
            let (bucket, folder) = (BucketId(number(&mut from)?), NodeId(number(&mut from)?));
            let normal = part(&mut from)?;
            let name = String::from_utf8_lossy(from.rest()).into_owned();
            let listed = self.rows.get(Table::Dent, &dent_key(bucket, folder, &name))?.is_some();
            let bare = name.strip_suffix('/').unwrap_or(&name);
            let right = crate::model::address::nfc(bare).is_some_and(|nfc| nfc.as_bytes() == normal);
            if self.buckets.contains_key(&bucket) && !(listed && right) {
                self.note_at(FindingKind::Name, (bucket, folder, &name), "has an alias and is not listed")?;
            }
        }
        Ok(())
    }
}
