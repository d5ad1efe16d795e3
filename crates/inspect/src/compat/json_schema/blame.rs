//! Which keyword refuses a witness, and where: the deepest one that is not a matter of choice.

use super::compile::{Compiler, Part};
use super::eval::{Judge, Patterns, Truth};
use super::form::{Form, Id, Names, PlaceId};
use super::value::Value;
use crate::document::Kind;
use std::collections::BTreeSet;

/// A part of a place, by number.
pub type PartId = (PlaceId, usize);

/// The keyword that refuses, and the value inside the witness that it refuses.
#[derive(Debug, Clone)]
pub struct Blame {
    pub part: PartId,
    /// JSON pointer into the witness.
    pub instance: String,
    pub value: Value,
}

pub struct Blamer<'a> {
    pub compiler: &'a Compiler<'a>,
    pub bodies: &'a [Id],
    pub patterns: &'a Patterns,
    /// Parts that are told already.
    pub told: &'a BTreeSet<PartId>,
}

impl Blamer<'_> {
    fn fails(&self, form: Id, value: &Value) -> bool {
        let judge = Judge { forms: &self.compiler.forms, bodies: self.bodies, patterns: self.patterns };
        judge.holds(form, value) == Truth::No
    }

    /// The first part of the place that the value violates, as deep as it goes.
    pub fn of(&self, place: PlaceId, value: &Value, instance: &str) -> Option<Blame> {
        for (number, part) in self.parts(place) {
            if self.told.contains(&(place, number)) || !self.fails(part.form, value) {
                continue;
            }
            let here = Blame { part: (place, number), instance: instance.to_owned(), value: value.clone() };
            return Some(self.inside(part, part.form, value, instance).unwrap_or(here));
        }
        None
    }

    fn parts(&self, place: PlaceId) -> impl Iterator<Item = (usize, &Part)> {
        self.compiler.places.get(place as usize).into_iter().flat_map(|place| place.parts.iter().enumerate())
    }

    /// Deeper than the part itself, where that can be said.
    fn inside(&self, part: &Part, form: Id, value: &Value, instance: &str) -> Option<Blame> {
        match (self.compiler.forms.get(form), value) {
            (Form::Place(place), _) => self.of(*place, value, instance),
            (Form::Members(names, inner), Value::Map(members)) => {
                let place = self.place_of(*inner)?;
                let meant = |name: &str| match names {
                    Names::One(one) => one == name,
                    names => self.patterns.selects(names, name) == Truth::Yes,
                };
                let (name, member) = members.iter().find(|(name, member)| meant(name) && self.fails(*inner, member))?;
                self.of(place, member, &format!("{instance}/{}", name.replace('~', "~0").replace('/', "~1")))
            }
            (Form::NamesAre(inner), Value::Map(members)) => {
                let place = self.place_of(*inner)?;
                let name = members.keys().find(|name| self.fails(*inner, &Value::Text((*name).clone())))?;
                self.of(place, &Value::Text(name.clone()), instance)
            }
            (Form::Items(from, to, inner), Value::List(items)) => {
                let place = self.place_of(*inner)?;
                let end = to.map_or(items.len(), |to| (to as usize).min(items.len()));
                let (number, item) = items.iter().enumerate().take(end).skip(*from as usize).find(|(_, item)| self.fails(*inner, item))?;
                self.of(place, item, &format!("{instance}/{number}"))
            }
            (Form::Any(parts), _) if matches!(part.keyword, "then" | "else" | "dependentSchemas" | "dependencies") => {
                self.inside(part, *parts.last()?, value, instance)
            }
            (Form::Any(parts), _) if part.keyword == "anyOf" => self.of(self.meant_branch(parts, value)?, value, instance),
            (Form::One(parts), _) if parts.iter().all(|part| self.fails(*part, value)) => {
                self.of(self.meant_branch(parts, value)?, value, instance)
            }
            _ => None,
        }
    }

    /// The place of a formula, unless it is `false`: then the keyword above is to blame.
    fn place_of(&self, form: Id) -> Option<PlaceId> {
        let Form::Place(place) = self.compiler.forms.get(form) else { return None };
        let node = self.compiler.places.get(*place as usize)?.node;
        (self.compiler.tree.kind(node) != Kind::Bool).then_some(*place)
    }

    /// The one branch that types and constant members speak for.
    fn meant_branch(&self, branches: &[Id], value: &Value) -> Option<PlaceId> {
        let mut meant = branches.iter().filter_map(|branch| self.place_of(*branch)).filter(|place| self.is_meant(*place, value, 0));
        let first = meant.next()?;
        meant.next().is_none().then_some(first)
    }

    fn is_meant(&self, place: PlaceId, value: &Value, depth: usize) -> bool {
        self.parts(place).all(|(_, part)| match (part.keyword, self.compiler.forms.get(part.form)) {
            ("type" | "const", _) => !self.fails(part.form, value),
            ("$ref", Form::Place(target)) if depth < 16 => self.is_meant(*target, value, depth + 1),
            ("properties", Form::Members(_, inner)) if self.is_constant(*inner) => !self.fails(part.form, value),
            _ => true,
        })
    }

    fn is_constant(&self, form: Id) -> bool {
        self.place_of(form).is_some_and(|place| self.parts(place).any(|(_, part)| matches!(part.keyword, "const" | "enum")))
    }
}
