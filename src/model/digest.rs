//! What clients declare and ask of a body: MD5 and the S3 checksums, in one pass over its bytes,
//! and put together from those of its parts. Knows nothing of chunks.

use crc_fast::CrcAlgorithm;
use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

use super::{
    checksum::{Checksum, ChecksumKind},
    etag::Etag,
    extra::{self, Extra},
};

/// The values over one body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Digests {
    /// MD5, the ETag of content sent in one piece.
    pub md5: [u8; 16],
    /// SHA-256, if it was asked for.
    pub sha256: Option<[u8; 32]>,
    /// The checksums asked for, over the full object.
    pub checksums: Vec<Checksum>,
    /// The others asked for.
    pub extras: Vec<(Extra, Vec<u8>)>,
}

impl Digests {
    /// The checksum of this kind, if it was asked for.
    #[must_use]
    pub fn checksum(&self, kind: ChecksumKind) -> Option<&Checksum> {
        self.checksums.iter().find(|checksum| checksum.kind == kind)
    }
}

/// Takes in a body piece by piece.
#[derive(Clone, Debug)]
pub struct Digester {
    len: u64,
    md5: Md5,
    sha256: Option<Sha256>,
    /// Whether SHA-256 was asked for as such, not only as a checksum.
    sha256_wanted: bool,
    others: Vec<(ChecksumKind, Running)>,
    extras: Vec<extra::Running>,
}

#[derive(Clone, Debug)]
enum Running {
    Crc(crc_fast::Digest),
    Sha1(Sha1),
    /// Computed once, in the digester.
    Sha256,
}

impl Digester {
    /// MD5 always; the others as asked. A kind named twice counts once.
    #[must_use]
    pub fn new(sha256: bool, checksums: &[ChecksumKind]) -> Self {
        let mut others: Vec<(ChecksumKind, Running)> = Vec::new();
        for &kind in checksums {
            if others.iter().all(|(known, _)| *known != kind) {
                others.push((kind, Running::new(kind)));
            }
        }
        let wanted = sha256 || checksums.contains(&ChecksumKind::Sha256);
        let (sha256_wanted, sha256) = (sha256, wanted.then(Sha256::new));
        Self { len: 0, md5: Md5::new(), sha256, sha256_wanted, others, extras: Vec::new() }
    }

    /// And these beside them.
    #[must_use]
    pub fn with(mut self, extras: &[Extra]) -> Self {
        self.extras.extend(extras.iter().map(|kind| extra::Running::new(*kind)));
        self
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.md5.update(bytes);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        for (_, running) in &mut self.others {
            match running {
                Running::Crc(crc) => crc.update(bytes),
                Running::Sha1(sha1) => sha1.update(bytes),
                Running::Sha256 => {}
            }
        }
        self.extras.iter_mut().for_each(|extra| extra.update(bytes));
    }

    /// Bytes taken in so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True before the first byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The values over everything taken in.
    #[must_use]
    pub fn finish(self) -> Digests {
        let sha256: Option<[u8; 32]> = self.sha256.map(|sha256| sha256.finalize().into());
        let checksums = self.others.into_iter().map(|(kind, running)| {
            let value = match running {
                Running::Crc(crc) => crc_bytes(kind, crc.finalize()),
                Running::Sha1(sha1) => sha1.finalize().to_vec(),
                Running::Sha256 => sha256.unwrap_or_default().to_vec(),
            };
            Checksum { kind, value, parts: None }
        });
        Digests {
            md5: self.md5.finalize().into(),
            checksums: checksums.collect(),
            sha256: sha256.filter(|_| self.sha256_wanted),
            extras: self.extras.into_iter().map(extra::Running::finish).collect(),
        }
    }
}

impl Running {
    fn new(kind: ChecksumKind) -> Self {
        match (algorithm(kind), kind) {
            (Some(algorithm), _) => Self::Crc(crc_fast::Digest::new(algorithm)),
            (None, ChecksumKind::Sha1) => Self::Sha1(Sha1::new()),
            (None, _) => Self::Sha256,
        }
    }
}

/// The full-object value of content that was sent in parts, from the parts' values and lengths,
/// without reading a byte again. Only CRCs can do that; others are `None`, as is a part's value
/// of the wrong width.
pub fn full_object<'a>(
    kind: ChecksumKind,
    parts: impl IntoIterator<Item = (&'a [u8], u64)>,
) -> Option<Checksum> {
    let algorithm = algorithm(kind)?;
    let mut whole = crc_fast::checksum(algorithm, b"");
    for (value, len) in parts {
        whole = crc_fast::checksum_combine(algorithm, whole, crc_number(kind, value)?, len);
    }
    Some(Checksum { kind, value: crc_bytes(kind, whole), parts: None })
}

/// The composite value of content that was sent in parts: the checksum of the parts' values, one
/// behind the other.
pub fn composite<'a>(kind: ChecksumKind, parts: impl IntoIterator<Item = &'a [u8]>) -> Checksum {
    let mut digester = Digester::new(false, &[kind]);
    let mut count = 0;
    for value in parts {
        digester.update(value);
        count += 1;
    }
    let value = digester.finish().checksums.pop().map(|checksum| checksum.value).unwrap_or_default();
    Checksum { kind, value, parts: Some(count) }
}

/// The ETag of content that was sent in parts.
pub fn etag_of_parts<'a>(md5s: impl IntoIterator<Item = &'a [u8; 16]>) -> Etag {
    let mut md5 = Md5::new();
    let mut count = 0;
    for part in md5s {
        md5.update(part);
        count += 1;
    }
    Etag::of_parts(&md5.finalize().into(), count)
}

fn algorithm(kind: ChecksumKind) -> Option<CrcAlgorithm> {
    match kind {
        ChecksumKind::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
        ChecksumKind::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
        ChecksumKind::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
        ChecksumKind::Sha1 | ChecksumKind::Sha256 => None,
    }
}

fn crc_bytes(kind: ChecksumKind, value: u64) -> Vec<u8> {
    value.to_be_bytes().into_iter().skip(8 - kind.width()).collect()
}

fn crc_number(kind: ChecksumKind, bytes: &[u8]) -> Option<u64> {
    (bytes.len() == kind.width()).then(|| bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(bytes: &[u8]) -> Digests {
        let mut digester = Digester::new(true, &ChecksumKind::ALL);
        digester.update(bytes);
        digester.finish()
    }

    fn value(digests: &Digests, kind: ChecksumKind) -> String {
        hex::encode(&digests.checksum(kind).unwrap().value)
    }

    #[test]
    fn the_check_values_of_every_algorithm_come_out() {
        let digests = digest(b"123456789");
        let sha256 = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";
        assert_eq!(hex::encode(digests.md5), "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(hex::encode(digests.sha256.unwrap()), sha256);
        for (kind, expected) in [
            (ChecksumKind::Crc32, "cbf43926"),
            (ChecksumKind::Crc32c, "e3069283"),
            (ChecksumKind::Crc64Nvme, "ae8b14860a799888"),
            (ChecksumKind::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (ChecksumKind::Sha256, sha256),
        ] {
            assert_eq!(value(&digests, kind), expected, "{kind}");
        }
    }

    #[test]
    fn the_split_of_the_input_does_not_matter() {
        let mut digester = Digester::new(true, &ChecksumKind::ALL);
        for piece in [&b"1234"[..], b"", b"5", b"6789"] {
            digester.update(piece);
        }
        assert_eq!(digester.len(), 9);
        assert_eq!(digester.finish(), digest(b"123456789"));
    }

    #[test]
    fn nothing_is_computed_that_was_not_asked_for() {
        let digests = Digester::new(false, &[ChecksumKind::Sha256, ChecksumKind::Sha256]).finish();
        assert_eq!(digests.sha256, None);
        assert_eq!(digests.checksums.len(), 1);
        assert_eq!(hex::encode(digests.md5), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn crcs_of_parts_combine_to_that_of_the_whole_and_hashes_do_not() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n * 7 % 251) as u8).collect();
        let whole = digest(&bytes);
        for kind in ChecksumKind::ALL {
            let cuts: Vec<Digests> =
                [&bytes[..1], &bytes[1..70_001], &[], &bytes[70_001..]].map(digest).into();
            let lens = [1, 70_000, 0, 29_999];
            let parts = cuts.iter().map(|cut| cut.checksum(kind).unwrap().value.as_slice()).zip(lens);
            let combined = full_object(kind, parts);
            match kind {
                ChecksumKind::Sha1 | ChecksumKind::Sha256 => assert_eq!(combined, None),
                _ => assert_eq!(combined.as_ref(), whole.checksum(kind), "{kind}"),
            }
        }
        assert_eq!(full_object(ChecksumKind::Crc32, [(&[0_u8; 3][..], 1)]), None);
    }

    #[test]
    fn a_composite_is_the_checksum_of_the_parts_checksums() {
        let parts = [digest(b"1234"), digest(b"56789")];
        for kind in ChecksumKind::ALL {
            let values: Vec<&[u8]> =
                parts.iter().map(|part| &part.checksum(kind).unwrap().value[..]).collect();
            let composite = composite(kind, values.iter().copied());
            assert_eq!(composite.parts, Some(2));
            assert_eq!(composite.value, digest(&values.concat()).checksum(kind).unwrap().value);
        }
        let etag = etag_of_parts(parts.iter().map(|part| &part.md5));
        let md5s = [parts[0].md5, parts[1].md5].concat();
        assert_eq!(etag.as_str(), format!("{}-2", hex::encode(digest(&md5s).md5)));
    }
}
