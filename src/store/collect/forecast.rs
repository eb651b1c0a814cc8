//! What a run would give back, without changing anything.

use std::collections::{BTreeMap, BTreeSet};

use super::survey::{Live, Survey};
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
            rows::{KeyRange, Order, Rows},
            table::Table,
        },
        segments::{SEGMENT_HEADER, record_bytes},
    },
};

/// Rows read at a time.
const ROWS: usize = 1000;

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

/// Looks ahead. What is read or uploaded meanwhile may make the run do less.
///
/// # Errors
/// If a row cannot be read or the counts do not add up: then a run would be ended, too.
pub fn forecast(store: &Store) -> Result<Forecast, StoreError> {
    let mut survey = Survey::begin(store)?;
    while !survey.step(store)? {}
    let rows = store.snapshot()?;
    let mut look = Look { rows: &rows, parts: BTreeMap::new(), drops: BTreeMap::new(), manifests: 0 };
    let mut after = None;
    loop {
        let found = queued_numbers(&rows, Queued::Released, after, ROWS)?;
        for id in &found {
            look.manifest(ManifestId(*id))?;
        }
        match found.last() {
            Some(last) => after = Some(*last),
            None => break,
        }
    }
    let mut gone: BTreeSet<u64> =
        queued_numbers(&rows, Queued::Condemned, None, usize::MAX)?.into_iter().collect();
    gone.extend(queued_numbers(&rows, Queued::Idle, None, usize::MAX)?);
    for (chunk, drops) in &look.drops {
        let refs = chunk_refs(&rows, ChunkNo(*chunk))?;
        if refs < *drops {
            return Err(StoreError::Damaged(format!(
                "chunk {} has more references than it counts",
                ChunkNo(*chunk)
            )));
        }
        if refs == *drops {
            gone.insert(*chunk);
        }
    }
    let mut freed: BTreeMap<SegmentId, Live> = BTreeMap::new();
    for chunk in &gone {
        let row = load_chunk(&rows, ChunkNo(*chunk))?;
        let freed = freed.entry(row.segment).or_default();
        freed.chunks += 1;
        freed.bytes += record_bytes(row.stored_len);
    }
    let mut out = Forecast { manifests: look.manifests, chunks: gone.len() as u64, ..Forecast::default() };
    segments(store, &survey, &freed, &mut out)?;
    Ok(out)
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
            out.bytes_returned += store.segments().length(segment)?.unwrap_or_default();
        } else {
            out.bytes_dead += room.saturating_sub(left);
        }
    }
    Ok(())
}

struct Look<'a> {
    rows: &'a dyn Rows,
    /// References of parts that would go.
    parts: BTreeMap<u64, u64>,
    /// References of chunks that would go.
    drops: BTreeMap<u64, u64>,
    manifests: u64,
}

impl Look<'_> {
    fn manifest(&mut self, id: ManifestId) -> Result<(), StoreError> {
        self.manifests += 1;
        let shape = manifest::load(self.rows, id)?.shape;
        let mut range = KeyRange::prefix(number_key(id.0));
        loop {
            let pages = self.rows.scan(Table::Page, &range, Order::Forward, ROWS)?;
            for (_, value) in &pages {
                for target in PageRow::decode(value)?.pieces.iter().filter_map(|piece| piece.target) {
                    match shape {
                        Shape::Leaf => *self.drops.entry(target).or_insert(0) += 1,
                        Shape::Composite => self.part(ManifestId(target))?,
                    }
                }
            }
            match pages.into_iter().next_back() {
                Some((key, _)) => range = range.after(key),
                None => return Ok(()),
            }
        }
    }

    fn part(&mut self, id: ManifestId) -> Result<(), StoreError> {
        let row = manifest::load(self.rows, id)?;
        let drops = self.parts.entry(id.0).or_insert(0);
        *drops += 1;
        // Leaves have no parts, so this goes no deeper.
        if *drops == row.refs && row.shape == Shape::Leaf { self.manifest(id) } else { Ok(()) }
    }
}
