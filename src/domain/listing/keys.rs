//! The flat listing of S3: files in byte order of their keys, grouped by a delimiter.

use super::walker::{Met, Walker};
use crate::{
    domain::{
        Error, Holdall,
        access::Verb,
        buckets::{allowed, owner},
        caller::Caller,
        nouns::{KeyEntry, KeyPage, ListKeys},
        view,
    },
    model::{limits, name::BucketName},
    store::{
        meta::rows::Rows,
        rows::{bucket::BucketRow, tree::Side},
    },
};

/// The group a key belongs to: everything up to and including the delimiter behind the prefix.
pub(crate) fn group<'k>(key: &'k str, prefix: &str, delimiter: Option<&str>) -> Option<&'k str> {
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let at = key.get(prefix.len()..)?.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

/// Where a page starts: at the prefix, or behind the last entry of the page before.
pub(super) fn start(walker: &mut Walker<'_>, which: &ListKeys) -> Result<(), Error> {
    let Some(after) = which.after.as_deref().filter(|after| *after >= which.prefix.as_str()) else {
        return walker.seek(which.prefix.as_bytes());
    };
    if after.starts_with(&which.prefix)
        && group(after, &which.prefix, which.delimiter.as_deref()).is_some_and(|group| group == after)
    {
        return walker.skip(after);
    }
    let mut behind = after.as_bytes().to_vec();
    behind.push(0);
    walker.seek(&behind)
}

/// One page.
pub(crate) fn list(rows: &dyn Rows, bucket: &BucketRow, which: &ListKeys) -> Result<KeyPage, Error> {
    let limit = which.limit.min(limits::LIST_PAGE);
    let mut page = KeyPage::default();
    if limit == 0 {
        return Ok(page);
    }
    let mut walker = Walker::new(rows, (bucket.id, bucket.root), &[Side::Live], limit + 1);
    start(&mut walker, which)?;
    while let Some(met) = walker.next()? {
        let key = match &met {
            Met::File { key, .. } | Met::Folder { key } => key,
        };
        let inside = key.starts_with(&which.prefix);
        if !inside && !which.prefix.starts_with(key.as_str()) {
            break;
        }
        let group = group(key, &which.prefix, which.delimiter.as_deref()).filter(|_| inside);
        let whole_folder = matches!(&met, Met::Folder { key } if group == Some(key.as_str()));
        let entry = match (group.map(str::to_owned), met) {
            (Some(group), _) => KeyEntry::Prefix(group),
            (None, Met::File { key, row }) if inside => KeyEntry::File(view::listed(key, row)),
            (None, _) => continue,
        };
        if page.entries.len() == limit {
            page.next = page.entries.last().map(last_name);
            break;
        }
        match &entry {
            KeyEntry::Prefix(_) if whole_folder => walker.leave(),
            KeyEntry::Prefix(group) => walker.skip(group)?,
            KeyEntry::File(_) => {}
        }
        page.entries.push(entry);
    }
    Ok(page)
}

fn last_name(entry: &KeyEntry) -> String {
    match entry {
        KeyEntry::File(file) => file.key.clone(),
        KeyEntry::Prefix(prefix) => prefix.clone(),
    }
}

impl Holdall {
    /// A page of a bucket's files in byte order of their keys. Folders that hold nothing do not
    /// show, and every row read is one the page needs, or one look-up on the way to it.
    ///
    /// # Errors
    /// If there is no such bucket, or the caller may not list it.
    pub async fn list_keys(
        &self,
        caller: &Caller,
        bucket: &BucketName,
        which: ListKeys,
    ) -> Result<KeyPage, Error> {
        let (caller, name) = (caller.clone(), bucket.clone());
        self.read(move |rows| {
            let bucket = allowed(rows, &caller, &name, Verb::List)?;
            Ok(KeyPage { owner: owner(rows, &bucket)?, ..list(rows, &bucket, &which)? })
        })
        .await
    }
}
