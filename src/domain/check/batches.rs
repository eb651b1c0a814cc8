//! Folder verbs under way. That their bucket or account is gone is no damage: they end then.

use super::{Check, FindingKind, Pages, numbers};
use crate::{
    model::ids::BucketId,
    store::{
        error::StoreError,
        meta::{codec::Row as _, table::Table},
        rows::batch::BatchRow,
    },
};

impl Check<'_> {
    /// Every batch can be gone on with, where its key says.
    pub(super) fn batches(&mut self) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Batch) {
            let (key, value) = row?;
            let [bucket, number] = numbers(&key)?;
            let bucket = BucketId(bucket);
            self.report.counts.batches += 1;
            let wrong = match BatchRow::decode(&value) {
                Ok(row) if row.writes_to() == bucket => continue,
                Ok(_) => "writes to another bucket".to_owned(),
                Err(error) => error.to_string(),
            };
            let bucket = self.bucket_name(bucket);
            self.note(FindingKind::Work, format!("batch {number} of bucket {bucket}: {wrong}"));
        }
        Ok(())
    }
}
