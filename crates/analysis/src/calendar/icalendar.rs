//! iCalendar files (RFC 5545): events with their recurrence sets.
//!
//! Reads what calendars need: VEVENT with UID, SUMMARY, DTSTART, DTEND or DURATION, RRULE, RDATE, EXDATE, RECURRENCE-ID
//! and STATUS. A time zone is named by TZID; VTIMEZONE definitions are not interpreted, so the name must be one that the
//! system knows. What cannot be read is an error with its line, never an event less.

use super::parse::{basic_date, basic_datetime};
use super::recurrence::instant;
use super::{Duration, Exclusion, Recurrence, Rule, Start, parse_duration, zone};
use jiff::tz::TimeZone;
use std::collections::HashMap;

/// Files beyond this many bytes are not read.
pub const BYTES_MAX: usize = 16 << 20;
/// Events beyond this number are not read.
pub const EVENTS_MAX: usize = 100_000;

/// One event with all its occurrences; cancelled ones are not among them.
#[derive(Debug, Clone)]
pub struct Event {
    pub uid: String,
    pub summary: String,
    /// Line of its BEGIN, from 1.
    pub line: u32,
    pub recurrence: Recurrence,
    /// How long each occurrence lasts.
    pub length: Duration,
}

/// Why a file is no iCalendar file that can be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct IcalendarError {
    pub line: u32,
    pub what: String,
}

fn fault<T>(line: u32, what: impl Into<String>) -> Result<T, IcalendarError> {
    Err(IcalendarError { line, what: what.into() })
}

/// A content line, unfolded (RFC 5545, 3.1).
struct Line {
    number: u32,
    name: String,
    parameters: Vec<(String, String)>,
    value: String,
}

impl Line {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// All events of a file, in its order; changed single occurrences (RECURRENCE-ID) are events of their own, taken out of
/// their series.
pub fn read(bytes: &[u8]) -> Result<Vec<Event>, IcalendarError> {
    if bytes.len() > BYTES_MAX {
        return fault(1, format!("the file has more than {BYTES_MAX} bytes"));
    }
    let text = std::str::from_utf8(bytes).or_else(|why| {
        let line = bytes[..why.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        fault(u32::try_from(line).unwrap_or(u32::MAX), "the text is not UTF-8 (RFC 5545, 3.1.4)")
    })?;
    let lines = unfold(text)?;
    match lines.first() {
        Some(first) if first.name == "BEGIN" && first.value.eq_ignore_ascii_case("VCALENDAR") => {}
        other => return fault(other.map_or(1, |line| line.number), "expected BEGIN:VCALENDAR"),
    }
    let mut open: Vec<(&str, u32)> = Vec::new();
    let mut drafts: Vec<Draft> = Vec::new();
    for line in &lines {
        match line.name.as_str() {
            "BEGIN" => {
                open.push((line.value.as_str(), line.number));
                if line.value.eq_ignore_ascii_case("VEVENT") {
                    if drafts.len() == EVENTS_MAX {
                        return fault(line.number, format!("more than {EVENTS_MAX} events"));
                    }
                    drafts.push(Draft::new(line.number));
                }
            }
            "END" => match open.pop() {
                Some((name, _)) if name.eq_ignore_ascii_case(&line.value) => {}
                Some((name, at)) => return fault(line.number, format!("END:{} does not close BEGIN:{name} of line {at}", line.value)),
                None => return fault(line.number, format!("END:{} without a BEGIN", line.value)),
            },
            _ if open.last().is_some_and(|(name, _)| name.eq_ignore_ascii_case("VEVENT")) => {
                if let Some(draft) = drafts.last_mut() {
                    draft.take(line)?;
                }
            }
            _ => {}
        }
    }
    if let Some((name, at)) = open.pop() {
        return fault(at, format!("BEGIN:{name} is never closed: the file is cut"));
    }
    finish(drafts)
}

/// Splits lines, joins folded ones (a line that begins with a space or a tab goes on).
fn unfold(text: &str) -> Result<Vec<Line>, IcalendarError> {
    let mut joined: Vec<(u32, String)> = Vec::new();
    for (index, raw) in text.split('\n').enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let raw = raw.strip_suffix('\r').unwrap_or(raw);
        let raw = if index == 0 { raw.strip_prefix('\u{feff}').unwrap_or(raw) } else { raw };
        match (raw.strip_prefix([' ', '\t']), joined.last_mut()) {
            (Some(rest), Some((_, line))) => line.push_str(rest),
            (Some(_), None) => return fault(number, "a folded line that continues nothing"),
            (None, _) if raw.is_empty() => {}
            (None, _) => joined.push((number, raw.to_owned())),
        }
    }
    joined.into_iter().map(|(number, text)| content_line(number, &text)).collect()
}

/// `NAME;PARAM=value;PARAM="quoted:value":VALUE`
fn content_line(number: u32, text: &str) -> Result<Line, IcalendarError> {
    let (mut quoted, mut cuts) = (false, Vec::new());
    let mut colon = None;
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            ';' if !quoted => cuts.push(at),
            ':' if !quoted => {
                colon = Some(at);
                break;
            }
            _ => {}
        }
    }
    let Some(colon) = colon else { return fault(number, "expected NAME:VALUE") };
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts.into_iter().chain([colon]) {
        pieces.push(&text[from..cut]);
        from = cut + 1;
    }
    let mut pieces = pieces.into_iter();
    let name = pieces.next().unwrap_or_default().to_ascii_uppercase();
    let mut parameters = Vec::new();
    for piece in pieces {
        let Some((key, value)) = piece.split_once('=') else { return fault(number, format!("parameter {piece:?}: expected NAME=VALUE")) };
        parameters.push((key.to_ascii_uppercase(), value.trim_matches('"').to_owned()));
    }
    Ok(Line { number, name, parameters, value: text[colon + 1..].to_owned() })
}

/// A point in time as the file writes it.
#[derive(Clone)]
struct Moment {
    start: Start,
    /// The zone that the property names; `None` for floating times and days.
    zone: Option<TimeZone>,
}

impl Moment {
    fn read(line: &Line, text: &str) -> Result<Self, IcalendarError> {
        let named = match line.parameter("TZID") {
            // A leading slash marks a globally unique name (3.8.3.1); what follows is the name.
            Some(name) => Some(zone(name.trim_start_matches('/')).or_else(|why| fault(line.number, why.to_string()))?),
            None => None,
        };
        if let Some(date) = basic_date(text) {
            return Ok(Self { start: Start::Date(date), zone: None });
        }
        let (local, utc) = text.strip_suffix('Z').map_or((text, false), |local| (local, true));
        let Some(at) = basic_datetime(local) else {
            return fault(line.number, format!("{}: expected 19970902T090000 or 19970902, found {text:?}", line.name));
        };
        Ok(Self { start: Start::Local(at), zone: if utc { Some(TimeZone::UTC) } else { named } })
    }

    fn exclusion(&self) -> Exclusion {
        match (self.start, &self.zone) {
            (Start::Date(date), _) => Exclusion::Day(date),
            (Start::Local(local), Some(zone)) => instant(zone, local).map_or(Exclusion::Local(local), |(at, _)| Exclusion::At(at)),
            (Start::Local(local), None) => Exclusion::Local(local),
        }
    }
}

struct Draft {
    line: u32,
    uid: String,
    summary: String,
    start: Option<Moment>,
    end: Option<Moment>,
    length: Option<Duration>,
    rules: Vec<(u32, Rule)>,
    extra: Vec<Moment>,
    excluded: Vec<Exclusion>,
    replaces: Option<Exclusion>,
    cancelled: bool,
}

impl Draft {
    fn new(line: u32) -> Self {
        Self {
            line,
            uid: String::new(),
            summary: String::new(),
            start: None,
            end: None,
            length: None,
            rules: Vec::new(),
            extra: Vec::new(),
            excluded: Vec::new(),
            replaces: None,
            cancelled: false,
        }
    }

    fn take(&mut self, line: &Line) -> Result<(), IcalendarError> {
        let moments = || line.value.split(',').map(|one| Moment::read(line, one));
        match line.name.as_str() {
            "UID" => self.uid.clone_from(&line.value),
            "SUMMARY" => self.summary = unescape(&line.value),
            "STATUS" => self.cancelled = line.value.eq_ignore_ascii_case("CANCELLED"),
            "DTSTART" => self.start = Some(Moment::read(line, &line.value)?),
            "DTEND" => self.end = Some(Moment::read(line, &line.value)?),
            "DURATION" => self.length = Some(parse_duration(&line.value).or_else(|why| fault(line.number, why.to_string()))?),
            "RRULE" => {
                let rule = line.value.parse().or_else(|why: super::RuleError| fault(line.number, why.to_string()))?;
                self.rules.push((line.number, rule));
            }
            "RDATE" if line.parameter("VALUE") == Some("PERIOD") => {
                return fault(line.number, "RDATE with VALUE=PERIOD is not read: write its start as DATE-TIME");
            }
            "RDATE" => self.extra.extend(moments().collect::<Result<Vec<_>, _>>()?),
            "EXDATE" => self.excluded.extend(moments().map(|one| one.map(|one| one.exclusion())).collect::<Result<Vec<_>, _>>()?),
            "RECURRENCE-ID" => self.replaces = Some(Moment::read(line, &line.value)?.exclusion()),
            "EXRULE" => return fault(line.number, "EXRULE is not part of RFC 5545: write EXDATE, or a second event"),
            _ => {}
        }
        Ok(())
    }

    fn event(self, also_excluded: &[Exclusion]) -> Result<Event, IcalendarError> {
        let Some(first) = self.start else { return fault(self.line, "the event has no DTSTART") };
        let home = first.zone.clone().unwrap_or(TimeZone::UTC);
        let bad = |why: super::RecurrenceError| IcalendarError { line: self.line, what: why.to_string() };
        let length = match (self.length, self.end) {
            (Some(_), Some(_)) => return fault(self.line, "the event has both DTEND and DURATION (RFC 5545, 3.6.1)"),
            (Some(length), None) => length,
            (None, Some(end)) => between(self.line, &first, &end, &home)?,
            // A day without an end lasts that day, a time without one no time at all (3.6.1).
            (None, None) => match first.start {
                Start::Date(_) => Duration { days: 1, ..Duration::default() },
                Start::Local(_) => Duration::default(),
            },
        };
        let mut rules = self.rules.into_iter();
        let mut recurrence = Recurrence::new(first.start, home.clone(), rules.next().map(|(_, rule)| rule)).map_err(bad)?;
        for (_, rule) in rules {
            recurrence.add_rule(rule).map_err(bad)?;
        }
        for extra in self.extra {
            match (extra.start, extra.zone) {
                (Start::Local(local), Some(zone)) => {
                    if let Some((at, _)) = instant(&zone, local) {
                        recurrence.add_instant(at);
                    }
                }
                (start, _) => recurrence.add_local(start.local()),
            }
        }
        for exclusion in self.excluded.into_iter().chain(also_excluded.iter().copied()) {
            recurrence.exclude(exclusion);
        }
        Ok(Event { uid: self.uid, summary: self.summary, line: self.line, recurrence, length })
    }
}

fn between(line: u32, first: &Moment, end: &Moment, home: &TimeZone) -> Result<Duration, IcalendarError> {
    if let (Start::Date(first), Start::Date(end)) = (first.start, end.start) {
        let days = i64::from(first.until(end).map_or(-1, |span| span.get_days()));
        return if days > 0 { Ok(Duration { days, ..Duration::default() }) } else { fault(line, "DTEND is not after DTSTART") };
    }
    let at = |moment: &Moment| instant(moment.zone.as_ref().unwrap_or(home), moment.start.local()).map(|(at, _)| at);
    match (at(first), at(end)) {
        (Some(first), Some(end)) if end >= first => Ok(Duration { days: 0, exact: end.duration_since(first) }),
        _ => fault(line, "DTEND is before DTSTART, or outside the years 1 to 9999"),
    }
}

fn finish(drafts: Vec<Draft>) -> Result<Vec<Event>, IcalendarError> {
    let mut replaced: HashMap<String, Vec<Exclusion>> = HashMap::new();
    for draft in &drafts {
        if let Some(exclusion) = draft.replaces {
            replaced.entry(draft.uid.clone()).or_default().push(exclusion);
        }
    }
    let mut events = Vec::new();
    for draft in drafts {
        if draft.cancelled {
            continue;
        }
        let taken_out = replaced.get(&draft.uid).filter(|_| draft.replaces.is_none());
        events.push(draft.event(taken_out.map_or(&[][..], Vec::as_slice))?);
    }
    Ok(events)
}

/// Text of a value (RFC 5545, 3.3.11).
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n' | 'N') => plain.push('\n'),
                Some(other) => plain.push(other),
                None => {}
            },
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn starts(text: &str) -> Vec<String> {
        let events = read(text.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
        let mut all: Vec<Timestamp> = events.iter().flat_map(|event| event.recurrence.occurrences().take(20).map(|one| one.at)).collect();
        all.sort_unstable();
        all.iter().map(ToString::to_string).collect()
    }

    fn file(events: &str) -> String {
        format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}END:VCALENDAR\r\n", events.replace('\n', "\r\n"))
    }

    #[test]
    fn a_series_with_a_moved_a_removed_and_an_extra_date() {
        let text = file(
            "BEGIN:VEVENT\nUID:a\nSUMMARY:Quarter\\, close\nDTSTART;TZID=Europe/Berlin:20260327T090000\nDURATION:PT2H\nRRULE:FREQ=DAI\n LY;COUNT=5\n\
             EXDATE;TZID=Europe/Berlin:20260328T090000\nRDATE:20260501T070000Z\nEND:VEVENT\n\
             BEGIN:VEVENT\nUID:a\nRECURRENCE-ID;TZID=\"Europe/Berlin\":20260330T090000\nDTSTART;TZID=Europe/Berlin:20260330T150000\n\
             DTEND;TZID=Europe/Berlin:20260330T160000\nEND:VEVENT\n\
             BEGIN:VEVENT\nUID:b\nSTATUS:CANCELLED\nDTSTART:20260101T000000Z\nEND:VEVENT\n",
        );
        // The clock goes forward on the 29th: nine in the morning is an hour earlier in UTC from then on.
        let expected =
            ["2026-03-27T08:00:00Z", "2026-03-29T07:00:00Z", "2026-03-30T13:00:00Z", "2026-03-31T07:00:00Z", "2026-05-01T07:00:00Z"];
        assert_eq!(starts(&text), expected);
        let events = read(text.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((events[0].summary.as_str(), events.len()), ("Quarter, close", 2));
        assert_eq!(events[0].length.to_string(), "PT2H");
    }

    #[test]
    fn a_whole_day_lasts_a_day() {
        let events = read(file("BEGIN:VEVENT\nDTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227\nEND:VEVENT\n").as_bytes());
        assert_eq!(events.map(|events| events[0].length.to_string()), Ok("P3D".to_owned()));
        let events = read(file("BEGIN:VEVENT\nDTSTART;VALUE=DATE:20261224\nEND:VEVENT\n").as_bytes());
        assert_eq!(events.map(|events| events[0].length.to_string()), Ok("P1D".to_owned()));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        for (events, line, word) in [
            ("BEGIN:VEVENT\nDTSTART;TZID=Moon/Base:20260101T000000\nEND:VEVENT\n", 4, "Moon/Base"),
            ("BEGIN:VEVENT\nDTSTART:tomorrow\nEND:VEVENT\n", 4, "tomorrow"),
            ("BEGIN:VEVENT\nSUMMARY:no start\nEND:VEVENT\n", 3, "no DTSTART"),
            ("BEGIN:VEVENT\nDTSTART:20260101T000000Z\nRRULE:FREQ=OFTEN\nEND:VEVENT\n", 5, "OFTEN"),
            ("BEGIN:VEVENT\nDTSTART:20260101T000000Z\nDTEND:20250101T000000Z\nEND:VEVENT\n", 3, "before DTSTART"),
            ("BEGIN:VEVENT\nDTSTART:20260101T000000Z\nEND:VTODO\n", 5, "does not close"),
            ("BEGIN:VEVENT\nDTSTART:20260101T000000Z\n", 5, "does not close"),
            ("nonsense\n", 3, "NAME:VALUE"),
        ] {
            let why = read(file(events).as_bytes()).expect_err(events);
            assert!(why.line == line && why.what.contains(word), "{events}: {why}");
        }
        let cut = file("BEGIN:VEVENT\nDTSTART:20260101T000000Z\n").replace("END:VCALENDAR\r\n", "");
        assert!(read(cut.as_bytes()).expect_err("cut").what.contains("cut"));
        assert_eq!(read(b"BEGIN:VCARD\nEND:VCARD\n").expect_err("a card").line, 1);
    }
}
