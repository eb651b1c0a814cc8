//! Uploads and their parts.

use std::collections::BTreeMap;

use super::{Check, FindingKind, Pages, numbers};
use crate::{
    model::ids::{BucketId, UploadId},
    store::{
        error::StoreError,
        meta::{codec::Row as _, table::Table},
        rows::{
            taken::{self, TakenRow},
            upload::{self, PartRow, UploadIdRow, UploadRow},
            work::Kind,
        },
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
                self.note_private(FindingKind::Upload, format!("the upload of {at} is not found by its id"));
            }
        }
        for row in Pages::all(self.rows, Table::UploadId) {
            let (key, value) = row?;
            let ([id], row) = (numbers(&key)?, UploadIdRow::decode(&value)?);
            if row.completed.is_none() && upload::upload(self.rows, UploadId(id), &row)?.is_none() {
                self.note_private(FindingKind::Upload, format!("upload {id:x} of {} is gone", row.key));
            }
        }
        self.parts()
    }

    fn parts(&mut self) -> Result<(), StoreError> {
        let releasing = self.releasing()?;
        let mut known: Option<(u64, Option<BucketId>)> = None;
        for row in Pages::all(self.rows, Table::Part) {
            let (key, value) = row?;
            let [id, number] = numbers(&key)?;
            let bucket = match known {
                Some((known, bucket)) if known == id => bucket,
                _ => match releasing.get(&id) {
                    Some(bucket) => Some(*bucket),
                    None => self.bucket_of_upload(UploadId(id))?,
                },
            };
            self.report.counts.parts += 1;
            match bucket {
                Some(_) if was_taken(&self.taken, id, number) => {}
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

    /// Uploads whose parts are being released, with their buckets. Learns which parts files took.
    fn releasing(&mut self) -> Result<BTreeMap<u64, BucketId>, StoreError> {
        let mut releasing = BTreeMap::new();
        for kind in [Kind::Upload, Kind::Completed] {
            for row in self.left(kind)? {
                releasing.insert(row.id, row.bucket);
                if kind == Kind::Completed {
                    match taken::taken(self.rows, row.bucket, UploadId(row.id)) {
                        Ok(taken) => drop(self.taken.insert(row.id, taken)),
                        Err(error) => self.note(FindingKind::Upload, error.to_string()),
                    }
                }
            }
        }
        Ok(releasing)
    }

    /// The bucket of an open upload.
    fn bucket_of_upload(&self, id: UploadId) -> Result<Option<BucketId>, StoreError> {
        let named = upload::by_id(self.rows, id)?;
        Ok(named.filter(|named| named.completed.is_none()).map(|named| named.bucket))
    }
}

/// Whether a file took a part over, so that its row refers to nothing any more.
pub(super) fn was_taken(taken: &BTreeMap<u64, TakenRow>, upload: u64, number: u64) -> bool {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    taken.get(&upload).is_some_and(|taken| taken.has(number))
}
