//! The listing of versions: keys ascending, each newest first, deleted ones among them.

use super::{
    keys::{group, start},
    walker::{Met, Walker},
};
use crate::{
    domain::{
        Error, Holdall,
        access::Verb,
        buckets::{allowed, owner},
        caller::Caller,
        nouns::{ListKeys, ListVersions, VersionEntry, VersionPage, VersionRef},
        view,
    },
    model::{
        ids::{Seq, VersionId},
        limits,
        name::BucketName,
    },
    store::{
        meta::rows::Rows,
        rows::{
            bucket::BucketRow,
            tree::{FileRow, Side},
            version::{self, Class, Content, VersionRow},
        },
    },
};

struct Pager<'a> {
    rows: &'a dyn Rows,
    bucket: &'a BucketRow,
    limit: usize,
    page: VersionPage,
    last: Option<(String, Option<VersionId>)>,
}

impl Pager<'_> {
    /// Adds an entry; false when the page is full and one more proves that it goes on.
    fn add(&mut self, entry: VersionEntry, at: (String, Option<VersionId>)) -> bool {
        if self.page.entries.len() == self.limit {
            self.page.next = self.last.take();
            return false;
        }
        self.page.entries.push(entry);
        self.last = Some(at);
        true
    }

    /// Adds the versions of one file behind a version; false when the page is full.
    fn add_file(&mut self, key: &str, row: &FileRow, mut behind: Option<Seq>) -> Result<bool, Error> {
        loop {
            let wanted = self.limit - self.page.entries.len() + 1;
            let at = (self.bucket.id, row.history);
            let versions = version::versions(self.rows, at, Class::S3, behind, wanted)?;
            let ended = versions.len() < wanted;
            for found in versions {
                behind = Some(found.id.seq);
                let place = (key.to_owned(), Some(found.id));
                if !self.add(entry(self.bucket, key, row, &found), place) {
                    return Ok(false);
                }
            }
            if ended {
                return Ok(true);
            }
        }
    }
}

fn entry(bucket: &BucketRow, key: &str, file: &FileRow, row: &VersionRow) -> VersionEntry {
    match row.content {
        Content::File => VersionEntry::Version(view::version(bucket, key.to_owned(), file, row)),
        Content::Marker => VersionEntry::Marker {
            key: key.to_owned(),
            id: row.id,
            null: row.null,
            latest: file.latest == row.id,
            committed: row.committed,
            owner: bucket.owner,
        },
    }
}

fn list(rows: &dyn Rows, bucket: &BucketRow, which: &ListVersions) -> Result<VersionPage, Error> {
    let limit = which.limit.min(limits::LIST_PAGE);
    let page = VersionPage::default();
    if limit == 0 {
        return Ok(page);
    }
    let mut pager = Pager { rows, bucket, limit, page, last: None };
    let mut walker = Walker::new(rows, (bucket.id, bucket.root), &[Side::Live, Side::Dead], limit + 1);
    let within = which.version_after.and(which.key_after.clone());
    match &within {
        // Go on within this key: it is met first.
        Some(key) if *key >= which.prefix => walker.seek(key.as_bytes())?,
        _ => {
            let keys = ListKeys {
                prefix: which.prefix.clone(),
                delimiter: which.delimiter.clone(),
                after: which.key_after.clone(),
                limit,
            };
            start(&mut walker, &keys)?;
        }
    }
    fill(&mut pager, &mut walker, which, within.as_deref())?;
    Ok(pager.page)
}

fn fill(
    pager: &mut Pager<'_>,
    walker: &mut Walker<'_>,
    which: &ListVersions,
    within: Option<&str>,
) -> Result<(), Error> {
    while let Some(met) = walker.next()? {
        let key = match &met {
            Met::File { key, .. } | Met::Folder { key } => key.clone(),
        };
        let inside = key.starts_with(&which.prefix);
        if !inside && !which.prefix.starts_with(&key) {
            break;
        }
        if let Some(group) = group(&key, &which.prefix, which.delimiter.as_deref()).filter(|_| inside) {
            if !pager.add(VersionEntry::Prefix(group.to_owned()), (group.to_owned(), None)) {
                break;
            }
            if matches!(met, Met::Folder { .. }) && group == key {
                walker.leave();
            } else {
                walker.skip(group)?;
            }
            continue;
        }
        let Met::File { row, .. } = met else { continue };
        if !inside {
            continue;
        }
        let behind = match which.version_after {
            Some(VersionRef::Id(id)) if within == Some(&key) => Some(id.seq),
            // Nothing of this key is older than nothing: go on with the next one.
            Some(VersionRef::Null) if within == Some(&key) => match row.null {
                Some(seq) => Some(seq),
                None => continue,
            },
            _ => None,
        };
        if !pager.add_file(&key, &row, behind)? {
            break;
        }
    }
    Ok(())
}

impl Holdall {
    /// A page of a bucket's versions.
    ///
    /// # Errors
    /// If there is no such bucket, or the caller may not list it.
    pub async fn list_versions(
        &self,
        caller: &Caller,
        bucket: &BucketName,
        which: ListVersions,
    ) -> Result<VersionPage, Error> {
        let (caller, name) = (caller.clone(), bucket.clone());
        self.read(move |rows| {
            let bucket = allowed(rows, &caller, &name, Verb::List)?;
            Ok(VersionPage { owner: owner(rows, &bucket)?, ..list(rows, &bucket, &which)? })
        })
        .await
    }
}
