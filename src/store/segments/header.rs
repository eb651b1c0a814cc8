//! The first 4 KiB of a segment: whose it is and which.
//!
//! ```text
//!    0  magic "HOLDSEGM"      8        32  segment              8
//!    8  format 1              4        40  created, ms since 1970  8
//!   12  lane's kind           1        48  key id               4
//!   13  cipher 0 none         1        52  zero                 4
//!   14  zero                  2        56  salt, zero while unencrypted  32
//!   16  uuid of the store    16        88  zeros
//!                                    4092  CRC32C of uuid and 0..4092  4
//! ```

use super::{
    bytes::{Fields, checked, seal_crc},
    lane::LaneKind,
};
use crate::model::{ids::SegmentId, time::Timestamp};

/// Bytes of the header; the first record begins here.
pub const HEADER: u64 = 4096;
const MAGIC: [u8; 8] = *b"HOLDSEGM";
const FORMAT: u32 = 1;

/// What a segment says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentHeader {
    pub(super) kind: LaneKind,
    pub(super) segment: SegmentId,
    pub(super) created: Timestamp,
}

impl SegmentHeader {
    pub(super) fn write(&self, uuid: [u8; 16]) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER as usize);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&[self.kind.code(), 0, 0, 0]);
        out.extend_from_slice(&uuid);
        out.extend_from_slice(&self.segment.0.to_le_bytes());
        out.extend_from_slice(&self.created.0.to_le_bytes());
        out.resize(HEADER as usize - 4, 0);
        seal_crc(uuid, &mut out);
        out
    }

    pub(super) fn parse(uuid: [u8; 16], bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(checked(uuid, bytes)?);
        let known = fields.array()? == MAGIC && fields.u32()? == FORMAT;
        let kind = LaneKind::from_code(fields.u8()?)?;
        let plain = fields.u8()? == 0;
        fields.skip(2)?;
        let ours = fields.array()? == uuid;
        let segment = SegmentId(fields.u64()?);
        let created = Timestamp(i64::from_le_bytes(fields.array()?));
        (known && plain && ours).then_some(Self { kind, segment, created })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever changes a line here changes what lies on people's disks.
    #[test]
    fn a_segment_begins_with_the_form_it_is_released_with() {
        let header = SegmentHeader { kind: LaneKind::Normal, segment: SegmentId(300), created: Timestamp(5) };
        let bytes = header.write([4; 16]);
        let form = [
            "484f4c445345474d0100000001000000",
            "04040404040404040404040404040404",
            "2c010000000000000500000000000000",
        ]
        .concat();
        assert_eq!(hex::encode(&bytes[..48]), form);
        assert!(bytes[48..4092].iter().all(|byte| *byte == 0));
        assert_eq!(hex::encode(&bytes[4092..]), "0035efde");
    }

    #[test]
    fn a_segment_header_is_read_as_it_was_written_or_not_at_all() {
        let header =
            SegmentHeader { kind: LaneKind::Exclusive, segment: SegmentId(300), created: Timestamp(5) };
        let bytes = header.write([4; 16]);
        assert_eq!(bytes.len() as u64, HEADER);
        assert_eq!(SegmentHeader::parse([4; 16], &bytes), Some(header));
        assert_eq!(SegmentHeader::parse([5; 16], &bytes), None);
        for at in [0, 8, 12, 13, 16, 32, 40, 88, 4000, 4095] {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(SegmentHeader::parse([4; 16], &bad), None, "byte {at}");
        }
    }
}
