//! WebDAV's request headers as values: Depth, Overwrite, conditions, times, sizes. Each is read
//! once; what cannot be understood is refused rather than guessed.
//!
//! Clients send many headers of their own. One that would change which bytes are stored, or promises
//! that they are verified, is carried out or refused (`refuse_unbuilt`). Others are ignored where
//! that loses nothing the client is not told of: without `X-OC-CTime: accepted` in the answer it
//! knows that its time of creation was not kept.

use http::{HeaderMap, HeaderName, Method, StatusCode};

use super::error::Refusal;
use crate::{
    doors::gate::conditions::{self as gate, IF, Unreadable},
    model::{condition::Conditions, time::Timestamp},
};

/// How far a request reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Depth {
    /// The resource itself.
    Zero,
    /// And its members.
    One,
    /// And everything below.
    Infinity,
}

/// `Depth`; absent is infinity, as RFC 4918 has it for every method of this door.
///
/// # Errors
/// 400 for any other value.
pub(super) fn depth(headers: &HeaderMap) -> Result<Depth, Refusal> {
    match text(headers, &HeaderName::from_static("depth"))? {
        None => Ok(Depth::Infinity),
        Some("0") => Ok(Depth::Zero),
        Some("1") => Ok(Depth::One),
        Some(other) if other.eq_ignore_ascii_case("infinity") => Ok(Depth::Infinity),
        Some(_) => Err(Refusal::bad_request("Depth is 0, 1 or infinity")),
    }
}

/// `Overwrite`; absent is true.
///
/// # Errors
/// 400 for any value but `T` and `F`.
pub(super) fn overwrite(headers: &HeaderMap) -> Result<bool, Refusal> {
    match text(headers, &HeaderName::from_static("overwrite"))? {
        None | Some("T" | "t") => Ok(true),
        Some("F" | "f") => Ok(false),
        Some(_) => Err(Refusal::bad_request("Overwrite is T or F")),
    }
}

/// The `If-*` headers of HTTP.
///
/// # Errors
/// 400 if one cannot be understood.
pub(super) fn conditions(headers: &HeaderMap) -> Result<Conditions, Refusal> {
    gate::conditions(headers, &IF).map_err(unreadable)
}

/// The conditions of a write, to which `If-Modified-Since` does not belong.
///
/// # Errors
/// As for [`conditions`].
pub(super) fn write_conditions(headers: &HeaderMap) -> Result<Conditions, Refusal> {
    Ok(Conditions { if_modified_since: None, ..conditions(headers)? })
}

/// `X-OC-Mtime`: seconds since 1970, with a fraction from some clients.
///
/// # Errors
/// 400 if it is no number, or no time that dates can show.
pub(super) fn modified(headers: &HeaderMap) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = text(headers, &HeaderName::from_static("x-oc-mtime"))? else { return Ok(None) };
    match Timestamp::parse_unix(value) {
        Some(at) => Ok(Some(at)),
        None => Err(Refusal::bad_request("X-OC-Mtime is a number of seconds since 1970")),
    }
}

/// The size a body is declared to have: Finder's `X-Expected-Entity-Length`, ownCloud's
/// `OC-Total-Length`, or `Content-Length`.
///
/// # Errors
/// 400 if they differ: a proxy that cannot pass chunked bodies on has cut this one short, or it is
/// a piece of something larger.
pub(super) fn declared_size(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let number = |name| -> Result<Option<u64>, Refusal> {
        match text(headers, name)? {
            None => Ok(None),
            Some(value) if value.bytes().all(|b| b.is_ascii_digit()) => {
                value.parse().map(Some).map_err(|_| malformed(name))
            }
            Some(_) => Err(malformed(name)),
        }
    };
    let names = ["content-length", "x-expected-entity-length", "oc-total-length"];
    let names = names.map(HeaderName::from_static);
    let mut declared = None;
    for name in &names {
        let Some(size) = number(name)? else { continue };
        if declared.replace(size).is_some_and(|other| other != size) {
            return Err(Refusal::bad_request("the body was cut short on its way: its lengths differ"));
        }
    }
    Ok(declared)
}

/// Headers whose feature does not exist here, and the methods on which they ask for it; none is all.
const UNBUILT: [(&str, &[&str]); 5] = [
    ("if", &[]),
    // Pieces of a file: stored as they come, they would take the place of the whole.
    ("oc-chunked", &[]),
    ("x-update-range", &[]),
    ("range", &["PUT"]),
    // Of the file that comes into being. Nothing is read here that could be held against it.
    ("oc-checksum", &["COPY", "MOVE"]),
];

/// Refuses headers whose feature does not exist here, instead of doing something else than asked.
///
/// # Errors
/// 501 for those of the table.
pub(super) fn refuse_unbuilt(method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    for (name, methods) in UNBUILT {
        if headers.contains_key(name) && (methods.is_empty() || methods.contains(&method.as_str())) {
            let text = format!("the header {name} asks for something that is not supported");
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, text));
        }
    }
    Ok(())
}

/// A header that is there once at most, as text without white space around it.
///
/// # Errors
/// 400 if it is there twice or is not text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    gate::only(headers, name.as_str()).map_err(unreadable)
}

fn malformed(name: &HeaderName) -> Refusal {
    unreadable(Unreadable(name.to_string()))
}

fn unreadable(Unreadable(name): Unreadable) -> Refusal {
    Refusal::bad_request(format!("the header {name} cannot be understood"))
}

/// The headers of a request, for the tests of this door.
#[cfg(test)]
pub(super) fn with(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_infinite_unless_it_says_otherwise() {
        assert_eq!(depth(&with(&[])).unwrap(), Depth::Infinity);
        assert_eq!(depth(&with(&[("depth", "0")])).unwrap(), Depth::Zero);
        assert_eq!(depth(&with(&[("depth", " 1 ")])).unwrap(), Depth::One);
        assert_eq!(depth(&with(&[("depth", "Infinity")])).unwrap(), Depth::Infinity);
        for bad in [
            &[("depth", "2")][..],
            &[("depth", "")],
            &[("depth", "1,noroot")],
            &[("depth", "0"), ("depth", "1")],
        ] {
            assert_eq!(depth(&with(bad)).unwrap_err().status(), StatusCode::BAD_REQUEST, "{bad:?}");
        }
    }

    #[test]
    fn overwriting_is_refused_only_by_f() {
        assert!(overwrite(&with(&[])).unwrap());
        assert!(overwrite(&with(&[("overwrite", "T")])).unwrap());
        assert!(!overwrite(&with(&[("overwrite", "F")])).unwrap());
        assert!(overwrite(&with(&[("overwrite", "no")])).is_err());
    }

    #[test]
    fn client_times_may_have_fractions() {
        for (value, millis) in [
            ("1700000000", 1_700_000_000_000),
            ("1700000000.5", 1_700_000_000_500),
            ("1700000000.123456", 1_700_000_000_123),
            ("0", 0),
            ("-1", -1000),
            ("-1.5", -1500),
        ] {
            assert_eq!(
                modified(&with(&[("x-oc-mtime", value)])).unwrap(),
                Some(Timestamp(millis)),
                "{value}"
            );
        }
        for bad in ["", "x", "1.", ".5", "1e9", "99999999999999", "9223372036854775808", "--1", "-", "1.x"] {
            assert!(modified(&with(&[("x-oc-mtime", bad)])).is_err(), "{bad}");
        }
        assert_eq!(modified(&with(&[])).unwrap(), None);
    }

    #[test]
    fn two_lengths_that_differ_are_a_body_cut_short() {
        let size = |pairs: &[(&'static str, &str)]| declared_size(&with(pairs)).ok();
        assert_eq!(size(&[]), Some(None));
        assert_eq!(size(&[("content-length", "5")]), Some(Some(5)));
        assert_eq!(size(&[("x-expected-entity-length", "5")]), Some(Some(5)));
        assert_eq!(size(&[("x-expected-entity-length", "5"), ("content-length", "5")]), Some(Some(5)));
        assert_eq!(size(&[("x-expected-entity-length", "5"), ("content-length", "0")]), None);
        assert_eq!(size(&[("x-expected-entity-length", "-5")]), None);
        assert_eq!(size(&[("oc-total-length", "5"), ("content-length", "5")]), Some(Some(5)));
        assert_eq!(size(&[("oc-total-length", "6"), ("content-length", "5")]), None);
        assert_eq!(size(&[("oc-total-length", "6"), ("x-expected-entity-length", "5")]), None);
    }

    #[test]
    fn what_is_not_built_is_refused_on_the_methods_that_ask_for_it() {
        let refused = |method, pair| refuse_unbuilt(&method, &with(&[pair])).is_err();
        assert!(refused(Method::PUT, ("if", "(<urn:x>)")));
        assert!(!refused(Method::PUT, ("if-match", "*")));
        assert!(refused(Method::PUT, ("range", "bytes=0-1")));
        assert!(!refused(Method::GET, ("range", "bytes=0-1")));
    }
}
