//! The rows of scrubbing, in `config`: how far the run that is under way came (`scrub-now`), and
//! what the last that ended did (`scrub-last`); the same of its way through the metadata
//! (`scrub-metadata-now`), and what of that was damaged when it was read last
//! (`scrub-metadata-last`).

use std::ops::Range;

use crate::{
    model::{limits::SCRUB_PARTS, time::Timestamp},
    row,
    store::{
        error::StoreError,
        meta::{
            codec::{Bytes, Field, Reader, Row},
            rows::{Rows, RowsMut},
            table::Table,
        },
        rows::{get, put},
    },
};

const NOW: &[u8] = b"scrub-now";
const LAST: &[u8] = b"scrub-last";
const METADATA_NOW: &[u8] = b"scrub-metadata-now";
const METADATA_LAST: &[u8] = b"scrub-metadata-last";
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

    /// Reads `2/7`; `None` if there is no such, or it is of more than [`SCRUB_PARTS`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (number, of) = text.split_once('/')?;
        Self::new(number.parse().ok()?, of.parse().ok()?).filter(|portion| portion.of <= SCRUB_PARTS)
    }

    /// Whether it is the first, or everything.
    #[must_use]
    pub fn is_first(self) -> bool {
        self.number == 1
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
        let (block, of) = (first / BLOCK, u64::from(self.of));
        // The next block in it, however many there are in between.
        let ahead = (u64::from(self.number.saturating_sub(1)) + of - block % of) % of;
        let block = block.checked_add(ahead)?;
        let stretch =
            first.max(block.checked_mul(BLOCK)?)..end.min(block.saturating_add(1).saturating_mul(BLOCK));
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
        /// Chunks, segments, rows and kept snapshots that were damaged, known before or not.
        damaged: u64,
    }
}

row! {
    /// How far a run came in the metadata, and what is damaged of that.
    PlaceRow {
        /// The name of the table it is in.
        table: String,
        /// The last key it has read there; empty before the first.
        after: Bytes,
        /// All rows are read.
        rows_done: bool,
        /// The last snapshot it has read.
        snapshot: u64,
        /// All snapshots are read, too, or none of it is to be.
        done: bool,
        /// Rows that are not what was written.
        rows: u64,
        /// Snapshots that are not.
        snapshots: u64,
    }
}

impl PlaceRow {
    /// At the beginning. The metadata is in the first portion.
    #[must_use]
    pub fn new(portion: Portion) -> Self {
        let (rows_done, done) = (false, !portion.is_first());
        Self {
            table: String::new(),
            after: Bytes::default(),
            rows_done,
            snapshot: 0,
            done,
            rows: 0,
            snapshots: 0,
        }
    }

    /// How much is damaged.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.rows.saturating_add(self.snapshots)
    }
}

row! {
    /// What of the metadata was damaged when all of it was read last.
    DamagedRow {
        /// Rows.
        rows: u64,
        /// Snapshots that are kept.
        snapshots: u64,
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
        /// Chunks, segments, rows and kept snapshots that were damaged.
        damaged: u64,
    }
}

/// What a row says. One that is damaged says nothing: a run that begins anew is better than none ever
/// after, and writes it anew.
fn noted<R: Row>(rows: &dyn Rows, key: &[u8]) -> Result<Option<R>, StoreError> {
    match get(rows, Table::Config, key) {
        Err(StoreError::Damaged(why)) => {
            tracing::warn!(why, "how far scrubbing came, or what it found, is not known any more");
            Ok(None)
        }
        found => found,
    }
}

/// The run that goes on after a restart.
///
/// # Errors
/// If the row cannot be read.
pub fn under_way(rows: &dyn Rows) -> Result<Option<ScrubRow>, StoreError> {
    noted(rows, NOW)
}

/// The last run over everything that ended.
///
/// # Errors
/// If the row cannot be read.
pub fn last(rows: &dyn Rows) -> Result<Option<ScrubbedRow>, StoreError> {
    noted(rows, LAST)
}

/// How far the run that goes on came in the metadata.
///
/// # Errors
/// If the row cannot be read.
pub fn metadata_under_way(rows: &dyn Rows) -> Result<Option<PlaceRow>, StoreError> {
    noted(rows, METADATA_NOW)
}

/// How much of the metadata is known to be damaged: what was found when all of it was read last, or
/// what a run found since.
///
/// # Errors
/// If a row cannot be read.
pub fn damaged_metadata(rows: &dyn Rows) -> Result<u64, StoreError> {
    let last: Option<DamagedRow> = noted(rows, METADATA_LAST)?;
    let last = last.map_or(0, |last| last.rows.saturating_add(last.snapshots));
    let now = metadata_under_way(rows)?.map_or(0, |now| now.damaged());
    Ok(last.max(now))
}

/// Notes how far a run came.
pub(super) fn keep(tx: &mut dyn RowsMut, row: &ScrubRow, place: &PlaceRow) {
    put(tx, Table::Config, NOW.to_vec(), row);
    put(tx, Table::Config, METADATA_NOW.to_vec(), place);
}

/// Notes that a run ended. One over everything is the last, and no other is left to be done.
pub(super) fn finish(tx: &mut dyn RowsMut, (row, place): (&ScrubRow, &PlaceRow), now: Timestamp) {
    if row.portion.is_first() {
        let found = DamagedRow { rows: place.rows, snapshots: place.snapshots };
        put(tx, Table::Config, METADATA_LAST.to_vec(), &found);
    }
    if row.portion == Portion::ALL {
        let (begun, ended, chunks) = (row.begun, now, row.chunks);
        let done = ScrubbedRow { begun, ended, chunks, bytes: row.bytes, damaged: row.damaged };
        put(tx, Table::Config, LAST.to_vec(), &done);
        for key in [NOW, METADATA_NOW] {
            if !matches!(tx.get(Table::Config, key), Ok(None)) {
                tx.delete(Table::Config, key.to_vec());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// The story: `4294967295/4294967295` counted up to its block one by one, for seconds, and a server did
    /// nothing else on that thread.
    #[test]
    fn a_portion_far_away_is_found_without_counting_up_to_it() {
        let begun = std::time::Instant::now();
        for after in [0, 63, 64, 1000, u64::MAX - 100] {
            let last = Portion::new(u32::MAX, u32::MAX).unwrap();
            assert_eq!(last.stretch(after, after + 50), None);
        }
        let far = Portion::new(u32::MAX, u32::MAX).unwrap().stretch(5, u64::MAX - 1).unwrap();
        assert_eq!(far, (u64::from(u32::MAX) - 1) * BLOCK..u64::from(u32::MAX) * BLOCK);
        assert!(begun.elapsed() < std::time::Duration::from_secs(5));
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
        let place = PlaceRow {
            table: "dent".into(),
            after: Bytes(vec![7, 8]),
            rows_done: true,
            snapshot: 9,
            rows: 10,
            snapshots: 11,
            ..PlaceRow::new(Portion::new(2, 3).unwrap())
        };
        assert_eq!(hex::encode(place.encode()), "010464656e74020708010901 0a0b".replace(' ', ""));
        assert_eq!(hex::encode(DamagedRow { rows: 1, snapshots: 2 }.encode()), "010102");
        let none = [1, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0];
        assert!(ScrubRow::decode(&none).is_err(), "no portion has number 0");
    }

    #[test]
    fn a_portion_is_written_as_a_fraction() {
        assert_eq!(Portion::parse("2/7").unwrap().to_string(), "2/7");
        let most = format!("{SCRUB_PARTS}/{SCRUB_PARTS}");
        assert_eq!(Portion::parse(&most).unwrap().to_string(), most);
        for none in ["0/7", "8/7", "1/0", "1", "1/x", "", "-1/2", "1/1001", "4294967295/4294967295"] {
            assert_eq!(Portion::parse(none), None, "{none}");
        }
    }
}
