//! Fixed layouts: fields taken off the front of a slice, and the checksum that guards them.

use crc_fast::{CrcAlgorithm::Crc32Iscsi, Digest};

/// Little-endian fields, one after the other; `None` when the bytes end.
pub(in crate::store) struct Fields<'a>(pub(in crate::store) &'a [u8]);

impl<'a> Fields<'a> {
    pub(in crate::store) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(in crate::store) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(in crate::store) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(in crate::store) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(in crate::store) fn skip(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
}

/// CRC32C of the store's uuid and then the bytes. With the uuid in front, bytes of another store
/// and bytes that a client made to look like a header do not pass.
pub(in crate::store) fn store_crc(uuid: [u8; 16], bytes: &[u8]) -> u32 {
    let mut digest = Digest::new(Crc32Iscsi);
    digest.update(&uuid);
    digest.update(bytes);
    digest.finalize() as u32
}

/// Appends the checksum of everything in `out`.
pub(in crate::store) fn seal_crc(uuid: [u8; 16], out: &mut Vec<u8>) {
    let crc = store_crc(uuid, out);
    out.extend_from_slice(&crc.to_le_bytes());
}

/// The bytes before the checksum at the end, if it is right.
pub(in crate::store) fn checked(uuid: [u8; 16], bytes: &[u8]) -> Option<&[u8]> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    (store_crc(uuid, body) == u32::from_le_bytes(*crc)).then_some(body)
}
