//! Digests that are held against what was declared and are not kept: S3 has no name for them.

use std::fmt;

use sha2::{Digest as _, Sha512};

/// A kind of such a digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Extra {
    /// SHA-512.
    Sha512,
    /// Adler-32 (RFC 1950 §8.2).
    Adler32,
}

impl Extra {
    /// Bytes of a value.
    #[must_use]
    pub fn width(self) -> usize {
        match self {
            Self::Sha512 => 64,
            Self::Adler32 => 4,
        }
    }
}

impl fmt::Display for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha512 => "SHA-512",
            Self::Adler32 => "Adler-32",
        })
    }
}

/// One under way.
#[derive(Clone, Debug)]
pub(super) enum Running {
    Sha512(Sha512),
    Adler32(Adler32),
}

impl Running {
    pub(super) fn new(kind: Extra) -> Self {
        match kind {
            Extra::Sha512 => Self::Sha512(Sha512::new()),
            Extra::Adler32 => Self::Adler32(Adler32::default()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha512(hash) => hash.update(bytes),
            Self::Adler32(sum) => sum.update(bytes),
        }
    }

    /// The value, big-endian.
    pub(super) fn finish(self) -> (Extra, Vec<u8>) {
        match self {
            Self::Sha512(hash) => (Extra::Sha512, hash.finalize().to_vec()),
            Self::Adler32(sum) => (Extra::Adler32, sum.value().to_be_bytes().to_vec()),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Adler32 {
    low: u32,
    high: u32,
}

impl Default for Adler32 {
    fn default() -> Self {
        Self { low: 1, high: 0 }
    }
}

impl Adler32 {
    const MODULUS: u32 = 65_521;
    /// The most bytes after which neither sum can have passed 32 bits.
    const BLOCK: usize = 5_552;

    fn update(&mut self, data: &[u8]) {
        for block in data.chunks(Self::BLOCK) {
            for byte in block {
                self.low += u32::from(*byte);
                self.high += self.low;
            }
            self.low %= Self::MODULUS;
            self.high %= Self::MODULUS;
        }
    }

    fn value(self) -> u32 {
        (self.high << 16) | self.low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(kind: Extra, pieces: &[&[u8]]) -> String {
        let mut running = Running::new(kind);
        pieces.iter().for_each(|piece| running.update(piece));
        let (of, value) = running.finish();
        assert_eq!((of, value.len()), (kind, kind.width()));
        hex::encode(value)
    }

    #[test]
    fn values_are_those_of_zlib_and_coreutils_however_the_input_is_split() {
        assert_eq!(value(Extra::Adler32, &[b"Wiki", b"", b"pedia"]), "11e60398");
        assert_eq!(value(Extra::Adler32, &[]), "00000001");
        assert_eq!(value(Extra::Adler32, &[&[0xff; 1 << 20]]), "8e88ef11");
        let abc = value(Extra::Sha512, &[b"a", b"bc"]);
        assert!(abc.starts_with("ddaf35a193617abacc417349ae204131") && abc.ends_with("2a9ac94fa54ca49f"));
    }
}
