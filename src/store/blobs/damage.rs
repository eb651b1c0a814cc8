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
        segments::{Flaw, FlawKind, Wanted, record_bytes},
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
    },
};

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

    pub(crate) fn of_key(key: &[u8]) -> Result<Self, StoreError> {
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
            known.extend(as_it_lies(rows, damaged)?);
        }
    }
    known.truncate(limit);
    Ok(known)
}

/// Where it lies now: compaction may have moved it since. None if it was given up.
fn as_it_lies(rows: &dyn Rows, damaged: Damaged) -> Result<Option<Damaged>, StoreError> {
    let Part::Chunk(chunk) = damaged.part else { return Ok(Some(damaged)) };
    let row = find_chunk(rows, chunk)?.filter(|row| row.state == ChunkState::Bad);
    let at = |row: ChunkRow| DamageRow { segment: row.segment, offset: row.offset, ..damaged.row };
    Ok(row.map(|row| Damaged { part: damaged.part, row: at(row) }))
}

/// Whether a chunk that something needs is known to be damaged.
pub(crate) fn is_bad(rows: &dyn Rows, chunk: ChunkNo) -> Result<bool, StoreError> {
    Ok(find_chunk(rows, chunk)?.is_some_and(|row| row.state == ChunkState::Bad))
}

/// Whether something is known to be damaged.
pub(crate) fn is_known(rows: &dyn Rows, part: Part) -> Result<bool, StoreError> {
    match rows.get(Table::Damage, &part.key()) {
        // A note that is damaged itself is one all the same.
        Err(StoreError::Damaged(_)) => Ok(true),
        found => Ok(found?.is_some()),
    }
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

/// Writes a row of what is seen now; what was seen first at the same place keeps its time. True if
/// it is one more.
fn note(tx: &mut dyn RowsMut, part: Part, mut row: DamageRow) -> Result<bool, StoreError> {
    let key = part.key();
    let there = is_known(tx, part)?;
    let known: Option<DamageRow> = match find(tx, Table::Damage, &key) {
        Err(StoreError::Damaged(_)) => None,
        found => found?,
    };
    if let Some(known) = &known
        && (known.segment, known.offset) == (row.segment, row.offset)
    {
        row.seen = known.seen;
    }
    if known.as_ref() != Some(&row) {
        tx.put(Table::Damage, key, row.encode());
    }
    Ok(!there)
}

/// A chunk that was damaged is whole where it lies: it may be shared again. How many rows of damage
/// went with that, if it was damaged until now.
pub(crate) fn is_whole(
    tx: &mut dyn RowsMut,
    chunk: ChunkNo,
    seen: &ChunkRow,
) -> Result<Option<u64>, StoreError> {
    let Some(row) = find_chunk(tx, chunk)? else { return Ok(None) };
    if (row.segment, row.offset) != (seen.segment, seen.offset) || row.state != ChunkState::Bad {
        return Ok(None);
    }
    tx.put(Table::Chunk, number_key(chunk.0), ChunkRow { state: ChunkState::Live, ..row }.encode());
    forget(tx, Part::Chunk(chunk)).map(Some)
}

/// Damage that is no more. How many rows of it went: one, or none if nobody knew.
pub(crate) fn forget(tx: &mut dyn RowsMut, part: Part) -> Result<u64, StoreError> {
    let known = is_known(tx, part)?;
    if known {
        tx.delete(Table::Damage, part.key());
    }
    Ok(u64::from(known))
}

/// How many rows of damage there are, for whoever asks often. Whoever commits one more, or one
/// less, says so: on a dying disk there are many, and counting them for each that is met would
/// hold up everybody.
#[derive(Debug, Default)]
pub(crate) struct KnownDamage {
    count: AtomicU64,
    /// How often it was told of a change.
    changes: AtomicU64,
}

/// How many rows of damage were counted, and what was known then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    count: u64,
    changes: u64,
}

impl KnownDamage {
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn change(&self, to: impl Fn(u64) -> u64) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        let _ = self.count.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |count| Some(to(count)));
    }

    /// Counts what is committed.
    pub(crate) fn recount(&self, meta: &Meta) -> Result<Counted, StoreError> {
        let changes = self.changes.load(Ordering::Acquire);
        let (mut count, all) = (0, KeyRange::prefix(Vec::new()));
        meta.snapshot()?.meet(Table::Damage, &all, Order::Forward, &mut |_| {
            count += 1;
            true
        })?;
        Ok(Counted { count, changes })
    }

    /// Believes what was counted, unless something changed meanwhile. Whoever asks for that has
    /// committed something since it was counted: all that could be seen then is told by now.
    pub(crate) fn believe(&self, counted: Counted) {
        if self.changes.load(Ordering::Acquire) == counted.changes {
            self.count.store(counted.count, Ordering::Release);
        }
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

    /// After a commit that wrote so many rows of damage that were not there.
    pub(crate) fn damage_grew(&self, rows: u64) {
        if rows > 0 {
            self.damage.change(|count| count.saturating_add(rows));
        }
    }

    /// After a commit that removed so many.
    pub(crate) fn damage_shrank(&self, rows: u64) {
        if rows > 0 {
            self.damage.change(|count| count.saturating_sub(rows));
        }
    }

    /// Counts the rows of damage.
    pub(crate) fn count_damage(&self) -> Result<Counted, StoreError> {
        self.damage.recount(&self.meta)
    }

    /// See [`KnownDamage::believe`].
    pub(crate) fn believe_damage(&self, counted: Counted) {
        self.damage.believe(counted);
    }

    /// What is wrong with a chunk where its row says it lies. Nothing is believed at the first
    /// look: memory and cables fail too, and a second look tells them from the disk.
    pub(crate) fn examine(&self, chunk: ChunkNo, row: &ChunkRow) -> Result<Option<Flaw>, StoreError> {
        let wanted = wanted(chunk, row);
        let Some(flaw) = self.segments.examine(&wanted)? else { return Ok(None) };
        let end = row.offset.saturating_add(record_bytes(row.stored_len));
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
                blobs.damage_grew(1);
                tell_chunk(chunk, &seen, flaw);
            }
        });
    }

    /// Somebody could read a chunk that was noted as damaged: the disk, or the cable to it, has come
    /// back.
    pub(super) fn found_whole(self: &Arc<Self>, chunk: ChunkNo, seen: ChunkRow) {
        let row = seen.clone();
        let verb = move |tx: &mut Tx<'_>| is_whole(tx, chunk, &row);
        let blobs = Arc::clone(self);
        self.meta.submit(verb, move |found: Result<Option<u64>, StoreError>| {
            if let Ok(Some(rows)) = found {
                tracing::info!(%chunk, "a chunk that was damaged is whole again");
                blobs.offer(chunk, &seen);
                blobs.damage_shrank(rows);
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
