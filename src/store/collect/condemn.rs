//! The end of a chunk: condemned when nothing refers to it and no upload has found it, deleted in
//! a later epoch.
//!
//! Between the two it lies there and is found by nobody. An epoch begins with a commit; which
//! one a chunk was condemned in stands in its queue row.

use super::{Collector, Phase, Step};
use crate::{
    model::ids::ChunkNo,
    store::{
        blobs::{
            damage::{self, Part},
            pins::{Claims, Thing},
            rows::{
                ChunkRow, ChunkState, HashKey, NumberRow, Queued, find, load_chunk, number_key, queue_at,
            },
        },
        error::StoreError,
        meta::{
            Tx,
            codec::Row,
            rows::{Rows, RowsMut},
            table::Table,
        },
        segments::record_bytes,
        sync::Arc,
    },
};

/// Chunks settled or deleted in one transaction.
const CHUNKS: usize = 200;
/// Where the last epoch is kept.
const EPOCH: &[u8] = b"collector-epoch";

/// Begins an epoch.
pub(super) fn next_epoch(tx: &mut dyn RowsMut) -> Result<u64, StoreError> {
    let last: Option<NumberRow> = find(tx, Table::Config, EPOCH)?;
    let number = last.map_or(0, |row| row.number) + 1;
    tx.put(Table::Config, EPOCH.to_vec(), NumberRow { number }.encode());
    Ok(number)
}

/// Condemns a chunk that was claimed. It may have been idle, found, and let go again since.
pub(super) fn condemn(
    tx: &mut dyn RowsMut,
    chunk: ChunkNo,
    row: ChunkRow,
    epoch: u64,
) -> Result<(), StoreError> {
    let idle = queue_at(Queued::Idle, chunk.0);
    if tx.get(Table::Queue, &idle)?.is_some() {
        tx.delete(Table::Queue, idle);
    }
    let row = ChunkRow { state: ChunkState::Condemned, ..row };
    tx.put(Table::Chunk, number_key(chunk.0), row.encode());
    tx.delete(Table::ChunkRc, number_key(chunk.0));
    tx.put(Table::Queue, queue_at(Queued::Condemned, chunk.0), NumberRow { number: epoch }.encode());
    Ok(())
}

fn refs(rows: &dyn Rows, chunk: ChunkNo) -> Result<Option<u64>, StoreError> {
    let row: Option<NumberRow> = find(rows, Table::ChunkRc, &number_key(chunk.0))?;
    Ok(row.map(|row| row.number))
}

/// Looks at idle chunks again: those that an upload refers to now are left alone, those that
/// nobody keeps any more are condemned. How many that is.
pub(super) fn settle(
    tx: &mut dyn RowsMut,
    chunks: &[ChunkNo],
    epoch: u64,
    claims: &Claims,
) -> Result<u64, StoreError> {
    let mut condemned = 0;
    for &chunk in chunks {
        let key = queue_at(Queued::Idle, chunk.0);
        if tx.get(Table::Queue, &key)?.is_none() {
            continue;
        }
        let row = load_chunk(tx, chunk)?;
        if row.state == ChunkState::Condemned {
            return Err(StoreError::Damaged(format!("chunk {chunk} is both idle and condemned")));
        }
        if refs(tx, chunk)? != Some(0) {
            tx.delete(Table::Queue, key);
        } else if claims.take(Thing::Chunk(chunk)) {
            condemn(tx, chunk, row, epoch)?;
            condemned += 1;
        }
    }
    Ok(condemned)
}

/// A chunk that is no more, as the hash index knew it.
pub(super) type Gone = (Option<HashKey>, ChunkNo);

/// Chunks that were deleted.
#[derive(Debug, Default)]
pub(super) struct Reaped {
    pub(super) gone: Vec<Gone>,
    /// The room they took.
    pub(super) bytes: u64,
    /// Rows of damage that went with them.
    damage: u64,
}

/// Deletes chunks that were condemned in an earlier epoch.
pub(super) fn reap(
    tx: &mut dyn RowsMut,
    chunks: &[ChunkNo],
    epoch: u64,
    claims: &Claims,
) -> Result<Reaped, StoreError> {
    let mut reaped = Reaped::default();
    for &chunk in chunks {
        let key = queue_at(Queued::Condemned, chunk.0);
        let queued: Option<NumberRow> = find(tx, Table::Queue, &key)?;
        if queued.is_none_or(|queued| queued.number >= epoch) {
            continue;
        }
        let row = load_chunk(tx, chunk)?;
        if row.state != ChunkState::Condemned || refs(tx, chunk)?.is_some() {
            return Err(StoreError::Damaged(format!("chunk {chunk} is to be deleted and is in use")));
        }
        if claims.take(Thing::Chunk(chunk)) {
            tx.delete(Table::Chunk, number_key(chunk.0));
            tx.delete(Table::Queue, key);
            reaped.damage += damage::forget(tx, Part::Chunk(chunk))?;
            reaped.gone.push((HashKey::new(row.domain, &row.digest), chunk));
            reaped.bytes += record_bytes(row.stored_len);
        }
    }
    Ok(reaped)
}

impl Collector {
    pub(super) fn reap(&mut self) -> Result<Step, StoreError> {
        let chunks: Vec<_> = self.queued(Queued::Condemned, CHUNKS)?.into_iter().map(ChunkNo).collect();
        if chunks.is_empty() {
            return Ok(self.go(Phase::Settle));
        }
        let (epoch, claims) = (self.epoch, Claims::new(self.store.blobs().pins()));
        let claimed = Arc::clone(&claims);
        let reaped = self.store.give_back(move |tx: &mut Tx<'_>| reap(tx, &chunks, epoch, &claimed));
        // The claims end when it is durable, or was refused.
        drop(claims);
        let reaped = reaped?;
        self.store.blobs().damage_shrank(reaped.damage);
        self.report.chunks_deleted += reaped.gone.len() as u64;
        self.report.bytes_deleted += reaped.bytes;
        self.forget(&reaped.gone);
        Ok(Step::More)
    }

    pub(super) fn settle(&mut self) -> Result<Step, StoreError> {
        let chunks: Vec<_> = self.queued(Queued::Idle, CHUNKS)?.into_iter().map(ChunkNo).collect();
        if chunks.is_empty() {
            return Ok(if self.released { self.after_release() } else { self.go(Phase::Release) });
        }
        let (epoch, claims) = (self.epoch, Claims::new(self.store.blobs().pins()));
        let claimed = Arc::clone(&claims);
        let settled = self.store.give_back(move |tx: &mut Tx<'_>| settle(tx, &chunks, epoch, &claimed));
        drop(claims);
        self.count_condemned(settled?);
        Ok(Step::More)
    }

    pub(super) fn count_condemned(&mut self, condemned: u64) {
        self.condemned += condemned;
        self.report.chunks_condemned += condemned;
    }

    /// Lets the hash index forget chunks whose deletion is durable.
    pub(super) fn forget(&self, gone: &[Gone]) {
        let index = self.store.blobs().index();
        index.forget(gone.iter().filter_map(|(key, chunk)| Some(((*key)?, *chunk))));
        index.merge(self.store.meta(), false);
    }
}
