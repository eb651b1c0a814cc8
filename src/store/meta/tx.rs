//! The transaction a verb runs in: the last commit, the group's changes over it, its own on top.
//! It commits nothing itself.

use super::{
    blocks::Kind,
    codec::{Field, Reader, expect_end},
    engine::Engine,
    key::{self, Key},
    overlay::Changes,
    rows::{KeyRange, Order, Rows, RowsMut, Scanned},
    snapshot::Snapshot,
    table::Table,
};
use crate::{
    model::{
        ids::{BucketId, NodeId, Seq},
        limits,
        time::Timestamp,
    },
    store::{error::StoreError, faults::Faults},
};

/// What all verbs of one group share.
pub(super) struct Ground<'a> {
    pub(super) engine: &'a Engine,
    pub(super) snapshot: &'a Snapshot,
    pub(super) now: Timestamp,
    pub(super) incarnation: u32,
}

/// A verb's transaction. It sees every verb before it in its group and everything committed;
/// what it changes counts only if the verb returns `Ok`.
pub struct Tx<'a> {
    ground: &'a Ground<'a>,
    group: &'a Changes,
    own: Changes,
    gives_back: bool,
    read_before: u64,
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("own", &self.own).finish_non_exhaustive()
    }
}

impl<'a> Tx<'a> {
    pub(super) fn new(ground: &'a Ground<'a>, group: &'a Changes) -> Self {
        Self {
            ground,
            group,
            own: Changes::default(),
            gives_back: false,
            read_before: ground.snapshot.rows_read(),
        }
    }

    /// What this verb does gives room back, or leads to it: it is done while there is hardly any
    /// left, when others are refused.
    pub fn give_back(&mut self) {
        self.gives_back = true;
    }

    pub(super) fn gives_back(&self) -> bool {
        self.gives_back
    }

    pub(super) fn into_changes(self) -> Changes {
        self.own
    }

    /// How many more rows this verb may change.
    #[must_use]
    pub fn room(&self) -> usize {
        limits::TX_ROWS.saturating_sub(self.own.rows())
    }

    /// A verb that changes more rows than one may is a fault of ours: it should work in batches.
    /// It fails alone; the others of its group are not harmed.
    pub(super) fn assert_bounded(&self) {
        let rows = self.own.rows();
        debug_assert!(rows <= limits::TX_ROWS, "a verb changed {rows} rows in one transaction");
    }

    /// Runs a verb inside this one. If it is refused, what it changed is as it was before.
    ///
    /// # Errors
    /// The verb's.
    pub fn attempt<T, E>(&mut self, verb: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let before = self.own.clone();
        let done = verb(self);
        if done.is_err() {
            self.own = before;
        }
        done
    }

    /// The time of the whole group.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.ground.now
    }

    /// The incarnation of the store, for version ids.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.ground.incarnation
    }

    /// The next id of a kind. It is used up even if the verb is refused.
    ///
    /// # Errors
    /// If the block was used up and could not be made longer.
    pub fn fresh(&self, kind: Kind) -> Result<u64, StoreError> {
        self.ground.engine.fresh(kind)
    }

    /// Notes a change below a folder: its ctag row gets `seq`. Nothing committed is read for it;
    /// within a group the highest seq of a folder is the one written.
    pub fn touch(&mut self, bucket: BucketId, folder: NodeId, seq: Seq) {
        let key = ctag_key(bucket, folder);
        let changed = |changes: &Changes| {
            let row = changes.get(Table::Ctag, &key).flatten()?;
            Seq::read(&mut Reader::new(row)).ok()
        };
        if changed(&self.own).or_else(|| changed(self.group)).is_some_and(|held| held >= seq) {
            return;
        }
        let mut row = Vec::new();
        seq.write(&mut row);
        self.put(Table::Ctag, key, row);
    }

    /// The place of the next row in a bucket's journal: behind the newest one, which is never
    /// removed while its bucket lives. The first is 1.
    ///
    /// # Errors
    /// If the journal could not be read.
    pub fn next_seq(&self, bucket: BucketId) -> Result<Seq, StoreError> {
        let prefix = Key::new().number(bucket.0).done();
        let newest = self.scan(Table::Journal, &KeyRange::prefix(prefix), Order::Reverse, 1)?;
        let Some((key, _)) = newest.first() else { return Ok(Seq(1)) };
        let mut from = Reader::new(key);
        key::number(&mut from)?;
        let last = Seq(key::number(&mut from)?);
        expect_end(&from)?;
        Ok(last.next())
    }

    /// How many rows this verb read from the database so far.
    #[must_use]
    pub fn rows_read(&self) -> u64 {
        self.ground.snapshot.rows_read() - self.read_before
    }
}

/// The key of a folder's row in [`Table::Ctag`]. Its value is the seq as a field.
#[must_use]
pub fn ctag_key(bucket: BucketId, folder: NodeId) -> Vec<u8> {
    Key::new().number(bucket.0).number(folder.0).done()
}

impl Rows for Tx<'_> {
    fn faults(&self) -> Faults {
        self.ground.engine.faults()
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.own.get(table, key).or_else(|| self.group.get(table, key)) {
            Some(changed) => Ok(changed.map(<[u8]>::to_vec)),
            None => self.ground.snapshot.get(table, key),
        }
    }

    fn scan(&self, table: Table, range: &KeyRange, order: Order, limit: usize) -> Scanned {
        let committed = self.ground.snapshot.iter(table, range, order)?;
        let grouped = self.group.over(committed, table, range, order);
        self.own.over(grouped, table, range, order).take(limit).collect()
    }
}

impl RowsMut for Tx<'_> {
    fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.own.set(table, key, Some(value));
    }

    fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.own.set(table, key, None);
    }
}
