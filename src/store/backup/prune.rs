//! Removes older points, and copies of segments that none of the others needs. Never from a
//! partial view: if one list cannot be read, or is not as the store made it, nothing goes; nor does what
//! no backup would have made.

use std::collections::BTreeSet;

use super::{
    BackupFolder, Part, Point, PointKey,
    folder::{BAD, POINTS, SEGMENTS},
    names::is_copy,
};
use crate::store::{
    error::StoreError,
    faults::{Fault, Faults},
    io::Site,
};

/// Leaves the `keep` newest points, one at least; how many were removed.
pub(super) fn prune(folder: &BackupFolder, key: &PointKey, keep: usize) -> Result<u64, StoreError> {
    let numbers = folder.numbers()?;
    let (older, kept) = numbers.split_at(numbers.len().saturating_sub(keep.max(1)));
    let mut needed = BTreeSet::new();
    for number in kept {
        needed.extend(folder.vouched(*number, key)?.segments.iter().map(super::SegmentCopy::name));
    }
    if Faults::of(folder.io()).has(Fault::CopiesGoFirst) {
        copies(folder, &needed)?;
    }
    // The list first: what it names may only go once there is no such point.
    for number in older {
        folder.io().remove(&Point::path(*number))?;
    }
    folder.io().sync_dir(POINTS, Site::BackupDir)?;
    for (number, part) in older.iter().flat_map(|number| Part::ALL.map(|part| (number, part))) {
        folder.io().remove(&part.path(*number))?;
    }
    copies(folder, &needed)?;
    Ok(older.len() as u64)
}

/// Removes the copies of segments that are not needed.
fn copies(folder: &BackupFolder, needed: &BTreeSet<String>) -> Result<(), StoreError> {
    for name in folder.io().list(SEGMENTS)? {
        let copy = name.strip_suffix(BAD).unwrap_or(&name);
        if is_copy(copy) && !needed.contains(copy) {
            folder.io().remove(&format!("{SEGMENTS}/{name}"))?;
        }
    }
    Ok(())
}
