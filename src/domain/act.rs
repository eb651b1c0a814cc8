//! One verb's hold on one bucket inside a transaction: who acts, on what, at which place of the
//! journal, and what it does to the usage.
//!
//! [`Act::finish`] is the only way to make it count: it checks the quota, writes the one journal
//! row and touches the folders above.

use std::sync::Arc;

use super::{
    Error,
    access::Verb,
    buckets::allowed_at,
    caller::Caller,
    error::Many,
    quota::{self, Charge, Claim},
    tree::Chain,
};
use crate::{
    model::{
        address::Address,
        ids::{NodeId, Seq, VersionId},
        limits,
    },
    store::{
        faults::Fault,
        meta::{Tx, rows::Rows as _},
        rows::{
            bucket::BucketRow,
            journal::{self, ChangeRow, EventKind},
            usage::{self, UsageRow},
        },
    },
};

/// Rows that must be left for what a verb is a part of.
const LAST_ROWS: usize = 4;

/// A verb at work in a bucket.
pub(crate) struct Act<'t, 'g> {
    /// The transaction.
    pub(crate) tx: &'t mut Tx<'g>,
    /// The bucket, as it is.
    pub(crate) bucket: BucketRow,
    /// Who acts.
    pub(crate) caller: Caller,
    /// The place in the journal that this verb takes.
    pub(crate) seq: Seq,
    /// The bucket's usage, as the verb leaves it.
    pub(crate) usage: UsageRow,
    /// Folders that went with their last member; nothing is noted for them.
    pub(crate) gone: Vec<NodeId>,
    before: UsageRow,
    /// What the verb claimed of the quota, or where to look what others did.
    claim: Option<Arc<Claim>>,
    freed: u64,
}

/// What the journal says of a verb.
#[derive(Debug)]
pub(crate) struct Told {
    /// What happened.
    pub(crate) kind: EventKind,
    /// To which node.
    pub(crate) node: NodeId,
    /// Its key afterwards.
    pub(crate) path: String,
    /// The key it came from.
    pub(crate) from: Option<String>,
}

impl<'t, 'g> Act<'t, 'g> {
    /// Finds the bucket and asks whether the caller may.
    pub(crate) fn begin(
        tx: &'t mut Tx<'g>,
        caller: &Caller,
        at: &Address,
        verb: Verb,
    ) -> Result<Self, Error> {
        let bucket = allowed_at(tx, caller, at, verb)?;
        let before = usage::of_bucket(tx, bucket.owner, bucket.id)?;
        let seq = tx.next_seq(bucket.id)?;
        Ok(Self {
            tx,
            bucket,
            caller: caller.clone(),
            seq,
            usage: before.clone(),
            gone: Vec::new(),
            before,
            claim: None,
            freed: 0,
        })
    }

    /// Holds the quota beside what others claim, and settles this claim.
    pub(crate) fn under(&mut self, claim: Option<Arc<Claim>>) {
        self.claim = claim;
    }

    /// So many bytes will be freed for it in another bucket of the same owner.
    pub(crate) fn frees(&mut self, bytes: u64) {
        self.freed = bytes;
    }

    /// The id of the version this verb makes.
    pub(crate) fn version_id(&self) -> VersionId {
        VersionId { incarnation: self.tx.incarnation(), seq: self.seq }
    }

    /// Ends the verb: quota, usage, journal, and the folders of each chain touched.
    pub(crate) fn finish(mut self, told: Told, chains: &[&Chain]) -> Result<(), Error> {
        self.charge()?;
        self.tell(told, chains)
    }

    fn charge(&mut self) -> Result<(), Error> {
        if !self.tx.faults().has(Fault::UsageNotKept) {
            usage::set(self.tx, self.bucket.owner, self.bucket.id, &self.usage);
        }
        let (before, after) = (self.before.charged(), self.usage.charged());
        let charge = Charge { before, after, freed: self.freed };
        let claimed = self.claim.as_ref().map(|claim| claim.others(&self.bucket)).unwrap_or_default();
        quota::hold(self.tx, &self.bucket, charge, claimed)?;
        if let Some(claim) = &self.claim {
            claim.settle();
        }
        Ok(())
    }

    fn tell(self, told: Told, chains: &[&Chain]) -> Result<(), Error> {
        let row = ChangeRow {
            at: self.tx.now(),
            by: self.caller.account(),
            kind: told.kind,
            node: told.node,
            path: told.path,
            from: told.from,
        };
        if !self.tx.faults().has(Fault::JournalRowLost) {
            journal::append(self.tx, self.bucket.id, self.seq, &row);
        }
        for folder in chains.iter().flat_map(|chain| chain.ids()) {
            if !self.gone.contains(&folder) {
                self.tx.touch(self.bucket.id, folder, self.seq);
            }
        }
        // Locks and properties on a very long path can be more than a transaction holds.
        if self.tx.room() < LAST_ROWS {
            return Err(Error::TooMany { what: Many::Rows, limit: limits::TX_ROWS as u64 });
        }
        Ok(())
    }

    /// Ends a verb that changes nothing a reader can see: usage, and no journal row.
    pub(crate) fn finish_quietly(mut self) -> Result<(), Error> {
        self.charge()
    }
}
