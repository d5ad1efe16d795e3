//! Arithmetic on days of the proleptic Gregorian calendar, counted from 1970-01-01.
//!
//! Expansion tests millions of days for sparse rules; integers keep that cheap. Conversion by Howard Hinnant,
//! "chrono-Compatible Low-Level Date Algorithms". Weekdays are numbered from Monday = 0.

use jiff::civil;

pub(crate) const SECONDS_PER_DAY: i64 = 86_400;
/// 9999-12-31, the last day that can be written in iCalendar.
pub(crate) const LAST_DAY: i64 = 2_932_896;

pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

pub(crate) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub(crate) fn days_in_year(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

pub(crate) fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

/// A day with everything that rule parts ask about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    pub number: i64,
    pub year: i64,
    pub month: i64,
    pub day: i64,
}

impl Day {
    pub fn from_number(number: i64) -> Day {
        let z = number + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Day { number, year, month, day: day_of_year - (153 * shifted_month + 2) / 5 + 1 }
    }

    /// 1 for the first of January.
    pub fn ordinal(&self) -> i64 {
        self.number - days_from_civil(self.year, 1, 1) + 1
    }
}

/// First day of week 1 of a week-numbering year whose weeks start on `week_start`: the first week with at least four
/// days in the calendar year (ISO 8601 for Monday).
pub(crate) fn first_week_start(year: i64, week_start: i64) -> i64 {
    let january = days_from_civil(year, 1, 1);
    let into_week = (weekday(january) - week_start).rem_euclid(7);
    if into_week <= 3 { january - into_week } else { january - into_week + 7 }
}

/// (week-numbering year, number of the week, number of weeks in that year).
pub(crate) fn week_of(day: &Day, week_start: i64) -> (i64, i64, i64) {
    let year = [day.year + 1, day.year].into_iter().find(|year| first_week_start(*year, week_start) <= day.number).unwrap_or(day.year - 1);
    let first = first_week_start(year, week_start);
    (year, (day.number - first) / 7 + 1, (first_week_start(year + 1, week_start) - first) / 7)
}

/// Local seconds since 1970-01-01T00:00:00 of the same clock reading; fractions of a second are dropped.
pub(crate) fn local_seconds(at: civil::DateTime) -> i64 {
    let days = days_from_civil(i64::from(at.year()), i64::from(at.month()), i64::from(at.day()));
    days * SECONDS_PER_DAY + i64::from(at.hour()) * 3_600 + i64::from(at.minute()) * 60 + i64::from(at.second())
}

/// The inverse of [`local_seconds`]; `None` outside the years -9999 to 9999.
pub(crate) fn local_datetime(seconds: i64) -> Option<civil::DateTime> {
    let day = Day::from_number(seconds.div_euclid(SECONDS_PER_DAY));
    let second = seconds.rem_euclid(SECONDS_PER_DAY);
    civil::DateTime::new(
        i16::try_from(day.year).ok()?,
        day.month as i8,
        day.day as i8,
        (second / 3_600) as i8,
        (second / 60 % 60) as i8,
        (second % 60) as i8,
        0,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_agree_with_jiff_over_four_centuries_and_the_edges() {
        let mut number = days_from_civil(1799, 12, 31);
        while number < days_from_civil(2203, 1, 2) {
            let day = Day::from_number(number);
            let date = civil::Date::new(day.year as i16, day.month as i8, day.day as i8).unwrap();
            assert_eq!(days_from_civil(day.year, day.month, day.day), number);
            assert_eq!(i64::from(date.weekday().to_monday_zero_offset()), weekday(number));
            assert_eq!(i64::from(date.day_of_year()), day.ordinal());
            let iso = date.iso_week_date();
            let (year, week, _) = week_of(&day, 0);
            assert_eq!((i64::from(iso.year()), i64::from(iso.week())), (year, week), "{date}");
            number += 1;
        }
        assert_eq!(days_from_civil(9999, 12, 31), LAST_DAY);
    }
}
