//! Points in time as milliseconds since 1970, and the texts the doors write them as.

use jiff::{Timestamp as Instant, tz::TimeZone};

/// The first moment of the year 1.
const FIRST_MS: i64 = -62_135_596_800_000;

/// Milliseconds since 1970-01-01T00:00:00Z. S3 shows milliseconds, HTTP dates whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The same point with the milliseconds cut off, for comparisons with HTTP dates.
    #[must_use]
    pub fn whole_seconds(self) -> Self {
        Self(self.0.div_euclid(1000) * 1000)
    }

    /// Seconds since 1970, rounded down.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// RFC 9110 IMF-fixdate, as in `Last-Modified`.
    #[must_use]
    pub fn http_date(self) -> String {
        self.instant().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// RFC 3339 with milliseconds, as S3 lists and answers JSON.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.instant().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
    }

    /// RFC 3339 in whole seconds, as in WebDAV's `creationdate`.
    #[must_use]
    pub fn rfc3339_seconds(self) -> String {
        self.instant().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// Reads any of the three date forms HTTP allows; `None` for anything else.
    #[must_use]
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let text = text.trim();
        let civil = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
            .iter()
            .find_map(|form| jiff::civil::DateTime::strptime(form, text).ok())?;
        let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_millisecond()))
    }

    /// Reads an RFC 3339 time with its offset; `None` for anything else.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        text.parse::<Instant>().ok().map(|at| Self(at.as_millisecond()))
    }

    /// Reads seconds since 1970, with or without a fraction, as clients tell times of last change;
    /// `None` for anything else, and for times that dates cannot show: before the year 1, or in the
    /// last hours of 9999, whose day depends on the zone.
    #[must_use]
    pub fn parse_unix(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole.strip_prefix('-').unwrap_or(whole)) || !digits(fraction) {
            return None;
        }
        let seconds: i64 = whole.parse().ok()?;
        let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
        let millis = if whole.starts_with('-') { -millis } else { millis };
        let at = seconds.checked_mul(1000)?.checked_add(millis)?;
        (FIRST_MS..=Instant::MAX.as_second() * 1000).contains(&at).then_some(Self(at))
    }

    fn instant(self) -> Instant {
        // Out-of-range values can only come from a damaged row.
        Instant::from_millisecond(self.0).unwrap_or(Instant::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_an_http_date_name_the_same_second() {
        let at = Timestamp(784_111_777_000);
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(Timestamp::parse_http_date(text), Some(at), "{text}");
        }
        assert_eq!(at.http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(Timestamp(at.0 + 5).rfc3339(), "1994-11-06T08:49:37.005Z");
        assert_eq!(Timestamp::parse_http_date("yesterday"), None);
    }

    #[test]
    fn an_rfc3339_time_is_read_back_as_written() {
        let at = Timestamp(784_111_777_005);
        assert_eq!(Timestamp::parse_rfc3339(&at.rfc3339()), Some(at));
        assert_eq!(Timestamp::parse_rfc3339("1994-11-06T10:49:37.005+02:00"), Some(at));
        assert_eq!(Timestamp::parse_rfc3339("1994-11-06"), None);
    }

    #[test]
    fn unix_times_are_read_to_the_millisecond_if_a_date_can_show_them() {
        for (text, millis) in [
            ("1700000000", 1_700_000_000_000),
            ("1700000000.123456789", 1_700_000_000_123),
            ("1700000000.5", 1_700_000_000_500),
            ("0", 0),
            ("-1.25", -1250),
            ("-0.25", -250),
            ("-62135596800", FIRST_MS),
            ("253402207200", 253_402_207_200_000),
        ] {
            let at = Timestamp::parse_unix(text);
            assert_eq!(at, Some(Timestamp(millis)), "{text}");
            assert_eq!(at.and_then(|at| Timestamp::parse_rfc3339(&at.rfc3339())), at, "it can be shown");
        }
        for text in ["", "-", "yesterday", "1e9", "0x1", "1.2.3", "+1", ".5", "1.", "99999999999999"] {
            assert_eq!(Timestamp::parse_unix(text), None, "{text}");
        }
        for text in
            ["-62135596800.001", "-62135596801", "253402207200.001", "253402300799", "9223372036854775807"]
        {
            assert_eq!(Timestamp::parse_unix(text), None, "{text}");
        }
    }

    #[test]
    fn whole_seconds_round_down_before_1970_too() {
        assert_eq!(Timestamp(-1).whole_seconds(), Timestamp(-1000));
    }
}
