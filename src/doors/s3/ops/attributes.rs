//! A client's time of last change, which rclone and others keep in `x-amz-meta-mtime`: read from
//! what it said about content, and shown in it.

use crate::{
    domain::nouns::{Attributes, FileVersion},
    model::time::Timestamp,
};

/// The user metadata that holds the client's time of last change, in seconds since 1970.
const MTIME: &str = "mtime";

/// Seconds of the year 9999's last moment: beyond it no date can be written.
const LAST_SECOND: i64 = 253_402_300_799;

/// The client's time of last change, if it sent one that can be read.
pub(super) fn modified(attributes: &Attributes) -> Option<Timestamp> {
    let (_, text) = attributes.user.iter().find(|(name, _)| name == MTIME)?;
    parse(text)
}

/// User metadata as it is shown: what was sent, with the time of last change as it is now.
pub(super) fn user(version: &FileVersion) -> Vec<(String, String)> {
    let mut user = version.attributes.user.clone();
    let sent = user.iter_mut().find(|(name, _)| name == MTIME);
    let differs = version.modified != version.committed;
    match sent {
        // As it was sent: it may be more exact than what is kept beside it.
        Some((_, text)) if !differs || parse(text) == Some(version.modified) => {}
        Some((_, text)) => *text = written(version.modified),
        None if differs => user.push((MTIME.to_owned(), written(version.modified))),
        None => {}
    }
    user
}

/// Reads seconds with or without a fraction.
fn parse(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    if unsigned.is_empty() || !digits(unsigned) || !digits(fraction) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    if seconds.abs() > LAST_SECOND {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let millis = if whole.starts_with('-') { -millis } else { millis };
    Some(Timestamp(seconds * 1000 + millis))
}

fn written(at: Timestamp) -> String {
    let (sign, millis) = (if at.0 < 0 { "-" } else { "" }, at.0.unsigned_abs());
    match millis % 1000 {
        0 => format!("{sign}{}", millis / 1000),
        fraction => format!("{sign}{}.{fraction:03}", millis / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_millisecond_and_written_as_they_are_read() {
        for (text, millis, back) in [
            ("1700000000", 1_700_000_000_000, "1700000000"),
            ("1700000000.123456789", 1_700_000_000_123, "1700000000.123"),
            ("1700000000.5", 1_700_000_000_500, "1700000000.500"),
            ("0", 0, "0"),
            ("-1.25", -1250, "-1.250"),
            ("-0.25", -250, "-0.250"),
        ] {
            assert_eq!(parse(text), Some(Timestamp(millis)), "{text}");
            assert_eq!(written(Timestamp(millis)), back);
        }
        for text in ["", "-", "yesterday", "1e9", "0x1", "99999999999999", "1.2.3", "+1", ".5"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
