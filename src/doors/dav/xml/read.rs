//! XML bodies as a small tree of names, within limits: no DTD, no entities of their own, bounded
//! depth, elements, attributes and names. Texts are skipped; nothing read so far needs them.

use quick_xml::{
    NsReader,
    events::{BytesRef, BytesStart, Event},
    name::ResolveResult,
};

use super::{decode::decode, write::holds};
use crate::model::limits;

/// Why a body is not taken; a sentence for the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BadXml(pub(crate) &'static str);

/// An element's name. The local part is an XML name, so it can be written back as it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Name {
    /// The namespace; empty for none.
    pub(crate) space: String,
    /// The name in it.
    pub(crate) local: String,
}

impl Name {
    /// Whether it is this name of the namespace `DAV:`.
    pub(crate) fn is_dav(&self, local: &str) -> bool {
        self.space == "DAV:" && self.local == local
    }
}

/// An element with the elements in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Element {
    /// Its name.
    pub(crate) name: Name,
    /// Its children, in order.
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The first child with this name of the namespace `DAV:`.
    pub(crate) fn dav(&self, local: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name.is_dav(local))
    }
}

/// Reads a whole body; `None` if there is nothing in it but white space.
///
/// # Errors
/// If it is not well-formed, or passes a limit.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<Element>, BadXml> {
    let text = decode(bytes).ok_or(BadXml("the body is in an unknown or broken encoding"))?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    Tree::default().read(&text).map(Some)
}

const MALFORMED: BadXml = BadXml("the body is not well-formed XML");

#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Tree {
    fn read(mut self, text: &str) -> Result<Element, BadXml> {
        let mut reader = NsReader::from_str(text);
        loop {
            let event = reader.read_event().map_err(|_| MALFORMED)?;
            match &event {
                Event::Start(start) => {
                    let element = self.element(&reader, start)?;
                    self.open.push(element);
                    if self.open.len() > limits::XML_DEPTH {
                        return Err(BadXml("the body's elements are nested too deep"));
                    }
                }
                Event::Empty(start) => {
                    let element = self.element(&reader, start)?;
                    self.close(element)?;
                }
                Event::End(_) => {
                    let element = self.open.pop().ok_or(MALFORMED)?;
                    self.close(element)?;
                }
                Event::DocType(_) => return Err(BadXml("a document type is not accepted")),
                Event::GeneralRef(entity) => self.known(entity)?,
                Event::Text(text) => {
                    let blank = text.iter().all(u8::is_ascii_whitespace);
                    if self.open.is_empty() && !blank {
                        return Err(MALFORMED);
                    }
                }
                Event::CData(_) if self.open.is_empty() => return Err(MALFORMED),
                Event::CData(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        if self.open.is_empty() { self.root.ok_or(MALFORMED) } else { Err(MALFORMED) }
    }

    fn element(&mut self, reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Element, BadXml> {
        self.elements += 1;
        if self.elements > limits::DAV_XML_ELEMENTS {
            return Err(BadXml("the body has too many elements"));
        }
        // Counted before they are compared with each other, which is quadratic.
        if start.attributes().with_checks(false).count() > limits::XML_ATTRIBUTES {
            return Err(BadXml("an element of the body has too many attributes"));
        }
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| MALFORMED)?;
            // Namespaces in XML 1.0 cannot take a prefix back.
            if attribute.key.as_ref().starts_with(b"xmlns:") && attribute.value.is_empty() {
                return Err(BadXml("a namespace prefix of the body is bound to nothing"));
            }
        }
        let (space, local) = reader.resolver().resolve_element(start.name());
        let space = match space {
            ResolveResult::Bound(space) => String::from_utf8_lossy(space.as_ref()).into_owned(),
            ResolveResult::Unbound => String::new(),
            ResolveResult::Unknown(_) => return Err(BadXml("a namespace prefix of the body is unknown")),
        };
        let local = String::from_utf8_lossy(local.as_ref()).into_owned();
        let too_long = space.len().max(local.len()) > limits::DAV_XML_NAME_BYTES;
        if too_long || !is_name(&local) || !space.chars().all(holds) || space.contains('&') {
            return Err(BadXml("an element of the body has a name that is not accepted"));
        }
        Ok(Element { name: Name { space, local }, children: Vec::new() })
    }

    fn close(&mut self, element: Element) -> Result<(), BadXml> {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None if self.root.is_none() => self.root = Some(element),
            None => return Err(MALFORMED),
        }
        Ok(())
    }

    /// Only characters and the five entities XML itself has.
    fn known(&self, entity: &BytesRef<'_>) -> Result<(), BadXml> {
        let predefined = matches!(&**entity, b"amp" | b"lt" | b"gt" | b"quot" | b"apos");
        let character = entity.is_char_ref() && entity.resolve_char_ref().is_ok();
        if !self.open.is_empty() && (predefined || character) { Ok(()) } else { Err(MALFORMED) }
    }
}

/// The ASCII part of an XML name as the standard has it; above ASCII whatever XML can hold.
fn is_name(text: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || (!c.is_ascii() && holds(c));
    let later = |c: char| first(c) || c.is_ascii_digit() || matches!(c, '-' | '.');
    text.chars().next().is_some_and(first) && text.chars().all(later)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn bad(text: &str) -> &'static str {
        read(text.as_bytes()).unwrap_err().0
    }

    #[test]
    fn names_are_resolved_whatever_the_prefix() {
        for text in [
            r#"<propfind xmlns="DAV:"><prop/></propfind>"#,
            r#"<?xml version="1.0"?><!-- c --><D:propfind xmlns:D="DAV:"> <D:prop/>&amp;&#65; </D:propfind> "#,
            r#"<X:propfind xmlns:X="DAV:"><prop xmlns="DAV:"></prop></X:propfind>"#,
        ] {
            let root = read(text.as_bytes()).unwrap().unwrap();
            assert!(root.name.is_dav("propfind"), "{text}");
            assert!(root.dav("prop").is_some(), "{text}");
        }
        let none = read(b"<a xmlns=\"DAV:\"><b xmlns=\"\"/></a>").unwrap().unwrap();
        assert_eq!(none.children.first().unwrap().name.space, "");
        assert_eq!(read(b" \r\n").unwrap(), None);
    }

    #[test]
    fn utf16_bodies_are_read() {
        let text = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-16\"?><propfind xmlns=\"DAV:\"/>";
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert!(read(&bytes).unwrap().unwrap().name.is_dav("propfind"));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for text in [
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a/>x",
            "x<a/>",
            "text",
            "<a b=c/>",
            "<a b=\"1\" b=\"2\"/>",
            "<p:a/>",
            "<a xmlns:p=\"\"/>",
            "<a>&unknown;</a>",
            "<a>&#0;</a>",
            "<a>&#xD800;</a>",
            "<1a/>",
            "<a\"b/>",
            "<a&b/>",
            "<![CDATA[x]]>",
            "<a><b></a></b>",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn twenty_thousand_nested_elements_are_refused() {
        let text = format!("{}{}", "<a>".repeat(20_000), "</a>".repeat(20_000));
        assert_eq!(bad(&text), "the body's elements are nested too deep");
        let fits = format!("{}{}", "<a>".repeat(32), "</a>".repeat(32));
        assert!(read(fits.as_bytes()).is_ok());
    }

    #[test]
    fn entities_cannot_be_defined() {
        let bomb = "<!DOCTYPE a [<!ENTITY x \"xxxx\"><!ENTITY y \"&x;&x;&x;&x;\">]><a>&y;</a>";
        assert_eq!(bad(bomb), "a document type is not accepted");
        let file = "<?xml version=\"1.0\"?><!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>";
        assert_eq!(bad(file), "a document type is not accepted");
    }

    #[test]
    fn a_hundred_thousand_attributes_are_refused_at_once() {
        let mut plain = String::from("<a");
        let mut spaces = String::from("<a");
        for n in 0..100_000 {
            let _ = write!(plain, " b{n}=\"\"");
            let _ = write!(spaces, " xmlns:b{n}=\"x\"");
        }
        let begun = std::time::Instant::now();
        assert_eq!(bad(&format!("{plain}/>")), "an element of the body has too many attributes");
        assert!(read(format!("{spaces}/>").as_bytes()).is_err());
        assert!(begun.elapsed().as_secs() < 2);
    }

    #[test]
    fn elements_and_names_are_bounded() {
        let many = format!("<a>{}</a>", "<b/>".repeat(5000));
        assert_eq!(bad(&many), "the body has too many elements");
        assert!(read(format!("<{}/>", "x".repeat(1025)).as_bytes()).is_err());
    }
}
