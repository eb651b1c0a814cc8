//! One chunk as it lies in a segment: a header that says everything about it, then its bytes.
//!
//! ```text
//!   0  magic "HREC"          4        72  owner domain             8
//!   4  version 1             1        80  BLAKE3 of the plaintext  32
//!   5  kind 1 = chunk        1       112  CRC64-NVME of the plaintext  8
//!   6  codec 0 raw 1 zstd    1       120  CRC32 of the plaintext   4
//!   7  cipher 0 none         1       124  CRC32C of the plaintext  4
//!   8  key id                4       128  CRC32C of the stored bytes  4
//!  12  zero                  4       132  CRC32C of uuid and 0..132  4
//!  16  nonce                24       136  stored bytes
//!  40  stored length         4            zeros up to a multiple of 8
//!  44  plaintext length      4
//!  48  chunk number          8
//!  56  segment               8
//!  64  own offset            8
//! ```
//!
//! Numbers are little-endian. Cipher, key id and nonce are zero until chunks are encrypted. Then
//! the digest and the sums of the plaintext move inside the sealed bytes and are zero here, and
//! the associated data is chunk number, lengths and codec, never the position, so that a record
//! can be copied to another segment without opening it.

use super::{
    bytes::{Fields, checked, seal_crc},
    codec::{Codec, Codecs},
    read::Verbatim,
};
use crate::{
    model::ids::{AccountId, ChunkNo, SegmentId},
    store::error::StoreError,
};

/// Bytes of a record's header.
pub(super) const HEADER: usize = 136;
pub(super) const MAGIC: [u8; 4] = *b"HREC";
const VERSION: u8 = 1;
const KIND_CHUNK: u8 = 1;
const CIPHER_NONE: u8 = 0;
/// Largest plaintext of one record, and so its largest stored form; far above what the chunker cuts.
pub(super) const MAX_BYTES: usize = 16 << 20;

/// Room a record takes in its segment.
#[must_use]
pub const fn record_bytes(stored_len: u32) -> u64 {
    (HEADER as u64 + stored_len as u64).next_multiple_of(8)
}

/// Checksums of a plaintext. Those of a whole object can be put together from its chunks'.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Crcs {
    /// CRC32 (ISO-HDLC).
    pub crc32: u32,
    /// CRC32C (Castagnoli).
    pub crc32c: u32,
    /// CRC64-NVME.
    pub crc64: u64,
}

/// A chunk to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its number.
    pub chunk: ChunkNo,
    /// Whose bytes they are, for look-ups.
    pub domain: AccountId,
    /// BLAKE3 of the bytes.
    pub digest: [u8; 32],
    /// Checksums of the bytes.
    pub crcs: Crcs,
    /// The plaintext, at most 16 MiB.
    pub bytes: &'a [u8],
}

/// What a record says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordHeader {
    /// How its bytes are stored.
    pub codec: Codec,
    /// Length of the stored bytes.
    pub stored_len: u32,
    /// Length of the plaintext.
    pub raw_len: u32,
    /// The chunk's number.
    pub chunk: ChunkNo,
    /// The segment it was written to.
    pub segment: SegmentId,
    /// Where in that segment.
    pub offset: u64,
    /// Whose bytes they are.
    pub domain: AccountId,
    /// BLAKE3 of the plaintext.
    pub digest: [u8; 32],
    /// Checksums of the plaintext.
    pub crcs: Crcs,
    /// CRC32C of the stored bytes.
    pub(super) stored_crc: u32,
}

impl RecordHeader {
    /// Where the next record may begin.
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(record_bytes(self.stored_len))
    }

    fn write(&self, uuid: [u8; 16]) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, KIND_CHUNK, self.codec.code(), CIPHER_NONE]);
        // Key id, four bytes to spare and the nonce.
        out.extend_from_slice(&[0; 4 + 4 + 24]);
        out.extend_from_slice(&self.stored_len.to_le_bytes());
        out.extend_from_slice(&self.raw_len.to_le_bytes());
        for number in [self.chunk.0, self.segment.0, self.offset, self.domain.0] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.digest);
        out.extend_from_slice(&self.crcs.crc64.to_le_bytes());
        for crc in [self.crcs.crc32, self.crcs.crc32c, self.stored_crc] {
            out.extend_from_slice(&crc.to_le_bytes());
        }
        seal_crc(uuid, &mut out);
        out
    }

    /// Reads a header; `None` unless every byte of it is as it was written for this store.
    pub(super) fn parse(uuid: [u8; 16], bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(checked(uuid, bytes.get(..HEADER)?)?);
        let known = fields.array()? == MAGIC && fields.u8()? == VERSION && fields.u8()? == KIND_CHUNK;
        let codec = Codec::from_code(fields.u8()?)?;
        if !known || fields.u8()? != CIPHER_NONE {
            return None;
        }
        fields.skip(4 + 4 + 24)?;
        let (stored_len, raw_len) = (fields.u32()?, fields.u32()?);
        let (chunk, segment) = (ChunkNo(fields.u64()?), SegmentId(fields.u64()?));
        let (offset, domain) = (fields.u64()?, AccountId(fields.u64()?));
        let digest = fields.array()?;
        let crc64 = fields.u64()?;
        let crcs = Crcs { crc64, crc32: fields.u32()?, crc32c: fields.u32()? };
        let stored_crc = fields.u32()?;
        let sane = stored_len as usize <= MAX_BYTES && raw_len as usize <= MAX_BYTES;
        sane.then_some(Self {
            codec,
            stored_len,
            raw_len,
            chunk,
            segment,
            offset,
            domain,
            digest,
            crcs,
            stored_crc,
        })
    }

    /// Whether these are the stored bytes and the padding that belong to the header.
    pub(super) fn matches(&self, stored: &[u8], padding: &[u8]) -> bool {
        crc_fast::crc32_iscsi(stored) == self.stored_crc && padding.iter().all(|byte| *byte == 0)
    }
}

/// A record that is ready but for its place. The costly work is done, so a lane is held briefly.
pub(super) struct Prepared {
    header: RecordHeader,
    buffer: Vec<u8>,
}

impl Prepared {
    pub(super) fn new(record: &Record<'_>, codecs: &Codecs) -> Result<Self, StoreError> {
        let raw_len = record.bytes.len();
        if raw_len > MAX_BYTES {
            return Err(StoreError::Refused(format!("a chunk of {raw_len} bytes is too large")));
        }
        let (mut buffer, codec) = codecs.encode(record.bytes, HEADER);
        let stored = buffer.get(HEADER..).unwrap_or_default();
        let header = RecordHeader {
            codec,
            stored_len: stored.len() as u32,
            raw_len: raw_len as u32,
            chunk: record.chunk,
            segment: SegmentId(0),
            offset: 0,
            domain: record.domain,
            digest: record.digest,
            crcs: record.crcs,
            stored_crc: crc_fast::crc32_iscsi(stored),
        };
        buffer.resize(buffer.len().next_multiple_of(8), 0);
        Ok(Self { header, buffer })
    }

    /// A record as it was read; only its place is written anew.
    pub(super) fn copy(record: Verbatim) -> Self {
        Self { header: record.header, buffer: record.bytes }
    }

    /// Room it will take.
    pub(super) fn len(&self) -> u64 {
        self.buffer.len() as u64
    }

    /// Gives it a place: its header, and all its bytes.
    pub(super) fn place(&mut self, uuid: [u8; 16], segment: SegmentId, offset: u64) -> (RecordHeader, &[u8]) {
        self.header.segment = segment;
        self.header.offset = offset;
        for (to, from) in self.buffer.iter_mut().zip(self.header.write(uuid)) {
            *to = from;
        }
        (self.header, &self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(bytes: &[u8]) -> (RecordHeader, Vec<u8>) {
        let record = Record {
            chunk: ChunkNo(7),
            domain: AccountId(3),
            digest: *blake3::hash(bytes).as_bytes(),
            crcs: Crcs { crc32: 1, crc32c: 2, crc64: 3 },
            bytes,
        };
        let mut prepared = Prepared::new(&record, &Codecs::default()).unwrap();
        let (header, written) = prepared.place([9; 16], SegmentId(5), 4096);
        (header, written.to_vec())
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let (header, written) = placed(b"hello");
        assert_eq!(RecordHeader::parse([9; 16], &written), Some(header));
        assert_eq!(written.len() as u64, record_bytes(5));
        assert_eq!(header.end(), 4096 + 144);
        assert_eq!(&written[HEADER..HEADER + 5], b"hello");
    }

    /// Whoever changes a line here changes what lies on people's disks.
    #[test]
    fn a_record_has_the_form_it_is_released_with() {
        let (_, written) = placed(b"hello");
        let form = [
            "4852454301010000000000000000000000000000000000000000000000000000",
            "0000000000000000050000000500000007000000000000000500000000000000",
            "00100000000000000300000000000000ea8f163db38682925e4491c5e58d4bb3",
            "506ef8c14eb78a86e908c5624a67200f03000000000000000100000002000000",
            "4cbb719ac4e824e368656c6c6f000000",
        ]
        .concat();
        assert_eq!(hex::encode(written), form);
    }

    #[test]
    fn a_header_with_any_flipped_bit_or_of_another_store_is_none() {
        let (_, written) = placed(b"hello");
        for bit in 0..HEADER * 8 {
            let mut bad = written.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::parse([9; 16], &bad), None, "bit {bit}");
        }
        assert_eq!(RecordHeader::parse([8; 16], &written), None);
        assert_eq!(RecordHeader::parse([9; 16], &written[..HEADER - 1]), None);
    }

    #[test]
    fn an_oversized_chunk_is_refused() {
        let bytes = vec![0; MAX_BYTES + 1];
        let record = Record {
            chunk: ChunkNo(1),
            domain: AccountId(1),
            digest: [0; 32],
            crcs: Crcs::default(),
            bytes: &bytes,
        };
        assert!(Prepared::new(&record, &Codecs::default()).is_err());
    }
}
