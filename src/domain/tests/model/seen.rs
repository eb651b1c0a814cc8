//! What the domain shows, held against the model.

use std::collections::HashMap;

use futures::TryStreamExt as _;

use super::{
    compare::Shows,
    rules::Model,
    run::{Run, address},
    runs::{Same, same},
    state::{Content, Line},
};
use crate::{
    domain::{
        caller::Caller,
        nouns::{
            Changes, Event, FileVersion, ListBuckets, ListUploads, ListVersions, VersionEntry, VersionRef,
        },
        tests::{bucket as name_of, key, stray::strays},
    },
    model::{condition::Conditions, ids::VersionId},
};

pub(super) const ALL: usize = 1000;
pub(super) const TYPES: [&str; 2] = ["text/plain", "image/png"];

/// What a read gave.
pub(super) struct Got {
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) kind: Option<String>,
    pub(super) from: u64,
    pub(super) bytes: Vec<u8>,
}

/// The domain's names of what the model numbers.
#[derive(Default)]
pub(super) struct Ids {
    pub(super) versions: HashMap<u64, VersionId>,
    pub(super) uploads: HashMap<usize, String>,
}

pub(super) fn text<E: std::fmt::Debug>(error: E) -> String {
    format!("{error:?}")
}

/// Whether what was read is what the model has.
pub(super) fn same_content(model: &Model, wanted: Option<&Content>, got: Option<&Got>) -> Same {
    let (Some(wanted), Some(got)) = (wanted, got) else {
        return same("whether there is content", wanted.is_some(), got.is_some());
    };
    let all: Vec<u8> = wanted.pieces.iter().flat_map(|piece| model.bytes(*piece)).collect();
    let kind = wanted.kind.and_then(|kind| TYPES.get(usize::from(kind))).map(|kind| (*kind).to_owned());
    same("size, tag and type", (wanted.size(), &wanted.etag, &kind), (got.size, &got.etag, &got.kind))?;
    let from = got.from as usize;
    let slice = all.get(from..from + got.bytes.len());
    if slice == Some(&got.bytes[..]) { Ok(()) } else { Err("other bytes were read".into()) }
}

impl Shows for Run {
    fn model(&self) -> &Model {
        &self.model
    }

    /// Everything but the bytes.
    async fn see_all(&mut self) -> Same {
        let which = ListBuckets { prefix: String::new(), after: None, limit: ALL };
        let buckets = self.holdall.list_buckets(&self.ada, which).await.map_err(text)?;
        let shown: Vec<_> = buckets.iter().map(|bucket| bucket.name.to_string()).collect();
        let names: Vec<String> = self.model.buckets.keys().cloned().collect();
        same("buckets", &names, &shown)?;
        // What tells nothing of any file yet is told apart, too.
        let shown: Vec<_> = buckets.iter().map(|bucket| format!("{:?}", bucket.versioning)).collect();
        let states = self.model.buckets.values().map(|bucket| format!("{:?}", bucket.state)).collect();
        same("versioning", states, shown)?;
        self.work_off().await?;
        for name in &names {
            self.see_bucket(name).await?;
            self.names(name).await.map_err(|why| format!("{name}: {why}"))?;
            self.journal(name).await?;
            self.pages((name, ""), true, 3).await?;
        }
        Ok(())
    }

    async fn see_bucket(&mut self, name: &str) -> Same {
        self.versions(name).await?;
        self.uploads(name).await
    }

    async fn see_pages(&self, of: (&str, &str), grouped: bool, limit: usize) -> Same {
        self.pages(of, grouped, limit).await
    }
}

impl Run {
    async fn versions(&mut self, name: &str) -> Same {
        let which = ListVersions { limit: ALL, ..ListVersions::default() };
        let page = self.holdall.list_versions(&self.ada, &name_of(name), which).await.map_err(text)?;
        let lines = page.entries.into_iter().map(line);
        let (shown, ids): (Vec<Line>, Vec<VersionId>) = lines.unzip();
        let Some(bucket) = self.model.buckets.get(name) else { return Ok(()) };
        let (wanted, serials): (Vec<_>, Vec<_>) = bucket.lines().unzip();
        same(&format!("versions of {name}"), wanted, shown)?;
        for (serial, id) in serials.into_iter().zip(ids) {
            let known = *self.ids.versions.entry(serial).or_insert(id);
            same("the id of a version", known, id)?;
        }
        Ok(())
    }

    async fn uploads(&mut self, name: &str) -> Same {
        let which = ListUploads { limit: ALL, ..ListUploads::default() };
        let page = self.holdall.list_uploads(&self.ada, &name_of(name), which).await.map_err(text)?;
        let Some(bucket) = self.model.buckets.get(name) else { return Ok(()) };
        let open = self.model.open_uploads(bucket);
        let wanted: Vec<_> = open.iter().map(|(_, upload)| upload.at.name.clone()).collect();
        same("uploads", wanted, page.uploads.iter().map(|upload| upload.key.clone()).collect())?;
        for ((index, upload), shown) in open.into_iter().zip(&page.uploads) {
            let known = self.ids.uploads.entry(index).or_insert_with(|| shown.id.clone());
            same("the id of an upload", &*known, &shown.id)?;
            let at = address(&upload.at);
            let parts = self.holdall.list_parts(&self.ada, &at, &shown.id, 0, ALL).await.map_err(text)?;
            let shown =
                parts.parts.iter().map(|part| (part.number, part.size, part.etag.as_str().to_owned()));
            let parts = upload.parts.iter();
            let wanted =
                parts.map(|(number, body)| (*number, u64::from(body.length), self.model.etag(*body)));
            same("parts", wanted.collect::<Vec<_>>(), shown.collect())?;
        }
        Ok(())
    }

    async fn journal(&self, name: &str) -> Same {
        let Some(bucket) = self.model.buckets.get(name) else { return Ok(()) };
        let mut shown = Vec::new();
        let mut after = None;
        loop {
            let changes = self.holdall.changes(&self.ada, &name_of(name), after, ALL).await.map_err(text)?;
            let Changes::Listed { changes, next } = changes else {
                return Err(format!("the journal does not reach back: {changes:?}"));
            };
            if changes.is_empty() {
                break;
            }
            after = Some(next);
            shown.extend(changes.into_iter().map(|change| {
                let (what, from) = match change.event {
                    Event::Put => ("put", None),
                    Event::Removed => ("removed", None),
                    Event::Folder => ("folder", None),
                    Event::Moved(from) => ("moved", Some(from)),
                    Event::Copied(from) => ("copied", Some(from)),
                    Event::VersionRemoved => ("version removed", None),
                    Event::Props => ("props", None),
                };
                (what, change.path, from)
            }));
        }
        if bucket.journal == shown {
            return Ok(());
        }
        let first = bucket.journal.iter().zip(&shown).position(|(a, b)| a != b);
        let first = first.unwrap_or(bucket.journal.len().min(shown.len()));
        let from = |rows: &[super::state::Told]| {
            format!("{:?}", rows.iter().skip(first).take(4).collect::<Vec<_>>())
        };
        Err(format!("journal of {name} from {first}: {} against {}", from(&bucket.journal), from(&shown)))
    }

    /// What is left at the end: every byte, every count, nothing that the collector takes.
    pub(super) async fn end(&mut self) -> Same {
        self.work_off().await?;
        for round in 0..2 {
            let names: Vec<String> = self.model.buckets.keys().cloned().collect();
            for name in &names {
                self.bytes(name).await?;
            }
            let report = self.holdall.check(&Caller::Operator).await.map_err(text)?;
            if !report.is_clean() {
                return Err(format!("the check finds {report:#?}"));
            }
            let strays = self.holdall.read(|rows| Ok(strays(rows)?)).await.map_err(text)?;
            same("strays", Vec::new(), strays)?;
            if round == 0 {
                self.disk.set_free(super::run::WIDE);
                let collected = self.holdall.collect(&Caller::Operator, true).await.map_err(text)?;
                same("a reason to stop collecting", None, collected.aborted.map(text))?;
            }
        }
        Ok(())
    }

    /// Reads every version whole.
    async fn bytes(&self, name: &str) -> Same {
        let Some(bucket) = self.model.buckets.get(name) else { return Ok(()) };
        for (at, item) in &bucket.keys {
            for version in &item.versions {
                let (Some(content), Some(id)) = (&version.content, self.ids.versions.get(&version.serial))
                else {
                    continue;
                };
                let (place, which) = (key(name, at), Some(VersionRef::Id(*id)));
                let opened = self.holdall.open(&self.ada, &place, which, &Conditions::default()).await;
                let opened = opened.map_err(text)?;
                let size = opened.version.size;
                let pieces: Vec<bytes::Bytes> = opened.read(0..size).try_collect().await.map_err(text)?;
                let all: Vec<u8> = content.pieces.iter().flat_map(|piece| self.model.bytes(*piece)).collect();
                if pieces.concat() != all {
                    return Err(format!("{name}/{at}: other bytes were read"));
                }
            }
        }
        Ok(())
    }
}

fn line(entry: VersionEntry) -> (Line, VersionId) {
    match entry {
        VersionEntry::Version(FileVersion { key, size, etag, null, latest, committed, id, .. }) => {
            ((key, size, etag.as_str().to_owned(), null, latest, committed.0), id)
        }
        VersionEntry::Marker { key, id, null, latest, committed, .. } => {
            ((key, 0, String::new(), null, latest, committed.0), id)
        }
        VersionEntry::Prefix(prefix) => panic!("a group without a delimiter: {prefix}"),
    }
}
