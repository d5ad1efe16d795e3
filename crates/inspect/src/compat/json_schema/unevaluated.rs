//! `unevaluatedProperties` and `unevaluatedItems`: which members and items other keywords have looked at.
//!
//! That depends on which branches of `anyOf`, `oneOf`, `if` and `dependentSchemas` hold (2020-12 core, section 11), so the
//! formula distinguishes them all; where there are too many, the keyword is equal to itself and otherwise not decided.

use super::compile::{Compiler, Here};
use super::form::{Form, Id, Names, types};
use super::load::Draft;
use crate::document::{Kind, NodeId, ReadError};
use std::collections::BTreeSet;

/// Branches beyond this number are not distinguished: the formula doubles with each.
const BRANCHES_MAX: usize = 8;

/// What is looked at for sure, and what only where a condition holds.
#[derive(Clone, Default)]
struct Seen {
    every_member: bool,
    names: BTreeSet<String>,
    patterns: BTreeSet<String>,
    every_item: bool,
    first_items: u64,
    /// Items that are so (2020-12: those that `contains` finds).
    items_so: Vec<Id>,
    branches: Vec<(Id, Seen)>,
    /// A reference inside depends on the way that led to it.
    undecided: bool,
    /// Likewise for items only.
    undecided_items: bool,
}

impl Seen {
    fn add(&mut self, other: Seen) {
        self.every_member |= other.every_member;
        self.names.extend(other.names);
        self.patterns.extend(other.patterns);
        self.every_item |= other.every_item;
        self.first_items = self.first_items.max(other.first_items);
        self.items_so.extend(other.items_so);
        self.branches.extend(other.branches);
        self.undecided |= other.undecided;
        self.undecided_items |= other.undecided_items;
    }
    fn members_matter(&self) -> bool {
        self.undecided
            || self.every_member
            || !self.names.is_empty()
            || !self.patterns.is_empty()
            || self.branches.iter().any(|(_, seen)| seen.members_matter())
    }
    fn items_matter(&self) -> bool {
        let own = self.undecided || self.undecided_items || self.every_item || self.first_items > 0 || !self.items_so.is_empty();
        own || self.branches.iter().any(|(_, seen)| seen.items_matter())
    }
}

impl Compiler<'_> {
    pub(super) fn unevaluated(&mut self, here: &mut Here) -> Result<(), ReadError> {
        for (word, members) in [("unevaluatedProperties", true), ("unevaluatedItems", false)] {
            let Some(node) = self.tree.get(here.node, word) else { continue };
            let inner = self.sub(here, node);
            let mut seen = self.seen(here, here.node, Some(word), &mut BTreeSet::new())?;
            let matters = if members { Seen::members_matter } else { Seen::items_matter };
            seen.branches.retain(|(_, branch)| matters(branch));
            let form = match self.distinguished(&seen, inner, members, 0) {
                Some(form) => form,
                None => {
                    let set = if members { types::MAP } else { types::LIST };
                    let text = format!("{word} over {}", self.tree.canonical(here.node));
                    self.forms.add(Form::Dark(set, text, "undecided-unevaluated"))
                }
            };
            Self::add_part(here, word, node, form);
        }
        Ok(())
    }

    fn distinguished(&mut self, seen: &Seen, inner: Id, members: bool, depth: usize) -> Option<Id> {
        if if members { seen.every_member } else { seen.every_item } {
            return Some(self.forms.truth());
        }
        if seen.undecided || seen.undecided_items && !members {
            return None;
        }
        let mut left = seen.clone();
        let Some((condition, branch)) = left.branches.pop() else {
            return Some(if members {
                let names = Names::Others { names: left.names, patterns: left.patterns };
                self.forms.add(Form::Members(names, inner))
            } else {
                let mut so = left.items_so;
                so.push(inner);
                let inner = self.forms.any(so);
                self.forms.add(Form::Items(left.first_items, None, inner))
            });
        };
        if depth >= BRANCHES_MAX {
            return None;
        }
        let without = self.distinguished(&left, inner, members, depth + 1)?;
        left.add(branch);
        let matters = if members { Seen::members_matter } else { Seen::items_matter };
        left.branches.retain(|(_, branch)| matters(branch));
        let with = self.distinguished(&left, inner, members, depth + 1)?;
        let otherwise = self.forms.not(condition);
        let (with, without) = (self.forms.all(vec![condition, with]), self.forms.all(vec![otherwise, without]));
        Some(self.forms.any(vec![with, without]))
    }

    /// What the keywords of a schema look at, provided that it holds. `except`: the keyword that asks.
    fn seen(&mut self, here: &Here, node: NodeId, except: Option<&str>, visited: &mut BTreeSet<NodeId>) -> Result<Seen, ReadError> {
        let mut seen = Seen::default();
        if self.tree.kind(node) != Kind::Map || !visited.insert(node) {
            return Ok(seen);
        }
        let tree = self.tree;
        let get = |word| tree.get(node, word);
        let keys = |word| get(word).map_or_else(BTreeSet::new, |map| tree.entries(map).map(|(key, _)| key.to_owned()).collect());
        (seen.names, seen.patterns) = (keys("properties"), keys("patternProperties"));
        seen.every_member =
            get("additionalProperties").is_some() || except != Some("unevaluatedProperties") && get("unevaluatedProperties").is_some();
        seen.every_item = except != Some("unevaluatedItems") && get("unevaluatedItems").is_some();
        let newest = here.draft >= Draft::Draft2020;
        let prefix = get(if newest { "prefixItems" } else { "items" });
        match prefix {
            Some(list) if tree.kind(list) == Kind::List => {
                seen.first_items = tree.len(list) as u64;
                seen.every_item |= get(if newest { "items" } else { "additionalItems" }).is_some();
            }
            _ => seen.every_item |= get("items").is_some(),
        }
        if let Some(contains) = get("contains") {
            let inner = self.sub(here, contains);
            seen.items_so.push(inner);
            // Validators of 2019-09 differ in whether what `contains` finds counts as looked at.
            seen.undecided_items |= !newest;
        }
        self.seen_beside(here, node, &mut seen, visited)?;
        visited.remove(&node);
        Ok(seen)
    }

    /// Through the subschemas that are held against the same value.
    fn seen_beside(&mut self, here: &Here, node: NodeId, seen: &mut Seen, visited: &mut BTreeSet<NodeId>) -> Result<(), ReadError> {
        for word in ["$ref", "$dynamicRef", "$recursiveRef"] {
            if let Some(reference) = self.tree.get(node, word) {
                seen.undecided |= word != "$ref" && self.is_elsewhere(here, node);
                let target = self.target(here, word, reference)?;
                seen.add(self.seen(here, target, None, visited)?);
            }
        }
        if let Some(list) = self.tree.get(node, "allOf") {
            for schema in self.listed(list, "allOf")? {
                seen.add(self.seen(here, schema, None, visited)?);
            }
        }
        let mut branch = |compiler: &mut Self, condition: Id, schema: NodeId| -> Result<(), ReadError> {
            let inner = compiler.seen(here, schema, None, visited)?;
            seen.branches.push((condition, inner));
            Ok(())
        };
        for word in ["anyOf", "oneOf"] {
            let Some(list) = self.tree.get(node, word) else { continue };
            for schema in self.listed(list, word)? {
                let condition = self.sub(here, schema);
                branch(self, condition, schema)?;
            }
        }
        if let Some(schema) = self.tree.get(node, "if") {
            let condition = self.sub(here, schema);
            branch(self, condition, schema)?;
            if let Some(schema) = self.tree.get(node, "then") {
                branch(self, condition, schema)?;
            }
            if let Some(schema) = self.tree.get(node, "else") {
                let otherwise = self.forms.not(condition);
                branch(self, otherwise, schema)?;
            }
        }
        if let Some(map) = self.tree.get(node, "dependentSchemas") {
            let entries: Vec<(String, NodeId)> = self.tree.entries(map).map(|(name, schema)| (name.to_owned(), schema)).collect();
            for (name, schema) in entries {
                // For maps only: what is said of members holds for every other value.
                let (maps, there) = (self.forms.add(Form::Types(types::MAP)), self.forms.add(Form::Required(name)));
                let there = self.forms.all(vec![maps, there]);
                branch(self, there, schema)?;
            }
        }
        Ok(())
    }
}
