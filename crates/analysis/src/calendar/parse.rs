//! Reading the text of an RRULE. Every error says where it is and what was expected there.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};

use super::rule::{Frequency, NthWeekday, Rule, Until};

/// Longest rule that is read; the longest sensible one (every second of every minute listed) is below 1,000 bytes.
const BYTES_MAX: usize = 4_096;

/// Why a rule could not be read: at which byte, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at position {position}: found {found:?}, expected {expected}")]
pub struct RuleError {
    /// Byte offset into the text, from 0.
    pub position: usize,
    pub found: String,
    pub expected: String,
}

impl RuleError {
    fn new(position: usize, found: &str, expected: impl Into<String>) -> RuleError {
        // A quotation is for orientation; a megabyte of it is not.
        let found = found.chars().take(40).collect();
        RuleError { position, found, expected: expected.into() }
    }
}

/// A piece of the text that knows where it stands.
#[derive(Clone, Copy)]
struct Piece<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Piece<'a> {
    fn error(&self, expected: impl Into<String>) -> RuleError {
        RuleError::new(self.position, self.text, expected)
    }

    fn split(self, separator: char) -> impl Iterator<Item = Piece<'a>> {
        let mut position = self.position;
        self.text.split(separator).map(move |text| {
            let piece = Piece { text, position };
            position += text.len() + 1;
            piece
        })
    }
}

const PARTS: &str = "FREQ, INTERVAL, COUNT, UNTIL, BYSECOND, BYMINUTE, BYHOUR, BYDAY, BYMONTHDAY, BYYEARDAY, BYWEEKNO, \
                     BYMONTH, BYSETPOS or WKST";

impl FromStr for Rule {
    type Err = RuleError;

    /// Reads `FREQ=WEEKLY;BYDAY=MO,WE` (a leading `RRULE:` is allowed; names and values in any case).
    fn from_str(text: &str) -> Result<Rule, RuleError> {
        if text.len() > BYTES_MAX {
            return Err(RuleError::new(BYTES_MAX, "", format!("a rule of at most {BYTES_MAX} bytes")));
        }
        let body = match text.get(..6) {
            Some(prefix) if prefix.eq_ignore_ascii_case("RRULE:") => Piece { text: &text[6..], position: 6 },
            _ => Piece { text, position: 0 },
        };
        let mut rule = Rule::every(Frequency::Daily);
        let mut seen: Vec<String> = Vec::new();
        for piece in body.split(';') {
            let Some((name, value)) = piece.text.split_once('=') else {
                return Err(piece.error("NAME=VALUE, parts separated by ';'"));
            };
            let value = Piece { text: value, position: piece.position + name.len() + 1 };
            let name = Piece { text: name, position: piece.position };
            let upper = name.text.to_ascii_uppercase();
            if seen.contains(&upper) {
                return Err(name.error("every part at most once"));
            }
            read_part(&mut rule, &upper, name, value)?;
            if matches!(upper.as_str(), "COUNT" | "UNTIL") && rule.count.is_some() && rule.until.is_some() {
                return Err(name.error("COUNT or UNTIL, not both"));
            }
            seen.push(upper);
        }
        if !seen.iter().any(|name| name == "FREQ") {
            return Err(body.error("a FREQ part, for instance FREQ=WEEKLY"));
        }
        Ok(rule)
    }
}

fn read_part(rule: &mut Rule, upper: &str, name: Piece<'_>, value: Piece<'_>) -> Result<(), RuleError> {
    match upper {
        "FREQ" => rule.frequency = frequency(value)?,
        "INTERVAL" => rule.interval = positive(value)?,
        "COUNT" => rule.count = Some(positive(value)?),
        "UNTIL" => rule.until = Some(until(value)?),
        "WKST" => rule.week_start = weekday(value)?,
        "BYDAY" => rule.by_day = value.split(',').map(nth_weekday).collect::<Result<_, _>>()?,
        "BYSECOND" => rule.by_second = numbers(value, 0, 60)?,
        "BYMINUTE" => rule.by_minute = numbers(value, 0, 59)?,
        "BYHOUR" => rule.by_hour = numbers(value, 0, 23)?,
        "BYMONTHDAY" => rule.by_month_day = signed(value, 31)?,
        "BYYEARDAY" => rule.by_year_day = signed(value, 366)?,
        "BYWEEKNO" => rule.by_week_number = signed(value, 53)?,
        "BYMONTH" => rule.by_month = numbers(value, 1, 12)?,
        "BYSETPOS" => rule.by_set_position = signed(value, 366)?,
        "RSCALE" | "SKIP" => return Err(name.error("no RSCALE or SKIP: only the Gregorian calendar of RFC 5545 is read")),
        _ => return Err(name.error(PARTS)),
    }
    Ok(())
}

fn frequency(value: Piece<'_>) -> Result<Frequency, RuleError> {
    Ok(match value.text.to_ascii_uppercase().as_str() {
        "SECONDLY" => Frequency::Secondly,
        "MINUTELY" => Frequency::Minutely,
        "HOURLY" => Frequency::Hourly,
        "DAILY" => Frequency::Daily,
        "WEEKLY" => Frequency::Weekly,
        "MONTHLY" => Frequency::Monthly,
        "YEARLY" => Frequency::Yearly,
        _ => return Err(value.error("SECONDLY, MINUTELY, HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY")),
    })
}

fn positive(value: Piece<'_>) -> Result<u32, RuleError> {
    let wanted = "a whole number from 1 to 4294967295";
    if value.text.is_empty() || !value.text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(value.error(wanted));
    }
    match value.text.parse() {
        Ok(number) if number >= 1 => Ok(number),
        _ => Err(value.error(wanted)),
    }
}

fn number(piece: Piece<'_>, low: i16, high: i16) -> Result<i16, RuleError> {
    let digits = piece.text;
    if digits.is_empty() || digits.len() > 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(piece.error(format!("a number from {low} to {high}")));
    }
    match digits.parse() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(piece.error(format!("a number from {low} to {high}"))),
    }
}

fn numbers(value: Piece<'_>, low: i16, high: i16) -> Result<Vec<i16>, RuleError> {
    value.split(',').map(|piece| number(piece, low, high)).collect()
}

/// Numbers from 1 to `high` with an optional sign.
fn signed(value: Piece<'_>, high: i16) -> Result<Vec<i16>, RuleError> {
    value.split(',').map(|piece| signed_number(piece, high)).collect()
}

fn signed_number(piece: Piece<'_>, high: i16) -> Result<i16, RuleError> {
    let (sign, digits) = match piece.text.as_bytes().first() {
        Some(b'-') => (-1, &piece.text[1..]),
        Some(b'+') => (1, &piece.text[1..]),
        _ => (1, piece.text),
    };
    number(Piece { text: digits, position: piece.position }, 1, high)
        .map(|n| sign * n)
        .map_err(|_| piece.error(format!("a number from 1 to {high} or from -{high} to -1")))
}

fn weekday(value: Piece<'_>) -> Result<Weekday, RuleError> {
    Ok(match value.text.to_ascii_uppercase().as_str() {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return Err(value.error("a weekday: MO, TU, WE, TH, FR, SA or SU")),
    })
}

fn nth_weekday(piece: Piece<'_>) -> Result<NthWeekday, RuleError> {
    let expected = "a weekday such as MO, 2TU or -1FR (numbers up to 53)";
    let split = piece.text.len().wrapping_sub(2);
    if piece.text.len() < 2 || !piece.text.is_char_boundary(split) {
        return Err(piece.error(expected));
    }
    let (digits, day) = piece.text.split_at(split);
    let weekday = weekday(Piece { text: day, position: piece.position + split }).map_err(|_| piece.error(expected))?;
    let nth = match digits {
        "" => None,
        digits => Some(signed_number(Piece { text: digits, ..piece }, 53).map_err(|_| piece.error(expected))?),
    };
    Ok(NthWeekday { nth, weekday })
}

fn until(value: Piece<'_>) -> Result<Until, RuleError> {
    let expected = "a date 19971224, a local time 19971224T090000 or a UTC time 19971224T090000Z";
    let text = value.text;
    if text.len() == 8 {
        return basic_date(text).map(Until::Date).ok_or_else(|| value.error(expected));
    }
    let (local, utc) = match text.strip_suffix(['Z', 'z']) {
        Some(local) => (local, true),
        None => (text, false),
    };
    let at = basic_datetime(local).ok_or_else(|| value.error(expected))?;
    if !utc {
        return Ok(Until::Local(at));
    }
    utc_instant(at).map(Until::Utc).ok_or_else(|| value.error(expected))
}

pub(crate) fn utc_instant(at: DateTime) -> Option<Timestamp> {
    jiff::tz::TimeZone::UTC.to_timestamp(at).ok()
}

/// `19970902`
pub(crate) fn basic_date(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Date::new(text[..4].parse().ok()?, text[4..6].parse().ok()?, text[6..].parse().ok()?).ok()
}

/// `19970902T090000`; second 60 is read as 59, as RFC 5545 says for systems without leap seconds.
pub(crate) fn basic_datetime(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_once(['T', 't'])?;
    let date = basic_date(date)?;
    if time.len() != 6 || !time.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let second: i8 = time[4..].parse().ok()?;
    let second = if second == 60 { 59 } else { second };
    let (hour, minute) = (time[..2].parse().ok()?, time[2..4].parse().ok()?);
    DateTime::new(date.year(), date.month(), date.day(), hour, minute, second, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (usize, String) {
        let error = text.parse::<Rule>().expect_err(text);
        (error.position, error.expected)
    }

    #[test]
    fn every_part_is_read() {
        let rule: Rule = "rrule:freq=YEARLY;interval=2;count=10;bysecond=0,60;byminute=59;byhour=0,23;byday=mo,+2TU,-53su;\
                          bymonthday=1,-31;byyearday=+366,-1;byweekno=53,-1;bymonth=12;bysetpos=-1;wkst=su"
            .parse()
            .unwrap();
        assert_eq!(rule.frequency, Frequency::Yearly);
        assert_eq!((rule.interval, rule.count), (2, Some(10)));
        assert_eq!(rule.by_day[2], NthWeekday { nth: Some(-53), weekday: Weekday::Sunday });
        assert_eq!((rule.by_month_day, rule.by_year_day), (vec![1, -31], vec![366, -1]));
        assert_eq!(rule.week_start, Weekday::Sunday);
    }

    #[test]
    fn errors_say_where_and_what() {
        assert_eq!(refused("FREQ=WEEKLY;BYDAY=MO,XX").0, 21);
        assert_eq!(refused("FREQ=WEEKLY;BYHOUR=24"), (19, "a number from 0 to 23".into()));
        assert_eq!(refused("INTERVAL=1").1, "a FREQ part, for instance FREQ=WEEKLY");
        assert_eq!(refused("FREQ=DAILY;COUNT=1;UNTIL=20260101").1, "COUNT or UNTIL, not both");
        assert_eq!(refused("FREQ=DAILY;FREQ=DAILY"), (11, "every part at most once".into()));
        for text in [
            "",
            "FREQ",
            "FREQ=",
            "FREQ=DAILY;",
            "FREQ=DAILY;INTERVAL=0",
            "FREQ=DAILY;COUNT=-1",
            "FREQ=DAILY;BYMONTHDAY=0",
            "FREQ=DAILY;BYDAY=é",
            "FREQ=DAILY;BYDAY=0MO",
            "FREQ=DAILY;UNTIL=2026-01-01",
            "FREQ=DAILY;UNTIL=20260230",
            "FREQ=DAILY;BYEASTER=0",
            "FREQ=DAILY;BYMONTH=1,",
            "FREQ=DAILY;BYMONTH=99999999999",
            "RSCALE=CHINESE;FREQ=YEARLY",
            "FREQ=DAILY;INTERVAL=4294967296",
            "FREQ=DAILY;BYDAY=1",
            "FREQ=DAILY;BYDAY=--1MO",
        ] {
            refused(text);
        }
        refused(&"FREQ=DAILY;".repeat(1_000));
    }
}
