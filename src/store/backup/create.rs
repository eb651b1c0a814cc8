//! Makes a point, while the store works or not.
//!
//! ```text
//! hold ─ rows (one read transaction) ─ segments they name ─ let go ─ list of the point ─ older go
//! ```

use std::collections::BTreeMap;

use super::{
    BackupFolder, Lost, Part, Point, PointFile, PointKey, Progress, SegmentCopy, Watch,
    copying::{digest_of, telling},
    folder::{POINTS, SEGMENTS},
    instead,
    prune::prune,
};
use crate::{
    model::{ids::SegmentId, limits::BACKUP_SEGMENTS},
    store::{
        Store,
        blobs::{emptied_segments, known_segments},
        collect::Hold,
        dir,
        error::StoreError,
        faults::{Fault, Faults},
        io::{File, Io, Site, is_refusal, open_if_there},
        segments::{SEGMENT_HEADER, SegmentState, file_of},
        snapshots,
        sync::Arc,
    },
};

/// A segment of which a part cannot be read. The copy has zeros there, unless one of an earlier point stands
/// for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unread {
    /// Which.
    pub segment: SegmentId,
    /// Bytes of it that could not be read.
    pub bytes: u64,
}

/// What a backup came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Done {
    /// The number of the point.
    pub number: u64,
    /// Bytes that belong to it.
    pub bytes: u64,
    /// Segments that belong to it.
    pub segments: u64,
    /// Segments that were copied; the others were there from earlier points.
    pub copied: u64,
    /// Bytes that were copied, of segments and rows.
    pub copied_bytes: u64,
    /// Segments the rows name that are not there: damage of the store. The best copy of an earlier point
    /// stands for each, if there is one.
    pub missing: Vec<SegmentId>,
    /// Segments that could not be read whole: damage of the store. All else of them is there.
    pub unread: Vec<Unread>,
    /// Points that were removed.
    pub removed: u64,
    /// Why older points were not removed although they should have been.
    pub not_removed: Option<String>,
}

/// Makes a point in a folder and leaves the `keep` newest. `keys` are kept with it as they are, and
/// `key` is what tells it from one that somebody else made.
///
/// # Errors
/// Refused for a folder of something else, busy while another backup goes there, full or failed as
/// either disk says. The points before are whole then.
pub fn create(
    store: &Arc<Store>,
    io: Arc<dyn Io>,
    (keys, key): (&[u8], &PointKey),
    keep: Option<usize>,
    watch: Watch<'_>,
) -> Result<Done, StoreError> {
    let (folder, _lock) = BackupFolder::take(io, store.dir().uuid())?;
    let numbers = folder.numbers()?;
    folder.tidy(&numbers.iter().copied().collect())?;
    let number = numbers.last().map_or(Some(1), |last| last.checked_add(1)).ok_or_else(|| {
        let last = Point::path(u64::MAX);
        StoreError::Refused(format!("{last} has the last number there is; move it away"))
    })?;
    let earlier = earlier(&folder, &numbers, key);

    let hold = Hold::take(store);
    let mut making = Making { store, folder: &folder, number, files: Vec::new() };
    let (known, point) = making.rows(watch)?;
    making.bytes(Part::Format, &dir::format_bytes(&**store.io())?)?;
    making.bytes(Part::Keys, keys)?;
    let mut done = Done {
        number,
        bytes: 0,
        segments: 0,
        copied: 0,
        copied_bytes: making.files.iter().map(|file| file.length).sum(),
        missing: Vec::new(),
        unread: Vec::new(),
        removed: 0,
        not_removed: None,
    };
    let segments = making.segments(known, &earlier, &mut done, watch)?;
    drop(hold);

    let point = Point { files: making.files, segments, lost: lost(&done), ..point }.signed(key);
    (done.bytes, done.segments) = (point.bytes(), point.segments.len() as u64);
    if Faults::of(folder.io()).has(Fault::PointListedFirst) {
        folder.put_text(&Point::path(number), &point.text())?;
    }
    folder.io().sync_dir(SEGMENTS, Site::BackupDir)?;
    folder.io().sync_dir(POINTS, Site::BackupDir)?;
    folder.put_text(&Point::path(number), &point.text())?;
    if let Some(keep) = keep {
        match prunable(&done).and_then(|()| prune(&folder, key, keep)) {
            Ok(removed) => done.removed = removed,
            // The point is made, whatever is wrong with others.
            Err(StoreError::Io(source)) => done.not_removed = Some(source.to_string()),
            Err(error) => done.not_removed = Some(error.to_string()),
        }
    }
    Ok(done)
}

/// Copies of earlier points by segment. A point that cannot be read only means more to copy. So does
/// one that this store did not make: what it lists is whatever somebody put there, and this point
/// would vouch for it.
fn earlier(folder: &BackupFolder, numbers: &[u64], key: &PointKey) -> BTreeMap<SegmentId, Vec<SegmentCopy>> {
    let mut found: BTreeMap<_, Vec<SegmentCopy>> = BTreeMap::new();
    for copy in
        numbers.iter().filter_map(|number| folder.vouched(*number, key).ok()).flat_map(|it| it.segments)
    {
        let copies = found.entry(copy.segment).or_default();
        if !copies.contains(&copy) {
            copies.push(copy);
        }
    }
    found
}

/// What the store itself had lost, as the point tells it.
fn lost(done: &Done) -> Vec<Lost> {
    let missing = done.missing.iter().map(|segment| Lost { segment: *segment, bytes: None });
    let unread = done.unread.iter().map(|part| Lost { segment: part.segment, bytes: Some(part.bytes) });
    missing.chain(unread).collect()
}

/// Nothing is removed after a loss: what it took may lie in older points alone, and whoever reads of it has
/// not had the time to look.
fn prunable(done: &Done) -> Result<(), StoreError> {
    if done.missing.is_empty() && done.unread.is_empty() {
        return Ok(());
    }
    let why = "the store has lost something that older ones may still have";
    Err(StoreError::Refused(why.into()))
}

/// So that the list is not too long to be read again, which would be known when all is copied.
fn few_enough(segments: usize) -> Result<(), StoreError> {
    if segments <= BACKUP_SEGMENTS {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "the store has {segments} segments, and a backup takes at most {BACKUP_SEGMENTS}; `holdall compact` makes \
         fewer of many that are small"
    )))
}

/// Says what a row that cannot be read means for a backup.
fn of_rows(error: StoreError) -> StoreError {
    match error {
        StoreError::Damaged(why) => StoreError::Damaged(format!(
            "{why}; no backup is whole without it, so none was made, and those from before are as they were: \
             run `holdall check`"
        )),
        other => other,
    }
}

/// A point in the making.
struct Making<'a> {
    store: &'a Arc<Store>,
    folder: &'a BackupFolder,
    number: u64,
    files: Vec<PointFile>,
}

impl Making<'_> {
    /// Writes all rows; the segments they name, and the point without its lists.
    fn rows(&mut self, watch: Watch<'_>) -> Result<(Vec<(SegmentId, SegmentState)>, Point), StoreError> {
        let file = self.folder.create(&Part::Metadata.path(self.number))?;
        let taken_at = self.store.meta().now();
        let (uuid, number) = (self.store.dir().uuid(), self.number);
        let origin = snapshots::Origin { uuid, taken_at, number };
        let rows = self.store.snapshot()?;
        let emptied = emptied_segments(&rows).map_err(of_rows)?;
        let mut known = known_segments(&rows).map_err(of_rows)?;
        known.retain(|(segment, _)| !emptied.contains(segment));
        few_enough(known.len())?;
        let written = snapshots::write(&rows, origin, &*file, &mut |done| {
            watch(Progress { phase: "rows", done, total: 0 })
        });
        let (length, digest) = written.map_err(of_rows)?;
        // What later commits free is free again.
        drop(rows);
        file.sync(Site::BackupData)?;
        // What the point vouches for is what was written, whoever else writes there, and it is there.
        if digest_of(&*file, length, &mut |_| Ok(()))? != digest {
            let path = Part::Metadata.path(number);
            return Err(super::damaged(format!("{path} is not what was written there just now; try again")));
        }
        self.files.push(PointFile { part: Part::Metadata, length, digest });
        let incarnation = self.store.meta().incarnation();
        let (files, segments, lost, mac) = (Vec::new(), Vec::new(), Vec::new(), [0; 32]);
        let point = Point { number, uuid, taken_at, incarnation, files, segments, lost, mac };
        Ok((known, point))
    }

    fn bytes(&mut self, part: Part, bytes: &[u8]) -> Result<(), StoreError> {
        let file = self.folder.create(&part.path(self.number))?;
        file.write_at(bytes, 0)?;
        file.sync(Site::BackupData)?;
        let digest = *blake3::hash(bytes).as_bytes();
        self.files.push(PointFile { part, length: bytes.len() as u64, digest });
        Ok(())
    }

    fn segments(
        &self,
        known: Vec<(SegmentId, SegmentState)>,
        earlier: &BTreeMap<SegmentId, Vec<SegmentCopy>>,
        done: &mut Done,
        watch: Watch<'_>,
    ) -> Result<Vec<SegmentCopy>, StoreError> {
        // After the rows: whatever they name lies before these ends.
        let ends: BTreeMap<SegmentId, u64> =
            self.store.segments().open_segments().into_iter().map(|(_, id, end)| (id, end)).collect();
        let end = |id| ends.get(&id).copied();
        let total = known.iter().map(|(id, state)| state.length.max(end(*id).unwrap_or_default())).sum();
        let (mut tell, mut copies) = (telling(watch, "segments", total), Vec::new());
        for (id, state) in known {
            let earlier = earlier.get(&id).map(Vec::as_slice).unwrap_or_default();
            copies.extend(self.segment((id, state, end(id)), earlier, done, &mut tell)?);
        }
        Ok(copies)
    }

    /// One segment, which is open no longer than that: a store has more of them than files may be open.
    /// None if nothing of it can be had; that is noted.
    fn segment(
        &self,
        (id, state, end): (SegmentId, SegmentState, Option<u64>),
        earlier: &[SegmentCopy],
        done: &mut Done,
        tell: &mut dyn FnMut(u64) -> Result<(), StoreError>,
    ) -> Result<Option<SegmentCopy>, StoreError> {
        let needed = end.unwrap_or_default().max(state.length);
        let file = match open_if_there(&**self.store.io(), &file_of(id)) {
            Ok(Some(file)) => file,
            Ok(None) => {
                done.missing.push(id);
                return instead::of_all(self.folder, needed, earlier);
            }
            Err(error) if is_refusal(&error) => {
                done.unread.push(Unread { segment: id, bytes: needed });
                return instead::of_all(self.folder, needed, earlier);
            }
            Err(error) => return Err(error.into()),
        };
        let source = source(&*file, id, state, end)?;
        if let Some(there) = self.there(&source, earlier)? {
            tell(there.length)?;
            return Ok(Some(there));
        }
        let (copy, refused) = self.folder.copy_segment(&*file, source, tell)?;
        done.copied += 1;
        done.copied_bytes += source.length;
        // One that was cut off has lost what rows name, too.
        let bytes = refused.iter().map(|range| range.end - range.start).sum::<u64>();
        let bytes = bytes + needed.saturating_sub(source.length);
        if bytes == 0 {
            return Ok(Some(copy));
        }
        done.unread.push(Unread { segment: id, bytes });
        let better = instead::of_a_part(self.folder, (&copy, &refused), needed, earlier)?;
        Ok(better.or(Some(copy)))
    }

    /// The copy of it that is there, as long as it should be.
    fn there(
        &self,
        source: &SegmentCopy,
        earlier: &[SegmentCopy],
    ) -> Result<Option<SegmentCopy>, StoreError> {
        let is_it = |there: &&SegmentCopy| (there.seal, there.length) == (source.seal, source.length);
        let Some(there) = earlier.iter().find(is_it).filter(|_| source.seal.is_some()) else {
            return Ok(None);
        };
        Ok(self.folder.holds(there)?.then_some(*there))
    }
}

/// How much of a segment is to be copied, its digest not known yet. Of a sealed one, its header and its
/// footer are read: a store that was set back to an older state of its disk writes other segments under
/// numbers that are in the backup already, and nothing in its rows tells.
fn source(
    file: &dyn File,
    id: SegmentId,
    state: SegmentState,
    end: Option<u64>,
) -> Result<SegmentCopy, StoreError> {
    let copy = |length, seal| SegmentCopy { segment: id, length, digest: [0; 32], seal };
    let length = file.len()?;
    // Of one that is written, what is written; it was cut to that length if it was not sealed.
    if let Some(end) = end {
        return Ok(copy(end.max(state.length).min(length), None));
    }
    let footer = length.checked_sub(state.length).filter(|footer| state.sealed && *footer > 0);
    match footer.map(|_| seal_of(file, state.length, length)).transpose() {
        // Nothing tells it from every other, so it is copied as far as it goes.
        Err(StoreError::Io(error)) if is_refusal(&error) => Ok(copy(length, None)),
        seal => Ok(copy(length, seal?)),
    }
}

/// The digest of what stands before and behind the records of a sealed segment.
fn seal_of(file: &dyn File, end: u64, length: u64) -> Result<[u8; 32], StoreError> {
    let mut hasher = blake3::Hasher::new();
    for range in [0..SEGMENT_HEADER.min(length), end..length] {
        let bytes = usize::try_from(range.end - range.start).map_err(|_| super::damaged("a footer"))?;
        let mut bytes = vec![0; bytes];
        file.read_at(&mut bytes, range.start)?;
        hasher.update(&bytes);
    }
    Ok(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_segments_than_a_list_takes_are_refused_before_anything_is_copied() {
        few_enough(BACKUP_SEGMENTS).unwrap();
        let refused = few_enough(BACKUP_SEGMENTS + 1);
        assert!(matches!(&refused, Err(StoreError::Refused(why)) if why.contains("compact")), "{refused:?}");
    }
}
