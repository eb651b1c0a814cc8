//! Every name, in both tables, folder by folder.

use super::{
    Check, FindingKind, Pages,
    bounds::{Bounds, MOST},
    numbers,
    standing::{Counted, Standing},
};
use crate::{
    model::{
        address::nfc,
        ids::{BucketId, NodeId},
    },
    store::{
        error::StoreError,
        meta::{key::Key, table::Table},
        rows::tree::{self, Dent, FileRow, FolderRow, Kind, Side},
    },
};

/// The folder whose members are being read.
struct Group {
    bucket: BucketId,
    folder: NodeId,
    standing: Standing,
    /// Of what is in it.
    bounds: Bounds,
}

/// One name of a folder.
struct Name<'n> {
    side: Side,
    group: &'n Group,
    sortname: &'n str,
}

impl Name<'_> {
    fn at(&self) -> (BucketId, NodeId) {
        (self.group.bucket, self.group.folder)
    }

    /// Without the slash at the end of a folder's.
    fn bare(&self) -> &str {
        self.sortname.strip_suffix('/').unwrap_or(self.sortname)
    }
}

impl Check<'_> {
    /// Reads both tables of names.
    pub(super) fn names(&mut self) -> Result<(), StoreError> {
        for side in [Side::Live, Side::Dead] {
            let mut open: Option<Group> = None;
            for row in Pages::all(self.rows, side.table()) {
                let row = row?;
                let [bucket, folder] = numbers(&row.0)?;
                let (bucket, folder) = (BucketId(bucket), NodeId(folder));
                let (sortname, dent) = tree::read_dent(&row)?;
                let mut group = match open.take() {
                    Some(group) if (group.bucket, group.folder) == (bucket, folder) => group,
                    other => {
                        self.end(side, other)?;
                        self.begin(bucket, folder, &sortname)?
                    }
                };
                group.bounds.grow(&sortname, &dent);
                self.name(&Name { side, group: &group, sortname: &sortname }, &dent)?;
                open = Some(group);
            }
            self.end(side, open)?;
        }
        Ok(())
    }

    fn begin(&mut self, bucket: BucketId, folder: NodeId, first: &str) -> Result<Group, StoreError> {
        let standing = self.standing(bucket, folder)?;
        if standing == Standing::Lost {
            let what = "and its neighbours are in a folder that nothing leads to";
            self.note_at(FindingKind::Folder, (bucket, folder, first), what)?;
        }
        Ok(Group { bucket, folder, standing, bounds: Bounds::default() })
    }

    /// A folder was read on one side; its bounds hold for both.
    fn end(&mut self, side: Side, group: Option<Group>) -> Result<(), StoreError> {
        let Some(mut group) = group.filter(|group| group.standing == Standing::Attached) else {
            return Ok(());
        };
        let members = tree::members(group.bucket, group.folder);
        if side == Side::Dead && self.rows.any(Table::Dent, &members)? {
            return Ok(());
        }
        let Some((_, row)) = self.folder(group.bucket, group.folder)? else { return Ok(()) };
        if side == Side::Live {
            for row in Pages::of(self.rows, Table::Dead, members) {
                let (sortname, dent) = tree::read_dent(&row?)?;
                group.bounds.grow(&sortname, &dent);
            }
        }
        let bounds = group.bounds;
        if row.longest < bounds.longest || row.height < bounds.height {
            let what = format!(
                "has bounds of {} bytes and {} segments, and {} and {} are below",
                row.longest, row.height, bounds.longest, bounds.height
            );
            self.note_at(FindingKind::Bounds, (group.bucket, group.folder, ""), &what)?;
        }
        if bounds.below(&row) {
            self.report.counts.stale_bounds += 1;
            if self.stale.len() < MOST {
                self.stale.push(group.folder);
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &Name<'_>, dent: &Dent) -> Result<(), StoreError> {
        let (node, kind) = match dent {
            Dent::File(row) => (row.node, Kind::File),
            Dent::Folder(row) => (row.node, Kind::Folder),
        };
        let place = tree::node(self.rows, node)?;
        let here = place.is_some_and(|place| {
            (place.bucket, place.parent) == (name.group.bucket, Some(name.group.folder))
                && place.name == name.bare()
                && place.kind == kind
        });
        if !here {
            self.note_name(FindingKind::Name, name, "leads to a node that is somewhere else")?;
        }
        let key = tree::dent_key(name.group.bucket, name.group.folder, name.sortname);
        if name.side == Side::Live && self.rows.get(Table::Dead, &key)?.is_some() {
            self.note_name(FindingKind::Name, name, "is listed and deleted at once")?;
        }
        self.alias_of(name)?;
        match dent {
            Dent::File(row) => self.file(name, row),
            Dent::Folder(row) => self.folder_row(name, row),
        }
    }

    fn note_name(&mut self, kind: FindingKind, name: &Name<'_>, what: &str) -> Result<(), StoreError> {
        self.note_at(kind, (name.group.bucket, name.group.folder, name.sortname), what)
    }

    fn alias_of(&mut self, name: &Name<'_>) -> Result<(), StoreError> {
        let (true, Some(normal)) = (name.side == Side::Live, nfc(name.bare())) else { return Ok(()) };
        let (bucket, folder) = name.at();
        let key = Key::new().number(bucket.0).number(folder.0).part(normal.as_bytes());
        if self.rows.get(Table::Alias, &key.last(name.sortname.as_bytes()))?.is_none() {
            self.note_name(FindingKind::Name, name, "is not in NFC and has no alias")?;
        }
        Ok(())
    }

    fn file(&mut self, name: &Name<'_>, row: &FileRow) -> Result<(), StoreError> {
        let attached = name.group.standing == Standing::Attached;
        self.report.counts.files += 1;
        if !self.histories.insert(row.history.0) {
            self.note_name(FindingKind::Version, name, "shares its history with something else")?;
        }
        if attached {
            let newest = self.newest.entry(name.group.bucket).or_default();
            *newest = (*newest).max(row.latest.seq.0);
            let beside = name.side == Side::Live
                && !name.sortname.is_empty()
                && tree::folder(self.rows, Side::Live, name.at(), name.sortname)?.is_some();
            if beside != row.twin {
                self.note_name(FindingKind::Name, name, "is wrong about a folder of the same name")?;
            }
            self.flags(name.at(), name.sortname, (row.node, row.props, row.locks))?;
        }
        if let Some(what) = self.versions_of(name.group.bucket, row, (name.side, name.group.standing))? {
            self.note_name(FindingKind::Version, name, &what)?;
        }
        let listed = attached || name.group.standing == Standing::Detached(Counted::Live);
        if name.side == Side::Live && listed {
            self.tally(name.group.bucket).files += 1;
        }
        Ok(())
    }

    fn folder_row(&mut self, name: &Name<'_>, row: &FolderRow) -> Result<(), StoreError> {
        self.report.counts.folders += 1;
        if name.group.standing != Standing::Attached {
            return Ok(());
        }
        let members = tree::members(name.group.bucket, row.node);
        let live = self.rows.any(Table::Dent, &members)?;
        let dead = self.rows.any(Table::Dead, &members)?;
        match (name.side, live, dead) {
            (Side::Live, true, _) | (Side::Dead, false, true) => {}
            (Side::Live, false, _) => {
                self.note_name(FindingKind::Folder, name, "is listed with nothing in it")?;
            }
            (Side::Dead, true, _) => {
                self.note_name(FindingKind::Folder, name, "is deleted with something in it")?;
            }
            (Side::Dead, false, false) => {
                self.note_name(FindingKind::Folder, name, "is deleted and holds no version")?;
            }
        }
        let beside =
            name.side == Side::Live && tree::file(self.rows, Side::Live, name.at(), name.bare())?.is_some();
        if (beside && !name.bare().is_empty()) != row.twin {
            self.note_name(FindingKind::Name, name, "is wrong about a file of the same name")?;
        }
        self.flags(name.at(), name.sortname, (row.node, row.props, row.locks))
    }
}
