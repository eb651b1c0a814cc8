//! A copy of a folder that is made out of sight, in small transactions, until one commit gives it
//! its name. Until then only its queue row knows it; after a crash that row hands it to the job
//! that releases detached folders.

use super::{
    Error, Holdall,
    access::Verb,
    act::Act,
    buckets::allowed_at,
    history::{self, NewVersion},
    nouns::{Transfer, Versioning},
    props,
    transfer::{self, Plan},
    tree::{self, Hit, broken},
};
use crate::{
    model::ids::{BucketId, NodeId, Seq},
    store::{
        meta::{
            Kind as IdKind, Tx,
            rows::{Order, Rows},
        },
        rows::{
            bucket::BucketRow,
            tree::{self as names, Dent, FolderRow, Kind, NodeRow, Side},
            version::{self, Class},
            work::{self, WorkRow},
        },
    },
};

/// Names copied in one transaction; each is about six rows.
const BATCH: usize = 120;

/// Rows of properties, and bytes in them, that count for one more name.
const ROWS_PER_NAME: usize = 6;
const BYTES_PER_NAME: usize = 4096;

/// A staged copy.
#[derive(Clone, Debug)]
pub(super) struct Staging {
    /// The new folder.
    pub(super) root: NodeId,
    /// The folder it is a copy of.
    pub(super) source: NodeId,
    /// The last change below the source when staging began.
    pub(super) seen: Seq,
    /// What leads to it until it has a name.
    pub(super) work: WorkRow,
}

/// How far a folder was copied.
#[derive(Clone, Debug)]
struct Frame {
    from: NodeId,
    to: NodeId,
    after: Option<String>,
}

impl Staging {
    /// Refuses if the bucket it was made in is another one by now, or may not hold it any more.
    pub(super) fn must_fit(&self, bucket: &BucketRow) -> Result<(), Error> {
        fits(bucket, self.work.bucket)
    }

    /// Copies a folder, each file in one state.
    pub(super) async fn begin(holdall: &Holdall, plan: &Plan) -> Result<Self, Error> {
        let first = plan.clone();
        let staging = holdall.write(move |tx| open(tx, &first)).await?;
        let mut stack = vec![Frame { from: staging.source, to: staging.root, after: None }];
        while !stack.is_empty() {
            let (plan, made_in, taken) = (plan.clone(), staging.work.bucket, stack);
            let copy = || {
                let (plan, taken) = (plan.clone(), taken.clone());
                holdall.write(move |tx| batch(tx, &plan, made_in, taken.clone()))
            };
            let step = holdall.patiently(copy).await;
            match step {
                Ok(rest) => stack = rest,
                Err(error) => {
                    staging.discard(holdall).await?;
                    return Err(error);
                }
            }
        }
        Ok(staging)
    }

    /// Gives the copy up; a job releases it.
    pub(super) async fn discard(&self, holdall: &Holdall) -> Result<(), Error> {
        let work = self.work.clone();
        holdall
            .give_back(move |tx| {
                work::finish(tx, work::Kind::Staging, &work);
                work::queue(tx, work::Kind::Subtree, &work);
                Ok(())
            })
            .await?;
        holdall.jobs.wake();
        Ok(())
    }
}

fn fits(bucket: &BucketRow, made_in: BucketId) -> Result<(), Error> {
    if bucket.id != made_in {
        return Err(Error::Conflict(format!("bucket {} was made anew meanwhile", bucket.name)));
    }
    if bucket.versioning != Versioning::Never {
        return Err(Error::Conflict("versioning was enabled meanwhile".into()));
    }
    Ok(())
}

fn open(tx: &mut Tx<'_>, plan: &Plan) -> Result<Staging, Error> {
    let from = allowed_at(tx, &plan.caller, &plan.from, Verb::Read)?;
    let to = allowed_at(tx, &plan.caller, &plan.to, Verb::Write)?;
    fits(&to, to.id)?;
    let mut place =
        tree::place(tx, &from, &plan.from.spot)?.ok_or_else(|| super::transfer::vanished(plan))?;
    let Hit::Folder(row) = tree::find(tx, &from, &mut place)? else {
        return Err(super::transfer::vanished(plan));
    };
    let root = NodeId(tx.fresh(IdKind::Node)?);
    let work = WorkRow { bucket: to.id, owner: to.owner, id: root.0, history: false };
    work::queue(tx, work::Kind::Staging, &work);
    let seen = names::ctag(tx, from.id, row.node)?;
    Ok(Staging { root, source: row.node, seen, work })
}

/// Copies the next names; returns where to go on.
fn batch(
    tx: &mut Tx<'_>,
    plan: &Plan,
    made_in: BucketId,
    mut stack: Vec<Frame>,
) -> Result<Vec<Frame>, Error> {
    let from = allowed_at(tx, &plan.caller, &plan.from, Verb::Read)?;
    let mut act = transfer::begin(tx, plan)?;
    if plan.how == Transfer::Move && from.owner == act.bucket.owner {
        // The source goes in the commit that gives the copy its name.
        act.frees(u64::MAX);
    }
    fits(&act.bucket, made_in)?;
    let mut left = BATCH;
    while left > 0 {
        let Some(frame) = stack.last_mut() else { break };
        let all = names::members(from.id, frame.from);
        let range = match &frame.after {
            Some(after) => all.after(names::dent_key(from.id, frame.from, after)),
            None => all,
        };
        let found = act.tx.scan(Side::Live.table(), &range, Order::Forward, left)?;
        let (mut ended, mut met) = (found.len() < left, found.len());
        let mut below = None;
        for row in &found {
            let (sortname, dent) = names::read_dent(row)?;
            met -= 1;
            let props = match dent {
                Dent::File(row) => copy_file(&mut act, &from, frame.to, &sortname, &row)?,
                Dent::Folder(row) => {
                    let (frame, props) = copy_folder(&mut act, &from, frame.to, &sortname, row)?;
                    below = Some(frame);
                    props
                }
            };
            left = left.saturating_sub(1 + props);
            frame.after = Some(sortname);
            if below.is_some() || left == 0 {
                ended &= met == 0;
                break;
            }
        }
        match below {
            Some(frame) => stack.push(frame),
            None if ended => {
                if let Some(done) = stack.pop() {
                    raise_bounds(&mut act, from.id, &done)?;
                }
            }
            None => {}
        }
    }
    act.finish_quietly()?;
    Ok(stack)
}

/// A folder that grew while it was copied is copied with the bounds it has by now.
fn raise_bounds(act: &mut Act<'_, '_>, from: BucketId, done: &Frame) -> Result<(), Error> {
    let row = |tx: &Tx<'_>, bucket: BucketId, node: NodeId| -> Result<_, Error> {
        let Some(NodeRow { parent: Some(parent), name, .. }) = names::node(tx, node)? else {
            return Ok(None);
        };
        let at = (bucket, parent);
        Ok(names::folder(tx, Side::Live, at, &name)?.map(|row| (at, name, row)))
    };
    let source = row(act.tx, from, done.from)?;
    if let (Some((_, _, now)), Some((at, name, mut copy))) = (source, row(act.tx, act.bucket.id, done.to)?)
        && (now.longest > copy.longest || now.height > copy.height)
    {
        copy.longest = copy.longest.max(now.longest);
        copy.height = copy.height.max(now.height);
        names::put_folder(act.tx, Side::Live, at, &name, &copy);
    }
    Ok(())
}

fn copy_file(
    act: &mut Act<'_, '_>,
    from: &BucketRow,
    to: NodeId,
    name: &str,
    row: &names::FileRow,
) -> Result<usize, Error> {
    let old = version::version(act.tx, (from.id, row.history), Class::S3, row.latest.seq)?
        .ok_or_else(|| broken("a name's newest version is gone"))?;
    let new = NewVersion::copy_of(act, &old)?;
    let made = history::write_unlinked(act, to, name, new)?;
    if !row.props {
        return Ok(0);
    }
    let cost = copy_props(act, (from.id, row.node), made.node)?;
    let made = names::FileRow { props: true, ..made };
    names::put_file(act.tx, Side::Live, (act.bucket.id, to), name, &made);
    Ok(cost)
}

/// Copies the properties of a node; answers what share of a batch they are.
fn copy_props(act: &mut Act<'_, '_>, from: (BucketId, NodeId), to: NodeId) -> Result<usize, Error> {
    let (count, bytes) = props::replace(act.tx, from, (act.bucket.id, to))?;
    Ok(count.div_ceil(ROWS_PER_NAME) + bytes / BYTES_PER_NAME)
}

fn copy_folder(
    act: &mut Act<'_, '_>,
    source: &BucketRow,
    to: NodeId,
    sortname: &str,
    row: FolderRow,
) -> Result<(Frame, usize), Error> {
    let name = sortname.strip_suffix('/').unwrap_or(sortname);
    let node = NodeId(act.tx.fresh(IdKind::Node)?);
    let bucket: BucketId = act.bucket.id;
    let place = NodeRow { bucket, parent: Some(to), name: name.to_owned(), kind: Kind::Folder };
    names::put_node(act.tx, node, &place);
    names::put_alias(act.tx, (bucket, to), name, sortname);
    // The source may have gained or lost a twin since its file was copied: the copy decides.
    let beside = names::file(act.tx, Side::Live, (bucket, to), name)?.filter(|_| !name.is_empty());
    let twin = beside.is_some();
    if let Some(file) = beside {
        names::put_file(act.tx, Side::Live, (bucket, to), name, &names::FileRow { twin, ..file });
    }
    let copy = FolderRow { node, created: act.tx.now(), locks: false, twin, ..row.clone() };
    names::put_folder(act.tx, Side::Live, (bucket, to), name, &copy);
    let cost = if row.props { copy_props(act, (source.id, row.node), node)? } else { 0 };
    Ok((Frame { from: row.node, to: node, after: None }, cost))
}
