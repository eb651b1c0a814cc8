//! Points in time as milliseconds since 1970, and the texts the doors write them as.

use jiff::{Timestamp as Instant, tz::TimeZone};

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

    fn instant(self) -> Instant {
        // Out-of-range values can only come from a damaged row or a hostile client time.
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
    fn whole_seconds_round_down_before_1970_too() {
        assert_eq!(Timestamp(-1).whole_seconds(), Timestamp(-1000));
    }
}
