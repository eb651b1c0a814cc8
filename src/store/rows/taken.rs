//! Which parts of a completed upload the file took over. Until a job has removed the parts' rows,
//! this tells the ones that refer to nothing any more from those that were not listed.

use super::put;
use crate::{
    model::ids::{BucketId, UploadId},
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

/// Its stretch of the queue's keys, beside the numbers of [`super::work::Kind`].
const STRETCH: u8 = 64;

row! {
    /// A bit for each part number from 0 on: 1,251 bytes for 10,000 parts.
    TakenRow {
        /// Eight numbers in each byte, the lowest in the lowest bit.
        bits: Vec<u8>,
    }
}

impl TakenRow {
    /// With these part numbers.
    #[must_use]
    pub fn of(numbers: impl IntoIterator<Item = u32>) -> Self {
        let mut bits: Vec<u8> = Vec::new();
        for number in numbers {
            let place = number as usize / 8;
            if bits.len() <= place {
                bits.resize(place + 1, 0);
            }
            if let Some(byte) = bits.get_mut(place) {
                *byte |= 1 << (number % 8);
            }
        }
        Self { bits }
    }

    /// Whether the file took a part over.
    #[must_use]
    pub fn has(&self, number: u32) -> bool {
        self.bits.get(number as usize / 8).is_some_and(|byte| byte & (1 << (number % 8)) != 0)
    }
}

fn key(bucket: BucketId, upload: UploadId) -> Vec<u8> {
    Key::new().byte(STRETCH).number(bucket.0).number(upload.0).done()
}

/// Notes which parts were taken over.
pub fn put_taken(rows: &mut dyn RowsMut, bucket: BucketId, upload: UploadId, row: &TakenRow) {
    put(rows, Table::Queue, key(bucket, upload), row);
}

/// Which parts were taken over.
///
/// # Errors
/// Damaged if nothing tells: then no part may be released.
pub fn taken(rows: &dyn Rows, bucket: BucketId, upload: UploadId) -> Result<TakenRow, StoreError> {
    super::get(rows, Table::Queue, &key(bucket, upload))?.ok_or_else(|| {
        StoreError::Damaged(format!("nothing tells which parts of upload {upload} were taken"))
    })
}

/// Forgets it, once no part is left.
pub fn remove_taken(rows: &mut dyn RowsMut, bucket: BucketId, upload: UploadId) {
    rows.delete(Table::Queue, key(bucket, upload));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::meta::codec::Row as _;

    #[test]
    fn each_number_is_told_from_its_neighbours() {
        let row = TakenRow::of([1, 8, 9, 10_000]);
        let has: Vec<u32> = (0..=10_100).filter(|number| row.has(*number)).collect();
        assert_eq!(has, [1, 8, 9, 10_000]);
        assert!(row.encode().len() < 1300);
    }
}
