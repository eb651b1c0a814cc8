//! Ids from blocks: the end of a block is durable before its first number is given out, so no
//! number is ever given out twice, whatever a crash forgets.

use std::collections::BTreeMap;

use super::{
    codec::{Field, Reader, expect_end},
    health::lock,
    rows::Rows,
    table::Table,
};
use crate::store::{error::StoreError, sync::Mutex};

/// Numbers in a block.
const BLOCK: u64 = 64 << 10;

/// A block is lengthened with the next commit once fewer numbers than this are left.
const LOW: u64 = BLOCK / 2;

/// What an id is for. Each kind counts for itself, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "each is the id type of the same name")]
pub enum Kind {
    Account = 1,
    Bucket = 2,
    Node = 3,
    History = 4,
    Manifest = 5,
    Chunk = 6,
    Segment = 7,
    Upload = 8,
    Batch = 9,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Account,
        Self::Bucket,
        Self::Node,
        Self::History,
        Self::Manifest,
        Self::Chunk,
        Self::Segment,
        Self::Upload,
        Self::Batch,
    ];

    /// Its key in [`Table::Blocks`].
    pub(super) fn key(self) -> [u8; 1] {
        [self as u8]
    }
}

/// A block made longer: numbers from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extension {
    kind: Kind,
    start: u64,
    end: u64,
}

impl Extension {
    /// The extension that follows on a row of [`Table::Blocks`].
    pub(super) fn of(kind: Kind, row: Option<&[u8]>) -> Result<Self, StoreError> {
        let start = row.map_or(Ok(1), read_end)?;
        let end = start.checked_add(BLOCK).ok_or_else(|| StoreError::Damaged("ids ran out".into()))?;
        Ok(Self { kind, start, end })
    }

    /// The row to write.
    pub(super) fn row(&self) -> Vec<u8> {
        let mut row = Vec::new();
        self.end.write(&mut row);
        row
    }
}

fn read_end(row: &[u8]) -> Result<u64, StoreError> {
    let mut from = Reader::new(row);
    let end = u64::read(&mut from)?;
    expect_end(&from)?;
    Ok(end)
}

/// Numbers left out where a store goes on from an earlier state: those that were given out after
/// it, and that somebody may remember.
const LEFT_OUT: u64 = 1 << 20;

/// The row of a kind in the store's next life; `seen` are numbers its ids must be above.
pub(super) fn renewed(key: &[u8], row: &[u8], seen: &[(Kind, u64)]) -> Result<Vec<u8>, StoreError> {
    let above = seen.iter().filter(|(kind, _)| kind.key() == key).map(|(_, number)| *number).max();
    let end = read_end(row)?.max(above.map_or(0, |number| number.saturating_add(1)));
    let end = end.checked_add(LEFT_OUT).ok_or_else(|| StoreError::Damaged("ids ran out".into()))?;
    let mut row = Vec::new();
    end.write(&mut row);
    Ok(row)
}

#[derive(Clone, Copy, Debug)]
struct Block {
    next: u64,
    end: u64,
}

/// The numbers that may be given out.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    held: Mutex<BTreeMap<Kind, Block>>,
    extending: Mutex<()>,
}

impl Blocks {
    /// The next number; when the block is used up, `extend` must make it longer first.
    pub(super) fn take(
        &self,
        kind: Kind,
        extend: impl Fn() -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        if let Some(number) = self.next(kind) {
            return Ok(number);
        }
        let _extending = lock(&self.extending);
        if let Some(number) = self.next(kind) {
            return Ok(number);
        }
        let before = self.end(kind);
        extend()?;
        self.next(kind).ok_or_else(|| {
            if self.end(kind) == before {
                return StoreError::Damaged("the end of an id block is not what was written".into());
            }
            StoreError::Busy("ids are used faster than they are made".into())
        })
    }

    fn end(&self, kind: Kind) -> Option<u64> {
        lock(&self.held).get(&kind).map(|block| block.end)
    }

    fn next(&self, kind: Kind) -> Option<u64> {
        let mut held = lock(&self.held);
        let block = held.get_mut(&kind).filter(|block| block.next < block.end)?;
        let number = block.next;
        block.next += 1;
        Some(number)
    }

    /// The kinds that run low.
    pub(super) fn due(&self) -> Vec<Kind> {
        let held = lock(&self.held);
        held.iter().filter(|(_, block)| block.end - block.next < LOW).map(|(kind, _)| *kind).collect()
    }

    /// Takes over extensions that are durable.
    pub(super) fn extend(&self, extensions: &[Extension]) {
        let mut held = lock(&self.held);
        for extension in extensions {
            let block =
                held.entry(extension.kind).or_insert(Block { next: extension.start, end: extension.end });
            block.end = block.end.max(extension.end);
        }
    }

    /// Makes sure that no number was given out whose block is not durable.
    pub(super) fn verify(&self, rows: &dyn Rows) -> Result<(), StoreError> {
        let held = lock(&self.held);
        for (kind, block) in held.iter() {
            let row = rows.get(Table::Blocks, &kind.key())?;
            if row.map_or(Ok(0), |row| read_end(&row))? < block.end {
                return Err(StoreError::Damaged("the end of an id block is gone".into()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that somebody made up ended the process.
    #[test]
    fn a_life_goes_on_above_what_was_seen_and_where_nothing_is_it_is_damaged() {
        let key = Kind::Segment.key();
        let row = [5];
        assert_eq!(read_end(&row).unwrap(), 5);
        let end = |seen| renewed(&key, &row, &[(Kind::Segment, seen)]).map(|row| read_end(&row).unwrap());
        assert_eq!(end(3).unwrap(), 5 + LEFT_OUT);
        assert_eq!(end(7).unwrap(), 8 + LEFT_OUT);
        for seen in [u64::MAX - LEFT_OUT, u64::MAX - 1, u64::MAX] {
            assert!(matches!(end(seen), Err(StoreError::Damaged(_))), "{seen}");
        }
    }
}
