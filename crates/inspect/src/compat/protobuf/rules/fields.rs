//! Rules about fields and extensions, paired by number.

use super::super::model::{Cardinality, Field, Kind, Message, in_ranges};
use super::defaults;
use super::kinds;
use super::table::{
    FIELD_NO_DELETE, FIELD_NO_DELETE_UNLESS_NAME_RESERVED, FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED, FIELD_SAME_CARDINALITY,
    FIELD_SAME_CPP_STRING_TYPE, FIELD_SAME_DEFAULT, FIELD_SAME_JAVA_UTF8_VALIDATION, FIELD_SAME_JSON_NAME, FIELD_SAME_JSTYPE,
    FIELD_SAME_NAME, FIELD_SAME_ONEOF, FIELD_SAME_UTF8_VALIDATION, FIELD_WIRE_COMPATIBLE_CARDINALITY,
    FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY, ONEOF_RENAMED, RuleInfo,
};
use super::{At, Comparison, mend};
use crate::compat::protobuf::features::CppString;
use std::collections::{HashMap, HashSet};

impl Field {
    pub(super) fn at(&self) -> At {
        At { file: self.file, line: self.line }
    }
    fn card_word(&self) -> &'static str {
        self.cardinality.word()
    }
}

/// Extensions by what they extend and their number.
type Extensions<'a> = HashMap<(&'a str, i64), &'a Field>;

fn extensions(fields: &[Field]) -> Extensions<'_> {
    fields.iter().filter_map(|field| Some(((field.extendee.as_deref()?, field.number), field))).collect()
}

/// Finds fields by number: mostly they are in the same place, so no table is built until one is not.
struct ByNumber<'a> {
    fields: &'a [Field],
    table: Option<HashMap<i64, &'a Field>>,
}

impl<'a> ByNumber<'a> {
    fn of(message: &'a Message) -> Self {
        Self { fields: &message.fields, table: None }
    }
    fn find(&mut self, guess: usize, number: i64) -> Option<&'a Field> {
        if let Some(field) = self.fields.get(guess).filter(|field| field.number == number) {
            return Some(field);
        }
        let fields = self.fields;
        self.table.get_or_insert_with(|| fields.iter().map(|field| (field.number, field)).collect()).get(&number).copied()
    }
}

pub(super) fn compare(all: &mut Comparison<'_>) {
    let (base, revision) = (all.base, all.revision);
    let now_extensions = extensions(&revision.extensions);
    for before in &base.messages {
        let Some(now) = revision.message(&before.name) else { continue };
        if before.map_entry && now.map_entry {
            continue;
        }
        let (mut by_number, mut oneofs) = (ByNumber::of(now), None);
        let reserved: HashSet<&str> = now.reserved_names.iter().map(String::as_str).collect();
        for (index, field) in before.fields.iter().enumerate() {
            if let Some(same) = by_number.find(index, field.number) {
                pair(all, field, same);
                oneof(all, (before, field), (now, same), &mut oneofs);
                continue;
            }
            // On the wire an extension is a field of what it extends.
            match now_extensions.get(&(before.name.as_str(), field.number)).filter(|_| all.level.is_wire()) {
                Some(extension) => pair(all, field, extension),
                None => deleted(all, field, before, now, &reserved),
            }
        }
    }
    let extended = if all.level.is_wire() { extended_fields(all) } else { HashMap::new() };
    for extension in &base.extensions {
        let extendee = extension.extendee.as_deref().unwrap_or_default();
        if let Some(same) = now_extensions.get(&(extendee, extension.number)) {
            pair(all, extension, same);
        } else if let Some(field) = extended.get(&(extendee, extension.number)) {
            pair(all, extension, field);
        }
    }
}

/// The revision's own fields of those messages that the base extends.
fn extended_fields<'a>(all: &Comparison<'a>) -> HashMap<(&'a str, i64), &'a Field> {
    let extended: HashSet<&str> = all.base.extensions.iter().filter_map(|extension| extension.extendee.as_deref()).collect();
    let messages = extended.into_iter().filter_map(|name| all.revision.message(name));
    messages.flat_map(|message| message.fields.iter().map(|field| ((message.name.as_str(), field.number), field))).collect()
}

fn deleted(all: &mut Comparison<'_>, field: &Field, before: &Message, now: &Message, reserved: &HashSet<&str>) {
    let place = At { file: now.file, line: now.line };
    let mut say = |rule: &RuleInfo, why: &str| {
        let message = format!("Field {} {:?} of {} was deleted{why}.", field.number, field.name, before.name);
        let found = all.say(rule, &field.full_name, place, Some(field.at()), message);
        mend(found, format!("reserve {} and {:?}", field.number, field.name));
    };
    say(&FIELD_NO_DELETE, "");
    if !in_ranges(&now.reserved, field.number) {
        say(&FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED, " without its number being reserved");
    }
    if !reserved.contains(field.name.as_str()) {
        say(&FIELD_NO_DELETE_UNLESS_NAME_RESERVED, " without its name being reserved");
    }
}

fn subject(field: &Field) -> String {
    match &field.extendee {
        Some(extendee) => format!("The extension {} ({} of {extendee})", field.full_name, field.number),
        None => format!("Field {} {:?} of {}", field.number, field.name, owner(field)),
    }
}

fn owner(field: &Field) -> &str {
    field.full_name.rsplit_once('.').map_or("", |(owner, _)| owner)
}

fn pair(all: &mut Comparison<'_>, before: &Field, now: &Field) {
    names(all, before, now);
    cardinality(all, before, now);
    match (before.cardinality, now.cardinality) {
        (Cardinality::Map, Cardinality::Map) => kinds::entries(all, before, now),
        _ => kinds::types(all, before, now, &before.full_name, &subject(now)),
    }
    default(all, before, now);
    languages(all, before, now);
}

fn change(all: &mut Comparison<'_>, rule: &RuleInfo, fields: (&Field, &Field), what: &str, values: (&str, &str)) {
    let (before, now) = fields;
    if all.on(rule) && values.0 != values.1 {
        let message = format!("{} changed its {what} from {} to {}.", subject(now), values.0, values.1);
        all.say(rule, &before.full_name, now.at(), Some(before.at()), message);
    }
}

fn names(all: &mut Comparison<'_>, before: &Field, now: &Field) {
    let (was_extension, is_extension) = (before.extendee.is_some(), now.extendee.is_some());
    let both = was_extension && is_extension;
    let name = |field: &Field| if both { field.full_name.clone() } else { field.name.clone() };
    let (old, new) = (name(before), name(now));
    if old != new {
        let message = format!("Field {} of {} changed its name from {old:?} to {new:?}.", before.number, owner(before));
        let found = all.say(&FIELD_SAME_NAME, &before.full_name, now.at(), Some(before.at()), message);
        mend(found, format!("keep the name {old:?}, or add a field with a new number"));
    }
    // JSON names an extension by its full name in brackets; of two extensions, the names were compared already.
    let json = |field: &Field| if field.extendee.is_some() { format!("[{}]", field.full_name) } else { field.json_name.clone() };
    let (old, new) = (json(before), json(now));
    if !both && old != new {
        let message = format!("{} changed its name in JSON from {old:?} to {new:?}.", subject(now));
        let found = all.say(&FIELD_SAME_JSON_NAME, &before.full_name, now.at(), Some(before.at()), message);
        if !was_extension && !is_extension {
            mend(found, format!("[json_name = {old:?}]"));
        }
    }
}

fn cardinality(all: &mut Comparison<'_>, before: &Field, now: &Field) {
    let words = (before.card_word(), now.card_word());
    change(all, &FIELD_SAME_CARDINALITY, (before, now), "cardinality", words);
    // What one writer sends once, another sends as a list, is read in parts only.
    let wire = |field: &Field| match field.cardinality {
        Cardinality::Explicit | Cardinality::Implicit => 1,
        Cardinality::Required => 2,
        Cardinality::Repeated | Cardinality::Map => 3,
    };
    let json = |field: &Field| if field.cardinality == Cardinality::Map { 4 } else { wire(field) };
    if wire(before) != wire(now) {
        change(all, &FIELD_WIRE_COMPATIBLE_CARDINALITY, (before, now), "cardinality", words);
    }
    if json(before) != json(now) {
        change(all, &FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY, (before, now), "cardinality", words);
    }
}

fn default(all: &mut Comparison<'_>, before: &Field, now: &Field) {
    if let Some((old, new)) = defaults::changed((all.base, before), (all.revision, now)) {
        let message = format!("{} changed its default from {old} to {new}: absent fields mean something else.", subject(now));
        let found = all.say(&FIELD_SAME_DEFAULT, &before.full_name, now.at(), Some(before.at()), message);
        mend(found, format!("[default = {old}]"));
    }
}

fn languages(all: &mut Comparison<'_>, before: &Field, now: &Field) {
    let both = |test: fn(Kind) -> bool| test(before.kind) && test(now.kind);
    if both(Kind::is_64_bit_integer) {
        change(all, &FIELD_SAME_JSTYPE, (before, now), "jstype", (&before.jstype, &now.jstype));
    }
    // STRING_PIECE was always the same as STRING.
    if both(Kind::is_text) && !(before.cpp_string == CppString::Piece && now.cpp_string == CppString::String) {
        let words = (before.cpp_string.word(), now.cpp_string.word());
        change(all, &FIELD_SAME_CPP_STRING_TYPE, (before, now), "C++ string type", words);
    }
    if both(|kind| kind == Kind::String) {
        let word = |verify| if verify { "VERIFY" } else { "NONE" };
        let words = (word(before.java_verify_utf8), word(now.java_verify_utf8));
        change(all, &FIELD_SAME_JAVA_UTF8_VALIDATION, (before, now), "UTF-8 validation in Java", words);
        let (old, new) = (before.features.verify_utf8, now.features.verify_utf8);
        // On the wire only a reader that begins to check refuses something.
        if !all.level.is_wire() || !old {
            change(all, &FIELD_SAME_UTF8_VALIDATION, (before, now), "UTF-8 validation", (word(old), word(new)));
        }
    }
}

/// The oneofs of a message before and now, by what they hold. Built once a message, and only where some name changed.
struct Oneofs {
    before: Vec<HashSet<i64>>,
    now: Vec<HashSet<i64>>,
    numbers_before: HashSet<i64>,
    numbers_now: HashSet<i64>,
    /// Renamed ones, by their index before: whether that is all, or members changed, too.
    renamed: HashMap<(usize, usize), bool>,
}

impl Oneofs {
    fn of(before: &Message, now: &Message) -> Self {
        let members = |message: &Message| -> Vec<HashSet<i64>> {
            let mut members = vec![HashSet::new(); message.oneofs.len()];
            for field in &message.fields {
                if let Some(own) = field.oneof.and_then(|index| members.get_mut(index)) {
                    own.insert(field.number);
                }
            }
            members
        };
        let numbers = |message: &Message| message.fields.iter().map(|field| field.number).collect();
        Self {
            before: members(before),
            now: members(now),
            numbers_before: numbers(before),
            numbers_now: numbers(now),
            renamed: HashMap::new(),
        }
    }

    /// Whether two oneofs hold the same of those fields that both messages have, and whether that was not asked before.
    fn same(&mut self, old: usize, new: usize) -> (bool, bool) {
        if let Some(known) = self.renamed.get(&(old, new)) {
            return (*known, false);
        }
        let same = match (self.before.get(old), self.now.get(new)) {
            (Some(old), Some(new)) => {
                old.iter().all(|number| new.contains(number) || !self.numbers_now.contains(number))
                    && new.iter().all(|number| old.contains(number) || !self.numbers_before.contains(number))
            }
            _ => false,
        };
        self.renamed.insert((old, new), same);
        (same, true)
    }
}

fn oneof(all: &mut Comparison<'_>, before: (&Message, &Field), now: (&Message, &Field), oneofs: &mut Option<Oneofs>) {
    let name = |(message, field): (&Message, &Field)| -> Option<(usize, String)> {
        let index = field.oneof?;
        Some((index, message.oneofs.get(index)?.name.clone()))
    };
    let place = Some(before.1.at());
    let path = &before.1.full_name;
    let found = match (name(before), name(now)) {
        (None, None) => return,
        (Some((_, old)), Some((_, new))) if old == new => return,
        (Some((old_index, old)), Some((new_index, new))) => {
            if all.level.is_wire() {
                let (same, first) = oneofs.get_or_insert_with(|| Oneofs::of(before.0, now.0)).same(old_index, new_index);
                if same && first {
                    let message = format!("The oneof {old} of {} is now named {new}.", before.0.name);
                    all.say(&ONEOF_RENAMED, path, now.1.at(), place, message);
                }
                if same {
                    return;
                }
            }
            let message = format!("{} moved from oneof {old} to oneof {new}.", subject(now.1));
            all.say(&FIELD_SAME_ONEOF, path, now.1.at(), place, message)
        }
        (Some((_, old)), None) => {
            let message = format!("{} moved out of oneof {old}.", subject(now.1));
            all.say(&FIELD_SAME_ONEOF, path, now.1.at(), place, message)
        }
        (None, Some((_, new))) => {
            let message = format!("{} moved into oneof {new}: setting another member now clears it.", subject(now.1));
            all.say(&FIELD_SAME_ONEOF, path, now.1.at(), place, message)
        }
    };
    mend(found, "leave the field where it is, and add another one with a new number");
}
