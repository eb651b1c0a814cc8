//! The query of a request, decoded once, and the percent-encoding S3 signs. Knows no parameter's
//! meaning.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{code::Code, error::Refusal};

/// Everything but RFC 3986's unreserved characters, as signatures have it.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PATH: &AsciiSet = &VALUE.remove(b'/');

/// Encodes a name or value.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, VALUE).to_string()
}

/// Encodes a path, leaving its slashes.
pub(crate) fn encode_path(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

/// Decodes once. A `%` without two digits behind it, or bytes that are not UTF-8, are no text.
pub(crate) fn decode(text: &str) -> Result<String, Refusal> {
    let bad = || Refusal::new(Code::InvalidURI);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16)).ok_or_else(bad);
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(high * 16 + low).map_err(|_| bad())?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

/// Names and values in the order they came. A name without `=` has an empty value.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a raw query; `+` is a space.
    pub(crate) fn parse(raw: Option<&str>) -> Result<Self, Refusal> {
        let pair = |text: &str| {
            let text = text.replace('+', " ");
            let (name, value) = text.split_once('=').unwrap_or((&text, ""));
            Ok((decode(name)?, decode(value)?))
        };
        let parts = raw.unwrap_or_default().split('&').filter(|part| !part.is_empty());
        parts.map(pair).collect::<Result<_, _>>().map(Self)
    }

    /// The pairs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the name occurs.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n == name)
    }

    /// The value of a name, if it occurs exactly once.
    pub(crate) fn only(&self, name: &str) -> Option<&str> {
        let mut values = self.iter().filter(|(n, _)| *n == name).map(|(_, value)| value);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }

    /// Takes out the pairs whose name `which` picks.
    pub(crate) fn take(&mut self, which: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        self.0.extract_if(.., |(name, _)| which(name)).collect()
    }

    /// Written again, each byte encoded that can be.
    pub(crate) fn encoded(&self) -> String {
        let pair = |(name, value): (&str, &str)| format!("{}={}", encode(name), encode(value));
        self.iter().map(pair).collect::<Vec<_>>().join("&")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_once_and_names_without_values_count() {
        let query = Query::parse(Some("uploads&prefix=a%2Bb+c%2520&x=")).unwrap();
        assert!(query.has("uploads"));
        assert_eq!(query.only("prefix"), Some("a+b c%20"));
        assert_eq!(query.encoded(), "uploads=&prefix=a%2Bb%20c%2520&x=");
        assert_eq!(Query::parse(None).unwrap(), Query::default());
    }

    #[test]
    fn what_is_no_utf8_or_no_escape_is_refused() {
        for raw in ["a=%ff", "%", "a=%2", "a=%zz"] {
            assert_eq!(Query::parse(Some(raw)).unwrap_err().code, Code::InvalidURI, "{raw}");
        }
    }

    #[test]
    fn a_name_that_occurs_twice_has_no_only_value() {
        let mut query = Query::parse(Some("a=1&a=2&b=3")).unwrap();
        assert_eq!(query.only("a"), None);
        assert_eq!(query.take(|name| name == "a").len(), 2);
        assert_eq!(query.encoded(), "b=3");
    }
}
