//! Reads bodies back, chunk by chunk, each verified before a byte of it is given out.
//!
//! Rows are read in short snapshots; none is held while bytes stream. A pin keeps the manifest,
//! and with it every chunk, for as long as the reader lives.

use std::ops::Range;

use bytes::Bytes;

use super::{
    Blobs, manifest,
    manifest::Placed,
    pins::{Pin, Thing},
    rows::{ChunkRow, ChunkState, Life, ManifestRow, Shape, find, load_chunk, number_key},
};
use crate::{
    model::ids::{ChunkNo, ManifestId},
    store::{
        error::StoreError,
        meta::{rows::Rows, table::Table},
        segments::{RecordRead, is_flaw},
        sync::Arc,
    },
};

/// Page rows read at a time, of 80 pieces each.
const PAGES: usize = 4;

/// What holes are read from, a piece at a time.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A body open for reading. Clones read on their own and keep the same body.
#[derive(Clone, Debug)]
pub struct BlobReader {
    blobs: Arc<Blobs>,
    id: ManifestId,
    shape: Shape,
    size: u64,
    /// Pieces read ahead: chunks and holes, placed in the whole body.
    window: Vec<Placed>,
    /// The last chunk, and where it starts.
    chunk: Option<(u64, Bytes)>,
    _pin: Arc<Pin>,
}

impl BlobReader {
    pub(super) fn open(blobs: Arc<Blobs>, id: ManifestId) -> Result<Self, StoreError> {
        let gone = || StoreError::Busy(format!("manifest {id} was given up meanwhile"));
        // The pin comes first; see `Pins`.
        let pin = blobs.pins.pin(Thing::Manifest(id)).ok_or_else(gone)?;
        let row = blobs.meta.look(|rows| live(rows, id))??.ok_or_else(gone)?;
        let (shape, size) = (row.shape, row.size);
        Ok(Self { blobs, id, shape, size, window: Vec::new(), chunk: None, _pin: Arc::new(pin) })
    }

    /// Bytes of the body.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its manifest.
    #[must_use]
    pub fn id(&self) -> ManifestId {
        self.id
    }

    /// The next bytes from `offset` on, at most `max`: up to the end of one chunk. Empty only at
    /// the end of the body or for `max` 0. Blocks.
    ///
    /// # Errors
    /// Damaged if they are not what was written; then none of that chunk is given out.
    pub fn read(&mut self, offset: u64, max: usize) -> Result<Bytes, StoreError> {
        if offset >= self.size || max == 0 {
            return Ok(Bytes::new());
        }
        let placed = self.piece_at(offset)?;
        let within = usize::try_from(offset - placed.start).unwrap_or(usize::MAX);
        let left = usize::try_from(placed.end() - offset).unwrap_or(usize::MAX).min(max);
        let Some(chunk) = placed.piece.target else {
            let zeros = ZEROS.get(..left).unwrap_or(&ZEROS);
            return Ok(Bytes::from_static(zeros));
        };
        let bytes = match &self.chunk {
            Some((start, bytes)) if *start == placed.start => bytes.clone(),
            _ => {
                let bytes = self.load(ChunkNo(chunk))?;
                self.chunk = Some((placed.start, bytes.clone()));
                bytes
            }
        };
        if bytes.len() as u64 != placed.piece.len {
            return Err(StoreError::Damaged(format!("chunk {chunk:x} has not the length its manifest says")));
        }
        Ok(bytes.slice(within..within + left))
    }

    /// Lets go of the chunk it read last.
    pub fn forget(&mut self) {
        self.chunk = None;
    }

    /// The chunk or hole at an offset below the size.
    pub(super) fn piece_at(&mut self, offset: u64) -> Result<Placed, StoreError> {
        let holds = |placed: &&Placed| (placed.start..placed.end()).contains(&offset);
        if let Some(found) = self.window.iter().find(holds) {
            return Ok(*found);
        }
        self.window = self.blobs.meta.look(|rows| self.pieces(rows, offset))??;
        let found = self.window.iter().find(holds).copied();
        found.ok_or_else(|| StoreError::Damaged(format!("manifest {} has a gap at {offset}", self.id)))
    }

    fn pieces(&self, rows: &dyn Rows, offset: u64) -> Result<Vec<Placed>, StoreError> {
        if self.shape == Shape::Leaf {
            return match offset {
                0 => manifest::first_pieces(rows, self.id),
                _ => manifest::pieces_at(rows, self.id, offset, PAGES),
            };
        }
        let parts = manifest::pieces_at(rows, self.id, offset, 1)?;
        let Some(part) = parts.first() else { return Ok(Vec::new()) };
        let Some(leaf) = part.piece.target else { return Ok(Vec::new()) };
        let within = offset.saturating_sub(part.start);
        let mut pieces = manifest::pieces_at(rows, ManifestId(leaf), within, PAGES)?;
        for placed in &mut pieces {
            placed.start += part.start;
        }
        Ok(pieces)
    }

    fn load(&self, chunk: ChunkNo) -> Result<Bytes, StoreError> {
        // What the row names stays until this ends.
        let _reading = self.blobs.readings.begin();
        let row = self.blobs.meta.look(|rows| load_chunk(rows, chunk))??;
        match self.load_from(chunk, &row) {
            Ok(bytes) => {
                if row.state == ChunkState::Bad {
                    self.blobs.found_whole(chunk, row);
                }
                Ok(bytes)
            }
            Err(error) => {
                // It may have moved since its row was read; the old place may be gone.
                let now = self.blobs.meta.look(|rows| load_chunk(rows, chunk))??;
                if (now.segment, now.offset) != (row.segment, row.offset) {
                    return self.load_from(chunk, &now);
                }
                if row.state == ChunkState::Live && is_flaw(&error) {
                    self.blobs.suspect(chunk, row);
                }
                Err(error)
            }
        }
    }

    fn load_from(&self, chunk: ChunkNo, row: &ChunkRow) -> Result<Bytes, StoreError> {
        let read = self.blobs.segments.read(row.segment, row.offset, row.stored_len)?;
        content(chunk, row, read)
    }

    /// Clips a range to the body.
    pub(super) fn clip(&self, range: Range<u64>) -> Range<u64> {
        range.start.min(self.size)..range.end.min(self.size)
    }

    pub(super) fn blobs(&self) -> &Arc<Blobs> {
        &self.blobs
    }
}

/// The row of a manifest that may be read.
fn live(rows: &dyn Rows, id: ManifestId) -> Result<Option<ManifestRow>, StoreError> {
    let row: Option<ManifestRow> = find(rows, Table::Manifest, &number_key(id.0))?;
    Ok(row.filter(|row| row.life == Life::Live))
}

/// The bytes of a record, if they are those of the chunk.
fn content(chunk: ChunkNo, row: &ChunkRow, read: RecordRead) -> Result<Bytes, StoreError> {
    if (read.header.chunk, read.header.digest) != (chunk, row.digest) {
        return Err(StoreError::Damaged(format!("the record of chunk {chunk} holds something else")));
    }
    Ok(read.plaintext)
}
