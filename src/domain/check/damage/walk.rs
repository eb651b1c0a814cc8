//! Which versions need damaged chunks. Whoever wants all of them goes the way back, from chunks to
//! manifests, versions and names, in one walk over each table; what that keeps is a bit for each
//! damaged chunk, each manifest and each history that is hit. Whoever wants one page goes from names
//! to chunks, as far as some rows lead ([`page`]): a page costs the same wherever it begins. Knows
//! nothing of who may see it.

use std::{cell::Cell, collections::BTreeMap};

use super::{
    super::{
        ids::{Ids, numbers},
        standing::folder,
    },
    DAMAGE_PAGE, DamagedPart, Hit, HitCursor, HitKind, Hits,
};
use crate::{
    model::ids::{BucketId, ChunkNo, HistoryId, ManifestId, NodeId, UploadId, VersionId},
    store::{
        blobs::{damage, verify},
        error::StoreError,
        faults::Faults,
        meta::{
            codec::Row as _,
            key::Key,
            pages::Pages,
            rows::{KeyRange, KeyValue, Order, Rows, Scanned},
            table::Table,
        },
        rows::{
            account,
            bucket::{self, BucketRow},
            trash::{TrashKind, TrashRow},
            tree::{self, Dent, FileRow, Side},
            upload::{self, PartRow},
            version::{Class, VersionRow, class_of},
        },
    },
};

/// Chunks told for one version; more are only counted.
const CHUNKS: usize = 100;
/// More folders than this above another are a circle.
const HIGHEST: usize = 4096;

/// The first versions that are hit, about `limit` of them.
pub(crate) fn hits(rows: &dyn Rows, limit: usize) -> Result<Hits, StoreError> {
    let rows = Metered::new(rows, u64::MAX);
    let mut walk = Walk::begin(&rows, limit);
    if walk.learn()? {
        walk.all(HitCursor::default())?;
    }
    Ok(walk.out)
}

/// The next versions that are hit, so many at most: those that are found before about `enough` rows
/// were read, or none. Beside those, the rows of one version and, where a folder in the trash is met,
/// those of the bucket's trash may be read.
pub(crate) fn page(
    rows: &dyn Rows,
    from: HitCursor,
    (limit, enough): (usize, u64),
) -> Result<Hits, StoreError> {
    // Chunks come first.
    let first = damage::known(rows, None, 1)?;
    if !matches!(first.first().map(|first| first.part), Some(DamagedPart::Chunk(_))) {
        return Ok(Hits::default());
    }
    let rows = Metered::new(rows, enough);
    let mut walk = Walk::begin(&rows, limit);
    walk.all(from)?;
    Ok(walk.out)
}

/// How many versions are hit, and the first of them.
pub(in crate::domain::check) fn count(rows: &dyn Rows, limit: usize) -> Result<(u64, Vec<Hit>), StoreError> {
    let (mut found, mut first, mut from) = (0, Vec::new(), HitCursor::default());
    let rows = Metered::new(rows, u64::MAX);
    let mut walk = Walk::begin(&rows, DAMAGE_PAGE);
    if !walk.learn()? {
        return Ok((found, first));
    }
    loop {
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

/// Rows that are counted as they are read.
struct Metered<'a> {
    rows: &'a dyn Rows,
    read: Cell<u64>,
    enough: u64,
}

impl<'a> Metered<'a> {
    fn new(rows: &'a dyn Rows, enough: u64) -> Self {
        Self { rows, read: Cell::new(0), enough }
    }

    fn more(&self, read: usize) {
        self.read.set(self.read.get().saturating_add(read as u64));
    }

    fn is_enough(&self) -> bool {
        self.read.get() >= self.enough
    }
}

impl Rows for Metered<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.more(1);
        self.rows.get(table, key)
    }

    fn scan(&self, table: Table, range: &KeyRange, order: Order, limit: usize) -> Scanned {
        let found = self.rows.scan(table, range, order, limit)?;
        self.more(found.len());
        Ok(found)
    }

    fn faults(&self) -> Faults {
        self.rows.faults()
    }
}

/// Everything that damaged chunks lead to.
#[derive(Default)]
struct Known {
    chunks: Ids,
    manifests: Ids,
    histories: Ids,
}

/// A way between chunks and names.
struct Walk<'a> {
    rows: &'a Metered<'a>,
    limit: usize,
    /// If the way back was gone; else each version is looked at.
    known: Option<Known>,
    /// Each bucket met, and its owner's name.
    buckets: BTreeMap<BucketId, Option<(BucketRow, String)>>,
    /// Folders in the trash of buckets met, and the keys they had.
    trash: BTreeMap<BucketId, BTreeMap<NodeId, String>>,
    /// The folder whose path was asked for last.
    last: Option<(NodeId, Option<Place>)>,
    out: Hits,
}

/// What of a content cannot be read: chunks and where they begin, and how much it is.
type Lost = (Vec<(ChunkNo, u64)>, u64);

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
    /// For a name, what it shows.
    file: Option<(Side, &'a FileRow)>,
    at: At,
}

/// Where such a row is, before anybody wants to know.
enum At {
    /// In the trash, with this key.
    Trash(String),
    /// In a folder, under this name.
    Folder(NodeId, String),
}

impl<'a> Walk<'a> {
    fn begin(rows: &'a Metered<'a>, limit: usize) -> Self {
        Self {
            rows,
            limit,
            known: None,
            buckets: BTreeMap::new(),
            trash: BTreeMap::new(),
            last: None,
            out: Hits::default(),
        }
    }

    /// Goes the way back from all damaged chunks; false if there are none.
    fn learn(&mut self) -> Result<bool, StoreError> {
        let (mut known, mut any, mut after) = (Known::default(), false, None);
        loop {
            let page = damage::known(self.rows, after, DAMAGE_PAGE)?;
            let Some(last) = page.last() else { break };
            after = Some(last.part);
            for damaged in &page {
                if let DamagedPart::Chunk(chunk) = damaged.part {
                    any |= known.chunks.insert(chunk.0);
                }
            }
        }
        if any {
            self.learn_manifests(&mut known)?;
            self.learn_histories(&mut known)?;
        }
        self.known = Some(known);
        Ok(any)
    }

    fn learn_manifests(&self, known: &mut Known) -> Result<(), StoreError> {
        let (chunks, manifests, mut leaves) = (&known.chunks, &mut known.manifests, Ids::default());
        verify::users_of_chunks(self.rows, &|chunk| chunks.has(chunk.0), &mut |id| {
            leaves.insert(id.0);
            manifests.insert(id.0);
        })?;
        verify::users_of_manifests(self.rows, &|id| leaves.has(id.0), &mut |id| {
            manifests.insert(id.0);
        })
    }

    fn learn_histories(&self, known: &mut Known) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Versions) {
            let (key, value) = row?;
            let ([_, history], row) = (numbers(&key)?, VersionRow::decode(&value)?);
            if row.manifest.is_some_and(|id| known.manifests.has(id.0)) {
                known.histories.insert(history);
            }
        }
        Ok(())
    }

    /// A bucket and its owner's name; `None` if it is gone.
    fn bucket(&mut self, id: BucketId) -> Result<Option<&(BucketRow, String)>, StoreError> {
        if !self.buckets.contains_key(&id) {
            let found = match bucket::by_id(self.rows, id)? {
                Some(row) => {
                    let owner = account::by_id(self.rows, row.owner)?;
                    Some((row, owner.map(|owner| owner.name.to_string()).unwrap_or_default()))
                }
                None => None,
            };
            self.buckets.insert(id, found);
        }
        Ok(self.buckets.get(&id).and_then(Option::as_ref))
    }

    /// The key that a folder in the trash of a bucket had.
    fn in_trash(&mut self, bucket: BucketId, folder: NodeId) -> Result<Option<&String>, StoreError> {
        if !self.trash.contains_key(&bucket) {
            let (mut folders, all) = (BTreeMap::new(), KeyRange::prefix(Key::new().number(bucket.0).done()));
            // Once for a page, however many there are.
            for row in Pages::of(self.rows.rows, Table::Trash, all) {
                let item = TrashRow::decode(&row?.1)?;
                if item.kind == TrashKind::Folder {
                    folders.insert(item.node, item.path);
                }
            }
            self.trash.insert(bucket, folders);
        }
        Ok(self.trash.get(&bucket).and_then(|folders| folders.get(&folder)))
    }

    /// Whether versions of a history may be hit.
    fn may_hit(&self, history: HistoryId) -> bool {
        self.known.as_ref().is_none_or(|known| known.histories.has(history.0))
    }

    /// What of a content cannot be read; `None` if all of it can.
    fn lost(&self, id: ManifestId) -> Result<Option<Lost>, StoreError> {
        if self.known.as_ref().is_some_and(|known| !known.manifests.has(id.0)) {
            return Ok(None);
        }
        let ((mut chunks, mut bytes), mut failed) = ((Vec::new(), 0), None);
        verify::chunks_of(self.rows, id, &mut |(chunk, at, len)| {
            let damaged = match &self.known {
                Some(known) => Ok(known.chunks.has(chunk.0)),
                None if failed.is_some() => return,
                None => damage::is_bad(self.rows, chunk),
            };
            match damaged {
                Ok(true) => {
                    bytes += len;
                    if chunks.len() < CHUNKS {
                        chunks.push((chunk, at));
                    }
                }
                Ok(false) => {}
                Err(error) => failed = Some(error),
            }
        })?;
        match failed {
            Some(error) => Err(error),
            None => Ok((!chunks.is_empty()).then_some((chunks, bytes))),
        }
    }

    fn is_full(&self) -> bool {
        self.out.hits.len() >= self.limit || self.rows.is_enough()
    }

    fn all(&mut self, from: HitCursor) -> Result<(), StoreError> {
        for (stage, table) in (0..).zip([Table::Dent, Table::Dead, Table::Trash, Table::Part]) {
            if stage < from.stage {
                continue;
            }
            let mut range = KeyRange::prefix(Vec::new());
            let resumes = stage == from.stage && !from.key.is_empty();
            if resumes {
                range = match from.version {
                    Some(_) => range.from(from.key.clone()),
                    None => range.after(from.key.clone()),
                };
            }
            for row in Pages::of(self.rows, table, range) {
                let row = row?;
                // The row may have gone since: what was told of it is nothing of the next.
                let told = from.version.clone().filter(|_| resumes && row.0 == from.key);
                let version = self.row(stage, &row, told)?;
                if version.is_some() || self.is_full() {
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
                let (bucket, at) = (BucketId(bucket), At::Trash(item.path));
                self.versions(&Leads { bucket, history, file: None, at }, after)
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
        let leads = Leads {
            bucket,
            history: file.history,
            file: Some((side, &file)),
            at: At::Folder(parent, sortname),
        };
        self.versions(&leads, after)
    }

    /// Tells the versions of a history that are hit.
    fn versions(&mut self, leads: &Leads<'_>, after: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, StoreError> {
        if !self.may_hit(leads.history) || self.bucket(leads.bucket)?.is_none() {
            return Ok(None);
        }
        let prefix = Key::new().number(leads.bucket.0).number(leads.history.0).done();
        // Something else may be there by now, with a history of its own.
        let after = after.filter(|after| after.starts_with(&prefix));
        let range = KeyRange::prefix(prefix);
        let range = after.map_or(range.clone(), |after| range.after(after));
        for row in Pages::of(self.rows, Table::Versions, range) {
            let (key, value) = row?;
            let row = VersionRow::decode(&value)?;
            let lost = row.manifest.map(|id| self.lost(id)).transpose()?.flatten();
            let Some(lost) = lost else {
                if self.rows.is_enough() {
                    return Ok(Some(key));
                }
                continue;
            };
            let Some((path, trash)) = self.path(leads)? else { return Ok(None) };
            let current = leads.file.is_some_and(|(side, file)| side == Side::Live && file.latest == row.id);
            let kind = match class_of(&key) {
                _ if trash => HitKind::Trash,
                Some(Class::S3) if current => HitKind::Current,
                Some(Class::S3) => HitKind::Version,
                Some(Class::People) | None => HitKind::History,
            };
            self.tell((leads.bucket, path), kind, (Some(row.id), None), lost)?;
            if self.is_full() {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn part(&mut self, row: &KeyValue) -> Result<(), StoreError> {
        let ([id, number], part) = (numbers(&row.0)?, PartRow::decode(&row.1)?);
        let Some(lost) = self.lost(part.manifest)? else { return Ok(()) };
        // Of one that is completed a file may have taken the part over.
        let open = upload::by_id(self.rows, UploadId(id))?.filter(|named| named.completed.is_none());
        let Some(open) = open else { return Ok(()) };
        self.tell((open.bucket, open.key), HitKind::Part, (None, Some(number)), lost)
    }

    fn tell(
        &mut self,
        (bucket, path): (BucketId, String),
        kind: HitKind,
        (version, part): (Option<VersionId>, Option<u64>),
        (chunks, bytes): Lost,
    ) -> Result<(), StoreError> {
        let Some((row, owner)) = self.bucket(bucket)? else { return Ok(()) };
        let (bucket, owner) = (row.name.to_string(), owner.clone());
        self.out.hits.push(Hit { bucket, owner, path, kind, version, part, chunks, bytes });
        Ok(())
    }

    /// The key of what a row leads to, and whether it is in the trash; `None` below something that is
    /// being released.
    fn path(&mut self, leads: &Leads<'_>) -> Result<Option<(String, bool)>, StoreError> {
        Ok(match &leads.at {
            At::Trash(path) => Some((path.clone(), true)),
            At::Folder(parent, name) => {
                let place = self.place(leads.bucket, *parent)?;
                place.map(|place| (place.prefix + name, place.trash))
            }
        })
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

    fn climb(&mut self, bucket: BucketId, from: NodeId) -> Result<Option<Place>, StoreError> {
        let Some(root) = self.bucket(bucket)?.map(|(row, _)| row.root) else { return Ok(None) };
        let (mut at, mut prefix) = (from, String::new());
        for _ in 0..HIGHEST {
            if at == root {
                return Ok(Some(Place { prefix, trash: false }));
            }
            let node = match folder(self.rows, bucket, at)? {
                Some(_) => tree::node(self.rows, at)?,
                None => None,
            };
            let Some((parent, name)) = node.and_then(|node| Some((node.parent?, node.name))) else {
                let Some(path) = self.in_trash(bucket, at)? else { return Ok(None) };
                let slash = if path.ends_with('/') { "" } else { "/" };
                return Ok(Some(Place { prefix: format!("{path}{slash}{prefix}"), trash: true }));
            };
            prefix = format!("{name}/{prefix}");
            at = parent;
        }
        Ok(None)
    }
}
