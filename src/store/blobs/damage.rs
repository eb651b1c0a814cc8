//! Known damage: which chunks and segments are not what was written, where, and since when.
//!
//! ```text
//! damage   1, chunk      a record that is not sound; the chunk's row says `Bad` as long
//! damage   2, segment    a segment whose header or footer is not sound, and that is needed
//! ```
//!
//! Whoever meets damage writes its row: a read, the scrubber, compaction. The row goes when the
//! chunk is healed, found whole again or deleted, and when the segment is removed or found whole.
//! It is a note and decides nothing: what a damaged chunk holds up, and when its row may go, is
//! decided by references as for any other.

use super::{
    Blobs,
    rows::{ChunkRow, ChunkState, HashKey, find, find_chunk, number_behind, number_key},
};
use crate::{
    model::{
        ids::{ChunkNo, SegmentId},
        time::Timestamp,
    },
    row,
    store::{
        error::StoreError,
        meta::{
            Meta, Tx,
            codec::Row,
            key::Key,
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
        segments::{Flaw, FlawKind, Wanted},
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
    },
};

/// Rows counted for the metrics; more count as so many.
const COUNTED: u64 = 100_000;
/// Rows read at a time.
const ROWS: usize = 1000;

crate::enum_field! {
    FlawKind: Unreadable = 0, Missing = 1, CutOff = 2, Header = 3, Misplaced = 4, Bytes = 5, Digest = 6,
        Footer = 7;
}

/// What is damaged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// The record of a chunk.
    Chunk(ChunkNo),
    /// The header or footer of a segment. Its records may be whole.
    Segment(SegmentId),
}

impl Part {
    /// The key of its row.
    pub(crate) fn key(self) -> Vec<u8> {
        match self {
            Self::Chunk(chunk) => Key::new().byte(1).number(chunk.0).done(),
            Self::Segment(segment) => Key::new().byte(2).number(segment.0).done(),
        }
    }

    fn of_key(key: &[u8]) -> Result<Self, StoreError> {
        let number = number_behind(key, 1)?;
        match key.first() {
            Some(1) => Ok(Self::Chunk(ChunkNo(number))),
            Some(2) => Ok(Self::Segment(SegmentId(number))),
            _ => Err(StoreError::Damaged("a row of known damage is of no kind".into())),
        }
    }
}

row! {
    /// Known damage.
    DamageRow {
        /// The segment it is in.
        segment: SegmentId,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        kind: FlawKind,
        /// BLAKE3 of what was written; zeros for a segment.
        expected: [u8; 32],
        /// BLAKE3 of what is there, if anything that could be one is.
        found: Option<[u8; 32]>,
        /// When it was met first.
        seen: Timestamp,
    }
}

/// Known damage with what it is about.
#[derive(Clone, PartialEq, Debug)]
pub struct Damaged {
    /// What is damaged.
    pub part: Part,
    /// What is known of it.
    pub row: DamageRow,
}

/// Up to `limit` things that are known to be damaged, behind `after`: chunks, then segments. Chunks
/// that were given up and wait for their deletion are passed over.
///
/// # Errors
/// If a row cannot be read.
pub fn known(rows: &dyn Rows, after: Option<Part>, limit: usize) -> Result<Vec<Damaged>, StoreError> {
    let mut range = KeyRange::prefix(Vec::new());
    if let Some(after) = after {
        range = range.after(after.key());
    }
    let mut known = Vec::new();
    while known.len() < limit {
        let found = rows.scan(Table::Damage, &range, Order::Forward, ROWS.min(limit))?;
        let Some((last, _)) = found.last() else { break };
        range = range.after(last.clone());
        for (key, value) in &found {
            let damaged = Damaged { part: Part::of_key(key)?, row: DamageRow::decode(value)? };
            if is_true(rows, &damaged)? {
                known.push(damaged);
            }
        }
    }
    known.truncate(limit);
    Ok(known)
}

fn is_true(rows: &dyn Rows, damaged: &Damaged) -> Result<bool, StoreError> {
    let Part::Chunk(chunk) = damaged.part else { return Ok(true) };
    let place = (damaged.row.segment, damaged.row.offset);
    let row = find_chunk(rows, chunk)?;
    Ok(row.is_some_and(|row| row.state == ChunkState::Bad && (row.segment, row.offset) == place))
}

/// Whether something is known to be damaged.
pub(crate) fn is_known(rows: &dyn Rows, part: Part) -> Result<bool, StoreError> {
    Ok(rows.get(Table::Damage, &part.key())?.is_some())
}

/// Notes that a chunk is damaged, if it still lies where it was seen and something may need it.
/// True if nobody knew.
pub(crate) fn note_chunk(
    tx: &mut dyn RowsMut,
    (chunk, seen): (ChunkNo, &ChunkRow),
    flaw: Flaw,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(row) = find_chunk(tx, chunk)? else { return Ok(false) };
    if (row.segment, row.offset) != (seen.segment, seen.offset) || row.state == ChunkState::Condemned {
        return Ok(false);
    }
    if row.state == ChunkState::Live {
        let bad = ChunkRow { state: ChunkState::Bad, ..row.clone() };
        tx.put(Table::Chunk, number_key(chunk.0), bad.encode());
    }
    let damage = DamageRow {
        segment: row.segment,
        offset: row.offset,
        kind: flaw.kind,
        expected: row.digest,
        found: flaw.found,
        seen: now,
    };
    note(tx, Part::Chunk(chunk), damage)
}

/// Notes that the header or footer of a segment is damaged. True if nobody knew.
pub(crate) fn note_segment(
    tx: &mut dyn RowsMut,
    segment: SegmentId,
    flaw: Flaw,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let damage =
        DamageRow { segment, offset: 0, kind: flaw.kind, expected: [0; 32], found: flaw.found, seen: now };
    note(tx, Part::Segment(segment), damage)
}

/// Writes a row of what is seen now; what was seen first at the same place keeps its time.
fn note(tx: &mut dyn RowsMut, part: Part, mut row: DamageRow) -> Result<bool, StoreError> {
    let key = part.key();
    let known: Option<DamageRow> = find(tx, Table::Damage, &key)?;
    let known = known.filter(|known| (known.segment, known.offset) == (row.segment, row.offset));
    if let Some(known) = &known {
        row.seen = known.seen;
    }
    if known.as_ref() != Some(&row) {
        tx.put(Table::Damage, key, row.encode());
    }
    Ok(known.is_none())
}

/// A chunk that was damaged is whole where it lies: it may be shared again. True if it was
/// damaged until now.
pub(crate) fn is_whole(tx: &mut dyn RowsMut, chunk: ChunkNo, seen: &ChunkRow) -> Result<bool, StoreError> {
    let Some(row) = find_chunk(tx, chunk)? else { return Ok(false) };
    if (row.segment, row.offset) != (seen.segment, seen.offset) || row.state != ChunkState::Bad {
        return Ok(false);
    }
    tx.put(Table::Chunk, number_key(chunk.0), ChunkRow { state: ChunkState::Live, ..row }.encode());
    forget(tx, Part::Chunk(chunk))?;
    Ok(true)
}

/// Damage that is no more. True if it was known.
pub(crate) fn forget(tx: &mut dyn RowsMut, part: Part) -> Result<bool, StoreError> {
    let known = is_known(tx, part)?;
    if known {
        tx.delete(Table::Damage, part.key());
    }
    Ok(known)
}

/// How much damage is known, for whoever asks often. Counted again whenever a row may have come
/// or gone.
#[derive(Debug, Default)]
pub(crate) struct KnownDamage(AtomicU64);

impl KnownDamage {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts what is committed.
    pub(crate) fn recount(&self, meta: &Meta) -> Result<(), StoreError> {
        let (mut counted, mut after) = (0, None);
        while counted < COUNTED {
            let found = meta.look(|rows| known(rows, after, ROWS))??;
            let Some(last) = found.last() else { break };
            after = Some(last.part);
            counted += found.len() as u64;
        }
        self.0.store(counted, Ordering::Relaxed);
        Ok(())
    }
}

/// What is to be read where a chunk lies.
pub(crate) fn wanted(chunk: ChunkNo, row: &ChunkRow) -> Wanted {
    Wanted {
        segment: row.segment,
        offset: row.offset,
        stored_len: row.stored_len,
        raw_len: row.raw_len,
        codec: row.codec,
        chunk,
        digest: row.digest,
    }
}

impl Blobs {
    /// How much damage is known.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.damage.count()
    }

    /// After a commit that may have written or removed rows of damage.
    pub(crate) fn recount_damage(&self) {
        if let Err(error) = self.damage.recount(&self.meta) {
            tracing::warn!(%error, "known damage could not be counted");
        }
    }

    /// What is wrong with a chunk where its row says it lies. Nothing is believed at the first
    /// look: memory and cables fail too, and a second look tells them from the disk.
    pub(crate) fn examine(&self, chunk: ChunkNo, row: &ChunkRow) -> Result<Option<Flaw>, StoreError> {
        let wanted = wanted(chunk, row);
        let Some(flaw) = self.segments.examine(&wanted)? else { return Ok(None) };
        let end = row.offset.saturating_add(u64::from(row.stored_len));
        self.segments.uncache(row.segment, row.offset..end);
        let again = self.segments.examine(&wanted)?;
        if again.is_none() {
            let (segment, kind) = (row.segment, flaw.kind.code());
            tracing::warn!(%chunk, %segment, kind, "a chunk seemed damaged and is whole at a second look");
        }
        Ok(again)
    }

    /// Somebody could not read a chunk: makes sure that nobody shares it if it is damaged, and that
    /// the same content, sent again, heals it.
    pub(crate) fn suspect(self: &Arc<Self>, chunk: ChunkNo, seen: ChunkRow) {
        let flaw = match self.examine(chunk, &seen) {
            Ok(Some(flaw)) => flaw,
            // Who met it has the error whatever comes of this.
            Ok(None) | Err(_) => return,
        };
        let row = seen.clone();
        let verb = move |tx: &mut Tx<'_>| {
            let now = tx.now();
            note_chunk(tx, (chunk, &row), flaw, now)
        };
        let blobs = Arc::clone(self);
        self.meta.submit(verb, move |noted: Result<bool, StoreError>| {
            if noted.is_ok_and(|new| new) {
                tell_chunk(chunk, &seen, flaw);
                blobs.recount_damage();
            }
        });
    }

    /// Somebody could read a chunk that was noted as damaged: the disk, or the cable to it, has come
    /// back.
    pub(super) fn found_whole(self: &Arc<Self>, chunk: ChunkNo, seen: ChunkRow) {
        let row = seen.clone();
        let verb = move |tx: &mut Tx<'_>| is_whole(tx, chunk, &row);
        let blobs = Arc::clone(self);
        self.meta.submit(verb, move |found: Result<bool, StoreError>| {
            if found.is_ok_and(|new| new) {
                tracing::info!(%chunk, "a chunk that was damaged is whole again");
                blobs.offer(chunk, &seen);
                blobs.recount_damage();
            }
        });
    }

    /// Lets a chunk that is whole again be found by what it holds.
    pub(crate) fn offer(&self, chunk: ChunkNo, row: &ChunkRow) {
        self.index.offer(HashKey::new(row.domain, &row.digest).map(|key| (key, chunk)));
    }
}

/// A line in the log for a damaged chunk nobody knew of.
pub(crate) fn tell_chunk(chunk: ChunkNo, row: &ChunkRow, flaw: Flaw) {
    let (kind, what) = (flaw.kind.code(), flaw.kind.text());
    let (segment, offset) = (row.segment, row.offset);
    let (expected, found) = (hex::encode(row.digest), flaw.found.map(hex::encode));
    tracing::error!(
        %chunk, %segment, offset, kind, expected, found,
        "a chunk is damaged ({what}); `holdall check` tells which files need it, and it heals when the \
         same content is stored again"
    );
}

/// The same for a segment's header or footer.
pub(crate) fn tell_segment(segment: SegmentId, flaw: Flaw) {
    let (kind, what) = (flaw.kind.code(), flaw.kind.text());
    tracing::error!(%segment, kind, "a segment is damaged ({what}); its chunks are looked at one by one");
}
