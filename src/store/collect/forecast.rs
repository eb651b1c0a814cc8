//! What a run would give back, without changing anything.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    GoOn,
    survey::{Live, Survey},
};
use crate::{
    model::ids::{ChunkNo, ManifestId, SegmentId},
    store::{
        Store,
        blobs::{
            manifest,
            rows::{PageRow, Queued, Shape, chunk_refs, load_chunk, number_key, queued_numbers},
        },
        error::StoreError,
        meta::{
            codec::Row,
            pages::Pages,
            rows::{KeyRange, Rows},
            table::Table,
        },
        segments::{SEGMENT_HEADER, record_bytes},
    },
};

/// Rows read at a time.
const ROWS: usize = 1000;
/// Chunks whose references are counted in one pass over what is queued. Few in tests, so that they
/// take many.
const CHUNKS_AT_ONCE: usize = if cfg!(test) { 5 } else { 500_000 };
/// Parts with more than one reference that are kept in mind.
const PARTS_AT_ONCE: usize = 500_000;

/// What a run would do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Forecast {
    /// Manifests it would take apart.
    pub manifests: u64,
    /// Chunks it would delete.
    pub chunks: u64,
    /// Bytes of segments those take.
    pub bytes_deleted: u64,
    /// Segments in which nothing would live.
    pub segments: u64,
    /// Bytes of their files.
    pub bytes_returned: u64,
    /// Bytes that would be dead in the other segments; compaction can return most of them.
    pub bytes_dead: u64,
}

/// Looks ahead. What is read or uploaded meanwhile may make the run do less. However much is
/// queued, references of [`CHUNKS_AT_ONCE`] chunks are in memory at most.
///
/// # Errors
/// If a row cannot be read or the counts do not add up: then a run would be ended, too. Busy if
/// more parts that several files share would go than are kept in mind. What `go_on` ended it with.
pub fn forecast(store: &Store, go_on: GoOn<'_>) -> Result<Forecast, StoreError> {
    let survey = Survey::whole(store, go_on)?;
    let rows = store.snapshot()?;
    let mut freed = Freed { rows: &rows, chunks: 0, segments: BTreeMap::new() };
    each_queued(&rows, go_on, Queued::Condemned, |chunk| freed.add(ChunkNo(chunk)))?;
    each_queued(&rows, go_on, Queued::Idle, |chunk| match chunk_refs(&rows, ChunkNo(chunk))? {
        0 => freed.add(ChunkNo(chunk)),
        // An upload took it up; if that goes as well, it is among the references below.
        _ => Ok(()),
    })?;
    let mut from = Some(0);
    let mut manifests = 0;
    while let Some(first) = from {
        let drops = Drops { first, end: None, counts: BTreeMap::new() };
        let mut look = Look { rows: &rows, go_on, parts: BTreeMap::new(), drops, manifests: 0 };
        each_queued(&rows, go_on, Queued::Released, |id| look.manifest(ManifestId(id)))?;
        look.drops.settle(&mut freed)?;
        (manifests, from) = (look.manifests, look.drops.end);
    }
    let mut out = Forecast { manifests, chunks: freed.chunks, ..Forecast::default() };
    segments(store, &survey, &freed.segments, &mut out)?;
    Ok(out)
}

fn each_queued(
    rows: &dyn Rows,
    go_on: GoOn<'_>,
    why: Queued,
    mut what: impl FnMut(u64) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        go_on()?;
        let found = queued_numbers(rows, why, after, ROWS)?;
        let Some(last) = found.last().copied() else { return Ok(()) };
        found.into_iter().try_for_each(&mut what)?;
        after = Some(last);
    }
}

/// Chunks that would go, by segment.
struct Freed<'a> {
    rows: &'a dyn Rows,
    chunks: u64,
    segments: BTreeMap<SegmentId, Live>,
}

impl Freed<'_> {
    fn add(&mut self, chunk: ChunkNo) -> Result<(), StoreError> {
        let row = load_chunk(self.rows, chunk)?;
        let freed = self.segments.entry(row.segment).or_default();
        freed.chunks += 1;
        freed.bytes += record_bytes(row.stored_len);
        self.chunks += 1;
        Ok(())
    }
}

/// References of chunks that would go, of a stretch of all chunks: from the first one on as many
/// as are kept in mind. What lies behind is for another pass.
struct Drops {
    first: u64,
    /// Where the stretch ends; `None` while it has room for all that came.
    end: Option<u64>,
    counts: BTreeMap<u64, u64>,
}

impl Drops {
    fn add(&mut self, chunk: u64) {
        if chunk < self.first || self.end.is_some_and(|end| chunk >= end) {
            return;
        }
        *self.counts.entry(chunk).or_insert(0) += 1;
        if self.counts.len() > CHUNKS_AT_ONCE {
            self.end = self.counts.pop_last().map(|(chunk, _)| chunk);
        }
    }

    fn settle(&self, freed: &mut Freed<'_>) -> Result<(), StoreError> {
        for (&chunk, &drops) in &self.counts {
            let chunk = ChunkNo(chunk);
            let refs = chunk_refs(freed.rows, chunk)?;
            if refs < drops {
                return Err(StoreError::Damaged(format!("chunk {chunk} has more references than it counts")));
            }
            if refs == drops {
                freed.add(chunk)?;
            }
        }
        Ok(())
    }
}

fn segments(
    store: &Store,
    survey: &Survey,
    freed: &BTreeMap<SegmentId, Live>,
    out: &mut Forecast,
) -> Result<(), StoreError> {
    let open = survey.open.iter().map(|(_, segment, _)| *segment);
    let all = survey.segments.keys().copied().chain(open);
    for segment in all.collect::<BTreeSet<_>>() {
        let freed = freed.get(&segment).copied().unwrap_or_default();
        out.bytes_deleted += freed.bytes;
        let left = survey.live(segment).bytes.saturating_sub(freed.bytes);
        let room = survey.length(segment).saturating_sub(SEGMENT_HEADER);
        if left == 0 && !store.segments().is_held(segment) {
            out.segments += 1;
            // The run ends it first, which cuts off what was only put by for it.
            let open = survey.is_open(segment).then(|| survey.length(segment));
            let length = store.segments().length(segment)?.unwrap_or_default();
            out.bytes_returned += open.unwrap_or(length).min(length);
        } else {
            out.bytes_dead += room.saturating_sub(left);
        }
    }
    Ok(())
}

struct Look<'a> {
    rows: &'a dyn Rows,
    go_on: GoOn<'a>,
    /// References of parts that would go, where there is more than one.
    parts: BTreeMap<u64, u64>,
    drops: Drops,
    manifests: u64,
}

impl Look<'_> {
    fn manifest(&mut self, id: ManifestId) -> Result<(), StoreError> {
        self.manifests += 1;
        let shape = manifest::load(self.rows, id)?.shape;
        for page in Pages::of(self.rows, Table::Page, KeyRange::prefix(number_key(id.0))) {
            (self.go_on)()?;
            for target in PageRow::decode(&page?.1)?.pieces.iter().filter_map(|piece| piece.target) {
                match shape {
                    Shape::Leaf => self.drops.add(target),
                    Shape::Composite => self.part(ManifestId(target))?,
                }
            }
        }
        Ok(())
    }

    fn part(&mut self, id: ManifestId) -> Result<(), StoreError> {
        let row = manifest::load(self.rows, id)?;
        let drops = match row.refs {
            // That one is this; if another came, its chunks would have more than they count.
            0 | 1 => 1,
            _ => {
                let drops = self.parts.entry(id.0).or_insert(0);
                *drops += 1;
                *drops
            }
        };
        if self.parts.len() > PARTS_AT_ONCE {
            return Err(StoreError::Busy("too much is queued for a look ahead".into()));
        }
        // Leaves have no parts, so this goes no deeper.
        if drops == row.refs && row.shape == Shape::Leaf { self.manifest(id) } else { Ok(()) }
    }
}
