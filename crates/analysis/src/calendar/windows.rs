//! Windows: recurring stretches of time in which deployments are allowed or denied, and the question whether one may
//! start now.
//!
//! Intervals are half-open: a window of 8 to 17 o'clock is active at 08:00:00 and no longer at 17:00:00. Deny beats
//! allow; where there is any allow window, time outside all of them is denied. A person (`manual`) may go ahead if
//! every window in the way says `manual: true`. What cannot be read is an error, never an open window.
//!
//! Overlapping occurrences of one window are one stretch of time. Everything is found near the instant asked about,
//! however long ago the rule began.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::duration::{Duration, DurationError, parse_duration};
use super::expand::End;
use super::parse::RuleError;
use super::recurrence::{Recurrence, RecurrenceError, Start, StartError};
use super::rule::{Rule, Warning};
use super::{ZoneError, zone};

/// Overlapping or touching occurrences that are joined to find a stretch's end; a longer chain has no known end.
const CHAIN_MAX: usize = 2_000;
/// Changes between open and closed that are looked at to find the next opening.
const CHANGES_MAX: usize = 500;
/// How far ahead an end or an opening is looked for.
const HORIZON: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);
/// Largest COUNT of a window's rule: counted rules are walked through from their start.
const COUNT_MAX: u32 = 50_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Allow,
    Deny,
}

/// A window as written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSpec {
    pub name: String,
    pub kind: Kind,
    /// RRULE; empty means once, at `start`.
    #[serde(default)]
    pub rule: String,
    /// Local date-time (or date) of the first occurrence, RFC 5545 or ISO 8601, without a zone.
    pub start: String,
    /// ISO 8601, not zero.
    pub duration: String,
    /// IANA name.
    pub zone: String,
    /// Whether a person may go ahead against this window.
    #[serde(default)]
    pub manual: bool,
}

/// A window that has been read and can be asked.
#[derive(Clone, Debug)]
pub struct Window {
    pub name: String,
    pub kind: Kind,
    pub manual: bool,
    pub duration: Duration,
    recurrence: Recurrence,
    warnings: Vec<Warning>,
}

/// Which part of which window cannot be read, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("window {window:?}: {fault}")]
pub struct WindowError {
    pub window: String,
    /// `rule`, `start`, `duration` or `zone`.
    pub part: &'static str,
    pub fault: WindowFault,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowFault {
    #[error("rule {0}")]
    Rule(#[from] RuleError),
    #[error("rule has COUNT={0}; a window counts at most {COUNT_MAX} occurrences (use UNTIL)")]
    Count(u32),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("start has a zone of its own; write local time and name the zone")]
    StartZone,
    #[error(transparent)]
    Recurrence(#[from] RecurrenceError),
    #[error(transparent)]
    Duration(#[from] DurationError),
    #[error("duration is zero")]
    NoDuration,
    #[error(transparent)]
    Zone(#[from] ZoneError),
}

impl Window {
    /// Reads a window; the zone is looked up in the system's database.
    pub fn parse(spec: &WindowSpec) -> Result<Window, WindowError> {
        let zone = zone(&spec.zone).map_err(|fault| refused(spec, "zone", fault))?;
        Window::parse_in(spec, zone)
    }

    /// Reads a window in a zone that is already at hand (`spec.zone` is not looked at).
    pub fn parse_in(spec: &WindowSpec, zone: TimeZone) -> Result<Window, WindowError> {
        let (start, own_zone) = Start::parse(&spec.start).map_err(|fault| refused(spec, "start", fault))?;
        if own_zone.is_some() {
            return Err(refused(spec, "start", WindowFault::StartZone));
        }
        let duration = parse_duration(&spec.duration).map_err(|fault| refused(spec, "duration", fault))?;
        if duration.is_zero() {
            return Err(refused(spec, "duration", WindowFault::NoDuration));
        }
        let rule = match spec.rule.trim() {
            "" => None,
            text => Some(text.parse::<Rule>().map_err(|fault| refused(spec, "rule", fault))?),
        };
        if let Some(count) = rule.as_ref().and_then(|rule| rule.count).filter(|count| *count > COUNT_MAX) {
            return Err(refused(spec, "rule", WindowFault::Count(count)));
        }
        let recurrence = Recurrence::new(start, zone, rule.clone()).map_err(|fault| refused(spec, "start", fault))?;
        let warnings = rule.map(|rule| recurrence.warnings(&rule)).unwrap_or_default();
        Ok(Window { name: spec.name.clone(), kind: spec.kind, manual: spec.manual, duration, recurrence, warnings })
    }

    /// What RFC 5545 forbids or leaves open in the rule, and how it is read.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Local time of the first occurrence.
    pub fn start(&self) -> DateTime {
        self.recurrence.start().local()
    }

    pub fn recurrence(&self) -> &Recurrence {
        &self.recurrence
    }

    /// Why the window never becomes active after `at`; `None` if it does.
    pub fn never_after(&self, at: Timestamp) -> Option<End> {
        let mut occurrences = self.recurrence.occurrences_from(at);
        occurrences.next().is_none().then(|| occurrences.end().unwrap_or(End::Count))
    }

    fn end_of(&self, start: Timestamp) -> Timestamp {
        self.duration.after(start, self.recurrence.zone())
    }

    /// The last start in (at − duration, at], looked for in steps that double, so that a rule of seconds with a
    /// duration of days does not list every second.
    fn last_start(&self, at: Timestamp) -> Option<Timestamp> {
        let longest = self.duration.at_most();
        let counted = self.recurrence.rules().iter().any(|rule| rule.count.is_some());
        let mut back = if counted { longest } else { SignedDuration::from_secs(60).min(longest) };
        loop {
            let from = at.checked_sub(back).unwrap_or(Timestamp::MIN);
            let starts = self.recurrence.occurrences_from(from).map(|occurrence| occurrence.at);
            if let Some(start) = starts.take_while(|start| *start <= at).last() {
                return Some(start);
            }
            if back >= longest {
                return None;
            }
            back = back.checked_mul(8).unwrap_or(longest).min(longest);
        }
    }
}

fn refused(spec: &WindowSpec, part: &'static str, fault: impl Into<WindowFault>) -> WindowError {
    WindowError { window: spec.name.clone(), part, fault: fault.into() }
}

/// The stretch of time around `at` in which the window is active: start of the occurrence that reaches `at` and, when
/// occurrences overlap or touch, the end of the last of them. `Timestamp::MAX` as end: no end was found.
pub fn is_active(window: &Window, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let start = window.last_start(at)?;
    let end = window.end_of(start);
    if end <= at {
        return None;
    }
    Some((start, joined_end(window, at, end)))
}

fn joined_end(window: &Window, at: Timestamp, mut end: Timestamp) -> Timestamp {
    let horizon = at.checked_add(HORIZON).unwrap_or(Timestamp::MAX);
    let mut chain = 0;
    // From the end found so far, the last start at or before it leads furthest.
    while let Some(start) = window.last_start(end) {
        let next = window.end_of(start);
        if next <= end {
            return end;
        }
        end = next;
        chain += 1;
        if chain > CHAIN_MAX || end > horizon {
            return Timestamp::MAX;
        }
    }
    end
}

/// The first start of the window strictly after `after`.
pub fn next_start(window: &Window, after: Timestamp) -> Option<Timestamp> {
    let mut occurrences = window.recurrence.occurrences_from(after).map(|occurrence| occurrence.at);
    occurrences.find(|start| *start > after)
}

/// Why a start is denied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum DenialReason {
    /// This deny window is active until then (`None`: no end is known).
    Deny { until: Option<Timestamp> },
    /// There are allow windows and none is active; this one next opens then.
    OutsideAllow { opens: Option<Timestamp> },
    /// The start itself is allowed, but the expected duration runs into the closing caused by this window.
    Runway { closes: Timestamp },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Denial {
    pub window: String,
    /// Whether a person may go ahead against it.
    pub manual: bool,
    #[serde(flatten)]
    pub reason: DenialReason,
}

/// The answer of [`check`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[must_use]
pub struct WindowVerdict {
    pub allowed: bool,
    /// Everything in the way; where a person may go ahead (`allowed` with `manual`), what was passed by doing so.
    pub denied_by: Vec<Denial>,
    /// When it closes, if it is open now (`None`: not within ten years, or it is closed).
    pub open_until: Option<Timestamp>,
    /// When it is next open, with room for the runway, if it is not allowed now (`None`: not within ten years).
    pub next_open: Option<Timestamp>,
}

/// Whether a deployment may start at `at`.
///
/// `manual`: a person starts it. `runway`: its expected length, all of which has to be open: a run that would end at the
/// very moment of closing still fits.
pub fn check(windows: &[Window], at: Timestamp, manual: bool, runway: Option<SignedDuration>) -> WindowVerdict {
    let state = State { windows, manual };
    let runway = runway.unwrap_or(SignedDuration::ZERO).max(SignedDuration::ZERO);
    let (mut denied_by, mut open) = state.denials(at);
    let closing = if open { state.closes(at) } else { None };
    if open
        && let Some((closes, window)) = closing
        && at.checked_add(runway).unwrap_or(Timestamp::MAX) > closes
    {
        let manual = state.windows[window].manual;
        let reason = DenialReason::Runway { closes };
        denied_by.push(Denial { window: state.windows[window].name.clone(), manual, reason });
        open = false;
    }
    WindowVerdict {
        allowed: open,
        denied_by,
        open_until: closing.map(|(closes, _)| closes),
        next_open: if open { None } else { state.next_open(at, runway) },
    }
}

struct State<'a> {
    windows: &'a [Window],
    manual: bool,
}

impl<'a> State<'a> {
    fn of(&self, kind: Kind) -> impl Iterator<Item = (usize, &'a Window)> {
        let windows = self.windows;
        windows.iter().enumerate().filter(move |(_, window)| window.kind == kind)
    }

    /// Time outside the allow windows matters: there are some, and not all of them let a person pass.
    fn allow_binds(&self) -> bool {
        self.of(Kind::Allow).next().is_some() && !(self.manual && self.of(Kind::Allow).all(|(_, window)| window.manual))
    }

    fn deny_binds(&self, window: &Window) -> bool {
        !(self.manual && window.manual)
    }

    /// Everything in the way at `at`, and whether it is open nevertheless.
    fn denials(&self, at: Timestamp) -> (Vec<Denial>, bool) {
        let mut denials = Vec::new();
        let mut open = true;
        for (_, window) in self.of(Kind::Deny) {
            if let Some((_, end)) = is_active(window, at) {
                let until = (end < Timestamp::MAX).then_some(end);
                let reason = DenialReason::Deny { until };
                denials.push(Denial { window: window.name.clone(), manual: window.manual, reason });
                open &= !self.deny_binds(window);
            }
        }
        if self.of(Kind::Allow).next().is_some() && !self.of(Kind::Allow).any(|(_, w)| is_active(w, at).is_some()) {
            for (_, window) in self.of(Kind::Allow) {
                let reason = DenialReason::OutsideAllow { opens: next_start(window, at) };
                denials.push(Denial { window: window.name.clone(), manual: window.manual, reason });
            }
            open &= !self.allow_binds();
        }
        (denials, open)
    }

    /// When it closes after `at`, at which it is open, and by which window.
    fn closes(&self, at: Timestamp) -> Option<(Timestamp, usize)> {
        let horizon = at.checked_add(HORIZON).unwrap_or(Timestamp::MAX);
        let denied = self.of(Kind::Deny).filter(|(_, window)| self.deny_binds(window));
        let mut closing = denied.filter_map(|(index, window)| Some((next_start(window, at)?, index))).min();
        if self.allow_binds() {
            let mut end = at;
            let mut last = None;
            // The union of the allow windows: step from end to end while another one is active there.
            for _ in 0..CHAIN_MAX {
                let reach = self.of(Kind::Allow).filter_map(|(index, w)| Some((is_active(w, end)?.1, index))).max();
                let Some((reached, index)) = reach.filter(|(reached, _)| *reached > end) else { break };
                (end, last) = (reached, Some(index));
                if end > horizon || closing.is_some_and(|(closes, _)| closes <= end) {
                    break;
                }
            }
            let reaches = end <= horizon;
            if let Some(index) = last.filter(|_| reaches)
                && closing.is_none_or(|(closes, _)| end < closes)
            {
                closing = Some((end, index));
            }
        }
        closing.filter(|(closes, _)| *closes <= horizon)
    }

    fn next_open(&self, at: Timestamp, runway: SignedDuration) -> Option<Timestamp> {
        let horizon = at.checked_add(HORIZON).unwrap_or(Timestamp::MAX);
        let mut now = at;
        for _ in 0..CHANGES_MAX {
            if now > horizon {
                return None;
            }
            let denied = self.of(Kind::Deny).filter(|(_, window)| self.deny_binds(window));
            if let Some(end) = denied.filter_map(|(_, window)| is_active(window, now)).map(|(_, end)| end).max() {
                now = end;
                continue;
            }
            if self.allow_binds() && !self.of(Kind::Allow).any(|(_, window)| is_active(window, now).is_some()) {
                now = self.of(Kind::Allow).filter_map(|(_, window)| next_start(window, now)).min()?;
                continue;
            }
            match self.closes(now) {
                Some((closes, _)) if now.checked_add(runway).unwrap_or(Timestamp::MAX) > closes => now = closes,
                _ => return Some(now),
            }
        }
        None
    }
}
