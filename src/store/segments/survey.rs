//! Segments that nothing but their files tells of.

use super::{path, record::RecordHeader, scan};
use crate::{
    model::ids::SegmentId,
    store::{
        error::StoreError,
        io::{Io, Mode},
    },
};

/// What a file of a segment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Surveyed {
    /// Bytes of the file.
    pub length: u64,
    /// Bytes between whole records that are none, and all up to the last that the disk refuses.
    pub damaged: u64,
}

/// The segments that have files, in order.
///
/// # Errors
/// When the disk fails.
pub fn all(io: &dyn Io) -> Result<Vec<SegmentId>, StoreError> {
    let mut found = Vec::new();
    for hi in io.list(path::ROOT)? {
        let names = io.list(&format!("{}/{hi}", path::ROOT))?;
        found.extend(names.iter().filter_map(|name| path::parse(&hi, name)));
    }
    found.sort_unstable();
    Ok(found)
}

/// Meets every whole record of a segment, in order. The stored bytes of each were read and are what
/// was written.
///
/// # Errors
/// When the disk fails.
pub fn survey(
    io: &dyn Io,
    uuid: [u8; 16],
    segment: SegmentId,
    meet: &mut dyn FnMut(&RecordHeader),
) -> Result<Surveyed, StoreError> {
    let file = io.open(&path::file(segment), Mode::Read)?;
    let found = scan::walk(&*file, uuid, segment, meet)?;
    Ok(Surveyed { length: file.len()?, damaged: found.damaged })
}

/// Where a segment's file is, for tests that damage it.
#[cfg(test)]
pub(in crate::store) fn path_of(segment: SegmentId) -> String {
    path::file(segment)
}
