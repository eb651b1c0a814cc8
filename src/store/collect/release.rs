//! Takes released manifests apart, from their last page to their first, in bounded transactions.
//!
//! The manifest's row always tells what is left of it: a page goes in the transaction that lets
//! go of what it refers to. So a crash between two of them loses nothing, and nothing is let go
//! twice. Whatever does not add up ends the run.

use super::{Collector, Phase, Step, condemn::condemn};
use crate::{
    model::{
        ids::{ChunkNo, ManifestId},
        limits,
    },
    store::{
        blobs::{
            manifest::{self, release},
            pins::{Claims, Thing},
            rows::{
                ChunkState, Life, ManifestRow, NumberRow, PIECES_PER_PAGE, PageRow, Piece, Queued, Shape,
                find, last_queued, load_chunk, number_behind, number_key, queue_at, queue_key,
                set_chunk_refs,
            },
        },
        error::StoreError,
        faults::{Fault, Faults},
        meta::{
            Tx,
            codec::Row,
            rows::{KeyRange, Order, Rows, RowsMut, Scanned},
            table::Table,
        },
        sync::Arc,
    },
};

/// Manifests of one transaction; long ones take many.
const MANIFESTS: usize = 100;
/// Rows one piece changes at most: the chunk, its count, two of the queue.
const ROWS_PER_PIECE: usize = 4;
/// Rows one page changes at most, with its own and the manifest's.
const ROWS_PER_PAGE: usize = PIECES_PER_PAGE * ROWS_PER_PIECE + 3;

/// What a transaction did with a manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Walked {
    /// Nothing is left of it.
    pub(super) done: bool,
    /// It is being read, and was passed over.
    pub(super) pinned: bool,
    /// It is made of parts.
    pub(super) parts: bool,
    /// References that went.
    pub(super) references: u64,
    /// Chunks that are condemned now.
    pub(super) condemned: u64,
}

/// Rows that counts what is written.
struct Writes<'a> {
    tx: &'a mut dyn RowsMut,
    rows: usize,
}

impl Writes<'_> {
    /// Whether another page fits.
    fn has_room(&self) -> bool {
        self.rows + ROWS_PER_PAGE <= limits::TX_ROWS
    }
}

impl Rows for Writes<'_> {
    fn faults(&self) -> Faults {
        self.tx.faults()
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.tx.get(table, key)
    }

    fn scan(&self, table: Table, range: &KeyRange, order: Order, limit: usize) -> Scanned {
        self.tx.scan(table, range, order, limit)
    }
}

impl RowsMut for Writes<'_> {
    fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.rows += 1;
        self.tx.put(table, key, value);
    }

    fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.rows += 1;
        self.tx.delete(table, key);
    }
}

/// Takes pages off released manifests, one after the other, in at most [`limits::TX_ROWS`] rows.
/// What was done with each, as far as it came.
pub(super) fn walk(
    tx: &mut dyn RowsMut,
    ids: &[ManifestId],
    epoch: u64,
    claims: &Claims,
) -> Result<Vec<Walked>, StoreError> {
    let mut writes = Writes { tx, rows: 0 };
    let mut all = Vec::new();
    for &id in ids {
        if !writes.has_room() {
            break;
        }
        let walked = walk_one(&mut writes, id, epoch, claims)?;
        all.push(walked);
    }
    Ok(all)
}

fn walk_one(
    writes: &mut Writes<'_>,
    id: ManifestId,
    epoch: u64,
    claims: &Claims,
) -> Result<Walked, StoreError> {
    let mut row = manifest::load(writes, id)?;
    if row.life != Life::Released || row.refs != 0 {
        return Err(StoreError::Damaged(format!("manifest {id} is queued and was not released")));
    }
    let mut walked = Walked { parts: row.shape == Shape::Composite, ..Walked::default() };
    if !claims.take(Thing::Manifest(id)) {
        return Ok(Walked { pinned: true, ..walked });
    }
    let pages = KeyRange::prefix(number_key(id.0));
    while writes.has_room() {
        let Some((key, value)) = writes.scan(Table::Page, &pages, Order::Reverse, 1)?.pop() else {
            if row.size != 0 || row.pieces != 0 {
                return Err(mismatch(id));
            }
            writes.delete(Table::Manifest, number_key(id.0));
            writes.delete(Table::Queue, queue_key(Queued::Released, id));
            return Ok(Walked { done: true, ..walked });
        };
        let page = PageRow::decode(&value)?;
        row = without(id, &row, number_behind(&key, 8)?, &page)?;
        for piece in &page.pieces {
            let Some(target) = piece.target else { continue };
            walked.references += 1;
            match row.shape {
                Shape::Leaf => {
                    walked.condemned += u64::from(let_go(writes, ChunkNo(target), epoch, claims)?);
                }
                Shape::Composite => part(writes, id, piece, ManifestId(target))?,
            }
        }
        writes.delete(Table::Page, key);
    }
    manifest::put(writes, id, &row);
    Ok(walked)
}

/// The manifest's row without its last page, which starts at `start`. One that was given up
/// before its end has neither size nor pieces: its end is where its last page ends.
fn without(id: ManifestId, row: &ManifestRow, start: u64, page: &PageRow) -> Result<ManifestRow, StoreError> {
    let len = page.pieces.iter().try_fold(0_u64, |sum, piece| sum.checked_add(piece.len));
    let end = len.and_then(|len| start.checked_add(len)).ok_or_else(|| mismatch(id))?;
    let given_up = row.size == 0 && row.pieces == 0;
    // Pieces of one that was given up stay unknown.
    let pieces = if row.pieces == 0 {
        0
    } else {
        row.pieces.checked_sub(page.pieces.len() as u64).ok_or_else(|| mismatch(id))?
    };
    if (!given_up && end != row.size) || (row.pieces > 0 && pieces == 0 && start != 0) {
        return Err(mismatch(id));
    }
    Ok(ManifestRow { size: start, pieces, ..row.clone() })
}

fn mismatch(id: ManifestId) -> StoreError {
    StoreError::Damaged(format!("the pages of released manifest {id} are not what its row says"))
}

/// Lets go of a part; the last reference queues it.
fn part(tx: &mut dyn RowsMut, id: ManifestId, piece: &Piece, part: ManifestId) -> Result<(), StoreError> {
    let row = manifest::load(tx, part)?;
    if row.shape != Shape::Leaf || row.size != piece.len {
        return Err(StoreError::Damaged(format!("part {part} is not what manifest {id} was made of")));
    }
    release(tx, part)
}

/// Takes one reference from a chunk. With the last it is condemned, or idle while an upload has
/// found it; true if it is condemned.
fn let_go(tx: &mut dyn RowsMut, chunk: ChunkNo, epoch: u64, claims: &Claims) -> Result<bool, StoreError> {
    let row = load_chunk(tx, chunk)?;
    if row.state == ChunkState::Condemned {
        return Err(StoreError::Damaged(format!("chunk {chunk} is condemned and was referred to")));
    }
    let counted: Option<NumberRow> = match find(tx, Table::ChunkRc, &number_key(chunk.0)) {
        Err(_) if tx.faults().has(Fault::ReadErrorIgnored) => None,
        counted => counted?,
    };
    let refs = counted.map_or(1, |row| row.number);
    let left = refs
        .checked_sub(1)
        .ok_or_else(|| StoreError::Damaged(format!("chunk {chunk} has more references than it counts")))?;
    if left > 0 && !tx.faults().has(Fault::LastReferenceMiscounted) {
        set_chunk_refs(tx, chunk, left);
        return Ok(false);
    }
    if claims.take(Thing::Chunk(chunk)) {
        condemn(tx, chunk, row, epoch)?;
        return Ok(true);
    }
    set_chunk_refs(tx, chunk, 0);
    tx.put(Table::Queue, queue_at(Queued::Idle, chunk.0), Vec::new());
    Ok(false)
}

impl Collector {
    /// Takes manifests apart, those that were released when the run began: what is released
    /// meanwhile, however fast, holds up nothing.
    pub(super) fn release(&mut self) -> Result<Step, StoreError> {
        let until = match self.until {
            Some(until) => until,
            None => {
                let last = last_queued(&self.store.snapshot()?, Queued::Released)?;
                *self.until.insert(last.unwrap_or_default())
            }
        };
        let before = self.after;
        let mut ids: Vec<_> = self.queued(Queued::Released, MANIFESTS)?.into_iter().map(ManifestId).collect();
        ids.retain(|id| id.0 <= until);
        if ids.is_empty() {
            // The parts of composites were queued behind our back; once more, for them.
            if std::mem::take(&mut self.parts) && self.first_pass {
                self.first_pass = false;
                self.report.passed_over = 0;
                return Ok(self.go(Phase::Release));
            }
            self.released = true;
            return Ok(self.after_release());
        }
        let (epoch, claims) = (self.epoch, Claims::new(self.store.blobs().pins()));
        let (walking, claimed) = (ids.clone(), Arc::clone(&claims));
        let walked = self.store.give_back(move |tx: &mut Tx<'_>| walk(tx, &walking, epoch, &claimed));
        drop(claims);
        self.after = before;
        for (id, walked) in ids.into_iter().zip(walked?) {
            self.report.references += walked.references;
            self.report.manifests += u64::from(walked.done);
            self.report.passed_over += u64::from(walked.pinned);
            self.count_condemned(walked.condemned);
            self.parts |= walked.parts;
            if walked.done || walked.pinned {
                self.after = Some(id.0);
            }
        }
        Ok(Step::More)
    }
}
