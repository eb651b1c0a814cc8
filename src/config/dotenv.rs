//! Reads `.env`: lines `NAME=value`, `#` comments, quotes around values. Nothing is expanded, and
//! only names that begin with `HOLDALL_` are ours.

/// The `HOLDALL_` variables of a file; the error is the number of a line that is none.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, usize> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        if !line.starts_with("HOLDALL_") {
            continue;
        }
        let (name, value) = line.split_once('=').ok_or(number + 1)?;
        found.push((name.trim().to_owned(), unquoted(value.trim()).ok_or(number + 1)?.to_owned()));
    }
    Ok(found)
}

/// The value inside its quotes, or without the comment behind it.
fn unquoted(value: &str) -> Option<&str> {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote) {
            let (inside, behind) = inner.split_once(quote)?;
            let behind = behind.trim_start();
            return (behind.is_empty() || behind.starts_with('#')).then_some(inside);
        }
    }
    Some(value.split_once(" #").map_or(value, |(value, _)| value.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_be_quoted_and_commented() {
        let text = "# a comment\nHOLDALL_DATA=/srv/data # where\n\nexport HOLDALL_ADMIN_PASSWORD='a # b'\n\
                    HOLDALL_S3_REGION = \"eu\" # c\nOTHER=x\nhalf a line\n";
        let found = parse(text).unwrap();
        let shown: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            shown,
            [("HOLDALL_DATA", "/srv/data"), ("HOLDALL_ADMIN_PASSWORD", "a # b"), ("HOLDALL_S3_REGION", "eu"),]
        );
    }

    #[test]
    fn a_broken_line_of_ours_is_told_by_number() {
        assert_eq!(parse("A=b\nHOLDALL_DATA\n"), Err(2));
        assert_eq!(parse("HOLDALL_DATA=\"x\n"), Err(1));
    }
}
