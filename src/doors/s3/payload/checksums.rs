//! `x-amz-checksum-*`: one at most, in a header or announced for the trailer.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderMap;

use super::header_text;
use crate::{
    doors::s3::{code::Code, error::Refusal},
    model::checksum::{Checksum, ChecksumKind},
};

const PREFIX: &str = "x-amz-checksum-";

/// The checksum a request carries or promises.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Announced {
    /// In a header.
    pub(super) value: Option<Checksum>,
    /// To come in the trailer.
    pub(super) trailer: Option<ChecksumKind>,
    /// To be computed, whether a value comes or not.
    wanted: Option<ChecksumKind>,
}

impl Announced {
    /// The kind to compute.
    pub(super) fn kind(&self) -> Option<ChecksumKind> {
        self.sent().or(self.wanted)
    }

    fn sent(&self) -> Option<ChecksumKind> {
        self.trailer.or(self.value.as_ref().map(|value| value.kind))
    }
}

/// The header, or trailer, of an algorithm.
pub(crate) fn header_name(kind: ChecksumKind) -> String {
    format!("{PREFIX}{}", kind.s3_name().to_ascii_lowercase())
}

fn of_header(name: &str) -> Option<ChecksumKind> {
    ChecksumKind::parse(name.strip_prefix(PREFIX)?)
}

fn invalid(said: impl Into<String>) -> Refusal {
    Refusal::say(Code::InvalidRequest, said.into())
}

/// Reads the headers about checksums of the body.
pub(super) fn announced(headers: &HeaderMap) -> Result<Announced, Refusal> {
    let many =
        || invalid("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
    let mut found = Announced::default();
    for kind in ChecksumKind::ALL {
        let Some(text) = header_text(headers, &header_name(kind))? else { continue };
        // On Complete the value may be one over parts; it is the operation's to read.
        if found.value.replace(parse(kind, text)?).is_some() {
            return Err(many());
        }
    }
    if let Some(names) = header_text(headers, "x-amz-trailer")? {
        let unknown = || invalid("The value specified in the x-amz-trailer header is not supported");
        found.trailer = Some(of_header(&names.to_ascii_lowercase()).ok_or_else(unknown)?);
        if found.value.is_some() {
            return Err(many());
        }
    }
    let unsupported = || {
        invalid(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
        )
    };
    if let Some(name) = header_text(headers, "x-amz-checksum-algorithm")? {
        let kind = ChecksumKind::parse(name).ok_or_else(unsupported)?;
        if found.sent().is_some_and(|other| other != kind) {
            return Err(invalid("Value for x-amz-checksum-algorithm header is invalid."));
        }
        found.wanted = Some(kind);
    }
    if let Some(name) = header_text(headers, "x-amz-sdk-checksum-algorithm")? {
        let kind = ChecksumKind::parse(name).ok_or_else(unsupported)?;
        match found.sent() {
            None => {
                return Err(invalid(
                    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
                ));
            }
            Some(other) if other != kind => {
                return Err(invalid("Value for x-amz-sdk-checksum-algorithm header is invalid."));
            }
            Some(_) => {}
        }
    }
    Ok(found)
}

/// Reads a value: base64 of the algorithm's width, with `-N` behind it if it is over N parts.
pub(crate) fn parse(kind: ChecksumKind, text: &str) -> Result<Checksum, Refusal> {
    let bad = || invalid(format!("Value for {} header is invalid.", header_name(kind)));
    let (value, parts) = match text.split_once('-') {
        Some((value, parts)) => (value, Some(parts.parse::<u32>().map_err(|_| bad())?)),
        None => (text, None),
    };
    let value = STANDARD.decode(value).map_err(|_| bad())?;
    if value.len() != kind.width() {
        return Err(bad());
    }
    Ok(Checksum { kind, value, parts })
}

/// The value of bytes that are at hand.
#[cfg(test)]
pub(crate) fn of_bytes(kind: ChecksumKind, bytes: &[u8]) -> Vec<u8> {
    let mut digester = crate::model::digest::Digester::new(false, &[kind]);
    digester.update(bytes);
    digester.finish().checksums.remove(0).value
}
