//! Expansion of one rule to local times, in order and lazily.
//!
//! Time zones, UNTIL in UTC and COUNT are the next layer's ([`super::recurrence`]); here a local time is a number of
//! seconds. Two engines share one filter on days: years, months and weeks list the days of a period; days, hours,
//! minutes and seconds are arithmetic progressions that jump over what the filter excludes. Every call does a bounded
//! amount of work and says how far it looked.

use jiff::civil::Date;

use super::days::{Day, LAST_DAY, SECONDS_PER_DAY, days_from_civil, days_in_month, days_in_year, first_week_start, week_of, weekday};
use super::rule::{Frequency, Rule};

/// Days, hours, minutes or seconds looked at between two occurrences before the search is given up. Enough for every
/// day of the 400 years after which the calendar repeats, and for one month of each year to 9999.
const STEPS_MAX: u32 = 400_000;

/// Why there are no more occurrences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The rule's COUNT is used up, or the single dates are.
    Count,
    /// The rule's UNTIL has passed.
    Until,
    /// None was found up to and including this local day; a day in 9999 means that there is none at all.
    NeverWithin(Date),
}

/// What a rule asks of a day.
#[derive(Clone, Debug)]
struct Filter {
    /// Bit m for month m; all bits when the part is absent.
    months: u16,
    /// Bit d for day d of the month, and for the dth from its end.
    month_days: u32,
    month_days_from_end: u32,
    year_days: Vec<i16>,
    /// Bit w for week w, and for the wth from the end of the year.
    weeks: u64,
    weeks_from_end: u64,
    /// Bit 0 for Monday.
    weekdays: u8,
    /// (nth, weekday) within the month or the year.
    nth: Vec<(i64, i64)>,
    nth_in_month: bool,
    by_month_day: bool,
    by_week: bool,
    by_day: bool,
    week_start: i64,
}

impl Filter {
    fn new(rule: &Rule, start: &Day) -> Filter {
        let mut months = bits(&rule.by_month) as u16;
        let mut month_days = bits(&positives(&rule.by_month_day)) as u32;
        let mut by_month_day = !rule.by_month_day.is_empty();
        let mut by_day = !rule.by_day.is_empty();
        let mut weekdays = 0u8;
        let mut nth = Vec::new();
        for day in &rule.by_day {
            let weekday = i64::from(day.weekday.to_monday_zero_offset());
            match day.nth {
                Some(n) if rule.frequency >= Frequency::Monthly => nth.push((i64::from(n), weekday)),
                _ => weekdays |= 1 << weekday,
            }
        }
        // "Information, not contained in the rule, … is derived from DTSTART" (RFC 5545, 3.3.10).
        let by_week = !rule.by_week_number.is_empty();
        if !by_day && !by_month_day && rule.by_year_day.is_empty() {
            match rule.frequency {
                Frequency::Yearly if by_week => {
                    weekdays = 1 << weekday(start.number);
                    by_day = true;
                }
                _ if by_week => {}
                Frequency::Yearly => {
                    months = if months == 0 { 1 << start.month } else { months };
                    month_days = 1 << start.day;
                    by_month_day = true;
                }
                Frequency::Monthly => {
                    month_days = 1 << start.day;
                    by_month_day = true;
                }
                Frequency::Weekly => {
                    weekdays = 1 << weekday(start.number);
                    by_day = true;
                }
                _ => {}
            }
        }
        Filter {
            months: if months == 0 { u16::MAX } else { months },
            month_days,
            month_days_from_end: bits(&negatives(&rule.by_month_day)) as u32,
            year_days: rule.by_year_day.clone(),
            weeks: bits(&positives(&rule.by_week_number)),
            weeks_from_end: bits(&negatives(&rule.by_week_number)),
            weekdays,
            nth,
            nth_in_month: rule.frequency == Frequency::Monthly || !rule.by_month.is_empty(),
            by_month_day,
            by_week,
            by_day,
            week_start: i64::from(rule.week_start.to_monday_zero_offset()),
        }
    }

    fn month(&self, month: i64) -> bool {
        self.months >> month & 1 == 1
    }

    fn day(&self, day: &Day) -> bool {
        self.month(day.month)
            && (!self.by_month_day || self.month_day(day))
            && (!self.by_day || self.weekday(day))
            && (self.year_days.is_empty() || self.year_day(day))
            && (!self.by_week || self.week(day))
    }

    fn month_day(&self, day: &Day) -> bool {
        self.month_days >> day.day & 1 == 1
            || self.month_days_from_end != 0 && self.month_days_from_end >> (days_in_month(day.year, day.month) + 1 - day.day) & 1 == 1
    }

    fn year_day(&self, day: &Day) -> bool {
        let ordinal = day.ordinal();
        let from_end = ordinal - days_in_year(day.year) - 1;
        self.year_days.iter().any(|n| i64::from(*n) == ordinal || i64::from(*n) == from_end)
    }

    fn week(&self, day: &Day) -> bool {
        let (_, week, weeks) = week_of(day, self.week_start);
        self.weeks >> week & 1 == 1 || self.weeks_from_end >> (weeks + 1 - week) & 1 == 1
    }

    fn weekday(&self, day: &Day) -> bool {
        let weekday = weekday(day.number);
        if self.weekdays >> weekday & 1 == 1 {
            return true;
        }
        if self.nth.is_empty() {
            return false;
        }
        let (index, length) =
            if self.nth_in_month { (day.day, days_in_month(day.year, day.month)) } else { (day.ordinal(), days_in_year(day.year)) };
        let nth = (index - 1) / 7 + 1;
        let nth_from_end = -((length - index) / 7 + 1);
        self.nth.iter().any(|(n, on)| *on == weekday && (*n == nth || *n == nth_from_end))
    }
}

fn positives(numbers: &[i16]) -> Vec<i16> {
    numbers.iter().copied().filter(|n| *n > 0).collect()
}

fn negatives(numbers: &[i16]) -> Vec<i16> {
    numbers.iter().filter(|n| **n < 0).map(|n| -n).collect()
}

fn bits(numbers: &[i16]) -> u64 {
    numbers.iter().fold(0, |bits, n| bits | 1 << n)
}

/// Local times of one rule, ascending, from a floor on.
#[derive(Clone, Debug)]
pub(crate) struct Expansion {
    filter: Filter,
    engine: Engine,
    /// Nothing before this local second is given out.
    floor: i64,
    /// Nothing after it is searched.
    ceiling: i64,
    end: Option<End>,
}

#[derive(Clone, Debug)]
enum Engine {
    Periods(Periods),
    Progression(Progression),
}

impl Expansion {
    /// `start` and `floor` are local seconds; `ceiling` is where UNTIL certainly has passed.
    pub fn new(rule: &Rule, start: i64, floor: i64, ceiling: Option<i64>) -> Expansion {
        let start_day = Day::from_number(start.div_euclid(SECONDS_PER_DAY));
        let filter = Filter::new(rule, &start_day);
        let floor = floor.max(start);
        let engine = if rule.frequency >= Frequency::Weekly {
            Engine::Periods(Periods::new(rule, &filter, start, &start_day, floor))
        } else {
            Engine::Progression(Progression::new(rule, start, floor))
        };
        let mut end = None;
        if let Engine::Progression(progression) = &engine
            && !progression.time_of_day_possible()
        {
            end = Some(never());
        }
        Expansion { filter, engine, floor, ceiling: ceiling.unwrap_or(i64::MAX), end }
    }

    /// The next local time, or why there is none. Asked again after an end, it gives the same end.
    pub fn next(&mut self) -> Result<i64, End> {
        if let Some(end) = self.end {
            return Err(end);
        }
        let mut steps = 0;
        loop {
            let found = match &mut self.engine {
                Engine::Periods(engine) => engine.next(&self.filter, self.ceiling, &mut steps),
                Engine::Progression(engine) => engine.next(&self.filter, self.ceiling, &mut steps),
            };
            match found {
                Ok(at) if at < self.floor => {}
                Ok(at) if at <= self.ceiling => return Ok(at),
                Ok(_) => return Err(*self.end.insert(End::Until)),
                Err(end) => return Err(*self.end.insert(end)),
            }
        }
    }
}

fn never() -> End {
    End::NeverWithin(Date::constant(9999, 12, 31))
}

fn gave_up(day: i64) -> End {
    let day = Day::from_number(day.min(LAST_DAY));
    Date::new(day.year as i16, day.month as i8, day.day as i8).map_or_else(|_| never(), End::NeverWithin)
}

/// Seconds since midnight of every combination of hour, minute and second, ascending.
fn times(hours: &[i64], minutes: &[i64], seconds: &[i64]) -> Vec<u32> {
    let mut all = Vec::with_capacity(hours.len() * minutes.len() * seconds.len());
    for hour in hours {
        for minute in minutes {
            all.extend(seconds.iter().map(|second| (hour * 3_600 + minute * 60 + second) as u32));
        }
    }
    all
}

/// The part's numbers in order and once each, or `default` when the part is absent.
fn sorted(part: &[i16], default: i64) -> Vec<i64> {
    if part.is_empty() {
        return vec![default];
    }
    let mut numbers: Vec<i64> = part.iter().map(|n| i64::from(*n)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn seconds_of(rule: &Rule, start: i64) -> Vec<i64> {
    let mut seconds = sorted(&rule.by_second, start.rem_euclid(60));
    seconds.iter_mut().for_each(|second| *second = (*second).min(59));
    seconds.dedup();
    seconds
}

/// Indexes chosen by BYSETPOS out of a set of `length`, ascending.
fn chosen(positions: &[i16], length: usize) -> Vec<usize> {
    let mut indexes: Vec<usize> = positions
        .iter()
        .filter_map(|position| match position {
            0.. => (*position as usize).checked_sub(1).filter(|index| *index < length),
            _ => length.checked_sub(position.unsigned_abs() as usize),
        })
        .collect();
    indexes.sort_unstable();
    indexes.dedup();
    indexes
}

/// Yearly, monthly and weekly rules: the days of a period, each with the times of day.
#[derive(Clone, Debug)]
struct Periods {
    frequency: Frequency,
    interval: i64,
    /// Year, month since year 0, or first day of the week, of the start.
    base: i64,
    /// Number of the next period to list.
    period: i64,
    times: Vec<u32>,
    positions: Vec<i16>,
    /// Days of the listed period and what is chosen of days x times (`None`: all).
    days: Vec<i64>,
    chosen: Option<Vec<usize>>,
    next: usize,
}

impl Periods {
    fn new(rule: &Rule, filter: &Filter, start: i64, start_day: &Day, floor: i64) -> Periods {
        let interval = i64::from(rule.interval);
        let floor_day = Day::from_number(floor.div_euclid(SECONDS_PER_DAY));
        let week_years = filter.by_week && rule.frequency == Frequency::Yearly;
        let index = |day: &Day| match rule.frequency {
            Frequency::Yearly if week_years => week_of(day, filter.week_start).0,
            Frequency::Yearly => day.year,
            Frequency::Monthly => day.year * 12 + day.month - 1,
            _ => (day.number - weekday(day.number - filter.week_start)).div_euclid(7),
        };
        let base = index(start_day);
        Periods {
            frequency: rule.frequency,
            interval,
            base,
            period: (index(&floor_day) - base).max(0) / interval,
            times: times(
                &sorted(&rule.by_hour, start.rem_euclid(SECONDS_PER_DAY) / 3_600),
                &sorted(&rule.by_minute, start.rem_euclid(3_600) / 60),
                &seconds_of(rule, start),
            ),
            positions: rule.by_set_position.clone(),
            days: Vec::new(),
            chosen: None,
            next: 0,
        }
    }

    fn next(&mut self, filter: &Filter, ceiling: i64, steps: &mut u32) -> Result<i64, End> {
        loop {
            let index = match &self.chosen {
                Some(chosen) => chosen.get(self.next).copied(),
                None => Some(self.next).filter(|index| *index < self.days.len() * self.times.len()),
            };
            if let Some(index) = index {
                self.next += 1;
                let day = self.days[index / self.times.len()];
                return Ok(day * SECONDS_PER_DAY + i64::from(self.times[index % self.times.len()]));
            }
            let first = self.list(filter, steps);
            if first > LAST_DAY {
                return Err(never());
            }
            if first.saturating_mul(SECONDS_PER_DAY) > ceiling {
                return Err(End::Until);
            }
            if *steps > STEPS_MAX {
                return Err(gave_up(first));
            }
        }
    }

    /// Lists the next period and returns its first day.
    fn list(&mut self, filter: &Filter, steps: &mut u32) -> i64 {
        let index = self.base + self.period * self.interval;
        self.period += 1;
        self.next = 0;
        self.days.clear();
        let range = match self.frequency {
            Frequency::Yearly if index > 10_000 => LAST_DAY + 1..LAST_DAY + 1,
            Frequency::Yearly if filter.by_week => {
                first_week_start(index, filter.week_start)..first_week_start(index + 1, filter.week_start)
            }
            Frequency::Yearly => days_from_civil(index, 1, 1)..days_from_civil(index + 1, 1, 1),
            Frequency::Monthly if index > 120_000 => LAST_DAY + 1..LAST_DAY + 1,
            Frequency::Monthly => {
                let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
                let first = days_from_civil(year, month, 1);
                first..first + days_in_month(year, month)
            }
            // Weeks are counted by their first day's number over 7; the remainder is the same for all of them.
            _ => {
                let first = index * 7 + (filter.week_start - 3).rem_euclid(7);
                first..first + 7
            }
        };
        let first = range.start;
        let mut number = first;
        while number < range.end && number <= LAST_DAY {
            *steps += 1;
            let day = Day::from_number(number);
            if !filter.month(day.month) {
                number += days_in_month(day.year, day.month) - day.day + 1;
                continue;
            }
            if filter.day(&day) {
                self.days.push(number);
            }
            number += 1;
        }
        self.chosen = (!self.positions.is_empty()).then(|| chosen(&self.positions, self.days.len() * self.times.len()));
        first
    }
}

/// Daily and more frequent rules: every nth unit of `unit` seconds.
#[derive(Clone, Debug)]
struct Progression {
    unit: i64,
    interval: i64,
    /// Unit of the start, counted from 1970-01-01T00:00:00.
    base: i64,
    /// Number of the current period, and whether it has passed the filters.
    period: i64,
    entered: bool,
    /// Seconds within a unit, BYSETPOS already applied (each period has the same set).
    offsets: Vec<u32>,
    next: usize,
    /// Bits of the allowed hours, minutes and seconds, where the unit is that fine.
    hours: u64,
    minutes: u64,
    seconds: u64,
}

impl Progression {
    fn new(rule: &Rule, start: i64, floor: i64) -> Progression {
        let unit = match rule.frequency {
            Frequency::Secondly => 1,
            Frequency::Minutely => 60,
            Frequency::Hourly => 3_600,
            _ => SECONDS_PER_DAY,
        };
        let interval = i64::from(rule.interval);
        let base = start.div_euclid(unit);
        let expand = |fine: bool, part: &[i16], default: i64| if fine { sorted(part, default) } else { vec![0] };
        let seconds = if unit > 1 { seconds_of(rule, start) } else { vec![0] };
        let mut offsets = times(
            &expand(unit > 3_600, &rule.by_hour, start.rem_euclid(SECONDS_PER_DAY) / 3_600),
            &expand(unit > 60, &rule.by_minute, start.rem_euclid(3_600) / 60),
            &seconds,
        );
        if !rule.by_set_position.is_empty() {
            offsets = chosen(&rule.by_set_position, offsets.len()).into_iter().map(|index| offsets[index]).collect();
        }
        let limit = |coarse: bool, part: &[i16]| if coarse && !part.is_empty() { bits(part) } else { u64::MAX };
        let mut seconds = limit(unit == 1, &rule.by_second);
        if seconds != u64::MAX && seconds >> 60 & 1 == 1 {
            seconds |= 1 << 59;
        }
        Progression {
            unit,
            interval,
            base,
            period: (floor.div_euclid(unit) - base).max(0) / interval,
            entered: false,
            offsets,
            next: 0,
            hours: limit(unit <= 3_600, &rule.by_hour),
            minutes: limit(unit <= 60, &rule.by_minute),
            seconds,
        }
    }

    /// Whether any of the units that the progression reaches has an allowed time of day: it visits those congruent to
    /// its base modulo gcd(interval, units per day).
    fn time_of_day_possible(&self) -> bool {
        if self.offsets.is_empty() {
            return false;
        }
        let per_day = SECONDS_PER_DAY / self.unit;
        let step = gcd(self.interval, per_day);
        (self.base.rem_euclid(step)..per_day).step_by(step as usize).any(|unit| self.skip(unit * self.unit).is_none())
    }

    /// `None` if the time of day is allowed, else the next local second at which it may be.
    fn skip(&self, at: i64) -> Option<i64> {
        let second_of_day = at.rem_euclid(SECONDS_PER_DAY);
        let midnight = at - second_of_day;
        let (hour, minute, second) = (second_of_day / 3_600, second_of_day / 60 % 60, second_of_day % 60);
        if self.hours >> hour & 1 == 0 {
            return Some(midnight + next_bit(self.hours, hour, 24) * 3_600);
        }
        if self.minutes >> minute & 1 == 0 {
            return Some(midnight + hour * 3_600 + next_bit(self.minutes, minute, 60) * 60);
        }
        if self.seconds >> second & 1 == 0 {
            return Some(at - second + next_bit(self.seconds, second, 60));
        }
        None
    }

    fn next(&mut self, filter: &Filter, ceiling: i64, steps: &mut u32) -> Result<i64, End> {
        loop {
            let at = (self.base + self.period * self.interval) * self.unit;
            let day_number = at.div_euclid(SECONDS_PER_DAY);
            if day_number > LAST_DAY {
                return Err(never());
            }
            if at > ceiling {
                return Err(End::Until);
            }
            if !self.entered {
                *steps += 1;
                if *steps > STEPS_MAX {
                    return Err(gave_up(day_number));
                }
                if let Some(target) = self.excluded_until(filter, at, day_number) {
                    let units = (target + self.unit - 1).div_euclid(self.unit) - self.base;
                    self.period = (self.period + 1).max((units + self.interval - 1).div_euclid(self.interval));
                    continue;
                }
                self.entered = true;
            }
            if let Some(offset) = self.offsets.get(self.next) {
                self.next += 1;
                return Ok(at + i64::from(*offset));
            }
            self.period += 1;
            self.entered = false;
            self.next = 0;
        }
    }

    fn excluded_until(&self, filter: &Filter, at: i64, day_number: i64) -> Option<i64> {
        let day = Day::from_number(day_number);
        if !filter.month(day.month) {
            let next_month = day_number + days_in_month(day.year, day.month) - day.day + 1;
            return Some(next_month * SECONDS_PER_DAY);
        }
        if !filter.day(&day) {
            return Some((day_number + 1) * SECONDS_PER_DAY);
        }
        self.skip(at)
    }
}

/// The lowest set bit above `from`, or `limit`.
fn next_bit(bits: u64, from: i64, limit: i64) -> i64 {
    (from + 1..limit).find(|bit| bits >> bit & 1 == 1).unwrap_or(limit)
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
