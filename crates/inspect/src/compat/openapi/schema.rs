//! Two shapes at one site: types, values, bounds. What is inside objects and lists is in [`super::members`], alternatives
//! in [`super::choices`].
//!
//! A request may only get wider (whatever was accepted is accepted), a response only narrower (whatever is sent could have
//! been sent before).

use super::compare::{Area, At, Comparison, Found, Side};
use super::shape::{BOUNDS, Bound, Said, Shape, Types};
use super::source::Conj;
use crate::document::{NodeId, ReadError};
use crate::finding::Severity::{self, Breaking, Info, Risky};
use std::collections::BTreeSet;

/// A schema and its shape.
pub(super) type Pair<'s, 'a> = (Conj, &'s Shape<'a>);

/// How bad it is that a site got narrower or wider.
pub(super) fn narrower(at: &At) -> Severity {
    if at.site.request() { Breaking } else { Info }
}
pub(super) fn wider(at: &At) -> Severity {
    if at.site.request() { Info } else { Breaking }
}

impl<'a> Comparison<'a> {
    pub(super) fn shapes(&mut self, at: &At, base: Pair<'_, 'a>, revision: Pair<'_, 'a>) -> Result<(), ReadError> {
        let (old, new) = (base.1, revision.1);
        self.lifecycle(at, old, new);
        // What the client must not send, or the server does not send, cannot hurt there.
        let unseen = if at.site.request() { old.read_only.and(new.read_only) } else { old.write_only.and(new.write_only) };
        if unseen.is_some() {
            return Ok(());
        }
        if self.nobody(at, old, new) {
            return Ok(());
        }
        // A choice on one side only is compared alternative by alternative, with all that stands beside it.
        if self.wrapped(at, base, revision)? {
            self.notes(at, old, new);
            return Ok(());
        }
        self.nullability(at, old, new);
        if !self.types(at, base, revision)? {
            return Ok(());
        }
        self.choices(at, base, revision)?;
        self.formats(at, old, new);
        self.values(at, old, new);
        for (place, bound) in BOUNDS.iter().enumerate() {
            let of = |shape: &Shape<'_>| shape.bounds.get(place).copied().flatten();
            // A bound at a type that has no such thing means nothing by the standard. Gateways and generators read it all the
            // same, so one that was changed counts.
            let applies = old.types.meets(bound.types) && new.types.meets(bound.types);
            if applies || of(old).is_some() && of(new).is_some() {
                self.bound(at, bound, of(old), of(new), (old.node, new.node));
            }
        }
        self.text_rules(at, old, new);
        self.objects(at, base, revision)?;
        self.lists(at, old, new);
        self.parts(at, old, new)?;
        self.notes(at, old, new);
        Ok(())
    }

    fn say(&mut self, at: &At, word: &str, severity: Severity, place: (Side, NodeId), message: impl Into<String>) {
        self.found(at, Found::new(format!("{}-{word}", at.site.prefix()), severity, place, message));
    }
    pub(super) fn say_at(&mut self, at: &At, word: &str, severity: Severity, node: NodeId, message: impl Into<String>) {
        self.say(at, word, severity, (Side::Revision, node), message);
    }

    /// Schemas that nothing fits.
    fn nobody(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) -> bool {
        match (old.effective().0 == 0, new.effective().0 == 0) {
            (false, false) => return false,
            (true, true) => {}
            (false, true) => self.say_at(at, "forbidden", narrower(at), new.node, "No value is valid here any more."),
            // What nobody could send or receive says nothing about clients.
            (true, false) => {
                let severity = if at.site.request() { Info } else { Risky };
                self.say_at(at, "allowed", severity, new.node, "A value is valid here, where none was.");
            }
        }
        true
    }

    fn nullability(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) {
        // A schema without a type takes null with everything else; that is the types' matter.
        if old.types == Types::ALL || new.types == Types::ALL {
            return;
        }
        let place = new.typed.unwrap_or(new.node);
        match (old.types.has(Types::NULL), new.types.has(Types::NULL)) {
            (true, false) => self.say_at(at, "became-not-nullable", narrower(at), place, "null is not valid any more."),
            (false, true) => self.say_at(at, "became-nullable", wider(at), place, "null became valid."),
            _ => {}
        }
    }

    /// Whether the rest is worth comparing: not where the types have nothing in common.
    fn types(&mut self, at: &At, base: Pair<'_, 'a>, revision: Pair<'_, 'a>) -> Result<bool, ReadError> {
        let (old, new) = (base.1, revision.1);
        let (before, after) = (old.types.without(Types::NULL), new.types.without(Types::NULL));
        // A list of values is compared value by value; here only what was said about types counts.
        if before == after || after.0 == 0 || before.0 == 0 {
            return Ok(true);
        }
        if old.values.is_some() && new.values.is_some() && before.meets(after) {
            return Ok(true);
        }
        let (gone, come) = (before.without(after).0 != 0, after.without(before).0 != 0);
        let place = new.typed.or(new.values.as_ref().map(|values| values.1)).unwrap_or(new.node);
        let message = format!("The type was {}, is {}.", before.words(), after.words());
        if new.odd != old.odd {
            self.say_at(at, "type-changed", Breaking, place, message);
            return Ok(false);
        }
        let several = before != Types::ALL.without(Types::NULL)
            && after != Types::ALL.without(Types::NULL)
            && (before.count() > 1 || after.count() > 1);
        let as_text = at.site.textual && (after == Types::STRING || !at.site.request() && before == Types::STRING);
        let request = at.site.request();
        // A list or an object is no one text where parameters are written by style.
        let parameter = !matches!(at.site.area, Area::RequestBody | Area::RequestProperty | Area::ResponseBody | Area::ResponseProperty);
        let as_text = as_text && !(parameter && before.or(after).meets(Types::ARRAY.or(Types::OBJECT)));
        if request && gone && at.site.repeated && after == Types::ARRAY && !before.meets(Types::ARRAY) {
            return self.one_to_many(at, base, new, place, &message);
        }
        // Values listed: the rule for enums says it better.
        if new.values.is_some() && old.values.is_none() && !come && request
            || old.values.is_some() && new.values.is_none() && !gone && !request
        {
            return Ok(true);
        }
        if as_text && gone {
            let (word, severity) = match at.site.area {
                Area::Parameter | Area::HeaderParameter => ("type-generalized", Info),
                Area::ParameterProperty | Area::HeaderProperty => ("type-changed", Risky),
                _ => ("type-compatible", Risky),
            };
            // Whether a number written as text meets what is asked of texts is not looked at: then it counts as changed.
            let asks = |shape: &Shape<'_>| {
                let bounded = BOUNDS.iter().zip(shape.bounds).any(|(bound, said)| bound.types == Types::STRING && said.is_some());
                bounded || !shape.patterns.is_empty() || shape.values.is_some() || shape.format.is_some()
            };
            let text = if request { new } else { old };
            if !before.meets(after) && asks(text) {
                self.say_at(at, "type-changed", Breaking, place, message);
                return Ok(false);
            }
            self.say_at(at, word, severity, place, format!("{message} As text on the wire the old values may still be read."));
            return Ok(before.meets(after));
        }
        match (gone, come) {
            (false, _) if several => self.say_at(at, "list-of-types-widened", wider(at), place, message),
            (true, false) if several => self.say_at(at, "list-of-types-narrowed", narrower(at), place, message),
            (false, _) => self.say_at(at, "type-generalized", wider(at), place, message),
            (true, false) => {
                let word = if request { "type-changed" } else { "type-specialized" };
                self.say_at(at, word, narrower(at), place, message);
            }
            (true, true) => {
                let word = if several { if request { "list-of-types-narrowed" } else { "list-of-types-widened" } } else { "type-changed" };
                self.say_at(at, word, Breaking, place, message);
            }
        }
        Ok(before.meets(after))
    }
    /// A parameter that became a list, and travels by being repeated.
    fn one_to_many(&mut self, at: &At, base: Pair<'_, 'a>, new: &Shape<'a>, place: NodeId, message: &str) -> Result<bool, ReadError> {
        let items = new.items.map_or(super::source::ANY, |items| items.0);
        let bounded = BOUNDS.iter().zip(new.bounds).any(|(bound, said)| bound.key == "minItems" && said.is_some_and(|said| said.0 > 1.0));
        if !bounded && self.fits(base.0, items, at.site.inner())? {
            self.say_at(at, "type-generalized", Info, place, format!("{message} One value is a list of one here."));
        } else {
            self.say_at(at, "type-changed", Breaking, place, message);
        }
        Ok(false)
    }

    fn formats(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) {
        let limited = Types::STRING.or(Types::NUMBER);
        if !old.types.meets(limited) || !new.types.meets(limited) {
            return;
        }
        let (before, after) = (old.format.map(|said| said.0), new.format.map(|said| said.0));
        if before == after {
            return;
        }
        let place = new.format.map_or(new.node, |said| said.1);
        let word = |format: Option<&str>| format.unwrap_or("none").to_owned();
        let message = format!("The format was {}, is {}.", word(before), word(after));
        let widens = holds(after, before);
        let narrows = holds(before, after);
        match (widens, narrows) {
            (true, true) => {}
            (true, false) => self.say_at(at, "type-generalized", wider(at), place, message),
            (false, true) => {
                let word = if at.site.request() { "type-changed" } else { "type-specialized" };
                self.say_at(at, word, narrower(at), place, message);
            }
            (false, false) => self.say_at(at, "type-changed", Breaking, place, message),
        }
    }

    fn values(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) {
        let place = |shape: &Shape<'_>| shape.constant.as_ref().map(|said| said.1).or(shape.values.as_ref().map(|said| said.1));
        let node = place(new).unwrap_or(new.node);
        match (&old.constant, &new.constant, old.values.is_none() && new.values.is_none()) {
            (Some((before, _)), Some((after, _)), _) => {
                if before != after {
                    self.say_at(at, "const-changed", Breaking, node, format!("The only valid value was {before}, is {after}."));
                }
                return;
            }
            (None, Some((after, _)), true) => {
                return self.say_at(at, "const-added", narrower(at), node, format!("Only {after} is valid now."));
            }
            (Some((before, _)), None, true) => {
                return self.say_at(at, "const-removed", wider(at), node, format!("Values other than {before} became valid."));
            }
            _ => {}
        }
        let all = |shape: &Shape<'_>| match (&shape.constant, &shape.values) {
            (Some((constant, _)), _) => Some(BTreeSet::from([constant.clone()])),
            (None, Some((values, _))) => Some(values.clone()),
            (None, None) => None,
        };
        match (all(old), all(new)) {
            (None, None) => {}
            (None, Some(after)) => {
                let severity = narrower(at);
                self.say_at(at, "became-enum", severity, node, format!("Only these values are valid now: {}.", listed(after.iter())));
            }
            (Some(_), None) => {
                let severity = if at.site.request() { Info } else { Risky };
                self.say_at(at, "enum-removed", severity, node, "Any value is valid now, where values were listed.");
            }
            (Some(before), Some(after)) => self.enum_values(at, &before, &after, node),
        }
    }
    fn enum_values(&mut self, at: &At, before: &BTreeSet<String>, after: &BTreeSet<String>, node: NodeId) {
        // null is reported as nullability.
        let differing = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
            one.difference(other).filter(|value| *value != "null").cloned().collect()
        };
        for value in differing(before, after) {
            let word = if at.site.area == Area::ResponseBody { "mediatype-enum-value-removed" } else { "enum-value-removed" };
            let rule = if at.site.area == Area::ResponseBody { format!("response-{word}") } else { format!("{}-{word}", at.site.prefix()) };
            let message = format!("The value {value} is not valid any more.");
            self.found(at, Found::new(rule, narrower(at), (Side::Revision, node), message));
        }
        for value in differing(after, before) {
            let message = format!("The value {value} is new.");
            if at.site.request() {
                self.say_at(at, "enum-value-added", Info, node, message);
            } else {
                let fix =
                    "let clients know first that the list may grow (x-extensible-enum), or send the value only to those who ask for it";
                let rule = format!("{}-enum-value-added", at.site.prefix());
                let message = format!("{message} A client that knows the old list may not expect it.");
                self.found(at, Found::new(rule, Risky, (Side::Revision, node), message).fix(fix));
            }
        }
    }

    fn bound(&mut self, at: &At, bound: &Bound, old: Said<f64>, new: Said<f64>, nodes: (NodeId, NodeId)) {
        let Bound { key, word, upper, .. } = *bound;
        let floor = if upper { f64::INFINITY } else { f64::NEG_INFINITY };
        // A lower bound of nothing is none; `minContains` is 1 where it is not said.
        let idle = |said: Said<f64>| said.filter(|said| !(matches!(key, "minLength" | "minItems" | "minProperties") && said.0 <= 0.0));
        let (old, new) = (idle(old), idle(new));
        let unsaid = if key == "minContains" { 1.0 } else { floor };
        let (before, after) = (old.map_or(unsaid, |said| said.0), new.map_or(unsaid, |said| said.0));
        if before == after {
            return;
        }
        let narrows = (after < before) == upper;
        let severity = if narrows { narrower(at) } else { wider(at) };
        let place = new.map_or(nodes.1, |said| said.1);
        let (action, message) = match (old, new) {
            (None, _) => ("set", format!("{key} was set to {after}.")),
            (_, None) => ("unset", format!("{key} was {before}, is not set any more.")),
            _ => (if after > before { "increased" } else { "decreased" }, format!("{key} was {before}, is {after}.")),
        };
        self.say_at(at, &format!("{word}-{action}"), severity, place, message);
    }

    /// `pattern`, `multipleOf`, `uniqueItems`, content media type and encoding.
    fn text_rules(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) {
        self.patterns(at, old, new);
        match (old.multiple_of, new.multiple_of) {
            (None, Some((after, node))) => {
                self.say_at(at, "multiple-of-added", narrower(at), node, format!("Only multiples of {after} are valid now."));
            }
            (Some((before, _)), None) => {
                self.say_at(at, "multiple-of-removed", wider(at), new.node, format!("Values need not be multiples of {before} any more."));
            }
            (Some((before, _)), Some((after, node))) if before != after => {
                let divides = |small: f64, large: f64| small > 0.0 && (large / small).fract() == 0.0;
                let severity = match (divides(after, before), divides(before, after)) {
                    (true, _) => wider(at),
                    (_, true) => narrower(at),
                    _ => Breaking,
                };
                self.say_at(at, "multiple-of-changed", severity, node, format!("multipleOf was {before}, is {after}."));
            }
            _ => {}
        }
        if old.types.meets(Types::ARRAY) && new.types.meets(Types::ARRAY) {
            match (old.unique, new.unique) {
                (None, Some(node)) => self.say_at(at, "unique-items-added", narrower(at), node, "Items may not repeat any more."),
                (Some(_), None) => self.say_at(at, "unique-items-removed", wider(at), new.node, "Items may repeat now."),
                _ => {}
            }
        }
        for key in ["content-media-type", "content-encoding"] {
            let of = |shape: &Shape<'a>| shape.content.iter().find(|one| one.0 == key).map(|one| (one.1, one.2));
            let (before, after) = (of(old), of(new));
            if before.map(|one| one.0) != after.map(|one| one.0) {
                let word = |one: Option<(&str, NodeId)>| one.map_or("none", |one| one.0).to_owned();
                let message = format!("What the text holds was {}, is {}.", word(before), word(after));
                self.say_at(at, &format!("{key}-changed"), Breaking, after.map_or(new.node, |one| one.1), message);
            }
        }
    }
    fn patterns(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) {
        if !old.types.meets(Types::STRING) || !new.types.meets(Types::STRING) {
            return;
        }
        let everything = |pattern: &str| matches!(pattern, "" | "^" | ".*" | "^.*$" | "^.*" | ".*$" | "[\\s\\S]*" | "^[\\s\\S]*$");
        let texts = |shape: &Shape<'a>| -> BTreeSet<&'a str> {
            shape.patterns.iter().map(|one| one.0).filter(|pattern| !everything(pattern)).collect()
        };
        let (before, after) = (texts(old), texts(new));
        let gone: Vec<&str> = before.difference(&after).copied().collect();
        let come: Vec<&str> = after.difference(&before).copied().collect();
        let node = new.patterns.first().map_or(new.node, |one| one.1);
        let request = at.site.request();
        match (gone.as_slice(), come.as_slice()) {
            ([], []) => {}
            ([], come) => {
                self.say_at(at, "pattern-added", narrower(at), node, format!("The pattern {} must match now.", come.join(" and ")));
            }
            (gone, []) if !new.patterns.is_empty() && request => {
                self.say_at(
                    at,
                    "pattern-generalized",
                    Info,
                    node,
                    format!("The pattern was {}, matches everything now.", gone.join(" and ")),
                );
            }
            (gone, []) => {
                let severity = if request { Info } else { Risky };
                self.say_at(at, "pattern-removed", severity, node, format!("The pattern {} need not match any more.", gone.join(" and ")));
            }
            (gone, come) => {
                let message = format!(
                    "The pattern was {}, is {}. Whether one matches all that the other does is not decided here.",
                    gone.join(" and "),
                    come.join(" and ")
                );
                self.say_at(at, "pattern-changed", Risky, node, message);
            }
        }
    }
}

fn listed<'s>(values: impl ExactSizeIterator<Item = &'s String>) -> String {
    let count = values.len();
    let mut text: Vec<&str> = values.take(8).map(String::as_str).collect();
    if count > 8 {
        text.push("…");
    }
    text.join(", ")
}

/// Whether every value of format `inner` has format `outer`.
fn holds(outer: Option<&str>, inner: Option<&str>) -> bool {
    // Formats that describe how a value is shown or what it is for, and exclude none.
    let idle = |format: Option<&str>| match format {
        Some("password" | "textarea" | "markdown" | "html" | "commonmark") => None,
        other => other.map(str::to_owned),
    };
    let (outer, inner) = (idle(outer), idle(inner));
    match (outer.as_deref(), inner.as_deref()) {
        (None, _) => true,
        (Some(outer), Some(inner)) if outer == inner => true,
        (Some("double"), Some("float" | "int32")) => true,
        (Some("int64"), Some("int32" | "uint32" | "int16" | "int8" | "uint8" | "uint16")) => true,
        (Some("bigint"), Some("int32" | "int64")) => true,
        (Some("uri-reference"), Some("uri"))
        | (Some("iri"), Some("uri"))
        | (Some("iri-reference"), Some("uri" | "iri" | "uri-reference")) => true,
        (Some("idn-email"), Some("email")) | (Some("idn-hostname"), Some("hostname")) => true,
        _ => false,
    }
}
