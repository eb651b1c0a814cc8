//! A request's target as the log may show it: on one line, and without what would let a reader of
//! the log in.

use std::fmt::Write as _;

use http::Uri;
use percent_encoding::percent_decode_str;

/// Parts of query names whose values are not written down, in lower case.
const SECRET_NAMES: [&str; 7] =
    ["signature", "credential", "token", "password", "secret", "accesskey", "code"];
/// The longest target that is written down whole.
const LONGEST: usize = 2048;

/// Path and query with control characters escaped and secret values replaced by `***`.
pub(crate) fn shown(target: &Uri) -> String {
    let mut shown = String::new();
    escape(&mut shown, without_share_token(target.path()));
    for (number, pair) in target.query().into_iter().flat_map(|query| query.split('&')).enumerate() {
        shown.push(if number == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) if is_secret(name) => {
                escape(&mut shown, name);
                shown.push_str("=***");
            }
            _ => escape(&mut shown, pair),
        }
    }
    if shown.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| shown.is_char_boundary(*end)).unwrap_or(0);
        shown.truncate(end);
        shown.push_str("...");
    }
    shown
}

fn is_secret(name: &str) -> bool {
    let name = percent_decode_str(name).decode_utf8_lossy();
    SECRET_NAMES.iter().any(|secret| {
        name.as_bytes().windows(secret.len()).any(|part| part.eq_ignore_ascii_case(secret.as_bytes()))
    })
}

/// A share link's token is a key: `/s/<token>` ends before it.
fn without_share_token(path: &str) -> &str {
    let first = path.strip_prefix('/').unwrap_or(path).split('/').next().unwrap_or_default();
    if percent_decode_str(first).decode_utf8_lossy() == "s" {
        path.get(..first.len() + 1).unwrap_or(path)
    } else {
        path
    }
}

/// Writes printable ASCII as it is and everything else as its escape.
pub(crate) fn escape(to: &mut String, text: &str) {
    // Mostly there is nothing to escape.
    let plain = text.bytes().take_while(|byte| *byte == b' ' || byte.is_ascii_graphic()).count();
    let (plain, rest) = text.split_at_checked(plain).unwrap_or(("", text));
    to.push_str(plain);
    for character in rest.chars() {
        if character == ' ' || character.is_ascii_graphic() {
            to.push(character);
        } else {
            // Writing to a String does not fail.
            let _ = write!(to, "{}", character.escape_unicode());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(target: &str) -> String {
        shown(&target.parse().unwrap())
    }

    #[test]
    fn what_lets_in_is_not_shown() {
        assert_eq!(
            line("/b/k?X-Amz-Date=1&X-Amz-Credential=AK%2Fx&X-Amz-Signature=ab&X-Amz-Security-Token=t&a"),
            "/b/k?X-Amz-Date=1&X-Amz-Credential=***&X-Amz-Signature=***&X-Amz-Security-Token=***&a"
        );
        assert_eq!(line("/b/k?x-amz-signatur%65=ab"), "/b/k?x-amz-signatur%65=***");
        assert_eq!(line("/s/abcdef?password=x"), "/s?password=***");
        assert_eq!(line("/%73/abcdef"), "/%73");
        assert_eq!(line("/sx/abcdef"), "/sx/abcdef");
    }

    #[test]
    fn a_line_stays_one_line() {
        let mut text = String::new();
        escape(&mut text, "a\r\nb\u{1b}[31m\u{85}é");
        assert_eq!(text, "a\\u{d}\\u{a}b\\u{1b}[31m\\u{85}\\u{e9}");
        assert_eq!(line("/a%0D%0Ab"), "/a%0D%0Ab");
        assert_eq!(line(&format!("/{}", "a".repeat(3000))).len(), 2051);
    }
}
