//! The end of a sealed segment: a list of its records, so that nobody must walk them.
//!
//! ```text
//! footer  = entry*, trailer                  behind the last record; the file ends with it
//! entry   = chunk number 8, offset / 8  4, stored length 4, plaintext length 4,
//!           first bytes of the digest 12     sorted by chunk number, then offset
//! trailer = magic "HOLDFOOT" 8, segment 8, footer's offset 8, entries 8,
//!           CRC32C of uuid and entries 4, CRC32C of uuid and the trailer before it 4
//! ```

use std::io;

use super::{
    bytes::{Fields, checked, seal_crc, store_crc},
    header,
    record::RecordHeader,
};
use crate::{
    model::ids::{ChunkNo, SegmentId},
    store::io::{File, Site},
};

const MAGIC: [u8; 8] = *b"HOLDFOOT";
const ENTRY: usize = 32;
const TRAILER: usize = 40;

/// One record, as a footer lists it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FooterEntry {
    /// The chunk's number.
    pub chunk: ChunkNo,
    /// Where its record begins.
    pub offset: u64,
    /// Length of the stored bytes.
    pub stored_len: u32,
    /// Length of the plaintext.
    pub raw_len: u32,
    /// First bytes of the plaintext's BLAKE3.
    pub digest_prefix: [u8; 12],
}

impl From<&RecordHeader> for FooterEntry {
    fn from(header: &RecordHeader) -> Self {
        let mut digest_prefix = [0; 12];
        for (to, from) in digest_prefix.iter_mut().zip(header.digest) {
            *to = from;
        }
        Self {
            chunk: header.chunk,
            offset: header.offset,
            stored_len: header.stored_len,
            raw_len: header.raw_len,
            digest_prefix,
        }
    }
}

fn write(uuid: [u8; 16], segment: SegmentId, end: u64, entries: &[FooterEntry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len() * ENTRY + TRAILER);
    for entry in entries {
        out.extend_from_slice(&entry.chunk.0.to_le_bytes());
        // Segments are far below the 32 GiB that fit.
        out.extend_from_slice(&u32::try_from(entry.offset / 8).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&entry.stored_len.to_le_bytes());
        out.extend_from_slice(&entry.raw_len.to_le_bytes());
        out.extend_from_slice(&entry.digest_prefix);
    }
    let mut trailer = Vec::with_capacity(TRAILER);
    trailer.extend_from_slice(&MAGIC);
    for number in [segment.0, end, entries.len() as u64] {
        trailer.extend_from_slice(&number.to_le_bytes());
    }
    trailer.extend_from_slice(&store_crc(uuid, &out).to_le_bytes());
    seal_crc(uuid, &mut trailer);
    out.extend_from_slice(&trailer);
    out
}

fn entry(bytes: &[u8]) -> Option<FooterEntry> {
    let mut fields = Fields(bytes);
    Some(FooterEntry {
        chunk: ChunkNo(fields.u64()?),
        offset: u64::from(fields.u32()?) * 8,
        stored_len: fields.u32()?,
        raw_len: fields.u32()?,
        digest_prefix: fields.array()?,
    })
}

/// Ends a file behind its last record with a footer, durably.
pub(super) fn seal(
    file: &dyn File,
    uuid: [u8; 16],
    segment: SegmentId,
    end: u64,
    entries: &mut [FooterEntry],
) -> Result<(), SealError> {
    entries.sort_unstable();
    let footer = write(uuid, segment, end, entries);
    file.write_at(&footer, end).map_err(SealError::Write)?;
    file.set_len(end + footer.len() as u64).map_err(SealError::Write)?;
    file.sync(Site::SegmentSeal).map_err(SealError::Sync)
}

/// Why a segment was not sealed. Its records are no worse for it.
#[derive(Debug)]
pub(super) enum SealError {
    /// It may be tried again.
    Write(io::Error),
    /// It may not.
    Sync(io::Error),
}

/// A footer and where the records before it end; `None` if the file does not end with a whole one.
pub(super) fn read(
    file: &dyn File,
    uuid: [u8; 16],
    segment: SegmentId,
) -> io::Result<Option<(u64, Vec<FooterEntry>)>> {
    let len = file.len()?;
    let Some(at) = len.checked_sub(TRAILER as u64).filter(|at| *at >= header::HEADER) else {
        return Ok(None);
    };
    let mut trailer = [0; TRAILER];
    file.read_at(&mut trailer, at)?;
    let Some((end, count, crc)) = parse_trailer(uuid, segment, &trailer) else { return Ok(None) };
    // A count is believed only if the entries fill the file exactly.
    let bytes = count.checked_mul(ENTRY as u64).filter(|bytes| end.checked_add(*bytes) == Some(at));
    let Some(bytes) = bytes.and_then(|bytes| usize::try_from(bytes).ok()) else { return Ok(None) };
    let mut entries = vec![0; bytes];
    file.read_at(&mut entries, end)?;
    if store_crc(uuid, &entries) != crc {
        return Ok(None);
    }
    Ok(entries.chunks_exact(ENTRY).map(entry).collect::<Option<_>>().map(|entries| (end, entries)))
}

fn parse_trailer(uuid: [u8; 16], segment: SegmentId, bytes: &[u8]) -> Option<(u64, u64, u32)> {
    let mut fields = Fields(checked(uuid, bytes)?);
    let known = fields.array()? == MAGIC && fields.u64()? == segment.0;
    let (end, count, crc) = (fields.u64()?, fields.u64()?, fields.u32()?);
    (known && end >= header::HEADER).then_some((end, count, crc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::io::{Io, Mode, sim::SimDisk};

    fn entries() -> Vec<FooterEntry> {
        let entry = |chunk: u64| FooterEntry {
            chunk: ChunkNo(chunk),
            offset: 4096 + chunk * 800,
            stored_len: 600,
            raw_len: 700,
            digest_prefix: [chunk as u8; 12],
        };
        (0..20).rev().map(entry).collect()
    }

    /// Whoever changes a line here changes what lies on people's disks.
    #[test]
    fn a_footer_has_the_form_it_is_released_with() {
        let entry = FooterEntry {
            chunk: ChunkNo(7),
            offset: 4096,
            stored_len: 600,
            raw_len: 700,
            digest_prefix: *b"abcdefghijkl",
        };
        let form = [
            "07000000000000000002000058020000bc0200006162636465666768696a6b6c",
            "484f4c44464f4f540200000000000000409c0000000000000100000000000000",
            "a5612125d3a314b8",
        ]
        .concat();
        assert_eq!(hex::encode(write([1; 16], SegmentId(2), 40_000, &[entry])), form);
    }

    #[test]
    fn a_footer_lists_the_records_by_chunk_number() {
        let disk = SimDisk::new();
        let file = disk.open("a", Mode::Create).unwrap();
        file.allocate(1 << 20).unwrap();
        seal(&*file, [1; 16], SegmentId(2), 40_000, &mut entries()).unwrap();
        let mut sorted = entries();
        sorted.reverse();
        assert_eq!(read(&*file, [1; 16], SegmentId(2)).unwrap(), Some((40_000, sorted)));
        assert_eq!(read(&*file, [1; 16], SegmentId(3)).unwrap(), None);
        assert_eq!(read(&*file, [2; 16], SegmentId(2)).unwrap(), None);
    }

    #[test]
    fn a_damaged_or_short_footer_is_none() {
        let disk = SimDisk::new();
        let file = disk.open("a", Mode::Create).unwrap();
        seal(&*file, [1; 16], SegmentId(2), 40_000, &mut entries()).unwrap();
        let len = file.len().unwrap();
        for at in 40_000..len {
            disk.damage("a", at, 4).unwrap();
            assert_eq!(read(&*file, [1; 16], SegmentId(2)).unwrap(), None, "byte {at}");
            disk.damage("a", at, 4).unwrap();
        }
        for cut in [len - 1, 40_000, 4096, 10, 0] {
            file.set_len(cut).unwrap();
            assert_eq!(read(&*file, [1; 16], SegmentId(2)).unwrap(), None, "cut at {cut}");
        }
    }
}
