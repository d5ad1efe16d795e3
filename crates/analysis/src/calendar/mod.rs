//! Recurring dates (RFC 5545) and the windows made of them.
//!
//! Three layers, each usable alone: [`Rule`] is a parsed RRULE, [`Recurrence`] anchors rules at a local start in a time
//! zone and expands them lazily to instants, [`Window`] gives every occurrence a duration and decides whether an instant
//! lies inside. Expansion is our own because freezes depend on it: week numbers, set positions and local times that
//! daylight saving skips or repeats are all expanded as the standard says, and no rule, however sparse or dense, costs
//! more than a bounded amount of work per question.
//!
//! [`icalendar`] reads files of other calendars. Not here: feeds, and conflicts between releases.

mod days;
mod duration;
mod expand;
pub mod icalendar;
mod parse;
mod recurrence;
mod rule;
mod windows;

pub use duration::{Duration, DurationError, parse_duration};
pub use expand::End;
pub use parse::RuleError;
pub use recurrence::{Exclusion, Occurrence, Occurrences, Recurrence, RecurrenceError, Start, StartError};
pub use rule::{Frequency, NthWeekday, Rule, Until, Warning};
pub use windows::{Denial, DenialReason, Kind, Window, WindowError, WindowSpec, WindowVerdict, check, is_active, next_start};

/// Looks up an IANA time zone (`Europe/Berlin`, `UTC`) in the system's database.
///
/// Times of day are meaningless without the right zone, so an unknown name is an error and never UTC.
pub fn zone(name: &str) -> Result<jiff::tz::TimeZone, ZoneError> {
    // An empty name or one with a leading ':' would be resolved by the environment on some systems.
    if name.is_empty() || name.starts_with(':') {
        return Err(ZoneError { name: name.to_owned() });
    }
    jiff::tz::TimeZone::get(name).map_err(|_| ZoneError { name: name.to_owned() })
}

/// A time zone name that the system's database does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("time zone {name:?} is not known here: expected an IANA name such as Europe/Berlin or UTC")]
pub struct ZoneError {
    pub name: String,
}
