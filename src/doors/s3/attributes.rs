//! What a client says about content beside its bytes: taken off the request here, so that no text
//! a client may send is refused by the library's stricter reading.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::domain::nouns::Attributes;

const META: &str = "x-amz-meta-";

/// Takes the attributes off the headers.
pub(crate) fn take(headers: &mut HeaderMap) -> Attributes {
    let mut of = |name: HeaderName| {
        let value = joined(headers, &name, ", ");
        headers.remove(&name);
        value.filter(|value| !value.is_empty())
    };
    let coding = of(header::CONTENT_ENCODING).map(|value| {
        let tokens = value.split(',').map(str::trim);
        let kept = tokens.filter(|token| !token.is_empty() && !token.eq_ignore_ascii_case("aws-chunked"));
        kept.collect::<Vec<_>>().join(", ")
    });
    Attributes {
        content_type: of(header::CONTENT_TYPE),
        content_encoding: coding.filter(|value| !value.is_empty()),
        content_language: of(header::CONTENT_LANGUAGE),
        content_disposition: of(header::CONTENT_DISPOSITION),
        cache_control: of(header::CACHE_CONTROL),
        expires: of(header::EXPIRES),
        user: user(headers),
    }
}

fn user(headers: &mut HeaderMap) -> Vec<(String, String)> {
    let names: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(META)).cloned().collect();
    let mut found = Vec::new();
    for name in names {
        let value = joined(headers, &name, ",").unwrap_or_default();
        headers.remove(&name);
        if let Some(short) = name.as_str().strip_prefix(META).filter(|short| !short.is_empty()) {
            found.push((short.to_owned(), words(&value)));
        }
    }
    found.sort();
    found
}

/// All values of a header as one.
pub(crate) fn joined(headers: &HeaderMap, name: &HeaderName, by: &str) -> Option<String> {
    let values: Vec<String> = headers.get_all(name).iter().map(text).collect();
    (!values.is_empty()).then(|| values.join(by))
}

/// A value as text: UTF-8, else each byte a character, as HTTP once had it.
fn text(value: &HeaderValue) -> String {
    let bytes = value.as_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim().to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// Decodes RFC 2047's encoded words; what is none stays as it is.
fn words(value: &str) -> String {
    if !value.contains("=?") {
        return value.to_owned();
    }
    let mut out = String::new();
    let mut after_word = false;
    for (index, part) in value.split(' ').enumerate() {
        let decoded = word(part);
        // The space between two encoded words is not part of the text.
        if index > 0 && !(after_word && decoded.is_some()) {
            out.push(' ');
        }
        after_word = decoded.is_some();
        out.push_str(decoded.as_deref().unwrap_or(part));
    }
    out
}

fn word(part: &str) -> Option<String> {
    let inner = part.strip_prefix("=?")?.strip_suffix("?=")?;
    let (charset, rest) = inner.split_once('?')?;
    let (encoding, data) = rest.split_once('?')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(data).ok()?,
        "Q" | "q" => percent_encoding::percent_decode_str(
            &data.replace('%', "%25").replace('_', " ").replace('=', "%"),
        )
        .collect(),
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(pairs: &[(&'static str, &[u8])]) -> Attributes {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
        }
        let attributes = take(&mut headers);
        assert!(headers.is_empty());
        attributes
    }

    #[test]
    fn every_aws_chunked_token_goes_and_the_rest_stays() {
        let coding = |value: &'static [u8]| taken(&[("content-encoding", value)]).content_encoding;
        assert_eq!(coding(b"aws-chunked"), None);
        assert_eq!(coding(b"gzip,aws-chunked , AWS-Chunked"), Some("gzip".into()));
        assert_eq!(coding(b"gzip, br"), Some("gzip, br".into()));
    }

    #[test]
    fn user_metadata_is_joined_and_decoded() {
        let attributes = taken(&[
            ("x-amz-meta-b", b"1"),
            ("x-amz-meta-b", b"2"),
            ("x-amz-meta-a", "h\u{e9}".as_bytes()),
            ("x-amz-meta-c", b"=?UTF-8?B?w6k=?= =?utf-8?Q?_=C3=A9?= x"),
            ("x-amz-meta-d", b"=?none?= 100%"),
            ("content-type", b"text/\xe9"),
        ]);
        let expected = [("a", "hé"), ("b", "1,2"), ("c", "é é x"), ("d", "=?none?= 100%")];
        assert_eq!(attributes.user, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(attributes.content_type.as_deref(), Some("text/é"));
    }
}
