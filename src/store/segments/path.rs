//! Where a segment lies: `segments/<hi>/<id>.seg`, both hexadecimal, hi the id without its last
//! byte, so that no folder holds more than 256 files.

use crate::model::ids::SegmentId;

pub(super) const ROOT: &str = "segments";

pub(in crate::store) fn folder(id: SegmentId) -> String {
    format!("{ROOT}/{:06x}", id.0 >> 8)
}

pub(in crate::store) fn file(id: SegmentId) -> String {
    format!("{}/{:08x}.seg", folder(id), id.0)
}

/// The segment whose file this is; `None` for every other file.
pub(super) fn parse(hi: &str, name: &str) -> Option<SegmentId> {
    let id = SegmentId(u64::from_str_radix(name.strip_suffix(".seg")?, 16).ok()?);
    // Only as we write it: one segment, one name.
    (file(id) == format!("{ROOT}/{hi}/{name}")).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_exactly_one_name() {
        assert_eq!(file(SegmentId(0x1234)), "segments/000012/00001234.seg");
        assert_eq!(parse("000012", "00001234.seg"), Some(SegmentId(0x1234)));
        assert_eq!(parse("0000ff123456", "ff12345678.seg").map(|id| id.0), None);
        assert_eq!(parse("ff123456", "ff12345678.seg"), Some(SegmentId(0xff_1234_5678)));
        for (hi, name) in [("000013", "00001234.seg"), ("000012", "1234.seg"), ("000012", "+0001234.seg")] {
            assert_eq!(parse(hi, name), None);
        }
    }
}
