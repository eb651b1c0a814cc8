//! A client's time of last change, which rclone and others keep in `x-amz-meta-mtime`: read from
//! what it said about content, and shown in it.

use crate::{
    domain::nouns::{Attributes, FileVersion},
    model::time::Timestamp,
};

/// The user metadata that holds the client's time of last change, in seconds since 1970.
const MTIME: &str = "mtime";

/// The client's time of last change, if it sent one that can be read.
pub(super) fn modified(attributes: &Attributes) -> Option<Timestamp> {
    let (_, text) = attributes.user.iter().find(|(name, _)| name == MTIME)?;
    Timestamp::parse_unix(text)
}

/// User metadata as it is shown: what was sent, with the time of last change as it is now.
pub(super) fn user(version: &FileVersion) -> Vec<(String, String)> {
    let mut user = version.attributes.user.clone();
    let sent = user.iter_mut().find(|(name, _)| name == MTIME);
    let differs = version.modified != version.committed;
    match sent {
        // As it was sent: it may be more exact than what is kept beside it.
        Some((_, text)) if !differs || Timestamp::parse_unix(text) == Some(version.modified) => {}
        Some((_, text)) => *text = written(version.modified),
        None if differs => user.push((MTIME.to_owned(), written(version.modified))),
        None => {}
    }
    user
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
    fn times_are_written_as_they_are_read() {
        for text in ["1700000000", "1700000000.123", "1700000000.500", "0", "-1.250", "-0.250"] {
            assert_eq!(Timestamp::parse_unix(text).map(written).as_deref(), Some(text));
        }
    }
}
