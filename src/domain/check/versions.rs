//! Versions: those of each name, and that there are no others.

use super::{
    Check, FindingKind, Pages, numbers,
    standing::{Counted, Standing},
};
use crate::{
    model::ids::{BucketId, HistoryId, Seq},
    store::{
        error::StoreError,
        meta::{codec::Row as _, key::Key, rows::KeyRange, table::Table},
        rows::{
            tree::{FileRow, Side},
            usage::UsageRow,
            version::{self, Class, Content, VersionRow, class_of},
        },
    },
};

fn of_history(bucket: BucketId, history: u64) -> KeyRange {
    KeyRange::prefix(Key::new().number(bucket.0).number(history).done())
}

impl Check<'_> {
    /// What is counted of a bucket.
    pub(super) fn tally(&mut self, bucket: BucketId) -> &mut UsageRow {
        self.found.entry(bucket).or_insert(UsageRow::NONE)
    }

    /// A history that only the trash or the queue leads to is history as a whole.
    pub(super) fn whole_history(&mut self, bucket: BucketId, history: u64) -> Result<(), StoreError> {
        if !self.histories.insert(history) {
            self.note(FindingKind::Version, format!("history {history:x} is detached twice"));
            return Ok(());
        }
        for row in Pages::of(self.rows, Table::Versions, of_history(bucket, history)) {
            let row = VersionRow::decode(&row?.1)?;
            self.tally(bucket).history += row.size;
        }
        Ok(())
    }

    /// Counts the versions of a file; what is wrong between them and its name.
    pub(super) fn versions_of(
        &mut self,
        bucket: BucketId,
        file: &FileRow,
        (side, standing): (Side, Standing),
    ) -> Result<Option<String>, StoreError> {
        let mut newest = None;
        let mut nulls = Vec::new();
        for row in Pages::of(self.rows, Table::Versions, of_history(bucket, file.history.0)) {
            let (key, value) = row?;
            let (class, row) = (class_of(&key), VersionRow::decode(&value)?);
            let tally = self.tally(bucket);
            let counted = match (class, standing) {
                (Some(Class::S3), Standing::Detached(Counted::Live)) => &mut tally.live,
                (Some(Class::S3), Standing::Attached | Standing::Lost) if newest.is_some() => {
                    &mut tally.versions
                }
                (Some(Class::S3), Standing::Attached | Standing::Lost) => match side {
                    Side::Live => &mut tally.live,
                    Side::Dead => &mut tally.versions,
                },
                (Some(Class::People), _) | (Some(Class::S3), Standing::Detached(Counted::History)) => {
                    &mut tally.history
                }
                (None, _) => return Ok(Some(format!("has a version {} of no class", row.id))),
            };
            *counted += row.size;
            if class == Some(Class::S3) {
                nulls.extend(row.null.then_some(row.id.seq));
                newest.get_or_insert(row);
            }
        }
        if nulls != Vec::from_iter(file.null) {
            return Ok(Some(format!("knows {:?} as its null version, and {nulls:?} are", file.null)));
        }
        let wanted = if side == Side::Live { Content::File } else { Content::Marker };
        Ok(match newest {
            None => Some("has no version".to_owned()),
            Some(row) if row.id != file.latest => {
                Some(format!("shows version {}, and {} is the newest", file.latest, row.id))
            }
            Some(row) if (row.size, &row.etag, row.content) != (file.size, &file.etag, wanted) => {
                Some(format!("shows other content than its version {}", row.id))
            }
            Some(_) => None,
        })
    }

    /// Every version is where its id says, and something leads to it.
    pub(super) fn versions(&mut self) -> Result<(), StoreError> {
        let mut stray = None;
        for row in Pages::all(self.rows, Table::Versions) {
            let (key, value) = row?;
            let [bucket, history] = numbers(&key)?;
            let row = VersionRow::decode(&value)?;
            self.report.counts.versions += 1;
            if class_of(&key) == Some(Class::People) {
                *self.people.entry(BucketId(bucket)).or_default() += 1;
            }
            let placed = key.get(17..) == Some(&(!row.id.seq.0).to_be_bytes()[..]);
            if !placed {
                let bucket = self.bucket_name(BucketId(bucket));
                self.note(
                    FindingKind::Version,
                    format!("version {} of bucket {bucket} is misplaced", row.id),
                );
            }
            if !self.histories.has(history) && stray != Some(history) {
                let bucket = self.bucket_name(BucketId(bucket));
                self.note(
                    FindingKind::Version,
                    format!("nothing leads to history {history:x} of bucket {bucket}"),
                );
                stray = Some(history);
            }
        }
        Ok(())
    }

    /// Every version that people keep is known to the job that ends it one day. A row whose
    /// version went earlier is no damage.
    pub(super) fn replaced(&mut self) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Replaced) {
            let [bucket, _, history, seq] = numbers(&row?.0)?;
            let bucket = BucketId(bucket);
            let at = (bucket, HistoryId(history));
            if version::version(self.rows, at, Class::People, Seq(seq))?.is_none() {
                continue;
            }
            match self.people.get_mut(&bucket).filter(|left| **left > 0) {
                Some(left) => *left -= 1,
                None => {
                    let bucket = self.bucket_name(bucket);
                    let text = format!("a version of history {history:x} of bucket {bucket} is to end twice");
                    self.note(FindingKind::Version, text);
                }
            }
        }
        for (bucket, left) in std::mem::take(&mut self.people) {
            if left > 0 && self.buckets.contains_key(&bucket) {
                let bucket = self.bucket_name(bucket);
                let text = format!("{left} versions that people keep in bucket {bucket} would never end");
                self.note(FindingKind::Version, text);
            }
        }
        Ok(())
    }
}
