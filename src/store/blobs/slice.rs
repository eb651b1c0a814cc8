//! A range of one body as a body of its own, without storing again what whole chunks hold.

use std::ops::Range;

use super::{
    BlobReader, Ingest, IngestOptions, Staged,
    pins::{Pin, Thing},
};
use crate::{model::ids::ChunkNo, store::error::StoreError};

impl BlobReader {
    /// Stages a range of this body, clipped to it. Every byte is read, verified and digested;
    /// only those of chunks that the range cuts are stored again. Blocks for as long as that
    /// takes; memory and transactions are bounded as for an upload.
    ///
    /// # Errors
    /// When a byte cannot be read or stored.
    pub fn slice(&mut self, range: Range<u64>, options: &IngestOptions) -> Result<Staged, StoreError> {
        let range = self.clip(range);
        let size = Some(range.end.saturating_sub(range.start));
        let mut ingest = self.blobs().begin(&IngestOptions { size, ..options.clone() });
        let mut at = range.start;
        while at < range.end {
            let placed = self.piece_at(at)?;
            let end = placed.end().min(range.end);
            if placed.start == at && placed.end() == end {
                self.digest(&mut ingest, at..end)?;
                let chunk = placed.piece.target.map(ChunkNo);
                let pinned = chunk.map(|chunk| Ok::<_, StoreError>((chunk, self.pin(chunk)?))).transpose()?;
                ingest.chunks.adopt(pinned, placed.piece.len)?;
            } else {
                self.store(&mut ingest, at..end)?;
            }
            at = end;
        }
        ingest.finish()
    }

    fn pin(&self, chunk: ChunkNo) -> Result<Pin, StoreError> {
        let pin = self.blobs().pins().pin(Thing::Chunk(chunk));
        pin.ok_or_else(|| StoreError::Busy("content of the source is being given up".into()))
    }

    fn digest(&mut self, ingest: &mut Ingest, range: Range<u64>) -> Result<(), StoreError> {
        let mut at = range.start;
        while at < range.end {
            let bytes = self.read(at, usize::MAX)?;
            at += bytes.len() as u64;
            ingest.digests.update(&bytes);
        }
        Ok(())
    }

    fn store(&mut self, ingest: &mut Ingest, range: Range<u64>) -> Result<(), StoreError> {
        let mut at = range.start;
        while at < range.end {
            let bytes = self.read(at, usize::try_from(range.end - at).unwrap_or(usize::MAX))?;
            at += bytes.len() as u64;
            ingest.write(&bytes)?;
        }
        ingest.chunks.end_chunk()
    }
}
