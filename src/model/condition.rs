//! `If-*` headers, parsed once for every door and decided only against the version at hand
//! (RFC 9110 §13; the order of precedence is §13.2.2).

use super::{etag::Etag, time::Timestamp};

/// The tags of one `If-Match` or `If-None-Match`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EtagList {
    /// `*`: any version at all.
    Any,
    /// Any of these. Weak tags are kept: they count for `If-None-Match` only.
    Tags(Vec<ListedTag>),
}

/// One tag of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListedTag {
    /// The tag.
    pub tag: Etag,
    /// Written as `W/"…"`.
    pub weak: bool,
}

impl EtagList {
    /// Reads a header: `*`, also where it is repeated, or tags with or without quotes, separated by
    /// commas.
    #[must_use]
    pub fn parse(header: &str) -> Self {
        let mut members = header.split(',').map(str::trim).filter(|text| !text.is_empty()).peekable();
        if members.peek().is_some() && members.all(|text| text == "*") {
            return Self::Any;
        }
        let listed = |text: &str| {
            let text = text.trim();
            let (weak, text) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
            (!text.is_empty()).then(|| ListedTag { tag: Etag::from_text(text), weak })
        };
        Self::Tags(header.split(',').filter_map(listed).collect())
    }

    fn matches(&self, current: &Etag, weak_counts: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|t| t.tag == *current && (weak_counts || !t.weak)),
        }
    }

    /// Whether `*` is in it, though it has no place beside tags. What is written only if nothing is
    /// there must not take the place of anything because of what stands beside it.
    #[must_use]
    pub fn names_any(&self) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.iter().any(|t| t.tag.as_str() == "*"),
        }
    }
}

/// What a request demands of the version it finds. Empty demands nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Conditions {
    /// `If-Match`.
    pub if_match: Option<EtagList>,
    /// `If-None-Match`.
    pub if_none_match: Option<EtagList>,
    /// `If-Modified-Since`; reads only.
    pub if_modified_since: Option<Timestamp>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<Timestamp>,
}

/// What the conditions are held against.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The version's tag.
    pub etag: &'a Etag,
    /// The later of its commit time and client time: dates a client sets may go backwards.
    pub modified: Timestamp,
}

/// The outcome.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Go on.
    Proceed,
    /// A read may answer 304.
    NotModified,
    /// 412.
    Failed,
    /// `If-Match` on something that is not there: S3 answers 404, WebDAV 412.
    Missing,
}

impl Conditions {
    /// True if nothing is demanded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Decides for GET and HEAD of a version that exists.
    #[must_use]
    pub fn for_read(&self, found: Found<'_>) -> Verdict {
        if let Some(list) = &self.if_match {
            if !list.matches(found.etag, false) {
                return Verdict::Failed;
            }
        } else if self.if_unmodified_since.is_some_and(|at| found.modified.whole_seconds() > at) {
            return Verdict::Failed;
        }
        if let Some(list) = &self.if_none_match {
            if list.matches(found.etag, true) {
                return Verdict::NotModified;
            }
        } else if self.if_modified_since.is_some_and(|at| found.modified.whole_seconds() <= at) {
            return Verdict::NotModified;
        }
        Verdict::Proceed
    }

    /// Decides for a write; `None` when there is no version, or a delete marker.
    #[must_use]
    pub fn for_write(&self, found: Option<Found<'_>>) -> Verdict {
        let Some(found) = found else {
            return if self.if_match.is_some() { Verdict::Missing } else { Verdict::Proceed };
        };
        let stale = match &self.if_match {
            Some(list) => !list.matches(found.etag, false),
            None => self.if_unmodified_since.is_some_and(|at| found.modified.whole_seconds() > at),
        };
        let unwanted = |list: &EtagList| list.matches(found.etag, true) || list.names_any();
        if stale || self.if_none_match.as_ref().is_some_and(unwanted) {
            return Verdict::Failed;
        }
        Verdict::Proceed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(if_match: Option<&str>, if_none_match: Option<&str>) -> Conditions {
        Conditions {
            if_match: if_match.map(EtagList::parse),
            if_none_match: if_none_match.map(EtagList::parse),
            ..Conditions::default()
        }
    }

    #[test]
    fn lists_quotes_stars_and_weak_tags_are_understood() {
        let etag = Etag::from_text("\"abc\"");
        let found = Found { etag: &etag, modified: Timestamp(10_500) };
        for (header, strong, weak) in [
            ("\"abc\"", true, true),
            ("abc", true, true),
            ("\"x\", \"abc\"", true, true),
            ("*", true, true),
            ("W/\"abc\"", false, true),
            ("JoplinIgnore-1", false, false),
        ] {
            let write = with(Some(header), None).for_write(Some(found));
            assert_eq!(write == Verdict::Proceed, strong, "{header}");
            let read = with(None, Some(header)).for_read(found);
            assert_eq!(read == Verdict::NotModified, weak, "{header}");
        }
    }

    #[test]
    fn a_true_if_match_beats_a_failing_if_unmodified_since() {
        let etag = Etag::from_text("abc");
        let found = Found { etag: &etag, modified: Timestamp(10_500) };
        let mut conditions = with(Some("abc"), None);
        conditions.if_unmodified_since = Some(Timestamp(0));
        assert_eq!(conditions.for_read(found), Verdict::Proceed);
        conditions.if_match = None;
        assert_eq!(conditions.for_read(found), Verdict::Failed);
        conditions.if_unmodified_since = Some(Timestamp(10_000));
        assert_eq!(conditions.for_read(found), Verdict::Proceed, "dates have whole seconds");
    }

    #[test]
    fn creating_only_if_absent_and_replacing_only_what_is_there() {
        let etag = Etag::from_text("abc");
        let found = Found { etag: &etag, modified: Timestamp(0) };
        assert_eq!(with(None, Some("*")).for_write(None), Verdict::Proceed);
        assert_eq!(with(None, Some("*")).for_write(Some(found)), Verdict::Failed);
        assert_eq!(with(Some("abc"), None).for_write(None), Verdict::Missing);
        assert_eq!(with(Some("*"), None).for_write(Some(found)), Verdict::Proceed);
    }

    #[test]
    fn a_star_that_does_not_stand_alone_lets_nothing_be_replaced() {
        let etag = Etag::from_text("abc");
        let found = Found { etag: &etag, modified: Timestamp(0) };
        for header in ["*,*", " * , *", "*,", "\"x\", *", "*, x"] {
            assert_eq!(with(None, Some(header)).for_write(Some(found)), Verdict::Failed, "{header}");
            assert_eq!(with(None, Some(header)).for_write(None), Verdict::Proceed, "{header}");
        }
        assert_eq!(EtagList::parse("*,*"), EtagList::Any);
        assert_eq!(with(Some("x, *"), None).for_write(Some(found)), Verdict::Failed);
        for header in ["", ",", " , "] {
            assert_eq!(EtagList::parse(header), EtagList::Tags(Vec::new()), "{header}");
        }
    }
}
