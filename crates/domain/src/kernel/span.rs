//! A length of time as people write it in files: `90s`, `5m`, `16h`, `7d`, `250ms`, or ISO 8601 (`PT16H`).

use serde::{Deserialize, Serialize};

/// A non-negative length of time, kept in milliseconds. A day is 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(u64);

impl Span {
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }
    pub const fn from_s(seconds: u64) -> Self {
        Self(seconds * 1000)
    }
    pub const fn ms(self) -> u64 {
        self.0
    }
    pub const fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }
    /// As a jiff duration, for arithmetic with timestamps.
    pub fn signed(self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_millis(i64::try_from(self.0).unwrap_or(i64::MAX))
    }
}

const EXPECTED: &str = "expected a length of time such as 250ms, 90s, 5m, 16h, 7d or PT16H";

impl std::str::FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{EXPECTED}, found {text:?}");
        if text.starts_with('P') {
            let span: jiff::Span = text.parse().map_err(|_| wrong())?;
            let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
            return u64::try_from(length.as_millis()).map(Self).map_err(|_| wrong());
        }
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(unit_at);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let factor = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Span {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => write!(f, "0s"),
            ms if ms % 86_400_000 == 0 => write!(f, "{}d", ms / 86_400_000),
            ms if ms % 3_600_000 == 0 => write!(f, "{}h", ms / 3_600_000),
            ms if ms % 60_000 == 0 => write!(f, "{}m", ms / 60_000),
            ms if ms % 1000 == 0 => write!(f, "{}s", ms / 1000),
            ms => write!(f, "{ms}ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn reads_what_people_write_and_writes_it_back() {
        for (text, ms, back) in [
            ("250ms", 250, "250ms"),
            ("90s", 90_000, "90s"),
            ("120s", 120_000, "2m"),
            ("PT16H", 57_600_000, "16h"),
            ("7d", 604_800_000, "7d"),
            ("P1D", 86_400_000, "1d"),
        ] {
            let span: Span = text.parse().expect(text);
            assert_eq!((span.ms(), span.to_string().as_str()), (ms, back));
        }
        for text in ["", "5", "s", "-5s", "5 s", "1y", "P1M", "99999999999999999999d", "PT-5S"] {
            assert!(text.parse::<Span>().is_err(), "{text} was taken");
        }
    }
}
