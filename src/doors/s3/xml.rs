//! XML at the edge of the door: bodies are checked before anything reads them, and what leaves
//! holds no character that XML cannot carry.

use bytes::Bytes;
use quick_xml::{Reader, events::Event};

use super::{code::Code, error::Refusal};
use crate::model::limits::{XML_ATTRIBUTES, XML_DEPTH};

fn malformed() -> Refusal {
    Refusal::new(Code::MalformedXML)
}

/// Refuses what is no single well-formed element, is nested too deeply, has too many attributes,
/// a document type, or entities beyond the five of XML.
pub(crate) fn check(document: &[u8]) -> Result<(), Refusal> {
    let text = std::str::from_utf8(document).map_err(|_| malformed())?;
    let mut reader = Reader::from_str(text);
    let (mut depth, mut roots) = (0usize, 0usize);
    loop {
        match reader.read_event().map_err(|_| malformed())? {
            Event::Start(element) => {
                attributes(&element)?;
                roots += usize::from(depth == 0);
                depth += 1;
                if depth > XML_DEPTH {
                    return Err(malformed());
                }
            }
            Event::Empty(element) => {
                attributes(&element)?;
                roots += usize::from(depth == 0);
            }
            Event::End(_) => depth = depth.checked_sub(1).ok_or_else(malformed)?,
            Event::GeneralRef(name) => {
                let raw: &[u8] = &name;
                let known = [&b"lt"[..], b"gt", b"amp", b"apos", b"quot"].contains(&raw);
                if !known && !name.is_char_ref() {
                    return Err(malformed());
                }
            }
            Event::DocType(_) => return Err(malformed()),
            Event::Eof => break,
            Event::Text(_) | Event::CData(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    if depth == 0 && roots == 1 { Ok(()) } else { Err(malformed()) }
}

/// The elements of a document, each by the names on the way to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elements {
    /// Those that are read.
    pub(crate) read: &'static [&'static str],
    /// Those whose feature is not built.
    pub(crate) unbuilt: &'static [&'static str],
}

/// Refuses elements that nobody reads: the library skips them. The document was [`check`]ed.
pub(crate) fn check_elements(document: &[u8], elements: Elements) -> Result<(), Refusal> {
    let text = std::str::from_utf8(document).map_err(|_| malformed())?;
    let mut reader = Reader::from_str(text);
    let mut path = String::new();
    loop {
        let (element, opens) = match reader.read_event().map_err(|_| malformed())? {
            Event::Start(element) => (element, true),
            Event::Empty(element) => (element, false),
            Event::End(_) => {
                path.truncate(path.rfind('/').unwrap_or(0));
                continue;
            }
            Event::Eof => return Ok(()),
            _ => continue,
        };
        let above = path.len();
        if above > 0 {
            path.push('/');
        }
        path.push_str(std::str::from_utf8(element.local_name().as_ref()).map_err(|_| malformed())?);
        if elements.unbuilt.contains(&path.as_str()) {
            let said = format!("The element {path} implies functionality that is not implemented.");
            return Err(Refusal::say(Code::NotImplemented, said));
        }
        if !elements.read.contains(&path.as_str()) {
            return Err(malformed());
        }
        if !opens {
            path.truncate(above);
        }
    }
}

fn attributes(element: &quick_xml::events::BytesStart<'_>) -> Result<(), Refusal> {
    // The library's own check for doubles takes time in the square of their number.
    let mut all = element.attributes();
    let count = all.with_checks(false).take(XML_ATTRIBUTES + 1).count();
    if count > XML_ATTRIBUTES { Err(malformed()) } else { Ok(()) }
}

/// Text as the content of an element; characters XML cannot carry become U+FFFD.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(c),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A document whose control characters, which the library writes bare, are written as character
/// references, as AWS does.
pub(crate) fn guarded(document: Bytes) -> Bytes {
    let control = |byte: u8| byte < b' ' && byte != b'\t' && byte != b'\n';
    if !document.iter().any(|byte| control(*byte)) {
        return document;
    }
    let mut out = Vec::with_capacity(document.len() + 64);
    for byte in &document {
        if control(*byte) {
            out.extend_from_slice(format!("&#x{byte:X};").as_bytes());
        } else {
            out.push(*byte);
        }
    }
    out.into()
}

/// The content of the first element of this name, still escaped, in a document without nesting.
pub(crate) fn content<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(content, _)| content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_nested_too_deeply_or_with_entities_are_refused() {
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(check(nested(32).as_bytes()).is_ok());
        assert!(check(nested(33).as_bytes()).is_err());
        assert!(check(nested(20_000).as_bytes()).is_err());
        let many = |count: usize| {
            let attributes: String = (0..count).map(|n| format!(" a{n}='x'")).collect();
            format!("<a{attributes}/>")
        };
        assert!(check(many(256).as_bytes()).is_ok());
        assert!(check(many(80_000).as_bytes()).is_err());
        for bad in [
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            "<a>&b;</a>",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "text",
            "",
            "<a>\u{fffd}</a",
        ] {
            assert!(check(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(check(b"<a>\xff</a>").is_err());
        assert!(check(b"<?xml version='1.0'?>\n<a x='1'>b &amp; &#x41; <![CDATA[c]]></a>\n").is_ok());
    }

    #[test]
    fn control_characters_leave_as_references() {
        assert_eq!(guarded(Bytes::from_static(b"<a>\x01\r</a>")), "<a>&#x1;&#xD;</a>");
        assert_eq!(guarded(Bytes::from_static(b"<a>\t\n</a>")), "<a>\t\n</a>");
        assert_eq!(escape("a<&>\u{1}\"é"), "a&lt;&amp;&gt;\u{fffd}&quot;é");
        assert_eq!(content("<E><Code>a</Code><M/></E>", "Code"), Some("a"));
    }
}
