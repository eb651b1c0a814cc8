//! The one strong validator of a version's content, the same through every door.

use std::fmt;

/// An entity tag without its quotes: 32 hexadecimal digits of MD5, or, for a multipart upload,
/// the MD5 of the parts' MD5s, `-`, and the number of parts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Etag(String);

impl Etag {
    /// The tag of content sent in one piece.
    #[must_use]
    pub fn of_md5(md5: &[u8; 16]) -> Self {
        Self(hex::encode(md5))
    }

    /// The tag of a multipart upload from the MD5 over its parts' MD5s.
    #[must_use]
    pub fn of_parts(md5_of_md5s: &[u8; 16], parts: usize) -> Self {
        Self(format!("{}-{parts}", hex::encode(md5_of_md5s)))
    }

    /// Takes what a client or a row holds, with or without quotes.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.trim().trim_matches('"').to_owned())
    }

    /// The tag without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag as headers and properties carry it.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
