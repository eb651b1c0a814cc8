//! What a PUT declares its body's bytes to be: `Content-MD5`, ownCloud's `OC-Checksum`, `Digest`
//! (RFC 3230), `Content-Digest` and `Repr-Digest` (RFC 9530). The body of a PUT is the whole file as
//! it is stored, so that all of them are of the same bytes. The domain verifies them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, StatusCode};

use super::{error::Refusal, headers::text};
use crate::model::{
    checksum::{Checksum, ChecksumKind},
    extra::Extra,
};

/// What a PUT declares of its body.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Sums {
    /// The MD5.
    pub(super) md5: Option<[u8; 16]>,
    /// Those of kinds that are kept; several of one kind must all be right.
    pub(super) others: Vec<Checksum>,
    /// Those of kinds that are not.
    pub(super) extras: Vec<(Extra, Vec<u8>)>,
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
            "sha-512" | "sha512" | "adler32" => {
                let kind = if kind == "adler32" { Extra::Adler32 } else { Extra::Sha512 };
                if value.len() != kind.width() {
                    return Err(bad());
                }
                self.extras.push((kind, value));
            }
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

    /// The kinds to compute, each once.
    pub(super) fn kinds(&self) -> Vec<ChecksumKind> {
        let mut kinds: Vec<_> = self.others.iter().map(|sum| sum.kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// And those that are not kept.
    pub(super) fn extra_kinds(&self) -> Vec<Extra> {
        let declared = |kind: &Extra| self.extras.iter().any(|(of, _)| of == kind);
        [Extra::Sha512, Extra::Adler32].into_iter().filter(declared).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::headers::with, *};

    #[test]
    fn checksums_that_can_be_verified_are_taken() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        let value = format!("SHA1:{} md5:{md5} ADLER32:1 SHA3-256:00", "da".repeat(20));
        let sums =
            sums(&with(&[("oc-checksum", &value), ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")])).unwrap();
        assert_eq!(sums.md5.map(hex::encode).as_deref(), Some(md5));
        assert_eq!((sums.kinds(), sums.extra_kinds()), (vec![ChecksumKind::Sha1], vec![Extra::Adler32]));
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
    fn digests_s3_does_not_know_are_declared_too() {
        let sha512 = STANDARD.encode([7; 64]);
        for (name, value, extras) in [
            ("oc-checksum", "ADLER32:398", vec![(Extra::Adler32, vec![0, 0, 3, 0x98])]),
            ("digest", "adler32=11e60398", vec![(Extra::Adler32, vec![0x11, 0xe6, 3, 0x98])]),
            ("content-digest", &format!("sha-512=:{sha512}:"), vec![(Extra::Sha512, vec![7; 64])]),
        ] {
            let found = sums(&with(&[(name, value)])).unwrap();
            assert_eq!(found.extra_kinds(), [extras[0].0], "{value}");
            assert_eq!(found.extras, extras, "{value}");
        }
        let twice = sums(&with(&[("oc-checksum", "ADLER32:1 ADLER32:2")])).unwrap();
        assert_eq!((twice.extra_kinds().len(), twice.extras.len()), (1, 2), "both must be right");
    }
}
