//! What all listings have in common: how many entries, in which encoding, and grouped how.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use s3s::dto::{CommonPrefix, EncodingType};

use super::super::{code::Code, error::Refusal, query::encode_path};
use crate::model::limits::LIST_PAGE;

/// How a listing is to be written.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// At most this many entries.
    pub(super) limit: usize,
    url: bool,
    /// What groups keys, if anything does.
    pub(super) delimiter: Option<String>,
}

impl Page {
    /// Reads what the request says; `name` is what it calls the number of entries.
    pub(super) fn read(
        limit: Option<i32>,
        name: &str,
        encoding: Option<&EncodingType>,
        delimiter: Option<String>,
    ) -> Result<Self, Refusal> {
        let url = match encoding.map(EncodingType::as_str) {
            None => false,
            Some(EncodingType::URL) => true,
            Some(_) => {
                return Err(Refusal::say(
                    Code::InvalidArgument,
                    "Invalid Encoding Method specified in Request",
                ));
            }
        };
        let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
        Ok(Self { limit: limited(limit, name)?, url, delimiter })
    }

    /// A key as the listing writes it.
    pub(super) fn text(&self, text: &str) -> String {
        if self.url { encode_path(text) } else { text.to_owned() }
    }

    /// The number of entries for the answer.
    pub(super) fn most(&self) -> Option<i32> {
        i32::try_from(self.limit).ok()
    }

    /// The delimiter for the answer.
    pub(super) fn shown_delimiter(&self) -> Option<String> {
        self.delimiter.as_deref().map(|delimiter| self.text(delimiter))
    }

    /// The encoding for the answer.
    pub(super) fn encoding(&self) -> Option<EncodingType> {
        self.url.then(|| EncodingType::from_static(EncodingType::URL))
    }

    /// A group for the answer.
    pub(super) fn group(&self, prefix: &str) -> CommonPrefix {
        CommonPrefix { prefix: Some(self.text(prefix)) }
    }
}

/// Reads a number of entries: too many are clamped, fewer than none refused.
pub(super) fn limited(limit: Option<i32>, name: &str) -> Result<usize, Refusal> {
    let Some(limit) = limit else { return Ok(LIST_PAGE) };
    let limit = usize::try_from(limit).map_err(|_| {
        Refusal::say(
            Code::InvalidArgument,
            format!("Argument {name} must be an integer between 0 and 2147483647"),
        )
    })?;
    Ok(limit.min(LIST_PAGE))
}

/// A marker that says something.
pub(super) fn marker(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Where the next page goes on, in a form clients do not take apart.
pub(super) fn token(next: &str) -> String {
    URL_SAFE_NO_PAD.encode(next)
}

/// Reads a token back; an empty one says nothing.
pub(super) fn read_token(token: Option<&str>) -> Result<Option<String>, Refusal> {
    let bad = || Refusal::say(Code::InvalidArgument, "The continuation token provided is incorrect");
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad())?;
    String::from_utf8(bytes).map(Some).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_entries_are_clamped_and_never_negative() {
        let limit = |limit| limited(limit, "max-keys").map_err(|refusal| refusal.code);
        assert_eq!(limit(None), Ok(1000));
        assert_eq!(limit(Some(0)), Ok(0));
        assert_eq!(limit(Some(7)), Ok(7));
        assert_eq!(limit(Some(5000)), Ok(1000));
        assert_eq!(limit(Some(-1)), Err(Code::InvalidArgument));
    }

    #[test]
    fn tokens_read_back_and_others_are_refused() {
        assert_eq!(read_token(Some(&token("a/é?"))).unwrap().as_deref(), Some("a/é?"));
        assert_eq!(read_token(Some("")).unwrap(), None);
        assert!(read_token(Some("a b")).is_err() && read_token(Some("_w")).is_err());
    }

    #[test]
    fn url_encoding_leaves_slashes_and_is_the_only_one() {
        let url = EncodingType::from_static(EncodingType::URL);
        let page = Page::read(None, "max-keys", Some(&url), Some(" ".into())).unwrap();
        assert_eq!(page.text("a b/+%é"), "a%20b/%2B%25%C3%A9");
        assert_eq!(page.shown_delimiter().as_deref(), Some("%20"));
        let plain = Page::read(None, "max-keys", None, Some(String::new())).unwrap();
        assert_eq!((plain.text("a b"), plain.delimiter), ("a b".into(), None));
        let other = EncodingType::from("base64".to_owned());
        assert!(Page::read(None, "max-keys", Some(&other), None).is_err());
    }
}
