//! Request paths and `Destination` headers, parsed by one function into places, and places
//! written back as `href`s. Knows nothing of what is at a place.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::error::Refusal;
use crate::model::{
    address::{Address, ItemPath, Spot, nfc},
    limits,
    name::{BadName, BucketName},
};

/// Everything but the unreserved characters of RFC 3986 is escaped in an `href`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a path means to this door.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// `/`: holds `/dav/` and nothing else.
    Host,
    /// `/dav/`: holds the buckets.
    Home,
    /// A bucket, or something in one.
    Item(Address),
    /// Below `/dav/`, where no bucket can have that name; `deeper` if segments follow it.
    NoBucket {
        /// The first segment.
        name: String,
        /// Why it is no name of a bucket.
        why: BadName,
        /// Whether more segments follow.
        deeper: bool,
    },
    /// Below `/dav/`, with a segment of no characters. Such keys are S3's alone: nothing here has
    /// that path, and read with one slash less it would be something else.
    Hidden(String),
}

impl Place {
    /// Takes the path of a request, still percent-encoded; `None` if it is outside `/dav`.
    ///
    /// # Errors
    /// 400 for what cannot be a path, 414 for one that is too long.
    pub(super) fn parse(path: &str) -> Result<Option<Self>, Refusal> {
        if path == "*" {
            return Ok(Some(Self::Host));
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        let (inner, slash) = path.strip_suffix('/').map_or((path, ""), |inner| (inner, "/"));
        if path.is_empty() {
            return Ok(Some(Self::Host));
        }
        let segments = inner.split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
        let Some((door, below)) = segments.split_first() else { return Ok(Some(Self::Host)) };
        if door != "dav" {
            return Ok(None);
        }
        if below.iter().any(String::is_empty) {
            return Ok(Some(Self::Hidden(below.join("/"))));
        }
        let Some((bucket, below)) = below.split_first() else { return Ok(Some(Self::Home)) };
        let text = below.join("/") + slash;
        let item = ItemPath::parse(&text).map_err(crate::domain::Error::from)?;
        Ok(Some(match BucketName::parse(bucket) {
            Ok(bucket) => Self::Item(Address::path(bucket, item)),
            Err(why) => Self::NoBucket { name: bucket.clone(), why, deeper: !below.is_empty() },
        }))
    }

    /// Takes a `Destination`: an absolute path or a URL, of which only the path counts, because
    /// proxies change scheme and host. `None` if it is outside `/dav`.
    ///
    /// # Errors
    /// 400 if it is neither, or has a query or fragment: cut off, it would name something else.
    pub(super) fn parse_destination(header: &[u8]) -> Result<Option<Self>, Refusal> {
        let bad = || Refusal::bad_request("the Destination header holds no plain URL or path");
        let text = std::str::from_utf8(header).map_err(|_| bad())?.trim();
        if text.contains(['#', '?']) {
            return Err(bad());
        }
        if text.starts_with('/') {
            return Self::parse(text);
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(bad());
        }
        Self::parse(rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"))
    }

    /// The `href` of the place as the client wrote it, without a slash at the end (so empty for
    /// the host). The segments are the request's, not the stored ones: clients find the entry of
    /// the folder they asked for by comparing.
    pub(super) fn href(&self) -> String {
        match self {
            Self::Host => String::new(),
            Self::Home => "/dav".to_owned(),
            Self::NoBucket { name, .. } | Self::Hidden(name) => format!("/dav/{}", escape(name)),
            Self::Item(address) => address_href(address),
        }
    }

    /// The name shown for the place itself.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Host => "",
            Self::Home => "dav",
            Self::NoBucket { name, .. } | Self::Hidden(name) => name,
            Self::Item(address) => match &address.spot {
                Spot::Path(path) => path.split_last().map_or(address.bucket.as_str(), |(leaf, _)| leaf),
                Spot::Key(key) => key.as_str(),
            },
        }
    }
}

/// The path of an address, as [`Place::href`] has it.
fn address_href(address: &Address) -> String {
    let mut href = format!("/dav/{}", escape(address.bucket.as_str()));
    if let Spot::Path(path) = &address.spot {
        for segment in path.segments() {
            href.push('/');
            href.push_str(&escape(segment));
        }
    }
    href
}

/// A name as one segment of an `href`.
pub(super) fn escape(name: &str) -> String {
    utf8_percent_encode(name, ESCAPED).to_string()
}

/// The refusal of a name for something new where no member of a folder can have one.
pub(super) fn uncreatable() -> Refusal {
    Refusal::bad_request("the path has two slashes in a row: no name is empty here")
}

/// Whether the address is a bucket itself.
pub(super) fn is_bucket(address: &Address) -> bool {
    matches!(&address.spot, Spot::Path(path) if path.is_root())
}

/// Whether the client wrote a slash at the end.
pub(super) fn has_slash(address: &Address) -> bool {
    matches!(&address.spot, Spot::Path(path) if path.has_slash())
}

/// Refuses names that would be too long for the file systems clients put them on.
///
/// # Errors
/// 414 if the last segment, as it would be stored, has more bytes than such a name may have.
pub(super) fn creatable(address: &Address) -> Result<(), Refusal> {
    let Spot::Path(path) = &address.spot else { return Ok(()) };
    let Some((leaf, _)) = path.split_last() else { return Ok(()) };
    if nfc(leaf).map_or(leaf.len(), |normal| normal.len()) > limits::DAV_SEGMENT_BYTES {
        let text = format!("a name may have {} bytes at most", limits::DAV_SEGMENT_BYTES);
        return Err(Refusal::new(http::StatusCode::URI_TOO_LONG, text));
    }
    Ok(())
}

/// One segment, decoded once.
fn decode(segment: &str) -> Result<String, Refusal> {
    let bytes = segment.as_bytes();
    let broken = bytes.iter().enumerate().any(|(at, byte)| {
        let digit = |offset: usize| bytes.get(at + offset).is_some_and(u8::is_ascii_hexdigit);
        *byte == b'%' && !(digit(1) && digit(2))
    });
    if broken {
        return Err(Refusal::bad_request("the path holds a '%' that is no escape"));
    }
    let text = percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| Refusal::bad_request("the path is not UTF-8"))?;
    if text.contains(['/', '\0']) || text == "." || text == ".." {
        return Err(Refusal::bad_request("a path segment is '.' or '..', or holds a slash or NUL"));
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn item(path: &str) -> Address {
        match Place::parse(path).unwrap().unwrap() {
            Place::Item(address) => address,
            other => panic!("{path}: {other:?}"),
        }
    }

    fn status(path: &str) -> StatusCode {
        Place::parse(path).unwrap_err().status()
    }

    #[test]
    fn the_levels_above_the_files_are_told_apart() {
        for (path, place) in [
            ("*", Place::Host),
            ("/", Place::Host),
            ("", Place::Host),
            ("/dav", Place::Home),
            ("/dav/", Place::Home),
        ] {
            assert_eq!(Place::parse(path).unwrap(), Some(place), "{path}");
        }
        for outside in ["//", "//dav/", "/davx", "/davx/b", "/photos/dav", "/DAV/"] {
            assert_eq!(Place::parse(outside).unwrap(), None, "{outside}");
        }
        assert!(is_bucket(&item("/dav/photos")));
        assert!(is_bucket(&item("/dav/photos/")));
        assert!(!is_bucket(&item("/dav/photos/a")));
        assert!(matches!(
            Place::parse("/dav/.DS_Store").unwrap(),
            Some(Place::NoBucket { deeper: false, .. })
        ));
        assert!(matches!(Place::parse("/dav/Big/x").unwrap(), Some(Place::NoBucket { deeper: true, .. })));
    }

    #[test]
    fn a_path_is_decoded_once_and_never_climbs() {
        assert_eq!(item("/dav/photos/a%20b/%E2%82%AC+%2541").to_string(), "photos/a b/€+%41");
        assert!(has_slash(&item("/dav/photos/a/")));
        for bad in [
            "/dav/photos/..",
            "/dav/photos/../other",
            "/dav/photos/%2e%2E/other",
            "/dav/photos/.",
            "/dav/..",
            "/../dav/photos",
            "/dav/photos/a%2Fb",
            "/dav/photos/a%2fb",
            "/dav/photos/a%00",
            "/dav/photos/a%0Ab",
            "/dav/photos/%ff",
            "/dav/photos/%c3%28",
            "/dav/photos/100%",
            "/dav/photos/%zz",
        ] {
            assert_eq!(status(bad), StatusCode::BAD_REQUEST, "{bad}");
        }
        assert_eq!(status(&format!("/dav/photos/{}", "x".repeat(1025))), StatusCode::URI_TOO_LONG);
        assert_eq!(status(&format!("/dav/photos{}", "/x".repeat(200))), StatusCode::URI_TOO_LONG);
    }

    #[test]
    fn a_doubled_slash_is_never_one_slash() {
        for hidden in [
            "/dav//",
            "/dav//photos/a",
            "/dav/photos//",
            "/dav/photos//a",
            "/dav/photos/a//b",
            "/dav/photos/a//",
            "/dav/Big//a",
        ] {
            assert!(matches!(Place::parse(hidden).unwrap(), Some(Place::Hidden(_))), "{hidden}");
            let url = format!("https://host{hidden}");
            let place = Place::parse_destination(url.as_bytes()).unwrap();
            assert!(matches!(place, Some(Place::Hidden(_))), "{url}");
        }
        assert_eq!(Place::parse_destination(b"//dav/photos/a").unwrap(), None, "that is a host's name");
    }

    #[test]
    fn a_destination_counts_by_its_path_alone() {
        let expected = Some(Place::Item(item("/dav/photos/a b")));
        for good in [
            "/dav/photos/a%20b",
            "http://other.example:99/dav/photos/a%20b",
            "https://user@[::1]/dav/photos/a%20b",
        ] {
            assert_eq!(Place::parse_destination(good.as_bytes()).unwrap(), expected, "{good}");
        }
        for outside in ["http://host/elsewhere/x", "/photos/x"] {
            assert_eq!(Place::parse_destination(outside.as_bytes()).unwrap(), None, "{outside}");
        }
        assert_eq!(Place::parse_destination(b"http://host").unwrap(), Some(Place::Host));
        for bad in
            ["", "a", "dav/photos/a", "://x/dav/b", "/dav/photos/a#b", "/dav/photos/a?b", "/dav/photos/../x"]
        {
            let refusal = Place::parse_destination(bad.as_bytes()).unwrap_err();
            assert_eq!(refusal.status(), StatusCode::BAD_REQUEST, "{bad}");
        }
        assert!(Place::parse_destination(b"/dav/photos/\xff").is_err());
    }

    #[test]
    fn an_href_reads_back_as_the_place_it_was_written_for() {
        for path in ["/dav/photos", "/dav/photos/a%20b%25/%E2%82%AC%3F%23%3B%26%22%3C", "/dav/Some%20thing"] {
            let place = Place::parse(path).unwrap().unwrap();
            assert_eq!(place.href(), path);
        }
        assert_eq!(escape("a-b.c_d~e"), "a-b.c_d~e");
    }

    #[test]
    fn a_new_name_has_255_bytes_at_most_as_it_is_stored() {
        let of = |name: &str| item(&format!("/dav/photos/{}", escape(name)));
        assert!(creatable(&of(&"x".repeat(255))).is_ok());
        assert!(creatable(&of(&"x".repeat(256))).is_err());
        assert!(creatable(&of(&"e\u{301}".repeat(100))).is_ok(), "two bytes each in NFC, three as sent");
        assert!(creatable(&item("/dav/photos")).is_ok());
    }
}
