//! Reads a snapshot, a block in memory at a time. Nothing of a damaged or cut file passes for the
//! whole: the rows end well only if every checksum, count and the digest of the file agree.

use std::io::ErrorKind;

use super::form::{BLOCK_HEAD, BlockHead, END, HEADER_START, SnapshotHeader, damaged, short};
use crate::store::{
    error::StoreError,
    io::File,
    meta::{
        codec::{Field, Reader},
        table::Table,
    },
    segments::{Codec, Fields, decompress},
    sync::Arc,
};

/// A row and the table it is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotRow {
    /// Its table.
    pub table: Table,
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
}

/// A snapshot that is read.
#[derive(Clone, Debug)]
pub struct SnapshotFile {
    file: Arc<dyn File>,
    len: u64,
    header: SnapshotHeader,
}

impl SnapshotFile {
    /// Reads the header.
    ///
    /// # Errors
    /// Damaged if it is not one; refused if a newer build wrote it.
    pub fn open(file: Arc<dyn File>) -> Result<Self, StoreError> {
        let mut bytes = vec![0; HEADER_START];
        read(&*file, &mut bytes, 0)?;
        bytes.resize(SnapshotHeader::length(&bytes)?, 0);
        read(&*file, &mut bytes, 0)?;
        let header = SnapshotHeader::parse(&bytes)?;
        Ok(Self { len: file.len()?, file, header })
    }

    /// Whose it is, and of when.
    #[must_use]
    pub fn header(&self) -> &SnapshotHeader {
        &self.header
    }

    /// All rows, in the order of tables and keys. Only if the last call gives `None`, and no
    /// error before, were these all: whoever stops earlier knows nothing of the rest.
    #[must_use]
    pub fn rows(&self) -> SnapshotRows {
        let header = self.header.written();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&header);
        SnapshotRows {
            file: Arc::clone(&self.file),
            len: self.len,
            uuid: self.header.uuid,
            counts: vec![0; self.header.tables.len()],
            tables: self.header.tables.clone(),
            at: header.len() as u64,
            hasher,
            block: Block::default(),
            last: None,
            ended: false,
        }
    }

    /// Has the next reads come from the disk, where the system can be told so; and lets go of memory
    /// that reading it took.
    pub fn uncache(&self) {
        self.file.uncache(0, self.len);
    }

    /// Reads all of it; how many rows it has.
    ///
    /// # Errors
    /// Damaged if anything of it is not as it was written.
    pub fn verify(&self) -> Result<u64, StoreError> {
        self.rows().try_fold(0, |sum, row| row.map(|_| sum + 1))
    }
}

/// A block's rows that were not given yet.
#[derive(Debug, Default)]
struct Block {
    table: u16,
    plain: Vec<u8>,
    at: usize,
    left: u32,
}

/// The rows of a snapshot; see [`SnapshotFile::rows`].
#[derive(Debug)]
pub struct SnapshotRows {
    file: Arc<dyn File>,
    len: u64,
    uuid: [u8; 16],
    tables: Vec<Table>,
    counts: Vec<u64>,
    at: u64,
    hasher: blake3::Hasher,
    block: Block,
    last: Option<(u16, Vec<u8>)>,
    ended: bool,
}

impl SnapshotRows {
    /// How far in the file it has read.
    #[must_use]
    pub fn reached(&self) -> u64 {
        self.at
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, StoreError> {
        // A length that was made up is no reason to make room.
        if self.len.checked_sub(self.at).is_none_or(|left| left < length as u64) {
            return Err(short());
        }
        let mut bytes = vec![0; length];
        read(&*self.file, &mut bytes, self.at)?;
        self.at += length as u64;
        Ok(bytes)
    }

    /// The next block is there; false if the file ended as it should.
    fn turn(&mut self) -> Result<bool, StoreError> {
        let head_bytes = self.take(BLOCK_HEAD)?;
        let head = BlockHead::parse(&head_bytes)?;
        let stored = self.take(head.stored_len as usize)?;
        if !head.fits(self.uuid, &stored) {
            return Err(damaged("a block of it"));
        }
        self.hasher.update(&head_bytes).update(&stored);
        if head.table == END {
            self.end(&stored)?;
            return Ok(false);
        }
        let plain = match head.codec {
            Codec::Raw => Some(stored).filter(|plain| plain.len() == head.plain_len as usize),
            Codec::Zstd => decompress(&stored, head.plain_len as usize),
        };
        let plain = plain.ok_or_else(|| damaged("a block of it"))?;
        self.block = Block { table: head.table, plain, at: 0, left: head.rows };
        Ok(true)
    }

    fn end(&mut self, counts: &[u8]) -> Result<(), StoreError> {
        let digest = self.hasher.finalize();
        let mut fields = Fields(counts);
        let agree = self.counts.iter().all(|count| fields.u64() == Some(*count));
        let all: u64 = self.counts.iter().sum();
        if !agree || fields.u64() != Some(all) || !fields.0.is_empty() {
            return Err(damaged("its rows are not as many as were written"));
        }
        let written: Option<[u8; 32]> = self.take(32)?.try_into().ok();
        if written.is_none_or(|written| digest != blake3::Hash::from(written)) {
            return Err(damaged("its digest"));
        }
        if self.len != self.at {
            return Err(damaged("something is behind its end"));
        }
        Ok(())
    }

    fn row(&mut self) -> Result<SnapshotRow, StoreError> {
        let block = &mut self.block;
        let rest = block.plain.get(block.at..).unwrap_or_default();
        let mut from = Reader::new(rest);
        let mut bytes = || {
            let length = usize::try_from(u64::read(&mut from)?).map_err(|_| damaged("a row of it"))?;
            Ok::<_, StoreError>(from.take(length)?.to_vec())
        };
        let (key, value) = (bytes()?, bytes()?);
        block.at += rest.len() - from.rest().len();
        block.left -= 1;
        let place = (block.table, key.clone());
        let done = block.left > 0 || block.at == block.plain.len();
        let ordered = self.last.as_ref().is_none_or(|last| *last < place);
        let table = self.tables.get(usize::from(block.table)).copied();
        let count = self.counts.get_mut(usize::from(block.table));
        let (Some(table), Some(count), true, true) = (table, count, done, ordered) else {
            return Err(damaged("a row of it"));
        };
        *count += 1;
        self.last = Some(place);
        Ok(SnapshotRow { table, key, value })
    }
}

impl Iterator for SnapshotRows {
    type Item = Result<SnapshotRow, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended && self.block.left == 0 {
            match self.turn() {
                Ok(more) => self.ended = !more,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        if self.ended {
            return None;
        }
        let row = self.row();
        self.ended = row.is_err();
        Some(row)
    }
}

fn read(file: &dyn File, bytes: &mut [u8], at: u64) -> Result<(), StoreError> {
    file.read_at(bytes, at).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => short(),
        _ => error.into(),
    })
}
