//! The time of day, and the calendar month of it (UTC).

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01 UTC.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Year and month of an instant, by the era arithmetic of Howard Hinnant, "chrono-compatible
/// low-level date algorithms" (`civil_from_days`).
pub fn year_month(ms: i64) -> (u16, u8) {
    let days = ms.div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153; // March is 0
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (u16::try_from(year).unwrap_or(0), u8::try_from(month).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_end_where_the_calendar_says() {
        for (ms, expected) in [
            (0, (1970, 1)),
            (951_782_399_999, (2000, 2)),
            (951_868_800_000, (2000, 3)),
            (1_798_761_599_999, (2026, 12)),
            (1_798_761_600_000, (2027, 1)),
        ] {
            assert_eq!(expected, year_month(ms), "{ms}");
        }
    }
}
