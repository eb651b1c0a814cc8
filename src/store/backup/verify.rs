//! Reads everything of a point: every file against its digest, the rows against their counts, and
//! then whether every chunk the rows refer to lies in the copied segments with its BLAKE3.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    BackupFolder, Lost, Part, Point, PointKey, Progress, SegmentCopy, Watch,
    copying::{is_content, telling},
};
use crate::{
    model::ids::{ChunkNo, SegmentId},
    store::{
        blobs::rows::{ChunkRow, ChunkState, ManifestRow, PageRow, Shape, number_behind},
        error::StoreError,
        faults::Faults,
        io::File,
        meta::{codec::Row, table::Table},
        segments::{SEGMENT_HEADER, Whose, is_flaw, read_copy},
        snapshots::{SnapshotFile, SnapshotRow},
        sync::Arc,
    },
};

/// Sentences told at most.
const TOLD: usize = 100;
/// Files open at once.
const OPEN: usize = 64;

/// What verifying a point found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// The point.
    pub number: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Rows.
    pub rows: u64,
    /// Chunks whose bytes were read and have their digest.
    pub chunks: u64,
    /// How much is wrong.
    pub problems: u64,
    /// Copies of segments that were moved aside because of it: the next backup copies them again, as
    /// long as the store has them.
    pub moved_aside: Vec<SegmentId>,
    /// Whether its store made it as it is; none if the key that tells was not at hand.
    pub authentic: Option<bool>,
    /// What the store had lost already when the point was made: no damage of the backup, but chunks in it
    /// are.
    pub lost: Vec<Lost>,
    /// What is wrong, a sentence each, the first hundred.
    pub told: Vec<String>,
}

impl Verified {
    fn problem(&mut self, what: String) {
        self.problems += 1;
        if self.told.len() < TOLD {
            self.told.push(what);
        }
    }
}

/// Verifies a point, or the newest. That something is wrong is no error: it is told. A copy of a
/// segment that is damaged at a second look, too, or has a chunk that is, is moved aside, where the disk lets
/// it: no later backup takes it for there. One of a segment that the point tells as lost stays. Whether the store made the point is known only with its `key`.
///
/// # Errors
/// Refused if there is no such point, damaged if its list is; what the disk or `watch` says.
pub fn verify(
    folder: &BackupFolder,
    number: Option<u64>,
    key: Option<&PointKey>,
    watch: Watch<'_>,
) -> Result<Verified, StoreError> {
    let point = folder.point(number)?;
    let mut found = Verified {
        number: point.number,
        bytes: point.bytes(),
        segments: point.segments.len() as u64,
        lost: point.lost.clone(),
        ..Verified::default()
    };
    if let Some(key) = key {
        let vouched = point.vouched(key);
        found.authentic = Some(vouched.is_ok());
        vouched.err().into_iter().for_each(|error| found.problem(error.to_string()));
    }
    let mut tell = telling(watch, "files", found.bytes);
    for part in Part::ALL {
        let file = point.file(part)?;
        let whole = match folder.part(point.number, part)? {
            Some(open) => is_content(&*open, (file.length, file.digest), &mut tell)?,
            None => false,
        };
        if !whole {
            found.problem(format!("{} is missing or damaged", part.path(point.number)));
        }
    }
    let mut damaged = Vec::new();
    for copy in &point.segments {
        let whole = match folder.segment(copy)? {
            Some(open) => {
                let whole = is_content(&*open, (copy.length, copy.digest), &mut tell)?;
                damaged.extend((!whole).then_some(*copy));
                whole
            }
            None => false,
        };
        if !whole {
            found.problem(format!("segments/{} is missing or damaged", copy.name()));
        }
    }
    let mut copies = Copies::new(folder, &point);
    match rows(&mut copies, &point, &mut found, watch) {
        Err(error) if is_flaw(&error) => found.problem(match error {
            StoreError::Damaged(why) => why,
            _ => "the disk cannot read its rows".into(),
        }),
        read => read?,
    }
    // At the end: most of its chunks may be whole, and were looked at one by one. What a list says that
    // somebody made up is no reason to move anything.
    for copy in point.segments.iter().filter(|_| found.authentic != Some(false)) {
        let again = match damaged.contains(copy) {
            true => is_damaged_again(folder, copy)?,
            false => copies.spoilt.contains(&copy.segment) && !is_lost(&point, copy),
        };
        if again && folder.move_aside(copy).is_ok() {
            found.moved_aside.push(copy.segment);
        }
    }
    Ok(found)
}

/// Whether the store had lost something of it, so that its copy can be no better.
fn is_lost(point: &Point, copy: &SegmentCopy) -> bool {
    point.lost.iter().any(|lost| lost.segment == copy.segment)
}

/// Memory and cables fail, too: a second look tells them from the disk.
fn is_damaged_again(folder: &BackupFolder, copy: &SegmentCopy) -> Result<bool, StoreError> {
    let Some(file) = folder.segment(copy)? else { return Ok(false) };
    file.uncache(0, copy.length);
    Ok(!is_content(&*file, (copy.length, copy.digest), &mut |_| Ok(()))?)
}

/// Follows the references of the rows.
fn rows(
    copies: &mut Copies<'_>,
    point: &Point,
    found: &mut Verified,
    watch: Watch<'_>,
) -> Result<(), StoreError> {
    let Some(file) = copies.folder.part(point.number, Part::Metadata)? else { return Ok(()) };
    let snapshot = SnapshotFile::open(file)?;
    if (snapshot.header().uuid, snapshot.header().incarnation) != (point.uuid, point.incarnation) {
        return Err(super::damaged("its rows are another store's"));
    }
    let mut named = Named::default();
    for row in snapshot.rows() {
        let row = row?;
        found.rows += 1;
        match row.table {
            Table::Manifest => named.manifest(&row)?,
            Table::Chunk => {
                chunk(&row, copies, &mut named.chunks, found)?;
                watch(Progress { phase: "chunks", done: found.chunks, total: 0 })?;
            }
            _ => {}
        }
    }
    // Pages come before chunks, so they are looked at in a second reading.
    for row in snapshot.rows() {
        let row = row?;
        if row.table == Table::Page {
            named.page(&row, found)?;
        }
    }
    Ok(())
}

/// What pages may refer to.
#[derive(Default)]
struct Named {
    chunks: Numbers,
    manifests: Numbers,
    /// Those made of others.
    composites: Numbers,
}

impl Named {
    fn manifest(&mut self, row: &SnapshotRow) -> Result<(), StoreError> {
        let number = number_behind(&row.key, 0)?;
        self.manifests.add(number);
        if ManifestRow::decode(&row.value)?.shape == Shape::Composite {
            self.composites.add(number);
        }
        Ok(())
    }

    fn page(&self, row: &SnapshotRow, found: &mut Verified) -> Result<(), StoreError> {
        let manifest = number_behind(&row.key, 0)?;
        let (there, what) = match self.composites.has(manifest) {
            true => (&self.manifests, "manifest"),
            false => (&self.chunks, "chunk"),
        };
        for target in PageRow::decode(&row.value)?.pieces.iter().filter_map(|piece| piece.target) {
            if !there.has(target) {
                found.problem(format!("manifest {manifest:x} refers to {what} {target:x}, which has no row"));
            }
        }
        Ok(())
    }
}

fn chunk(
    row: &SnapshotRow,
    copies: &mut Copies<'_>,
    chunks: &mut Numbers,
    found: &mut Verified,
) -> Result<(), StoreError> {
    let number = ChunkNo(number_behind(&row.key, 0)?);
    let chunk = ChunkRow::decode(&row.value)?;
    chunks.add(number.0);
    // Nothing refers to it any more.
    if chunk.state == ChunkState::Condemned {
        return Ok(());
    }
    let Some(why) = copies.flaw(number, &chunk)? else {
        found.chunks += 1;
        return Ok(());
    };
    found.problem(format!("chunk {number}: {why}"));
    // A second look, as at files.
    if !copies.spoilt.contains(&chunk.segment) {
        copies.uncache(&chunk);
        if copies.flaw(number, &chunk)?.is_some() {
            copies.spoilt.insert(chunk.segment);
        }
    }
    Ok(())
}

/// The copied segments, a few of them open.
struct Copies<'a> {
    folder: &'a BackupFolder,
    whose: Whose,
    all: BTreeMap<SegmentId, SegmentCopy>,
    open: BTreeMap<SegmentId, Arc<dyn File>>,
    /// Copies that are what was written, and in which a chunk is bad all the same: it was read wrongly when
    /// they were made, or is bad in the store. The next backup tells which.
    spoilt: BTreeSet<SegmentId>,
}

impl<'a> Copies<'a> {
    fn new(folder: &'a BackupFolder, point: &Point) -> Self {
        let all = point.segments.iter().map(|copy| (copy.segment, *copy)).collect();
        let whose = Whose { uuid: point.uuid, faults: Faults::of(folder.io()) };
        Self { folder, whose, all, open: BTreeMap::new(), spoilt: BTreeSet::new() }
    }

    /// What is wrong with a chunk, in words.
    fn flaw(&mut self, number: ChunkNo, chunk: &ChunkRow) -> Result<Option<String>, StoreError> {
        match self.read(chunk) {
            Ok((there, digest)) if there == number && digest == chunk.digest => Ok(None),
            Ok(_) => Ok(Some("another one lies in its place".into())),
            Err(StoreError::Damaged(why)) => Ok(Some(why)),
            Err(error) if is_flaw(&error) => Ok(Some("the disk cannot read it".into())),
            Err(error) => Err(error),
        }
    }

    /// Has a chunk read from the disk the next time.
    fn uncache(&self, chunk: &ChunkRow) {
        if let Some(file) = self.open.get(&chunk.segment) {
            file.uncache(chunk.offset, SEGMENT_HEADER + u64::from(chunk.stored_len));
        }
    }

    fn read(&mut self, chunk: &ChunkRow) -> Result<(ChunkNo, [u8; 32]), StoreError> {
        let gone = || StoreError::Damaged(format!("segment {} is not in the backup", chunk.segment));
        let file = match self.open.get(&chunk.segment) {
            Some(file) => Arc::clone(file),
            None => {
                let copy = self.all.get(&chunk.segment).ok_or_else(gone)?;
                let file = self.folder.segment(copy)?.ok_or_else(gone)?;
                if self.open.len() >= OPEN {
                    self.open.clear();
                }
                self.open.insert(chunk.segment, Arc::clone(&file));
                file
            }
        };
        let read = read_copy(&*file, &self.whose, (chunk.segment, chunk.offset, chunk.stored_len))?;
        Ok((read.header.chunk, read.header.digest))
    }
}

/// A set of numbers that mostly follow on each other, a bit each.
#[derive(Default)]
struct Numbers(BTreeMap<u64, [u64; 64]>);

impl Numbers {
    fn place(number: u64) -> (u64, usize, u64) {
        (number >> 12, (number >> 6 & 63) as usize, 1 << (number & 63))
    }

    fn add(&mut self, number: u64) {
        let (block, word, bit) = Self::place(number);
        let words = self.0.entry(block).or_insert([0; 64]);
        words.get_mut(word).into_iter().for_each(|word| *word |= bit);
    }

    fn has(&self, number: u64) -> bool {
        let (block, word, bit) = Self::place(number);
        self.0.get(&block).and_then(|words| words.get(word)).is_some_and(|word| word & bit != 0)
    }
}
