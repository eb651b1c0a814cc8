//! Names of accounts and buckets: one rule, so that every account can have its bucket.

use std::fmt;

/// First path segments that belong to the server itself, so neither buckets nor accounts.
pub const RESERVED: [&str; 15] = [
    "s",
    ".well-known",
    "dav",
    "api",
    "apidocs",
    "upload",
    "download",
    "login",
    "remote.php",
    "status.php",
    "public.php",
    "index.php",
    "ocs",
    "favicon.ico",
    "robots.txt",
];

/// Why a name is not one; the text tells the person what to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadName {
    /// Not 3 to 63 bytes long.
    #[error("must have 3 to 63 characters")]
    Length,
    /// A character that is not allowed, or at a place where it is not.
    #[error(
        "may have lower-case letters, digits, '-' and '.' only, and starts and ends with a letter or digit"
    )]
    Characters,
    /// Looks like an IP address, or has two dots in a row, or a prefix S3 keeps for itself.
    #[error("must not look like an IP address, hold '..', or start with 'xn--' or 'sthree-'")]
    Form,
    /// One of [`RESERVED`].
    #[error("is reserved for Holdall's own addresses")]
    Reserved,
}

fn check(text: &str) -> Result<(), BadName> {
    let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if RESERVED.contains(&text) {
        return Err(BadName::Reserved);
    }
    if !(3..=63).contains(&text.len()) {
        return Err(BadName::Length);
    }
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if !text.bytes().all(allowed) || !ends_well(text.chars().next()) || !ends_well(text.chars().last()) {
        return Err(BadName::Characters);
    }
    let reserved_form = text.starts_with("xn--") || text.starts_with("sthree-") || text.ends_with("-s3alias");
    if text.contains("..") || reserved_form || text.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err(BadName::Form);
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(String);

        impl $name {
            /// Checks the rule and takes the name.
            ///
            /// # Errors
            /// [`BadName`] says which part of the rule is broken.
            pub fn parse(text: &str) -> Result<Self, BadName> {
                check(text).map(|()| Self(text.to_owned()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a bucket: 3 to 63 lower-case letters, digits, `-` and `.`, as S3 has it.
    BucketName
);
name!(
    /// The name of an account; follows the rule of [`BucketName`].
    AccountName
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_bucket_rule_of_s3() {
        for good in ["abc", "a-b.c", "0photos", &"a".repeat(63)] {
            assert!(BucketName::parse(good).is_ok(), "{good}");
        }
        let cases = [
            ("ab", BadName::Length),
            (&"a".repeat(64), BadName::Length),
            ("Abc", BadName::Characters),
            ("a_b", BadName::Characters),
            ("-ab", BadName::Characters),
            ("ab.", BadName::Characters),
            ("été", BadName::Characters),
            ("a..b", BadName::Form),
            ("10.0.0.1", BadName::Form),
            ("xn--abc", BadName::Form),
        ];
        for (text, why) in cases {
            assert_eq!(BucketName::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn addresses_of_the_server_are_no_names() {
        for text in RESERVED {
            assert_eq!(BucketName::parse(text), Err(BadName::Reserved), "{text}");
            assert_eq!(AccountName::parse(text), Err(BadName::Reserved), "{text}");
        }
    }
}
