//! Buckets: by id, by name, by owner. A bucket's own folder is a node without a parent.

use super::{get, put, tree};
use crate::{
    enum_field,
    model::{
        bucket::{HistoryPolicy, Versioning},
        ids::{AccountId, BucketId, NodeId},
        name::BucketName,
        time::Timestamp,
    },
    row,
    store::{
        error::StoreError,
        meta::{
            codec::{Field, Reader, Row},
            key::Key,
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
    },
};

enum_field! {
    Versioning: Never = 0, Enabled = 1, Suspended = 2;
}

impl Field for HistoryPolicy {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Off => None,
            Self::Days(days) => Some(*days),
        }
        .write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        Ok(Option::<u32>::read(from)?.map_or(Self::Off, Self::Days))
    }
}

impl Field for BucketName {
    fn write(&self, out: &mut Vec<u8>) {
        self.as_str().to_owned().write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        let name = String::read(from)?;
        Self::parse(&name).map_err(|why| StoreError::Damaged(format!("a bucket's name {why}")))
    }
}

row! {
    /// A bucket.
    BucketRow {
        /// Its id.
        id: BucketId,
        /// Its name.
        name: BucketName,
        /// Who owns it and is charged.
        owner: AccountId,
        /// Its own folder.
        root: NodeId,
        /// When it was made.
        created: Timestamp,
        /// Its versioning state.
        versioning: Versioning,
        /// What it keeps for people while it was never versioned.
        history: HistoryPolicy,
        /// Bytes it may hold; `None` leaves it to the owner's quota.
        quota: Option<u64>,
    }
}

row! {
    /// Leads from a name to a bucket.
    BucketRef {
        /// The bucket.
        id: BucketId,
    }
}

fn id_key(id: BucketId) -> Vec<u8> {
    Key::new().number(id.0).done()
}

fn name_key(name: &str) -> Vec<u8> {
    Key::new().last(name.as_bytes())
}

fn owner_key(owner: AccountId, name: &str) -> Vec<u8> {
    Key::new().number(owner.0).last(name.as_bytes())
}

/// A bucket by its id.
///
/// # Errors
/// If the row cannot be read.
pub fn by_id(rows: &dyn Rows, id: BucketId) -> Result<Option<BucketRow>, StoreError> {
    get(rows, Table::Bucket, &id_key(id))
}

/// A bucket by its name.
///
/// # Errors
/// If a row cannot be read; Damaged if the name leads nowhere.
pub fn by_name(rows: &dyn Rows, name: &BucketName) -> Result<Option<BucketRow>, StoreError> {
    match get::<BucketRef>(rows, Table::BucketName, &name_key(name.as_str()))? {
        Some(found) => behind(rows, found.id).map(Some),
        None => Ok(None),
    }
}

fn behind(rows: &dyn Rows, id: BucketId) -> Result<BucketRow, StoreError> {
    by_id(rows, id)?.ok_or_else(|| StoreError::Damaged(format!("a name leads to bucket {id}, which is gone")))
}

/// At most `limit` buckets of an account by name: those that start with `prefix` and come behind
/// `after`.
///
/// # Errors
/// If the rows cannot be read.
pub fn of_owner(
    rows: &dyn Rows,
    owner: AccountId,
    (prefix, after): (&str, Option<&str>),
    limit: usize,
) -> Result<Vec<BucketRow>, StoreError> {
    let mut range = KeyRange::prefix(owner_key(owner, prefix));
    if let Some(after) = after.filter(|after| *after >= prefix) {
        range = range.after(owner_key(owner, after));
    }
    resolve(rows, Table::BucketOwner, &range, limit)
}

/// As [`of_owner`], whoever owns them.
///
/// # Errors
/// If the rows cannot be read.
pub fn all(
    rows: &dyn Rows,
    (prefix, after): (&str, Option<&str>),
    limit: usize,
) -> Result<Vec<BucketRow>, StoreError> {
    let mut range = KeyRange::prefix(name_key(prefix));
    if let Some(after) = after.filter(|after| *after >= prefix) {
        range = range.after(name_key(after));
    }
    resolve(rows, Table::BucketName, &range, limit)
}

fn resolve(
    rows: &dyn Rows,
    table: Table,
    range: &KeyRange,
    limit: usize,
) -> Result<Vec<BucketRow>, StoreError> {
    let found = rows.scan(table, range, Order::Forward, limit)?;
    found.iter().map(|(_, value)| behind(rows, BucketRef::decode(value)?.id)).collect()
}

/// How many buckets an account owns, counted up to `limit`.
///
/// # Errors
/// If the rows cannot be read.
pub fn count(rows: &dyn Rows, owner: AccountId, limit: usize) -> Result<usize, StoreError> {
    let range = KeyRange::prefix(owner_key(owner, ""));
    Ok(rows.scan(Table::BucketOwner, &range, Order::Forward, limit)?.len())
}

/// Writes a new bucket with its names and its own folder.
pub fn create(rows: &mut dyn RowsMut, row: &BucketRow) {
    let found = BucketRef { id: row.id };
    put(rows, Table::BucketName, name_key(row.name.as_str()), &found);
    put(rows, Table::BucketOwner, owner_key(row.owner, row.name.as_str()), &found);
    let root = tree::NodeRow { bucket: row.id, parent: None, name: String::new(), kind: tree::Kind::Folder };
    tree::put_node(rows, row.root, &root);
    update(rows, row);
}

/// Writes a bucket whose name and owner are as they were.
pub fn update(rows: &mut dyn RowsMut, row: &BucketRow) {
    put(rows, Table::Bucket, id_key(row.id), row);
}

/// Removes a bucket with its names and its own folder.
pub fn remove(rows: &mut dyn RowsMut, row: &BucketRow) {
    rows.delete(Table::BucketName, name_key(row.name.as_str()));
    rows.delete(Table::BucketOwner, owner_key(row.owner, row.name.as_str()));
    rows.delete(Table::Bucket, id_key(row.id));
    tree::remove_node(rows, row.root);
}

/// Whether nothing is in a bucket that a listing of names or of versions would show. Trash and
/// open uploads do not count. A folder has a row while anything is below it, so the members of
/// the bucket's own folder decide.
///
/// # Errors
/// If the rows cannot be read.
pub fn is_empty(rows: &dyn Rows, row: &BucketRow) -> Result<bool, StoreError> {
    let members = tree::members(row.id, row.root);
    for table in [Table::Dent, Table::Dead, Table::Litter] {
        if rows.any(table, &members)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows::memory::Memory;

    fn bucket(id: u64, owner: u64, name: &str) -> BucketRow {
        BucketRow {
            id: BucketId(id),
            name: BucketName::parse(name).unwrap(),
            owner: AccountId(owner),
            root: NodeId(id + 100),
            created: Timestamp(5),
            versioning: Versioning::Suspended,
            history: HistoryPolicy::Days(30),
            quota: None,
        }
    }

    #[test]
    fn a_bucket_is_found_by_id_name_and_owner_until_it_is_removed() {
        let mut rows = Memory::default();
        let (first, second) = (bucket(1, 7, "photos"), bucket(2, 7, "papers"));
        create(&mut rows, &first);
        create(&mut rows, &second);
        create(&mut rows, &bucket(3, 8, "plans"));
        assert_eq!(by_name(&rows, &first.name).unwrap(), Some(first.clone()));
        assert_eq!(of_owner(&rows, AccountId(7), ("p", None), 9).unwrap(), [second.clone(), first.clone()]);
        assert_eq!(
            of_owner(&rows, AccountId(7), ("p", Some("papers")), 9).unwrap(),
            std::slice::from_ref(&first)
        );
        assert_eq!(
            of_owner(&rows, AccountId(7), ("ph", Some("a")), 9).unwrap(),
            std::slice::from_ref(&first)
        );
        assert_eq!(all(&rows, ("", None), 2).unwrap(), [second, first.clone()]);
        assert_eq!(count(&rows, AccountId(7), 9).unwrap(), 2);
        remove(&mut rows, &first);
        assert_eq!(by_name(&rows, &first.name).unwrap(), None);
        assert_eq!(by_id(&rows, first.id).unwrap(), None);
        assert_eq!(count(&rows, AccountId(7), 9).unwrap(), 1);
    }

    #[test]
    fn a_name_that_leads_nowhere_is_damage_and_not_absence() {
        let mut rows = Memory::default();
        let row = bucket(1, 7, "photos");
        create(&mut rows, &row);
        rows.delete(Table::Bucket, id_key(row.id));
        assert!(matches!(by_name(&rows, &row.name), Err(StoreError::Damaged(_))));
    }
}
