//! Which types read what other types wrote.
//!
//! Source: the protobuf documentation, "Updating A Message Type" and "ProtoJSON Format". Where that says "compatible if the values
//! fit", no schema proves it: values that are cut or misread are risky, encodings that differ are breaking.

use super::super::model::{Field, Kind};
use super::enums::is_subset;
use super::table::{
    FIELD_SAME_RANGE, FIELD_SAME_TYPE, FIELD_STRING_TO_BYTES, FIELD_WIRE_COMPATIBLE_TYPE, FIELD_WIRE_JSON_COMPATIBLE_TYPE, RuleInfo,
};
use super::{Comparison, Level, mend};

/// Types of one group share their encoding.
fn wire_group(kind: Kind) -> u8 {
    match kind {
        Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 | Kind::Bool => 1,
        Kind::Sint32 | Kind::Sint64 => 2,
        Kind::String => 3,
        Kind::Bytes => 4,
        Kind::Fixed32 | Kind::Sfixed32 => 5,
        Kind::Fixed64 | Kind::Sfixed64 => 6,
        Kind::Double => 7,
        Kind::Float => 8,
        Kind::Group => 9,
        Kind::Message => 10,
        Kind::Enum => 11,
        Kind::Unknown => 12,
    }
}

/// Types of one group share their encoding and their form in JSON (64-bit numbers are strings there).
fn json_group(kind: Kind) -> u8 {
    match kind {
        Kind::Int32 | Kind::Uint32 => 21,
        Kind::Int64 | Kind::Uint64 => 22,
        Kind::Bool => 23,
        Kind::Sint32 => 24,
        Kind::Sint64 => 25,
        other => wire_group(other),
    }
}

fn type_word(field: &Field) -> String {
    if field.kind.is_named() && !field.type_name.is_empty() {
        format!("{} {}", if field.kind == Kind::Unknown { "type" } else { field.kind.word() }, field.type_name)
    } else {
        field.kind.word().to_owned()
    }
}

/// The same named type; a name that could not be resolved may lack its first parts.
fn same_name(before: &Field, now: &Field) -> bool {
    let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|rest| rest.ends_with('.'));
    let (old, new) = (before.type_name.as_str(), now.type_name.as_str());
    old == new || (before.kind == Kind::Unknown && ends(new, old)) || (now.kind == Kind::Unknown && ends(old, new))
}

/// The types of a field before and now; `who` names the field.
pub(super) fn types(all: &mut Comparison<'_>, before: &Field, now: &Field, path: &str, who: &str) {
    let unknown = before.kind == Kind::Unknown || now.kind == Kind::Unknown;
    if unknown && before.kind.is_named() && now.kind.is_named() && same_name(before, now) {
        return;
    }
    let (group, rule): (fn(Kind) -> u8, &RuleInfo) = match all.level {
        Level::Source | Level::Package => {
            if before.kind != now.kind || before.type_name != now.type_name {
                let message = format!("{who} changed its type from {} to {}.", type_word(before), type_word(now));
                let found = all.say(&FIELD_SAME_TYPE, path, now.at(), Some(before.at()), message);
                mend(found, "add a field with a new number and mark this one deprecated");
            }
            return;
        }
        Level::WireJson => (json_group, &FIELD_WIRE_JSON_COMPATIBLE_TYPE),
        Level::Wire => (wire_group, &FIELD_WIRE_COMPATIBLE_TYPE),
    };
    if all.level == Level::Wire && before.kind == Kind::String && now.kind == Kind::Bytes {
        let message = format!("{who} changed from string to bytes: readers that still have a string refuse what is no UTF-8.");
        let found = all.say(&FIELD_STRING_TO_BYTES, path, now.at(), Some(before.at()), message);
        mend(found, "write UTF-8 alone until no reader of the base runs");
        return;
    }
    if group(before.kind) == group(now.kind) {
        if before.kind == now.kind {
            named(all, before, now, path, who, rule);
        } else {
            let message = format!(
                "{who} changed from {} to {}, which the wire reads, but values outside the range of both are cut or misread.",
                before.kind.word(),
                now.kind.word()
            );
            let found = all.say(&FIELD_SAME_RANGE, path, now.at(), Some(before.at()), message);
            mend(found, "add a field with a new number unless every value fits both types");
        }
        return;
    }
    let why = match (before.kind, now.kind) {
        (Kind::Bytes, Kind::String) => " Bytes need not be UTF-8, which a string is.",
        (Kind::Enum, _) | (_, Kind::Enum) => " Numbers without a value of the enum cannot be ruled out.",
        (Kind::Message, Kind::Bytes) | (Kind::Bytes, Kind::Message) => " Bytes that are no such message cannot be ruled out.",
        _ => "",
    };
    let message = format!("{who} changed its type from {} to {}.{why}", type_word(before), type_word(now));
    let found = all.say(rule, path, now.at(), Some(before.at()), message);
    mend(found, "add a field with a new number and reserve this one");
}

/// Fields of the same kind, which may name different types.
fn named(all: &mut Comparison<'_>, before: &Field, now: &Field, path: &str, who: &str, rule: &RuleInfo) {
    if before.type_name == now.type_name {
        return;
    }
    let mut why = "";
    if before.kind == Kind::Enum {
        let old = before.type_index.and_then(|index| all.base.enums.get(index));
        let new = now.type_index.and_then(|index| all.revision.enums.get(index));
        let short = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        if let (Some(old), Some(new)) = (old, new) {
            // The same enum in another place, perhaps with more values.
            if short(&old.name) == short(&new.name) && is_subset(old, new) {
                return;
            }
            why = if short(&old.name) == short(&new.name) { " The new enum lacks values of the old one." } else { "" };
        }
    }
    let message = format!("{who} changed its type from {} to {}.{why}", type_word(before), type_word(now));
    let found = all.say(rule, path, now.at(), Some(before.at()), message);
    mend(found, "add a field with a new number and reserve this one");
}

/// Keys and values of a map, whatever its entry is named.
pub(super) fn entries(all: &mut Comparison<'_>, before: &Field, now: &Field) {
    let old = before.type_index.and_then(|index| all.base.messages.get(index));
    let new = now.type_index.and_then(|index| all.revision.messages.get(index));
    let (Some(old), Some(new)) = (old, new) else { return };
    for (old, new) in old.fields.iter().zip(&new.fields) {
        let path = format!("{}.{}", before.full_name, old.name);
        let who = format!("The {} of map {} {:?}", old.name, before.number, before.full_name);
        types(all, old, new, &path, &who);
    }
}
