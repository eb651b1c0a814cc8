//! Usage as kept against usage as counted, and journals without gaps.

use std::collections::BTreeMap;

use super::{Check, FindingKind, Pages, numbers};
use crate::{
    model::ids::BucketId,
    store::{
        error::StoreError,
        meta::{codec::Row as _, table::Table},
        rows::usage::UsageRow,
    },
};

fn told(usage: &UsageRow) -> String {
    let UsageRow { live, versions, parts, history, files } = usage;
    format!("{live} live, {versions} of versions, {parts} of parts, {history} of history in {files} files")
}

impl Check<'_> {
    /// What detached folders and files hold is counted with their bucket until a job released it.
    pub(super) fn usage(&mut self) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Usage) {
            let (key, value) = row?;
            let ([account, bucket], kept) = (numbers(&key)?, UsageRow::decode(&value)?);
            let bucket = BucketId(bucket);
            let name = self.bucket_name(bucket);
            if self.buckets.get(&bucket).is_some_and(|row| row.owner.0 != account) {
                self.note(FindingKind::Usage, format!("bucket {name} is charged to who does not own it"));
            }
            let found = self.found.remove(&bucket).unwrap_or(UsageRow::NONE);
            if found != kept {
                let (kept, found) = (told(&kept), told(&found));
                self.note(FindingKind::Usage, format!("bucket {name} counts {kept}; it holds {found}"));
            }
        }
        for (bucket, found) in std::mem::take(&mut self.found) {
            if found != UsageRow::NONE {
                let name = self.bucket_name(bucket);
                self.note(
                    FindingKind::Usage,
                    format!("bucket {name} counts nothing; it holds {}", told(&found)),
                );
            }
        }
        Ok(())
    }

    /// The changes of a bucket follow each other, and none that a name knows of is missing.
    pub(super) fn journals(&mut self) -> Result<(), StoreError> {
        let mut last: BTreeMap<BucketId, u64> = BTreeMap::new();
        for row in Pages::all(self.rows, Table::Journal) {
            let [bucket, seq] = numbers(&row?.0)?;
            self.report.counts.changes += 1;
            if let Some(before) = last.insert(BucketId(bucket), seq)
                && before + 1 != seq
            {
                let name = self.bucket_name(BucketId(bucket));
                self.note(
                    FindingKind::Journal,
                    format!("bucket {name} has no changes from {before} to {seq}"),
                );
            }
        }
        for (bucket, newest) in std::mem::take(&mut self.newest) {
            let last = last.get(&bucket).copied().unwrap_or_default();
            if last < newest {
                let name = self.bucket_name(bucket);
                self.note(
                    FindingKind::Journal,
                    format!("the journal of bucket {name} ends with {last}; change {newest} is missing"),
                );
            }
        }
        Ok(())
    }
}
