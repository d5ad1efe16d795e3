//! A recurrence rule (RFC 5545, 3.3.10) as data, and the warnings about what the standard forbids in it.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};

/// How often a rule's period comes round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frequency {
    Secondly,
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// `MO`, `2TU`, `-1FR`: a weekday, or the nth of its month or year, counted from the end when negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NthWeekday {
    pub nth: Option<i16>,
    pub weekday: Weekday,
}

/// The last moment at which an occurrence may start, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The whole of this local day.
    Date(Date),
    /// Local time in the rule's zone.
    Local(DateTime),
    Utc(Timestamp),
}

/// A parsed RRULE. Lists are in the order written; an empty list means that the part is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub frequency: Frequency,
    /// At least 1.
    pub interval: u32,
    /// At least 1; never together with `until`.
    pub count: Option<u32>,
    pub until: Option<Until>,
    pub by_second: Vec<i16>,
    pub by_minute: Vec<i16>,
    pub by_hour: Vec<i16>,
    pub by_day: Vec<NthWeekday>,
    pub by_month_day: Vec<i16>,
    pub by_year_day: Vec<i16>,
    pub by_week_number: Vec<i16>,
    pub by_month: Vec<i16>,
    pub by_set_position: Vec<i16>,
    pub week_start: Weekday,
}

/// Something the standard forbids or leaves open, and how it is read here. A warning never changes an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    WeekNumberNotYearly,
    YearDayTooFrequent,
    MonthDayWeekly,
    OrdinalWeekday,
    SetPositionAlone,
    LeapSecond,
    TimeOfDayOnDate,
    UntilDateForTime,
    UntilLocalInZone,
    UntilTimeForDate,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Warning::WeekNumberNotYearly => "RFC 5545 allows BYWEEKNO with FREQ=YEARLY only; read as a filter on days",
            Warning::YearDayTooFrequent => "RFC 5545 forbids BYYEARDAY with FREQ=DAILY, WEEKLY or MONTHLY; read as a filter on days",
            Warning::MonthDayWeekly => "RFC 5545 forbids BYMONTHDAY with FREQ=WEEKLY; read as a filter on days",
            Warning::OrdinalWeekday => {
                "RFC 5545 allows a number before a weekday only with FREQ=MONTHLY or YEARLY and without BYWEEKNO; \
                 the number is ignored below MONTHLY and counts within the year beside BYWEEKNO"
            }
            Warning::SetPositionAlone => "RFC 5545 wants another BYxxx part beside BYSETPOS; it counts within one period",
            Warning::LeapSecond => "second 60 exists only in leap seconds; read as 59",
            Warning::TimeOfDayOnDate => "BYHOUR, BYMINUTE and BYSECOND mean nothing for whole days and are ignored",
            Warning::UntilDateForTime => "UNTIL is a date although the start has a time; it includes that whole day",
            Warning::UntilLocalInZone => "RFC 5545 wants UNTIL in UTC when the start has a time zone; read as local time",
            Warning::UntilTimeForDate => "UNTIL has a time although the start is a date",
        })
    }
}

impl Rule {
    /// A rule with nothing but a frequency.
    pub fn every(frequency: Frequency) -> Rule {
        Rule {
            frequency,
            interval: 1,
            count: None,
            until: None,
            by_second: Vec::new(),
            by_minute: Vec::new(),
            by_hour: Vec::new(),
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_year_day: Vec::new(),
            by_week_number: Vec::new(),
            by_month: Vec::new(),
            by_set_position: Vec::new(),
            week_start: Weekday::Monday,
        }
    }

    /// What RFC 5545 forbids in this rule whatever its start is.
    pub fn warnings(&self) -> Vec<Warning> {
        use Frequency::*;
        let mut found = Vec::new();
        if !self.by_week_number.is_empty() && self.frequency != Yearly {
            found.push(Warning::WeekNumberNotYearly);
        }
        if !self.by_year_day.is_empty() && matches!(self.frequency, Daily | Weekly | Monthly) {
            found.push(Warning::YearDayTooFrequent);
        }
        if !self.by_month_day.is_empty() && self.frequency == Weekly {
            found.push(Warning::MonthDayWeekly);
        }
        let ordinal = self.by_day.iter().any(|day| day.nth.is_some());
        if ordinal && (self.frequency < Monthly || !self.by_week_number.is_empty()) {
            found.push(Warning::OrdinalWeekday);
        }
        let other_parts =
            [&self.by_second, &self.by_minute, &self.by_hour, &self.by_month_day, &self.by_year_day, &self.by_week_number, &self.by_month];
        if !self.by_set_position.is_empty() && self.by_day.is_empty() && other_parts.iter().all(|part| part.is_empty()) {
            found.push(Warning::SetPositionAlone);
        }
        if self.by_second.contains(&60) {
            found.push(Warning::LeapSecond);
        }
        found
    }
}
