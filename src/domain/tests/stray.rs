//! Walks every table of the namespace both ways and tells what does not add up. For stores whose
//! jobs ran dry.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        address::nfc,
        ids::{BucketId, HistoryId, ManifestId, NodeId},
    },
    store::{
        blobs::verify::recount,
        error::StoreError,
        meta::{
            codec::Row,
            key::Key,
            rows::{KeyRange, KeyValue, Order, Rows},
            table::Table,
        },
        rows::{
            bucket::BucketRow,
            trash::TrashRow,
            tree::{Dent, FileRow, FolderRow, Kind, NodeRow, Side, read_dent},
            upload::{PartRow, UploadIdRow, UploadRow},
            usage::UsageRow,
            version::{Class, Content, VersionRow},
        },
    },
};

type Place = (u64, u64, String);

#[derive(Default)]
struct Strays {
    buckets: BTreeMap<u64, BucketRow>,
    live: BTreeMap<Place, Dent>,
    dead: BTreeMap<Place, Dent>,
    nodes: BTreeMap<u64, NodeRow>,
    trash: Vec<(u64, TrashRow)>,
    /// By bucket, history and class, newest first.
    versions: BTreeMap<(u64, u64, u8), Vec<VersionRow>>,
    usage: BTreeMap<(u64, u64), UsageRow>,
    found: Vec<String>,
}

fn all(rows: &dyn Rows, table: Table) -> Result<Vec<KeyValue>, StoreError> {
    rows.scan(table, &KeyRange::prefix(Vec::new()), Order::Forward, usize::MAX)
}

fn number(key: &[u8], index: usize) -> u64 {
    u64::from_be_bytes(key[index * 8..index * 8 + 8].try_into().unwrap())
}

/// What does not add up, in sentences.
pub(super) fn strays(rows: &dyn Rows) -> Result<Vec<String>, StoreError> {
    let mut all = Strays::load(rows)?;
    for (key, _) in rows.scan(Table::Queue, &KeyRange::prefix(Vec::new()), Order::Forward, usize::MAX)? {
        if key[0] >= 16 {
            all.found.push(format!("work is left: {key:?}"));
        }
    }
    all.names();
    all.folders();
    all.nodes();
    all.files();
    all.side_tables(rows)?;
    all.uploads_and_usage(rows)?;
    all.journals(rows)?;
    all.manifests(rows)?;
    Ok(all.found)
}

impl Strays {
    fn load(rows: &dyn Rows) -> Result<Self, StoreError> {
        let mut it = Self::default();
        for (key, value) in all(rows, Table::Bucket)? {
            it.buckets.insert(number(&key, 0), BucketRow::decode(&value)?);
        }
        for side in [Side::Live, Side::Dead] {
            for row in all(rows, side.table())? {
                let (sortname, dent) = read_dent(&row)?;
                let place = (number(&row.0, 0), number(&row.0, 1), sortname);
                if side == Side::Live { &mut it.live } else { &mut it.dead }.insert(place, dent);
            }
        }
        for (key, value) in all(rows, Table::Node)? {
            it.nodes.insert(number(&key, 0), NodeRow::decode(&value)?);
        }
        for (key, value) in all(rows, Table::Trash)? {
            it.trash.push((number(&key, 0), TrashRow::decode(&value)?));
        }
        for (key, value) in all(rows, Table::Versions)? {
            let at = (number(&key, 0), number(&key, 1), key[16]);
            it.versions.entry(at).or_default().push(VersionRow::decode(&value)?);
        }
        for (key, value) in all(rows, Table::Usage)? {
            it.usage.insert((number(&key, 0), number(&key, 1)), UsageRow::decode(&value)?);
        }
        Ok(it)
    }

    fn both(&self) -> impl Iterator<Item = (Side, &Place, &Dent)> {
        let live = self.live.iter().map(|(place, dent)| (Side::Live, place, dent));
        live.chain(self.dead.iter().map(|(place, dent)| (Side::Dead, place, dent)))
    }

    /// Every name is in a folder that is there, on one side only, and known as a twin if it is one.
    fn names(&mut self) {
        let mut folders: BTreeSet<(u64, u64)> =
            self.buckets.values().map(|row| (row.id.0, row.root.0)).collect();
        folders.extend(self.trash.iter().map(|(bucket, item)| (*bucket, item.node.0)));
        for (_, place, dent) in self.both() {
            if let Dent::Folder(row) = dent {
                folders.insert((place.0, row.node.0));
            }
        }
        let mut found = Vec::new();
        for (side, place, dent) in self.both() {
            if !folders.contains(&(place.0, place.1)) {
                found.push(format!("{place:?} is in no folder"));
            }
            if side == Side::Dead && self.live.contains_key(place) {
                found.push(format!("{place:?} is live and dead"));
            }
            let (twin, name) = match dent {
                Dent::File(row) => (row.twin, place.2.clone()),
                Dent::Folder(row) => (row.twin, place.2.trim_end_matches('/').to_owned()),
            };
            let named = |sortname: String| self.live.contains_key(&(place.0, place.1, sortname));
            let is_twin =
                side == Side::Live && !name.is_empty() && named(name.clone()) && named(format!("{name}/"));
            if twin != is_twin {
                found.push(format!("{place:?} says twin {twin}"));
            }
        }
        self.found.append(&mut found);
    }

    /// Every folder is exactly as alive as what is in it, and its bounds are not too low.
    fn folders(&mut self) {
        let mut found = Vec::new();
        for (side, place, dent) in self.both() {
            let Dent::Folder(row) = dent else { continue };
            let within = |names: &BTreeMap<Place, Dent>| {
                let from = (place.0, row.node.0, String::new());
                names.range(from..).next().is_some_and(|(at, _)| (at.0, at.1) == (place.0, row.node.0))
            };
            let expected = match (within(&self.live), within(&self.dead)) {
                (true, _) => Some(Side::Live),
                (false, true) => Some(Side::Dead),
                (false, false) => None,
            };
            if expected != Some(side) {
                found.push(format!("folder {place:?} is {side:?} and should be {expected:?}"));
            }
            let (longest, height) = self.bounds(place.0, row);
            if longest > row.longest as usize || height > row.height as usize {
                let kept = (row.longest, row.height);
                found.push(format!("folder {place:?} keeps bounds {kept:?}, has {longest} and {height}"));
            }
        }
        self.found.append(&mut found);
    }

    fn bounds(&self, bucket: u64, row: &FolderRow) -> (usize, usize) {
        let from = (bucket, row.node.0, String::new());
        let mut bounds = (0, 0);
        for names in [&self.live, &self.dead] {
            let members =
                names.range(from.clone()..).take_while(|(at, _)| (at.0, at.1) == (bucket, row.node.0));
            for (place, dent) in members {
                let below = match dent {
                    Dent::File(_) => (0, 0),
                    Dent::Folder(row) => self.bounds(bucket, row),
                };
                bounds = (bounds.0.max(place.2.len() + below.0), bounds.1.max(1 + below.1));
            }
        }
        bounds
    }

    /// Node rows and names lead to each other.
    fn nodes(&mut self) {
        let mut known: BTreeSet<u64> = self.buckets.values().map(|row| row.root.0).collect();
        known.extend(self.trash.iter().map(|(_, item)| item.node.0));
        let mut found = Vec::new();
        for (_, place, dent) in self.both() {
            let (node, kind, name) = match dent {
                Dent::File(row) => (row.node, Kind::File, place.2.as_str()),
                Dent::Folder(row) => (row.node, Kind::Folder, place.2.strip_suffix('/').unwrap()),
            };
            if !known.insert(node.0) {
                found.push(format!("node {node} of {place:?} has two names"));
            }
            let expected = NodeRow {
                bucket: BucketId(place.0),
                parent: Some(NodeId(place.1)),
                name: name.to_owned(),
                kind,
            };
            if self.nodes.get(&node.0) != Some(&expected) {
                found.push(format!("node of {place:?} is {:?}", self.nodes.get(&node.0)));
            }
        }
        for (node, row) in &self.nodes {
            if !known.contains(node) {
                found.push(format!("node {node} has no name: {row:?}"));
            }
        }
        self.found.append(&mut found);
    }

    /// A file's row is what its newest version says; every history belongs to a file or to trash.
    fn files(&mut self) {
        let mut known: BTreeSet<(u64, u64)> = BTreeSet::new();
        known.extend(self.trash.iter().filter_map(|(bucket, item)| Some((*bucket, item.history?.0))));
        let mut found = Vec::new();
        for (side, place, dent) in self.both() {
            let Dent::File(row) = dent else { continue };
            known.insert((place.0, row.history.0));
            if let Some(why) = self.file(side, place.0, row) {
                found.push(format!("file {place:?}: {why}"));
            }
        }
        for (bucket, history, class) in self.versions.keys() {
            if !known.contains(&(*bucket, *history)) {
                found.push(format!("history {history} of class {class} belongs to no file"));
            }
        }
        self.found.append(&mut found);
    }

    fn of(&self, bucket: u64, history: HistoryId, class: Class) -> &[VersionRow] {
        let class = u8::from(class == Class::People);
        self.versions.get(&(bucket, history.0, class)).map_or(&[], Vec::as_slice)
    }

    fn file(&self, side: Side, bucket: u64, row: &FileRow) -> Option<String> {
        let versions = self.of(bucket, row.history, Class::S3);
        let Some(newest) = versions.first() else { return Some("no version".into()) };
        if (newest.content == Content::File) != (side == Side::Live) {
            return Some("on the wrong side".into());
        }
        if (newest.id, newest.size, &newest.etag, newest.committed)
            != (row.latest, row.size, &row.etag, row.committed)
        {
            return Some("is not its newest version".into());
        }
        let nulls: Vec<_> = versions.iter().filter(|row| row.null).map(|row| row.id.seq).collect();
        (nulls != row.null.into_iter().collect::<Vec<_>>())
            .then(|| format!("null {:?}, has {nulls:?}", row.null))
    }

    /// Aliases, properties and ctags belong to names that are there.
    fn side_tables(&mut self, rows: &dyn Rows) -> Result<(), StoreError> {
        let mut aliases = BTreeSet::new();
        for place in self.live.keys() {
            if let Some(normal) = nfc(place.2.strip_suffix('/').unwrap_or(&place.2)) {
                let key = Key::new().number(place.0).number(place.1).part(normal.as_bytes());
                aliases.insert(key.last(place.2.as_bytes()));
            }
        }
        let kept: BTreeSet<Vec<u8>> = all(rows, Table::Alias)?.into_iter().map(|(key, _)| key).collect();
        for key in kept.symmetric_difference(&aliases) {
            self.found.push(format!("alias {:?} is missing or stray", String::from_utf8_lossy(&key[16..])));
        }
        let folder = |place: &Place, dent: &Dent| match dent {
            Dent::Folder(row) => Some((place.0, row.node.0)),
            Dent::File(_) => None,
        };
        let trashed = |item: &(u64, TrashRow)| (item.0, item.1.node.0);
        let mut folders: BTreeSet<(u64, u64)> =
            self.both().filter_map(|(_, at, dent)| folder(at, dent)).collect();
        folders.extend(self.buckets.values().map(|row| (row.id.0, row.root.0)));
        folders.extend(self.trash.iter().map(trashed));
        for (key, _) in all(rows, Table::Ctag)? {
            if !folders.contains(&(number(&key, 0), number(&key, 1))) {
                self.found.push(format!("folder {} is gone and has a ctag", number(&key, 1)));
            }
        }
        let mut named: BTreeSet<(u64, u64)> = self.trash.iter().map(trashed).collect();
        named.extend(self.buckets.values().map(|row| (row.id.0, row.root.0)));
        for (place, dent) in &self.live {
            let (Dent::File(FileRow { node, .. }) | Dent::Folder(FolderRow { node, .. })) = dent;
            named.insert((place.0, node.0));
        }
        for (key, _) in all(rows, Table::Prop)? {
            if !named.contains(&(number(&key, 0), number(&key, 1))) {
                self.found.push(format!("node {} is gone and has properties", number(&key, 1)));
            }
        }
        Ok(())
    }

    fn folders_in_trash(&self) -> BTreeSet<u64> {
        let mut left: Vec<(u64, u64)> =
            self.trash.iter().map(|(bucket, item)| (*bucket, item.node.0)).collect();
        let mut all = BTreeSet::new();
        while let Some((bucket, folder)) = left.pop() {
            all.insert(folder);
            let members = self.live.range((bucket, folder, String::new())..);
            for (_, dent) in members.take_while(|(at, _)| (at.0, at.1) == (bucket, folder)) {
                if let Dent::Folder(row) = dent {
                    left.push((bucket, row.node.0));
                }
            }
        }
        all
    }

    /// Parts belong to open uploads, and what is charged is what is there.
    fn uploads_and_usage(&mut self, rows: &dyn Rows) -> Result<(), StoreError> {
        let mut counted: BTreeMap<(u64, u64), UsageRow> = BTreeMap::new();
        let owner =
            |buckets: &BTreeMap<u64, BucketRow>, id: u64| buckets.get(&id).map_or(0, |row| row.owner.0);
        let in_trash = self.folders_in_trash();
        for (place, dent) in &self.live {
            let Dent::File(row) = dent else { continue };
            let usage = counted.entry((owner(&self.buckets, place.0), place.0)).or_insert(UsageRow::NONE);
            if in_trash.contains(&place.1) {
                usage.history += row.size;
            } else {
                usage.live += row.size;
                usage.files += 1;
            }
        }
        let trashed: BTreeSet<_> =
            self.trash.iter().filter_map(|(b, item)| Some((*b, item.history?.0))).collect();
        for ((bucket, history, class), versions) in &self.versions {
            let usage = counted.entry((owner(&self.buckets, *bucket), *bucket)).or_insert(UsageRow::NONE);
            let bytes: u64 = versions.iter().map(|row| row.size).sum();
            if *class == 1 || trashed.contains(&(*bucket, *history)) {
                usage.history += bytes;
            } else {
                usage.versions += bytes - versions.first().map_or(0, |row| row.size);
            }
        }
        let mut open = BTreeMap::new();
        for (key, value) in all(rows, Table::Upload)? {
            open.insert(UploadRow::decode(&value)?.id.0, number(&key, 0));
        }
        for (key, value) in all(rows, Table::UploadId)? {
            let row = UploadIdRow::decode(&value)?;
            if row.completed.is_none() && open.get(&number(&key, 0)) != Some(&row.bucket.0) {
                self.found.push(format!("upload {} is an id and nothing else", number(&key, 0)));
            }
        }
        for (key, value) in all(rows, Table::Part)? {
            let Some(bucket) = open.get(&number(&key, 0)) else {
                self.found.push(format!("a part of upload {}, which is gone", number(&key, 0)));
                continue;
            };
            let usage = counted.entry((owner(&self.buckets, *bucket), *bucket)).or_insert(UsageRow::NONE);
            usage.parts += PartRow::decode(&value)?.size;
        }
        counted.retain(|_, usage| *usage != UsageRow::NONE);
        if counted != self.usage {
            self.found.push(format!("usage says {:?}, counted {counted:?}", self.usage));
        }
        Ok(())
    }

    /// Journals have no gaps, and none outlives its bucket.
    fn journals(&mut self, rows: &dyn Rows) -> Result<(), StoreError> {
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        for (key, _) in all(rows, Table::Journal)? {
            let (bucket, seq) = (number(&key, 0), number(&key, 1));
            let before = last.insert(bucket, seq).unwrap_or(0);
            if seq != before + 1 || !self.buckets.contains_key(&bucket) {
                self.found.push(format!("journal of bucket {bucket}: {seq} behind {before}"));
            }
        }
        Ok(())
    }

    /// Every manifest counts its references; every chunk is needed, queued or unreferenced.
    fn manifests(&mut self, rows: &dyn Rows) -> Result<(), StoreError> {
        let mut named: Vec<Result<ManifestId, StoreError>> =
            self.versions.values().flatten().filter_map(|row| row.manifest.map(Ok)).collect();
        for (_, value) in all(rows, Table::Part)? {
            named.push(Ok(PartRow::decode(&value)?.manifest));
        }
        let needed = named.len();
        let count = recount(rows, &mut named.into_iter())?;
        self.found.extend(count.findings.iter().map(ToString::to_string));
        if count.referenced + count.queued + count.unreferenced != count.chunks {
            self.found.push(format!("chunks do not add up: {count:?}"));
        }
        if needed == 0 && count.referenced != 0 {
            self.found.push(format!("{} chunks are needed by nothing", count.referenced));
        }
        Ok(())
    }
}
