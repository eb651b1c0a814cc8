//! A folder as a plain page for people who open its address in a browser: one page of members at
//! a time, every name escaped, no script.

use std::fmt::Write as _;

use http::Response;
use percent_encoding::percent_decode_str;

use super::super::{
    call::Call,
    error::Refusal,
    path::{Place, escape},
    xml::write::escape_into,
};
use crate::{
    domain::nouns::{ListBuckets, Member},
    doors::gate::body::{self, Body},
    model::{address::shown_in_tree, limits},
};

/// A line of the page.
struct Line {
    name: String,
    folder: bool,
    size: Option<u64>,
}

/// Answers GET of a folder.
///
/// # Errors
/// If it cannot be listed.
pub(super) async fn answer(call: &Call<'_>) -> Result<Response<Body>, Refusal> {
    let after = after(call.head.uri.query());
    let (lines, next) = match &call.place {
        Place::Item(address) => {
            let page = call.holdall().list_folder(&call.caller, address, after, limits::LIST_PAGE).await?;
            (page.members.into_iter().map(line).collect(), page.next)
        }
        Place::Home => {
            let limit = limits::LIST_PAGE;
            let which = ListBuckets { prefix: String::new(), after, limit };
            let buckets = call.holdall().list_buckets(&call.caller, which).await?;
            let next = buckets.last().filter(|_| buckets.len() >= limit).map(|b| b.name.to_string());
            (buckets.into_iter().map(|b| folder_line(b.name.as_str())).collect(), next)
        }
        Place::Host | Place::NoBucket { .. } | Place::Hidden(_) => (vec![folder_line("dav")], None),
    };
    Ok(Response::new(body::full(html(&call.place, lines, next.as_deref()))))
}

fn after(query: Option<&str>) -> Option<String> {
    let value = query?.split('&').find_map(|pair| pair.strip_prefix("after="))?;
    percent_decode_str(value).decode_utf8().ok().map(|text| text.into_owned())
}

fn leaf(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, leaf)| leaf)
}

fn folder_line(name: &str) -> Line {
    Line { name: name.to_owned(), folder: true, size: None }
}

fn line(member: Member) -> Line {
    match member {
        Member::Folder(folder) => folder_line(leaf(&folder.path)),
        Member::File(file) => Line { name: leaf(&file.key).to_owned(), folder: false, size: Some(file.size) },
    }
}

fn html(place: &Place, lines: Vec<Line>, next: Option<&str>) -> String {
    let href = place.href();
    let mut out = String::from("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    escape_into(&mut out, place.name());
    out.push_str("</title><style>body{font-family:sans-serif}td{padding:0 1em 0 0}</style></head><body><h1>");
    escape_into(&mut out, place.name());
    out.push_str("</h1><table>\n");
    for line in lines.iter().filter(|line| shown_in_tree(&line.name)) {
        let slash = if line.folder { "/" } else { "" };
        let _ = write!(out, "<tr><td><a href=\"{href}/{}{slash}\">", escape(&line.name));
        escape_into(&mut out, &line.name);
        let size = line.size.map(|size| size.to_string()).unwrap_or_default();
        let _ = writeln!(out, "{slash}</a></td><td>{size}</td></tr>");
    }
    out.push_str("</table>");
    if let Some(next) = next {
        let _ = write!(out, "<p><a href=\"{href}/?after={}\">more</a></p>", escape(next));
    }
    out.push_str("</body></html>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        let place = Place::parse("/dav/photos/%3Cb%3E").unwrap().unwrap();
        let lines = vec![
            Line { name: "<script>'\"&".into(), folder: false, size: Some(3) },
            folder_line("sub dir"),
            folder_line(".."),
        ];
        let out = html(&place, lines, Some("z\"/"));
        assert!(out.contains(
            "<a href=\"/dav/photos/%3Cb%3E/%3Cscript%3E%27%22%26\">&lt;script&gt;&#39;&quot;&amp;</a>"
        ));
        assert!(out.contains("<a href=\"/dav/photos/%3Cb%3E/sub%20dir/\">sub dir/</a>"));
        assert!(out.contains("?after=z%22%2F\""));
        assert!(!out.contains("<script>") && !out.contains("<b>") && !out.contains(">../<"));
        assert_eq!(after(Some("x=1&after=z%22%2F")).as_deref(), Some("z\"/"));
    }
}
