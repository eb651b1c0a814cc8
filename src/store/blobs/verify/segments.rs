//! Every segment that chunks lie in has its file, and the file holds them all. Looks at lengths
//! only; reading the bytes again is the scrubber's.

use std::collections::BTreeMap;

use super::super::rows::{ChunkRow, known_segments};
use crate::{
    model::ids::SegmentId,
    store::{
        error::StoreError,
        meta::{codec::Row, pages::Pages, rows::Rows, table::Table},
        segments::Segments,
    },
};

/// What was found of the segments.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SegmentCount {
    /// Segments with a row.
    pub segments: u64,
    /// A sentence for everything that is not as it should be.
    pub findings: Vec<String>,
}

/// Looks at every segment that has a row.
///
/// # Errors
/// If a row or the disk could not be read: then nothing is known.
pub fn segments(rows: &dyn Rows, segments: &Segments) -> Result<SegmentCount, StoreError> {
    let mut ends: BTreeMap<SegmentId, u64> = BTreeMap::new();
    for row in Pages::all(rows, Table::Chunk) {
        let row = ChunkRow::decode(&row?.1)?;
        let end = ends.entry(row.segment).or_default();
        *end = (*end).max(row.offset.saturating_add(u64::from(row.stored_len)));
    }
    let mut out = SegmentCount::default();
    for (segment, state) in known_segments(rows)? {
        out.segments += 1;
        // One that nothing was written to may have no file yet.
        let Some(end) = ends.remove(&segment) else { continue };
        match segments.length(segment)? {
            None => out.findings.push(format!("the file of segment {segment} is missing")),
            Some(length) if length < end.max(state.length) => {
                let wanted = end.max(state.length);
                out.findings.push(format!("segment {segment} has {length} bytes of {wanted}"));
            }
            Some(_) if state.sealed && end > state.length => {
                out.findings.push(format!("chunks lie behind the end of segment {segment}"));
            }
            Some(_) => {}
        }
    }
    Ok(out)
}
