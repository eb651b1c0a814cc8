//! The canonical form of a request, which is what a signature signs.

use http::HeaderMap;

use super::{Head, hex_sha256};
use crate::doors::s3::query::{Query, decode, encode, encode_path};

/// Hashes of the canonical forms the request may have been signed in.
///
/// The path is never normalised. A client signs it percent-encoded; what it sends is the same,
/// except that some send characters bare and sign either form.
pub(super) fn requests(head: &Head<'_>, signed_headers: &str, payload: &str) -> Vec<String> {
    let query = query(head.query);
    let headers = headers(head, signed_headers);
    let encoded = decode(head.path).map(|path| encode_path(&path)).unwrap_or_default();
    let mut paths = vec![encoded.as_str()];
    if encoded != head.path {
        paths.push(head.path);
    }
    let hash = |path: &&str| {
        let mut text = format!("{}\n{path}\n{query}\n", head.method).into_bytes();
        text.extend_from_slice(&headers);
        text.extend_from_slice(format!("\n{signed_headers}\n{payload}").as_bytes());
        hex_sha256(&text)
    };
    paths.iter().map(hash).collect()
}

fn query(query: &Query) -> String {
    let pairs = query.iter().filter(|(name, _)| *name != "X-Amz-Signature");
    let mut pairs: Vec<_> = pairs.map(|(name, value)| (encode(name), encode(value))).collect();
    pairs.sort();
    pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn headers(head: &Head<'_>, signed_headers: &str) -> Vec<u8> {
    let mut text = Vec::new();
    for name in signed_headers.split(';') {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        match head.host.filter(|_| name == "host") {
            Some(host) => text.extend_from_slice(host.as_bytes()),
            None => values(head.headers, name, &mut text),
        }
        text.push(b'\n');
    }
    text
}

/// All values of a header, trimmed, runs of spaces made one, separated by commas.
fn values(headers: &HeaderMap, name: &str, text: &mut Vec<u8>) {
    for (index, value) in headers.get_all(name).iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        let words = value.as_bytes().split(|b| *b == b' ').filter(|word| !word.is_empty());
        let joined = words.collect::<Vec<_>>().join(&b' ');
        text.extend_from_slice(joined.trim_ascii());
    }
}
