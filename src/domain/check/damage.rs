//! What is known to be damaged, and which files need it: the way back from a chunk to manifests,
//! versions and names, in one walk over each table. What it keeps is a bit for each damaged chunk,
//! each manifest and each history that is hit, and one page of the answer.
//!
//! Everything that somebody may still want to read is told: the current versions, older ones,
//! people's history, the trash, and parts of open uploads. What was deleted and waits for its
//! release is not: nobody can read it any more.
//!
//! Names of files are told to the operator alone, who could look into the data directory as well.
//! Admins learn how much is damaged and how many versions that is; they read no others' files, and
//! no names of them either.

use std::collections::BTreeMap;

use super::{
    pages::{Ids, Pages, numbers},
    parts::was_taken,
    standing::folder,
    watched::Watched,
};
use crate::{
    domain::{Error, Holdall, access, caller::Caller},
    model::ids::{BucketId, ChunkNo, HistoryId, ManifestId, NodeId, UploadId, VersionId},
    store::{
        blobs::{damage, verify},
        error::StoreError,
        meta::{
            codec::Row as _,
            key::Key,
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

pub use crate::store::blobs::damage::{Damaged, Part as DamagedPart};

/// Damaged things, or versions they hit, in one page.
pub(super) const DAMAGE_PAGE: usize = 1000;
/// Chunks told for one version; more are only counted.
const CHUNKS: usize = 100;
/// More folders than this above another are a circle.
const HIGHEST: usize = 4096;

/// What is hit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HitKind {
    /// What a file is now.
    Current,
    /// An older version that S3 lists.
    Version,
    /// A version that people may restore.
    History,
    /// Something in the trash.
    Trash,
    /// A part of an open upload.
    Part,
}

impl HitKind {
    /// For programs; never changes its meaning.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Version => "version",
            Self::History => "history",
            Self::Trash => "trash",
            Self::Part => "part",
        }
    }
}

/// A version or part that needs something damaged.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Hit {
    /// The bucket.
    pub bucket: String,
    /// The name of who owns it.
    pub owner: String,
    /// The key.
    pub path: String,
    /// What is hit.
    pub kind: HitKind,
    /// Which version, if it is one.
    pub version: Option<VersionId>,
    /// Which part, if it is one.
    pub part: Option<u64>,
    /// The damaged chunks it needs and where in it they begin; the first 100.
    pub chunks: Vec<(ChunkNo, u64)>,
    /// Bytes of it that cannot be read.
    pub bytes: u64,
}

/// A page of versions that are hit.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hits {
    /// In the order of their rows.
    pub hits: Vec<Hit>,
    /// Where the next page goes on.
    pub next: Option<HitCursor>,
}

/// A place in the list of versions that are hit. Its text is for programs to give back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct HitCursor {
    stage: u8,
    key: Vec<u8>,
    /// Versions of that row up to this one were told.
    version: Option<Vec<u8>>,
}

impl HitCursor {
    /// Reads what it is written as.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let stage = parts.next()?.parse().ok()?;
        let key = hex::decode(parts.next()?).ok()?;
        let version = parts.next().map(hex::decode).transpose().ok()?;
        parts.next().is_none().then_some(Self { stage, key, version })
    }
}

impl std::fmt::Display for HitCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.stage, hex::encode(&self.key))?;
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "-{}", hex::encode(version)))
    }
}

impl Holdall {
    /// A page of what is known to be damaged, behind `after`; only for who manages the system.
    ///
    /// # Errors
    /// Denied, unavailable.
    pub async fn damage(
        &self,
        caller: &Caller,
        after: Option<DamagedPart>,
    ) -> Result<(Vec<Damaged>, Option<DamagedPart>), Error> {
        if !access::is_manager(caller) {
            return Err(Error::Denied("only admins look at the store".into()));
        }
        self.read(move |rows| {
            let known = damage::known(rows, after, DAMAGE_PAGE)?;
            let next = known.last().filter(|_| known.len() == DAMAGE_PAGE).map(|last| last.part);
            Ok((known, next))
        })
        .await
    }

    /// A page of the versions that need something damaged, from `from` on; only for the operator of
    /// this machine.
    ///
    /// # Errors
    /// Denied, unavailable.
    pub async fn damaged_files(&self, caller: &Caller, from: Option<HitCursor>) -> Result<Hits, Error> {
        if *caller != Caller::Operator {
            return Err(Error::Denied(
                "only the operator of this machine sees names of others' files".into(),
            ));
        }
        let stop = self.stop.clone();
        self.read(move |rows| {
            let rows = Watched { rows, stop: &stop };
            Ok(hits(&rows, from.unwrap_or_default(), DAMAGE_PAGE)?)
        })
        .await
    }
}

/// The next versions that are hit, about `limit` of them.
pub(crate) fn hits(rows: &dyn Rows, from: HitCursor, limit: usize) -> Result<Hits, StoreError> {
    let mut walk = Walk::begin(rows, limit)?;
    if walk.chunks_known > 0 {
        walk.all(from)?;
    }
    Ok(walk.out)
}

/// How many versions are hit, and the first of them.
pub(super) fn count(rows: &dyn Rows, limit: usize) -> Result<(u64, Vec<Hit>), StoreError> {
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
