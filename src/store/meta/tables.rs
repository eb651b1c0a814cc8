//! What an engine does for the metadata: keeps tables, gives out committed states, takes changes.
//! [`Engine`](super::engine::Engine) stands above it and knows when a store may still
//! acknowledge; an engine knows only how rows are kept.

use super::{
    blocks::{Extension, Kind},
    overlay::{Changes, RowIter},
    rows::{KeyRange, Order},
    table::Table,
};
use crate::store::error::StoreError;

/// How much room there is ahead of what is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ahead {
    /// Enough for any group.
    Plenty,
    /// Enough for a small group, and no more can be had: only verbs that give room back.
    Tight,
}

/// The tables of a store, as one engine keeps them.
pub(super) trait Tables: Send + Sync {
    /// The last committed state.
    fn read(&self) -> Result<Box<dyn State>, StoreError>;

    /// Takes the room that the next commit may need. `Full` leaves everything as it was.
    fn ensure_room(&self, ahead: Ahead) -> Result<(), StoreError>;

    /// Makes changes durable in one, and lengthens the blocks of some kinds. After an error it is
    /// unknown whether they are.
    fn write(&self, changes: &Changes, due: &[Kind]) -> Result<Vec<Extension>, StoreError>;

    /// Makes the tables that are missing: an empty one changes nothing for a build that does not
    /// know it, so it needs no version of its own.
    fn complete(&self) -> Result<(), StoreError>;

    /// Closes; until it is opened again everything else answers errors.
    fn close(&self);

    /// Opens again what was closed.
    fn reopen(&self) -> Result<(), StoreError>;

    /// Bytes it takes on the disk.
    fn bytes(&self) -> u64;
}

/// Rows that were held against their sums.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summed {
    /// Those that are not what was written.
    pub damaged: u64,
    /// Bytes of all.
    pub bytes: u64,
    /// The key of the last; none if the table has ended.
    pub last: Option<Vec<u8>>,
}

/// A row as it is met by whoever goes past damaged ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Met<'a> {
    /// Its key; of one that is not what was written it may be another.
    pub key: &'a [u8],
    /// Its value; none if it is not what was written.
    pub value: Option<Vec<u8>>,
    /// Bytes of it in the file.
    pub bytes: u64,
}

/// One committed state, unaffected by later commits.
pub(super) trait State: Send + Sync {
    /// A row.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The rows of a stretch that has room for keys, read as the caller takes them.
    fn iter(&self, table: Table, range: &KeyRange, order: Order) -> Result<RowIter<'_>, StoreError>;

    /// Meets the rows of a stretch that has room for keys, damaged ones too, until `meet` has had
    /// enough and says false.
    fn meet(
        &self,
        table: Table,
        range: &KeyRange,
        order: Order,
        meet: &mut dyn FnMut(Met<'_>) -> bool,
    ) -> Result<(), StoreError>;
}
