//! Instants as seconds since 1970 (UTC), and closed intervals of them.

use std::time::Duration;

use x509_cert::der::DateTime;

/// Seconds since 1970-01-01T00:00:00Z.
pub type Seconds = i64;

/// RFC 3339, for people.
pub fn show(at: Seconds) -> String {
    let date = u64::try_from(at).ok().and_then(|secs| DateTime::from_unix_duration(Duration::from_secs(secs)).ok());
    date.map_or_else(|| format!("{at} s after 1970"), |date| date.to_string())
}

/// RFC 3339 in UTC with seconds; what is finer is dropped, in both directions of comparison by less than a second.
pub fn parse(text: &str) -> Option<Seconds> {
    let plain = match text.split_once('.') {
        Some((whole, fraction)) => {
            let digits = fraction.strip_suffix('Z')?;
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            format!("{whole}Z")
        }
        None => text.to_owned(),
    };
    let date: DateTime = plain.parse().ok()?;
    i64::try_from(date.unix_duration().as_secs()).ok()
}

/// When something counts: both ends belong to it (protobuf-specs, `TimeRange`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// From here on.
    pub start: Seconds,
    /// To here; open while in use.
    pub end: Option<Seconds>,
}

impl Range {
    /// Whether `at` is inside.
    pub fn holds(&self, at: Seconds) -> bool {
        self.start <= at && self.end.is_none_or(|end| at <= end)
    }
    /// For people.
    pub fn show(&self) -> String {
        match self.end {
            Some(end) => format!("{} to {}", show(self.start), show(end)),
            None => format!("{} or later", show(self.start)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_belong_to_the_range() {
        let range = Range { start: parse("2023-01-01T00:00:00.000Z").unwrap(), end: parse("2023-01-01T00:00:10Z") };
        assert_eq!(range.show(), "2023-01-01T00:00:00Z to 2023-01-01T00:00:10Z");
        let inside = |offset: i64| range.holds(range.start + offset);
        assert_eq!([inside(-1), inside(0), inside(10), inside(11)], [false, true, true, false]);
        for text in ["", "2023-01-01", "2023-01-01T00:00:00", "2023-13-01T00:00:00Z", "2023-01-01T00:00:00.Z", "2023-01-01T00:00:00+01:00"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
