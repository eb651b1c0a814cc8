//! Recounts every reference from the rows that hold it and compares with the counts that are
//! kept. Reads rows only, page by page; memory is four bytes per chunk and per manifest.

mod finding;
mod segments;
mod users;

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::Peekable,
};

use super::rows::{
    ChunkRow, ChunkState, Life, ManifestRow, NumberRow, PageRow, Queued, Shape, known_segments,
    number_behind, number_key, queue_at, queue_key,
};
use crate::{
    model::ids::{ChunkNo, ManifestId, SegmentId},
    store::{
        error::StoreError,
        faults::Fault,
        meta::{
            codec::Row,
            pages::Pages,
            rows::{KeyRange, KeyValue, Order, Rows},
            table::Table,
        },
    },
};

pub use finding::{Finding, Recount};
pub use segments::{SegmentCount, segments};
pub use users::{Used, chunks_of, users_of_chunks, users_of_manifests};

/// Marks a chunk or manifest that live content needs.
const NEEDED: u32 = 1 << 31;

/// Recounts one state of the store. `references` has one item for every row of the namespace
/// that names a manifest.
///
/// # Errors
/// If a row could not be read: then nothing is known.
pub fn recount(
    rows: &dyn Rows,
    references: &mut dyn Iterator<Item = Result<ManifestId, StoreError>>,
) -> Result<Recount, StoreError> {
    let segments = known_segments(rows)?.into_iter().map(|(segment, _)| segment).collect();
    let mut count = Counting {
        rows,
        manifests: Counts::default(),
        chunks: Counts::default(),
        segments,
        out: Recount::default(),
    };
    if rows.faults().has(Fault::CheckBlind) {
        return Ok(count.out);
    }
    for reference in references {
        count.manifests.add(reference?.0, true);
    }
    count.composites()?;
    count.manifests()?;
    count.pages()?;
    count.chunks()?;
    Ok(count.out)
}

struct Counting<'a> {
    rows: &'a dyn Rows,
    /// References found so far; taken out as their manifest is met.
    manifests: Counts,
    chunks: Counts,
    segments: BTreeSet<SegmentId>,
    out: Recount,
}

impl Counting<'_> {
    /// Adds the references composites hold to their parts.
    fn composites(&mut self) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Manifest) {
            let (key, value) = row?;
            let (id, row) = (number_behind(&key, 0)?, ManifestRow::decode(&value)?);
            if row.shape != Shape::Composite {
                continue;
            }
            let needed = self.manifests.is_needed(id);
            for page in pages_of(self.rows, id) {
                for part in PageRow::decode(&page?.1)?.pieces.into_iter().filter_map(|piece| piece.target) {
                    self.manifests.add(part, needed);
                }
            }
        }
        Ok(())
    }

    fn manifests(&mut self) -> Result<(), StoreError> {
        for row in Pages::all(self.rows, Table::Manifest) {
            let (key, value) = row?;
            let (id, row) = (number_behind(&key, 0)?, ManifestRow::decode(&value)?);
            self.out.manifests += 1;
            self.manifest(ManifestId(id), &row)?;
        }
        let out = &mut self.out;
        self.manifests.each(|id| out.note(Finding::NoManifest(ManifestId(id))));
        Ok(())
    }

    fn manifest(&mut self, id: ManifestId, row: &ManifestRow) -> Result<(), StoreError> {
        let needed = self.manifests.is_needed(id.0);
        let found = self.manifests.take(id.0);
        if found != row.refs || (row.life == Life::Live) != (row.refs > 0) {
            self.out.note(Finding::ManifestRefs { manifest: id, kept: row.refs, found });
        }
        let is_queued = |why| self.rows.get(Table::Queue, &queue_key(why, id)).map(|row| row.is_some());
        let expected = match row.life {
            Life::Open => (true, false),
            Life::Live => (false, false),
            Life::Released => (false, true),
        };
        if (is_queued(Queued::Open)?, is_queued(Queued::Released)?) != expected {
            self.out.note(Finding::Queue(id));
        }
        let (mut end, mut pieces, mut whole) = (0, 0, true);
        let (chunks, is_leaf) = (&mut self.chunks, row.shape == Shape::Leaf);
        for page in pages_of(self.rows, id.0) {
            let (key, value) = page?;
            whole &= number_behind(&key, 8)? == end;
            for piece in PageRow::decode(&value)?.pieces {
                end += piece.len;
                pieces += 1;
                if let Some(chunk) = piece.target.filter(|_| is_leaf) {
                    chunks.add(chunk, needed);
                }
            }
        }
        // The size of an open manifest is known at its end. One that was given up has none until the
        // collector takes it apart, and its pieces are never known.
        let uncounted = row.life != Life::Live && row.pieces == 0;
        let sized = !uncounted || row.size != 0;
        if !whole || (sized && end != row.size) || (!uncounted && pieces != row.pieces) {
            self.out.note(Finding::Pages(id));
        }
        Ok(())
    }

    /// Looks for pages without a manifest, hopping from manifest to manifest.
    fn pages(&mut self) -> Result<(), StoreError> {
        let mut range = KeyRange::prefix(Vec::new());
        while let Some((key, _)) = self.rows.scan(Table::Page, &range, Order::Forward, 1)?.pop() {
            let id = number_behind(&key, 0)?;
            if self.rows.get(Table::Manifest, &number_key(id))?.is_none() {
                self.out.note(Finding::StrayPage(ManifestId(id)));
            }
            let Some(next) = id.checked_add(1) else { break };
            range = range.from(number_key(next));
        }
        Ok(())
    }

    fn chunks(&mut self) -> Result<(), StoreError> {
        // Both tables are in the order of numbers, so they are merged rather than looked up.
        let mut counts = Numbers(Pages::all(self.rows, Table::ChunkRc).peekable());
        for row in Pages::all(self.rows, Table::Chunk) {
            let (key, value) = row?;
            let (number, row) = (number_behind(&key, 0)?, ChunkRow::decode(&value)?);
            let mut kept = None;
            while let Some((counted, refs)) = counts.next_until(number)? {
                if counted == number {
                    kept = Some(refs);
                } else {
                    self.out.note(Finding::ChunkRefs { chunk: ChunkNo(counted), kept: refs, found: 0 });
                }
            }
            self.chunk(ChunkNo(number), &row, kept)?;
        }
        while let Some((counted, kept)) = counts.next_until(u64::MAX)? {
            self.out.note(Finding::ChunkRefs { chunk: ChunkNo(counted), kept, found: 0 });
        }
        let out = &mut self.out;
        self.chunks.each(|chunk| out.note(Finding::NoChunk(ChunkNo(chunk))));
        Ok(())
    }

    fn chunk(&mut self, chunk: ChunkNo, row: &ChunkRow, kept: Option<u64>) -> Result<(), StoreError> {
        self.out.chunks += 1;
        let needed = self.chunks.is_needed(chunk.0);
        let found = self.chunks.take(chunk.0);
        match (needed, found) {
            (true, _) => self.out.referenced += 1,
            (false, 0) => self.out.unreferenced += 1,
            (false, _) => self.out.queued += 1,
        }
        if kept.unwrap_or(1) != found && (found > 0 || kept.is_some()) {
            self.out.note(Finding::ChunkRefs { chunk, kept: kept.unwrap_or(1), found });
        }
        if found > 0 && !self.segments.contains(&row.segment) {
            self.out.note(Finding::NoSegment(chunk));
        }
        match row.state {
            ChunkState::Condemned if found > 0 => self.out.note(Finding::Condemned(chunk)),
            ChunkState::Bad if needed => self.out.note(Finding::Bad(chunk)),
            _ => {}
        }
        if found == 0 {
            let why = if row.state == ChunkState::Condemned { Queued::Condemned } else { Queued::Idle };
            if self.rows.get(Table::Queue, &queue_at(why, chunk.0))?.is_none() {
                self.out.note(Finding::Lost(chunk));
            }
        }
        Ok(())
    }
}

/// Small counts by number, most of them near each other: pages of four bytes each.
#[derive(Default)]
struct Counts(BTreeMap<u64, Vec<u32>>);

impl Counts {
    const PAGE: u64 = 4096;

    fn add(&mut self, number: u64, needed: bool) {
        let page = self.0.entry(number / Self::PAGE).or_insert_with(|| vec![0; Self::PAGE as usize]);
        if let Some(count) = page.get_mut((number % Self::PAGE) as usize) {
            let more = (*count & !NEEDED).saturating_add(1).min(NEEDED - 1);
            *count = more | (*count & NEEDED) | if needed { NEEDED } else { 0 };
        }
    }

    fn count(&self, number: u64) -> u32 {
        let page = self.0.get(&(number / Self::PAGE));
        page.and_then(|page| page.get((number % Self::PAGE) as usize)).copied().unwrap_or(0)
    }

    fn is_needed(&self, number: u64) -> bool {
        self.count(number) & NEEDED != 0
    }

    /// The count, which is forgotten.
    fn take(&mut self, number: u64) -> u64 {
        let page = self.0.get_mut(&(number / Self::PAGE));
        let count = page.and_then(|page| page.get_mut((number % Self::PAGE) as usize));
        u64::from(count.map(std::mem::take).unwrap_or(0) & !NEEDED)
    }

    /// Every number that still has a count.
    fn each(&self, mut visit: impl FnMut(u64)) {
        for (page, counts) in &self.0 {
            for (index, _) in (0..).zip(counts).filter(|(_, count)| **count != 0) {
                visit(page * Self::PAGE + index);
            }
        }
    }
}

/// A table of numbers by number, in order.
struct Numbers<'a>(Peekable<Pages<&'a dyn Rows>>);

impl Numbers<'_> {
    /// The next row's two numbers, unless the first is above `last`.
    fn next_until(&mut self, last: u64) -> Result<Option<(u64, u64)>, StoreError> {
        // What cannot be read or understood is told, wherever it is.
        let is_due = |row: &Result<KeyValue, StoreError>| {
            let number = row.as_ref().ok().and_then(|(key, _)| number_behind(key, 0).ok());
            number.is_none_or(|number| number <= last)
        };
        let Some((key, value)) = self.0.next_if(is_due).transpose()? else { return Ok(None) };
        Ok(Some((number_behind(&key, 0)?, NumberRow::decode(&value)?.number)))
    }
}

/// The pages of a manifest.
fn pages_of(rows: &dyn Rows, id: u64) -> Pages<&dyn Rows> {
    Pages::of(rows, Table::Page, KeyRange::prefix(number_key(id)))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            manifest,
            rows::{Piece, SegmentRow, add_chunk_refs},
        },
        *,
    };
    use crate::store::{meta::rows::RowsMut, rows::memory::Memory};

    fn chunk(rows: &mut Memory, number: u64) {
        let row = ChunkRow {
            segment: SegmentId(1),
            offset: 0,
            stored_len: 1,
            raw_len: 10,
            codec: 0,
            domain: 1,
            state: ChunkState::Live,
            digest: [0; 32],
            crc32: 0,
            crc32c: 0,
            crc64: 0,
        };
        rows.put(Table::Chunk, number_key(number), row.encode());
    }

    fn leaf(rows: &mut Memory, id: u64, chunks: &[u64]) {
        let pieces: Vec<Piece> = chunks.iter().map(|&chunk| Piece { target: Some(chunk), len: 10 }).collect();
        let size = manifest::put_pages(rows, ManifestId(id), 0, &pieces);
        let pieces = pieces.len() as u64;
        let row = ManifestRow { shape: Shape::Leaf, life: Life::Live, size, refs: 1, pieces, profile: 1 };
        manifest::put(rows, ManifestId(id), &row);
    }

    /// Chunk 5000 twice in manifest 1 and once in 2; 1 and 2 make 3; 4 has chunk 7.
    fn store() -> Memory {
        let mut rows = Memory::default();
        let segment = SegmentRow { kind: 0, sealed: true, length: 9 };
        rows.put(Table::Segment, number_key(1), segment.encode());
        for number in [1, 5000, 7] {
            chunk(&mut rows, number);
        }
        leaf(&mut rows, 1, &[1, 5000, 5000]);
        leaf(&mut rows, 2, &[5000]);
        leaf(&mut rows, 4, &[7]);
        add_chunk_refs(&mut rows, ChunkNo(5000), 2).unwrap();
        manifest::compose_as(&mut rows, ManifestId(3), &[(ManifestId(1), 30), (ManifestId(2), 10)]).unwrap();
        rows
    }

    fn count(rows: &Memory, references: &[u64]) -> Recount {
        recount(rows, &mut references.iter().map(|&id| Ok(ManifestId(id)))).unwrap()
    }

    #[test]
    fn a_sound_store_adds_up() {
        let recount = count(&store(), &[3, 4]);
        assert_eq!(recount.findings, []);
        assert_eq!((recount.manifests, recount.chunks, recount.referenced), (4, 3, 3));
    }

    #[test]
    fn what_was_released_is_queued_with_all_it_refers_to() {
        let mut rows = store();
        manifest::release(&mut rows, ManifestId(3)).unwrap();
        let recount = count(&rows, &[4]);
        assert_eq!(recount.findings, []);
        assert_eq!((recount.referenced, recount.queued, recount.unreferenced), (1, 2, 0));
    }

    #[test]
    fn every_kind_of_disagreement_is_found() {
        type Break = fn(&mut Memory);
        let cases: [(Break, Finding); 9] = [
            (|rows| rows.delete(Table::Segment, number_key(1)), Finding::NoSegment(ChunkNo(7))),
            (
                |rows| manifest::retain(rows, ManifestId(4)).unwrap(),
                Finding::ManifestRefs { manifest: ManifestId(4), kept: 2, found: 1 },
            ),
            (|rows| rows.delete(Table::Manifest, number_key(2)), Finding::NoManifest(ManifestId(2))),
            (|rows| rows.delete(Table::Manifest, number_key(2)), Finding::StrayPage(ManifestId(2))),
            (|rows| rows.delete(Table::Chunk, number_key(7)), Finding::NoChunk(ChunkNo(7))),
            (
                |rows| rows.delete(Table::ChunkRc, number_key(5000)),
                Finding::ChunkRefs { chunk: ChunkNo(5000), kept: 1, found: 3 },
            ),
            (
                |rows| rows.put(Table::ChunkRc, number_key(6), NumberRow { number: 2 }.encode()),
                Finding::ChunkRefs { chunk: ChunkNo(6), kept: 2, found: 0 },
            ),
            (
                |rows| rows.put(Table::Queue, queue_key(Queued::Released, ManifestId(4)), Vec::new()),
                Finding::Queue(ManifestId(4)),
            ),
            (
                |rows| rows.delete(Table::Page, super::super::rows::page_key(ManifestId(4), 0)),
                Finding::Pages(ManifestId(4)),
            ),
        ];
        for (damage, expected) in cases {
            let mut rows = store();
            damage(&mut rows);
            let recount = count(&rows, &[3, 4]);
            assert!(recount.findings.contains(&expected), "{expected}: {:?}", recount.findings);
        }
    }
}
