//! `If-*` headers as values of the model, read in one way by every door that has them. What cannot
//! be understood is refused rather than guessed, for whoever sends a condition counts on it.

use http::{HeaderMap, HeaderName, header};

use crate::model::{
    condition::{Conditions, EtagList},
    time::Timestamp,
};

/// The headers one set of conditions is in: match, none match, modified and unmodified since.
pub type ConditionNames = [HeaderName; 4];

/// The names of HTTP.
pub const IF: ConditionNames =
    [header::IF_MATCH, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE];

/// The name of a header that is not text, or occurs twice where it is no list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unreadable(pub String);

impl Unreadable {
    fn new(name: &str) -> Self {
        Self(name.to_owned())
    }
}

/// Reads the conditions under these names. Dates that are none are as if absent, as HTTP wants it.
///
/// # Errors
/// The first header that cannot be understood.
pub fn conditions(headers: &HeaderMap, names: &ConditionNames) -> Result<Conditions, Unreadable> {
    let [if_match, if_none_match, if_modified_since, if_unmodified_since] = names;
    Ok(Conditions {
        if_match: list(headers, if_match)?,
        if_none_match: list(headers, if_none_match)?,
        if_modified_since: date(headers, if_modified_since)?,
        if_unmodified_since: date(headers, if_unmodified_since)?,
    })
}

/// The values of a header, each of which must be text.
fn texts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Vec<&'a str>, Unreadable> {
    let text = |value: &'a http::HeaderValue| value.to_str().map_err(|_| Unreadable::new(name.as_str()));
    headers.get_all(name).iter().map(text).collect()
}

/// Several lines of a list are one list.
fn list(headers: &HeaderMap, name: &HeaderName) -> Result<Option<EtagList>, Unreadable> {
    let lines = texts(headers, name)?;
    Ok((!lines.is_empty()).then(|| EtagList::parse(&lines.join(","))))
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Timestamp>, Unreadable> {
    Ok(only(headers, name.as_str())?.and_then(Timestamp::parse_http_date))
}

/// A header that occurs once at most, as text without white space around it.
///
/// # Errors
/// If it is not text or occurs twice.
pub fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Unreadable> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(|value| value.to_str()), values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) => Ok(Some(text.trim())),
        (Some(_), _) => Err(Unreadable::new(name)),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn read(pairs: &[(HeaderName, &str)]) -> Result<Conditions, Unreadable> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        conditions(&headers, &IF)
    }

    #[test]
    fn several_lines_of_a_list_are_one_list() {
        let found = read(&[(header::IF_NONE_MATCH, "\"a\""), (header::IF_NONE_MATCH, "b")]).unwrap();
        assert_eq!(found.if_none_match, Some(EtagList::parse("\"a\",b")));
        assert_eq!(read(&[]), Ok(Conditions::default()));
    }

    #[test]
    fn a_list_without_a_tag_matches_nothing_and_is_not_absent() {
        let found = read(&[(header::IF_MATCH, "")]).unwrap();
        assert_eq!(found.if_match, Some(EtagList::Tags(Vec::new())));
    }

    #[test]
    fn dates_that_are_none_are_absent_and_two_are_refused() {
        let since = header::IF_MODIFIED_SINCE;
        let found = read(&[(since.clone(), DATE)]).unwrap().if_modified_since;
        assert_eq!(found.map(|at| at.http_date()).as_deref(), Some(DATE));
        assert_eq!(read(&[(since.clone(), "yesterday")]), Ok(Conditions::default()));
        assert_eq!(
            read(&[(since.clone(), DATE), (since.clone(), DATE)]),
            Err(Unreadable::new(since.as_str()))
        );
    }

    #[test]
    fn what_is_not_text_is_refused() {
        assert_eq!(read(&[(header::IF_MATCH, "\"\u{e9}\"")]), Err(Unreadable::new("if-match")));
    }
}
