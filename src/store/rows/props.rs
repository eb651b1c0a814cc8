//! Dead properties of nodes.

use super::put;
use crate::{
    model::ids::{BucketId, NodeId},
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
    /// A dead property.
    PropRow {
        /// Its XML namespace; empty for none.
        namespace: String,
        /// Its local name.
        name: String,
        /// The whole element, as it was set.
        xml: String,
    }
}

fn prop_key(bucket: BucketId, node: NodeId, namespace: &str, name: &str) -> Vec<u8> {
    Key::new().number(bucket.0).number(node.0).part(namespace.as_bytes()).last(name.as_bytes())
}

fn of_node(bucket: BucketId, node: NodeId) -> KeyRange {
    KeyRange::prefix(Key::new().number(bucket.0).number(node.0).done())
}

/// All properties of a node; their number is limited.
///
/// # Errors
/// If the rows cannot be read.
pub fn props(rows: &dyn Rows, bucket: BucketId, node: NodeId) -> Result<Vec<PropRow>, StoreError> {
    let found = rows.scan(Table::Prop, &of_node(bucket, node), Order::Forward, usize::MAX)?;
    found.iter().map(|(_, value)| PropRow::decode(value)).collect()
}

/// Sets a property.
pub fn put_prop(rows: &mut dyn RowsMut, bucket: BucketId, node: NodeId, row: &PropRow) {
    put(rows, Table::Prop, prop_key(bucket, node, &row.namespace, &row.name), row);
}

/// Removes a property, if it is there.
pub fn remove_prop(rows: &mut dyn RowsMut, bucket: BucketId, node: NodeId, name: (&str, &str)) {
    rows.delete(Table::Prop, prop_key(bucket, node, name.0, name.1));
}

/// Forgets the properties of a node if they are no more than `most`; whether it did.
///
/// # Errors
/// If the rows cannot be read.
pub fn clear_few(
    rows: &mut dyn RowsMut,
    bucket: BucketId,
    node: NodeId,
    most: usize,
) -> Result<bool, StoreError> {
    let found = rows.scan(Table::Prop, &of_node(bucket, node), Order::Forward, most.saturating_add(1))?;
    if found.len() > most {
        return Ok(false);
    }
    found.into_iter().for_each(|(key, _)| rows.delete(Table::Prop, key));
    Ok(true)
}

/// Forgets the properties of a node that leaves the listing.
///
/// # Errors
/// If the rows cannot be read.
pub fn clear(rows: &mut dyn RowsMut, bucket: BucketId, node: NodeId) -> Result<(), StoreError> {
    for (key, _) in rows.scan(Table::Prop, &of_node(bucket, node), Order::Forward, usize::MAX)? {
        rows.delete(Table::Prop, key);
    }
    Ok(())
}
