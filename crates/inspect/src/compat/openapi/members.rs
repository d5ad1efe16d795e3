//! What is inside: properties, items, and the schemas under the rarer keywords of JSON Schema 2020-12.

use super::compare::{Area, At, Comparison, Found, Side};
use super::schema::{Pair, narrower, wider};
use super::shape::{Part, Shape, Types};
use super::source::{ANY, Conj, NEVER};
use crate::document::{NodeId, ReadError};
use crate::finding::Severity::{Breaking, Info, Risky};

/// Schemas looked at for what is known of one property.
const LOOKS_MAX: usize = 32;

/// What is known of a property that only one side has.
struct Lone {
    required: bool,
    read_only: bool,
    write_only: bool,
    default: bool,
}

impl<'a> Comparison<'a> {
    pub(super) fn objects(&mut self, at: &At, base: Pair<'_, 'a>, revision: Pair<'_, 'a>) -> Result<(), ReadError> {
        let (old, new) = (base.1, revision.1);
        if !old.types.meets(Types::OBJECT) || !new.types.meets(Types::OBJECT) {
            return Ok(());
        }
        let mut names: Vec<&'a str> = old.properties.iter().chain(&new.properties).map(|one| one.0).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            match (old.property(name), new.property(name)) {
                (Some(before), Some(after)) => {
                    self.inside(at, name, before.0, after.0);
                    self.requiredness(at, name, (before.0, after.0), old, new)?;
                    self.mutability(at, name, (before.0, after.0), new.requires(name).is_some())?;
                }
                (Some(before), None) => self.property_removed(at, name, before, old, new)?,
                (None, Some(after)) => self.property_added(at, name, after, old, new)?,
                (None, None) => {}
            }
        }
        self.undescribed(at, old, new);
        self.extras(at, old, new);
        self.dependent_required(at, old, new);
        Ok(())
    }

    fn property_rule(&mut self, at: &At, rule: impl Into<String>, severity: crate::finding::Severity, node: NodeId, message: String) {
        self.found(at, Found::new(rule, severity, (Side::Revision, node), message));
    }

    /// What of a property's schema matters when the other side has none.
    fn lone(&self, side: Side, conj: Conj, required: bool) -> Result<Lone, ReadError> {
        let spec = if side == Side::Base { self.base } else { self.revision };
        let mut lone = Lone { required, read_only: false, write_only: false, default: false };
        let mut open: Vec<NodeId> = spec.members(conj).iter().map(|member| member.node).collect();
        // A few steps suffice: these keywords stand at the property, or at what it refers to.
        for _ in 0..LOOKS_MAX {
            let Some(node) = open.pop() else { break };
            lone.read_only |= spec.tree.is_true(node, "readOnly");
            lone.write_only |= spec.tree.is_true(node, "writeOnly");
            lone.default |= spec.tree.get(node, "default").is_some();
            open.extend(spec.target(node).transpose()?);
            open.extend(spec.tree.get(node, "allOf").map(|list| spec.tree.items(list)).unwrap_or_default());
        }
        Ok(lone)
    }

    fn requiredness(&mut self, at: &At, name: &'a str, both: (Conj, Conj), old: &Shape<'a>, new: &Shape<'a>) -> Result<(), ReadError> {
        let inner = at.site.inner().prefix();
        match (old.requires(name), new.requires(name)) {
            (None, Some(node)) => {
                let lone = self.lone(Side::Revision, both.1, true)?;
                if at.site.request() {
                    if lone.read_only {
                        return Ok(());
                    }
                    let with_default = if lone.default && at.site.inner().area == Area::RequestProperty { "-with-default" } else { "" };
                    let message = format!("The property {name:?} became required; requests without it are refused.");
                    self.property_rule(at, format!("{inner}-became-required{with_default}"), Breaking, node, message);
                } else {
                    let kind = if lone.write_only { "response-write-only-property" } else { "response-property" };
                    self.property_rule(
                        at,
                        format!("{kind}-became-required"),
                        Info,
                        node,
                        format!("The property {name:?} is always there now."),
                    );
                }
            }
            (Some(_), None) => {
                let node = new.property(name).map_or(new.node, |one| one.1);
                if at.site.request() {
                    self.property_rule(
                        at,
                        format!("{inner}-became-optional"),
                        Info,
                        node,
                        format!("The property {name:?} became optional."),
                    );
                } else {
                    let lone = self.lone(Side::Base, both.0, true)?;
                    let (kind, severity) =
                        if lone.write_only { ("response-write-only-property", Info) } else { ("response-property", Breaking) };
                    let message = format!("The property {name:?} may be missing now, and was always there.");
                    self.property_rule(at, format!("{kind}-became-optional"), severity, node, message);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// `readOnly` and `writeOnly` that came or went.
    fn mutability(&mut self, at: &At, name: &'a str, both: (Conj, Conj), required: bool) -> Result<(), ReadError> {
        if !matches!(at.site.area, Area::RequestBody | Area::RequestProperty | Area::ResponseBody | Area::ResponseProperty) {
            return Ok(());
        }
        let before = self.lone(Side::Base, both.0, required)?;
        let after = self.lone(Side::Revision, both.1, required)?;
        let kind = format!("{}-{}-property", at.site.direction(), if required { "required" } else { "optional" });
        let node = self.revision.members(both.1).first().map_or(self.revision.root, |member| member.node);
        let request = at.site.request();
        for (was, is, word) in [(before.read_only, after.read_only, "read-only"), (before.write_only, after.write_only, "write-only")] {
            // What it takes away: a property that may not be sent, or is not sent any more.
            let takes = (word == "read-only") == request;
            match (was, is) {
                (false, true) => {
                    let severity = if takes { Risky } else { Info };
                    let message =
                        format!("The property {name:?} became {word}{}.", if takes { ": it is of no use here any more" } else { "" });
                    self.property_rule(at, format!("{kind}-became-{word}"), severity, node, message);
                }
                (true, false) => {
                    let severity = if takes && required && request {
                        Breaking
                    } else if takes {
                        Risky
                    } else {
                        Info
                    };
                    let message = format!("The property {name:?} is not {word} any more.");
                    self.property_rule(at, format!("{kind}-became-not-{word}"), severity, node, message);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn property_removed(
        &mut self,
        at: &At,
        name: &'a str,
        before: (Conj, NodeId),
        old: &Shape<'a>,
        new: &Shape<'a>,
    ) -> Result<(), ReadError> {
        let lone = self.lone(Side::Base, before.0, old.requires(name).is_some())?;
        let place = new.node;
        if new.extra() != ANY && new.extra() != NEVER {
            self.inside(at, name, before.0, new.extra());
        }
        if at.site.request() {
            if lone.read_only {
                return Ok(());
            }
            let (severity, what) = match new.extra() {
                NEVER => (Breaking, "requests with it are refused, since other properties are forbidden"),
                _ => (Risky, "requests with it may be refused, or it is ignored"),
            };
            let inner = at.site.inner().prefix();
            self.property_rule(at, format!("{inner}-removed"), severity, place, format!("The property {name:?} was removed: {what}."));
            return Ok(());
        }
        let kind = format!("{}{}", if lone.required { "required" } else { "optional" }, if lone.write_only { "-write-only" } else { "" });
        let (severity, fix) = match (lone.write_only, lone.required) {
            (true, _) => (Info, None),
            (false, true) => (Breaking, Some("keep sending it, deprecated, until no client reads it")),
            (false, false) => (Risky, Some("keep sending it, deprecated, until no client reads it")),
        };
        let message = format!("The property {name:?} was removed.");
        let found = Found::new(format!("response-{kind}-property-removed"), severity, (Side::Revision, place), message);
        self.found(at, Found { fix, ..found });
        Ok(())
    }

    fn property_added(&mut self, at: &At, name: &'a str, after: (Conj, NodeId), old: &Shape<'a>, new: &Shape<'a>) -> Result<(), ReadError> {
        let lone = self.lone(Side::Revision, after.0, new.requires(name).is_some())?;
        let node = after.1;
        if !at.site.request() {
            let kind =
                format!("{}{}", if lone.required { "required" } else { "optional" }, if lone.write_only { "-write-only" } else { "" });
            let (severity, more) = match old.extra() {
                NEVER => (Risky, ", and others than the described ones were ruled out"),
                _ => (Info, ""),
            };
            if old.extra() != ANY && old.extra() != NEVER {
                self.inside(at, name, old.extra(), after.0);
            }
            self.property_rule(
                at,
                format!("response-{kind}-property-added"),
                severity,
                node,
                format!("The property {name:?} is new{more}."),
            );
            return Ok(());
        }
        if old.extra() != ANY && old.extra() != NEVER {
            self.inside(at, name, old.extra(), after.0);
        }
        let thing = match at.site.area {
            Area::RequestBody | Area::RequestProperty => "request-property",
            Area::HeaderParameter | Area::HeaderProperty => "request-header-property",
            _ => "request-parameter-property",
        };
        if lone.required && !lone.read_only {
            let default = if lone.default && thing == "request-property" { "-with-default" } else { "" };
            let found = Found::new(
                format!("new-required-{thing}{default}"),
                Breaking,
                (Side::Revision, node),
                format!("The property {name:?} is new and required: requests of today lack it."),
            );
            self.found(at, found.fix("make it optional, or put it into a new version of the operation"));
        } else {
            self.property_rule(at, format!("new-optional-{thing}"), Info, node, format!("The optional property {name:?} is new."));
        }
        Ok(())
    }

    /// Names that are required without being described.
    fn undescribed(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) {
        let inner = at.site.inner().prefix();
        for (name, node) in &new.required {
            let described = new.property(name).is_some();
            if !described && old.requires(name).is_none() && at.site.request() {
                let message = format!("The property {name:?} became required; requests without it are refused.");
                self.property_rule(at, format!("{inner}-became-required"), Breaking, *node, message);
            }
        }
        for (name, _) in &old.required {
            let described = old.property(name).is_some();
            if !described && new.requires(name).is_none() && !at.site.request() {
                let message = format!("The property {name:?} may be missing now, and was always there.");
                self.property_rule(at, "response-property-became-optional", Breaking, new.node, message);
            }
        }
    }

    /// `additionalProperties`.
    fn extras(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) {
        let (before, after) = (old.extra(), new.extra());
        if before == after && before >= NEVER {
            return;
        }
        let node = new.additional.map_or(new.node, |said| said.1);
        match (before, after) {
            (_, NEVER) => {
                let message = "Properties that are not described are forbidden now.";
                self.say_at(at, "additional-properties-forbidden", narrower(at), node, message);
            }
            (NEVER, _) => {
                let severity = if at.site.request() { Info } else { Risky };
                self.say_at(at, "additional-properties-allowed", severity, node, "Properties that are not described may appear now.");
            }
            (before, after) => self.inside(at, "additionalProperties", before, after),
        }
    }

    fn dependent_required(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) {
        let find = |shape: &Shape<'a>, name: &str| shape.dependent_required.iter().find(|one| one.0 == name).cloned();
        for (name, after, node) in &new.dependent_required {
            match find(old, name) {
                None if after.is_empty() => {}
                None => {
                    let message = format!("With {name:?}, other properties are required now.");
                    self.say_at(at, "dependent-required-added", narrower(at), *node, message);
                }
                Some((_, before, _)) if before != *after => {
                    let severity = match (before.is_subset(after), after.is_subset(&before)) {
                        (true, _) => narrower(at),
                        (_, true) => wider(at),
                        _ => Breaking,
                    };
                    let message = format!("The properties required with {name:?} changed.");
                    self.say_at(at, "dependent-required-changed", severity, *node, message);
                }
                Some(_) => {}
            }
        }
        for (name, before, _) in &old.dependent_required {
            if find(new, name).is_none() && !before.is_empty() {
                let message = format!("With {name:?}, no other properties are required any more.");
                self.say_at(at, "dependent-required-removed", wider(at), new.node, message);
            }
        }
    }

    pub(super) fn lists(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) {
        if !old.types.meets(Types::ARRAY) || !new.types.meets(Types::ARRAY) {
            return;
        }
        let (before, after) = (old.items.map_or(ANY, |one| one.0), new.items.map_or(ANY, |one| one.0));
        if before != ANY || after != ANY {
            self.inside(at, "items", before, after);
        }
        for (place, pair) in old.prefix.iter().zip(&new.prefix).enumerate() {
            self.inside(at, format!("prefixItems[{}]", place), pair.0.0, pair.1.0);
        }
        let (few, many) = (old.prefix.len().min(new.prefix.len()), old.prefix.len().max(new.prefix.len()));
        // A place that one side does not describe is described by `items` there.
        for place in few..many {
            let (kind, node) = match (old.prefix.get(place), new.prefix.get(place)) {
                (Some(gone), _) => {
                    self.inside(at, format!("prefixItems[{place}]"), gone.0, after);
                    ("prefix-items-removed", new.node)
                }
                (_, Some(come)) => {
                    self.inside(at, format!("prefixItems[{place}]"), before, come.0);
                    ("prefix-items-added", come.1)
                }
                _ => continue,
            };
            self.say_at(at, kind, Risky, node, format!("Item {place} of the list is described differently."));
        }
    }

    /// Schemas under rarer keywords: there on one side only, or compared inside.
    pub(super) fn parts(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) -> Result<(), ReadError> {
        let same = |one: &Part<'a>, other: &Part<'a>| one.key == other.key && one.name == other.name;
        for after in &new.parts {
            let before = old.parts.iter().find(|before| same(before, after)).copied();
            match before {
                Some(before) => self.part(at, before, *after)?,
                None => {
                    let message = format!("{} was added.", named(after));
                    self.say_at(at, &format!("{}-added", after.key), narrower(at), after.node, message);
                }
            }
        }
        for before in &old.parts {
            if !new.parts.iter().any(|after| same(before, after)) {
                let message = format!("{} was removed.", named(before));
                self.say_at(at, &format!("{}-removed", before.key), wider(at), new.node, message);
            }
        }
        Ok(())
    }
    fn part(&mut self, at: &At, before: Part<'a>, after: Part<'a>) -> Result<(), ReadError> {
        match after.key {
            // Where it is a condition, or a no, wider and narrower change places.
            "not" | "if" => {
                let there = self.fits(before.conj, after.conj, at.site.flipped())?;
                let back = after.key == "not" || self.fits(before.conj, after.conj, at.site)?;
                if there && back {
                    return Ok(());
                }
                let severity = if after.key == "not" { self.trial(before.conj, after.conj, at.site.flipped())? } else { Risky };
                let message = format!("What {} says changed.", named(&after));
                self.say_at(at, &format!("{}-changed", after.key), severity, after.node, message);
            }
            key => {
                let label = if after.name.is_empty() { key.to_owned() } else { format!("{key}[{}]", after.name) };
                self.inside(at, label, before.conj, after.conj);
            }
        }
        Ok(())
    }
}

fn named(part: &Part<'_>) -> String {
    if part.name.is_empty() { format!("The schema under {}", part.key) } else { format!("The {} {:?}", part.key, part.name) }
}
