//! The checksums S3 clients declare and ask back.

use std::fmt;

/// An algorithm of `x-amz-checksum-*`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ChecksumKind {
    /// CRC-32 (ISO-HDLC).
    Crc32,
    /// CRC-32C (Castagnoli).
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl ChecksumKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The name S3 writes, as in `ChecksumAlgorithm`.
    #[must_use]
    pub fn s3_name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// Bytes of a value.
    #[must_use]
    pub fn width(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Reads [`Self::s3_name`] in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.s3_name().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for ChecksumKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.s3_name())
    }
}

/// A checksum of a version.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Checksum {
    /// The algorithm.
    pub kind: ChecksumKind,
    /// Its value, big-endian; [`ChecksumKind::width`] bytes.
    pub value: Vec<u8>,
    /// For a value computed over the parts' values (`COMPOSITE`): how many parts. `None` is a
    /// value over the whole content (`FULL_OBJECT`).
    pub parts: Option<u32>,
}
