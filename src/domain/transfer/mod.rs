//! COPY and MOVE.
//!
//! A file is one transaction: a copy references the same bytes, a move takes its node along. A
//! folder's move within a never-versioned bucket is one row; its copy is staged out of sight and
//! appears in one commit. In a bucket that was ever versioned a folder goes file by file, and
//! so does one that makes way for something else ([`super::batch`]).

mod file;
mod folder;

use std::sync::Arc;

use super::{
    Error, Holdall,
    access::Verb,
    act::Act,
    batch::{self, Driving, NewBatch},
    caller::Caller,
    conditions::demand,
    error::What,
    nouns::{Item, Transfer, TransferOptions, Transferred},
    quota::Claims,
    read,
    tree::{self, Hit},
};
use crate::{
    model::{
        address::{Address, Spot},
        ids::{BucketId, NodeId},
    },
    store::{
        faults::Fault,
        meta::{Tx, rows::Rows},
        rows::batch::{BatchId, BatchKind},
    },
};

/// One transfer, as every step of it needs it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) caller: Caller,
    pub(super) how: Transfer,
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) options: TransferOptions,
    /// Where other writes claim of a quota; a batch that goes on alone leaves them nothing.
    pub(super) claims: Option<Arc<Claims>>,
}

/// How a transfer went on from its first transaction.
pub(super) enum Outcome {
    Done(Box<Transferred>),
    /// File by file; whether something new came to be at the destination.
    Begun(BatchId, bool),
}

impl Holdall {
    /// Copies or moves what stands at `from` to `to`. What stands at `to` is replaced as a whole if
    /// `overwrite` is set; nobody ever sees it missing or mixed, but where a bucket was ever
    /// versioned and either is a folder: that goes file by file.
    ///
    /// # Errors
    /// Not found; exists (as a failed precondition) without `overwrite`; a conflict if either
    /// place lies within the other or the folder above `to` is missing; a source that is too large or
    /// lacks the checksum asked for; conditions, locks, quota,
    /// or the caller may not; Partly, if single files of a folder were refused.
    pub async fn transfer(
        &self,
        caller: &Caller,
        how: Transfer,
        from: &Address,
        to: &Address,
        options: TransferOptions,
    ) -> Result<Transferred, Error> {
        let (from, to, claims) = (from.clone(), to.clone(), Some(Arc::clone(&self.claims)));
        let plan = Plan { caller: caller.clone(), how, from, to, options, claims };
        refuse_nesting(&plan)?;
        let look = plan.clone();
        let source = self.read(move |rows| source(rows, &look)).await?;
        if self.store.faults().has(Fault::DeletedThenWritten) && plan.options.overwrite {
            let _ = self.remove(caller, &plan.to, Default::default()).await;
        }
        let done = match source {
            Item::File(_) => self.begun(plan, file::transfer).await,
            Item::Folder(_) => self.transfer_folder(plan).await,
        };
        self.jobs.wake();
        done
    }

    /// Runs the first transaction of a transfer that may go on file by file, and drives it then.
    async fn begun(
        &self,
        plan: Plan,
        first: fn(&mut Tx<'_>, &Plan) -> Result<Outcome, Error>,
    ) -> Result<Transferred, Error> {
        let driving = Driving::new(&self.batches);
        let attempt = || {
            let (request, at) = (Arc::downgrade(&driving), plan.clone());
            self.write(move |tx| {
                let outcome = first(tx, &at)?;
                if let Outcome::Begun(id, _) = &outcome {
                    Driving::hold(&request, *id);
                }
                Ok(outcome)
            })
        };
        let (id, created) = match self.patiently(attempt).await? {
            Outcome::Done(done) => return Ok(*done),
            Outcome::Begun(id, created) => (id, created),
        };
        self.drive(driving, id, &self.stop).await?;
        let item = self.stat(&plan.caller, &plan.to, None).await?;
        Ok(Transferred { item, created, source: None })
    }
}

/// One file, as a part of a batch: both places are literal keys.
pub(super) fn one_file(tx: &mut Tx<'_>, plan: &Plan) -> Result<(), Error> {
    match file::transfer(tx, plan)? {
        Outcome::Done(_) => Ok(()),
        Outcome::Begun(..) => Err(tree::broken("a key leads to a folder")),
    }
}

/// What a batch of a transfer is about.
struct Each {
    /// Bucket and key of the source, and of the destination.
    from: (BucketId, String),
    to: (BucketId, String),
    /// The source is one file.
    file: bool,
    /// A folder stands at the destination.
    clearing: bool,
}

/// Begins the batch of a transfer.
fn begin_batch(tx: &mut Tx<'_>, plan: &Plan, each: Each) -> Result<BatchId, Error> {
    let kind = match plan.how {
        Transfer::Copy => BatchKind::Copy,
        Transfer::Move => BatchKind::Move,
    };
    let Each { from, to, file, clearing } = each;
    let modified = plan.options.modified.filter(|_| file);
    let new = NewBatch { kind, from, to: Some(to), file, clearing, modified, tokens: &plan.options.tokens };
    batch::begin(tx, &plan.caller, new)
}

fn source(rows: &dyn Rows, plan: &Plan) -> Result<Item, Error> {
    if let Spot::Path(path) = &plan.from.spot
        && path.is_root()
    {
        return Err(Error::Denied("a bucket cannot be copied or moved".into()));
    }
    Ok(read::look(rows, &plan.caller, &plan.from, plan.options.version)?.0)
}

/// Refuses, before anything is looked at, what no order of steps could do.
fn refuse_nesting(plan: &Plan) -> Result<(), Error> {
    let (Spot::Path(from), Spot::Path(to)) = (&plan.from.spot, &plan.to.spot) else { return Ok(()) };
    if plan.from.bucket != plan.to.bucket {
        return Ok(());
    }
    if from.segments() == to.segments() {
        return Err(Error::Denied(format!("{} is source and destination at once", plan.from)));
    }
    if to.contains(from) {
        return Err(Error::Conflict(format!("{} lies within {}", plan.from, plan.to)));
    }
    Ok(())
}

/// Refuses what [`refuse_nesting`] could not see: two forms of one name lead to one folder.
pub(super) fn refuse_overlap(
    act: &Act<'_, '_>,
    plan: &Plan,
    (from, node): (&tree::Place, NodeId),
    to: &tree::Place,
    hit: &Hit,
) -> Result<(), Error> {
    let replaced = match hit {
        Hit::Folder(row) => Some(row.node),
        Hit::File(_) | Hit::Nothing => None,
    };
    if act.tx.faults().has(Fault::MovedIntoItself) {
        return Ok(());
    }
    if replaced == Some(node) {
        return Err(Error::Denied(format!("{} is source and destination at once", plan.from)));
    }
    if to.chain.ids().any(|folder| folder == node) {
        return Err(Error::Conflict(format!("{} lies within {}", plan.to, plan.from)));
    }
    if from.chain.ids().any(|folder| replaced == Some(folder)) {
        return Err(Error::Conflict(format!("{} lies within {}", plan.from, plan.to)));
    }
    Ok(())
}

/// The place of a destination and what stands there, after its conditions; the folders above
/// must be there for tree doors.
pub(super) fn destination(act: &Act<'_, '_>, plan: &Plan) -> Result<(tree::Place, Hit), Error> {
    let at = &plan.to;
    let mut place = tree::place(act.tx, &act.bucket, &at.spot)?
        .ok_or_else(|| Error::Denied("a bucket cannot be replaced".into()))?;
    let hit = tree::find(act.tx, &act.bucket, &mut place)?;
    if place.tree && !place.missing.is_empty() {
        return Err(Error::Conflict(format!("the folder of {at} does not exist")));
    }
    if !plan.options.overwrite && !matches!(hit, Hit::Nothing) {
        return Err(Error::PreconditionFailed(at.to_string()));
    }
    let file = match &hit {
        Hit::File(row) => Some(row),
        Hit::Nothing | Hit::Folder(_) => None,
    };
    demand(&plan.options.conditions, file, at)?;
    Ok((place, hit))
}

/// Begins the part of a transfer that writes to the destination.
pub(super) fn begin<'t, 'g>(tx: &'t mut Tx<'g>, plan: &Plan) -> Result<Act<'t, 'g>, Error> {
    let mut act = Act::begin(tx, &plan.caller, &plan.to, Verb::Write)?;
    let claim = plan.claims.as_ref().map(|claims| claims.begin(&act.bucket));
    act.under(claim);
    Ok(act)
}

pub(super) fn vanished(plan: &Plan) -> Error {
    Error::NotFound(What::Item, plan.from.to_string())
}
