//! A folder with everything below it.

use super::{Each, Outcome, Plan, begin, begin_batch, destination, refuse_overlap, vanished};
use crate::{
    domain::{
        Error, Holdall,
        access::Verb,
        act::{Act, Told},
        buckets::allowed_at,
        conditions::demand_of_folder,
        folders, history,
        locks::{self, Touch},
        nouns::{Item, Transfer, Transferred, Versioning},
        props, remove,
        staging::Staging,
        tree::{self, Hit, Place},
        view,
    },
    model::ids::{NodeId, Seq},
    store::{
        faults::Fault,
        meta::{Tx, rows::Rows},
        rows::{
            bucket::BucketRow,
            journal::EventKind,
            props as rows_of_props,
            tree::{self as names, FolderRow, Side},
            work::{self, WorkRow},
        },
    },
};

/// How often a folder that changes while it is copied to another bucket is copied again.
const ROUNDS: usize = 3;

/// How a folder goes.
enum Way {
    /// Its row moves.
    Relink,
    /// A copy is staged and linked.
    Stage,
    /// Every file on its own.
    EachFile,
}

impl Holdall {
    pub(super) async fn transfer_folder(&self, plan: Plan) -> Result<Transferred, Error> {
        if !self.store.faults().has(Fault::MovedIntoItself) {
            refuse_into_itself(&plan)?;
        }
        demand_of_folder(&plan.options.source_conditions, &plan.from)?;
        if plan.options.shallow && plan.how == Transfer::Copy {
            return self.write(move |tx| shallow(tx, &plan)).await;
        }
        let look = plan.clone();
        match self.read(move |rows| way(rows, &look)).await? {
            Way::Relink => self.write(move |tx| relink(tx, &plan)).await,
            Way::Stage => self.staged(plan).await,
            Way::EachFile => self.begun(plan, open_destination).await,
        }
    }

    async fn staged(&self, plan: Plan) -> Result<Transferred, Error> {
        for _ in 0..ROUNDS {
            let staging = Staging::begin(self, &plan).await?;
            let (link, made) = (plan.clone(), staging.clone());
            match self.write(move |tx| link_staged(tx, &link, &made)).await {
                Ok(Some(done)) => return Ok(done),
                // The source changed meanwhile: what was staged is not all of it.
                Ok(None) => staging.discard(self).await?,
                Err(error) => {
                    staging.discard(self).await?;
                    return Err(error);
                }
            }
        }
        Err(Error::Conflict(format!("{} changes too fast to be moved to another bucket", plan.from)))
    }
}

fn refuse_into_itself(plan: &Plan) -> Result<(), Error> {
    if let (crate::model::address::Spot::Path(from), crate::model::address::Spot::Path(to)) =
        (&plan.from.spot, &plan.to.spot)
        && plan.from.bucket == plan.to.bucket
        && from.contains(to)
    {
        return Err(Error::Conflict(format!("{} lies within {}", plan.to, plan.from)));
    }
    Ok(())
}

fn way(rows: &dyn Rows, plan: &Plan) -> Result<Way, Error> {
    let verb = if plan.how == Transfer::Move { Verb::Take } else { Verb::Read };
    let from = allowed_at(rows, &plan.caller, &plan.from, verb)?;
    let to = allowed_at(rows, &plan.caller, &plan.to, Verb::Write)?;
    let versioned = |bucket: &BucketRow| bucket.versioning != Versioning::Never;
    Ok(if versioned(&to) || (plan.how == Transfer::Move && versioned(&from)) {
        Way::EachFile
    } else if plan.how == Transfer::Move && from.id == to.id {
        Way::Relink
    } else {
        Way::Stage
    })
}

/// The source folder as the transaction finds it.
fn source(rows: &dyn Rows, plan: &Plan, bucket: &BucketRow) -> Result<(Place, FolderRow), Error> {
    let mut place = tree::place(rows, bucket, &plan.from.spot)?.ok_or_else(|| vanished(plan))?;
    match tree::find(rows, bucket, &mut place)? {
        Hit::Folder(row) => Ok((place, row)),
        Hit::Nothing | Hit::File(_) => Err(vanished(plan)),
    }
}

/// The destination of a folder. It makes no folder above itself, whatever kind of address names it.
fn open_place(act: &Act<'_, '_>, plan: &Plan) -> Result<(Place, Hit), Error> {
    let (place, hit) = destination(act, plan)?;
    if !place.missing.is_empty() {
        return Err(Error::Conflict(format!("the folder of {} does not exist", plan.to)));
    }
    // A literal key finds no folder, and what is below one must not lose its name to another.
    let stands = names::folder(act.tx, Side::Live, place.at(&act.bucket), &place.name)?;
    if stands.is_some() && !matches!(hit, Hit::Folder(_)) {
        return Err(Error::Conflict(format!("{} is a folder; name it as a path", plan.to)));
    }
    Ok((place, hit))
}

/// Makes the destination free: conditions, locks, and what stands there goes. In a bucket that was
/// ever versioned nothing may stand there: its versions would go too.
fn clear(act: &mut Act<'_, '_>, plan: &Plan, source: (&Place, NodeId)) -> Result<(Place, bool), Error> {
    let (place, hit) = open_place(act, plan)?;
    refuse_overlap(act, plan, source, &place, &hit)?;
    if act.bucket.versioning != Versioning::Never && !matches!(hit, Hit::Nothing) {
        return Err(Error::Conflict(format!("{} exists; remove it first", plan.to)));
    }
    guard_destination(act, plan, (&place, &hit))?;
    match &hit {
        Hit::Folder(row) => remove::detach_folder(act, &place, row)?,
        Hit::File(row) => {
            locks::drop_all(act, &place.chain, row.node)?;
            history::take_away(act, &place, row)?;
        }
        Hit::Nothing => {}
    }
    Ok((place, matches!(hit, Hit::Nothing)))
}

fn guard_destination(act: &Act<'_, '_>, plan: &Plan, (place, hit): (&Place, &Hit)) -> Result<(), Error> {
    let name = plan.to.to_string();
    let (node, folder) = match hit {
        Hit::File(row) => (Some((row.node, row.locks)), None),
        Hit::Folder(row) => (Some((row.node, row.locks)), Some(row.node)),
        Hit::Nothing => (None, None),
    };
    let touch = Touch { chain: &place.chain, node, membership: true, name: &name };
    locks::guard(act, touch, &plan.options.tokens)?;
    folder.map_or(Ok(()), |node| locks::guard_below(act, node, &name, &plan.options.tokens))
}

fn guard_source(act: &Act<'_, '_>, plan: &Plan, place: &Place, row: &FolderRow) -> Result<(), Error> {
    let name = plan.from.to_string();
    let touch =
        Touch { chain: &place.chain, node: Some((row.node, row.locks)), membership: true, name: &name };
    locks::guard(act, touch, &plan.options.tokens)?;
    locks::guard_below(act, row.node, &name, &plan.options.tokens)
}

/// MOVE within a never-versioned bucket: one row, whatever is below.
fn relink(tx: &mut Tx<'_>, plan: &Plan) -> Result<Transferred, Error> {
    allowed_at(tx, &plan.caller, &plan.from, Verb::Take)?;
    let mut act = begin(tx, plan)?;
    if act.bucket.versioning != Versioning::Never {
        return Err(Error::Conflict("versioning was enabled meanwhile".into()));
    }
    let (from, row) = source(act.tx, plan, &act.bucket)?;
    guard_source(&act, plan, &from, &row)?;
    locks::drop_below(&mut act, &from.chain, row.node)?;
    let (to, created) = clear(&mut act, plan, (&from, row.node))?;
    tree::moved_folder_fits(&to, &row)?;
    tree::unlink_folder(act.tx, from.at(&act.bucket), &from.name)?;
    let row = FolderRow { locks: false, ..row };
    tree::link_folder(act.tx, &act.bucket, &to, row.clone())?;
    remove::after_leaving(&mut act, &from)?;
    finish(act, EventKind::Moved, (&from, &to), &row, created)
}

fn finish(
    act: Act<'_, '_>,
    kind: EventKind,
    (from, to): (&Place, &Place),
    row: &FolderRow,
    created: bool,
) -> Result<Transferred, Error> {
    let told =
        Told { kind, node: row.node, path: format!("{}/", to.key()), from: Some(format!("{}/", from.key())) };
    let item = Item::Folder(view::folder(to.key(), row));
    let mut chains = vec![&to.chain];
    if kind == EventKind::Moved {
        chains.push(&from.chain);
    }
    act.finish(told, &chains)?;
    Ok(Transferred { item, created, source: None })
}

/// COPY with `Depth: 0`: the folder alone.
fn shallow(tx: &mut Tx<'_>, plan: &Plan) -> Result<Transferred, Error> {
    let bucket = allowed_at(tx, &plan.caller, &plan.from, Verb::Read)?;
    let (from, row) = source(tx, plan, &bucket)?;
    let mut act = begin(tx, plan)?;
    let (to, created) = clear(&mut act, plan, (&from, row.node))?;
    let marker = folders::explicit(&mut act, &to, None)?;
    props::carry_folder(&mut act, (bucket.id, &row), &marker)?;
    let row = names::folder(act.tx, Side::Live, to.at(&act.bucket), &to.name)?
        .ok_or_else(|| tree::broken("a new folder has no name"))?;
    let to = Place { chain: tree::Chain { folders: up(&marker), ..marker.chain.clone() }, ..to };
    finish(act, EventKind::Copied, (&from, &to), &row, created)
}

fn up(marker: &Place) -> Vec<tree::Node> {
    let mut folders = marker.chain.folders.clone();
    folders.pop();
    folders
}

/// Gives what was staged its name; `None` if a moved source changed since.
fn link_staged(tx: &mut Tx<'_>, plan: &Plan, staging: &Staging) -> Result<Option<Transferred>, Error> {
    let bucket = allowed_at(tx, &plan.caller, &plan.from, Verb::Read)?;
    let (from, source_row) = source(tx, plan, &bucket)?;
    let changed: Seq = names::ctag(tx, bucket.id, source_row.node)?;
    let moved_on = plan.how == Transfer::Move && changed != staging.seen;
    if moved_on || source_row.node != staging.source {
        return Ok(None);
    }
    let mut act = begin(tx, plan)?;
    staging.must_fit(&act.bucket)?;
    let (to, created) = clear(&mut act, plan, (&from, source_row.node))?;
    let row = FolderRow {
        node: staging.root,
        created: act.tx.now(),
        locks: false,
        twin: false,
        ..source_row.clone()
    };
    if row.props {
        props::replace(act.tx, (bucket.id, source_row.node), (act.bucket.id, row.node))?;
    }
    tree::moved_folder_fits(&to, &row)?;
    tree::link_folder(act.tx, &act.bucket, &to, row.clone())?;
    work::finish(act.tx, work::Kind::Staging, &staging.work);
    // To this bucket's readers it is new either way; the other's journal tells that it left.
    let done = finish(act, EventKind::Copied, (&from, &to), &row, created)?;
    if plan.how == Transfer::Move {
        leave_bucket(tx, plan)?;
    }
    Ok(Some(done))
}

fn leave_bucket(tx: &mut Tx<'_>, plan: &Plan) -> Result<(), Error> {
    let mut act = Act::begin(tx, &plan.caller, &plan.from, Verb::Take)?;
    let (from, row) = source(act.tx, plan, &act.bucket)?;
    guard_source(&act, plan, &from, &row)?;
    locks::drop_below(&mut act, &from.chain, row.node)?;
    tree::unlink_folder(act.tx, from.at(&act.bucket), &from.name)?;
    let work = WorkRow { bucket: act.bucket.id, owner: act.bucket.owner, id: row.node.0, history: false };
    work::queue(act.tx, work::Kind::Subtree, &work);
    remove::after_leaving(&mut act, &from)?;
    let told =
        Told { kind: EventKind::Removed, node: row.node, path: format!("{}/", from.key()), from: None };
    act.finish(told, &[&from.chain])
}

/// Begins a transfer file by file: everything that can be refused for the folder as a whole is
/// refused here. Afterwards the destination is an explicit folder.
fn open_destination(tx: &mut Tx<'_>, plan: &Plan) -> Result<Outcome, Error> {
    let (from, row) = match plan.how {
        Transfer::Copy => {
            let bucket = allowed_at(tx, &plan.caller, &plan.from, Verb::Read)?;
            let (from, row) = source(tx, plan, &bucket)?;
            ((bucket.id, from), row)
        }
        Transfer::Move => {
            let act = Act::begin(tx, &plan.caller, &plan.from, Verb::Take)?;
            let (from, row) = source(act.tx, plan, &act.bucket)?;
            guard_source(&act, plan, &from, &row)?;
            ((act.bucket.id, from), row)
        }
    };
    let mut act = begin(tx, plan)?;
    let (place, hit) = open_place(&act, plan)?;
    refuse_overlap(&act, plan, (&from.1, row.node), &place, &hit)?;
    tree::moved_folder_fits(&place, &row)?;
    guard_destination(&act, plan, (&place, &hit))?;
    let (from, to) = ((from.0, from.1.key()), (act.bucket.id, place.key()));
    let clearing = matches!(hit, Hit::Folder(_));
    let id = begin_batch(act.tx, plan, Each { from, to, file: false, clearing })?;
    match &hit {
        Hit::Folder(row) => keep_destination(act, &place, row)?,
        Hit::File(_) | Hit::Nothing => {
            let marker = folders::explicit(&mut act, &place, None)?;
            let (node, path) = (marker.chain.last(), marker.key());
            act.finish(Told { kind: EventKind::Folder, node, path, from: None }, &[&marker.chain])?;
        }
    }
    if let Hit::File(row) = &hit {
        // A verb of its own, while the folder stands beside it: the one above is never empty.
        replace_file(begin(tx, plan)?, &place, row)?;
    }
    Ok(Outcome::Begun(id, matches!(hit, Hit::Nothing)))
}

fn replace_file(mut act: Act<'_, '_>, place: &Place, row: &names::FileRow) -> Result<(), Error> {
    locks::drop_all(&mut act, &place.chain, row.node)?;
    remove::take(&mut act, &mut place.clone(), row)?;
    let told = Told { kind: EventKind::Removed, node: row.node, path: place.key(), from: None };
    act.finish(told, &[&place.chain])
}

/// A folder that is replaced stays itself, without its properties: those of the source come with
/// its marker.
fn keep_destination(mut act: Act<'_, '_>, place: &Place, row: &FolderRow) -> Result<(), Error> {
    if row.props {
        rows_of_props::clear(act.tx, act.bucket.id, row.node)?;
        let row = FolderRow { props: false, ..row.clone() };
        names::put_folder(act.tx, Side::Live, place.at(&act.bucket), &place.name, &row);
    }
    let marker = folders::own_marker(&mut act, place, row.node)?;
    let told = Told { kind: EventKind::Folder, node: row.node, path: marker.key(), from: None };
    act.finish(told, &[&marker.chain])
}
