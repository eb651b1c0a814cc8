//! The lists of bytes and their reference counts, inside transactions.
//!
//! A leaf lists chunks and holes, a composite lists leaves; there is no third level. Whoever
//! writes a row that names a manifest holds one reference of it. Knows rows only, no bytes.

use std::ops::Range;

use super::rows::{
    Life, ManifestRow, PIECES_PER_PAGE, PageRow, Piece, Queued, Shape, find, number_behind, number_key,
    page_key, queue_key,
};
use crate::{
    model::{ids::ManifestId, limits},
    store::{
        error::StoreError,
        faults::Fault,
        meta::{
            Kind, Tx,
            codec::Row,
            rows::{KeyRange, Order, Rows, RowsMut},
            table::Table,
        },
    },
};

/// Adds a reference, for a copy.
///
/// # Errors
/// Damaged if nothing refers to the manifest so far.
pub fn retain(tx: &mut dyn RowsMut, id: ManifestId) -> Result<(), StoreError> {
    let mut row = load_live(tx, id)?;
    if !tx.faults().has(Fault::CopyNotCounted) {
        row.refs += 1;
    }
    put(tx, id, &row);
    Ok(())
}

/// Takes a reference away. With the last one the manifest is queued for the collector; its row
/// and pages stay until then.
///
/// # Errors
/// Damaged if nothing refers to the manifest.
pub fn release(tx: &mut dyn RowsMut, id: ManifestId) -> Result<(), StoreError> {
    let mut row = load_live(tx, id)?;
    row.refs -= 1;
    if row.refs == 0 {
        row.life = Life::Released;
        tx.put(Table::Queue, queue_key(Queued::Released, id), Vec::new());
    }
    put(tx, id, &row);
    Ok(())
}

/// Bytes of the content.
///
/// # Errors
/// Damaged if there is no such manifest.
pub fn size(rows: &dyn Rows, id: ManifestId) -> Result<u64, StoreError> {
    Ok(load(rows, id)?.size)
}

/// Whether it is made of parts.
///
/// # Errors
/// As [`size`].
pub fn is_composite(rows: &dyn Rows, id: ManifestId) -> Result<bool, StoreError> {
    Ok(load(rows, id)?.shape == Shape::Composite)
}

/// How many parts it is made of; a leaf is one.
///
/// # Errors
/// As [`size`].
pub fn parts(rows: &dyn Rows, id: ManifestId) -> Result<u32, StoreError> {
    let row = load(rows, id)?;
    Ok(match row.shape {
        Shape::Leaf => 1,
        Shape::Composite => u32::try_from(row.pieces).unwrap_or(u32::MAX),
    })
}

/// Where the part with this number lies, counted from 1; `None` if there are not so many.
///
/// # Errors
/// As [`size`].
pub fn part(rows: &dyn Rows, id: ManifestId, number: u32) -> Result<Option<Range<u64>>, StoreError> {
    let row = load(rows, id)?;
    let Some(mut skip) = number.checked_sub(1).map(|skip| skip as usize) else { return Ok(None) };
    if row.shape == Shape::Leaf {
        return Ok((skip == 0).then_some(0..row.size));
    }
    let range = KeyRange::prefix(number_key(id.0));
    for (key, value) in rows.scan(Table::Page, &range, Order::Forward, limits::PARTS as usize)? {
        let page = PageRow::decode(&value)?;
        if skip < page.pieces.len() {
            let before: u64 = page.pieces.iter().take(skip).map(|piece| piece.len).sum();
            let start = number_behind(&key, 8)? + before;
            return Ok(page.pieces.get(skip).map(|piece| start..start + piece.len));
        }
        skip -= page.pieces.len();
    }
    Ok(None)
}

/// The sizes of all parts, in order; a leaf is one.
///
/// # Errors
/// As [`size`].
pub fn part_sizes(rows: &dyn Rows, id: ManifestId) -> Result<Vec<u64>, StoreError> {
    let row = load(rows, id)?;
    if row.shape == Shape::Leaf {
        return Ok(vec![row.size]);
    }
    let mut sizes = Vec::new();
    let range = KeyRange::prefix(number_key(id.0));
    for (_, value) in rows.scan(Table::Page, &range, Order::Forward, limits::PARTS as usize)? {
        sizes.extend(PageRow::decode(&value)?.pieces.iter().map(|piece| piece.len));
    }
    Ok(sizes)
}

/// Makes the concatenation of leaves, taking over the caller's reference of each. The lengths
/// are what the caller believes, and are checked.
///
/// # Errors
/// Refused if a part is no complete leaf of that length, if any but the last is empty, or if
/// there are none or too many.
pub fn compose(tx: &mut Tx<'_>, parts: &[(ManifestId, u64)]) -> Result<ManifestId, StoreError> {
    let id = ManifestId(tx.fresh(Kind::Manifest)?);
    compose_as(tx, id, parts)?;
    Ok(id)
}

/// [`compose`] under a given id.
pub(super) fn compose_as(
    tx: &mut dyn RowsMut,
    id: ManifestId,
    parts: &[(ManifestId, u64)],
) -> Result<(), StoreError> {
    let refused = |why: &str| Err(StoreError::Refused(format!("cannot compose: {why}")));
    if parts.is_empty() || parts.len() > limits::PARTS as usize {
        return refused("too few or too many parts");
    }
    let mut pieces = Vec::with_capacity(parts.len());
    for (index, &(part, len)) in parts.iter().enumerate() {
        let row = load_live(tx, part)?;
        if row.shape != Shape::Leaf || row.size != len {
            return refused("a part is not a leaf of its length");
        }
        if len == 0 && index + 1 < parts.len() {
            return refused("a part before the last is empty");
        }
        pieces.push(Piece { target: Some(part.0), len });
    }
    let size = put_pages(tx, id, 0, &pieces);
    let pieces = pieces.len() as u64;
    put(
        tx,
        id,
        &ManifestRow { shape: Shape::Composite, life: Life::Live, size, refs: 1, pieces, profile: 0 },
    );
    Ok(())
}

/// Writes pieces as page rows from `start` on; where they end.
pub(crate) fn put_pages(tx: &mut dyn RowsMut, id: ManifestId, mut start: u64, pieces: &[Piece]) -> u64 {
    for pieces in pieces.chunks(PIECES_PER_PAGE) {
        tx.put(Table::Page, page_key(id, start), PageRow { pieces: pieces.to_vec() }.encode());
        start += pieces.iter().map(|piece| piece.len).sum::<u64>();
    }
    start
}

/// A piece and where it starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Placed {
    pub(crate) start: u64,
    pub(crate) piece: Piece,
}

impl Placed {
    pub(crate) fn end(&self) -> u64 {
        self.start + self.piece.len
    }
}

/// Pieces from the one that holds `offset` on, of at most `pages` pages. Empty at the end.
pub(crate) fn pieces_at(
    rows: &dyn Rows,
    id: ManifestId,
    offset: u64,
    pages: usize,
) -> Result<Vec<Placed>, StoreError> {
    let all = KeyRange::prefix(number_key(id.0));
    let before = all.clone().until(page_key(id, offset.saturating_add(1)));
    let first = rows.scan(Table::Page, &before, Order::Reverse, 1)?;
    let Some((first, _)) = first.into_iter().next() else { return Ok(Vec::new()) };
    let mut placed = Vec::new();
    for (key, value) in rows.scan(Table::Page, &all.from(first), Order::Forward, pages)? {
        let mut start = number_behind(&key, 8)?;
        for piece in PageRow::decode(&value)?.pieces {
            placed.push(Placed { start, piece });
            start += piece.len;
        }
    }
    placed.retain(|placed| placed.end() > offset);
    Ok(placed)
}

/// The pieces of the first page, found by its key. Empty if there is none.
pub(crate) fn first_pieces(rows: &dyn Rows, id: ManifestId) -> Result<Vec<Placed>, StoreError> {
    let page: Option<PageRow> = find(rows, Table::Page, &page_key(id, 0))?;
    let mut start = 0;
    let placed = page.into_iter().flat_map(|page| page.pieces).map(|piece| {
        let placed = Placed { start, piece };
        start = placed.end();
        placed
    });
    Ok(placed.collect())
}

/// The row.
pub(crate) fn load(rows: &dyn Rows, id: ManifestId) -> Result<ManifestRow, StoreError> {
    find(rows, Table::Manifest, &number_key(id.0))?
        .ok_or_else(|| StoreError::Damaged(format!("manifest {id} has no row")))
}

fn load_live(rows: &dyn Rows, id: ManifestId) -> Result<ManifestRow, StoreError> {
    let row = load(rows, id)?;
    if row.life != Life::Live || row.refs == 0 {
        return Err(StoreError::Damaged(format!("manifest {id} is used without a reference")));
    }
    Ok(row)
}

/// Writes the row.
pub(crate) fn put(tx: &mut dyn RowsMut, id: ManifestId, row: &ManifestRow) {
    tx.put(Table::Manifest, number_key(id.0), row.encode());
}

/// Queues an open manifest that will not be finished; one that was is left alone.
pub(crate) fn abandon(tx: &mut dyn RowsMut, id: ManifestId) -> Result<(), StoreError> {
    let found: Option<ManifestRow> = find(tx, Table::Manifest, &number_key(id.0))?;
    tx.delete(Table::Queue, queue_key(Queued::Open, id));
    if let Some(mut row) = found.filter(|row| row.life == Life::Open) {
        row.life = Life::Released;
        put(tx, id, &row);
        tx.put(Table::Queue, queue_key(Queued::Released, id), Vec::new());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::rows::queued, *};
    use crate::store::rows::memory::Memory;

    fn leaf(rows: &mut Memory, id: u64, lens: &[u64]) {
        let pieces: Vec<Piece> = lens.iter().map(|&len| Piece { target: Some(9), len }).collect();
        let size = put_pages(rows, ManifestId(id), 0, &pieces);
        let pieces = pieces.len() as u64;
        let row = ManifestRow { shape: Shape::Leaf, life: Life::Live, size, refs: 1, pieces, profile: 1 };
        put(rows, ManifestId(id), &row);
    }

    #[test]
    fn the_last_release_queues_a_manifest_and_nothing_revives_it() {
        let mut rows = Memory::default();
        leaf(&mut rows, 1, &[5]);
        retain(&mut rows, ManifestId(1)).unwrap();
        release(&mut rows, ManifestId(1)).unwrap();
        assert!(queued(&rows, Queued::Released, None, 9).unwrap().is_empty());
        release(&mut rows, ManifestId(1)).unwrap();
        assert_eq!(queued(&rows, Queued::Released, None, 9).unwrap(), [ManifestId(1)]);
        assert_eq!(size(&rows, ManifestId(1)).unwrap(), 5);
        assert!(retain(&mut rows, ManifestId(1)).is_err());
        assert!(release(&mut rows, ManifestId(1)).is_err());
        assert!(release(&mut rows, ManifestId(2)).is_err());
    }

    #[test]
    fn parts_are_found_by_number_across_pages() {
        let mut rows = Memory::default();
        let mut parts = Vec::new();
        for number in 1..=200 {
            leaf(&mut rows, number, &[number]);
            parts.push((ManifestId(number), number));
        }
        leaf(&mut rows, 201, &[]);
        parts.push((ManifestId(201), 0));
        let whole = ManifestId(1000);
        compose_as(&mut rows, whole, &parts).unwrap();
        assert_eq!(size(&rows, whole).unwrap(), 20_100);
        assert_eq!(super::parts(&rows, whole).unwrap(), 201);
        assert!(is_composite(&rows, whole).unwrap());
        assert_eq!(part(&rows, whole, 1).unwrap(), Some(0..1));
        assert_eq!(part(&rows, whole, 81).unwrap(), Some(3240..3321));
        assert_eq!(part(&rows, whole, 201).unwrap(), Some(20_100..20_100));
        assert_eq!(part(&rows, whole, 202).unwrap(), None);
        assert_eq!(part(&rows, whole, 0).unwrap(), None);
        assert_eq!(part(&rows, ManifestId(7), 1).unwrap(), Some(0..7));
        assert_eq!(part(&rows, ManifestId(7), 2).unwrap(), None);
    }

    #[test]
    fn only_live_leaves_of_the_right_length_are_composed() {
        let mut rows = Memory::default();
        leaf(&mut rows, 1, &[5]);
        leaf(&mut rows, 2, &[]);
        compose_as(&mut rows, ManifestId(3), &[(ManifestId(1), 5), (ManifestId(2), 0)]).unwrap();
        let one = |id, len| vec![(ManifestId(id), len)];
        for parts in [one(1, 4), one(3, 5), Vec::new(), [one(2, 0), one(1, 5)].concat(), one(8, 1)] {
            assert!(compose_as(&mut rows, ManifestId(4), &parts).is_err(), "{parts:?}");
        }
    }

    #[test]
    fn pieces_are_found_from_any_offset() {
        let mut rows = Memory::default();
        leaf(&mut rows, 1, &[10; 300]);
        for offset in [0, 1, 9, 10, 799, 800, 801, 2_999] {
            let placed = pieces_at(&rows, ManifestId(1), offset, 2).unwrap();
            assert_eq!(placed[0].start, offset / 10 * 10, "{offset}");
            assert!(placed.len() <= 160);
        }
        assert_eq!(pieces_at(&rows, ManifestId(1), 3_000, 2).unwrap(), []);
        assert_eq!(pieces_at(&rows, ManifestId(2), 0, 2).unwrap(), []);
    }
}
