//! Dead properties: what clients hang on files and folders, kept as they were set. They belong to
//! the node: a move takes them along, a copy copies them, a removal ends them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Error, Holdall,
    access::Verb,
    act::{Act, Told},
    buckets::allowed_at,
    caller::Caller,
    conditions::{demand, demand_of_folder},
    error::{Many, What},
    folders, locks,
    nouns::{Prop, PropChange, PropOptions, PropsSet},
    spot::{Found, Stands},
    tree::{self, Place},
};
use crate::{
    model::{
        address::Address,
        ids::{BucketId, NodeId},
        limits,
        time::Timestamp,
    },
    store::{
        meta::Tx,
        rows::{
            journal::EventKind,
            props::{self, PropRow},
            tree::{self as names, FileRow, FolderRow, Side},
            version::{self, Class, VersionRow},
        },
    },
};

impl Holdall {
    /// The dead properties of what stands at an address, in the order of their names.
    ///
    /// # Errors
    /// If nothing is there, or the caller may not read it.
    pub async fn props(&self, caller: &Caller, at: &Address) -> Result<Vec<Prop>, Error> {
        let (caller, at) = (caller.clone(), at.clone());
        self.look(move |rows| {
            let bucket = allowed_at(rows, &caller, &at, Verb::Read)?;
            let found = Found::at(rows, &bucket, &at)?;
            let (node, _) = found.node().ok_or_else(|| missing(&at))?;
            let marked = match &found.what {
                Stands::File(row) => row.props,
                Stands::Folder(row) => row.props,
                Stands::Root => true,
                Stands::Nothing => false,
            };
            let rows = if marked { props::props(rows, bucket.id, node)? } else { Vec::new() };
            Ok(rows.into_iter().map(shown).collect())
        })
        .await
    }

    /// Changes properties, step by step in the order given, all or none. A folder nobody made
    /// becomes an explicit one.
    ///
    /// # Errors
    /// If nothing is there; conditions, locks, or more than may be kept; or the caller may not.
    pub async fn set_props(
        &self,
        caller: &Caller,
        at: &Address,
        changes: Vec<PropChange>,
        options: PropOptions,
    ) -> Result<PropsSet, Error> {
        let (caller, at) = (caller.clone(), at.clone());
        self.write(move |tx| set(tx, &caller, &at, &changes, &options)).await
    }
}

fn missing(at: &Address) -> Error {
    Error::NotFound(What::Item, at.to_string())
}

fn shown(row: PropRow) -> Prop {
    Prop { namespace: row.namespace, name: row.name, xml: row.xml }
}

fn set(
    tx: &mut Tx<'_>,
    caller: &Caller,
    at: &Address,
    changes: &[PropChange],
    options: &PropOptions,
) -> Result<PropsSet, Error> {
    let mut act = Act::begin(tx, caller, at, Verb::Write)?;
    let found = Found::at(act.tx, &act.bucket, at)?;
    let (node, _) = found.node().ok_or_else(|| missing(at))?;
    match &found.what {
        Stands::File(row) => demand(&options.conditions, Some(row), at)?,
        Stands::Root | Stands::Folder(_) => demand_of_folder(&options.conditions, at)?,
        Stands::Nothing => demand(&options.conditions, None, at)?,
    }
    locks::guard(&act, found.touch(&at.to_string()), &options.tokens)?;
    let changed = apply(&mut act, node, changes)?;
    if changed.is_none() && options.modified.is_none() {
        act.finish_quietly()?;
    } else {
        keep(act, (&found, node), changed, options.modified)?;
    }
    Ok(PropsSet { folder: !matches!(found.what, Stands::File(_)) })
}

/// Notes at what was found whether it has properties now, and its new time, and tells of it.
fn keep(
    mut act: Act<'_, '_>,
    (found, node): (&Found, NodeId),
    changed: Option<bool>,
    modified: Option<Timestamp>,
) -> Result<(), Error> {
    let told = |path| Told { kind: EventKind::Props, node, path, from: None };
    match (&found.what, &found.place) {
        (Stands::File(row), Some(place)) => {
            let row = FileRow { props: changed.unwrap_or(row.props), ..row.clone() };
            timed(&mut act, place, row, modified)?;
            act.finish(told(place.key()), &[&found.chain])
        }
        (Stands::Folder(_), Some(place)) => {
            let marker = folders::own_marker(&mut act, place, node)?;
            mark_folder(&mut act, &marker, changed)?;
            let row = marker_row(&act, &marker)?;
            timed(&mut act, &marker, row, modified)?;
            act.finish(told(marker.key()), &[&marker.chain])
        }
        _ if modified.is_some() => Err(Error::Denied("the time of a bucket itself cannot be set".into())),
        _ => act.finish(told(String::new()), &[&found.chain]),
    }
}

/// Makes the changes; says whether any property is left, or nothing if all is as it was.
fn apply(act: &mut Act<'_, '_>, node: NodeId, changes: &[PropChange]) -> Result<Option<bool>, Error> {
    let bucket = act.bucket.id;
    let before: BTreeSet<Prop> = props::props(act.tx, bucket, node)?.into_iter().map(shown).collect();
    let named = |prop: &Prop| ((prop.namespace.clone(), prop.name.clone()), prop.clone());
    let mut after: BTreeMap<(String, String), Prop> = before.iter().map(named).collect();
    for change in changes {
        match change {
            PropChange::Set(prop) => {
                within(size(prop), limits::PROP_BYTES, Many::PropBytes)?;
                after.extend([named(prop)]);
            }
            PropChange::Remove { namespace, name } => {
                after.remove(&(namespace.clone(), name.clone()));
            }
        }
    }
    within(after.len(), limits::PROPS_PER_NODE, Many::Props)?;
    within(after.values().map(size).sum(), limits::PROPS_BYTES, Many::PropsBytes)?;
    let mut changed = false;
    for prop in after.values().filter(|prop| !before.contains(*prop)) {
        let Prop { namespace, name, xml } = prop.clone();
        props::put_prop(act.tx, bucket, node, &PropRow { namespace, name, xml });
        changed = true;
    }
    for prop in &before {
        if !after.contains_key(&(prop.namespace.clone(), prop.name.clone())) {
            props::remove_prop(act.tx, bucket, node, (&prop.namespace, &prop.name));
            changed = true;
        }
    }
    Ok(changed.then_some(!after.is_empty()))
}

fn size(prop: &Prop) -> usize {
    prop.namespace.len() + prop.name.len() + prop.xml.len()
}

fn within(count: usize, limit: usize, what: Many) -> Result<(), Error> {
    if count > limit { Err(Error::TooMany { what, limit: limit as u64 }) } else { Ok(()) }
}

/// Writes a file's name, and the client time of its current version if there is a new one.
fn timed(
    act: &mut Act<'_, '_>,
    place: &Place,
    row: FileRow,
    modified: Option<Timestamp>,
) -> Result<(), Error> {
    let at = (act.bucket.id, row.history);
    let Some(modified) = modified else {
        names::put_file(act.tx, Side::Live, place.at(&act.bucket), &place.name, &row);
        return Ok(());
    };
    let version = version::version(act.tx, at, Class::S3, row.latest.seq)?
        .ok_or_else(|| tree::broken("a name's newest version is gone"))?;
    version::put_version(act.tx, at, Class::S3, &VersionRow { modified, ..version });
    names::put_file(act.tx, Side::Live, place.at(&act.bucket), &place.name, &FileRow { modified, ..row });
    Ok(())
}

fn marker_row(act: &Act<'_, '_>, marker: &Place) -> Result<FileRow, Error> {
    names::file(act.tx, Side::Live, marker.at(&act.bucket), &marker.name)?
        .ok_or_else(|| tree::broken("an explicit folder has no marker"))
}

/// Marks the folder of a marker as having properties or none.
fn mark_folder(act: &mut Act<'_, '_>, marker: &Place, props: Option<bool>) -> Result<(), Error> {
    let (Some(index), Some(props)) = (marker.chain.folders.len().checked_sub(1), props) else {
        return Ok(());
    };
    let Some(folder) = marker.chain.folders.get(index) else { return Ok(()) };
    let at = (act.bucket.id, marker.chain.parent_of(index));
    if let Some(row) = names::folder(act.tx, Side::Live, at, &folder.name)? {
        names::put_folder(act.tx, Side::Live, at, &folder.name, &FolderRow { props, ..row });
    }
    Ok(())
}

/// Gives a node the properties of another instead of its own; answers how many, and their bytes.
pub(crate) fn replace(
    tx: &mut Tx<'_>,
    from: (BucketId, NodeId),
    to: (BucketId, NodeId),
) -> Result<(usize, usize), Error> {
    let rows = props::props(tx, from.0, from.1)?;
    props::clear(tx, to.0, to.1)?;
    for row in &rows {
        props::put_prop(tx, to.0, to.1, row);
    }
    Ok((rows.len(), rows.iter().map(|row| row.xml.len()).sum()))
}

/// Gives a file that was written at `place` as a copy the properties of its source. The marker of
/// an explicit folder stands for its folder.
pub(crate) fn carry(
    act: &mut Act<'_, '_>,
    (bucket, from, source): (BucketId, &Place, &FileRow),
    place: &Place,
    made: &FileRow,
) -> Result<(), Error> {
    let here = act.bucket.id;
    let folders = |place: &Place| place.name.is_empty() && !place.chain.folders.is_empty();
    // What a file has on itself is no folder's, and nobody would find it on a marker.
    if !folders(place) && (source.props || made.props) {
        let (count, _) = replace(act.tx, (bucket, source.node), (here, made.node))?;
        let row = FileRow { props: count > 0, ..made.clone() };
        names::put_file(act.tx, Side::Live, place.at(&act.bucket), &place.name, &row);
    }
    if folders(from) && folders(place) {
        let (count, _) = replace(act.tx, (bucket, from.chain.last()), (here, place.chain.last()))?;
        mark_folder(act, place, Some(count > 0))?;
    }
    Ok(())
}

/// As [`carry`], for a copied folder whose new marker is at `marker`.
pub(crate) fn carry_folder(
    act: &mut Act<'_, '_>,
    (bucket, source): (BucketId, &FolderRow),
    marker: &Place,
) -> Result<(), Error> {
    if !source.props {
        return Ok(());
    }
    let to = (act.bucket.id, marker.chain.last());
    let (count, _) = replace(act.tx, (bucket, source.node), to)?;
    mark_folder(act, marker, Some(count > 0))
}
