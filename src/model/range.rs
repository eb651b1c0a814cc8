//! One byte range of a read (RFC 9110 §14), read the way S3 does: what is malformed or asks for
//! several ranges is as if it were absent.

use std::ops::Range;

/// What a `Range` header asks for, before the size is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ByteRange {
    /// `bytes=first-last`, both inclusive.
    Between(u64, u64),
    /// `bytes=first-`.
    From(u64),
    /// `bytes=-count`.
    Last(u64),
}

/// The range cannot be served: 416 with `Content-Range: bytes */size`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unsatisfiable;

impl ByteRange {
    /// Reads the header; `None` for anything but one well-formed range of bytes.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let (first, last) = header.trim().strip_prefix("bytes=")?.trim().split_once('-')?;
        let number = |text: &str| -> Option<u64> {
            (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
                .then(|| text.parse().unwrap_or(u64::MAX))
        };
        match (first.trim(), last.trim()) {
            ("", last) => number(last).map(Self::Last),
            (first, "") => number(first).map(Self::From),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// The bytes meant in content of `size` bytes.
    ///
    /// # Errors
    /// [`Unsatisfiable`] if no byte of the content is in the range.
    pub fn resolve(self, size: u64) -> Result<Range<u64>, Unsatisfiable> {
        let range = match self {
            Self::Between(first, last) => first..last.saturating_add(1).min(size),
            Self::From(first) => first..size,
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        if range.start < range.end { Ok(range) } else { Err(Unsatisfiable) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_content_or_refused() {
        let resolve = |header: &str, size| ByteRange::parse(header).map(|r| r.resolve(size));
        assert_eq!(resolve("bytes=0-0", 10), Some(Ok(0..1)));
        assert_eq!(resolve("bytes=5-99", 10), Some(Ok(5..10)));
        assert_eq!(resolve("bytes=5-", 10), Some(Ok(5..10)));
        assert_eq!(resolve("bytes=-3", 10), Some(Ok(7..10)));
        assert_eq!(resolve("bytes=-30", 10), Some(Ok(0..10)));
        assert_eq!(resolve("bytes=-0", 10), Some(Err(Unsatisfiable)));
        assert_eq!(resolve("bytes=10-", 10), Some(Err(Unsatisfiable)));
        assert_eq!(resolve("bytes=0-", 0), Some(Err(Unsatisfiable)));
        assert_eq!(resolve("bytes=-5", 0), Some(Err(Unsatisfiable)));
        assert_eq!(resolve("bytes=0-18446744073709551616", 10), Some(Ok(0..10)));
        for ignored in ["bytes=5-2", "bytes=0-1,4-5", "bytes=a-b", "lines=0-1", "bytes=-", "bytes=+1-2"] {
            assert_eq!(ByteRange::parse(ignored), None, "{ignored}");
        }
    }
}
