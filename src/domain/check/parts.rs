//! Uploads and their parts.

use super::{Check, FindingKind, Pages, numbers};
use crate::{
    model::ids::{BucketId, UploadId},
    store::{
        error::StoreError,
        meta::{codec::Row as _, table::Table},
        rows::upload::{self, PartRow, UploadIdRow, UploadRow},
    },
};

impl Check<'_> {
    /// Uploads are found by key and by id, and every part belongs to one or is to be released.
    pub(super) fn uploads(&mut self) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Upload) {
            let (key, value) = row?;
            let ([bucket], row) = (numbers(&key)?, UploadRow::decode(&value)?);
            let named = upload::by_id(self.rows, row.id)?;
            let open = named.is_some_and(|named| {
                named.completed.is_none() && (named.bucket.0, named.seq) == (bucket, row.seq)
            });
            let placed = key == upload::upload_key(BucketId(bucket), &row.key, row.seq, row.id);
            if !open || !placed {
                let at = format!("{}/{}", self.bucket_name(BucketId(bucket)), row.key);
                self.note(FindingKind::Upload, format!("the upload of {at} is not found by its id"));
            }
        }
        for row in Pages::all(self.rows, Table::UploadId) {
            let (key, value) = row?;
            let ([id], row) = (numbers(&key)?, UploadIdRow::decode(&value)?);
            if row.completed.is_none() && upload::upload(self.rows, UploadId(id), &row)?.is_none() {
                self.note(FindingKind::Upload, format!("upload {id:x} of {} is gone", row.key));
            }
        }
        self.parts()
    }

    fn parts(&mut self) -> Result<(), StoreError> {
        let releasing = self.releasing()?;
        let mut known: Option<(u64, Option<BucketId>)> = None;
        for row in Pages::all(self.rows, Table::Part) {
            let (key, value) = row?;
            let [id] = numbers(&key)?;
            let bucket = match known {
                Some((known, bucket)) if known == id => bucket,
                _ => match releasing.get(&id) {
                    Some(bucket) => Some(*bucket),
                    None => self.bucket_of_upload(UploadId(id))?,
                },
            };
            self.report.counts.parts += 1;
            match bucket {
                Some(bucket) => self.tally(bucket).parts += PartRow::decode(&value)?.size,
                None if known.is_none_or(|(known, _)| known != id) => {
                    self.note(FindingKind::Upload, format!("parts belong to upload {id:x}, which is gone"));
                }
                None => {}
            }
            known = Some((id, bucket));
        }
        Ok(())
    }

    /// The bucket of an open upload.
    fn bucket_of_upload(&self, id: UploadId) -> Result<Option<BucketId>, StoreError> {
        let named = upload::by_id(self.rows, id)?;
        Ok(named.filter(|named| named.completed.is_none()).map(|named| named.bucket))
    }
}
