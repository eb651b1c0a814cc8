//! The tag a file would have in the store, from its bytes on a disk and the sizes of the parts it
//! was sent in. Equal tags are equal bytes, whatever sizes and times say.

use std::{collections::VecDeque, io::Read, mem};

use crate::model::{digest::Digester, etag::Etag};

/// Bytes read from a disk at once.
const BLOCK: usize = 256 << 10;

/// Takes bytes in and tells their tag.
pub(in crate::cli) struct Tagger {
    now: Digester,
    /// Sizes of this part and those behind it; none for what was sent in one piece.
    left: VecDeque<u64>,
    count: usize,
    /// The MD5s of whole parts.
    done: Vec<u8>,
}

impl Tagger {
    /// For a file sent in these parts; `None` for one sent in one piece.
    pub(in crate::cli) fn new(parts: Option<&[u64]>) -> Self {
        let left: VecDeque<u64> = parts.unwrap_or_default().iter().copied().collect();
        Self { now: Digester::new(false, &[]), count: left.len(), left, done: Vec::new() }
    }

    /// Takes the next bytes.
    pub(in crate::cli) fn update(&mut self, mut bytes: &[u8]) {
        while let Some(size) = self.left.front() {
            let missing = usize::try_from(size - self.now.len()).unwrap_or(usize::MAX);
            let Some((own, behind)) = bytes.split_at_checked(missing) else { break };
            self.now.update(own);
            let part = mem::replace(&mut self.now, Digester::new(false, &[]));
            self.done.extend_from_slice(&part.finish().md5);
            self.left.pop_front();
            bytes = behind;
            if bytes.is_empty() {
                return;
            }
        }
        self.now.update(bytes);
    }

    /// The tag of everything taken in.
    pub(in crate::cli) fn finish(mut self) -> Etag {
        if self.count == 0 {
            return Etag::of_md5(&self.now.finish().md5);
        }
        while self.left.front() == Some(&0) {
            self.update(&[]);
        }
        // Other bytes than the parts have: their digest makes the tag another.
        if !self.left.is_empty() || !self.now.is_empty() {
            let rest = mem::replace(&mut self.now, Digester::new(false, &[]));
            self.done.extend_from_slice(&rest.finish().md5);
        }
        let mut md5s = Digester::new(false, &[]);
        md5s.update(&self.done);
        Etag::of_parts(&md5s.finish().md5, self.count)
    }

    /// The tag of everything that can be read.
    pub(in crate::cli) fn of(mut self, mut from: impl Read) -> std::io::Result<Etag> {
        let mut block = vec![0; BLOCK];
        loop {
            match from.read(&mut block)? {
                0 => return Ok(self.finish()),
                length => self.update(block.get(..length).unwrap_or_default()),
            }
        }
    }
}

/// Whether it is the tag of a file sent in parts.
pub(in crate::cli) fn is_of_parts(etag: &str) -> bool {
    etag.contains('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn md5(bytes: &[u8]) -> [u8; 16] {
        let mut digester = Digester::new(false, &[]);
        digester.update(bytes);
        digester.finish().md5
    }

    #[test]
    fn a_tag_is_that_of_the_store_however_the_bytes_come() {
        let bytes: Vec<u8> = (0..1000_u32).map(|n| n as u8).collect();
        let parts = [md5(&bytes[..300]), md5(&bytes[300..600]), md5(&bytes[600..])].concat();
        let expected = Etag::of_parts(&md5(&parts), 3);
        for piece in [1, 7, 299, 300, 301, 1000] {
            let (mut whole, mut tagger) = (Tagger::new(None), Tagger::new(Some(&[300, 300, 400])));
            for piece in bytes.chunks(piece) {
                whole.update(piece);
                tagger.update(piece);
            }
            assert_eq!(tagger.finish(), expected, "{piece}");
            assert_eq!(whole.finish(), Etag::of_md5(&md5(&bytes)), "{piece}");
        }
        assert_eq!(Tagger::new(Some(&[300, 300, 400])).of(&bytes[..]).unwrap(), expected);
        let empty = Tagger::new(Some(&[0])).of(&[][..]).unwrap();
        assert_eq!(empty, Etag::of_parts(&md5(&md5(b"")), 1));
    }

    #[test]
    fn other_bytes_have_another_tag() {
        let of = |bytes: &[u8]| Tagger::new(Some(&[2, 2])).of(bytes).unwrap();
        let good = of(b"abcd");
        for other in [&b"abcde"[..], b"abc", b"ab", b"", b"abdc", b"abcd\0"] {
            assert_ne!(of(other), good, "{other:?}");
        }
    }
}
