//! What the checksum of an upload's whole is over: its bytes, or the values of its parts. S3 does not
//! know every kind both ways, and Complete may not change what was begun.

use crate::{
    domain::{Error, error::BadSumType},
    model::checksum::ChecksumKind,
};

/// The checksum an upload is begun with, where the kind alone decides what is left open.
pub(super) fn begun_with(
    (kind, over_parts): (ChecksumKind, Option<bool>),
) -> Result<(ChecksumKind, bool), Error> {
    let over_parts = match (kind, over_parts) {
        (ChecksumKind::Crc64Nvme, Some(true)) => {
            return Err(Error::BadSumType(BadSumType::NotOverParts(kind)));
        }
        (ChecksumKind::Sha1 | ChecksumKind::Sha256, Some(false)) => {
            return Err(Error::BadSumType(BadSumType::OverPartsOnly(kind)));
        }
        (ChecksumKind::Crc64Nvme, _) => false,
        (_, over_parts) => over_parts.unwrap_or(true),
    };
    Ok((kind, over_parts))
}

/// Refuses a type other than the upload was begun with; one begun without a checksum has none.
pub(super) fn as_begun(begun: Option<(ChecksumKind, bool)>, over_parts: Option<bool>) -> Result<(), Error> {
    match (begun, over_parts) {
        (Some((_, true)), Some(false)) => Err(Error::BadSumType(BadSumType::BegunOverParts)),
        (Some((_, false)), Some(true)) => Err(Error::BadSumType(BadSumType::BegunOverWhole)),
        _ => Ok(()),
    }
}
