//! PROPPATCH: dead properties, kept as they were set, all or none. Nothing of the namespace `DAV:`
//! can be set: what is live here is computed, and a name that is live elsewhere would be kept
//! without doing what its client expects.

use http::{HeaderValue, Response, StatusCode, header};

use super::{
    call::{Call, bare, collect_xml},
    error::Refusal,
    headers::write_conditions,
    multistatus::{END, begin, empty},
    xml::{
        element::{Element, Name},
        read::{BadXml, read},
    },
};
use crate::{
    domain::nouns::{Prop, PropChange, PropOptions},
    doors::gate::{Body, body},
    model::limits,
};

/// Answers PROPPATCH.
///
/// # Errors
/// Any refusal that is not about one property; everything is as it was.
pub(super) async fn answer(call: &Call<'_>, body: &mut Body) -> Result<Response<Body>, Refusal> {
    let (document, _share) = collect_xml(call, body).await?;
    let asked = Asked::read(&document).map_err(|bad| Refusal::bad_request(bad.0))?;
    let address = call.changeable()?;
    let refused = asked.names.iter().any(is_protected);
    // Where one of them cannot be, none is; whether any could be, the domain still says.
    let changes = if refused { Vec::new() } else { asked.changes };
    let options = PropOptions { conditions: write_conditions(call.headers())?, ..PropOptions::default() };
    let set = call.holdall().set_props(&call.caller, address, changes, options).await?;

    let href = call.place.href() + if set.folder { "/" } else { "" };
    let mut response = bare(StatusCode::MULTI_STATUS);
    let kind = HeaderValue::from_static("application/xml; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    *response.body_mut() = body::full(verdict(&href, &asked.names));
    Ok(response)
}

fn is_protected(name: &Name) -> bool {
    name.space == "DAV:"
}

/// What is asked for.
#[derive(PartialEq, Eq, Debug)]
struct Asked {
    /// In the order given.
    changes: Vec<PropChange>,
    /// The properties they are about, each once.
    names: Vec<Name>,
}

impl Asked {
    fn read(body: &[u8]) -> Result<Self, BadXml> {
        let root = read(body)?.filter(|root| root.name.is_dav("propertyupdate"));
        let root = root.ok_or(BadXml("the body is no propertyupdate element"))?;
        let mut asked = Self { changes: Vec::new(), names: Vec::new() };
        for step in root.children() {
            let set = step.name.is_dav("set");
            if !set && !step.name.is_dav("remove") {
                continue;
            }
            let props = step.dav("prop").ok_or(BadXml("a set or remove of the body has no prop element"))?;
            let lang = props.lang().or_else(|| step.lang()).or_else(|| root.lang());
            for prop in props.children() {
                asked.add(prop, set.then_some(lang))?;
            }
        }
        if asked.names.is_empty() {
            return Err(BadXml("the body names no property"));
        }
        Ok(asked)
    }

    /// One step: set, with the language in force around it, or removed.
    fn add(&mut self, prop: &Element, set: Option<Option<&str>>) -> Result<(), BadXml> {
        if self.changes.len() >= limits::DAV_PROPS_ASKED {
            return Err(BadXml("too many properties are changed"));
        }
        let Name { space: namespace, local: name } = prop.name.clone();
        self.changes.push(match set {
            Some(lang) => PropChange::Set(Prop { namespace, name, xml: prop.to_xml(lang) }),
            None => PropChange::Remove { namespace, name },
        });
        if !self.names.contains(&prop.name) {
            self.names.push(prop.name.clone());
        }
        Ok(())
    }
}

/// The multistatus: all were changed, or those that cannot be are named and the others went with
/// them.
fn verdict(href: &str, names: &[Name]) -> String {
    let (refused, others): (Vec<&Name>, Vec<&Name>) = names.iter().partition(|name| is_protected(name));
    let status = if refused.is_empty() { "200 OK" } else { "424 Failed Dependency" };
    let mut out = begin();
    out.push_str("<D:response><D:href>");
    out.push_str(href);
    out.push_str("</D:href>");
    propstat(&mut out, &others, status, "");
    let error = "<D:error><D:cannot-modify-protected-property/></D:error>";
    propstat(&mut out, &refused, "403 Forbidden", error);
    out.push_str("</D:response>");
    out.push_str(END);
    out
}

fn propstat(out: &mut String, names: &[&Name], status: &str, error: &str) {
    if names.is_empty() {
        return;
    }
    out.push_str("<D:propstat><D:prop>");
    for name in names {
        empty(out, name);
    }
    out.push_str("</D:prop><D:status>HTTP/1.1 ");
    out.push_str(status);
    out.push_str("</D:status>");
    out.push_str(error);
    out.push_str("</D:propstat>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(inner: &str) -> Result<Asked, BadXml> {
        let text = format!("<propertyupdate xmlns=\"DAV:\" xmlns:n=\"u\">{inner}</propertyupdate>");
        Asked::read(text.as_bytes())
    }

    #[test]
    fn steps_keep_their_order_and_values_their_language() {
        let asked = asked(
            "<set><prop><n:a>1</n:a></prop></set><remove><prop><n:a>x</n:a><n:b/></prop></remove>\
             <set xml:lang=\"de\"><prop><n:a/></prop></set>",
        )
        .unwrap();
        let set = |xml: &str| {
            PropChange::Set(Prop { namespace: "u".into(), name: "a".into(), xml: xml.to_owned() })
        };
        let gone = |name: &str| PropChange::Remove { namespace: "u".into(), name: name.into() };
        assert_eq!(
            asked.changes,
            [
                set("<n:a xmlns:n=\"u\">1</n:a>"),
                gone("a"),
                gone("b"),
                set("<n:a xmlns:n=\"u\" xml:lang=\"de\"/>"),
            ]
        );
        assert_eq!(asked.names.len(), 2);
    }

    #[test]
    fn what_names_nothing_or_too_much_is_refused() {
        for inner in ["", "<set/>", "<set><prop/></set>", "<other><prop><n:a/></prop></other>"] {
            assert!(asked(inner).is_err(), "{inner}");
        }
        assert!(Asked::read(b"").is_err());
        assert!(Asked::read(b"<propfind xmlns=\"DAV:\"><set><prop><a/></prop></set></propfind>").is_err());
        let many = |count| format!("<remove><prop>{}</prop></remove>", "<n:a/>".repeat(count));
        assert!(asked(&many(limits::DAV_PROPS_ASKED)).is_ok());
        assert!(asked(&many(limits::DAV_PROPS_ASKED + 1)).is_err());
    }

    #[test]
    fn one_that_cannot_be_set_takes_the_others_with_it() {
        let name = |space: &str, local: &str| Name { space: space.into(), local: local.into() };
        let out = verdict("/dav/a", &[name("u", "x"), name("DAV:", "getetag")]);
        let end = out.split("</D:href>").nth(1).unwrap();
        assert_eq!(
            end,
            "<D:propstat><D:prop><N:x xmlns:N=\"u\"/></D:prop>\
             <D:status>HTTP/1.1 424 Failed Dependency</D:status></D:propstat>\
             <D:propstat><D:prop><D:getetag/></D:prop><D:status>HTTP/1.1 403 Forbidden</D:status>\
             <D:error><D:cannot-modify-protected-property/></D:error></D:propstat>\
             </D:response></D:multistatus>\n"
        );
    }
}
