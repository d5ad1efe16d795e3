//! Rules about messages: their form, required fields, oneofs, and what they reserve.

use super::super::model::{Message, joined, missing};
use super::super::syntax::Range;
use super::table::{
    EXTENSION_MESSAGE_NO_DELETE, MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR, MESSAGE_SAME_JSON_FORMAT, MESSAGE_SAME_MESSAGE_SET,
    MESSAGE_SAME_REQUIRED_FIELDS, ONEOF_NO_DELETE, RESERVED_MESSAGE_NO_DELETE, RuleInfo,
};
use super::{At, Comparison, mend};
use crate::compat::protobuf::model::Cardinality;
use std::collections::HashSet;

impl Message {
    fn at(&self) -> At {
        At { file: self.file, line: self.line }
    }
}

pub(super) fn compare(all: &mut Comparison<'_>) {
    let (base, revision) = (all.base, all.revision);
    for before in &base.messages {
        let Some(now) = revision.message(&before.name) else { continue };
        if before.map_entry && now.map_entry {
            continue;
        }
        form(all, before, now);
        required(all, before, now);
        let oneofs: HashSet<&str> = now.oneofs.iter().map(|oneof| oneof.name.as_str()).collect();
        for oneof in &before.oneofs {
            if !oneofs.contains(oneof.name.as_str()) {
                let path = format!("{}.{}", before.name, oneof.name);
                let message = format!("The oneof {} of {} was deleted.", oneof.name, before.name);
                all.say(&ONEOF_NO_DELETE, &path, now.at(), Some(At { file: before.file, line: oneof.line }), message);
            }
        }
        let place = Kept { kind: "message", name: &before.name, now: now.at(), before: before.at() };
        ranges(all, &RESERVED_MESSAGE_NO_DELETE, "reserved", &place, &before.reserved, &now.reserved);
        ranges(all, &EXTENSION_MESSAGE_NO_DELETE, "extension", &place, &before.extension_ranges, &now.extension_ranges);
        names(all, &RESERVED_MESSAGE_NO_DELETE, &place, &before.reserved_names, &now.reserved_names);
    }
}

fn form(all: &mut Comparison<'_>, before: &Message, now: &Message) {
    if before.json && !now.json {
        let message = format!("{} allowed JSON and now only tries it (LEGACY_BEST_EFFORT).", before.name);
        all.say(&MESSAGE_SAME_JSON_FORMAT, &before.name, now.at(), Some(before.at()), message);
    }
    if before.message_set != now.message_set {
        let word = if now.message_set { "changed to" } else { "left" };
        let message = format!("{} {word} MessageSet form, which is another encoding of its extensions.", before.name);
        let found = all.say(&MESSAGE_SAME_MESSAGE_SET, &before.name, now.at(), Some(before.at()), message);
        mend(found, format!("option message_set_wire_format = {};", before.message_set));
    }
    if !before.no_standard_descriptor_accessor && now.no_standard_descriptor_accessor {
        let message = format!("{} lost its descriptor() accessor.", before.name);
        all.say(&MESSAGE_NO_REMOVE_STANDARD_DESCRIPTOR_ACCESSOR, &before.name, now.at(), Some(before.at()), message);
    }
}

fn required(all: &mut Comparison<'_>, before: &Message, now: &Message) {
    let rule = &MESSAGE_SAME_REQUIRED_FIELDS;
    if !all.on(rule) {
        return;
    }
    let set = |message: &Message| -> HashSet<i64> {
        message.fields.iter().filter(|field| field.cardinality == Cardinality::Required).map(|field| field.number).collect()
    };
    let (old, new) = (set(before), set(now));
    for field in before.fields.iter().filter(|field| old.contains(&field.number) && !new.contains(&field.number)) {
        let message = format!(
            "{} no longer requires field {} {:?}: readers of the base refuse messages without it.",
            before.name, field.number, field.name
        );
        let path = format!("{}.{}", before.name, field.name);
        let found = all.say(rule, &path, now.at(), Some(At { file: before.file, line: field.line }), message);
        mend(found, format!("keep required field {} until no reader of the base runs", field.number));
    }
    for field in now.fields.iter().filter(|field| new.contains(&field.number) && !old.contains(&field.number)) {
        let message =
            format!("{} newly requires field {} {:?}: messages of the base lack it and are refused.", now.name, field.number, field.name);
        let path = format!("{}.{}", now.name, field.name);
        let found = all.say(rule, &path, At { file: now.file, line: field.line }, Some(before.at()), message);
        mend(found, "make the field optional");
    }
}

/// Something that reserves, in both trees.
pub(super) struct Kept<'a> {
    pub kind: &'static str,
    pub name: &'a str,
    pub now: At,
    pub before: At,
}

/// The ranges of the base that the revision does not hold completely. Both are joined.
pub(super) fn ranges(all: &mut Comparison<'_>, rule: &RuleInfo, what: &str, kept: &Kept<'_>, before: &[Range], now: &[Range]) {
    if before.is_empty() || !all.on(rule) {
        return;
    }
    let now = joined(now);
    for range in before {
        let gaps: Vec<String> = missing(*range, &now)
            .iter()
            .map(|gap| if gap.start == gap.end { gap.start.to_string() } else { format!("{} to {}", gap.start, gap.end) })
            .collect();
        if gaps.is_empty() {
            continue;
        }
        let gaps = gaps.join(", ");
        let message = format!("The {} {} no longer keeps the {what} numbers {gaps}.", kept.kind, kept.name);
        let found = all.say(rule, kept.name, kept.now, Some(kept.before), message);
        let word = if what == "extension" { "extensions" } else { "reserved" };
        mend(found, format!("{word} {gaps};"));
    }
}

pub(super) fn names(all: &mut Comparison<'_>, rule: &RuleInfo, kept: &Kept<'_>, before: &[String], now: &[String]) {
    if before.is_empty() || !all.on(rule) {
        return;
    }
    let now: HashSet<&str> = now.iter().map(String::as_str).collect();
    let mut lost: Vec<&str> = before.iter().map(String::as_str).filter(|name| !now.contains(name)).collect();
    lost.sort_unstable();
    lost.dedup();
    for name in lost {
        let message = format!("The {} {} no longer reserves the name {name:?}.", kept.kind, kept.name);
        let found = all.say(rule, kept.name, kept.now, Some(kept.before), message);
        mend(found, format!("reserved {name:?};"));
    }
}
