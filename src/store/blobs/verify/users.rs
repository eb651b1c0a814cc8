//! From chunks back to the manifests that need them: one walk over all pages, and what one
//! manifest needs, with the places. Keeps nothing; who asks keeps what it wants to know.

use super::{
    super::rows::{ManifestRow, PageRow, Shape, find, number_behind, number_key},
    pages_of,
};
use crate::{
    model::ids::{ChunkNo, ManifestId},
    store::{
        error::StoreError,
        meta::{codec::Row, pages::Pages, rows::Rows, table::Table},
    },
};

/// Names every manifest that needs one of some chunks directly; a manifest may be named again.
///
/// # Errors
/// If a row cannot be read: then nothing is known.
pub fn users_of_chunks(
    rows: &dyn Rows,
    is_one: &dyn Fn(ChunkNo) -> bool,
    met: &mut dyn FnMut(ManifestId),
) -> Result<(), StoreError> {
    for page in Pages::all(rows, Table::Page) {
        let (key, value) = page?;
        let id = number_behind(&key, 0)?;
        let mut targets = PageRow::decode(&value)?.pieces.into_iter().filter_map(|piece| piece.target);
        if targets.any(|target| is_one(ChunkNo(target))) && shape(rows, id)? == Some(Shape::Leaf) {
            met(ManifestId(id));
        }
    }
    Ok(())
}

/// Names every composite that is made of some manifests.
///
/// # Errors
/// As [`users_of_chunks`].
pub fn users_of_manifests(
    rows: &dyn Rows,
    is_one: &dyn Fn(ManifestId) -> bool,
    met: &mut dyn FnMut(ManifestId),
) -> Result<(), StoreError> {
    for row in Pages::all(rows, Table::Manifest) {
        let (key, value) = row?;
        let id = number_behind(&key, 0)?;
        if ManifestRow::decode(&value)?.shape != Shape::Composite {
            continue;
        }
        for page in pages_of(rows, id) {
            let mut parts = PageRow::decode(&page?.1)?.pieces.into_iter().filter_map(|piece| piece.target);
            if parts.any(|part| is_one(ManifestId(part))) {
                met(ManifestId(id));
            }
        }
    }
    Ok(())
}

/// A chunk of a manifest, where it begins and how long it is.
pub type Used = (ChunkNo, u64, u64);

/// Names every chunk of a manifest in order, those of its parts too.
///
/// # Errors
/// As [`users_of_chunks`].
pub fn chunks_of(rows: &dyn Rows, id: ManifestId, met: &mut dyn FnMut(Used)) -> Result<(), StoreError> {
    let mut parts = Vec::new();
    let composite = shape(rows, id.0)? == Some(Shape::Composite);
    let mut at = 0;
    for page in pages_of(rows, id.0) {
        for piece in PageRow::decode(&page?.1)?.pieces {
            match piece.target {
                Some(part) if composite => parts.push((part, at)),
                Some(chunk) => met((ChunkNo(chunk), at, piece.len)),
                None => {}
            }
            at += piece.len;
        }
    }
    for (part, start) in parts {
        let mut at = start;
        for page in pages_of(rows, part) {
            for piece in PageRow::decode(&page?.1)?.pieces {
                if let Some(chunk) = piece.target {
                    met((ChunkNo(chunk), at, piece.len));
                }
                at += piece.len;
            }
        }
    }
    Ok(())
}

fn shape(rows: &dyn Rows, id: u64) -> Result<Option<Shape>, StoreError> {
    let row: Option<ManifestRow> = find(rows, Table::Manifest, &number_key(id))?;
    Ok(row.map(|row| row.shape))
}
