//! A recurrence set: rules, extra dates and exceptions anchored at a local start in a time zone, as instants in order.
//!
//! Local times follow RFC 5545, 3.3.5: one that daylight saving skips is read with the offset before the gap, one that
//! occurs twice means the first. Two local times that fall on the same instant are one occurrence. The start itself is
//! an occurrence only if the rule gives it (or if there is no rule): RFC 5545 calls anything else undefined.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::days::{local_datetime, local_seconds};
use super::expand::{End, Expansion};
use super::parse::{basic_date, basic_datetime};
use super::rule::{Frequency, Rule, Until, Warning};

/// Counted occurrences that may be walked through to reach a later instant; COUNT has no shortcut.
const COUNTED_MAX: u32 = 1_000_000;

/// Where a recurrence begins: a whole day or a local time to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Date(Date),
    Local(DateTime),
}

/// A start that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("start {text:?} cannot be read: expected 19970902T090000, 19970902, 1997-09-02T09:00:00 or 1997-09-02")]
pub struct StartError {
    pub text: String,
}

impl Start {
    /// Reads RFC 5545 or ISO 8601; a suffix `Z` or an offset is returned as the zone it stands for.
    pub fn parse(text: &str) -> Result<(Start, Option<TimeZone>), StartError> {
        let error = || StartError { text: text.chars().take(60).collect() };
        if let Some(date) = basic_date(text) {
            return Ok((Start::Date(date), None));
        }
        if text.len() == 10 {
            return text.parse().map(|date| (Start::Date(date), None)).map_err(|_| error());
        }
        let (local, zone) = match text.strip_suffix(['Z', 'z']) {
            Some(local) => (local, Some(TimeZone::UTC)),
            None => match text.get(10..).and_then(|rest| rest.rfind(['+', '-'])) {
                Some(at) => {
                    let (local, offset) = text.split_at(10 + at);
                    (local, Some(TimeZone::fixed(parse_offset(offset).ok_or_else(error)?)))
                }
                None => (text, None),
            },
        };
        let at = match basic_datetime(local) {
            Some(at) => at,
            None => local.parse::<DateTime>().map_err(|_| error())?,
        };
        if at.subsec_nanosecond() != 0 {
            return Err(error());
        }
        Ok((Start::Local(at), zone))
    }

    /// Midnight for a whole day.
    pub fn local(&self) -> DateTime {
        match self {
            Start::Date(date) => date.to_datetime(Time::midnight()),
            Start::Local(at) => *at,
        }
    }
}

/// `+02:00`, `-0530`, `+02`
fn parse_offset(text: &str) -> Option<Offset> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 2 | 4) {
        return None;
    }
    let hours: i32 = digits[..2].parse().ok()?;
    let minutes: i32 = if digits.len() == 4 { digits[2..].parse().ok()? } else { 0 };
    if minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok()
}

/// A date (EXDATE) that the rule gives and that does not count, or an extra one (RDATE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// Every occurrence of this local day.
    Day(Date),
    Local(DateTime),
    At(Timestamp),
}

/// One occurrence: the local time that the rule gives, and the instant it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    pub at: Timestamp,
    pub local: DateTime,
}

/// Why a rule cannot be anchored at a start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecurrenceError {
    #[error("a rule more frequent than daily needs a start with a time of day")]
    NeedsTimeOfDay,
    #[error("the start has a fraction of a second; recurrences are exact to the second")]
    Subsecond,
    #[error("the start {0} lies outside the years 1 to 9999")]
    OutOfRange(DateTime),
}

/// A recurrence set. Cheap to make; nothing is expanded before it is asked for.
#[derive(Clone, Debug)]
pub struct Recurrence {
    start: Start,
    zone: TimeZone,
    rules: Vec<Rule>,
    extra: Vec<Occurrence>,
    excluded: Vec<Exclusion>,
}

impl Recurrence {
    /// `None` as rule: the start alone.
    pub fn new(start: Start, zone: TimeZone, rule: Option<Rule>) -> Result<Recurrence, RecurrenceError> {
        let local = start.local();
        if local.subsec_nanosecond() != 0 {
            return Err(RecurrenceError::Subsecond);
        }
        if local.year() < 1 {
            return Err(RecurrenceError::OutOfRange(local));
        }
        let mut recurrence = Recurrence { start, zone, rules: Vec::new(), extra: Vec::new(), excluded: Vec::new() };
        match rule {
            Some(rule) => recurrence.add_rule(rule)?,
            None => {
                let seconds = local_seconds(local);
                let (at, _) = instant(&recurrence.zone, local).ok_or(RecurrenceError::OutOfRange(local))?;
                recurrence.add_date(at, local_datetime(seconds).unwrap_or(local));
            }
        }
        Ok(recurrence)
    }

    /// Adds a second rule to the set.
    pub fn add_rule(&mut self, mut rule: Rule) -> Result<(), RecurrenceError> {
        if let Start::Date(_) = self.start {
            if rule.frequency < Frequency::Daily {
                return Err(RecurrenceError::NeedsTimeOfDay);
            }
            // "… MUST be ignored in RECUR values that are used with a DATE" (RFC 5545, 3.3.10).
            rule.by_hour.clear();
            rule.by_minute.clear();
            rule.by_second.clear();
        }
        self.rules.push(rule);
        Ok(())
    }

    /// RDATE. A local time outside the supported years is left out.
    pub fn add_local(&mut self, local: DateTime) {
        if let Some((at, _)) = instant(&self.zone, local) {
            self.add_date(at, local);
        }
    }

    /// RDATE in UTC.
    pub fn add_instant(&mut self, at: Timestamp) {
        self.add_date(at, self.zone.to_datetime(at));
    }

    fn add_date(&mut self, at: Timestamp, local: DateTime) {
        self.extra.push(Occurrence { at, local });
        self.extra.sort_unstable();
    }

    /// EXDATE.
    pub fn exclude(&mut self, exclusion: Exclusion) {
        self.excluded.push(exclusion);
    }

    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    pub fn start(&self) -> Start {
        self.start
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What the standard forbids or leaves open in this set, and how it is read.
    pub fn warnings(&self, text_rule: &Rule) -> Vec<Warning> {
        let mut found = text_rule.warnings();
        match (self.start, text_rule.until) {
            (Start::Local(_), Some(Until::Date(_))) => found.push(Warning::UntilDateForTime),
            (Start::Local(_), Some(Until::Local(_))) if self.zone != TimeZone::UTC => {
                found.push(Warning::UntilLocalInZone);
            }
            (Start::Date(_), Some(Until::Local(_) | Until::Utc(_))) => found.push(Warning::UntilTimeForDate),
            _ => {}
        }
        let timed = [&text_rule.by_hour, &text_rule.by_minute, &text_rule.by_second];
        if matches!(self.start, Start::Date(_)) && timed.iter().any(|part| !part.is_empty()) {
            found.push(Warning::TimeOfDayOnDate);
        }
        found
    }

    /// All occurrences, in order.
    pub fn occurrences(&self) -> Occurrences<'_> {
        self.expand(None)
    }

    /// Occurrences at or after `from`, without walking through the earlier ones (unless a COUNT has to be counted).
    pub fn occurrences_from(&self, from: Timestamp) -> Occurrences<'_> {
        self.expand(Some(from))
    }

    fn expand(&self, from: Option<Timestamp>) -> Occurrences<'_> {
        let streams = self.rules.iter().map(|rule| Stream::new(self, rule, from)).collect();
        let first_extra = from.map_or(0, |from| self.extra.partition_point(|extra| extra.at < from));
        Occurrences { set: self, streams, next_extra: first_extra, last: None, end: None }
    }

    fn is_excluded(&self, occurrence: &Occurrence) -> bool {
        self.excluded.iter().any(|exclusion| match exclusion {
            Exclusion::Day(date) => occurrence.local.date() == *date,
            Exclusion::Local(local) => occurrence.local == *local,
            Exclusion::At(at) => occurrence.at == *at,
        })
    }
}

/// The instant of a local time, and whether daylight saving skips it.
pub(crate) fn instant(zone: &TimeZone, local: DateTime) -> Option<(Timestamp, bool)> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let skipped = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    ambiguous.compatible().ok().map(|at| (at, skipped))
}

/// Lazy iterator over a recurrence set; after it has ended, [`Occurrences::end`] says why.
#[derive(Debug)]
pub struct Occurrences<'a> {
    set: &'a Recurrence,
    streams: Vec<Stream<'a>>,
    next_extra: usize,
    last: Option<Timestamp>,
    end: Option<End>,
}

impl Occurrences<'_> {
    /// Why there are no more; `None` while the iterator has not ended.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    fn ended(&self) -> End {
        // With several rules the one that says most: a search that was given up, then UNTIL, then COUNT.
        let ends = self.streams.iter().filter_map(|stream| stream.end);
        ends.fold(End::Count, |end, other| match (end, other) {
            (End::NeverWithin(a), End::NeverWithin(b)) => End::NeverWithin(a.min(b)),
            (End::NeverWithin(a), _) | (_, End::NeverWithin(a)) => End::NeverWithin(a),
            (End::Until, _) | (_, End::Until) => End::Until,
            _ => End::Count,
        })
    }
}

impl Iterator for Occurrences<'_> {
    type Item = Occurrence;

    fn next(&mut self) -> Option<Occurrence> {
        if self.end.is_some() {
            return None;
        }
        // Exceptions are finitely many local days or instants, so the loop ends; a day excluded from a rule of
        // seconds costs at most its 86,400 occurrences.
        loop {
            let mut best: Option<(Occurrence, Option<usize>)> = self.set.extra.get(self.next_extra).map(|extra| (*extra, None));
            for (index, stream) in self.streams.iter_mut().enumerate() {
                if let Some(head) = stream.peek()
                    && best.is_none_or(|(other, _)| head < other)
                {
                    best = Some((head, Some(index)));
                }
            }
            let Some((occurrence, source)) = best else {
                self.end = Some(self.ended());
                return None;
            };
            match source {
                Some(index) => self.streams[index].head = None,
                None => self.next_extra += 1,
            }
            if self.last == Some(occurrence.at) || self.set.is_excluded(&occurrence) {
                continue;
            }
            self.last = Some(occurrence.at);
            return Some(occurrence);
        }
    }
}

/// One rule's occurrences as instants in order.
#[derive(Debug)]
struct Stream<'a> {
    zone: &'a TimeZone,
    until: Option<Until>,
    expansion: Expansion,
    from: Option<Timestamp>,
    count: Option<u32>,
    /// Local times already expanded whose turn has not come: those that daylight saving skips are read up to a gap's
    /// length later than the local times that follow them.
    pending: BinaryHeap<Reverse<Occurrence>>,
    /// No local time still to be expanded means an instant before this one.
    frontier: Timestamp,
    last: Option<Timestamp>,
    head: Option<Occurrence>,
    end: Option<End>,
}

impl<'a> Stream<'a> {
    fn new(set: &'a Recurrence, rule: &'a Rule, from: Option<Timestamp>) -> Stream<'a> {
        let start = local_seconds(set.start.local());
        let floor = match from {
            // A counted rule has to be walked through from its start.
            Some(from) if rule.count.is_none() => earliest_local(&set.zone, from),
            _ => start,
        };
        let ceiling = rule.until.map(|until| match until {
            Until::Date(date) => local_seconds(date.to_datetime(Time::midnight())) + 86_399,
            Until::Local(local) => local_seconds(local),
            // Local times run at most a day ahead of UTC; the exact comparison is made on instants.
            Until::Utc(at) => at.as_second().saturating_add(86_400),
        });
        Stream {
            zone: &set.zone,
            until: rule.until,
            expansion: Expansion::new(rule, start, floor, ceiling),
            from,
            count: rule.count,
            pending: BinaryHeap::new(),
            frontier: Timestamp::MIN,
            last: None,
            head: None,
            end: None,
        }
    }

    fn peek(&mut self) -> Option<Occurrence> {
        if self.head.is_none() && self.end.is_none() {
            match self.advance() {
                Ok(occurrence) => self.head = Some(occurrence),
                Err(end) => self.end = Some(end),
            }
        }
        self.head
    }

    fn advance(&mut self) -> Result<Occurrence, End> {
        let mut walked = 0;
        loop {
            let occurrence = self.next_in_order()?;
            if self.last == Some(occurrence.at) {
                continue;
            }
            self.last = Some(occurrence.at);
            if let Some(Until::Utc(until)) = self.until
                && occurrence.at > until
            {
                return Err(End::Until);
            }
            match &mut self.count {
                Some(0) => return Err(End::Count),
                Some(left) => *left -= 1,
                None => {}
            }
            if self.from.is_none_or(|from| occurrence.at >= from) {
                return Ok(occurrence);
            }
            walked += 1;
            if walked > COUNTED_MAX {
                return Err(End::NeverWithin(occurrence.local.date()));
            }
        }
    }

    fn next_in_order(&mut self) -> Result<Occurrence, End> {
        loop {
            if let Some(Reverse(first)) = self.pending.peek()
                && first.at <= self.frontier
            {
                let first = *first;
                self.pending.pop();
                return Ok(first);
            }
            match self.expansion.next() {
                Ok(seconds) => {
                    let Some(local) = local_datetime(seconds) else { continue };
                    let Some((at, skipped)) = instant(self.zone, local) else { continue };
                    self.pending.push(Reverse(Occurrence { at, local }));
                    if !skipped {
                        self.frontier = self.frontier.max(at);
                    }
                }
                Err(end) => {
                    self.frontier = Timestamp::MAX;
                    if self.pending.is_empty() {
                        return Err(end);
                    }
                }
            }
        }
    }
}

/// A local second before which no local time can mean `from` or later: the clock at `from`, read with the least
/// offset of the day before (a local time in a gap is read with the offset before it).
fn earliest_local(zone: &TimeZone, from: Timestamp) -> i64 {
    let second = from.as_second();
    let offset = |seconds_back: i64| {
        let at = Timestamp::from_second(second.saturating_sub(seconds_back)).unwrap_or(from);
        i64::from(zone.to_offset(at).seconds())
    };
    second + offset(0).min(offset(3 * 3_600)).min(offset(25 * 3_600))
}
