//! What changed between two schemas, rule by rule.
//!
//! Output may get narrower, input wider; the rest follows. Who uses what is added by `usage`.

use super::RULES;
use super::schema::{BUILT_IN, Directive, Kind, Named, Schema, marked};
use super::syntax::{Field, Input, Place, Type};
use crate::finding::{Finding, Severity};
use std::collections::BTreeMap;

struct Changes<'a> {
    base: &'a Schema,
    revision: &'a Schema,
    findings: Vec<Finding>,
}

/// Directives that every schema has.
const STANDARD: [&str; 5] = ["skip", "include", "deprecated", "specifiedBy", "oneOf"];

pub fn changes(base: &Schema, revision: &Schema) -> Vec<Finding> {
    let mut changes = Changes { base, revision, findings: Vec::new() };
    changes.roots();
    changes.types();
    changes.directives();
    changes.findings
}

impl Changes<'_> {
    /// `path` is a schema coordinate; `place` is in the revision where there is one, otherwise in the base.
    fn say(&mut self, rule: &'static str, path: impl Into<String>, place: &Place, message: String, fix: Option<&'static str>) {
        let severity = RULES.iter().find(|(name, ..)| *name == rule).map_or(Severity::Breaking, |(_, severity, _)| *severity);
        let mut finding = Finding::new(rule, severity, message).at(place.file.clone(), Some(place.line)).inside(path);
        if let Some(fix) = fix {
            finding = finding.mended_by(fix);
        }
        self.findings.push(finding);
    }

    fn roots(&mut self) {
        let (base, revision) = (self.base, self.revision);
        for (operation, (name, place)) in &base.roots {
            match revision.roots.get(operation) {
                None => {
                    let message = format!("There is no {operation} any more; it was {name}.");
                    self.say("root-type-removed", operation.clone(), place, message, None);
                }
                Some((now, place)) if now != name => {
                    let message = format!("The {operation} type was {name} and is {now}: fragments on {name} do not fit any more.");
                    self.say("root-type-changed", operation.clone(), place, message, None);
                }
                Some(_) => {}
            }
        }
        for (operation, (name, place)) in &revision.roots {
            if !base.roots.contains_key(operation) {
                self.say("root-type-added", operation.clone(), place, format!("There is a {operation} now: {name}."), None);
            }
        }
    }

    fn types(&mut self) {
        let (base, revision) = (self.base, self.revision);
        for (name, old) in &base.types {
            let Some(new) = revision.types.get(name) else {
                // A scalar that the language has anyway may be defined or not.
                if !BUILT_IN.contains(&name.as_str()) {
                    self.say("type-removed", name.clone(), &old.place, format!("The type {name} was removed."), Some(DEPRECATE));
                }
                continue;
            };
            if old.kind != new.kind {
                let message = format!("{name} was {} and is {}.", old.kind.word(), new.kind.word());
                self.say("type-changed-kind", name.clone(), &new.place, message, None);
                continue;
            }
            match new.kind {
                Kind::Scalar => self.scalar(name, old, new),
                Kind::Object | Kind::Interface => {
                    self.interfaces(name, old, new);
                    self.fields(name, old, new);
                }
                Kind::Union => self.union(name, old, new),
                Kind::Enum => self.values(name, old, new),
                Kind::Input => self.input_object(name, old, new),
            }
        }
        for (name, new) in &revision.types {
            if !base.types.contains_key(name) && !BUILT_IN.contains(&name.as_str()) {
                self.say("type-added", name.clone(), &new.place, format!("The type {name} is new."), None);
            }
        }
    }

    fn scalar(&mut self, name: &str, old: &Named, new: &Named) {
        let address = |named: &Named| {
            let one = named.applied.iter().find(|one| one.name == "specifiedBy")?;
            Some(format!("{:?}", one.arguments))
        };
        if address(old) != address(new) {
            let message = format!("The scalar {name} is specified elsewhere: its values may be written otherwise.");
            self.say("specified-by-changed", name, &new.place, message, None);
        }
    }

    fn interfaces(&mut self, name: &str, old: &Named, new: &Named) {
        for interface in old.interfaces.keys().filter(|interface| !new.interfaces.contains_key(*interface)) {
            let message = format!("{name} does not implement {interface} any more.");
            self.say("implemented-interface-removed", name, &new.place, message, None);
        }
        for (interface, place) in new.interfaces.iter().filter(|(interface, _)| !old.interfaces.contains_key(*interface)) {
            let message = format!("{name} implements {interface} now: fields of that type may hold something new.");
            self.say("implemented-interface-added", name, place, message, None);
        }
    }

    fn fields(&mut self, name: &str, old: &Named, new: &Named) {
        for (field, old_field) in &old.fields {
            let path = format!("{name}.{field}");
            let Some(new_field) = new.fields.get(field) else {
                let fix = if marked(&old_field.applied, "deprecated") { None } else { Some(DEPRECATE) };
                self.say("field-removed", path.clone(), &new.place, format!("The field {path} was removed."), fix);
                continue;
            };
            self.field(&path, old_field, new_field);
        }
        for (field, new_field) in new.fields.iter().filter(|(field, _)| !old.fields.contains_key(*field)) {
            let path = format!("{name}.{field}");
            self.say("field-added", path.clone(), &new_field.place, format!("The field {path} is new."), None);
        }
    }

    fn field(&mut self, path: &str, old: &Field, new: &Field) {
        if !narrower(&old.kind, &new.kind) {
            let message = format!("{path} was {} and is {}.", old.kind, new.kind);
            self.say("field-changed-kind", path, &new.place, message, Some("give the new type to a new field"));
        } else if old.kind != new.kind {
            let message = format!("{path} was {} and is {}, which every reader of the old type can read.", old.kind, new.kind);
            self.say("field-type-narrowed", path, &new.place, message, None);
        }
        if !marked(&old.applied, "deprecated") && marked(&new.applied, "deprecated") {
            self.say("field-deprecated", path, &new.place, format!("{path} is deprecated now."), None);
        }
        let (old_arguments, new_arguments) = (by_name(&old.arguments), by_name(&new.arguments));
        for (name, old_argument) in &old_arguments {
            let path = format!("{path}({name}:)");
            let Some(argument) = new_arguments.get(name) else {
                self.say("arg-removed", path.clone(), &new.place, format!("The argument {path} was removed."), Some(DEPRECATE));
                continue;
            };
            self.input_changed(&path, old_argument, argument, ["arg-changed-kind", "arg-type-widened", "arg-default-value-change"]);
        }
        for (name, argument) in new_arguments.iter().filter(|(name, _)| !old_arguments.contains_key(*name)) {
            let path = format!("{path}({name}:)");
            self.input_added(&path, argument, ["required-arg-added", "optional-arg-added"]);
        }
    }

    /// `rules`: for a type that takes less, a type that takes more, another default.
    fn input_changed(&mut self, path: &str, old: &Input, new: &Input, rules: [&'static str; 3]) {
        let [changed, widened, default] = rules;
        if !wider(&old.kind, &new.kind) {
            let message = format!("{path} was {} and is {}: what was accepted is refused.", old.kind, new.kind);
            self.say(changed, path, &new.place, message, None);
            return;
        }
        if old.kind != new.kind && !widened.is_empty() {
            let message = format!("{path} was {} and is {}, which takes all that the old one took.", old.kind, new.kind);
            self.say(widened, path, &new.place, message, None);
        }
        let Some(before) = &old.default else { return };
        let before = self.base.coerced(before, &old.kind, 0);
        match new.default.as_ref().map(|value| self.revision.coerced(value, &new.kind, 0)) {
            None => self.say(default, path, &new.place, format!("{path} has no default any more; it was {before}."), None),
            Some(now) if now != before => {
                self.say(default, path, &new.place, format!("{path} had the default {before} and has {now}."), None)
            }
            Some(_) => {}
        }
    }

    fn input_added(&mut self, path: &str, input: &Input, rules: [&'static str; 2]) {
        let [required, optional] = rules;
        if is_required(input) {
            let message = format!("{path} is new and required: operations without it are refused.");
            self.say(required, path, &input.place, message, Some("give it a default, or let it be null"));
        } else if !optional.is_empty() {
            self.say(optional, path, &input.place, format!("{path} is new and optional."), None);
        }
    }

    fn union(&mut self, name: &str, old: &Named, new: &Named) {
        for member in old.members.keys().filter(|member| !new.members.contains_key(*member)) {
            let message = format!("{member} is not in the union {name} any more.");
            self.say("type-removed-from-union", name, &new.place, message, None);
        }
        for (member, place) in new.members.iter().filter(|(member, _)| !old.members.contains_key(*member)) {
            let message = format!("{member} is in the union {name} now: clients may not expect it.");
            self.say("type-added-to-union", name, place, message, None);
        }
    }

    fn values(&mut self, name: &str, old: &Named, new: &Named) {
        for value in old.values.keys().filter(|value| !new.values.contains_key(*value)) {
            let message = format!("The value {value} of {name} was removed.");
            self.say("value-removed-from-enum", format!("{name}.{value}"), &new.place, message, Some(DEPRECATE));
        }
        for (value, added) in new.values.iter().filter(|(value, _)| !old.values.contains_key(*value)) {
            let message = format!("The value {value} of {name} is new: clients may not expect it.");
            self.say("value-added-to-enum", format!("{name}.{value}"), &added.place, message, None);
        }
    }

    fn input_object(&mut self, name: &str, old: &Named, new: &Named) {
        for (field, old_field) in &old.inputs {
            let path = format!("{name}.{field}");
            let Some(new_field) = new.inputs.get(field) else {
                self.say("field-removed", path.clone(), &new.place, format!("The input field {path} was removed."), Some(DEPRECATE));
                continue;
            };
            let rules = ["field-changed-kind", "input-field-type-widened", "input-field-default-value-change"];
            self.input_changed(&path, old_field, new_field, rules);
        }
        for (field, new_field) in new.inputs.iter().filter(|(field, _)| !old.inputs.contains_key(*field)) {
            let path = format!("{name}.{field}");
            self.input_added(&path, new_field, ["required-input-field-added", "optional-input-field-added"]);
        }
        match (marked(&old.applied, "oneOf"), marked(&new.applied, "oneOf")) {
            (false, true) => {
                let message = format!("{name} takes exactly one field now: objects with none or several are refused.");
                self.say("one-of-added", name, &new.place, message, None);
            }
            (true, false) => {
                self.say("one-of-removed", name, &new.place, format!("{name} takes any number of its fields now."), None);
            }
            _ => {}
        }
    }

    fn directives(&mut self) {
        let (base, revision) = (self.base, self.revision);
        for (name, old) in &base.directives {
            match revision.directives.get(name) {
                None if STANDARD.contains(&name.as_str()) => {}
                None => {
                    let path = format!("@{name}");
                    self.say("directive-removed", path.clone(), &old.place, format!("The directive {path} was removed."), None);
                }
                Some(new) => self.directive(&format!("@{name}"), old, new),
            }
        }
        for (name, new) in revision.directives.iter().filter(|(name, _)| !base.directives.contains_key(*name)) {
            if !STANDARD.contains(&name.as_str()) {
                self.say("directive-added", format!("@{name}"), &new.place, format!("The directive @{name} is new."), None);
            }
        }
    }

    fn directive(&mut self, path: &str, old: &Directive, new: &Directive) {
        for (name, old_argument) in &old.arguments {
            let path = format!("{path}({name}:)");
            match new.arguments.get(name) {
                None => self.say("directive-arg-removed", path.clone(), &new.place, format!("The argument {path} was removed."), None),
                Some(argument) => {
                    self.input_changed(
                        &path,
                        old_argument,
                        argument,
                        ["directive-arg-changed-kind", "", "directive-arg-default-value-change"],
                    );
                }
            }
        }
        for (name, argument) in new.arguments.iter().filter(|(name, _)| !old.arguments.contains_key(*name)) {
            self.input_added(&format!("{path}({name}:)"), argument, ["required-directive-arg-added", ""]);
        }
        if old.repeatable && !new.repeatable {
            let message = format!("{path} may not be repeated any more.");
            self.say("directive-repeatable-removed", path, &new.place, message, None);
        }
        for location in old.locations.keys().filter(|location| !new.locations.contains_key(*location)) {
            let message = format!("{path} may not stand at {location} any more.");
            self.say("directive-location-removed", path, &new.place, message, None);
        }
    }
}

const DEPRECATE: &str = "deprecate it, and remove it once no operation uses it";

fn by_name(inputs: &[Input]) -> BTreeMap<&str, &Input> {
    inputs.iter().map(|input| (input.name.as_str(), input)).collect()
}

fn is_required(input: &Input) -> bool {
    input.kind.is_required() && input.default.is_none()
}

/// Whether readers of the old output type can read the new one. October 2021 has no rule; graphql-js: the same name, a list
/// of what is narrower, or not null where null was possible.
fn narrower(old: &Type, new: &Type) -> bool {
    match (old, new) {
        (Type::NonNull(old), Type::NonNull(new)) => narrower(old, new),
        (Type::NonNull(_), _) => false,
        (old, Type::NonNull(new)) => narrower(old, new),
        (Type::List(old), Type::List(new)) => narrower(old, new),
        (Type::Named(old), Type::Named(new)) => old == new,
        _ => false,
    }
}

/// Whether the new input type takes what the old one took.
fn wider(old: &Type, new: &Type) -> bool {
    match (old, new) {
        (Type::NonNull(old), Type::NonNull(new)) => wider(old, new),
        (Type::NonNull(old), new) => wider(old, new),
        (_, Type::NonNull(_)) => false,
        (Type::List(old), Type::List(new)) => wider(old, new),
        (Type::Named(old), Type::Named(new)) => old == new,
        _ => false,
    }
}
