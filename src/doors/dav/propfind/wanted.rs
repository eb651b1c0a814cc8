//! What a PROPFIND asks for, read from its body.

use super::super::xml::{
    element::{Element, Name},
    read::{BadXml, read},
};
use crate::model::limits;

/// The live properties of this door.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Live {
    /// `resourcetype`
    ResourceType,
    /// `getcontentlength`
    ContentLength,
    /// `getlastmodified`
    LastModified,
    /// `creationdate`
    CreationDate,
    /// `getetag`
    Etag,
    /// `getcontenttype`
    ContentType,
    /// `displayname`
    DisplayName,
    /// `supportedlock`
    SupportedLock,
    /// `lockdiscovery`
    LockDiscovery,
    /// `quota-available-bytes`
    QuotaAvailable,
    /// `quota-used-bytes`
    QuotaUsed,
}

impl Live {
    /// What `allprop` shows, in its order. RFC 4331 keeps the quotas out of it.
    pub(super) const ALL: [Self; 9] = [
        Self::ResourceType,
        Self::ContentLength,
        Self::LastModified,
        Self::CreationDate,
        Self::Etag,
        Self::ContentType,
        Self::DisplayName,
        Self::SupportedLock,
        Self::LockDiscovery,
    ];
    /// The rest.
    pub(super) const QUOTAS: [Self; 2] = [Self::QuotaAvailable, Self::QuotaUsed];

    /// The name in the namespace `DAV:`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ResourceType => "resourcetype",
            Self::ContentLength => "getcontentlength",
            Self::LastModified => "getlastmodified",
            Self::CreationDate => "creationdate",
            Self::Etag => "getetag",
            Self::ContentType => "getcontenttype",
            Self::DisplayName => "displayname",
            Self::SupportedLock => "supportedlock",
            Self::LockDiscovery => "lockdiscovery",
            Self::QuotaAvailable => "quota-available-bytes",
            Self::QuotaUsed => "quota-used-bytes",
        }
    }

    /// The whole name.
    pub(super) fn qualified(self) -> Name {
        Name { space: "DAV:".to_owned(), local: self.name().to_owned() }
    }

    fn of(name: &Name) -> Option<Self> {
        Self::ALL.into_iter().chain(Self::QUOTAS).find(|live| name.is_dav(live.name()))
    }
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// The names of what is there.
    Names,
    /// Everything but the quotas, and these on top of it.
    All {
        /// From `include`.
        include: Vec<Live>,
    },
    /// Exactly these.
    These {
        /// The ones this door has.
        live: Vec<Live>,
        /// The others: dead ones, if they are there at all.
        others: Vec<Name>,
    },
}

impl Wanted {
    /// Reads a body. An empty one asks for everything; so does one that names nothing, which
    /// some clients send.
    ///
    /// # Errors
    /// If it is no `propfind`, or passes a limit.
    pub(super) fn read(body: &[u8]) -> Result<Self, BadXml> {
        let Some(root) = read(body)? else { return Ok(Self::All { include: Vec::new() }) };
        if !root.name.is_dav("propfind") {
            return Err(BadXml("the body is no propfind element"));
        }
        if let Some(prop) = root.dav("prop").filter(|prop| prop.children().next().is_some()) {
            let (live, others) = names(prop)?;
            return Ok(Self::These { live, others });
        }
        if root.dav("propname").is_some() {
            return Ok(Self::Names);
        }
        let include = root.dav("include").map(names).transpose()?.unwrap_or_default().0;
        Ok(Self::All { include: include.into_iter().filter(|live| !Live::ALL.contains(live)).collect() })
    }

    /// Whether dead properties are asked for: they are read one resource at a time.
    pub(super) fn asks_dead(&self) -> bool {
        match self {
            Self::Names | Self::All { .. } => true,
            Self::These { others, .. } => !others.is_empty(),
        }
    }

    /// Whether a quota is asked for: it costs look-ups of its own.
    pub(super) fn asks_quota(&self) -> bool {
        let asked = |live: &[Live]| live.iter().any(|live| Live::QUOTAS.contains(live));
        match self {
            Self::Names => true,
            Self::All { include } => asked(include),
            Self::These { live, .. } => asked(live),
        }
    }
}

/// The properties an element names, each once.
fn names(element: &Element) -> Result<(Vec<Live>, Vec<Name>), BadXml> {
    if element.children().count() > limits::DAV_PROPS_ASKED {
        return Err(BadXml("too many properties are asked for"));
    }
    let (mut live, mut unknown) = (Vec::new(), Vec::new());
    for child in element.children() {
        match Live::of(&child.name) {
            Some(known) if !live.contains(&known) => live.push(known),
            None if !unknown.contains(&child.name) => unknown.push(child.name.clone()),
            Some(_) | None => {}
        }
    }
    Ok((live, unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_means_everything() {
        let all = Wanted::All { include: vec![] };
        for body in [
            "",
            "  ",
            r#"<propfind xmlns="DAV:"/>"#,
            r#"<propfind xmlns="DAV:"><allprop/></propfind>"#,
            r#"<propfind xmlns="DAV:"><allprop/><prop/></propfind>"#,
            r#"<propfind xmlns="DAV:" xmlns:x="X"><x:own/><allprop/></propfind>"#,
            r#"<propfind xmlns="DAV:"><allprop/><include><getetag/></include></propfind>"#,
        ] {
            assert_eq!(Wanted::read(body.as_bytes()).unwrap(), all, "{body}");
        }
        assert!(!all.asks_quota());
    }

    #[test]
    fn names_are_sorted_into_known_and_others() {
        let body = r#"<D:propfind xmlns:D="DAV:" xmlns:o="http://owncloud.org/ns"><D:prop>
            <D:getetag/><o:getetag/><D:getetag/><D:quota-used-bytes/><o:getetag/><plain/></D:prop></D:propfind>"#;
        let wanted = Wanted::read(body.as_bytes()).unwrap();
        let name = |space: &str, local: &str| Name { space: space.into(), local: local.into() };
        let others = vec![name("http://owncloud.org/ns", "getetag"), name("", "plain")];
        assert_eq!(wanted, Wanted::These { live: vec![Live::Etag, Live::QuotaUsed], others });
        assert!(wanted.asks_quota());
        let body = r#"<propfind xmlns="DAV:"><allprop/><include><quota-used-bytes/></include></propfind>"#;
        assert_eq!(Wanted::read(body.as_bytes()).unwrap(), Wanted::All { include: vec![Live::QuotaUsed] });
        let body = r#"<propfind xmlns="DAV:"><propname/></propfind>"#;
        assert_eq!(Wanted::read(body.as_bytes()).unwrap(), Wanted::Names);
    }

    #[test]
    fn other_documents_and_too_many_names_are_refused() {
        let many = format!("<propfind xmlns=\"DAV:\"><prop>{}</prop></propfind>", "<x/>".repeat(257));
        for body in [r#"<lockinfo xmlns="DAV:"/>"#, "<propfind/>", "<propfind", &many] {
            assert!(Wanted::read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
