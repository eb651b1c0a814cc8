//! What a PUT declares its body's bytes to be: `Content-MD5`, ownCloud's `OC-Checksum`, `Digest`
//! (RFC 3230), `Content-Digest` and `Repr-Digest` (RFC 9530). The body of a PUT is the whole file as
//! it is stored, so that all of them are of the same bytes. Most are verified by the domain, which
//! computes them beside storing; the rest here, while the bytes pass.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, StatusCode};
use sha2::{Digest as _, Sha512};

use super::{error::Refusal, headers::text};
use crate::{
    domain::{Error, error::Sum},
    model::checksum::{Checksum, ChecksumKind},
};

/// What a PUT declares of its body.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Sums {
    /// The MD5.
    pub(super) md5: Option<[u8; 16]>,
    /// Those of the kinds the domain verifies; several of one kind must all be right.
    pub(super) others: Vec<Checksum>,
    sha512: Vec<Vec<u8>>,
    adler32: Vec<u32>,
}

/// Reads all the headers. Of several digests in one, kinds that are not known here are left out.
///
/// # Errors
/// 400 if a value is not of its kind or two MD5s differ; 501 if no kind of a header is known.
pub(super) fn sums(headers: &HeaderMap) -> Result<Sums, Refusal> {
    let mut sums = Sums::default();
    if let Some(value) = text(headers, &HeaderName::from_static("content-md5"))? {
        let value = base64(value).ok_or_else(|| malformed("content-md5"))?;
        sums.add("content-md5", "md5", value)?;
    }
    if let Some(value) = text(headers, &HeaderName::from_static("oc-checksum"))? {
        let one = |text: &str| {
            let (kind, value) = text.split_once(':')?;
            Some((kind.to_owned(), hexadecimal(kind, value)?))
        };
        sums.add_all("oc-checksum", value.split_whitespace().map(one))?;
    }
    for value in headers.get_all("digest") {
        let value = value.to_str().map_err(|_| malformed("digest"))?;
        sums.add_all("digest", value.split(',').map(instance_digest))?;
    }
    for name in ["content-digest", "repr-digest"] {
        for value in headers.get_all(name) {
            let value = value.to_str().map_err(|_| malformed(name))?;
            sums.add_all(name, value.split(',').map(field_digest))?;
        }
    }
    Ok(sums)
}

/// `SHA-256=` and base64, or `adler32=` and hexadecimal digits, as RFC 3230 has them.
fn instance_digest(text: &str) -> Option<(String, Vec<u8>)> {
    let (kind, value) = text.trim().split_once('=')?;
    let value = if kind.eq_ignore_ascii_case("adler32") { hexadecimal(kind, value)? } else { base64(value)? };
    Some((kind.to_owned(), value))
}

/// `sha-256=:` base64 `:`, with or without parameters, as RFC 9530 has it.
fn field_digest(text: &str) -> Option<(String, Vec<u8>)> {
    let (kind, value) = text.trim().split_once('=')?;
    let (value, _) = value.strip_prefix(':')?.split_once(':')?;
    // What this kind is in is not told: as bytes or in digits.
    let kind = if kind == "adler" { "unknown" } else { kind };
    Some((kind.to_owned(), base64(value)?))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok()
}

/// Digits; ownCloud's clients leave out the zeros in front of an Adler-32.
fn hexadecimal(kind: &str, text: &str) -> Option<Vec<u8>> {
    if kind.eq_ignore_ascii_case("adler32") && text.len() <= 8 {
        return hex::decode(format!("{text:0>8}")).ok();
    }
    hex::decode(text).ok()
}

fn malformed(header: &str) -> Refusal {
    Refusal::bad_request(format!("the header {header} is malformed"))
}

impl Sums {
    fn add_all(
        &mut self,
        header: &str,
        all: impl Iterator<Item = Option<(String, Vec<u8>)>>,
    ) -> Result<(), Refusal> {
        let mut known = false;
        for one in all {
            let (kind, value) = one.ok_or_else(|| malformed(header))?;
            known |= self.add(header, &kind.to_ascii_lowercase(), value)?;
        }
        if known {
            return Ok(());
        }
        let said = format!("no digest in the header {header} is of a kind that can be verified");
        Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, said))
    }

    /// Whether the kind is known.
    fn add(&mut self, header: &str, kind: &str, value: Vec<u8>) -> Result<bool, Refusal> {
        let bad = || malformed(header);
        match kind {
            "md5" => {
                let value: [u8; 16] = value.try_into().map_err(|_| bad())?;
                if self.md5.replace(value).is_some_and(|other| other != value) {
                    return Err(Refusal::bad_request("two headers declare different MD5s"));
                }
            }
            "sha-512" | "sha512" if value.len() == 64 => self.sha512.push(value),
            "sha-512" | "sha512" => return Err(bad()),
            "adler32" => self.adler32.push(u32::from_be_bytes(value.try_into().map_err(|_| bad())?)),
            kind => {
                let name = match kind {
                    "sha" | "sha-1" => "sha1",
                    "sha-256" => "sha256",
                    other => other,
                };
                let Some(kind) = ChecksumKind::parse(name) else { return Ok(false) };
                if value.len() != kind.width() {
                    return Err(bad());
                }
                self.others.push(Checksum { kind, value, parts: None });
            }
        }
        Ok(true)
    }

    /// The kinds the domain is to compute, each once.
    pub(super) fn kinds(&self) -> Vec<ChecksumKind> {
        let mut kinds: Vec<_> = self.others.iter().map(|sum| sum.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// What is computed of the others while the bytes pass.
    pub(super) fn passing(&self) -> Passing {
        Passing {
            sha512: (!self.sha512.is_empty()).then(Sha512::new),
            adler32: (!self.adler32.is_empty()).then(Adler32::default),
        }
    }

    /// Holds what passed against what was declared.
    ///
    /// # Errors
    /// The kind that differs.
    pub(super) fn verify(&self, passed: Passing) -> Result<(), Error> {
        let sha512 = passed.sha512.map(|hash| hash.finalize().to_vec());
        if self.sha512.iter().any(|declared| Some(declared) != sha512.as_ref()) {
            return Err(Error::ChecksumDiffers(Sum::Sha512));
        }
        let adler32 = passed.adler32.map(|sum| sum.value());
        if self.adler32.iter().any(|declared| Some(*declared) != adler32) {
            return Err(Error::ChecksumDiffers(Sum::Adler32));
        }
        Ok(())
    }
}

/// Digests under way.
#[derive(Clone, Debug)]
pub(super) struct Passing {
    sha512: Option<Sha512>,
    adler32: Option<Adler32>,
}

impl Passing {
    /// The next bytes.
    pub(super) fn update(&mut self, data: &[u8]) {
        if let Some(hash) = &mut self.sha512 {
            hash.update(data);
        }
        if let Some(sum) = &mut self.adler32 {
            sum.update(data);
        }
    }
}

/// Adler-32 (RFC 1950 §8.2).
#[derive(Clone, Copy, Debug)]
struct Adler32 {
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

    fn with(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    /// What is read, held against this content by the kinds that are verified here.
    fn verified(pair: (&'static str, &str), content: &[u8]) -> bool {
        let sums = sums(&with(&[pair])).unwrap();
        let mut passing = sums.passing();
        content.chunks(7).for_each(|piece| passing.update(piece));
        sums.verify(passing).is_ok()
    }

    #[test]
    fn checksums_that_can_be_verified_are_taken() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        let value = format!("SHA1:{} md5:{md5} ADLER32:1 SHA3-256:00", "da".repeat(20));
        let sums =
            sums(&with(&[("oc-checksum", &value), ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")])).unwrap();
        assert_eq!(sums.md5.map(hex::encode).as_deref(), Some(md5));
        assert_eq!((sums.kinds(), sums.adler32), (vec![ChecksumKind::Sha1], vec![1]));
        let sha = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        for pair in [
            ("digest", format!("unixsum=30637==,SHA-256={sha}")),
            ("content-digest", format!("sha-256=:{sha}:;x=1, other=:AA==:")),
            ("repr-digest", format!("sha-256=:{sha}:")),
        ] {
            // A value of an unknown kind may be of any form, but base64 it is.
            let pair = (pair.0, pair.1.replace("unixsum=30637==,", "unixsum=AAAA,"));
            let found = super::sums(&with(&[(pair.0, &pair.1)])).unwrap();
            assert_eq!(found.kinds(), [ChecksumKind::Sha256], "{pair:?}");
        }
        for (status, pairs) in [
            (400, &[("oc-checksum", "SHA1:00")][..]),
            (400, &[("oc-checksum", "SHA1")]),
            (400, &[("oc-checksum", "MD5:zz")]),
            (400, &[("oc-checksum", "ADLER32:123456789")]),
            (400, &[("content-md5", "AAAA")]),
            (400, &[("digest", "SHA-512=AAAA")]),
            (400, &[("content-digest", "sha-256=AAAA")]),
            (400, &[("repr-digest", "nonsense")]),
            (501, &[("oc-checksum", "SHA3-256:00")]),
            (501, &[("digest", "unixsum=AAAA")]),
            (501, &[("content-digest", "adler=:AAAAAA==:")]),
            (501, &[("oc-checksum", "")]),
            (
                400,
                &[
                    ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
                    ("oc-checksum", "MD5:00000000000000000000000000000000"),
                ],
            ),
        ] {
            assert_eq!(super::sums(&with(pairs)).unwrap_err().status(), status, "{pairs:?}");
        }
    }

    #[test]
    fn kinds_the_domain_does_not_know_are_verified_here() {
        let content = b"Wikipedia".repeat(1000);
        // As zlib and coreutils compute them.
        let sha512 = STANDARD.encode(Sha512::digest(&content));
        for (name, right, wrong) in [
            ("oc-checksum", "ADLER32:11E60398", "ADLER32:11E60399"),
            ("digest", "adler32=11e60398", "adler32=398"),
        ] {
            assert!(verified((name, right), b"Wikipedia"), "{right}");
            assert!(!verified((name, wrong), b"Wikipedia"), "{wrong}");
        }
        let field = format!("sha-512=:{sha512}:");
        assert!(verified(("content-digest", &field), &content));
        assert!(!verified(("content-digest", &field), b"other"));
        let mut long = Adler32::default();
        long.update(&vec![0xff; 1 << 20]);
        assert_eq!(long.value(), ADLER_OF_A_MEBIBYTE);
    }

    /// Of 2^20 bytes 0xFF, as zlib computes it.
    const ADLER_OF_A_MEBIBYTE: u32 = 0x8e88ef11;
}
