//! A sum behind every value in the file. redb compares the checksums of its pages only while it
//! repairs a file: a bit that flips later would be believed, and a manifest that names another
//! chunk than it did serves wrong bytes. So each row carries a sum over its table, its key and its
//! value, and one that does not agree is damage. A row that is missing, or a page as it was some
//! commits ago, has no sum that tells; `holdall check` follows every reference to find those.
//!
//! ```text
//! value, sum 4     little-endian: the CRC-32C of the value, exclusive-or'ed with that of the key
//!                  turned left by 7 bits and that of the table's name turned left by 19
//! ```

use super::table::Table;

/// Bytes of a sum.
pub(super) const SUM: usize = 4;

fn sum(table: Table, key: &[u8], value: &[u8]) -> u32 {
    let name = crc_fast::crc32_iscsi(table.name().as_bytes());
    crc_fast::crc32_iscsi(value) ^ crc_fast::crc32_iscsi(key).rotate_left(7) ^ name.rotate_left(19)
}

/// A value as it stands in the file.
pub(in crate::store) fn with_sum(table: Table, key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(value.len() + SUM);
    stored.extend_from_slice(value);
    stored.extend_from_slice(&sum(table, key, value).to_le_bytes());
    stored
}

/// The value of what stands in the file; none if it is not what was written there.
pub(super) fn without_sum(table: Table, key: &[u8], stored: &[u8]) -> Option<Vec<u8>> {
    let (value, found) = stored.split_last_chunk::<SUM>()?;
    (sum(table, key, value) == u32::from_le_bytes(*found)).then(|| value.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever changes a line here changes what lies on people's disks.
    #[test]
    fn a_value_stands_in_the_file_as_it_is_released_with() {
        assert_eq!(hex::encode(with_sum(Table::Dent, b"key", b"value")), "76616c75652b34a6f0");
    }

    #[test]
    fn any_flipped_bit_and_any_other_place_is_noticed() {
        let stored = with_sum(Table::Dent, b"key", b"value");
        assert_eq!(without_sum(Table::Dent, b"key", &stored).as_deref(), Some(&b"value"[..]));
        assert_eq!(without_sum(Table::Dead, b"key", &stored), None);
        assert_eq!(without_sum(Table::Dent, b"kez", &stored), None);
        for bit in 0..stored.len() * 8 {
            let mut bad = stored.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(without_sum(Table::Dent, b"key", &bad), None, "{bit}");
        }
        assert_eq!(without_sum(Table::Dent, b"key", &stored[..3]), None);
        let empty = with_sum(Table::Dent, b"", b"");
        assert_eq!(without_sum(Table::Dent, b"", &empty).as_deref(), Some(&b""[..]));
    }
}
