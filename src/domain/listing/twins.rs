//! Files that stand beside a folder of the same name: tree doors show the folder only, so that
//! whoever looks after the bucket wants to know of them.

use super::walker::{Met, Walker};
use crate::{
    domain::{Error, Holdall, access::Verb, buckets::allowed, caller::Caller},
    model::{limits, name::BucketName},
    store::{
        meta::rows::Rows,
        rows::{bucket::BucketRow, tree::Side},
    },
};

/// Names walked over on one snapshot.
const STEP: usize = 2000;

/// Adds the twins among the next names, up to `limit`; returns where to go on.
fn step(
    rows: &dyn Rows,
    bucket: &BucketRow,
    after: Option<&str>,
    (found, limit): (&mut Vec<String>, usize),
) -> Result<Option<String>, Error> {
    let mut walker = Walker::new(rows, (bucket.id, bucket.root), &[Side::Live], STEP);
    let mut from = after.unwrap_or_default().as_bytes().to_vec();
    if after.is_some() {
        from.push(0);
    }
    walker.seek(&from)?;
    let mut last = None;
    for _ in 0..STEP {
        let Some(met) = walker.next()? else { return Ok(None) };
        let (key, twin) = match met {
            Met::File { key, row } => (key, row.twin),
            Met::Folder { key } => (key, false),
        };
        if twin {
            found.push(key.clone());
            if found.len() >= limit {
                return Ok(None);
            }
        }
        last = Some(key);
    }
    Ok(last)
}

impl Holdall {
    /// Keys of files that stand beside a folder of the same name, in byte order behind `after`.
    /// Whoever may look at the bucket's settings may have these names.
    ///
    /// # Errors
    /// If there is no such bucket, or the caller may not look at it.
    pub async fn twins(
        &self,
        caller: &Caller,
        bucket: &BucketName,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let (mut after, limit) = (after, limit.clamp(1, limits::LIST_PAGE));
        let mut found = Vec::new();
        loop {
            let (caller, name, from) = (caller.clone(), bucket.clone(), after);
            let (so_far, next) = self
                .read(move |rows| {
                    let bucket = allowed(rows, &caller, &name, Verb::Inspect)?;
                    let next = step(rows, &bucket, from.as_deref(), (&mut found, limit))?;
                    Ok((found, next))
                })
                .await?;
            found = so_far;
            match next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }
}
