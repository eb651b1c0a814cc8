//! Listings of uploads and of parts.

use super::{noun, open, parse, part};
use crate::{
    domain::{
        Error, Holdall,
        access::Verb,
        buckets::{allowed, allowed_at, owner},
        caller::Caller,
        listing::group,
        nouns::{ListUploads, PartPage, UploadPage},
    },
    model::{address::Address, limits, name::BucketName},
    store::{
        meta::{
            codec::Row,
            key::after_prefix,
            rows::{Order, Rows},
            table::Table,
        },
        rows::{
            bucket::BucketRow,
            upload::{self, UploadRow},
        },
    },
};

/// Rows read at first where uploads are grouped, and how fast that grows while no group is met.
const FIRST_ROWS: usize = 2;
const GROWTH: usize = 8;

impl Holdall {
    /// Parts of an upload behind a number.
    ///
    /// # Errors
    /// No such upload, or the caller may not.
    pub async fn list_parts(
        &self,
        caller: &Caller,
        at: &Address,
        upload: &str,
        after: u32,
        limit: usize,
    ) -> Result<PartPage, Error> {
        let (caller, at, id) = (caller.clone(), at.clone(), upload.to_owned());
        let limit = limit.min(limits::LIST_PAGE);
        self.read(move |rows| {
            let bucket = allowed_at(rows, &caller, &at, Verb::Write)?;
            let row = open(rows, bucket.id, &at, &id)?;
            let mut parts = upload::parts(rows, row.id, after, limit + 1)?;
            let more = parts.len() > limit;
            parts.truncate(limit);
            let parts = parts.iter().map(|(number, row)| part::noun(*number, row)).collect();
            Ok(PartPage { upload: noun(&row), parts, more, owner: owner(rows, &bucket)? })
        })
        .await
    }

    /// A page of the open uploads of a bucket, by key and then by the time they were begun.
    ///
    /// # Errors
    /// If there is no such bucket, or the caller may not.
    pub async fn list_uploads(
        &self,
        caller: &Caller,
        bucket: &BucketName,
        which: ListUploads,
    ) -> Result<UploadPage, Error> {
        let (caller, name) = (caller.clone(), bucket.clone());
        self.read(move |rows| {
            let bucket = allowed(rows, &caller, &name, Verb::Write)?;
            Ok(UploadPage { owner: owner(rows, &bucket)?, ..list(rows, &bucket, &which)? })
        })
        .await
    }
}

/// Where the page starts.
fn start(rows: &dyn Rows, bucket: &BucketRow, which: &ListUploads) -> Result<Option<Vec<u8>>, Error> {
    let first = upload::uploads_from(bucket.id, which.prefix.as_bytes());
    let Some(key) = which.key_after.as_deref().filter(|key| *key >= which.prefix.as_str()) else {
        return Ok(Some(first));
    };
    let grouped = group(key, &which.prefix, which.delimiter.as_deref()).is_some_and(|group| group == key);
    if grouped && key.starts_with(&which.prefix) {
        return Ok(after_prefix(key.as_bytes()).map(|behind| upload::uploads_from(bucket.id, &behind)));
    }
    let within = which.id_after.as_deref().and_then(parse);
    if let Some(id) = within
        && let Some(named) = upload::by_id(rows, id)?.filter(|named| named.key == key)
    {
        let mut behind = upload::upload_key(bucket.id, key, named.seq, id);
        behind.push(0);
        return Ok(Some(behind));
    }
    // A marker that ended meanwhile has no place any more: the key is walked through from its start.
    let mut from = key.as_bytes().to_vec();
    if within.is_none() {
        from.push(0);
    }
    Ok(Some(upload::uploads_from(bucket.id, &from)))
}

/// Whether an upload comes before the page. Uploads of one key are begun in the order of their ids.
fn is_before(row: &UploadRow, which: &ListUploads) -> bool {
    let marker = which.id_after.as_deref().and_then(parse);
    which.key_after.as_deref() == Some(row.key.as_str()) && marker.is_some_and(|marker| row.id <= marker)
}

fn list(rows: &dyn Rows, bucket: &BucketRow, which: &ListUploads) -> Result<UploadPage, Error> {
    let limit = which.limit.min(limits::LIST_PAGE);
    let mut page = UploadPage::default();
    let mut last = None;
    let mut from = if limit == 0 { None } else { start(rows, bucket, which)? };
    let mut ahead = FIRST_ROWS;
    while let Some(at) = from.take() {
        let room = limit - page.uploads.len() - page.prefixes.len();
        let range = upload::uploads(bucket.id).from(at);
        // Behind the first row of a group all that was read of it is lost.
        let count = if which.delimiter.is_some() { ahead.min(room + 1) } else { room + 1 };
        let found = rows.scan(Table::Upload, &range, Order::Forward, count)?;
        let ended = found.len() < count;
        ahead = count.saturating_mul(GROWTH);
        for (key, value) in found {
            let row = UploadRow::decode(&value)?;
            if !row.key.starts_with(&which.prefix) {
                return Ok(page);
            }
            let mut behind = key;
            behind.push(0);
            from = (!ended).then_some(behind);
            if is_before(&row, which) {
                continue;
            }
            if page.uploads.len() + page.prefixes.len() == limit {
                page.next = last;
                return Ok(page);
            }
            if let Some(group) = group(&row.key, &which.prefix, which.delimiter.as_deref()) {
                page.prefixes.push(group.to_owned());
                last = Some((group.to_owned(), None));
                ahead = FIRST_ROWS;
                from = after_prefix(group.as_bytes()).map(|end| upload::uploads_from(bucket.id, &end));
                break;
            }
            last = Some((row.key.clone(), Some(super::written(row.id))));
            page.uploads.push(noun(&row));
        }
    }
    Ok(page)
}
