//! The rows of bodies: manifests, their pages, chunks, hashes, and the queue of the collector.
//!
//! ```text
//! manifest   manifest                  kind, state, size, refs, pieces, profile
//! page       manifest, start offset    up to 80 pieces: chunk number or child manifest + 1,
//!                                      0 for a hole; length
//! chunk      chunk number              where its record lies, lengths, digests, domain, state
//! chunkrc    chunk number              references; absent while there is one, 0 while it is idle
//! chunkhash  domain, 16 digest bytes   chunk number
//! segment    segment                   kind, whether it is sealed, length
//! queue      1, manifest               released: the collector takes it apart
//! queue      2, manifest               open: written by a long upload that has not ended
//! queue      3, chunk                  idle: its last reference went while an upload kept it
//! queue      4, chunk                  condemned: the epoch it was condemned in
//! queue      5, segment                emptied: nothing lies in it, its file is to go
//! damage     kind, chunk or segment    known damage, see `damage`
//! config     "collector-epoch"         the collector's last epoch
//! ```

use std::collections::BTreeSet;

use crate::{
    model::ids::{AccountId, ChunkNo, ManifestId, SegmentId},
    row,
    store::{
        error::StoreError,
        faults::Fault,
        meta::{
            codec::{Field, Reader, Row},
            key::{self, Key},
            rows::{KeyRange, KeyValue, Order, Rows, RowsMut},
            table::Table,
        },
        segments::{LaneKind, SegmentState},
    },
};

/// Pieces of one page row.
pub(crate) const PIECES_PER_PAGE: usize = 80;
/// The domain of chunks that nobody looks up.
pub(crate) const NO_DOMAIN: u64 = 0;
/// The domain all accounts share with `dedup = "store"`.
pub(crate) const STORE_DOMAIN: u64 = u64::MAX;

/// What the pieces of a manifest are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// Chunks and holes.
    Leaf,
    /// Leaf manifests, the parts of a multipart upload.
    Composite,
}

/// Where a manifest is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Life {
    /// Pages are still added; nothing refers to it.
    Open,
    /// Complete and referred to.
    Live,
    /// Nothing refers to it any more; it waits for the collector.
    Released,
}

/// Whether a chunk may be referred to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ChunkState {
    /// Yes.
    Live,
    /// Its last reference went; its row is about to go.
    Condemned,
    /// Its stored bytes are not what was written. What refers to it keeps it, nothing new does.
    Bad,
}

crate::enum_field! {
    Shape: Leaf = 0, Composite = 1;
    Life: Open = 0, Live = 1, Released = 2;
    ChunkState: Live = 0, Condemned = 1, Bad = 2;
}

row! {
    /// A manifest, without its pages.
    ManifestRow {
        /// What its pieces are.
        shape: Shape,
        /// Where it is in its life.
        life: Life,
        /// Bytes of the content.
        size: u64,
        /// Rows of the namespace and composite manifests that refer to it.
        refs: u64,
        /// Pieces in all its pages.
        pieces: u64,
        /// The chunker's profile.
        profile: u8,
    }
}

/// A stretch of content: a chunk, a hole, or a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    /// Chunk number or child manifest; `None` is a hole.
    pub(crate) target: Option<u64>,
    /// Its bytes.
    pub(crate) len: u64,
}

impl Field for Piece {
    fn write(&self, out: &mut Vec<u8>) {
        self.target.map_or(0, |target| target + 1).write(out);
        self.len.write(out);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, StoreError> {
        Ok(Self { target: u64::read(from)?.checked_sub(1), len: Field::read(from)? })
    }
}

row! {
    /// Consecutive pieces of a manifest.
    PageRow {
        /// In order.
        pieces: Vec<Piece>,
    }
}

row! {
    /// A stored chunk.
    ChunkRow {
        /// The segment that holds its record.
        segment: SegmentId,
        /// Where the record starts in it.
        offset: u64,
        /// Bytes of the record's payload.
        stored_len: u32,
        /// Bytes of the chunk.
        raw_len: u32,
        /// How the payload is packed, as in the record.
        codec: u8,
        /// Who finds it by its digest.
        domain: u64,
        /// Whether it may be referred to.
        state: ChunkState,
        /// BLAKE3 of the chunk.
        digest: [u8; 32],
        /// CRC-32 of the chunk.
        crc32: u32,
        /// CRC-32C of the chunk.
        crc32c: u32,
        /// CRC-64/NVME of the chunk.
        crc64: u64,
    }
}

row! {
    /// A number on its own: references of a chunk, or the chunk of a digest.
    NumberRow {
        /// The number.
        number: u64,
    }
}

row! {
    /// A segment.
    SegmentRow {
        /// The kind of lane that wrote it, as in its header.
        kind: u8,
        /// Whether it has its footer.
        sealed: bool,
        /// Its length without the footer.
        length: u64,
    }
}

impl From<&SegmentState> for SegmentRow {
    fn from(state: &SegmentState) -> Self {
        Self { kind: state.kind.code(), sealed: state.sealed, length: state.length }
    }
}

/// The segments that have rows.
pub(crate) fn known_segments(rows: &dyn Rows) -> Result<Vec<(SegmentId, SegmentState)>, StoreError> {
    let found = rows.scan(Table::Segment, &KeyRange::prefix(Vec::new()), Order::Forward, usize::MAX)?;
    found.iter().map(known_segment).collect()
}

/// A segment as its row has it.
pub(crate) fn known_segment((key, value): &KeyValue) -> Result<(SegmentId, SegmentState), StoreError> {
    let (segment, row) = (SegmentId(number_behind(key, 0)?), SegmentRow::decode(value)?);
    let kind = LaneKind::from_code(row.kind)
        .ok_or_else(|| StoreError::Damaged(format!("segment {segment} has an impossible kind")))?;
    Ok((segment, SegmentState { kind, sealed: row.sealed, length: row.length }))
}

/// The segments that the collector is removing.
pub(crate) fn emptied_segments(rows: &dyn Rows) -> Result<BTreeSet<SegmentId>, StoreError> {
    let numbers = queued_numbers(rows, Queued::Emptied, None, usize::MAX)?;
    Ok(numbers.into_iter().map(SegmentId).collect())
}

/// Where a chunk lies.
pub(crate) fn place_of(row: &ChunkRow) -> (SegmentId, u64) {
    (row.segment, row.offset)
}

/// The segments that chunks lie in.
#[cfg(test)]
pub(crate) fn used_segments(rows: &dyn Rows) -> Result<BTreeSet<SegmentId>, StoreError> {
    let found = rows.scan(Table::Chunk, &KeyRange::prefix(Vec::new()), Order::Forward, usize::MAX)?;
    found.iter().map(|(_, value)| ChunkRow::decode(value).map(|row| row.segment)).collect()
}

/// The look-up domain of an account's uploads.
pub(crate) fn domain_number(account: Option<AccountId>, shared: bool) -> u64 {
    match account {
        None => NO_DOMAIN,
        Some(_) if shared => STORE_DOMAIN,
        Some(account) => account.0,
    }
}

/// The key of a manifest or a chunk.
pub(crate) fn number_key(number: u64) -> Vec<u8> {
    Key::new().number(number).done()
}

/// The key of the page that starts at an offset.
pub(crate) fn page_key(manifest: ManifestId, start: u64) -> Vec<u8> {
    Key::new().number(manifest.0).number(start).done()
}

/// Who finds which content: the key of a hash row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct HashKey {
    domain: u64,
    prefix: [u8; 16],
}

impl HashKey {
    /// `None` for a chunk that nobody looks up.
    pub(crate) fn new(domain: u64, digest: &[u8; 32]) -> Option<Self> {
        let prefix = *digest.first_chunk()?;
        (domain != NO_DOMAIN).then_some(Self { domain, prefix })
    }

    /// Whose.
    pub(crate) fn domain(&self) -> u64 {
        self.domain
    }

    /// The row's key.
    pub(crate) fn row_key(&self) -> Vec<u8> {
        Key::new().number(self.domain).last(&self.prefix)
    }
}

/// What is queued for the collector, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Queued {
    /// Its last reference went.
    Released = 1,
    /// A long upload is writing it, or died doing so.
    Open = 2,
    /// A chunk whose last reference went while an upload had found it.
    Idle = 3,
    /// A chunk that is condemned. The row holds the epoch.
    Condemned = 4,
    /// A segment that nothing lies in any more.
    Emptied = 5,
}

/// The key of a manifest's queue row.
pub(crate) fn queue_key(why: Queued, manifest: ManifestId) -> Vec<u8> {
    queue_at(why, manifest.0)
}

/// The key of the queue row of whatever has this number.
pub(crate) fn queue_at(why: Queued, number: u64) -> Vec<u8> {
    Key::new().byte(why as u8).number(number).done()
}

/// At most `limit` queued manifests behind `after`.
pub(crate) fn queued(
    rows: &dyn Rows,
    why: Queued,
    after: Option<ManifestId>,
    limit: usize,
) -> Result<Vec<ManifestId>, StoreError> {
    let numbers = queued_numbers(rows, why, after.map(|after| after.0), limit)?;
    Ok(numbers.into_iter().map(ManifestId).collect())
}

/// The numbers of at most `limit` queued things behind `after`.
pub(crate) fn queued_numbers(
    rows: &dyn Rows,
    why: Queued,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    let mut range = KeyRange::prefix(vec![why as u8]);
    if let Some(after) = after {
        range = range.after(queue_at(why, after));
    }
    let found = rows.scan(Table::Queue, &range, Order::Forward, limit)?;
    found.iter().map(|(key, _)| number_behind(key, 1)).collect()
}

/// The highest number that is queued.
pub(crate) fn last_queued(rows: &dyn Rows, why: Queued) -> Result<Option<u64>, StoreError> {
    let found = rows.scan(Table::Queue, &KeyRange::prefix(vec![why as u8]), Order::Reverse, 1)?;
    found.first().map(|(key, _)| number_behind(key, 1)).transpose()
}

/// The number in a key behind its first `skip` bytes.
pub(crate) fn number_behind(key: &[u8], skip: usize) -> Result<u64, StoreError> {
    let mut from = Reader::new(key);
    from.take(skip)?;
    key::number(&mut from)
}

/// Reads a row, if it is there.
pub(crate) fn find<T: Row>(rows: &dyn Rows, table: Table, key: &[u8]) -> Result<Option<T>, StoreError> {
    rows.get(table, key)?.map(|value| T::decode(&value)).transpose()
}

/// A chunk's row, if it is there.
pub(crate) fn find_chunk(rows: &dyn Rows, chunk: ChunkNo) -> Result<Option<ChunkRow>, StoreError> {
    find(rows, Table::Chunk, &number_key(chunk.0))
}

/// A chunk's row.
pub(crate) fn load_chunk(rows: &dyn Rows, chunk: ChunkNo) -> Result<ChunkRow, StoreError> {
    find_chunk(rows, chunk)?.ok_or_else(|| StoreError::Damaged(format!("chunk {chunk} has no row")))
}

/// References of a chunk that has a row.
pub(crate) fn chunk_refs(rows: &dyn Rows, chunk: ChunkNo) -> Result<u64, StoreError> {
    let row: Option<NumberRow> = find(rows, Table::ChunkRc, &number_key(chunk.0))?;
    Ok(row.map_or(1, |row| row.number))
}

/// Adds references to a chunk that has one, or is idle.
pub(crate) fn add_chunk_refs(tx: &mut dyn RowsMut, chunk: ChunkNo, more: u64) -> Result<(), StoreError> {
    let more = if tx.faults().has(Fault::ShareNotCounted) { 0 } else { more };
    let refs = chunk_refs(tx, chunk)?.saturating_add(more);
    set_chunk_refs(tx, chunk, refs);
    Ok(())
}

/// Sets the references of a chunk: one is no row.
pub(crate) fn set_chunk_refs(tx: &mut dyn RowsMut, chunk: ChunkNo, number: u64) {
    if number == 1 {
        tx.delete(Table::ChunkRc, number_key(chunk.0));
    } else {
        tx.put(Table::ChunkRc, number_key(chunk.0), NumberRow { number }.encode());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_eighty_pieces_stays_below_a_kilobyte() {
        let piece = Piece { target: Some(1 << 34), len: 1 << 20 };
        let page = PageRow { pieces: vec![piece; PIECES_PER_PAGE] };
        let bytes = page.encode();
        assert!(bytes.len() <= 1024, "{}", bytes.len());
        assert_eq!(PageRow::decode(&bytes).unwrap(), page);
        let hole =
            PageRow { pieces: vec![Piece { target: None, len: 7 }, Piece { target: Some(0), len: 8 }] };
        assert_eq!(PageRow::decode(&hole.encode()).unwrap(), hole);
    }

    #[test]
    fn nobody_finds_a_chunk_without_a_domain() {
        assert_eq!(HashKey::new(domain_number(None, true), &[1; 32]), None);
        let mine = HashKey::new(domain_number(Some(AccountId(1)), false), &[1; 32]);
        let yours = HashKey::new(domain_number(Some(AccountId(2)), false), &[1; 32]);
        assert!(mine.is_some() && mine != yours);
        let shared = |account| HashKey::new(domain_number(Some(AccountId(account)), true), &[1; 32]);
        assert_eq!(shared(1), shared(2));
    }
}
