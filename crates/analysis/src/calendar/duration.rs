//! ISO 8601 durations as RFC 5545, 3.3.6 reads them: weeks and days are nominal (the same clock reading later), hours,
//! minutes and seconds are exact.

use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::recurrence::instant;

/// Longest duration in days that is read (about 1,000 years).
const DAYS_MAX: i64 = 366_000;

/// Nominal days and exact time, neither negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration {
    pub days: i64,
    pub exact: SignedDuration,
}

/// Why a duration could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("duration {text:?}: at position {position} expected {expected}")]
pub struct DurationError {
    pub text: String,
    pub position: usize,
    pub expected: &'static str,
}

impl Duration {
    pub fn from_seconds(seconds: u32) -> Duration {
        Duration { days: 0, exact: SignedDuration::from_secs(i64::from(seconds)) }
    }

    pub fn is_zero(&self) -> bool {
        self.days == 0 && self.exact.is_zero()
    }

    /// The instant this long after `at`: days by the clock of the zone, then the exact part.
    pub fn after(&self, at: Timestamp, zone: &TimeZone) -> Timestamp {
        let moved = if self.days == 0 {
            Some(at)
        } else {
            let local = zone.to_datetime(at).checked_add(self.days.days()).ok();
            local.and_then(|local| instant(zone, local)).map(|(at, _)| at)
        };
        moved.and_then(|at| at.checked_add(self.exact).ok()).unwrap_or(Timestamp::MAX)
    }

    /// An exact length that the duration never exceeds in any zone.
    pub(crate) fn at_most(&self) -> SignedDuration {
        let nominal = if self.days == 0 { 0 } else { self.days * 86_400 + 86_400 };
        self.exact.saturating_add(SignedDuration::from_secs(nominal))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.exact.as_secs();
        let nanoseconds = self.exact.subsec_nanos();
        f.write_str("P")?;
        if self.days > 0 {
            write!(f, "{}D", self.days)?;
        }
        if self.days > 0 && self.exact.is_zero() {
            return Ok(());
        }
        f.write_str("T")?;
        let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        if hours > 0 {
            write!(f, "{hours}H")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}M")?;
        }
        if nanoseconds > 0 {
            let fraction = format!("{nanoseconds:09}");
            write!(f, "{rest}.{}S", fraction.trim_end_matches('0'))?;
        } else if rest > 0 || hours + minutes == 0 {
            write!(f, "{rest}S")?;
        }
        Ok(())
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> String {
        duration.to_string()
    }
}

impl TryFrom<String> for Duration {
    type Error = DurationError;

    fn try_from(text: String) -> Result<Duration, DurationError> {
        parse_duration(&text)
    }
}

/// Reads `PT16H`, `P1DT12H`, `P2W`, `PT1.5H` (a fraction only in the last part). Months and years are refused: their
/// length depends on the day, and a window's end must not.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let fail = |position: usize, expected: &'static str| DurationError { text: text.chars().take(60).collect(), position, expected };
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let offset = text.len() - unsigned.len();
    let Some(body) = unsigned.strip_prefix(['P', 'p']) else {
        return Err(fail(offset, "'P', as in PT16H or P1D (not negative)"));
    };
    let bytes = body.as_bytes();
    let (mut position, mut in_time, mut rank, mut fraction_seen) = (0, false, 0, false);
    let mut duration = Duration::default();
    let mut parts = 0;
    while position < bytes.len() {
        let here = offset + 1 + position;
        if matches!(bytes[position], b'T' | b't') {
            if in_time || position + 1 == bytes.len() {
                return Err(fail(here, "hours, minutes or seconds after one 'T'"));
            }
            in_time = true;
            position += 1;
            continue;
        }
        let length = bytes[position..].iter().take_while(|b| b.is_ascii_digit() || matches!(b, b'.' | b',')).count();
        let digits = &body[position..position + length];
        let Some(unit) = bytes.get(position + length) else {
            return Err(fail(here, "a number followed by W, D, H, M or S"));
        };
        if fraction_seen {
            return Err(fail(here, "nothing after a part with a fraction"));
        }
        let (nanoseconds_per, this_rank) = match (in_time, unit.to_ascii_uppercase()) {
            (false, b'W') => (7 * 86_400_000_000_000i128, 1),
            (false, b'D') => (86_400_000_000_000, 2),
            (true, b'H') => (3_600_000_000_000, 3),
            (true, b'M') => (60_000_000_000, 4),
            (true, b'S') => (1_000_000_000, 5),
            (false, b'Y' | b'M') => return Err(fail(here, "weeks or days (months and years have no fixed length)")),
            _ => return Err(fail(here + length, "W or D before 'T', and H, M or S after it")),
        };
        if this_rank <= rank {
            return Err(fail(here, "parts in the order W, D, T, H, M, S, each once"));
        }
        rank = this_rank;
        let amount = scaled(digits, nanoseconds_per).ok_or_else(|| fail(here, "a number of at most 12 digits"))?;
        fraction_seen = digits.contains(['.', ',']);
        if in_time {
            let part = SignedDuration::new((amount / 1_000_000_000) as i64, (amount % 1_000_000_000) as i32);
            duration.exact = duration.exact.saturating_add(part);
        } else if fraction_seen {
            return Err(fail(here, "whole weeks and days"));
        } else {
            duration.days += (amount / 86_400_000_000_000) as i64;
        }
        parts += 1;
        position += length + 1;
    }
    if parts == 0 {
        return Err(fail(text.len(), "at least one part, as in PT16H or P1D"));
    }
    if duration.days > DAYS_MAX || duration.exact.as_secs() > DAYS_MAX * 86_400 {
        return Err(fail(offset, "at most 366000 days"));
    }
    Ok(duration)
}

/// Decimal digits times a unit, exactly; at most 12 digits before and 9 after the point.
fn scaled(digits: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = digits.split_once(['.', ',']).unwrap_or((digits, "0"));
    let plain = |text: &str, most: usize| {
        (!text.is_empty() && text.len() <= most && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse::<i128>().ok())?
    };
    let scale = 10i128.pow(fraction.len().min(9) as u32);
    Some(plain(whole, 12)? * unit + plain(fraction, 9)? * unit / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, days, seconds, written) in [
            ("PT16H", 0, 57_600, "PT16H"),
            ("P1D", 1, 0, "P1D"),
            ("P2W", 14, 0, "P14D"),
            ("P1DT12H30M", 1, 45_000, "P1DT12H30M"),
            ("pt0s", 0, 0, "PT0S"),
            ("PT90M", 0, 5_400, "PT1H30M"),
            ("PT1,5H", 0, 5_400, "PT1H30M"),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!((duration.days, duration.exact.as_secs()), (days, seconds), "{text}");
            assert_eq!(duration.to_string(), written);
        }
        assert_eq!(parse_duration("PT0.25S").unwrap().exact, SignedDuration::from_millis(250));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "16H",
            "-PT1H",
            "P1M",
            "P1Y",
            "PT1",
            "PT1X",
            "P1DT",
            "PT1H2H",
            "PT1S1H",
            "P1.5D",
            "PT1.5H3M",
            "PT99999999999999999999H",
            "PT..5S",
            "P1H",
            "PT1D",
            "P\u{e9}",
            "PT999999999999H",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
