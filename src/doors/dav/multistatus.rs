//! What the answers of PROPFIND and PROPPATCH share.

use std::fmt::Write as _;

use super::xml::{
    element::Name,
    write::{DECLARATION, escape_into},
};

/// What ends a multistatus.
pub(super) const END: &str = "</D:multistatus>\n";

/// What begins a multistatus.
pub(super) fn begin() -> String {
    format!(r#"{DECLARATION}<D:multistatus xmlns:D="DAV:">"#)
}

/// An empty element in whatever namespace the client named.
pub(super) fn empty(out: &mut String, name: &Name) {
    if name.space == "DAV:" {
        let _ = write!(out, "<D:{}/>", name.local);
    } else if name.space.is_empty() {
        let _ = write!(out, "<{}/>", name.local);
    } else {
        let _ = write!(out, "<N:{} xmlns:N=\"", name.local);
        escape_into(out, &name.space);
        out.push_str("\"/>");
    }
}
