//! XML bodies as a small tree, within limits: no DTD, no entities of their own, bounded depth,
//! elements, attributes and names.

use quick_xml::{
    NsReader, XmlVersion,
    events::{BytesRef, BytesStart, Event, attributes::Attribute as Raw},
    name::{LocalName, Prefix, ResolveResult},
};

use super::{
    decode::decode,
    element::{Attribute, Content, Element, Name, XML},
    write::holds,
};
use crate::model::limits;

/// Why a body is not taken; a sentence for the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BadXml(pub(crate) &'static str);

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

/// The namespace of namespace declarations.
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

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
                Event::GeneralRef(entity) => self.text(known(entity)?.encode_utf8(&mut [0; 4]))?,
                Event::Text(text) => {
                    let text = text.xml10_content().map_err(|_| MALFORMED)?;
                    if !self.open.is_empty() {
                        self.text(&text)?;
                    } else if !text.bytes().all(|byte| byte.is_ascii_whitespace()) {
                        return Err(MALFORMED);
                    }
                }
                Event::CData(text) => self.text(&text.xml10_content().map_err(|_| MALFORMED)?)?,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        if self.open.is_empty() { self.root.ok_or(MALFORMED) } else { Err(MALFORMED) }
    }

    fn element(&mut self, reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Element, BadXml> {
        // Counted before they are compared with each other, which is quadratic.
        let count = start.attributes().with_checks(false).count();
        if count > limits::XML_ATTRIBUTES {
            return Err(BadXml("an element of the body has too many attributes"));
        }
        self.elements += 1 + count;
        if self.elements > limits::DAV_XML_ELEMENTS {
            return Err(BadXml("the body has too many elements and attributes"));
        }
        let mut attributes = Vec::new();
        for raw in start.attributes() {
            let Some(attribute) = attribute(reader, &raw.map_err(|_| MALFORMED)?)? else { continue };
            if attributes.iter().any(|other: &Attribute| other.name == attribute.name) {
                return Err(MALFORMED);
            }
            attributes.push(attribute);
        }
        let (space, local) = reader.resolver().resolve_element(start.name());
        let (name, prefix) = name(space, local, start.name().prefix())?;
        Ok(Element { name, prefix, attributes, content: Vec::new() })
    }

    fn close(&mut self, element: Element) -> Result<(), BadXml> {
        match self.open.last_mut() {
            Some(parent) => parent.content.push(Content::Element(element)),
            None if self.root.is_none() => self.root = Some(element),
            None => return Err(MALFORMED),
        }
        Ok(())
    }

    /// Characters in an element; one text for those that follow each other.
    fn text(&mut self, text: &str) -> Result<(), BadXml> {
        let parent = self.open.last_mut().ok_or(MALFORMED)?;
        if !text.chars().all(holds) {
            return Err(MALFORMED);
        }
        match parent.content.last_mut() {
            Some(Content::Text(before)) => before.push_str(text),
            Some(Content::Element(_)) | None => parent.content.push(Content::Text(text.to_owned())),
        }
        Ok(())
    }
}

/// One attribute; `None` if it binds a namespace.
fn attribute(reader: &NsReader<&[u8]>, raw: &Raw<'_>) -> Result<Option<Attribute>, BadXml> {
    if raw.key.as_namespace_binding().is_some() {
        // Namespaces in XML 1.0 cannot take a prefix back.
        if raw.key.prefix().is_some() && raw.value.is_empty() {
            return Err(BadXml("a namespace prefix of the body is bound to nothing"));
        }
        return Ok(None);
    }
    let (space, local) = reader.resolver().resolve_attribute(raw.key);
    let (name, prefix) = name(space, local, raw.key.prefix())?;
    let value = raw.normalized_value(XmlVersion::Implicit1_0).map_err(|_| MALFORMED)?;
    if !value.chars().all(holds) {
        return Err(MALFORMED);
    }
    Ok(Some(Attribute { name, prefix, value: value.into_owned() }))
}

/// A name and its prefix, both such that they can be written as they are.
fn name(
    space: ResolveResult<'_>,
    local: LocalName<'_>,
    prefix: Option<Prefix<'_>>,
) -> Result<(Name, String), BadXml> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let space = match space {
        ResolveResult::Bound(space) => text(space.as_ref()),
        ResolveResult::Unbound => String::new(),
        ResolveResult::Unknown(_) => return Err(BadXml("a namespace prefix of the body is unknown")),
    };
    let local = text(local.as_ref());
    let prefix = prefix.map(|prefix| text(prefix.as_ref())).unwrap_or_default();
    let too_long = space.len().max(local.len()).max(prefix.len()) > limits::DAV_XML_NAME_BYTES;
    let names = is_name(&local) && (prefix.is_empty() || is_name(&prefix));
    // What XML keeps for itself: other readers would refuse a document with it.
    let reserved = prefix == "xmlns" || space == XMLNS || (space == XML) != (prefix == "xml");
    if too_long || !names || reserved || !space.chars().all(holds) || space.contains('&') {
        return Err(BadXml("a name in the body is not accepted"));
    }
    Ok((Name { space, local }, prefix))
}

/// The character of a reference: by number, or one of the five entities XML itself has.
fn known(entity: &BytesRef<'_>) -> Result<char, BadXml> {
    match &**entity {
        b"amp" => Ok('&'),
        b"lt" => Ok('<'),
        b"gt" => Ok('>'),
        b"quot" => Ok('"'),
        b"apos" => Ok('\''),
        _ => entity.resolve_char_ref().ok().flatten().ok_or(MALFORMED),
    }
}

/// A name without a colon, by XML 1.0 (fifth edition) section 2.3. A reader that is stricter than
/// the one here would refuse the whole listing in which such a name comes back.
fn is_name(text: &str) -> bool {
    text.chars().next().is_some_and(begins_name) && text.chars().all(goes_on_name)
}

/// NameStartChar, but for the colon.
fn begins_name(c: char) -> bool {
    matches!(c, 'A'..='Z' | '_' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// NameChar, but for the colon.
fn goes_on_name(c: char) -> bool {
    begins_name(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
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
        assert_eq!(none.children().next().unwrap().name.space, "");
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
            "<a>&#1;</a>",
            "<a>\u{1}</a>",
            "<a b=\"&#1;\"/>",
            "<a b=\"&unknown;\"/>",
            "<a p:b=\"\"/>",
            "<a xmlns:p=\"u\" xmlns:q=\"u\" p:b=\"\" q:b=\"\"/>",
            "<xmlns:a/>",
            "<a xmlns=\"http://www.w3.org/XML/1998/namespace\"/>",
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
    fn names_are_those_every_reader_takes() {
        for name in ["a", "_1", "a-b.c", "grüße", "名前", "a\u{b7}", "e\u{301}", "\u{10400}"] {
            assert!(read(format!("<{name}/>").as_bytes()).is_ok(), "{name}");
        }
        for name in
            ["\u{d7}", "\u{37e}", "a\u{2028}b", "a\u{a0}b", "-a", ".a", "\u{301}e", "\u{b7}a", "a\u{fffe}"]
        {
            assert!(read(format!("<{name}/>").as_bytes()).is_err(), "{name:?}");
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
        assert_eq!(bad(&many), "the body has too many elements and attributes");
        let many = format!("<a>{}</a>", "<b x=\"\"/>".repeat(2500));
        assert_eq!(bad(&many), "the body has too many elements and attributes");
        assert!(read(format!("<{}/>", "x".repeat(1025)).as_bytes()).is_err());
    }
}
