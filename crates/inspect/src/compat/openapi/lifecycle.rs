//! Being announced before being taken away: `deprecated`, `x-sunset`, `x-stability-level`.
//!
//! The two extensions are read as oasdiff defines them: a date (RFC 3339 full-date, or a date-time whose date counts), and
//! one of draft, alpha, beta, stable. What is draft or alpha promises nothing.

use super::compare::{Found, Side};
use super::source::Spec;
use crate::document::NodeId;
use crate::finding::Severity::{self, Breaking, Info, Risky};

/// Year, month, day.
pub type Day = (i32, u8, u8);

/// Reads `2026-11-25`, or the date of a date-time.
pub fn day(text: &str) -> Option<Day> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    if !rest.is_empty() && !rest.starts_with(['T', 't', ' ']) {
        return None;
    }
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let fits = parts.next().is_none() && (1..=12).contains(&month) && (1..=31).contains(&day);
    fits.then_some((year, month, day))
}

fn level(name: &str) -> Option<u8> {
    Some(match name {
        "draft" => 0,
        "alpha" => 1,
        "beta" => 2,
        "stable" => 3,
        _ => return None,
    })
}

/// A changed stability level: `Ok` where it rose. Without a level a thing is stable.
pub(super) fn stability(before: Option<&str>, after: Option<&str>) -> Option<Result<String, String>> {
    let rank = |name: Option<&str>| name.map_or(Some(3), level);
    let word = |name: Option<&str>| name.unwrap_or("none").to_owned();
    let (was, is) = (rank(before)?, rank(after)?);
    let message = format!("The stability level was {}, is {}.", word(before), word(after));
    match was.cmp(&is) {
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Less => Some(Ok(message)),
        std::cmp::Ordering::Greater => Some(Err(message)),
    }
}

/// Whether an operation promises nothing.
pub(super) fn promises_nothing(spec: &Spec, operation: NodeId) -> bool {
    matches!(spec.tree.get_text(operation, "x-stability-level"), Some("draft" | "alpha"))
}

/// What is wrong, or worth knowing, with how an operation's end is announced.
pub(super) fn operation(base: (&Spec, NodeId), revision: (&Spec, NodeId), today: Option<Day>) -> Vec<Found> {
    let mut found = Vec::new();
    let (old, new) = ((base.0.tree.is_true(base.1, "deprecated")), (revision.0.tree.is_true(revision.1, "deprecated")));
    let sunset = |side: (&Spec, NodeId)| {
        side.0.tree.get(side.1, "x-sunset").map(|node| (side.0.tree.scalar(node).unwrap_or_default().to_owned(), node))
    };
    let (before, after) = (sunset(base), sunset(revision));
    let here = (Side::Revision, revision.1);
    match (old, new) {
        (true, false) => found.push(Found::new("endpoint-reactivated", Info, here, "Not deprecated any more.")),
        (false, true) => match &after {
            Some((date, node)) => found.extend(announced(date, (Side::Revision, *node), today)),
            None => found.push(Found::new("endpoint-deprecated", Info, here, "Deprecated, without a day (x-sunset) on which it goes.")),
        },
        (true, true) => match (&before, &after) {
            (Some((was, _)), None) => {
                let message = format!("The day on which it goes was {was}, and is not said any more.");
                found.push(Found::new("sunset-deleted", Breaking, here, message));
            }
            (Some((was, _)), Some((is, node))) => {
                if let (Some(earlier), Some(later)) = (day(is), day(was))
                    && earlier < later
                {
                    let message = format!("The day on which it goes was {was}, is {is}: earlier than announced.");
                    found.push(Found::new("api-sunset-date-changed-too-small", Breaking, (Side::Revision, *node), message));
                } else if day(is).is_none() && is != was {
                    found.push(unreadable(is, (Side::Revision, *node)));
                }
            }
            _ => {}
        },
        (false, false) => {}
    }
    let level_of = |side: (&Spec, NodeId)| {
        side.0.tree.get(side.1, "x-stability-level").map(|node| (side.0.tree.scalar(node).unwrap_or_default().to_owned(), node))
    };
    let (was, is) = (level_of(base), level_of(revision));
    if let Some((name, node)) = &is
        && level(name).is_none()
        && was.as_ref().is_none_or(|was| was.0 != *name)
    {
        let message = format!("{name:?} is no stability level; expected draft, alpha, beta or stable.");
        found.push(Found::new("api-invalid-stability-level", Breaking, (Side::Revision, *node), message));
    }
    let place = is.as_ref().map_or(revision.1, |one| one.1);
    match stability(was.as_ref().map(|one| one.0.as_str()), is.as_ref().map(|one| one.0.as_str())) {
        Some(Ok(message)) => found.push(Found::new("api-stability-increased", Info, (Side::Revision, place), message)),
        Some(Err(message)) => found.push(Found::new("api-stability-decreased", Breaking, (Side::Revision, place), message)),
        None => {}
    }
    found
}

fn announced(date: &str, place: (Side, NodeId), today: Option<Day>) -> Vec<Found> {
    let Some(goes) = day(date) else { return vec![unreadable(date, place)] };
    let mut found = vec![Found::new("endpoint-deprecated-with-sunset", Info, place, format!("Deprecated; it goes on {date}."))];
    if today.is_some_and(|today| goes < today) {
        found.push(Found::new("api-sunset-date-too-small", Breaking, place, format!("The day on which it goes, {date}, is past.")));
    }
    found
}

/// A parameter or property that became deprecated: how it is told.
pub(super) fn told(sunset: Option<&str>, today: Option<Day>) -> (&'static str, Severity, String) {
    let Some(date) = sunset else { return ("deprecated", Info, "Deprecated.".to_owned()) };
    match (day(date), today) {
        (None, _) => ("deprecated-sunset-invalid", Breaking, format!("{date:?} is no date; expected one such as 2026-11-25.")),
        (Some(goes), Some(today)) if goes < today => {
            ("sunset-date-too-small", Breaking, format!("The day on which it goes, {date}, is past."))
        }
        _ => ("deprecated-with-sunset", Info, format!("Deprecated; it goes on {date}.")),
    }
}

fn unreadable(date: &str, place: (Side, NodeId)) -> Found {
    Found::new("api-deprecated-sunset-parse", Breaking, place, format!("{date:?} is no date; expected one such as 2026-11-25."))
}

/// A thing that was removed: how it was announced decides. `rules`: without an announcement, with one, before its day.
pub(super) fn removed(base: (&Spec, NodeId), place: (Side, NodeId), today: Option<Day>, what: &str, rules: [&'static str; 3]) -> Found {
    let (spec, node) = base;
    let [without, with, early] = rules;
    if !spec.tree.is_true(node, "deprecated") {
        return Found::new(without, Breaking, place, format!("{what} was removed, and its removal was not announced."))
            .fix("deprecate it first, with a day on which it goes (x-sunset)");
    }
    let Some(sunset) = spec.tree.get(node, "x-sunset").and_then(|node| spec.tree.scalar(node)) else {
        return Found::new(
            with,
            Risky,
            place,
            format!("{what} was removed. It was deprecated, without a day; who still uses it is not known."),
        );
    };
    match (day(sunset), today) {
        (None, _) => {
            Found::new("api-path-sunset-parse", Breaking, place, format!("{what} was removed; its x-sunset {sunset:?} is no date."))
        }
        (Some(goes), Some(today)) if goes <= today => {
            Found::new(with, Info, place, format!("{what} was removed, as announced for {sunset}."))
        }
        (Some(_), Some(_)) => Found::new(early, Breaking, place, format!("{what} was removed before the announced day {sunset}.")),
        (Some(_), None) => Found::new(
            early,
            Breaking,
            place,
            format!("{what} was removed; it was announced for {sunset}, and which day it is was not given."),
        ),
    }
}
