//! One file, in one transaction.

use super::{Each, Outcome, Plan, begin, begin_batch, destination, refuse_overlap, vanished};
use crate::{
    domain::{
        Error,
        access::Verb,
        act::{Act, Told},
        buckets::allowed_at,
        conditions::demand_of_source,
        error::Large,
        history::{self, NewVersion},
        locks::{self, Touch},
        nouns::{FileVersion, Item, Transfer, TransferOptions, Transferred, Versioning},
        props, read, remove,
        tree::{self, Hit, Place},
        view,
    },
    model::address::Spot,
    store::{
        meta::Tx,
        rows::{
            batch::BatchId,
            bucket::BucketRow,
            journal::EventKind,
            tree::{self as names, FileRow, Side},
            version::VersionRow,
        },
    },
};

/// The source as the transaction finds it.
struct Source {
    bucket: BucketRow,
    place: Place,
    file: FileRow,
    version: VersionRow,
}

pub(super) fn transfer(tx: &mut Tx<'_>, plan: &Plan) -> Result<Outcome, Error> {
    let source = source(tx, plan)?;
    if plan.how == Transfer::Move {
        ask_source(&Act::begin(tx, &plan.caller, &plan.from, Verb::Take)?, plan, &source)?;
    }
    let mut act = begin(tx, plan)?;
    act.frees(freed(plan, &source, &act.bucket));
    let (mut place, hit) = destination(&act, plan)?;
    refuse_overlap(&act, plan, (&source.place, source.file.node), &place, &hit)?;
    let same = same_file(&source, &act, &hit);
    if same {
        refuse_plain_self_copy(plan)?;
    }
    guard_target(&act, plan, (&place, &hit), !same)?;
    if let Some(id) = clear_folder(&mut act, plan, &source, (&place, &hit))? {
        return Ok(Outcome::Begun(id, false));
    }
    let renamed = plan.how == Transfer::Move
        && act.bucket.id == source.bucket.id
        && act.bucket.versioning == Versioning::Never
        && names::file(act.tx, Side::Live, place.at(&act.bucket), &place.name)?.is_none();
    if renamed {
        return rename(act, plan, place, &source, &hit).map(|done| Outcome::Done(Box::new(done)));
    }
    let new = NewVersion::copy_of(&mut act, &source.version)?;
    tree::ensure_folders(act.tx, &act.bucket, &mut place, Side::Live)?;
    let wrote = history::write(&mut act, &place, described(plan, new)?, same)?;
    if !same {
        props::carry(&mut act, (source.bucket.id, &source.place, &source.file), &place, &wrote.file)?;
    }
    let version = view::version(&act.bucket, place.key(), &wrote.file, &wrote.version);
    let (seq, incarnation) = (act.seq, act.tx.incarnation());
    debug_assert!(version.id.seq == seq && version.id.incarnation == incarnation);
    let moved_here = plan.how == Transfer::Move && act.bucket.id == source.bucket.id;
    let told = Told {
        kind: if moved_here { EventKind::Moved } else { EventKind::Copied },
        node: version.node,
        path: place.key(),
        from: Some(source.place.key()),
    };
    if moved_here {
        leave(&mut act, plan, &source)?;
        act.finish(told, &[&place.chain, &source.place.chain])?;
    } else {
        act.finish(told, &[&place.chain])?;
        if plan.how == Transfer::Move {
            leave_bucket(tx, plan, &source)?;
        }
    }
    let created = matches!(hit, Hit::Nothing);
    let source = Some(shown(&source));
    Ok(Outcome::Done(Box::new(Transferred { item: Item::File(version), created, source })))
}

/// Asks for the locks on what is written to; `joins` says that the file is a new member there.
fn guard_target(
    act: &Act<'_, '_>,
    plan: &Plan,
    (place, hit): (&Place, &Hit),
    joins: bool,
) -> Result<(), Error> {
    let target = match hit {
        Hit::File(row) => Some((row.node, row.locks)),
        Hit::Folder(row) => Some((row.node, row.locks)),
        Hit::Nothing => None,
    };
    let name = plan.to.to_string();
    let touch = Touch { chain: &place.chain, node: target, membership: joins, name: &name };
    locks::guard(act, touch, &plan.options.tokens)?;
    // A file that the folder hides is what is written to in the end.
    if matches!(hit, Hit::Folder(_))
        && let Some(hidden) = names::file(act.tx, Side::Live, place.at(&act.bucket), &place.name)?
    {
        let node = Some((hidden.node, hidden.locks));
        let touch = Touch { chain: &place.chain, node, membership: false, name: &name };
        locks::guard(act, touch, &plan.options.tokens)?;
    }
    Ok(())
}

fn source(tx: &mut Tx<'_>, plan: &Plan) -> Result<Source, Error> {
    let verb = if plan.how == Transfer::Move { Verb::Take } else { Verb::Read };
    let bucket = allowed_at(tx, &plan.caller, &plan.from, verb)?;
    let (place, file, version) = read::version_at(tx, &bucket, &plan.from, plan.options.version)?;
    demand_of_source(&plan.options.source_conditions, &version, &plan.from)?;
    suits(&plan.options, &version)?;
    Ok(Source { bucket, place, file, version })
}

/// Whether a version is one the request takes as source.
fn suits(options: &TransferOptions, version: &VersionRow) -> Result<(), Error> {
    if let Some(limit) = options.most_bytes
        && version.size > limit
    {
        return Err(Error::TooLarge { what: Large::Source, limit });
    }
    let whole = |kind| version.checksums.iter().any(|sum| sum.kind == kind && sum.parts.is_none());
    match options.checksum {
        Some(kind) if !whole(kind) => {
            Err(Error::Unsupported(format!("a copy with a {kind} that its source does not have")))
        }
        _ => Ok(()),
    }
}

/// What a move frees in another bucket of the same owner, in the same commit.
fn freed(plan: &Plan, source: &Source, to: &BucketRow) -> u64 {
    let from = &source.bucket;
    let goes = match from.versioning {
        Versioning::Never => true,
        Versioning::Enabled => false,
        Versioning::Suspended => source.file.null == Some(source.file.latest.seq),
    };
    let elsewhere = plan.how == Transfer::Move && from.id != to.id && from.owner == to.owner;
    if goes && elsewhere { source.file.size } else { 0 }
}

fn shown(source: &Source) -> FileVersion {
    view::version(&source.bucket, source.place.key(), &source.file, &source.version)
}

fn same_file(source: &Source, act: &Act<'_, '_>, hit: &Hit) -> bool {
    matches!(hit, Hit::File(row) if act.bucket.id == source.bucket.id && row.node == source.file.node)
}

/// A copy onto itself has to change something: attributes, or which version is current.
fn refuse_plain_self_copy(plan: &Plan) -> Result<(), Error> {
    let changes = plan.options.attributes.is_some() || plan.options.version.is_some();
    match &plan.from.spot {
        Spot::Key(_) if changes => Ok(()),
        Spot::Key(_) => Err(Error::Invalid(
            "a copy of an object onto itself has to change its metadata or its current version".into(),
        )),
        Spot::Path(_) => Err(Error::Denied(format!("{} is source and destination at once", plan.from))),
    }
}

/// New attributes and times where the request brings them. The client's time goes with the
/// attributes: who replaces them and names no time has none.
fn described(plan: &Plan, new: NewVersion) -> Result<NewVersion, Error> {
    let kept = plan.options.attributes.is_none().then_some(new.modified).flatten();
    let attributes = plan.options.attributes.as_ref().map(view::attribute_row).transpose()?;
    Ok(NewVersion {
        attributes: attributes.unwrap_or(new.attributes),
        modified: plan.options.modified.or(kept),
        ..new
    })
}

/// A folder in the way of a file goes first: in the same commit, or where that has to go file by
/// file in a batch that ends with the transfer.
fn clear_folder(
    act: &mut Act<'_, '_>,
    plan: &Plan,
    source: &Source,
    (place, hit): (&Place, &Hit),
) -> Result<Option<BatchId>, Error> {
    let Hit::Folder(row) = hit else { return Ok(None) };
    locks::guard_below(act, row.node, &plan.to.to_string(), &plan.options.tokens)?;
    if act.bucket.versioning == Versioning::Never {
        remove::detach_folder(act, place, row)?;
        return Ok(None);
    }
    let (from, to) = ((source.bucket.id, source.place.key()), (act.bucket.id, place.key()));
    begin_batch(act.tx, plan, Each { from, to, file: true, clearing: true }).map(Some)
}

/// The file keeps its identity and its history under a new name.
fn rename(
    mut act: Act<'_, '_>,
    plan: &Plan,
    mut place: Place,
    source: &Source,
    hit: &Hit,
) -> Result<Transferred, Error> {
    guard_source(&mut act, plan, source)?;
    tree::detach(act.tx, &act.bucket, &source.place, Side::Live)?;
    tree::ensure_folders(act.tx, &act.bucket, &mut place, Side::Live)?;
    let row = FileRow { locks: false, ..source.file.clone() };
    let row = tree::attach(act.tx, &act.bucket, &place, Side::Live, row)?;
    remove::after_leaving(&mut act, &source.place)?;
    let told =
        Told { kind: EventKind::Moved, node: row.node, path: place.key(), from: Some(source.place.key()) };
    let version = view::version(&act.bucket, place.key(), &row, &source.version);
    act.finish(told, &[&place.chain, &source.place.chain])?;
    let created = matches!(hit, Hit::Nothing);
    Ok(Transferred { item: Item::File(version), created, source: Some(shown(source)) })
}

/// Asks for the locks on the source, before anything at the destination is cleared for it.
fn ask_source(act: &Act<'_, '_>, plan: &Plan, source: &Source) -> Result<(), Error> {
    let name = plan.from.to_string();
    let touch = Touch {
        chain: &source.place.chain,
        node: Some((source.file.node, source.file.locks)),
        membership: true,
        name: &name,
    };
    locks::guard(act, touch, &plan.options.tokens)
}

fn guard_source(act: &mut Act<'_, '_>, plan: &Plan, source: &Source) -> Result<(), Error> {
    ask_source(act, plan, source)?;
    locks::drop_all(act, &source.place.chain, source.file.node)
}

/// The source of a move goes; its content lives on at the destination, so nothing is trashed.
fn leave(act: &mut Act<'_, '_>, plan: &Plan, source: &Source) -> Result<(), Error> {
    guard_source(act, plan, source)?;
    let mut place = source.place.clone();
    let file = names::file(act.tx, Side::Live, place.at(&act.bucket), &place.name)?;
    let file = file.ok_or_else(|| vanished(plan))?;
    if act.bucket.versioning == Versioning::Never {
        history::discard(act, &place, &file)?;
        return remove::after_leaving(act, &place);
    }
    remove::take(act, &mut place, &file).map(drop)
}

fn leave_bucket(tx: &mut Tx<'_>, plan: &Plan, source: &Source) -> Result<(), Error> {
    let mut act = Act::begin(tx, &plan.caller, &plan.from, Verb::Take)?;
    leave(&mut act, plan, source)?;
    let told =
        Told { kind: EventKind::Removed, node: source.file.node, path: source.place.key(), from: None };
    act.finish(told, &[&source.place.chain])
}
