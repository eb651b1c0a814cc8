//! The kinds of settings and how each is read from a text. A text says the same in `config.toml`,
//! in the environment and behind a flag.

use std::{
    net::{Ipv6Addr, SocketAddr},
    time::Duration,
};

use crate::model::size;

/// What a setting may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number between these.
    Number { least: u64, most: u64 },
    /// Bytes, such as `64 MiB`, this many at least; `auto` leaves it to the disk.
    Size { auto: bool, least: u64 },
    /// A time, such as `24h`.
    Duration,
    /// An IP address and port.
    Address,
    /// Host names separated by commas.
    Hosts,
    /// Origins of web pages separated by commas, or `*`.
    Origins,
    /// One of these.
    Choice(&'static [&'static str]),
}

/// A setting as read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    /// Empty: not set.
    Unset,
    Text(String),
    Flag(bool),
    Number(u64),
    Duration(Duration),
    Address(SocketAddr),
    List(Vec<String>),
}

impl Kind {
    /// Reads a text; the error says what it should be.
    pub(super) fn read(self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let optional = matches!(self, Self::Text | Self::Address | Self::Hosts | Self::Origins);
        if text.is_empty() && optional {
            return Ok(Value::Unset);
        }
        let value = match self {
            Self::Text => Some(Value::Text(text.to_owned())),
            Self::Flag => text.parse().ok().map(Value::Flag),
            Self::Number { least, most } => {
                text.parse().ok().filter(|n| (least..=most).contains(n)).map(Value::Number)
            }
            Self::Size { auto: true, .. } if text == "auto" => Some(Value::Unset),
            Self::Size { least, .. } => size::parse(text).filter(|bytes| *bytes >= least).map(Value::Number),
            Self::Duration => duration(text).map(Value::Duration),
            Self::Address => text.parse().ok().map(Value::Address),
            Self::Hosts => {
                Some(list(text)).filter(|names| names.iter().all(|name| is_host(name))).map(Value::List)
            }
            Self::Origins => {
                Some(list(text)).filter(|origins| origins.iter().all(|one| is_origin(one))).map(Value::List)
            }
            Self::Choice(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
        };
        value.ok_or_else(|| self.wanted())
    }

    /// What a text of this kind looks like.
    fn wanted(self) -> String {
        match self {
            Self::Text => "a text".into(),
            Self::Flag => "true or false".into(),
            Self::Number { least, most } => format!("a whole number from {least} to {most}"),
            Self::Size { auto, least } => {
                let least =
                    if least > 0 { format!(", {} at least", size::shown(least)) } else { String::new() };
                format!("{}{least}{}", size::EXAMPLES, if auto { ", or auto" } else { "" })
            }
            Self::Duration => "a time such as 30s, 15m or 24h".into(),
            Self::Address => {
                "an IP address and port such as 127.0.0.1:7070 (0.0.0.0 or [::] for all networks)".into()
            }
            Self::Hosts => "host names such as s3.example.org, without ports, separated by commas".into(),
            Self::Origins => "origins as browsers write them, such as https://app.example.org or \
                              http://localhost:3000, separated by commas, or *"
                .into(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
        }
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// A name of a host, or the digits of its IPv4 address. Some have `_`, whatever the standard says.
fn is_host(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.strip_suffix('.').unwrap_or(name).split('.').all(label)
}

/// `*`, or an origin as browsers write it: they are compared byte by byte.
fn is_origin(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let Some((scheme, place)) = text.split_once("://") else { return false };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    };
    let named = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address),
        None => is_host(host),
    };
    let usual = match scheme {
        "http" => "80",
        "https" => "443",
        _ => "",
    };
    let written = |port: &str| port.parse::<u16>().is_ok_and(|number| number.to_string() == port);
    scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && !text.bytes().any(|byte| byte.is_ascii_uppercase())
        && named
        && port.is_none_or(|port| written(port) && port != usual)
}

/// A number and a unit.
fn quantity(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

/// A time above zero: a whole number of `ms`, `s`, `m`, `h` or `d`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = quantity(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).filter(|time| *time > 0).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        let size = Kind::Size { auto: false, least: 0 };
        assert_eq!(size.read("64 MiB"), Ok(Value::Number(64 << 20)));
        assert_eq!(size.read("64MB"), Ok(Value::Number(64_000_000)));
        assert!(size.read("auto").is_err());
        assert_eq!(Kind::Size { auto: true, least: 0 }.read("auto"), Ok(Value::Unset));
        assert_eq!(Kind::Duration.read("24h"), Ok(Value::Duration(Duration::from_secs(86_400))));
        for bad in ["", "MiB", "1 XB", "-1", "18446744073709551615 TiB"] {
            assert!(size.read(bad).is_err(), "{bad}");
        }
        for bad in ["", "24", "0s", "h", "1 week"] {
            assert!(Kind::Duration.read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_value_of_a_kind_is_refused_with_what_would_be() {
        assert_eq!(Kind::Flag.read("yes").unwrap_err(), "true or false");
        assert_eq!(Kind::Number { least: 1, most: 9 }.read("10").unwrap_err(), "a whole number from 1 to 9");
        assert_eq!(Kind::Choice(&["a", "b"]).read("c").unwrap_err(), "one of a, b");
        let budget = Kind::Size { auto: false, least: 32 << 20 };
        assert_eq!(budget.read("32 MiB"), Ok(Value::Number(32 << 20)));
        assert!(budget.read("33554431").unwrap_err().ends_with(", 32.0 MiB at least"));
        assert!(Kind::Address.read("localhost:7070").unwrap_err().contains("127.0.0.1:7070"));
        let names = vec!["s3.example.org".into(), "localhost".into(), "s3_store.".into()];
        assert_eq!(Kind::Hosts.read("s3.example.org, localhost,s3_store."), Ok(Value::List(names)));
        for bad in ["a b", "s3:7070", "http://s3", "a..b", "-a", "a-", ".", "s3/", "é", &"a".repeat(64)] {
            assert!(Kind::Hosts.read(bad).unwrap_err().contains("without ports"), "{bad}");
        }
    }

    #[test]
    fn origins_are_those_that_browsers_send() {
        let fine = [
            "*",
            "https://app.example.org",
            "http://localhost:3000",
            "http://[::1]:8080",
            "app://obsidian.md",
        ];
        let read = Kind::Origins.read(&fine.join(" , "));
        assert_eq!(read, Ok(Value::List(fine.map(str::to_owned).to_vec())));
        for bad in [
            "app.example.org",
            "https://app.example.org/",
            "https://App.example.org",
            "https://app.example.org:443",
            "http://a:080",
            "http://a:",
            "https://",
            "https://*.example.org",
            "http://[::1",
            "http://[0::1]",
            "null",
            "https://a,b",
        ] {
            assert!(Kind::Origins.read(bad).is_err(), "{bad}");
        }
    }
}
