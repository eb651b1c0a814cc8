//! Resources as `response` elements: lean, with the prefix `D:` and no white space between
//! elements, as old Windows clients want it.

use std::fmt::Write as _;

use super::{
    super::{
        mime,
        multistatus::empty,
        xml::{element::Name, write::escape_into},
    },
    wanted::{Live, Wanted},
};
use crate::{
    domain::nouns::{Charged, FileVersion, ListedFile, Prop},
    model::{etag::Etag, time::Timestamp},
};

/// A file or folder with what its properties need.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Resource {
    /// Escaped; with a slash at the end for folders.
    pub(super) href: String,
    /// Its last segment.
    pub(super) name: String,
    /// What it is.
    pub(super) kind: Kind,
    /// Whether it may have dead properties.
    pub(super) has_props: bool,
}

/// What a resource is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A file.
    File {
        /// Bytes.
        size: u64,
        /// The content's tag.
        etag: Etag,
        /// Client time.
        modified: Timestamp,
        /// When it was made.
        created: Timestamp,
        /// If the client gave one.
        content_type: Option<String>,
    },
    /// A folder, a bucket or one of the levels above.
    Folder {
        /// When it was made.
        created: Option<Timestamp>,
        /// Space below it, if asked for and known.
        quota: Option<Charged>,
    },
}

impl Kind {
    /// A file by its current version.
    pub(super) fn of_version(version: FileVersion) -> Self {
        Self::File {
            size: version.size,
            etag: version.etag,
            modified: version.modified,
            created: version.created,
            content_type: version.attributes.content_type,
        }
    }

    /// A file as its folder lists it.
    pub(super) fn of_listed(file: ListedFile) -> Self {
        Self::File {
            size: file.size,
            etag: file.etag,
            modified: file.modified,
            created: file.created,
            content_type: file.content_type,
        }
    }
}

/// Appends one `response`; `dead` has the resource's dead properties, if they were asked for.
pub(super) fn response(out: &mut String, resource: &Resource, dead: &[Prop], wanted: &Wanted) {
    out.push_str("<D:response><D:href>");
    out.push_str(&resource.href);
    out.push_str("</D:href><D:propstat><D:prop>");
    let found = out.len();
    let mut missing: Vec<Name> = Vec::new();
    match wanted {
        Wanted::Names => {
            for live in Live::ALL.into_iter().chain(Live::QUOTAS) {
                if value(&mut String::new(), resource, live) {
                    let _ = write!(out, "<D:{}/>", live.name());
                }
            }
            for prop in dead {
                empty(out, &Name { space: prop.namespace.clone(), local: prop.name.clone() });
            }
        }
        Wanted::All { include } => {
            for live in Live::ALL.iter().chain(include) {
                value(out, resource, *live);
            }
            out.extend(dead.iter().map(|prop| prop.xml.as_str()));
        }
        Wanted::These { live, others } => {
            let lacks = live.iter().filter(|live| !value(out, resource, **live));
            missing.extend(lacks.map(|live| live.qualified()));
            for name in others {
                match dead.iter().find(|prop| (&prop.namespace, &prop.name) == (&name.space, &name.local)) {
                    Some(prop) => out.push_str(&prop.xml),
                    None => missing.push(name.clone()),
                }
            }
        }
    }
    if out.len() > found || missing.is_empty() {
        out.push_str("</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>");
        if !missing.is_empty() {
            out.push_str("<D:propstat><D:prop>");
        }
    }
    if !missing.is_empty() {
        for name in &missing {
            empty(out, name);
        }
        out.push_str("</D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>");
    }
    out.push_str("</D:response>");
}

/// Appends a property with its value; `false` if the resource does not have it.
fn value(out: &mut String, resource: &Resource, live: Live) -> bool {
    let name = live.name();
    match (live, &resource.kind) {
        (Live::ResourceType, Kind::File { .. }) | (Live::SupportedLock | Live::LockDiscovery, _) => {
            let _ = write!(out, "<D:{name}/>");
        }
        (Live::ResourceType, Kind::Folder { .. }) => {
            out.push_str("<D:resourcetype><D:collection/></D:resourcetype>");
        }
        (Live::DisplayName, _) if resource.name.is_empty() => return false,
        (Live::DisplayName, _) => text(out, name, &resource.name),
        (Live::ContentLength, Kind::File { size, .. }) => text(out, name, &size.to_string()),
        (Live::LastModified, Kind::File { modified: at, .. })
        | (Live::LastModified, Kind::Folder { created: Some(at), .. }) => text(out, name, &at.http_date()),
        (Live::CreationDate, Kind::File { created: at, .. })
        | (Live::CreationDate, Kind::Folder { created: Some(at), .. }) => {
            text(out, name, &at.rfc3339_seconds());
        }
        // A quote needs no escape in content, and some clients compare without resolving one.
        (Live::Etag, Kind::File { etag, .. }) => {
            let _ = write!(out, "<D:{name}>\"");
            escape_into(out, etag.as_str());
            let _ = write!(out, "\"</D:{name}>");
        }
        (Live::ContentType, Kind::File { content_type, .. }) => {
            text(out, name, content_type.as_deref().unwrap_or_else(|| mime::of_name(&resource.name)));
        }
        (Live::QuotaUsed, Kind::Folder { quota: Some(quota), .. }) => {
            text(out, name, &quota.used.to_string())
        }
        (Live::QuotaAvailable, Kind::Folder { quota: Some(Charged { left: Some(bytes), .. }), .. }) => {
            text(out, name, &bytes.to_string());
        }
        (Live::ContentLength | Live::LastModified | Live::CreationDate | Live::Etag, _)
        | (Live::ContentType | Live::QuotaUsed | Live::QuotaAvailable, _) => return false,
    }
    true
}

fn text(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, "<D:{name}>");
    escape_into(out, value);
    let _ = write!(out, "</D:{name}>");
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::multistatus::{END, begin},
        *,
    };

    fn file(content_type: Option<&str>) -> Resource {
        Resource {
            href: "/dav/photos/a%26b.jpg".into(),
            name: "a&b.jpg".into(),
            kind: Kind::File {
                size: 5,
                etag: Etag::from_text("0123456789abcdef0123456789abcdef"),
                modified: Timestamp(784_111_777_000),
                created: Timestamp(0),
                content_type: content_type.map(str::to_owned),
            },
            has_props: false,
        }
    }

    fn folder(quota: Option<Charged>) -> Resource {
        let kind = Kind::Folder { created: Some(Timestamp(0)), quota };
        Resource { href: "/dav/photos/".into(), name: "photos".into(), kind, has_props: false }
    }

    fn shown(resource: &Resource, wanted: &Wanted) -> String {
        let mut out = String::new();
        response(&mut out, resource, &[], wanted);
        out
    }

    fn these(live: &[Live], others: &[(&str, &str)]) -> Wanted {
        let name = |(space, local): &(&str, &str)| Name { space: (*space).into(), local: (*local).into() };
        Wanted::These { live: live.to_vec(), others: others.iter().map(name).collect() }
    }

    #[test]
    fn everything_about_a_file_is_lean() {
        let out = shown(&file(None), &Wanted::All { include: vec![] });
        assert_eq!(
            out,
            "<D:response><D:href>/dav/photos/a%26b.jpg</D:href><D:propstat><D:prop><D:resourcetype/>\
             <D:getcontentlength>5</D:getcontentlength>\
             <D:getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</D:getlastmodified>\
             <D:creationdate>1970-01-01T00:00:00Z</D:creationdate>\
             <D:getetag>\"0123456789abcdef0123456789abcdef\"</D:getetag>\
             <D:getcontenttype>image/jpeg</D:getcontenttype><D:displayname>a&amp;b.jpg</D:displayname>\
             <D:supportedlock/><D:lockdiscovery/></D:prop><D:status>HTTP/1.1 200 OK</D:status>\
             </D:propstat></D:response>"
        );
        assert!(out.len() < 600);
        assert!(shown(&file(Some("x/y")), &these(&[Live::ContentType], &[])).contains(">x/y<"));
    }

    #[test]
    fn what_is_not_there_gets_its_404() {
        let wanted = these(
            &[Live::ContentLength, Live::DisplayName],
            &[("http://o/\"", "id"), ("", "p"), ("DAV:", "acl")],
        );
        assert_eq!(
            shown(&folder(None), &wanted),
            "<D:response><D:href>/dav/photos/</D:href><D:propstat><D:prop>\
             <D:displayname>photos</D:displayname></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>\
             <D:propstat><D:prop><D:getcontentlength/><N:id xmlns:N=\"http://o/&quot;\"/><p/><D:acl/></D:prop>\
             <D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>"
        );
        let only = shown(&folder(None), &these(&[Live::ContentLength], &[]));
        assert_eq!(only.matches("<D:propstat>").count(), 1);
        assert!(only.contains("404 Not Found") && !only.contains("200 OK"));
    }

    #[test]
    fn quotas_are_shown_when_asked_for_and_limited() {
        let asked = these(&Live::QUOTAS, &[]);
        let limited = shown(&folder(Some(Charged { used: 7, left: Some(3) })), &asked);
        assert!(
            limited.contains("<D:quota-available-bytes>3<") && limited.contains("<D:quota-used-bytes>7<")
        );
        let unlimited = shown(&folder(Some(Charged { used: 7, left: None })), &asked);
        assert!(unlimited.contains("<D:quota-available-bytes/></D:prop><D:status>HTTP/1.1 404"));
        let all = shown(&folder(Some(Charged { used: 7, left: None })), &Wanted::All { include: vec![] });
        assert!(!all.contains("quota"));
    }

    #[test]
    fn dead_properties_are_shown_as_they_were_asked_for() {
        let xml = "<n:a xmlns:n=\"u\">1</n:a>".to_owned();
        let dead = [Prop { namespace: "u".into(), name: "a".into(), xml: xml.clone() }];
        let shown = |wanted: &Wanted| {
            let mut out = String::new();
            response(&mut out, &folder(None), &dead, wanted);
            out
        };
        assert!(shown(&Wanted::All { include: vec![] }).contains(&xml));
        let names = shown(&Wanted::Names);
        assert!(names.contains("<N:a xmlns:N=\"u\"/>") && !names.contains(&xml));
        let some = shown(&these(&[], &[("u", "a"), ("u", "b")]));
        assert!(some.contains(&format!("<D:prop>{xml}</D:prop><D:status>HTTP/1.1 200 OK")));
        assert!(some.contains("<N:b xmlns:N=\"u\"/></D:prop><D:status>HTTP/1.1 404"));
        assert!(!shown(&these(&[Live::DisplayName], &[])).contains("<n:a"));
    }

    #[test]
    fn names_alone_have_no_values() {
        let out = shown(&file(None), &Wanted::Names);
        assert!(out.contains("<D:getetag/>") && !out.contains("quota") && !out.contains("image/jpeg"));
        assert!(shown(&folder(None), &Wanted::Names).contains("<D:resourcetype/>"));
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut out = begin();
        for wanted in [Wanted::Names, Wanted::All { include: vec![] }, these(&Live::ALL, &[("a<&>\"b", "é")])]
        {
            let mut odd = file(Some("a/\u{1}b"));
            odd.name = "\u{fffe}<]]>&".into();
            response(&mut out, &odd, &[], &wanted);
            response(&mut out, &folder(None), &[], &wanted);
        }
        out.push_str(END);
        let mut reader = quick_xml::NsReader::from_str(&out);
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
    }
}
