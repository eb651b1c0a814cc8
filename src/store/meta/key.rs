//! Builds and takes apart the keys of rows, keeping the order of their parts.
//!
//! A variable part that is not last is written with every `00` as `00 FF` and closed by `00 01`,
//! which keeps byte order and lets no part run into the next.

use super::codec::Reader;
use crate::store::error::StoreError;

/// A key under construction.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Key(Vec<u8>);

impl Key {
    /// An empty key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a number, big-endian.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// Adds a number so that higher ones come first.
    #[must_use]
    pub fn newest_first(self, number: u64) -> Self {
        self.number(!number)
    }

    /// Adds one byte.
    #[must_use]
    pub fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    /// Adds a variable part that others follow.
    #[must_use]
    pub fn part(mut self, part: &[u8]) -> Self {
        for &byte in part {
            self.0.push(byte);
            if byte == 0 {
                self.0.push(0xff);
            }
        }
        self.0.extend_from_slice(&[0, 1]);
        self
    }

    /// Adds the last, variable part as it is.
    #[must_use]
    pub fn last(mut self, part: &[u8]) -> Vec<u8> {
        self.0.extend_from_slice(part);
        self.0
    }

    /// The key.
    #[must_use]
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Takes a number off a key.
///
/// # Errors
/// Damaged if the key is too short.
pub fn number(from: &mut Reader<'_>) -> Result<u64, StoreError> {
    let bytes: [u8; 8] = from.take(8)?.try_into().unwrap_or_default();
    Ok(u64::from_be_bytes(bytes))
}

/// Takes an escaped part off a key.
///
/// # Errors
/// Damaged if the part is not closed.
pub fn part(from: &mut Reader<'_>) -> Result<Vec<u8>, StoreError> {
    let mut part = Vec::new();
    loop {
        match from.take(1)? {
            [0] => match from.take(1)? {
                [1] => return Ok(part),
                [0xff] => part.push(0),
                _ => return Err(StoreError::Damaged("a key has an impossible escape".into())),
            },
            other => part.extend_from_slice(other),
        }
    }
}

/// The first key behind every key that starts with `prefix`; `None` if there is none.
#[must_use]
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let keep = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut end = prefix.get(..=keep)?.to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_order_whatever_follows() {
        let names: [&[u8]; 7] = [b"", b"\0", b"\0\0", b"\0a", b"a", b"a\0", b"ab"];
        for (i, a) in names.iter().enumerate() {
            for (j, b) in names.iter().enumerate() {
                let (x, y) = (Key::new().part(a).last(b"zz"), Key::new().part(b).last(b""));
                if i != j {
                    assert_eq!(x < y, a < b, "{a:?} {b:?}");
                }
            }
            let key = Key::new().number(7).part(a).last(b"tail");
            let mut from = Reader::new(&key);
            assert_eq!(number(&mut from).unwrap(), 7);
            assert_eq!(part(&mut from).unwrap(), *a);
            assert_eq!(from.take(4).unwrap(), b"tail");
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_behind_all_its_keys() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(b"a\xff"), Some(b"b".to_vec()));
        assert_eq!(after_prefix(b"\xff\xff"), None);
    }
}
