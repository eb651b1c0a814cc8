//! The rows of scrubbing, in `config`: how far the run that is under way came (`scrub-now`), and
//! what the last that ended did (`scrub-last`).

use std::ops::Range;

use crate::{
    model::time::Timestamp,
    row,
    store::{
        error::StoreError,
        meta::{
            codec::{Field, Reader},
            rows::{Rows, RowsMut},
            table::Table,
        },
        rows::{get, put},
    },
};

const NOW: &[u8] = b"scrub-now";
const LAST: &[u8] = b"scrub-last";
/// Chunks with numbers beside each other that are in the same portion, so that reading one is
/// still reading in a row.
const BLOCK: u64 = 64;

/// A part of the store: the `number`th of so many. All of them together are everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Portion {
    number: u32,
    of: u32,
}

impl Portion {
    /// Everything.
    pub const ALL: Self = Self { number: 1, of: 1 };

    /// The `number`th of `of`, from 1 on; `None` if there is no such.
    #[must_use]
    pub fn new(number: u32, of: u32) -> Option<Self> {
        (1..=of).contains(&number).then_some(Self { number, of })
    }

    /// Reads `2/7`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, of) = text.split_once('/')?;
        Self::new(number.parse().ok()?, of.parse().ok()?)
    }

    /// Whether the thing with this number is in it.
    #[must_use]
    pub fn has(self, number: u64) -> bool {
        number % u64::from(self.of.max(1)) == u64::from(self.number.saturating_sub(1))
    }

    /// The next chunk numbers in it behind `after`, none above `until`.
    #[must_use]
    pub fn stretch(self, after: u64, until: u64) -> Option<Range<u64>> {
        let (first, end) = (after.checked_add(1)?, until.checked_add(1)?);
        if self.of <= 1 {
            return (first < end).then_some(first..end);
        }
        let mut block = first / BLOCK;
        while !self.has(block) {
            block += 1;
        }
        let stretch = first.max(block * BLOCK)..end.min(block.saturating_add(1).saturating_mul(BLOCK));
        (!stretch.is_empty()).then_some(stretch)
    }
}

impl std::fmt::Display for Portion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl Field for Portion {
    fn write(&self, out: &mut Vec<u8>) {
        (self.number, self.of).write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        let (number, of) = Field::read(from)?;
        Self::new(number, of).ok_or_else(|| StoreError::Damaged("a scrub is of no portion".into()))
    }
}

row! {
    /// A run and how far it came.
    ScrubRow {
        /// When it was begun.
        begun: Timestamp,
        /// Of what.
        portion: Portion,
        /// The last chunk number it has done.
        after: u64,
        /// The last there was when it began.
        until: u64,
        /// All chunks are done.
        chunks_done: bool,
        /// The last segment whose header and footer it has looked at.
        segment: u64,
        /// Chunks read.
        chunks: u64,
        /// Bytes read.
        bytes: u64,
        /// Chunks and segments that were damaged, known before or not.
        damaged: u64,
    }
}

impl ScrubRow {
    /// One that has done nothing.
    #[must_use]
    pub fn new(begun: Timestamp, portion: Portion, until: u64) -> Self {
        let (after, segment, chunks, bytes, damaged) = (0, 0, 0, 0, 0);
        Self { begun, portion, after, until, chunks_done: false, segment, chunks, bytes, damaged }
    }
}

row! {
    /// A run over everything that ended.
    ScrubbedRow {
        /// When it was begun.
        begun: Timestamp,
        /// When it ended.
        ended: Timestamp,
        /// Chunks read.
        chunks: u64,
        /// Bytes read.
        bytes: u64,
        /// Chunks and segments that were damaged.
        damaged: u64,
    }
}

/// The run that goes on after a restart.
///
/// # Errors
/// If the row cannot be read.
pub fn under_way(rows: &dyn Rows) -> Result<Option<ScrubRow>, StoreError> {
    get(rows, Table::Config, NOW)
}

/// The last run over everything that ended.
///
/// # Errors
/// If the row cannot be read.
pub fn last(rows: &dyn Rows) -> Result<Option<ScrubbedRow>, StoreError> {
    get(rows, Table::Config, LAST)
}

/// Notes how far a run came.
pub(super) fn keep(tx: &mut dyn RowsMut, row: &ScrubRow) {
    put(tx, Table::Config, NOW.to_vec(), row);
}

/// Notes that a run ended. One over everything is the last, and no other is left to be done.
pub(super) fn finish(tx: &mut dyn RowsMut, row: &ScrubRow, now: Timestamp) -> Result<(), StoreError> {
    if row.portion == Portion::ALL {
        let (begun, ended, chunks) = (row.begun, now, row.chunks);
        let done = ScrubbedRow { begun, ended, chunks, bytes: row.bytes, damaged: row.damaged };
        put(tx, Table::Config, LAST.to_vec(), &done);
        if tx.get(Table::Config, NOW)?.is_some() {
            tx.delete(Table::Config, NOW.to_vec());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::meta::codec::Row as _;

    #[test]
    fn portions_have_every_number_once() {
        for (of, until) in [(1, 1000), (3, 1000), (7, 130), (50, 64)] {
            let mut met = vec![0; until as usize + 1];
            for number in 1..=of {
                let (portion, mut after) = (Portion::new(number, of).unwrap(), 0);
                while let Some(stretch) = portion.stretch(after, until) {
                    stretch.clone().for_each(|chunk| met[chunk as usize] += 1);
                    after = stretch.end - 1;
                }
            }
            assert!(met[1..].iter().all(|times| *times == 1), "{of}: {met:?}");
        }
    }

    /// Whoever changes a line here changes what lies on people's disks.
    #[test]
    fn the_rows_have_the_form_they_are_released_with() {
        let now = ScrubRow {
            after: 300,
            chunks_done: true,
            segment: 4,
            chunks: 5,
            bytes: 6,
            damaged: 7,
            ..ScrubRow::new(Timestamp(1), Portion::new(2, 3).unwrap(), 400)
        };
        assert_eq!(hex::encode(now.encode()), "01020203ac02900301040506 07".replace(' ', ""));
        let (begun, ended) = (Timestamp(1), Timestamp(2));
        let last = ScrubbedRow { begun, ended, chunks: 5, bytes: 6, damaged: 7 };
        assert_eq!(hex::encode(last.encode()), "010204050607");
        let none = [1, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0];
        assert!(ScrubRow::decode(&none).is_err(), "no portion has number 0");
    }

    #[test]
    fn a_portion_is_written_as_a_fraction() {
        assert_eq!(Portion::parse("2/7").unwrap().to_string(), "2/7");
        for none in ["0/7", "8/7", "1/0", "1", "1/x", "", "-1/2"] {
            assert_eq!(Portion::parse(none), None, "{none}");
        }
    }
}
