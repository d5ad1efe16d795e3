//! Rules about enums and their values.

use super::super::model::{Enum, in_ranges};
use super::messages::{Kept, names, ranges};
use super::table::{
    ENUM_SAME_JSON_FORMAT, ENUM_SAME_TYPE, ENUM_VALUE_ADDED, ENUM_VALUE_NO_DELETE, ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED,
    ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED, ENUM_VALUE_SAME_NAME, RESERVED_ENUM_NO_DELETE,
};
use super::{At, Comparison, Level, mend};
use std::collections::{BTreeMap, BTreeSet};

/// The names of each number, and the line of its first value.
fn by_number(found: &Enum) -> BTreeMap<i64, (BTreeSet<&str>, u32)> {
    let mut numbers: BTreeMap<i64, (BTreeSet<&str>, u32)> = BTreeMap::new();
    for value in &found.values {
        numbers.entry(value.number).or_insert((BTreeSet::new(), value.line)).0.insert(&value.name);
    }
    numbers
}

/// Whether every value of `small` is in `large` by number and name.
pub(super) fn is_subset(small: &Enum, large: &Enum) -> bool {
    let large = by_number(large);
    by_number(small).iter().all(|(number, (names, _))| large.get(number).is_some_and(|(others, _)| names.is_subset(others)))
}

pub(super) fn compare(all: &mut Comparison<'_>) {
    let (base, revision) = (all.base, all.revision);
    for before in &base.enums {
        let Some(now) = revision.enumeration(&before.name) else { continue };
        let (place, was) = (At { file: now.file, line: now.line }, At { file: before.file, line: before.line });
        if before.closed != now.closed {
            let word = |closed| if closed { "closed" } else { "open" };
            let message = format!("The enum {} changed from {} to {}.", before.name, word(before.closed), word(now.closed));
            all.say(&ENUM_SAME_TYPE, &before.name, place, Some(was), message);
        }
        if before.json && !now.json {
            let message = format!("The enum {} allowed JSON and now only tries it (LEGACY_BEST_EFFORT).", before.name);
            all.say(&ENUM_SAME_JSON_FORMAT, &before.name, place, Some(was), message);
        }
        values(all, before, now);
        added(all, before, now);
        let kept = Kept { kind: "enum", name: &before.name, now: place, before: was };
        ranges(all, &RESERVED_ENUM_NO_DELETE, "reserved", &kept, &before.reserved, &now.reserved);
        names(all, &RESERVED_ENUM_NO_DELETE, &kept, &before.reserved_names, &now.reserved_names);
    }
}

fn quoted<'a>(names: impl IntoIterator<Item = &'a &'a str>) -> String {
    names.into_iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

fn values(all: &mut Comparison<'_>, before: &Enum, now: &Enum) {
    let (old, new) = (by_number(before), by_number(now));
    let place = At { file: now.file, line: now.line };
    let reserved_names: BTreeSet<&str> = now.reserved_names.iter().map(String::as_str).collect();
    for (number, (old_names, old_line)) in &old {
        let was = At { file: before.file, line: *old_line };
        let first = old_names.iter().next().copied().unwrap_or_default();
        let path = format!("{}.{first}", before.name);
        let Some((new_names, new_line)) = new.get(number) else {
            let mut deleted = |rule, why: &str| {
                let message = format!("The value {number} {} of {} was deleted{why}.", quoted(old_names), before.name);
                let found = all.say(rule, &path, place, Some(was), message);
                mend(found, format!("reserve {number} and {}", quoted(old_names)));
            };
            deleted(&ENUM_VALUE_NO_DELETE, "");
            if !in_ranges(&now.reserved, *number) {
                deleted(&ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED, " without its number being reserved");
            }
            if !old_names.is_subset(&reserved_names) {
                deleted(&ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED, " without its name being reserved");
            }
            continue;
        };
        // More names for a number are fine, fewer are not.
        if !old_names.is_subset(new_names) {
            let message =
                format!("The value {number} of {} changed its name from {} to {}.", before.name, quoted(old_names), quoted(new_names));
            let found = all.say(&ENUM_VALUE_SAME_NAME, &path, At { file: now.file, line: *new_line }, Some(was), message);
            mend(found, "keep the old name beside the new one with option allow_alias = true");
        }
    }
}

/// Values that readers of the base do not know. An open enum keeps their numbers, so on the wire they matter to closed ones alone.
fn added(all: &mut Comparison<'_>, before: &Enum, now: &Enum) {
    let refused = match all.level {
        Level::WireJson => "readers of JSON that do not know it refuse the message",
        Level::Wire if before.closed => "readers of the base leave the field unset, and refuse the message where it is required",
        _ => return,
    };
    let known: BTreeSet<i64> = before.values.iter().map(|value| value.number).collect();
    for value in now.values.iter().filter(|value| !known.contains(&value.number)) {
        let path = format!("{}.{}", before.name, value.name);
        let message = format!("The value {} {:?} of {} is new: {refused}.", value.number, value.name, before.name);
        let place = At { file: now.file, line: value.line };
        let found = all.say(&ENUM_VALUE_ADDED, &path, place, Some(At { file: before.file, line: before.line }), message);
        mend(found, "write it only when every reader knows it");
    }
}
