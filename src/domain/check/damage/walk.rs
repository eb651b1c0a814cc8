//! The way back from damaged chunks to manifests, versions and names, in one walk over each table.
//! What it keeps is a bit for each damaged chunk, each manifest and each history that is hit, and
//! one page of the answer. Knows nothing of who may see it.

use std::collections::BTreeMap;

use super::{
    super::{
        ids::{Ids, numbers},
        parts::was_taken,
        standing::folder,
    },
    DAMAGE_PAGE, DamagedPart, Hit, HitCursor, HitKind, Hits,
};
use crate::{
    model::ids::{BucketId, HistoryId, ManifestId, NodeId, UploadId, VersionId},
    store::{
        blobs::{damage, verify},
        error::StoreError,
        meta::{
            codec::Row as _,
            key::Key,
            pages::Pages,
            rows::{KeyRange, KeyValue, Rows},
            table::Table,
        },
        rows::{
            account,
            bucket::BucketRow,
            taken::{self, TakenRow},
            trash::{TrashKind, TrashRow},
            tree::{self, Dent, FileRow, Side},
            upload::{self, PartRow},
            version::{Class, VersionRow, class_of},
            work,
        },
    },
};

/// Chunks told for one version; more are only counted.
const CHUNKS: usize = 100;
/// More folders than this above another are a circle.
const HIGHEST: usize = 4096;

/// The next versions that are hit, about `limit` of them.
pub(crate) fn hits(rows: &dyn Rows, from: HitCursor, limit: usize) -> Result<Hits, StoreError> {
    let mut walk = Walk::begin(rows, limit)?;
    if walk.chunks_known > 0 {
        walk.all(from)?;
    }
    Ok(walk.out)
}

/// How many versions are hit, and the first of them.
pub(in crate::domain::check) fn count(rows: &dyn Rows, limit: usize) -> Result<(u64, Vec<Hit>), StoreError> {
    let (mut found, mut first, mut from) = (0, Vec::new(), HitCursor::default());
    let mut walk = Walk::begin(rows, DAMAGE_PAGE)?;
    while walk.chunks_known > 0 {
        walk.all(from)?;
        let page = std::mem::take(&mut walk.out);
        found += page.hits.len() as u64;
        first.extend(page.hits.into_iter().take(limit.saturating_sub(first.len())));
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    Ok((found, first))
}

/// A way from chunks to names.
struct Walk<'a> {
    rows: &'a dyn Rows,
    limit: usize,
    chunks: Ids,
    chunks_known: u64,
    manifests: Ids,
    histories: Ids,
    /// Each bucket's name and its owner's.
    buckets: BTreeMap<BucketId, (BucketRow, String)>,
    /// Folders in the trash, and the keys they had.
    trash: BTreeMap<NodeId, String>,
    /// Parts of completed uploads that files took over.
    taken: BTreeMap<u64, TakenRow>,
    /// The folder whose path was asked for last.
    last: Option<(NodeId, Option<Place>)>,
    out: Hits,
}

/// Where a folder is.
#[derive(Clone, Debug)]
struct Place {
    /// Its key, with a slash at the end unless it is the bucket's own.
    prefix: String,
    trash: bool,
}

/// A row that leads to versions.
struct Leads<'a> {
    bucket: BucketId,
    history: HistoryId,
    path: String,
    /// For a name, what it shows.
    file: Option<(Side, &'a FileRow)>,
    trash: bool,
}

impl<'a> Walk<'a> {
    fn begin(rows: &'a dyn Rows, limit: usize) -> Result<Self, StoreError> {
        let mut walk = Self {
            rows,
            limit,
            chunks: Ids::default(),
            chunks_known: 0,
            manifests: Ids::default(),
            histories: Ids::default(),
            buckets: BTreeMap::new(),
            trash: BTreeMap::new(),
            taken: BTreeMap::new(),
            last: None,
            out: Hits::default(),
        };
        walk.learn_chunks()?;
        if walk.chunks_known > 0 {
            walk.learn_manifests()?;
            walk.learn_histories()?;
            walk.learn_places()?;
        }
        Ok(walk)
    }

    fn learn_chunks(&mut self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let known = damage::known(self.rows, after, DAMAGE_PAGE)?;
            let Some(last) = known.last() else { return Ok(()) };
            after = Some(last.part);
            for damaged in &known {
                if let DamagedPart::Chunk(chunk) = damaged.part {
                    self.chunks.insert(chunk.0);
                    self.chunks_known += 1;
                }
            }
        }
    }

    fn learn_manifests(&mut self) -> Result<(), StoreError> {
        let (chunks, mut leaves) = (&self.chunks, Ids::default());
        verify::users_of_chunks(self.rows, &|chunk| chunks.has(chunk.0), &mut |id| {
            leaves.insert(id.0);
            self.manifests.insert(id.0);
        })?;
        verify::users_of_manifests(self.rows, &|id| leaves.has(id.0), &mut |id| {
            self.manifests.insert(id.0);
        })
    }

    fn learn_histories(&mut self) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Versions) {
            let (key, value) = row?;
            let ([_, history], row) = (numbers(&key)?, VersionRow::decode(&value)?);
            if row.manifest.is_some_and(|id| self.manifests.has(id.0)) {
                self.histories.insert(history);
            }
        }
        Ok(())
    }

    fn learn_places(&mut self) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Bucket) {
            let row = BucketRow::decode(&row?.1)?;
            let owner = account::by_id(self.rows, row.owner)?.map(|owner| owner.name.to_string());
            self.buckets.insert(row.id, (row, owner.unwrap_or_default()));
        }
        for row in Pages::all(self.rows, Table::Trash) {
            let item = TrashRow::decode(&row?.1)?;
            if item.kind == TrashKind::Folder {
                self.trash.insert(item.node, item.path);
            }
        }
        for range in [work::all(work::Kind::Completed), work::of_kind_aside(work::Kind::Completed)] {
            for row in Pages::of(self.rows, Table::Queue, range) {
                let (key, value) = row?;
                let row = work::decode(&key, &value)?;
                let taken = taken::taken(self.rows, row.bucket, UploadId(row.id))?;
                self.taken.insert(row.id, taken);
            }
        }
        Ok(())
    }

    fn all(&mut self, from: HitCursor) -> Result<(), StoreError> {
        for (stage, table) in (0..).zip([Table::Dent, Table::Dead, Table::Trash, Table::Part]) {
            if stage < from.stage {
                continue;
            }
            let mut range = KeyRange::prefix(Vec::new());
            let mut resumed = None;
            if stage == from.stage && !from.key.is_empty() {
                resumed.clone_from(&from.version);
                range = match resumed {
                    Some(_) => range.from(from.key.clone()),
                    None => range.after(from.key.clone()),
                };
            }
            for row in Pages::of(self.rows, table, range) {
                let row = row?;
                let version = self.row(stage, &row, resumed.take())?;
                if version.is_some() || self.out.hits.len() >= self.limit {
                    self.out.next = Some(HitCursor { stage, key: row.0, version });
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Tells what one row leads to; the last version told, if there was no room for all.
    fn row(
        &mut self,
        stage: u8,
        row: &KeyValue,
        after: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        match stage {
            0 => self.name(Side::Live, row, after),
            1 => self.name(Side::Dead, row, after),
            2 => {
                let ([bucket], item) = (numbers(&row.0)?, TrashRow::decode(&row.1)?);
                let Some(history) = item.history else { return Ok(None) };
                let (bucket, path) = (BucketId(bucket), item.path);
                self.versions(&Leads { bucket, history, path, file: None, trash: true }, after)
            }
            _ => self.part(row).map(|()| None),
        }
    }

    fn name(
        &mut self,
        side: Side,
        row: &KeyValue,
        after: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let [bucket, parent] = numbers(&row.0)?;
        let (bucket, parent) = (BucketId(bucket), NodeId(parent));
        let (sortname, Dent::File(file)) = tree::read_dent(row)? else { return Ok(None) };
        if !self.histories.has(file.history.0) {
            return Ok(None);
        }
        let Some(place) = self.place(bucket, parent)? else { return Ok(None) };
        let (path, trash) = (place.prefix + &sortname, place.trash);
        self.versions(&Leads { bucket, history: file.history, path, file: Some((side, &file)), trash }, after)
    }

    /// Tells the versions of a history that are hit.
    fn versions(&mut self, leads: &Leads<'_>, after: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, StoreError> {
        if !self.histories.has(leads.history.0) || !self.buckets.contains_key(&leads.bucket) {
            return Ok(None);
        }
        let prefix = Key::new().number(leads.bucket.0).number(leads.history.0).done();
        let range = KeyRange::prefix(prefix);
        let range = after.map_or(range.clone(), |after| range.after(after));
        for row in Pages::of(self.rows, Table::Versions, range) {
            let (key, value) = row?;
            let row = VersionRow::decode(&value)?;
            let Some(id) = row.manifest.filter(|id| self.manifests.has(id.0)) else { continue };
            let current = leads.file.is_some_and(|(side, file)| side == Side::Live && file.latest == row.id);
            let kind = match class_of(&key) {
                _ if leads.trash => HitKind::Trash,
                Some(Class::S3) if current => HitKind::Current,
                Some(Class::S3) => HitKind::Version,
                Some(Class::People) | None => HitKind::History,
            };
            self.tell((leads.bucket, &leads.path), kind, (Some(row.id), None), id)?;
            if self.out.hits.len() >= self.limit {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn part(&mut self, row: &KeyValue) -> Result<(), StoreError> {
        let ([id, number], part) = (numbers(&row.0)?, PartRow::decode(&row.1)?);
        if !self.manifests.has(part.manifest.0) || was_taken(&self.taken, id, number) {
            return Ok(());
        }
        let open = upload::by_id(self.rows, UploadId(id))?.filter(|named| named.completed.is_none());
        let Some(open) = open.filter(|open| self.buckets.contains_key(&open.bucket)) else { return Ok(()) };
        self.tell((open.bucket, &open.key), HitKind::Part, (None, Some(number)), part.manifest)
    }

    fn tell(
        &mut self,
        (bucket, path): (BucketId, &str),
        kind: HitKind,
        (version, part): (Option<VersionId>, Option<u64>),
        id: ManifestId,
    ) -> Result<(), StoreError> {
        let (mut chunks, mut bytes, damaged) = (Vec::new(), 0, &self.chunks);
        verify::chunks_of(self.rows, id, &mut |(chunk, at, len)| {
            if damaged.has(chunk.0) {
                bytes += len;
                if chunks.len() < CHUNKS {
                    chunks.push((chunk, at));
                }
            }
        })?;
        let Some((row, owner)) = self.buckets.get(&bucket) else { return Ok(()) };
        let (bucket, owner, path) = (row.name.to_string(), owner.clone(), path.to_owned());
        self.out.hits.push(Hit { bucket, owner, path, kind, version, part, chunks, bytes });
        Ok(())
    }

    /// Where a folder is; `None` below something that is being released.
    fn place(&mut self, bucket: BucketId, at: NodeId) -> Result<Option<Place>, StoreError> {
        if let Some((last, place)) = &self.last
            && *last == at
        {
            return Ok(place.clone());
        }
        let place = self.climb(bucket, at)?;
        self.last = Some((at, place.clone()));
        Ok(place)
    }

    fn climb(&self, bucket: BucketId, from: NodeId) -> Result<Option<Place>, StoreError> {
        let Some((row, _)) = self.buckets.get(&bucket) else { return Ok(None) };
        let (mut at, mut prefix) = (from, String::new());
        for _ in 0..HIGHEST {
            if at == row.root {
                return Ok(Some(Place { prefix, trash: false }));
            }
            let node = match folder(self.rows, bucket, at)? {
                Some(_) => tree::node(self.rows, at)?,
                None => None,
            };
            let Some((parent, name)) = node.and_then(|node| Some((node.parent?, node.name))) else {
                let Some(path) = self.trash.get(&at) else { return Ok(None) };
                let slash = if path.ends_with('/') { "" } else { "/" };
                return Ok(Some(Place { prefix: format!("{path}{slash}{prefix}"), trash: true }));
            };
            prefix = format!("{name}/{prefix}");
            at = parent;
        }
        Ok(None)
    }
}
