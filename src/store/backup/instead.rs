//! What stands in a point for a segment that the store has lost, all of it or a part: the best copy that
//! earlier points of the same store list. A copy that no point lists goes when the older points go, and may
//! be the last. Rows name each chunk by its digest, so nothing wrong is ever served from one.

use std::{cmp::Reverse, ops::Range};

use super::{BackupFolder, SegmentCopy};
use crate::store::{
    error::StoreError,
    io::{File, walk},
    segments::is_flaw,
};

/// For a segment of which nothing can be read.
pub(super) fn of_all(
    folder: &BackupFolder,
    needed: u64,
    earlier: &[SegmentCopy],
) -> Result<Option<SegmentCopy>, StoreError> {
    Ok(best_first(folder, needed, earlier)?.first().copied())
}

/// For one of which a copy was made that has zeros in places, or ends too early: another that is as long
/// as rows name it, and the same wherever it could be read. A store that was set back writes other
/// segments under the same numbers; these are the same in no place.
pub(super) fn of_a_part(
    folder: &BackupFolder,
    (copy, zeros): (&SegmentCopy, &[Range<u64>]),
    needed: u64,
    earlier: &[SegmentCopy],
) -> Result<Option<SegmentCopy>, StoreError> {
    let Some(file) = folder.segment(copy)? else { return Ok(None) };
    for other in best_first(folder, needed, earlier)? {
        if other.length < needed || other.digest == copy.digest {
            continue;
        }
        let Some(theirs) = folder.segment(&other)? else { continue };
        match is_same(&*file, &*theirs, copy.length.min(other.length), zeros) {
            Ok(true) => return Ok(Some(other)),
            Ok(false) => {}
            Err(error) if is_flaw(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The copies that are there: first those with all that is needed, then those without zeros, the longest,
/// the newest.
fn best_first(
    folder: &BackupFolder,
    needed: u64,
    earlier: &[SegmentCopy],
) -> Result<Vec<SegmentCopy>, StoreError> {
    let mut found = Vec::new();
    for copy in earlier.iter().rev() {
        if folder.holds(copy)? {
            found.push(*copy);
        }
    }
    found.sort_by_key(|copy| Reverse((copy.length >= needed, copy.seal.is_some(), copy.length)));
    Ok(found)
}

/// Whether two files have the same bytes but where the first has zeros for what could not be read.
fn is_same(file: &dyn File, other: &dyn File, length: u64, zeros: &[Range<u64>]) -> Result<bool, StoreError> {
    let (mut same, mut theirs) = (true, Vec::new());
    walk(file, length, |bytes, at| {
        theirs.resize(bytes.len(), 0);
        other.read_at(&mut theirs, at)?;
        for zero in zeros {
            let within = |place: u64| usize::try_from(place.saturating_sub(at)).unwrap_or(usize::MAX);
            let (from, to) = (within(zero.start), within(zero.end).min(bytes.len()));
            theirs.get_mut(from..to).into_iter().for_each(|bytes| bytes.fill(0));
        }
        same &= theirs == bytes;
        Ok::<_, StoreError>(())
    })?;
    Ok(same)
}
