//! Elements with all that a stored property must keep, and the way back to text. Comments and
//! processing instructions are not kept (RFC 4918 §4.3 does not ask for them).

use super::write::escape_into;

/// The namespace the prefix `xml` is bound to everywhere.
pub(crate) const XML: &str = "http://www.w3.org/XML/1998/namespace";

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

/// An attribute that binds no namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Attribute {
    /// Its name.
    pub(crate) name: Name,
    /// The prefix it was written with; empty for none.
    pub(crate) prefix: String,
    /// Its value, without escapes.
    pub(crate) value: String,
}

/// What is in an element.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    /// Another.
    Element(Element),
    /// Characters, without escapes.
    Text(String),
}

/// An element with everything in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Element {
    /// Its name.
    pub(crate) name: Name,
    /// The prefix it was written with; empty for none. Values may hold names that need it.
    pub(crate) prefix: String,
    /// Its attributes, in order.
    pub(crate) attributes: Vec<Attribute>,
    /// Its content, in order.
    pub(crate) content: Vec<Content>,
}

impl Element {
    /// The elements in it, in order.
    pub(crate) fn children(&self) -> impl Iterator<Item = &Self> {
        self.content.iter().filter_map(|content| match content {
            Content::Element(element) => Some(element),
            Content::Text(_) => None,
        })
    }

    /// The first child with this name of the namespace `DAV:`.
    pub(crate) fn dav(&self, local: &str) -> Option<&Self> {
        self.children().find(|child| child.name.is_dav(local))
    }

    /// Its own `xml:lang`.
    pub(crate) fn lang(&self) -> Option<&str> {
        let lang = |attribute: &&Attribute| attribute.name.space == XML && attribute.name.local == "lang";
        self.attributes.iter().find(lang).map(|attribute| attribute.value.as_str())
    }

    /// The element as text that stands by itself: every prefix in it is bound in it, and the
    /// language that was in force around it is said.
    pub(crate) fn to_xml(&self, lang: Option<&str>) -> String {
        let mut out = String::new();
        self.write(&mut out, &mut vec![("xml", XML)], lang);
        out
    }

    /// `bound` has the prefixes of the elements around, the innermost last.
    fn write<'a>(&'a self, out: &mut String, bound: &mut Vec<(&'a str, &'a str)>, lang: Option<&str>) {
        let around = bound.len();
        out.push('<');
        qualified(out, &self.prefix, &self.name);
        bind(out, bound, &self.prefix, &self.name.space);
        if let Some(lang) = lang.filter(|_| self.lang().is_none()) {
            out.push_str(" xml:lang=\"");
            escape_into(out, lang);
            out.push('"');
        }
        for Attribute { name, prefix, value } in &self.attributes {
            if !prefix.is_empty() {
                bind(out, bound, prefix, &name.space);
            }
            out.push(' ');
            qualified(out, prefix, name);
            out.push_str("=\"");
            escape_into(out, value);
            out.push('"');
        }
        if self.content.is_empty() {
            out.push_str("/>");
        } else {
            out.push('>');
            for content in &self.content {
                match content {
                    Content::Element(element) => element.write(out, bound, None),
                    Content::Text(text) => escape_into(out, text),
                }
            }
            out.push_str("</");
            qualified(out, &self.prefix, &self.name);
            out.push('>');
        }
        bound.truncate(around);
    }
}

fn qualified(out: &mut String, prefix: &str, name: &Name) {
    if !prefix.is_empty() {
        out.push_str(prefix);
        out.push(':');
    }
    out.push_str(&name.local);
}

/// Binds a prefix, unless it is bound to this already.
fn bind<'a>(out: &mut String, bound: &mut Vec<(&'a str, &'a str)>, prefix: &'a str, space: &'a str) {
    let now = bound.iter().rev().find(|(name, _)| *name == prefix).map_or("", |(_, space)| space);
    if now == space {
        return;
    }
    bound.push((prefix, space));
    out.push_str(" xmlns");
    if !prefix.is_empty() {
        out.push(':');
        out.push_str(prefix);
    }
    out.push_str("=\"");
    escape_into(out, space);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::super::read::read;

    /// The first child of the root, written by itself.
    fn by_itself(text: &str) -> String {
        let root = read(text.as_bytes()).unwrap().unwrap();
        root.children().next().unwrap().to_xml(root.lang())
    }

    #[test]
    fn an_element_taken_out_means_what_it_meant() {
        for (whole, alone) in [
            (
                r#"<r xmlns="DAV:" xmlns:p="urn:p" xmlns:q="urn:q"><p:a q:b="1" c="&lt;&#10;"/></r>"#,
                r#"<p:a xmlns:p="urn:p" xmlns:q="urn:q" q:b="1" c="&lt;&#10;"/>"#,
            ),
            (
                r#"<r xmlns="urn:p"><a> x<b xmlns=""/><![CDATA[<]]>&amp;<c/></a></r>"#,
                r#"<a xmlns="urn:p"> x<b xmlns=""/>&lt;&amp;<c/></a>"#,
            ),
            (
                r#"<r xml:lang="de" xmlns:p="u&amp;1"><p:a xmlns:p="u2"><p:b/></p:a></r>"#,
                r#"<p:a xmlns:p="u2" xml:lang="de"><p:b/></p:a>"#,
            ),
            (r#"<r xml:lang="de"><a xml:lang="en"><!-- c --></a></r>"#, r#"<a xml:lang="en"/>"#),
            (
                "<r xmlns:p='u'><p:a><p:b xmlns:p='v'/><p:c/></p:a></r>",
                r#"<p:a xmlns:p="u"><p:b xmlns:p="v"/><p:c/></p:a>"#,
            ),
        ] {
            let written = by_itself(whole);
            assert_eq!(written, alone, "{whole}");
            assert_eq!(by_itself(&format!("<r>{written}</r>")), written, "a second time");
        }
    }
}
