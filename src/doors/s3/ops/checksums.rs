//! Checksums between the domain's form and the five fields the library has for them everywhere.

use base64::{Engine, engine::general_purpose::STANDARD};
use s3s::dto::{ChecksumAlgorithm, ChecksumType};

use super::super::{code::Code, error::Refusal, payload::checksums::parse};
use crate::model::checksum::{Checksum, ChecksumKind};

/// A value as S3 writes it: base64, with `-N` behind it if it is over N parts.
pub(super) fn written(checksum: &Checksum) -> String {
    let value = STANDARD.encode(&checksum.value);
    match checksum.parts {
        Some(parts) => format!("{value}-{parts}"),
        None => value,
    }
}

/// The value of one kind among several.
pub(super) fn of(checksums: &[Checksum], kind: ChecksumKind) -> Option<String> {
    checksums.iter().find(|checksum| checksum.kind == kind).map(written)
}

/// Whether values are over the content or over its parts' values.
pub(super) fn kind_of_value(over_parts: bool) -> &'static str {
    if over_parts { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT }
}

/// The type all of these have, if there are any.
pub(super) fn type_of(checksums: &[Checksum]) -> Option<ChecksumType> {
    let first = checksums.first()?;
    Some(ChecksumType::from_static(kind_of_value(first.parts.is_some())))
}

/// The algorithm in the library's type.
pub(super) fn algorithm(kind: ChecksumKind) -> ChecksumAlgorithm {
    ChecksumAlgorithm::from_static(kind.s3_name())
}

/// Reads an algorithm's name.
pub(super) fn kind(name: &ChecksumAlgorithm) -> Result<ChecksumKind, Refusal> {
    ChecksumKind::parse(name.as_str()).ok_or_else(|| {
        Refusal::say(
            Code::InvalidRequest,
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
             [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
        )
    })
}

/// Reads the values that are there.
pub(super) fn read(fields: [(ChecksumKind, Option<&String>); 5]) -> Result<Vec<Checksum>, Refusal> {
    let there = fields.into_iter().filter_map(|(kind, text)| Some((kind, text?)));
    there.map(|(kind, text)| parse(kind, text)).collect()
}

/// Fills the five fields of one of the library's types.
macro_rules! fill_checksums {
    ($target:expr, $checksums:expr) => {{
        use crate::model::checksum::ChecksumKind as Kind;
        let of = |kind| $crate::doors::s3::ops::checksums::of($checksums, kind);
        $target.checksum_crc32 = of(Kind::Crc32);
        $target.checksum_crc32c = of(Kind::Crc32c);
        $target.checksum_crc64nvme = of(Kind::Crc64Nvme);
        $target.checksum_sha1 = of(Kind::Sha1);
        $target.checksum_sha256 = of(Kind::Sha256);
    }};
}
pub(super) use fill_checksums;

/// Reads the five fields of one of the library's types.
macro_rules! read_checksums {
    ($source:expr) => {{
        use crate::model::checksum::ChecksumKind as Kind;
        $crate::doors::s3::ops::checksums::read([
            (Kind::Crc32, $source.checksum_crc32.as_ref()),
            (Kind::Crc32c, $source.checksum_crc32c.as_ref()),
            (Kind::Crc64Nvme, $source.checksum_crc64nvme.as_ref()),
            (Kind::Sha1, $source.checksum_sha1.as_ref()),
            (Kind::Sha256, $source.checksum_sha256.as_ref()),
        ])
    }};
}
pub(super) use read_checksums;
