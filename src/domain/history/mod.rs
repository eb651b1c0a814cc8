//! Versions of one file inside one transaction, in all three states of a bucket.
//!
//! Never versioned: the current version is the null one, and what it replaces goes to people's
//! history or is released. Enabled: every write adds one. Suspended: a write replaces the null
//! version only. A removal without a version id takes the file away, or puts a delete marker on
//! top; one with an id removes that version for good and shows the next.

mod people;
mod removal;

use super::{
    Error,
    act::Act,
    nouns::{HistoryPolicy, Versioning},
    read::standing,
    tree::{self, Place},
};
use crate::{
    model::{
        checksum::Checksum,
        etag::Etag,
        ids::{HistoryId, ManifestId, NodeId, Seq},
        time::Timestamp,
    },
    store::{
        blobs::manifest,
        faults::Fault,
        meta::{Kind as IdKind, rows::Rows as _},
        rows::{
            tree::{self as names, FileRow, Side},
            version::{self, AttributeRow, Class, Content, VersionRow},
        },
    },
};

pub(crate) use people::{discard, keeps_for, take_away};
pub(crate) use removal::{drop_version, mark};

/// The MD5 of nothing.
const EMPTY_MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// Content that is to become a version. Its manifest carries one reference for it.
#[derive(Clone, Debug)]
pub(crate) struct NewVersion {
    /// Where the bytes are.
    pub(crate) manifest: Option<ManifestId>,
    /// Bytes.
    pub(crate) size: u64,
    /// The content's tag.
    pub(crate) etag: Etag,
    /// The client's time of last change.
    pub(crate) modified: Option<Timestamp>,
    /// What the client said about it.
    pub(crate) attributes: AttributeRow,
    /// Checksums to keep.
    pub(crate) checksums: Vec<Checksum>,
    /// Number of parts of a multipart upload.
    pub(crate) parts: Option<u32>,
}

impl NewVersion {
    /// No bytes at all.
    pub(crate) fn empty() -> Self {
        Self {
            manifest: None,
            size: 0,
            etag: Etag::from_text(EMPTY_MD5),
            modified: None,
            attributes: AttributeRow::default(),
            checksums: Vec::new(),
            parts: None,
        }
    }

    /// The same content as an existing version, for a copy; takes a reference for it.
    pub(crate) fn copy_of(act: &mut Act<'_, '_>, row: &VersionRow) -> Result<Self, Error> {
        if let Some(manifest) = row.manifest {
            manifest::retain(act.tx, manifest)?;
        }
        Ok(Self {
            manifest: row.manifest,
            size: row.size,
            etag: row.etag.clone(),
            modified: (row.modified != row.committed).then_some(row.modified),
            attributes: row.attributes.clone(),
            checksums: row.checksums.clone(),
            parts: row.parts,
        })
    }
}

/// A file that was written.
#[derive(Clone, Debug)]
pub(crate) struct Wrote {
    /// Its name's row.
    pub(crate) file: FileRow,
    /// Its new version.
    pub(crate) version: VersionRow,
    /// Whether nothing stood there before.
    pub(crate) created: bool,
}

/// Makes `new` the current version of the file at a place whose folders are there. A change of
/// attributes alone (`quiet`) leaves no trace in people's history.
pub(crate) fn write(
    act: &mut Act<'_, '_>,
    place: &Place,
    new: NewVersion,
    quiet: bool,
) -> Result<Wrote, Error> {
    let before = standing(act.tx, &act.bucket, place)?;
    let null = act.bucket.versioning != Versioning::Enabled;
    if let Some((side, row)) = &before {
        retire(act, *side, row, quiet)?;
        if *side == Side::Dead {
            tree::detach(act.tx, &act.bucket, place, Side::Dead)?;
        }
    }
    let created = !matches!(before, Some((Side::Live, _)));
    let (node, history, first, kept) = match &before {
        Some((_, row)) => (row.node, row.history, row.created, Some(row)),
        None => (
            NodeId(act.tx.fresh(IdKind::Node)?),
            HistoryId(act.tx.fresh(IdKind::History)?),
            act.tx.now(),
            None,
        ),
    };
    let version = version_row(act, new, null);
    version::put_version(act.tx, (act.bucket.id, history), Class::S3, &version);
    let file = FileRow {
        node,
        history,
        null: if null { Some(version.id.seq) } else { kept.and_then(|row| row.null) },
        created: if created { act.tx.now() } else { first },
        props: kept.is_some_and(|row| row.props),
        locks: kept.is_some_and(|row| row.locks),
        ..shown(&version)
    };
    act.usage.live += version.size;
    act.usage.files += u64::from(created);
    let file = tree::attach(act.tx, &act.bucket, place, Side::Live, file)?;
    Ok(Wrote { file, version, created })
}

fn version_row(act: &Act<'_, '_>, new: NewVersion, null: bool) -> VersionRow {
    let committed = act.tx.now();
    VersionRow {
        id: act.version_id(),
        null,
        content: Content::File,
        manifest: new.manifest,
        size: new.size,
        etag: new.etag,
        committed,
        modified: new.modified.unwrap_or(committed),
        attributes: new.attributes,
        checksums: new.checksums,
        parts: new.parts,
    }
}

/// The fields a name's row shows of its newest version; identity and flags are the caller's.
fn shown(version: &VersionRow) -> FileRow {
    FileRow {
        node: NodeId::default(),
        history: HistoryId::default(),
        latest: version.id,
        null: None,
        size: version.size,
        etag: version.etag.clone(),
        committed: version.committed,
        modified: version.modified,
        created: version.committed,
        content_type: version.attributes.content_type.clone(),
        checksums: version.checksums.iter().map(|sum| (sum.kind, sum.parts.is_some())).collect(),
        props: false,
        locks: false,
        twin: false,
    }
}

/// What happens to the versions in the way of a new newest one.
fn retire(act: &mut Act<'_, '_>, side: Side, row: &FileRow, quiet: bool) -> Result<(), Error> {
    let live = side == Side::Live;
    match act.bucket.versioning {
        Versioning::Never => {
            let keep = act.bucket.history != HistoryPolicy::Off && !quiet;
            let old = need(act, row.history, Class::S3, row.latest.seq)?;
            version::remove_version(act.tx, (act.bucket.id, row.history), Class::S3, old.id.seq);
            act.usage.live = act.usage.live.saturating_sub(old.size);
            if keep {
                people::keep(act, row.history, &old)?;
            } else {
                release(act, &old)?;
            }
        }
        Versioning::Enabled if live => noncurrent(act, row.size),
        Versioning::Suspended => match row.null {
            Some(seq) => {
                let current = live && seq == row.latest.seq;
                if live && !current {
                    noncurrent(act, row.size);
                }
                drop_row(act, row.history, seq, current)?;
            }
            None if live => noncurrent(act, row.size),
            None => {}
        },
        Versioning::Enabled => {}
    }
    Ok(())
}

/// The newest version's bytes count as an older version's from now on.
fn noncurrent(act: &mut Act<'_, '_>, size: u64) {
    act.usage.live = act.usage.live.saturating_sub(size);
    act.usage.versions += size;
}

/// Removes one version's row and bytes; `current` says where its size was counted.
fn drop_row(act: &mut Act<'_, '_>, history: HistoryId, seq: Seq, current: bool) -> Result<VersionRow, Error> {
    let old = need(act, history, Class::S3, seq)?;
    version::remove_version(act.tx, (act.bucket.id, history), Class::S3, seq);
    let counted = if current { &mut act.usage.live } else { &mut act.usage.versions };
    *counted = counted.saturating_sub(old.size);
    release(act, &old)?;
    Ok(old)
}

fn release(act: &mut Act<'_, '_>, row: &VersionRow) -> Result<(), Error> {
    match row.manifest {
        Some(_) if act.tx.faults().has(Fault::ReplacedNotReleased) => Ok(()),
        Some(manifest) => Ok(manifest::release(act.tx, manifest)?),
        None => Ok(()),
    }
}

fn need(act: &Act<'_, '_>, history: HistoryId, class: Class, seq: Seq) -> Result<VersionRow, Error> {
    version::version(act.tx, (act.bucket.id, history), class, seq)?
        .ok_or_else(|| tree::broken("a name's newest version is gone"))
}

/// Writes a file into a folder that has no name yet: nobody sees it, so nothing is in its way.
pub(crate) fn write_unlinked(
    act: &mut Act<'_, '_>,
    folder: NodeId,
    name: &str,
    new: NewVersion,
) -> Result<FileRow, Error> {
    let (node, history) = (NodeId(act.tx.fresh(IdKind::Node)?), HistoryId(act.tx.fresh(IdKind::History)?));
    let version = version_row(act, new, true);
    version::put_version(act.tx, (act.bucket.id, history), Class::S3, &version);
    let at = (act.bucket.id, folder);
    let place =
        names::NodeRow { bucket: at.0, parent: Some(folder), name: name.to_owned(), kind: names::Kind::File };
    names::put_node(act.tx, node, &place);
    names::put_alias(act.tx, at, name, &names::file_sortname(name));
    let row = FileRow { node, history, null: Some(version.id.seq), ..shown(&version) };
    names::put_file(act.tx, Side::Live, at, name, &row);
    act.usage.live += version.size;
    act.usage.files += 1;
    Ok(row)
}
