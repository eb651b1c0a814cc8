//! How a snapshot file is laid out. Little-endian; every CRC32C begins with the store's uuid, as
//! those of segments do.
//!
//! ```text
//! file    = header, block*, end
//! header  = magic "HOLDSNAP" 8, format 4, bytes of the header 4, store's uuid 16,
//!           incarnation 4, version of the tables 4, taken at 8 (milliseconds), number 8,
//!           tables 4, (length 1, name)*, CRC32C 4
//! block   = table 2 (its place in the header's list), codec 1, zero 1, rows 4,
//!           plain length 4, stored length 4, CRC32C of these 16 and the stored bytes 4,
//!           stored bytes
//! plain   = (length of the key, key, length of the value, value)*      lengths as varints
//! end     = a block of table 0xffff, which is not compressed: rows of each table 8*, of all 8;
//!           then the BLAKE3 of everything before it 32, and the file's end
//! ```
//!
//! Tables come in the order of the list, keys in their own. Tables are known by name: their order
//! in a build may change.

use crate::{
    model::time::Timestamp,
    store::{
        error::StoreError,
        meta::table::Table,
        segments::{Codec, Fields, checked, seal_crc, store_crc},
    },
};

const MAGIC: [u8; 8] = *b"HOLDSNAP";
const FORMAT: u32 = 1;
/// Bytes of a header before its list of tables.
pub(super) const HEADER_START: usize = 60;
/// A header that says it is longer is none.
const MAX_HEADER: usize = 64 << 10;
/// Bytes before a block's own.
pub(super) const BLOCK_HEAD: usize = 20;
/// A block ends with the row that makes it longer than this.
pub(super) const BLOCK_BYTES: usize = 1 << 20;
/// A block that says it is longer is damaged: no row comes near.
const MAX_BLOCK: u32 = 64 << 20;
/// The number of the block that ends the file.
pub(super) const END: u16 = u16::MAX;

/// Whose metadata it is, and of when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SnapshotHeader {
    /// The store.
    pub uuid: [u8; 16],
    /// Its incarnation.
    pub incarnation: u32,
    /// The version of its tables.
    pub version: u32,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// Snapshots of a store are numbered as they are taken.
    pub number: u64,
    /// The tables, as blocks count them.
    pub tables: Vec<Table>,
}

impl SnapshotHeader {
    pub(super) fn written(&self) -> Vec<u8> {
        let names: usize = self.tables.iter().map(|table| table.name().len() + 1).sum();
        let length = u32::try_from(HEADER_START + names + 4).unwrap_or(u32::MAX);
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&self.uuid);
        out.extend_from_slice(&self.incarnation.to_le_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.taken_at.0.to_le_bytes());
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.tables.len()).unwrap_or(u32::MAX).to_le_bytes());
        for table in &self.tables {
            // Names are a few letters.
            out.push(u8::try_from(table.name().len()).unwrap_or(u8::MAX));
            out.extend_from_slice(table.name().as_bytes());
        }
        seal_crc(self.uuid, &mut out);
        out
    }

    /// The bytes of the header that starts so, [`HEADER_START`] of them.
    pub(super) fn length(start: &[u8]) -> Result<usize, StoreError> {
        let mut fields = Fields(start);
        if fields.array() != Some(MAGIC) {
            return Err(damaged("it is none"));
        }
        let format = fields.u32().ok_or_else(short)?;
        if format > FORMAT {
            return Err(StoreError::Refused(format!(
                "the snapshot has format {format}, and this holdall knows up to {FORMAT}: use a newer one"
            )));
        }
        let length = fields.u32().ok_or_else(short)? as usize;
        if !(HEADER_START + 4..=MAX_HEADER).contains(&length) {
            return Err(damaged("its header"));
        }
        Ok(length)
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, StoreError> {
        let bad = || damaged("its header");
        let uuid: [u8; 16] = bytes.get(16..32).and_then(|uuid| uuid.try_into().ok()).ok_or_else(bad)?;
        let mut fields = Fields(checked(uuid, bytes).ok_or_else(bad)?);
        fields.skip(32).ok_or_else(bad)?;
        let (incarnation, version) = fields.u32().zip(fields.u32()).ok_or_else(bad)?;
        let taken_at = Timestamp(i64::from_le_bytes(fields.array().ok_or_else(bad)?));
        let (number, count) = fields.u64().zip(fields.u32()).ok_or_else(bad)?;
        let mut tables = Vec::new();
        for _ in 0..count {
            let length = fields.u8().ok_or_else(bad)?;
            let name = fields.skip(usize::from(length)).ok_or_else(bad)?;
            let table = Table::ALL.iter().find(|table| table.name().as_bytes() == name);
            tables.push(*table.ok_or_else(|| {
                StoreError::Refused(
                    "the snapshot has tables this holdall does not know: use a newer one".into(),
                )
            })?);
        }
        if !fields.0.is_empty() {
            return Err(bad());
        }
        Ok(Self { uuid, incarnation, version, taken_at, number, tables })
    }
}

/// What stands before a block's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BlockHead {
    pub(super) table: u16,
    pub(super) codec: Codec,
    pub(super) rows: u32,
    pub(super) plain_len: u32,
    pub(super) stored_len: u32,
    pub(super) crc: u32,
}

impl BlockHead {
    fn start(&self) -> Vec<u8> {
        let mut out = self.table.to_le_bytes().to_vec();
        out.extend_from_slice(&[self.codec.code(), 0]);
        for number in [self.rows, self.plain_len, self.stored_len] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out
    }

    fn crc_of(&self, uuid: [u8; 16], stored: &[u8]) -> u32 {
        store_crc(uuid, &[&self.start(), stored].concat())
    }

    /// Head and stored bytes as they lie in the file.
    pub(super) fn seal(mut self, uuid: [u8; 16], stored: &[u8]) -> Vec<u8> {
        self.crc = self.crc_of(uuid, stored);
        let mut out = self.start();
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.extend_from_slice(stored);
        out
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, StoreError> {
        let bad = || damaged("a block of it");
        let mut fields = Fields(bytes);
        let table = fields.array().map(u16::from_le_bytes).ok_or_else(bad)?;
        let codec = fields.u8().and_then(Codec::from_code).ok_or_else(bad)?;
        let zero = fields.u8().ok_or_else(bad)?;
        let (rows, plain_len) = fields.u32().zip(fields.u32()).ok_or_else(bad)?;
        let (stored_len, crc) = fields.u32().zip(fields.u32()).ok_or_else(bad)?;
        // A length is believed only so far; the checksum comes after the bytes.
        if zero != 0 || plain_len > MAX_BLOCK || stored_len > MAX_BLOCK {
            return Err(bad());
        }
        Ok(Self { table, codec, rows, plain_len, stored_len, crc })
    }

    /// Whether these are its bytes.
    pub(super) fn fits(&self, uuid: [u8; 16], stored: &[u8]) -> bool {
        self.crc == self.crc_of(uuid, stored)
    }
}

pub(super) fn short() -> StoreError {
    damaged("it ends too early")
}

pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(format!("a snapshot of the metadata: {what}"))
}
