//! Names and what hangs on them, as listings show them, held against the model.

use std::collections::BTreeMap;

use super::{
    run::Run,
    runs::{Same, same},
    seen::{ALL, TYPES, text},
    state::Bucket,
};
use crate::domain::{
    nouns::{KeyEntry, ListKeys, ListedFile, Member, Usage},
    tests::{bucket as name_of, path},
};

impl Run {
    /// Keys, folders, properties, locks and usage.
    pub(super) async fn names(&self, name: &str) -> Same {
        let Some(bucket) = self.model.buckets.get(name) else { return Ok(()) };
        let which = ListKeys { limit: ALL, ..ListKeys::default() };
        let page = self.holdall.list_keys(&self.ada, &name_of(name), which).await.map_err(text)?;
        let files = page.entries.iter().filter_map(|entry| match entry {
            KeyEntry::File(file) => Some(file_line(file)),
            KeyEntry::Prefix(_) => None,
        });
        same("keys", live_lines(bucket), files.collect())?;
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let shown = self.members(name, &folder).await?;
            same(&format!("members of {folder}/"), bucket.shown(&folder), shown.clone())?;
            self.hung(bucket, name, &folder, true).await?;
            for member in &shown {
                let at = if folder.is_empty() { member.clone() } else { format!("{folder}/{member}") };
                match at.strip_suffix('/') {
                    Some(below) => folders.push(below.to_owned()),
                    None => self.hung(bucket, name, &at, false).await?,
                }
            }
        }
        let (live, older, history, files) = bucket.usage();
        let versions = older + self.model.charge(name) - live - older;
        let shown = self.holdall.bucket_usage(&self.ada, &name_of(name)).await.map_err(text)?;
        same("usage", Usage { live, versions, history, files }, shown)
    }

    async fn members(&self, name: &str, folder: &str) -> Result<Vec<String>, String> {
        let page = self.holdall.list_folder(&self.ada, &path(name, folder), None, ALL).await.map_err(text)?;
        let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let named = page.members.iter().map(|member| match member {
            Member::File(file) => last(&file.key),
            Member::Folder(folder) => last(&folder.path) + "/",
        });
        Ok(named.collect())
    }

    /// The properties and locks directly on what stands at a path.
    async fn hung(&self, bucket: &Bucket, name: &str, at: &str, folder: bool) -> Same {
        let root = if folder && !at.is_empty() { format!("{at}/") } else { at.to_owned() };
        let place = path(name, at);
        let shown = self.holdall.props(&self.ada, &place).await.map_err(text)?;
        let shown: BTreeMap<String, String> = shown.into_iter().map(|prop| (prop.name, prop.xml)).collect();
        let wanted = bucket.props.get(&root).into_iter().flatten();
        let wanted = wanted.map(|(name, value)| (format!("p{name}"), format!("<v>{value}</v>"))).collect();
        same(&format!("properties of {root}"), wanted, shown)?;
        let locks = self.holdall.locks(&self.ada, &place).await.map_err(text)?;
        let own = locks.iter().filter(|lock| lock.root == at && lock.folder == folder);
        let mut shown: Vec<_> = own.map(|lock| (lock.exclusive, lock.deep, lock.left)).collect();
        let now = self.model.now;
        let on = bucket.locks.iter().filter(|lock| lock.root == root && lock.until > now);
        let left = |until: i64| ((until - now) as u64).div_ceil(1000);
        let mut wanted: Vec<_> = on.map(|lock| (lock.exclusive, lock.deep, left(lock.until))).collect();
        shown.sort_unstable();
        wanted.sort_unstable();
        same(&format!("locks of {root}"), wanted, shown)
    }

    /// A listing in pages is the model's keys, grouped or not.
    pub(super) async fn pages(&self, (name, prefix): (&str, &str), grouped: bool, limit: usize) -> Same {
        let Some(bucket) = self.model.buckets.get(name) else { return Ok(()) };
        let delimiter = grouped.then(|| "/".to_owned());
        let mut shown = Vec::new();
        let mut which = ListKeys { prefix: prefix.to_owned(), delimiter, after: None, limit };
        loop {
            let page =
                self.holdall.list_keys(&self.ada, &name_of(name), which.clone()).await.map_err(text)?;
            if page.entries.len() > limit {
                return Err("a page is longer than asked for".into());
            }
            shown.extend(page.entries.into_iter().map(|entry| match entry {
                KeyEntry::File(file) => file.key,
                KeyEntry::Prefix(group) => group,
            }));
            match page.next {
                Some(next) => which.after = Some(next),
                None => break,
            }
        }
        same("a listing in pages", bucket.grouped(prefix, grouped), shown)
    }
}

/// A live file as listings of names show it.
type Listed = (String, u64, String, i64, Option<String>, bool);

fn file_line(file: &ListedFile) -> Listed {
    let tag = file.etag.as_str().to_owned();
    (file.key.clone(), file.size, tag, file.committed.0, file.content_type.clone(), file.has_props)
}

fn live_lines(bucket: &Bucket) -> Vec<Listed> {
    let newest = bucket.keys.iter().filter_map(|(key, item)| Some((key, item.versions.first()?)));
    let live = newest.filter_map(|(key, version)| Some((key, version.content.as_ref()?, version.time)));
    live.map(|(key, content, time)| {
        let kind = content.kind.and_then(|kind| TYPES.get(usize::from(kind))).map(|kind| (*kind).to_owned());
        let props = !key.ends_with('/') && bucket.props.contains_key(key);
        (key.clone(), content.size(), content.etag.clone(), time, kind, props)
    })
    .collect()
}
