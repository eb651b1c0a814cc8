//! Text inside XML that this door writes.

/// What every document starts with.
pub(crate) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";

/// Appends a text, escaped for element content and attribute values. Characters XML 1.0 cannot
/// hold become U+FFFD; names with such characters stay reachable by their `href`.
pub(crate) fn escape_into(out: &mut String, text: &str) {
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        let with = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\'' => "&#39;",
            // Line breaks in attribute values would come back as spaces.
            '\t' => "&#9;",
            '\n' => "&#10;",
            '\r' => "&#13;",
            c if !holds(c) => "\u{fffd}",
            _ => continue,
        };
        out.push_str(text.get(plain..at).unwrap_or_default());
        out.push_str(with);
        plain = at + c.len_utf8();
    }
    out.push_str(text.get(plain..).unwrap_or_default());
}

/// Whether XML 1.0 can hold a character at all (§2.2).
pub(crate) fn holds(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_reserves_is_escaped_and_what_it_cannot_hold_replaced() {
        let mut out = String::from("|");
        escape_into(&mut out, "a<b>&\"'\n€\u{1}\u{fffe}𝄞");
        assert_eq!(out, "|a&lt;b&gt;&amp;&quot;&#39;&#10;€\u{fffd}\u{fffd}𝄞");
        out.clear();
        escape_into(&mut out, "");
        assert_eq!(out, "");
    }
}
