//! The bytes of an XML body as text: UTF-8, UTF-16 of either order, ASCII and Latin-1.

/// The text of a document, without its byte order mark; `None` if it is in an encoding not
/// known here, or not in the one it claims.
pub(crate) fn decode(bytes: &[u8]) -> Option<String> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        // Without a mark the first character, always '<', tells (XML 1.0, appendix F).
        [b'<', 0, ..] => utf16(bytes, u16::from_le_bytes),
        [0, b'<', ..] => utf16(bytes, u16::from_be_bytes),
        _ => match declared(bytes).as_deref() {
            None | Some("utf-8" | "utf8") => utf8(bytes),
            Some("us-ascii" | "ascii") => bytes.is_ascii().then(|| utf8(bytes)).flatten(),
            Some("iso-8859-1" | "latin1" | "latin-1") => {
                Some(bytes.iter().map(|byte| char::from(*byte)).collect())
            }
            Some(_) => None,
        },
    }
}

fn utf8(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<_, _>>().ok()
}

/// The encoding an XML declaration names, in lower case.
fn declared(bytes: &[u8]) -> Option<String> {
    let head = bytes.strip_prefix(b"<?xml")?;
    let end = head.windows(2).take(256).position(|pair| pair == b"?>")?;
    let head = std::str::from_utf8(head.get(..end)?).ok()?;
    let (_, value) = head.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let name = value.get(1..)?.split(quote).next()?;
    Some(name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encodings_clients_use_give_the_same_text() {
        let text = "<?xml version=\"1.0\"?><a>é𝄞</a>";
        let marked = format!("\u{feff}{text}");
        let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        for bytes in [
            text.as_bytes().to_vec(),
            marked.as_bytes().to_vec(),
            little(&marked),
            big(&marked),
            little(text),
            big(text),
        ] {
            assert_eq!(decode(&bytes).as_deref(), Some(text), "{:?}", bytes.get(..4));
        }
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>";
        assert!(decode(latin).unwrap().ends_with("<a>é</a>"));
    }

    #[test]
    fn what_is_not_in_the_encoding_it_claims_is_refused() {
        for bad in [
            &b"<a>\xe9</a>"[..],
            b"\xff\xfe<\0a",
            b"\xff\xfe\0\xd8<\0",
            b"<?xml version=\"1.0\" encoding=\"us-ascii\"?><a>\xc3\xa9</a>",
            b"<?xml version=\"1.0\" encoding=\"ebcdic-cp-us\"?><a/>",
        ] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
        assert_eq!(decode(b"").as_deref(), Some(""));
    }
}
