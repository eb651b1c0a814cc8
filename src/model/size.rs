//! Sizes as people write and read them: `1048576`, `500MB`, `1.5 GiB`, `1g`.

/// The units: what they are called, and how many bytes they are. A letter alone is the power of
/// 1024, as `ls -h`, `dd` and rclone mean it; with `B` behind it, it is the power of 1000.
const UNITS: [(&str, u64); 14] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("kb", 1_000),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
    ("t", 1 << 40),
    ("tib", 1 << 40),
    ("tb", 1_000_000_000_000),
];

/// What a size looks like, for messages.
pub const EXAMPLES: &str = "a size such as 500MB, 1.5 GiB or a number of bytes";

/// Reads a size as bytes: a number and a unit of [`EXAMPLES`]' kind in either case, with or
/// without a space between. Fractions of a byte are cut off. `None` if it is none, or too large.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim_start();
    let (_, bytes) = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name))?;
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if *bytes > 1 && !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (number, "0"),
    };
    let whole: u64 = whole.parse().ok()?;
    let divisor = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = fraction.parse::<u128>().ok()?.checked_mul(u128::from(*bytes))? / divisor;
    whole.checked_mul(*bytes)?.checked_add(u64::try_from(part).ok()?)
}

/// Bytes for people: `1.5 GiB`.
#[must_use]
pub fn shown(bytes: u64) -> String {
    let mut unit = "B";
    let mut tenths = bytes.saturating_mul(10);
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_for_people() {
        let texts = [0, 1023, 1024, 1536, 300 << 20, 5 << 40].map(shown);
        assert_eq!(texts, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "300.0 MiB", "5.0 TiB"]);
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("1048576", 1 << 20),
            ("7 B", 7),
            ("1GiB", 1 << 30),
            ("1 GiB", 1 << 30),
            (" 1gib ", 1 << 30),
            ("1g", 1 << 30),
            ("64K", 64 << 10),
            ("500MB", 500_000_000),
            ("500 mb", 500_000_000),
            ("2TB", 2_000_000_000_000),
            ("1.5 GiB", 3 << 29),
            ("0.1k", 102),
            ("16777215 TiB", 16_777_215 << 40),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        let long = format!("0.{}k", "1".repeat(60));
        for text in [
            "",
            "GiB",
            "-1",
            "+1",
            "1 XB",
            "1.5",
            "1.k",
            ".5k",
            "1.2.3k",
            "1_000",
            "1 G B",
            "1KiBB",
            "16777216 TiB",
            "18446744073709551616",
            "١k",
            &long,
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
