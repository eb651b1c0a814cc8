//! Every setting there is, on one page: its name, its kind and its default. `config.toml` in the
//! repository tells people the same; a test compares the two.

use super::value::Kind;
use crate::model::limits::REQUEST_MEMORY_BYTES;

/// One setting.
#[derive(Debug)]
pub(super) struct Key {
    /// Dotted, as in `config.toml`; `HOLDALL_` and capitals in the environment.
    pub(super) name: &'static str,
    /// What it may be.
    pub(super) kind: Kind,
    /// As it would stand in the environment; empty is "not set".
    pub(super) default: &'static str,
    /// Whether it is never shown.
    pub(super) secret: bool,
}

const fn key(name: &'static str, kind: Kind, default: &'static str) -> Key {
    Key { name, kind, default, secret: false }
}

const fn secret(name: &'static str) -> Key {
    Key { name, kind: Kind::Text, default: "", secret: true }
}

/// All settings, in the order they are shown in.
pub(super) const KEYS: [Key; 31] = [
    key("data", Kind::Text, "./holdall-data"),
    key("listen", Kind::Address, "127.0.0.1:7070"),
    key("behind_proxy", Kind::Flag, "false"),
    key("dedup", Kind::Choice(&["account", "store"]), "account"),
    key("tls.cert", Kind::Text, ""),
    key("tls.key", Kind::Text, ""),
    key("log.level", Kind::Text, "info"),
    key("log.format", Kind::Choice(&["auto", "text", "json"]), "auto"),
    key("s3.listen", Kind::Address, ""),
    key("s3.hosts", Kind::Hosts, ""),
    key("s3.region", Kind::Text, "us-east-1"),
    key("s3.lifecycle_day", Kind::Duration, "24h"),
    key("dav.listen", Kind::Address, ""),
    key("http.cors_origins", Kind::Origins, ""),
    key("http.public_metrics", Kind::Flag, "false"),
    key("limits.connections", Kind::Number { least: 1, most: 1_000_000 }, "1024"),
    key("limits.idle_seconds", Kind::Number { least: 1, most: 86_400 }, "60"),
    key("limits.body_min_rate", Kind::Size { auto: false, least: 0 }, "1 KiB"),
    key("limits.memory", Kind::Size { auto: false, least: REQUEST_MEMORY_BYTES }, "256 MiB"),
    key("limits.drain_seconds", Kind::Number { least: 0, most: 3_600 }, "30"),
    key("disk.reserve", Kind::Size { auto: true, least: 0 }, "auto"),
    key("disk.full_below", Kind::Size { auto: true, least: 0 }, "auto"),
    key("disk.compact_rate", Kind::Size { auto: false, least: 0 }, "32 MiB"),
    key("disk.snapshot_every", Kind::Duration, "6h"),
    key("disk.scrub_days", Kind::Number { least: 0, most: 3_650 }, "30"),
    key("disk.scrub_rate", Kind::Size { auto: false, least: 1 }, "50 MB"),
    key("cache.metadata", Kind::Size { auto: false, least: 0 }, "32 MiB"),
    key("admin.user", Kind::Text, "admin"),
    secret("admin.password"),
    key("admin.access_key", Kind::Text, ""),
    secret("admin.secret_key"),
];

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

impl Key {
    /// Its name in the environment.
    pub(super) fn variable(&self) -> String {
        format!("HOLDALL_{}", self.name.replace('.', "_").to_uppercase())
    }
}

/// The known text nearest to one that is not known, if it is near enough to be meant.
pub(super) fn nearest(text: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let (distance, name) = known.map(|name| (distance(text, &name), name)).min()?;
    (distance <= 3 || name.ends_with(text)).then_some(name)
}

/// Letters to change, add or leave out to get from one text to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((other, above), aside) in b.iter().zip(row.iter()).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((above + usize::from(letter != *other)).min(aside + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_fewer_than_forty_settings_and_each_default_is_one() {
        assert!(KEYS.len() < 40);
        for key in &KEYS {
            assert!(key.kind.read(key.default).is_ok(), "{}", key.name);
        }
    }

    #[test]
    fn a_slip_of_the_keyboard_finds_its_setting() {
        let names = || KEYS.iter().map(|key| key.name.to_owned());
        assert_eq!(nearest("s3.regoin", names()).as_deref(), Some("s3.region"));
        assert_eq!(nearest("region", names()).as_deref(), Some("s3.region"));
        assert_eq!(nearest("something.else.entirely", names()), None);
    }
}
