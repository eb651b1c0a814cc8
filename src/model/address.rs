//! Where a file or folder is: an S3 key taken literally, or a WebDAV path of plain segments.
//!
//! A request's path is percent-decoded once by its door and parsed once here; everything below
//! takes these types, so what was checked is what is opened.

use std::fmt;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::{limits, name::BucketName};

/// Why a text is neither key nor path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadAddress {
    /// No byte at all.
    #[error("the key is empty")]
    Empty,
    /// More bytes, or more segments, than a key may have.
    #[error("the name is longer than 1,024 bytes or 128 segments")]
    TooLong,
    /// A segment WebDAV cannot show: empty, `.`, `..`, or with a control character.
    #[error("a path segment is empty, '.', '..' or holds a control character")]
    Segment,
}

/// An S3 key: 1 to 1,024 bytes of UTF-8 in at most 128 segments, every byte meant literally.
/// `a//b`, `/a`, `a/` and `a/../b` are keys like any other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// Takes a percent-decoded key.
    ///
    /// # Errors
    /// [`BadAddress::Empty`] or [`BadAddress::TooLong`].
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        match text.len() {
            0 => Err(BadAddress::Empty),
            1..=limits::KEY_BYTES if text.split('/').count() <= limits::KEY_SEGMENTS => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(BadAddress::TooLong),
        }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders on the way, and the name in the last of them (empty for `dir/`).
    #[must_use]
    pub fn split(&self) -> (Vec<&str>, &str) {
        let mut folders: Vec<&str> = self.0.split('/').collect();
        let leaf = folders.pop().unwrap_or_default();
        (folders, leaf)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A path below a bucket as a tree sees it: no segment is empty, `.` or `..`, or holds a control
/// character; no segment at all is the bucket itself. A trailing slash is remembered, not kept.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ItemPath {
    segments: Vec<String>,
    slash: bool,
}

impl ItemPath {
    /// Takes the part behind the bucket's name, percent-decoded, with or without the slash between
    /// the two. Nothing is cleaned: `a//b` is a key of its own, and read as `a/b` another file.
    ///
    /// # Errors
    /// [`BadAddress::Segment`] or [`BadAddress::TooLong`].
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let inner = text.strip_prefix('/').unwrap_or(text);
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        let segments: Vec<String> = match inner {
            "" => Vec::new(),
            inner => inner.split('/').map(str::to_owned).collect(),
        };
        let literal = |s: &String| s.is_empty() || s == "." || s == "..";
        if segments.iter().any(|s| literal(s) || s.chars().any(char::is_control)) {
            return Err(BadAddress::Segment);
        }
        // The folder marker of the path, `a/b/`, is the longest key it can become.
        let bytes: usize = segments.iter().map(|s| s.len() + 1).sum();
        if bytes > limits::KEY_BYTES || segments.len() >= limits::KEY_SEGMENTS {
            return Err(BadAddress::TooLong);
        }
        Ok(Self { slash: text.ends_with('/'), segments })
    }

    /// The bucket itself.
    #[must_use]
    pub fn root() -> Self {
        Self::default()
    }

    /// True for the bucket itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether the client wrote a slash at the end.
    #[must_use]
    pub fn has_slash(&self) -> bool {
        self.slash
    }

    /// The segments, outermost first.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// The folder's path and the last segment; `None` for the bucket itself.
    #[must_use]
    pub fn split_last(&self) -> Option<(&str, &[String])> {
        self.segments.split_last().map(|(leaf, parents)| (leaf.as_str(), parents))
    }

    /// True if `other` is this path or lies below it, segment by segment.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.segments.starts_with(&self.segments)
    }
}

impl fmt::Display for ItemPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.segments.join("/"))
    }
}

/// How a door means a place in a bucket.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Spot {
    /// A literal key; finds files only, exactly.
    Key(ObjectKey),
    /// A tree path; finds folders before files, and other Unicode forms of a name.
    Path(ItemPath),
}

/// A place in a bucket.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    /// The bucket.
    pub bucket: BucketName,
    /// The place in it.
    pub spot: Spot,
}

impl Address {
    /// A literal key in a bucket.
    #[must_use]
    pub fn key(bucket: BucketName, key: ObjectKey) -> Self {
        Self { bucket, spot: Spot::Key(key) }
    }

    /// A tree path in a bucket.
    #[must_use]
    pub fn path(bucket: BucketName, path: ItemPath) -> Self {
        Self { bucket, spot: Spot::Path(path) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.spot {
            Spot::Key(key) => write!(f, "{}/{key}", self.bucket),
            Spot::Path(path) => write!(f, "{}/{path}", self.bucket),
        }
    }
}

/// The NFC form of a name, if it is not in that form already.
#[must_use]
pub fn nfc(name: &str) -> Option<String> {
    (!is_nfc(name)).then(|| name.nfc().collect())
}

/// Whether a tree door can show a name: S3 keys may hold segments that no path can name.
#[must_use]
pub fn shown_in_tree(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_literal() {
        for (text, folders, leaf) in [
            ("a", vec![], "a"),
            ("a/", vec!["a"], ""),
            ("/a", vec![""], "a"),
            ("a//b", vec!["a", ""], "b"),
            ("a/../b", vec!["a", ".."], "b"),
        ] {
            let key = ObjectKey::parse(text).unwrap();
            assert_eq!(key.split(), (folders, leaf), "{text}");
        }
    }

    #[test]
    fn a_key_has_1024_bytes_and_128_segments_at_most() {
        assert!(ObjectKey::parse(&"k".repeat(1024)).is_ok());
        assert_eq!(ObjectKey::parse(&"k".repeat(1025)), Err(BadAddress::TooLong));
        assert!(ObjectKey::parse(&"/".repeat(127)).is_ok());
        assert_eq!(ObjectKey::parse(&"/".repeat(128)), Err(BadAddress::TooLong));
        assert_eq!(ObjectKey::parse(""), Err(BadAddress::Empty));
    }

    #[test]
    fn a_path_never_climbs_and_no_slash_is_forgotten() {
        let path = ItemPath::parse("a/b/").unwrap();
        assert_eq!(path.segments(), ["a", "b"]);
        assert!(path.has_slash());
        assert!(ItemPath::parse("a").unwrap().contains(&path));
        assert!(!ItemPath::parse("aa").unwrap().contains(&path));
        for bad in ["a/../b", "..", "./a", "a\0b", "a\nb", "a//b", "//a", "a//", "///"] {
            assert_eq!(ItemPath::parse(bad), Err(BadAddress::Segment), "{bad:?}");
        }
        assert_eq!(ItemPath::parse("/a/b/"), Ok(path));
        for root in ["", "/"] {
            assert!(ItemPath::parse(root).unwrap().is_root(), "{root:?}");
        }
    }
}
