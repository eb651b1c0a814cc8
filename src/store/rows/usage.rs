//! What is charged to an account. The shard is the bucket, so that a bucket's own usage is one
//! row, and writers of different buckets never meet.

use super::{get, put};
use crate::{
    model::ids::{AccountId, BucketId},
    row,
    store::{
        error::StoreError,
        meta::{
            codec::{Reader, Row},
            key::{Key, number},
            pages::Pages,
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
    },
};

row! {
    /// Logical bytes of one bucket.
    UsageRow {
        /// Current versions.
        live: u64,
        /// Other S3 versions.
        versions: u64,
        /// Parts of open uploads.
        parts: u64,
        /// History and trash.
        history: u64,
        /// Files.
        files: u64,
    }
}

impl UsageRow {
    /// Nothing at all.
    pub const NONE: Self = Self { live: 0, versions: 0, parts: 0, history: 0, files: 0 };

    /// What a quota is held against.
    #[must_use]
    pub fn charged(&self) -> u64 {
        self.live.saturating_add(self.versions).saturating_add(self.parts)
    }

    /// Adds another bucket's.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            live: self.live + other.live,
            versions: self.versions + other.versions,
            parts: self.parts + other.parts,
            history: self.history + other.history,
            files: self.files + other.files,
        }
    }
}

fn key(account: AccountId, bucket: BucketId) -> Vec<u8> {
    Key::new().number(account.0).number(bucket.0).done()
}

/// The usage of one bucket.
///
/// # Errors
/// If the row cannot be read.
pub fn of_bucket(rows: &dyn Rows, account: AccountId, bucket: BucketId) -> Result<UsageRow, StoreError> {
    Ok(get(rows, Table::Usage, &key(account, bucket))?.unwrap_or(UsageRow::NONE))
}

/// The usage of all buckets of an account; their number is limited.
///
/// # Errors
/// If the rows cannot be read.
pub fn of_account(rows: &dyn Rows, account: AccountId) -> Result<UsageRow, StoreError> {
    let range = KeyRange::prefix(Key::new().number(account.0).done());
    let found = rows.scan(Table::Usage, &range, Order::Forward, usize::MAX)?;
    found.iter().try_fold(UsageRow::NONE, |sum, (_, value)| Ok(sum.plus(&UsageRow::decode(value)?)))
}

/// The buckets that an account is charged for.
///
/// # Errors
/// If the rows cannot be read.
pub fn buckets(rows: &dyn Rows, account: AccountId) -> Result<Vec<BucketId>, StoreError> {
    let range = KeyRange::prefix(Key::new().number(account.0).done());
    let found = rows.scan(Table::Usage, &range, Order::Forward, usize::MAX)?;
    found
        .iter()
        .map(|(key, _)| {
            let mut from = Reader::new(key);
            number(&mut from)?;
            Ok(BucketId(number(&mut from)?))
        })
        .collect()
}

/// The usage of all buckets. Read in pages: there may be many.
///
/// # Errors
/// If the rows cannot be read.
pub fn of_all(rows: &dyn Rows) -> Result<UsageRow, StoreError> {
    let mut all = Pages::all(rows, Table::Usage);
    all.try_fold(UsageRow::NONE, |sum, row| Ok(sum.plus(&UsageRow::decode(&row?.1)?)))
}

/// Writes the usage of one bucket; none at all is no row.
pub fn set(rows: &mut dyn RowsMut, account: AccountId, bucket: BucketId, usage: &UsageRow) {
    if *usage == UsageRow::NONE {
        rows.delete(Table::Usage, key(account, bucket));
    } else {
        put(rows, Table::Usage, key(account, bucket), usage);
    }
}
