//! Time as it comes in: the wall clock, a clock that never goes back, and sleep.
//!
//! The three text forms in use are written here: RFC 3339 (GitHub, STS), the date of HTTP headers
//! (RFC 9110, section 5.6.7) and the basic ISO 8601 form of AWS Signature Version 4.

use futures_util::future::LocalBoxFuture;
use std::fmt;
use std::time::Duration;

/// The clock of the machine, injected.
pub trait Clock {
    /// The wall clock.
    fn now(&self) -> UnixTime;

    /// Time since some fixed point; never goes back.
    fn monotonic(&self) -> Duration;

    /// Ends after `duration`; after none, as soon as others had their turn. Dropping the future cancels the timer.
    fn sleep(&self, duration: Duration) -> LocalBoxFuture<'static, ()>;
}

/// Whole seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(i64);

const DAY: i64 = 86_400;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl UnixTime {
    /// From seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// This time moved by `seconds`, which may be negative.
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to `self`; negative when `self` is the earlier one.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads `2016-07-11T22:14:10Z`, with a fraction of a second or a numeric offset if there is one.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (date, time) = (bytes.get(..10)?, bytes.get(11..19)?);
        if date[4] != b'-' || date[7] != b'-' || time[2] != b':' || time[5] != b':' {
            return None;
        }
        if !matches!(bytes[10], b'T' | b't' | b' ') {
            return None;
        }
        let seconds = seconds_of(
            digits(&date[..4])?,
            digits(&date[5..7])?,
            digits(&date[8..])?,
            digits(&time[..2])?,
            digits(&time[3..5])?,
            digits(&time[6..])?,
        )?;
        let mut rest = bytes.get(19..)?;
        if let Some((b'.', fraction)) = rest.split_first() {
            let length = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
            if length == 0 {
                return None;
            }
            rest = &fraction[length..];
        }
        let offset = match rest {
            b"Z" | b"z" => 0,
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
                let size = digits(&[*h1, *h2])? * 3600 + digits(&[*m1, *m2])? * 60;
                if *sign == b'+' { size } else { -size }
            }
            _ => return None,
        };
        Some(Self(seconds - offset))
    }

    /// Reads the date of an HTTP header: `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub fn from_http_date(text: &str) -> Option<Self> {
        let rest = text
            .trim()
            .split_once(", ")?
            .1
            .strip_suffix(" GMT")?
            .as_bytes();
        if rest.len() != 20 || rest[14] != b':' || rest[17] != b':' {
            return None;
        }
        let month = MONTHS
            .iter()
            .position(|name| name.as_bytes() == &rest[3..6])? as i64
            + 1;
        seconds_of(
            digits(&rest[7..11])?,
            month,
            digits(&rest[..2])?,
            digits(&rest[12..14])?,
            digits(&rest[15..17])?,
            digits(&rest[18..])?,
        )
        .map(Self)
    }

    /// `20150830T123600Z`, the form of AWS's `x-amz-date`.
    pub fn basic_iso8601(self) -> String {
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        let (hour, minute, second) = clock_face(self.0.rem_euclid(DAY));
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    }
}

/// RFC 3339 in UTC: `2016-07-11T22:14:10Z`.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        let (hour, minute, second) = clock_face(self.0.rem_euclid(DAY));
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        text.iter()
            .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')),
    )
}

fn clock_face(second_of_day: i64) -> (i64, i64, i64) {
    (
        second_of_day / 3600,
        second_of_day / 60 % 60,
        second_of_day % 60,
    )
}

fn seconds_of(y: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<i64> {
    // A leap second (60) counts as the first of the next minute.
    if !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_from_civil(y, month, day);
    // Refuses the 31st of a month of 30 days, and the 29th of February in most years.
    if civil(days) != (y, month, day) {
        return None;
    }
    Some(days * DAY + hour * 3600 + minute * 60 + second)
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar. The year is taken to start in
/// March, so that the leap day is its last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_known_times() {
        let time = UnixTime::from_seconds(1_440_938_160);
        assert_eq!(time.to_string(), "2015-08-30T12:36:00Z");
        assert_eq!(time.basic_iso8601(), "20150830T123600Z");
        assert_eq!(UnixTime::from_rfc3339("2015-08-30T12:36:00Z"), Some(time));
        assert_eq!(
            UnixTime::from_rfc3339("2015-08-30T12:36:00.123Z"),
            Some(time)
        );
        assert_eq!(
            UnixTime::from_rfc3339("2015-08-30T14:36:00+02:00"),
            Some(time)
        );
        assert_eq!(
            UnixTime::from_http_date("Sun, 30 Aug 2015 12:36:00 GMT"),
            Some(time)
        );
        assert_eq!(
            UnixTime::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(UnixTime::from_seconds(784_111_777))
        );
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "soon",
            "2015-08-30",
            "2015-13-30T12:36:00Z",
            "2015-02-29T12:36:00Z",
            "2015-08-30T24:00:00Z",
            "2015-08-30T12:36:00",
            "2015-08-30T12:36:00.Z",
            "2015-08-30T12:36:00+2",
            "２015-08-30T12:36:00Z",
        ] {
            assert_eq!(UnixTime::from_rfc3339(text), None, "{text}");
        }
        for text in [
            "",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "06 Nov 1994",
        ] {
            assert_eq!(UnixTime::from_http_date(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_survives_the_round_trip() {
        let mut previous = (1969, 12, 31);
        for day in 0..146_097 {
            let date = civil(day);
            assert_eq!(days_from_civil(date.0, date.1, date.2), day);
            assert!(date > previous);
            previous = date;
        }
        assert_eq!(previous, (2369, 12, 31));
    }
}
