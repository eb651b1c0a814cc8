//! Removing files, folders and versions.

use std::sync::Arc;

use super::{
    Error, Holdall,
    access::Verb,
    act::{Act, Told},
    batch::{self, Driving, NewBatch},
    caller::Caller,
    conditions::{demand, demand_of_folder},
    error::What,
    history,
    locks::{self, Touch},
    nouns::{HistoryPolicy, RemoveOptions, Removed, VersionRef, Versioning},
    read,
    tree::{self, Hit, Place},
};
use crate::{
    model::address::{Address, shown_in_tree},
    store::{
        meta::{
            Tx,
            rows::{Order, Rows},
        },
        rows::{
            batch::{BatchId, BatchKind},
            journal::EventKind,
            trash::{self, TrashKind, TrashRow},
            tree::{self as names, Dent, FileRow, FolderRow, Side},
            version::{Class, Content, version, versions},
            work::{self, WorkRow},
        },
    },
};

/// How a removal went on from its first transaction.
enum Outcome {
    Done(Removed),
    /// A folder of a versioned bucket: every file below it on its own.
    Begun(BatchId),
}

impl Holdall {
    /// Removes what stands at an address. Without a version: the file goes, or in a bucket that
    /// was ever versioned gets a delete marker; with one, that version goes for good. A folder
    /// goes in one commit with everything below it, but in a bucket that was ever versioned file
    /// by file. A literal key that is not there is no error.
    ///
    /// # Errors
    /// Not found (tree paths and versions), conditions, locks, or the caller may not; Partly, if
    /// single files of such a folder were refused.
    pub async fn remove(
        &self,
        caller: &Caller,
        at: &Address,
        options: RemoveOptions,
    ) -> Result<Removed, Error> {
        let (who, place, how) = (caller.clone(), at.clone(), options);
        let driving = Driving::new(&self.batches);
        let request = Arc::downgrade(&driving);
        let outcome = self.give_back(move |tx| {
            let outcome = remove(tx, &who, &place, &how)?;
            if let Outcome::Begun(id) = &outcome {
                Driving::hold(&request, *id);
            }
            Ok(outcome)
        });
        match outcome.await? {
            Outcome::Done(removed) => {
                self.jobs.wake();
                Ok(removed)
            }
            Outcome::Begun(id) => {
                self.drive(driving, id, &self.stop).await?;
                Ok(Removed { existed: true, ..Removed::default() })
            }
        }
    }
}

/// Removes a literal key inside a larger verb.
pub(super) fn remove_key(
    tx: &mut Tx<'_>,
    caller: &Caller,
    at: &Address,
    options: &RemoveOptions,
) -> Result<Removed, Error> {
    match remove(tx, caller, at, options)? {
        Outcome::Done(removed) => Ok(removed),
        Outcome::Begun(_) => Err(tree::broken("a key leads to a folder")),
    }
}

fn remove(tx: &mut Tx<'_>, caller: &Caller, at: &Address, options: &RemoveOptions) -> Result<Outcome, Error> {
    let act = Act::begin(tx, caller, at, Verb::Take)?;
    if let Some(which) = options.version
        && act.bucket.versioning != Versioning::Never
    {
        return remove_version(act, at, which, options).map(Outcome::Done);
    }
    if let Some(VersionRef::Id(_)) = options.version {
        return Err(Error::NotFound(What::Version, at.to_string()));
    }
    let Some(mut place) = tree::place(act.tx, &act.bucket, &at.spot)? else {
        return Err(Error::Denied("a bucket is removed as a bucket".into()));
    };
    match tree::find(act.tx, &act.bucket, &mut place)? {
        Hit::Folder(row) => {
            demand_of_folder(&options.conditions, at)?;
            remove_folder(act, place, &row, &options.tokens)
        }
        Hit::File(row) => remove_file(act, at, place, row, options).map(Outcome::Done),
        Hit::Nothing if place.tree => Err(Error::NotFound(What::Item, at.to_string())),
        Hit::Nothing => mark_missing(act, at, place, options).map(Outcome::Done),
    }
}

fn remove_file(
    mut act: Act<'_, '_>,
    at: &Address,
    mut place: Place,
    row: FileRow,
    options: &RemoveOptions,
) -> Result<Removed, Error> {
    demand(&options.conditions, Some(&row), at)?;
    let name = at.to_string();
    let touch =
        Touch { chain: &place.chain, node: Some((row.node, row.locks)), membership: true, name: &name };
    locks::guard(&act, touch, &options.tokens)?;
    if !place.tree {
        locks::guard_vanishing(&act, &place.chain, &options.tokens)?;
    }
    locks::drop_all(&mut act, &place.chain, row.node)?;
    let marker = take(&mut act, &mut place, &row)?;
    let told = Told { kind: EventKind::Removed, node: row.node, path: place.key(), from: None };
    let chain = place.chain;
    act.finish(told, &[&chain])?;
    Ok(Removed { existed: true, version: marker, marker: marker.is_some() })
}

/// Takes a live file away as its bucket's state has it, and puts its folders where they belong.
/// Returns the delete marker that was made, if one was.
pub(super) fn take(
    act: &mut Act<'_, '_>,
    place: &mut Place,
    row: &FileRow,
) -> Result<Option<VersionRef>, Error> {
    let marker = if act.bucket.versioning == Versioning::Never {
        history::take_away(act, place, row)?;
        None
    } else {
        let marker = history::mark(act, place)?;
        Some(if marker.null { VersionRef::Null } else { VersionRef::Id(marker.id) })
    };
    after_leaving(act, place)?;
    Ok(marker)
}

/// A name left a folder: through a tree door the folder stays, as an explicit one.
pub(super) fn after_leaving(act: &mut Act<'_, '_>, place: &Place) -> Result<(), Error> {
    if place.tree {
        keep_folder(act, place)?;
    }
    let gone = tree::settle(act.tx, &act.bucket, &place.chain)?;
    act.gone.extend(gone);
    Ok(())
}

fn keep_folder(act: &mut Act<'_, '_>, place: &Place) -> Result<(), Error> {
    let members = names::members(act.bucket.id, place.chain.last());
    if place.chain.folders.is_empty() || act.tx.any(Side::Live.table(), &members)? {
        return Ok(());
    }
    let marker = Place { name: String::new(), ..place.clone() };
    history::write(act, &marker, history::NewVersion::empty(), true)?;
    Ok(())
}

/// A literal key that is not there: nothing happens, or a versioned bucket gets a marker.
fn mark_missing(
    mut act: Act<'_, '_>,
    at: &Address,
    mut place: Place,
    options: &RemoveOptions,
) -> Result<Removed, Error> {
    demand(&options.conditions, None, at)?;
    if act.bucket.versioning == Versioning::Never {
        return Ok(Removed::default());
    }
    let name = at.to_string();
    let touch = Touch { chain: &place.chain, node: None, membership: true, name: &name };
    locks::guard(&act, touch, &options.tokens)?;
    tree::ensure_folders(act.tx, &act.bucket, &mut place, Side::Dead)?;
    let marker = history::mark(&mut act, &place)?;
    let which = if marker.null { VersionRef::Null } else { VersionRef::Id(marker.id) };
    let node = names::file(act.tx, Side::Dead, place.at(&act.bucket), &place.name)?.map(|row| row.node);
    let told =
        Told { kind: EventKind::Removed, node: node.unwrap_or_default(), path: place.key(), from: None };
    act.finish(told, &[&place.chain])?;
    Ok(Removed { existed: false, version: Some(which), marker: true })
}

fn remove_version(
    mut act: Act<'_, '_>,
    at: &Address,
    which: VersionRef,
    options: &RemoveOptions,
) -> Result<Removed, Error> {
    let place = read::place_of_versions(act.tx, &act.bucket, at)?;
    let standing = read::standing(act.tx, &act.bucket, &place)?;
    let Some((side, row)) = standing else { return Ok(gone(which)) };
    let seq = match which {
        VersionRef::Id(id) => Some(id.seq),
        VersionRef::Null => row.null,
    };
    let at_history = (act.bucket.id, row.history);
    let found = match seq {
        Some(seq) => version(act.tx, at_history, Class::S3, seq)?,
        None => None,
    };
    let matches_id =
        |found: crate::model::ids::VersionId| !matches!(which, VersionRef::Id(id) if id != found);
    let Some(version) = found.filter(|found| matches_id(found.id)) else { return Ok(gone(which)) };
    demand(&options.conditions, (side == Side::Live).then_some(&row), at)?;
    let name = at.to_string();
    // What comes back in folders that are gone is new where the last of them is that is there.
    let there =
        tree::place(act.tx, &act.bucket, &at.spot)?.map_or_else(|| place.chain.clone(), |at| at.chain);
    let touch = Touch { chain: &there, node: Some((row.node, row.locks)), membership: true, name: &name };
    locks::guard(&act, touch, &options.tokens)?;
    if side == Side::Live && version.id.seq == row.latest.seq && !stays(&act, &row)? {
        locks::guard_vanishing(&act, &place.chain, &options.tokens)?;
    }
    let node = row.node;
    let old = history::drop_version(&mut act, &place, (side, row), version.id.seq)?;
    if names::file(act.tx, Side::Live, place.at(&act.bucket), &place.name)?.is_none() {
        locks::drop_all(&mut act, &place.chain, node)?;
    }
    let place = revive(&mut act, place)?;
    let gone = tree::settle(act.tx, &act.bucket, &place.chain)?;
    act.gone.extend(gone);
    let told = Told { kind: EventKind::VersionRemoved, node, path: place.key(), from: None };
    act.finish(told, &[&place.chain])?;
    Ok(Removed { existed: true, version: Some(which), marker: old.content == Content::Marker })
}

/// Whether a live name stays without its newest version.
fn stays(act: &Act<'_, '_>, row: &FileRow) -> Result<bool, Error> {
    let newest = versions(act.tx, (act.bucket.id, row.history), Class::S3, None, 2)?;
    Ok(newest.get(1).is_some_and(|next| next.content == Content::File))
}

/// The version is not there: that is answered as if it had been removed.
fn gone(which: VersionRef) -> Removed {
    Removed { existed: false, version: Some(which), marker: false }
}

/// After a marker went, its file may be live in folders that are dead: they come back with it.
fn revive(act: &mut Act<'_, '_>, mut place: Place) -> Result<Place, Error> {
    if names::file(act.tx, Side::Live, place.at(&act.bucket), &place.name)?.is_none() {
        return Ok(place);
    }
    tree::revive_folders(act.tx, &act.bucket, &mut place)?;
    Ok(place)
}

fn remove_folder(
    mut act: Act<'_, '_>,
    place: Place,
    row: &FolderRow,
    tokens: &[String],
) -> Result<Outcome, Error> {
    let name = place.key();
    let shown = format!("{}/{name}", act.bucket.name);
    let touch =
        Touch { chain: &place.chain, node: Some((row.node, row.locks)), membership: true, name: &shown };
    locks::guard(&act, touch, tokens)?;
    locks::guard_below(&act, row.node, &shown, tokens)?;
    refuse_hidden(&act, row, &name)?;
    if act.bucket.versioning != Versioning::Never {
        let from = (act.bucket.id, name);
        let new = NewBatch {
            kind: BatchKind::Remove,
            from,
            to: None,
            file: false,
            clearing: false,
            modified: None,
            tokens,
        };
        return batch::begin(act.tx, &act.caller, new).map(Outcome::Begun);
    }
    detach_folder(&mut act, &place, row)?;
    after_leaving(&mut act, &place)?;
    let told = Told { kind: EventKind::Removed, node: row.node, path: format!("{name}/"), from: None };
    act.finish(told, &[&place.chain])?;
    Ok(Outcome::Done(Removed { existed: true, ..Removed::default() }))
}

/// A folder that shows nothing but holds keys no path can name is not removed by its path.
fn refuse_hidden(act: &Act<'_, '_>, row: &FolderRow, name: &str) -> Result<(), Error> {
    let members = names::members(act.bucket.id, row.node);
    let first = act.tx.scan(Side::Live.table(), &members, Order::Forward, HIDDEN_READ)?;
    let (mut hidden, mut shown) = (false, first.len() == HIDDEN_READ);
    for found in &first {
        let (sortname, dent) = names::read_dent(found)?;
        let marker = sortname.is_empty();
        let visible = shown_in_tree(sortname.strip_suffix('/').unwrap_or(&sortname));
        let twin = matches!(&dent, Dent::File(file) if file.twin);
        shown |= visible && !twin;
        hidden |= !visible && !marker;
    }
    if hidden && !shown {
        return Err(Error::Conflict(format!("{name} holds S3 keys that have no path; remove those first")));
    }
    Ok(())
}

/// Members looked at to tell whether a folder shows anything.
const HIDDEN_READ: usize = 64;

/// Takes a folder of a never-versioned bucket out of its name: into the trash, or to be released
/// by a job.
pub(super) fn detach_folder(act: &mut Act<'_, '_>, place: &Place, row: &FolderRow) -> Result<(), Error> {
    tree::unlink_folder(act.tx, place.at(&act.bucket), &place.name)?;
    locks::drop_below(act, &place.chain, row.node)?;
    let work = |id| WorkRow { bucket: act.bucket.id, owner: act.bucket.owner, id, history: false };
    if act.bucket.history == HistoryPolicy::Off {
        let work = work(row.node.0);
        work::queue(act.tx, work::Kind::Subtree, &work);
        return Ok(());
    }
    let item = TrashRow {
        kind: TrashKind::Folder,
        node: row.node,
        history: None,
        path: format!("{}/", place.key()),
        at: act.tx.now(),
        by: act.caller.account(),
        size: 0,
    };
    let work = work(act.seq.0);
    trash::put_item(act.tx, act.bucket.id, act.seq, &item);
    work::queue(act.tx, work::Kind::Trashed, &work);
    Ok(())
}
