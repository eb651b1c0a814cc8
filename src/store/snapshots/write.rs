//! Writes a snapshot: one pass over one state of all tables, a block in memory at a time.

use super::form::{BLOCK_BYTES, BlockHead, END, SnapshotHeader};
use crate::store::{
    error::StoreError,
    io::File,
    meta::{codec::Field, pages::Pages, rows::Rows},
    segments::{Codec, Codecs},
};

/// Written back early in pieces of this, so that the sync at the end is short.
const WRITEBACK: u64 = 8 << 20;

/// Writes all rows behind the header into an empty file; how long it became, and its BLAKE3 as it
/// was written. `pulse` hears after each block how long it is, and may end it. Nothing is synced.
///
/// # Errors
/// What the disk or the rows say, and what `pulse` says.
pub(super) fn write(
    rows: &dyn Rows,
    header: &SnapshotHeader,
    file: &dyn File,
    pulse: &mut dyn FnMut(u64) -> Result<(), StoreError>,
) -> Result<(u64, [u8; 32]), StoreError> {
    let mut out = Out { file, end: 0, written_back: 0, hasher: blake3::Hasher::new() };
    out.append(&header.written())?;
    let (codecs, mut counts) = (Codecs::default(), Vec::new());
    for (place, &table) in (0_u16..).zip(&header.tables) {
        let (mut count, mut block) = (0_u64, Block::default());
        for row in Pages::all(rows, table) {
            let (key, value) = row?;
            count += 1;
            block.add(&key, &value);
            if block.plain.len() >= BLOCK_BYTES {
                out.append(&block.seal(place, header.uuid, &codecs)?)?;
                pulse(out.end)?;
            }
        }
        if block.rows > 0 {
            out.append(&block.seal(place, header.uuid, &codecs)?)?;
            pulse(out.end)?;
        }
        counts.push(count);
    }
    counts.push(counts.iter().sum());
    let plain: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
    let length = u32::try_from(plain.len()).unwrap_or(u32::MAX);
    let head =
        BlockHead { table: END, codec: Codec::Raw, rows: 0, plain_len: length, stored_len: length, crc: 0 };
    out.append(&head.seal(header.uuid, &plain))?;
    let digest = out.hasher.finalize();
    out.append(digest.as_bytes())?;
    Ok((out.end, *out.hasher.finalize().as_bytes()))
}

/// The file as far as it is written.
struct Out<'a> {
    file: &'a dyn File,
    end: u64,
    written_back: u64,
    hasher: blake3::Hasher,
}

impl Out<'_> {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        self.file.write_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        let waiting = self.end - self.written_back;
        if waiting >= WRITEBACK {
            self.file.start_writeback(self.written_back, waiting);
            self.written_back = self.end;
        }
        Ok(())
    }
}

/// Rows that become a block.
#[derive(Default)]
struct Block {
    plain: Vec<u8>,
    rows: u32,
}

impl Block {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        for bytes in [key, value] {
            (bytes.len() as u64).write(&mut self.plain);
            self.plain.extend_from_slice(bytes);
        }
        self.rows += 1;
    }

    /// The block's bytes; it is empty afterwards.
    fn seal(&mut self, table: u16, uuid: [u8; 16], codecs: &Codecs) -> Result<Vec<u8>, StoreError> {
        let (stored, codec) = codecs.encode(&self.plain, 0);
        let length = |bytes: &[u8]| {
            u32::try_from(bytes.len()).map_err(|_| StoreError::Damaged("a row is longer than any".into()))
        };
        let (plain_len, stored_len) = (length(&self.plain)?, length(&stored)?);
        let head = BlockHead { table, codec, rows: self.rows, plain_len, stored_len, crc: 0 };
        self.plain.clear();
        self.rows = 0;
        Ok(head.seal(uuid, &stored))
    }
}
