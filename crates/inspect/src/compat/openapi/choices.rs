//! `oneOf`, `anyOf`, the discriminator, and named parts of `allOf`.
//!
//! Alternatives of both sides are paired by name, then by meaning; a pair is compared inside, an alternative without a
//! partner came or went. Which values two alternatives share is decided for plain cases only, and said where it is not.

use super::compare::{At, Comparison, Found, Side};
use super::schema::{Pair, narrower, wider};
use super::shape::{Branch, Choice, Shape, Types, alternative, shape};
use super::source::Conj;
use crate::document::{Kind, NodeId, ReadError};
use crate::finding::Severity::{self, Breaking, Info, Risky};
use std::collections::HashMap;

/// Alternatives without names that are tried against each other.
const TRIED_MAX: usize = 24;

impl<'a> Comparison<'a> {
    /// A choice on one side only: the plain side against every alternative. True where that settled the pair.
    pub(super) fn wrapped(&mut self, at: &At, base: Pair<'_, 'a>, revision: Pair<'_, 'a>) -> Result<bool, ReadError> {
        match (base.1.choices.as_slice(), revision.1.choices.as_slice()) {
            ([], [choice]) => self.became_choice(at, base, revision, choice),
            ([choice], []) => self.ended_choice(at, base, revision, choice),
            _ => Ok(false),
        }
    }

    fn became_choice(&mut self, at: &At, base: Pair<'_, 'a>, revision: Pair<'_, 'a>, choice: &Choice<'a>) -> Result<bool, ReadError> {
        let word = if choice.exactly_one { "one-of" } else { "any-of" };
        let mut worst = Severity::Info;
        let mut fitting = Vec::new();
        for branch in &choice.branches {
            let there = alternative(self.revision, revision.0, branch);
            let severity = self.trial(base.0, there, at.site)?;
            if severity != Breaking {
                fitting.push(branch.clone());
            }
            worst = worst.min(severity);
        }
        if at.site.request() {
            let told_apart = revision.1.discriminator.is_some() || !choice.exactly_one;
            let (severity, what) = match (fitting.as_slice(), told_apart) {
                ([], _) => (Breaking, "what was valid fits none of them as a whole"),
                (_, true) => (Info, "what was valid fits one of them"),
                ([one], false) if self.apart(one, choice)? => (Info, "what was valid fits one of them"),
                ([_], false) => (Risky, "what was valid fits one of them; whether it fits no other one is not decided here"),
                (_, false) => (Breaking, "what was valid fits several of them, and may fit only one"),
            };
            self.say_at(at, &format!("{word}-added"), severity, choice.node, format!("Alternatives were added; {what}."));
            if severity == Breaking {
                self.say_at(at, &format!("wrapped-in-{word}"), Breaking, choice.node, "The schema became one of several alternatives.");
            }
            return Ok(true);
        }
        // A response may be any of the alternatives: all of them must have been possible.
        if worst == Breaking {
            let message = "The schema became one of several alternatives, of which some were not possible before.";
            self.say_at(at, &format!("wrapped-in-{word}"), Breaking, choice.node, message);
            self.say_at(at, &format!("{word}-added"), Breaking, choice.node, "Alternatives were added.");
        } else {
            self.say_at(at, &format!("{word}-specialized"), worst, choice.node, "The schema became a choice of what was possible before.");
        }
        Ok(true)
    }

    fn ended_choice(&mut self, at: &At, base: Pair<'_, 'a>, revision: Pair<'_, 'a>, choice: &Choice<'a>) -> Result<bool, ReadError> {
        let word = if choice.exactly_one { "one-of" } else { "any-of" };
        let mut worst = Severity::Info;
        let mut fitting = 0;
        for branch in &choice.branches {
            let there = alternative(self.base, base.0, branch);
            let severity = self.trial(there, revision.0, at.site)?;
            fitting += usize::from(severity != Breaking);
            worst = worst.min(severity);
        }
        let node = revision.1.node;
        let (severity, what) = if at.site.request() {
            (worst, if worst == Breaking { "what fitted some of them is not valid any more" } else { "what fitted them is still valid" })
        } else if fitting > 0 {
            (Info, "what is sent now was possible before")
        } else {
            (Breaking, "what is sent now fits none of them as a whole")
        };
        let rule = if severity == Breaking { format!("{word}-removed") } else { format!("{word}-generalized") };
        self.say_at(at, &rule, severity, node, format!("The alternatives became one schema; {what}."));
        Ok(true)
    }

    /// Choices on both sides, and what belongs to them.
    pub(super) fn choices(&mut self, at: &At, base: Pair<'_, 'a>, revision: Pair<'_, 'a>) -> Result<(), ReadError> {
        let (old, new) = (base.1, revision.1);
        self.discriminators(at, old, new);
        self.all_of(at, old, new)?;
        let mut left: Vec<&Choice<'a>> = new.choices.iter().collect();
        for before in &old.choices {
            let same_kind = left.iter().position(|after| after.exactly_one == before.exactly_one);
            let partner = same_kind.or(if left.is_empty() { None } else { Some(0) });
            match partner {
                Some(place) => {
                    let after = left.remove(place);
                    self.pair_choices(at, before, after, new.discriminator.is_some())?;
                }
                None => {
                    let word = if before.exactly_one { "one-of" } else { "any-of" };
                    self.say_at(at, &format!("{word}-generalized"), wider(at), new.node, "A choice of alternatives was removed.");
                }
            }
        }
        for after in left {
            let word = if after.exactly_one { "one-of" } else { "any-of" };
            self.say_at(at, &format!("{word}-specialized"), narrower(at), after.node, "A choice of alternatives must be met besides.");
        }
        Ok(())
    }

    fn pair_choices(&mut self, at: &At, before: &Choice<'a>, after: &Choice<'a>, told_apart: bool) -> Result<(), ReadError> {
        let word = if after.exactly_one { "one-of" } else { "any-of" };
        if before.exactly_one && !after.exactly_one && !at.site.request() || !before.exactly_one && after.exactly_one && at.site.request() {
            let message = "Alternatives exclude each other on one side only; whether a value fits several of them is not decided here.";
            self.say_at(at, &format!("{word}-changed"), Risky, after.node, message);
        }
        let (pairs, gone, come) = self.partners(at, before, after)?;
        for (one, other) in pairs {
            let label = match other.name {
                Some(name) => format!("{}[{name}]", if after.exactly_one { "oneOf" } else { "anyOf" }),
                None => format!("{}[{}]", if after.exactly_one { "oneOf" } else { "anyOf" }, position(&after.branches, other.node)),
            };
            self.inside(at, label, one.conj, other.conj);
        }
        for branch in gone {
            let message = format!("The alternative {} was removed.", title(&before.branches, &branch));
            self.say_at(at, &format!("{word}-removed"), narrower(at), after.node, message);
        }
        for branch in &come {
            let message = format!("The alternative {} was added.", title(&after.branches, branch));
            // Of alternatives that may overlap, one that says no more than another one did adds nothing.
            let mut covered = false;
            if !at.site.request() && !after.exactly_one {
                for known in before.branches.iter().take(TRIED_MAX) {
                    covered = covered || self.trial(known.conj, branch.conj, at.site.inner())? != Breaking;
                }
            }
            let (severity, more) = if covered {
                (Info, " What it allows was allowed before.")
            } else if at.site.request() && after.exactly_one && !told_apart && !self.apart(branch, after)? {
                (Risky, " A value that fits it and another one is not valid any more.")
            } else {
                (wider(at), "")
            };
            self.say_at(at, &format!("{word}-added"), severity, branch.node, format!("{message}{more}"));
        }
        Ok(())
    }

    /// Which alternative became which; then those that went and those that came.
    #[expect(clippy::type_complexity, reason = "three lists of one thing, used once")]
    fn partners(
        &mut self,
        at: &At,
        before: &Choice<'a>,
        after: &Choice<'a>,
    ) -> Result<(Vec<(Branch<'a>, Branch<'a>)>, Vec<Branch<'a>>, Vec<Branch<'a>>), ReadError> {
        let mut pairs = Vec::new();
        let mut gone: Vec<Branch<'a>> = Vec::new();
        let mut taken = vec![false; after.branches.len()];
        let mut by_name: HashMap<&str, usize> = HashMap::new();
        for (place, branch) in after.branches.iter().enumerate().rev() {
            by_name.extend(branch.name.map(|name| (name, place)));
        }
        for branch in &before.branches {
            let place = branch.name.and_then(|name| by_name.get(name)).copied().filter(|place| taken.get(*place) == Some(&false));
            match place.and_then(|place| after.branches.get(place).map(|other| (place, other))) {
                Some((place, other)) => {
                    if let Some(taken) = taken.get_mut(place) {
                        *taken = true;
                    }
                    pairs.push((branch.clone(), other.clone()));
                }
                None => gone.push(branch.clone()),
            }
        }
        let mut come: Vec<Branch<'a>> =
            after.branches.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(branch, _)| branch.clone()).collect();
        // By meaning: what is the same, then what looks most alike.
        if gone.len() <= TRIED_MAX && come.len() <= TRIED_MAX {
            let mut open = Vec::new();
            for branch in gone {
                let mut partner = None;
                for (place, other) in come.iter().enumerate() {
                    if self.fits(branch.conj, other.conj, at.site.inner())? {
                        partner = Some(place);
                        break;
                    }
                }
                match partner {
                    Some(place) => pairs.push((branch, come.remove(place))),
                    None => open.push(branch),
                }
            }
            gone = open;
            self.alike(&mut gone, &mut come, &mut pairs)?;
        }
        Ok((pairs, gone, come))
    }

    /// Pairs alternatives of which at least one has no name, the most alike first.
    fn alike(
        &self,
        gone: &mut Vec<Branch<'a>>,
        come: &mut Vec<Branch<'a>>,
        pairs: &mut Vec<(Branch<'a>, Branch<'a>)>,
    ) -> Result<(), ReadError> {
        let mut scores = Vec::new();
        for (one, branch) in gone.iter().enumerate() {
            let mine = shape(self.base, branch.conj)?;
            for (two, other) in come.iter().enumerate() {
                if branch.name.is_some() && other.name.is_some() {
                    continue;
                }
                let theirs = shape(self.revision, other.conj)?;
                let shared = mine.properties.iter().filter(|property| theirs.property(property.0).is_some()).count();
                let plain = mine.properties.is_empty() && theirs.properties.is_empty();
                if mine.types.meets(theirs.types) && (plain || shared > 0) {
                    scores.push((std::cmp::Reverse((mine.types == theirs.types, shared)), one.abs_diff(two), one, two));
                }
            }
        }
        scores.sort_unstable();
        let (mut used, mut taken) = (vec![false; gone.len()], vec![false; come.len()]);
        for (_, _, one, two) in scores {
            if let (Some(used @ false), Some(taken @ false)) = (used.get_mut(one), taken.get_mut(two))
                && let (Some(branch), Some(other)) = (gone.get(one), come.get(two))
            {
                (*used, *taken) = (true, true);
                pairs.push((branch.clone(), other.clone()));
            }
        }
        let mut kept = used.iter();
        gone.retain(|_| kept.next() == Some(&false));
        let mut kept = taken.iter();
        come.retain(|_| kept.next() == Some(&false));
        Ok(())
    }

    /// Whether no value of an alternative can be one of another's.
    fn apart(&self, branch: &Branch<'a>, choice: &Choice<'a>) -> Result<bool, ReadError> {
        let own = shape(self.revision, branch.conj)?;
        for other in &choice.branches {
            if other.node == branch.node {
                continue;
            }
            let theirs = shape(self.revision, other.conj)?;
            let types = own.types.and(theirs.types);
            let values = match (&own.values, &theirs.values) {
                (Some(one), Some(other)) => one.0.is_disjoint(&other.0),
                _ => false,
            };
            let apart = types.0 == 0 || values || types == Types::OBJECT && self.told_by_property(&own, &theirs)?;
            if !apart {
                return Ok(false);
            }
        }
        Ok(true)
    }
    /// A property that both require and whose values differ.
    fn told_by_property(&self, one: &Shape<'a>, other: &Shape<'a>) -> Result<bool, ReadError> {
        for (name, _) in &one.required {
            let (Some(mine), Some(theirs)) = (one.property(name), other.property(name)) else { continue };
            if other.requires(name).is_none() {
                continue;
            }
            let (mine, theirs) = (shape(self.revision, mine.0)?, shape(self.revision, theirs.0)?);
            let list = |shape: &Shape<'_>| match (&shape.constant, &shape.values) {
                (Some((one, _)), _) => Some(std::collections::BTreeSet::from([one.clone()])),
                (None, Some((many, _))) => Some(many.clone()),
                _ => None,
            };
            let values = match (list(&mine), list(&theirs)) {
                (Some(mine), Some(theirs)) => mine.is_disjoint(&theirs),
                _ => false,
            };
            if values || mine.types.and(theirs.types).0 == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn discriminators(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) {
        let word = |rest: &str| format!("discriminator-{rest}");
        let (before, after) = match (old.discriminator, new.discriminator) {
            (None, None) => return,
            (None, Some(node)) => return self.say_at(at, &word("added"), Info, node, "A discriminator was added."),
            (Some(_), None) => return self.say_at(at, &word("removed"), Risky, new.node, "The discriminator was removed."),
            (Some(before), Some(after)) => (before, after),
        };
        let name = |spec: &'a super::source::Spec, node: NodeId| spec.tree.get_text(node, "propertyName").unwrap_or_default();
        let (was, is) = (name(self.base, before), name(self.revision, after));
        if was != is {
            let message = format!("The discriminator was the property {was:?}, is {is:?}.");
            self.say_at(at, &word("property-name-changed"), Risky, after, message);
        }
        let mapping = |spec: &'a super::source::Spec, node: NodeId| -> Vec<(&'a str, &'a str)> {
            let map = spec.tree.get(node, "mapping").into_iter().flat_map(|map| spec.tree.entries(map));
            map.filter_map(|(key, value)| spec.tree.text(value).map(|text| (key, text.rsplit('/').next().unwrap_or(text)))).collect()
        };
        let (was, is) = (mapping(self.base, before), mapping(self.revision, after));
        for (key, target) in &is {
            match was.iter().find(|one| one.0 == *key) {
                None => self.say_at(at, &word("mapping-added"), Info, after, format!("The discriminator's value {key:?} is new.")),
                Some((_, before)) if before != target => {
                    let message = format!("The discriminator's value {key:?} stood for {before}, stands for {target}.");
                    self.say_at(at, &word("mapping-changed"), Risky, after, message);
                }
                Some(_) => {}
            }
        }
        for (key, _) in was.iter().filter(|one| !is.iter().any(|other| other.0 == one.0)) {
            self.say_at(at, &word("mapping-deleted"), Risky, after, format!("The discriminator's value {key:?} was removed."));
        }
    }

    /// Named members that an `allOf` of both sides gained or lost. What they say is merged and compared anyway; that a
    /// contract was added or dropped by name is told besides, as whoever validates against that name will notice.
    fn all_of(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) -> Result<(), ReadError> {
        if old.all_of.is_empty() || new.all_of.is_empty() {
            return Ok(());
        }
        let lacks = |list: &[(&'a str, NodeId)], name: &str| !list.iter().any(|one| one.0 == name);
        let mut gone: Vec<(&'a str, NodeId)> = old.all_of.iter().filter(|one| lacks(&new.all_of, one.0)).copied().collect();
        for (name, node) in new.all_of.iter().filter(|one| lacks(&old.all_of, one.0)) {
            let mut renamed = None;
            for (place, before) in gone.iter().enumerate() {
                if self.fits(before.1, *node, at.site.inner())? {
                    renamed = Some(place);
                    break;
                }
            }
            if let Some(place) = renamed {
                gone.remove(place);
                continue;
            }
            let (word, severity) = if self.says_nothing(Side::Revision, *node)? {
                ("all-of-added-annotation-only", Info)
            } else {
                ("all-of-added", narrower(at))
            };
            self.say_at(at, word, severity, *node, format!("{name} must be met besides."));
        }
        for (name, node) in gone {
            let (word, severity) = match (self.says_nothing(Side::Base, node)?, at.site.request()) {
                (true, _) => ("all-of-removed-annotation-only", Info),
                (false, true) => ("all-of-removed", Risky),
                // What the response lost by it is found property by property.
                (false, false) => ("all-of-removed", Info),
            };
            self.say_at(at, word, severity, new.node, format!("{name} need not be met any more."));
        }
        Ok(())
    }
    fn says_nothing(&mut self, side: Side, node: Conj) -> Result<bool, ReadError> {
        let spec = if side == Side::Base { self.base } else { self.revision };
        let node = spec.follow(node)?;
        let annotation = |key: &str| {
            matches!(key, "title" | "description" | "example" | "examples" | "deprecated" | "externalDocs" | "$comment" | "xml")
                || key.starts_with("x-")
        };
        Ok(spec.tree.kind(node) == Kind::Map && spec.tree.entries(node).all(|(key, _)| annotation(key)))
    }

    /// Defaults, and values of an open list (`x-extensible-enum`).
    pub(super) fn notes(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) {
        let text = |spec: &'a super::source::Spec, node: Option<NodeId>| node.map(|node| spec.tree.canonical(node));
        let node = new.default.unwrap_or(new.node);
        // Who leaves it out gets something else: for parameters that is the whole request.
        let severity = match (at.site.request(), at.site.prefix()) {
            (true, "request-parameter") => Breaking,
            (true, _) => Risky,
            _ => Info,
        };
        match (text(self.base, old.default), text(self.revision, new.default)) {
            (Some(before), Some(after)) if before != after => {
                self.say_at(at, "default-value-changed", severity, node, format!("The default was {before}, is {after}."));
            }
            (None, Some(after)) => self.say_at(at, "default-value-added", severity, node, format!("The default {after} was added.")),
            (Some(before), None) => self.say_at(at, "default-value-removed", severity, node, format!("The default {before} was removed.")),
            _ => {}
        }
        let values = |spec: &'a super::source::Spec, node: Option<NodeId>| -> Vec<String> {
            node.map(|node| spec.tree.items(node).iter().map(|item| spec.tree.canonical(*item)).collect()).unwrap_or_default()
        };
        let (was, is) = (values(self.base, old.note("x-extensible-enum")), values(self.revision, new.note("x-extensible-enum")));
        if new.note("x-extensible-enum").is_some() {
            for value in was.iter().filter(|value| !is.contains(value)) {
                self.say_at(at, "x-extensible-enum-value-removed", narrower(at), new.node, format!("The value {value} was removed."));
            }
        }
    }

    /// `deprecated`, `x-sunset` and `x-stability-level` of a property.
    pub(super) fn lifecycle(&mut self, at: &At, old: &Shape<'a>, new: &Shape<'a>) {
        match (old.note("deprecated"), new.note("deprecated")) {
            (None, Some(node)) => {
                let sunset = new.note("x-sunset").and_then(|node| self.revision.tree.scalar(node));
                let (word, severity, message) = super::lifecycle::told(sunset, self.today);
                self.say_at(at, word, severity, node, message);
            }
            (Some(_), None) => self.say_at(at, "reactivated", Info, new.node, "Not deprecated any more."),
            _ => {}
        }
        let level =
            |spec: &'a super::source::Spec, shape: &Shape<'a>| shape.note("x-stability-level").and_then(|node| spec.tree.text(node));
        let (before, after) = (level(self.base, old), level(self.revision, new));
        if let Some(change) = super::lifecycle::stability(before, after) {
            let node = new.note("x-stability-level").unwrap_or(new.node);
            let found = match change {
                Ok(message) => Found::new(format!("{}-stability-increased", at.site.prefix()), Info, (Side::Revision, node), message),
                Err(message) => Found::new(format!("{}-stability-decreased", at.site.prefix()), Breaking, (Side::Revision, node), message),
            };
            self.found(at, found);
        }
    }
}

fn position(branches: &[Branch<'_>], node: NodeId) -> usize {
    branches.iter().position(|branch| branch.node == node).unwrap_or_default()
}

fn title(branches: &[Branch<'_>], branch: &Branch<'_>) -> String {
    branch.name.map_or_else(|| format!("number {}", position(branches, branch.node) + 1), str::to_owned)
}
