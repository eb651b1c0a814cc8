//! Folder DELETE, MOVE and COPY where history belongs to the key: one verb per file.
//!
//! Not atomic: readers see files come and go one after the other. The first commit checks what
//! can be checked for the folder as a whole and writes a [`BatchRow`] with everything that a
//! restart needs; each further one does some files and moves the row's cursor on; the last one
//! removes the row. The request drives its batch and answers at the end. If it goes away, or the
//! server does, the runner in [`drive`] finishes the batch.
//!
//! Every file's verb decides as of then: access, locks and quota. A file that is refused stays as
//! it is and is reported; nothing is tried twice. A folder that is to be copied or moved onto
//! another is first cleared of what the source does not have, so that no key is without a file
//! for longer than its own verb takes.
//!
//! It goes on for the account: that must be there, not disabled, and still be allowed. The
//! credential it was asked with is not looked at again; taking that back stops new requests, not
//! a batch that was begun.
//!
//! Two batches never work on one folder, or one below the other: the second is refused with a
//! conflict until the first has ended. Single files can be written meanwhile; what is added
//! behind the cursor takes part.

mod drive;
mod step;

pub(crate) use drive::{Drivers, Driving, run};

use super::{
    Error,
    access::own_account,
    caller::{Caller, Person},
    tree::broken,
};
use crate::{
    model::{
        ids::{AccountId, BucketId},
        limits,
        time::Timestamp,
    },
    store::{
        meta::{Kind as IdKind, Tx},
        rows::{
            batch::{self, BatchId, BatchKind, BatchRow},
            bucket,
        },
    },
};

/// What a batch is to do.
#[derive(Clone, Debug)]
pub(super) struct NewBatch<'a> {
    /// What happens to each file.
    pub(super) kind: BatchKind,
    /// The folder, or the one file: bucket, and key without a slash at the end.
    pub(super) from: (BucketId, String),
    /// Where it goes.
    pub(super) to: Option<(BucketId, String)>,
    /// It is about one file.
    pub(super) file: bool,
    /// A folder stands at the destination.
    pub(super) clearing: bool,
    /// The client's time for the one file.
    pub(super) modified: Option<Timestamp>,
    /// Lock tokens submitted.
    pub(super) tokens: &'a [String],
}

/// Writes the row of a batch, if none is at work on any of its folders.
pub(super) fn begin(tx: &mut Tx<'_>, caller: &Caller, new: NewBatch<'_>) -> Result<BatchId, Error> {
    let account = own_account(caller)?;
    let only = match caller {
        Caller::Person(Person { scope, .. }) => scope.buckets.clone(),
        Caller::Anonymous | Caller::Operator => Vec::new(),
    };
    let row = BatchRow {
        kind: new.kind,
        account,
        only,
        tokens: new.tokens.to_vec(),
        began: tx.now(),
        from: new.from,
        to: new.to,
        file: new.file,
        modified: new.modified,
        clearing: new.clearing,
        after: None,
        refused: 0,
    };
    admit(tx, account, &row)?;
    let id = BatchId { bucket: row.writes_to(), number: tx.fresh(IdKind::Batch)? };
    batch::set(tx, id, &row);
    Ok(id)
}

/// Refuses a batch that would meet another, or is one too many.
fn admit(tx: &Tx<'_>, account: AccountId, new: &BatchRow) -> Result<(), Error> {
    let running = batch::all(tx, None, limits::BATCHES)?;
    let rows = || running.iter().filter_map(|(_, row)| row.as_ref());
    if let Some((bucket, path, _)) = rows().flat_map(|row| meeting(row, new)).next() {
        let name = bucket::by_id(tx, bucket)?.ok_or_else(|| broken("a batch's bucket is gone"))?.name;
        return Err(Error::Conflict(format!(
            "{name}/{path} is being removed, copied or moved file by file; try again when that has ended"
        )));
    }
    let own = rows().filter(|row| row.account == account).count();
    if own >= limits::BATCHES_PER_ACCOUNT || running.len() >= limits::BATCHES {
        return Err(Error::Busy("too many folders go file by file at the moment".into()));
    }
    Ok(())
}

/// A folder that a batch works on, and whether it changes it.
type Tree<'a> = (BucketId, &'a str, bool);

fn trees(row: &BatchRow) -> impl Iterator<Item = Tree<'_>> {
    let from = (row.from.0, row.from.1.as_str(), row.kind != BatchKind::Copy);
    std::iter::once(from).chain(row.to.as_ref().map(|(bucket, path)| (*bucket, path.as_str(), true)))
}

/// The folders of one batch that another must not work on beside it.
fn meeting<'a>(one: &'a BatchRow, other: &'a BatchRow) -> impl Iterator<Item = Tree<'a>> {
    trees(one).filter(|(bucket, path, changes)| {
        trees(other).any(|(there, beside, also)| {
            *bucket == there && (*changes || also) && (within(path, beside) || within(beside, path))
        })
    })
}

fn within(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
