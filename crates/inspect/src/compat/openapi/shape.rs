//! What a schema says once references are followed and `allOf` is merged: one flat [`Shape`].
//!
//! A shape is made anew for every comparison and borrows from the tree; the schemas inside it stay unread ([`Conj`]).
//! Both dialects end in the same shape: `nullable` and boolean `exclusiveMinimum` of 3.0 become what JSON Schema 2020-12
//! (OpenAPI 3.1) writes for them.

use super::source::{ANY, Conj, Member, NEVER, Spec, Version};
use crate::document::{Kind, NodeId, ReadError};
use std::collections::BTreeSet;

/// Schemas that one shape is merged from.
const MEMBERS_MAX: usize = 10_000;

/// JSON types as bits. `NUMBER` always comes with `INTEGER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(pub u8);

impl Types {
    pub const NULL: Types = Types(1);
    pub const BOOLEAN: Types = Types(2);
    pub const OBJECT: Types = Types(4);
    pub const ARRAY: Types = Types(8);
    pub const STRING: Types = Types(16);
    pub const INTEGER: Types = Types(32);
    pub const NUMBER: Types = Types(32 | 64);
    /// Names that are no type of JSON Schema, such as `file`.
    pub const OTHER: Types = Types(128);
    pub const ALL: Types = Types(255);

    fn named(name: &str) -> Option<Types> {
        Some(match name {
            "null" => Types::NULL,
            "boolean" => Types::BOOLEAN,
            "object" => Types::OBJECT,
            "array" => Types::ARRAY,
            "string" => Types::STRING,
            "integer" => Types::INTEGER,
            "number" => Types::NUMBER,
            _ => return None,
        })
    }
    pub fn has(self, other: Types) -> bool {
        self.0 & other.0 == other.0
    }
    pub fn meets(self, other: Types) -> bool {
        self.0 & other.0 != 0
    }
    pub fn and(self, other: Types) -> Types {
        Types(self.0 & other.0)
    }
    pub fn or(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }
    pub fn without(self, other: Types) -> Types {
        Types(self.0 & !other.0)
    }
    pub fn words(self) -> String {
        if self.has(Types::ALL.without(Types::NULL).without(Types::OTHER)) {
            return "any".to_owned();
        }
        let mut words = Vec::new();
        for (types, word) in [
            (Types::OBJECT, "object"),
            (Types::ARRAY, "array"),
            (Types::STRING, "string"),
            (Types::NUMBER, "number"),
            (Types::INTEGER, "integer"),
            (Types::BOOLEAN, "boolean"),
            (Types::NULL, "null"),
            (Types::OTHER, "an unknown type"),
        ] {
            if self.has(types) && !(word == "integer" && self.has(Types::NUMBER)) {
                words.push(word);
            }
        }
        if words.is_empty() { "nothing".to_owned() } else { words.join(" or ") }
    }
    /// How many kinds of value, null aside.
    pub fn count(self) -> u32 {
        let number = u32::from(self.meets(Types::NUMBER));
        self.without(Types::NULL).without(Types::NUMBER).0.count_ones() + number
    }
}

/// Bounds by number. Even: the upper one; the lower one of the same thing follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound {
    pub key: &'static str,
    /// As rule ids spell it.
    pub word: &'static str,
    pub upper: bool,
    pub types: Types,
}

pub(super) const BOUNDS: [Bound; 12] = [
    Bound { key: "maximum", word: "max", upper: true, types: Types::NUMBER },
    Bound { key: "exclusiveMaximum", word: "exclusive-max", upper: true, types: Types::NUMBER },
    Bound { key: "minimum", word: "min", upper: false, types: Types::NUMBER },
    Bound { key: "exclusiveMinimum", word: "exclusive-min", upper: false, types: Types::NUMBER },
    Bound { key: "maxLength", word: "max-length", upper: true, types: Types::STRING },
    Bound { key: "minLength", word: "min-length", upper: false, types: Types::STRING },
    Bound { key: "maxItems", word: "max-items", upper: true, types: Types::ARRAY },
    Bound { key: "minItems", word: "min-items", upper: false, types: Types::ARRAY },
    Bound { key: "maxProperties", word: "max-properties", upper: true, types: Types::OBJECT },
    Bound { key: "minProperties", word: "min-properties", upper: false, types: Types::OBJECT },
    Bound { key: "maxContains", word: "max-contains", upper: true, types: Types::ARRAY },
    Bound { key: "minContains", word: "min-contains", upper: false, types: Types::ARRAY },
];

/// A thing and the node that says it.
pub(super) type Said<T> = Option<(T, NodeId)>;

/// One alternative of a choice.
#[derive(Debug, Clone)]
pub(super) struct Branch<'a> {
    pub conj: Conj,
    /// The node in the list: its line is the alternative's.
    pub node: NodeId,
    /// The name of what it refers to.
    pub name: Option<&'a str>,
}

#[derive(Debug, Clone)]
pub(super) struct Choice<'a> {
    /// `oneOf`, not `anyOf`.
    pub exactly_one: bool,
    pub node: NodeId,
    pub branches: Vec<Branch<'a>>,
}

/// Schemas under a key that are compared alike: `contains`, `propertyNames`, …
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub key: &'static str,
    /// The member, where the key holds a map (`patternProperties`, `dependentSchemas`).
    pub name: &'a str,
    pub conj: Conj,
    pub node: NodeId,
}

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Shape<'a> {
    /// The schema's own place.
    pub node: NodeId,
    pub never: bool,
    pub types: Types,
    pub typed: Option<NodeId>,
    /// A name that is no type of JSON Schema.
    pub odd: Option<&'a str>,
    pub format: Said<&'a str>,
    /// Canonical texts.
    pub values: Said<BTreeSet<String>>,
    pub constant: Said<String>,
    pub bounds: [Said<f64>; BOUNDS.len()],
    pub multiple_of: Said<f64>,
    pub patterns: Vec<(&'a str, NodeId)>,
    pub unique: Option<NodeId>,
    /// Sorted by name.
    pub properties: Vec<(&'a str, Conj, NodeId)>,
    /// Sorted by name.
    pub required: Vec<(&'a str, NodeId)>,
    pub additional: Said<Conj>,
    pub items: Said<Conj>,
    pub parts: Vec<Part<'a>>,
    pub prefix: Vec<(Conj, NodeId)>,
    pub dependent_required: Vec<(&'a str, BTreeSet<&'a str>, NodeId)>,
    pub choices: Vec<Choice<'a>>,
    pub all_of: Vec<(&'a str, NodeId)>,
    pub discriminator: Option<NodeId>,
    pub default: Option<NodeId>,
    pub read_only: Option<NodeId>,
    pub write_only: Option<NodeId>,
    /// Annotations and extensions that matter: `deprecated`, `x-sunset`, `x-stability-level`, `x-extensible-enum`.
    pub notes: Vec<(&'static str, NodeId)>,
    pub content: Vec<(&'static str, &'a str, NodeId)>,
}

impl Shape<'_> {
    /// The types that values may really have.
    pub fn effective(&self) -> Types {
        if self.never { Types(0) } else { self.types }
    }
    pub fn note(&self, key: &str) -> Option<NodeId> {
        self.notes.iter().find(|note| note.0 == key).map(|note| note.1)
    }
    pub fn requires(&self, name: &str) -> Option<NodeId> {
        self.required.binary_search_by_key(&name, |one| one.0).ok().and_then(|place| self.required.get(place)).map(|one| one.1)
    }
    pub fn property(&self, name: &str) -> Option<(Conj, NodeId)> {
        let place = self.properties.binary_search_by_key(&name, |one| one.0).ok()?;
        self.properties.get(place).map(|one| (one.1, one.2))
    }
    pub fn extra(&self) -> Conj {
        self.additional.map_or(ANY, |one| one.0)
    }
}

/// A schema still to be merged.
#[derive(Clone, Copy)]
struct Open {
    node: NodeId,
    bare: bool,
    /// Null is let in besides.
    nullable: bool,
}

pub(super) fn shape(spec: &Spec, conj: Conj) -> Result<Shape<'_>, ReadError> {
    let members = spec.members(conj);
    let mut maker =
        Maker { spec, shape: empty(members.first().map_or(spec.root, |member| member.node)), open: Vec::new(), seen: BTreeSet::new() };
    maker.shape.never = conj == NEVER;
    maker.open.extend(members.iter().rev().map(|member| Open { node: member.node, bare: member.bare, nullable: false }));
    while let Some(open) = maker.open.pop() {
        maker.merge(open)?;
    }
    Ok(maker.done())
}

fn empty<'a>(node: NodeId) -> Shape<'a> {
    Shape {
        node,
        never: false,
        types: Types::ALL,
        typed: None,
        odd: None,
        format: None,
        values: None,
        constant: None,
        bounds: [None; BOUNDS.len()],
        multiple_of: None,
        patterns: Vec::new(),
        unique: None,
        properties: Vec::new(),
        required: Vec::new(),
        additional: None,
        items: None,
        parts: Vec::new(),
        prefix: Vec::new(),
        dependent_required: Vec::new(),
        choices: Vec::new(),
        all_of: Vec::new(),
        discriminator: None,
        default: None,
        read_only: None,
        write_only: None,
        notes: Vec::new(),
        content: Vec::new(),
    }
}

struct Maker<'a> {
    spec: &'a Spec,
    shape: Shape<'a>,
    open: Vec<Open>,
    seen: BTreeSet<NodeId>,
}

impl<'a> Maker<'a> {
    fn merge(&mut self, open: Open) -> Result<(), ReadError> {
        let spec = self.spec;
        let Open { node, bare, nullable } = open;
        // A schema that includes itself says nothing new.
        if !self.seen.insert(node) {
            return Ok(());
        }
        if self.seen.len() > MEMBERS_MAX {
            return Err(spec.error(node, format!("a schema merged from more than {MEMBERS_MAX} others")));
        }
        if let Some(target) = spec.target(node) {
            self.open.push(Open { node: target?, bare, nullable });
            if spec.version == Version::V30 {
                return Ok(());
            }
        }
        match spec.tree.kind(node) {
            Kind::Bool => {
                self.shape.never |= spec.tree.truth(node) == Some(false);
                return Ok(());
            }
            Kind::Map => {}
            _ => return Err(spec.error(node, "expected a schema".to_owned())),
        }
        let nullable = nullable || spec.tree.is_true(node, "nullable");
        for (key, value) in spec.tree.entries(node) {
            self.keyword(node, key, value, nullable, bare)?;
        }
        Ok(())
    }

    fn keyword(&mut self, node: NodeId, key: &'a str, value: NodeId, nullable: bool, bare: bool) -> Result<(), ReadError> {
        let tree = &self.spec.tree;
        match key {
            "type" => self.types(value, nullable),
            "enum" => {
                let mut values: BTreeSet<String> = tree.items(value).iter().map(|item| tree.canonical(*item)).collect();
                if nullable {
                    values.insert("null".to_owned());
                }
                self.narrow(values, value);
            }
            "const" => {
                let constant = tree.canonical(value);
                if self.shape.constant.as_ref().is_some_and(|known| known.0 != constant) {
                    self.shape.never = true;
                }
                self.shape.constant = Some((constant, value));
            }
            "format" => {
                if let Some(format) = tree.text(value).filter(|format| !format.is_empty()) {
                    self.shape.format = Some((format, value));
                }
            }
            "pattern" => self.shape.patterns.extend(tree.text(value).map(|text| (text, value))),
            "uniqueItems" if tree.truth(value) == Some(true) => self.shape.unique = Some(value),
            "multipleOf" => self.shape.multiple_of = tree.number(value).map(|number| (number, value)),
            "default" => self.shape.default = Some(value),
            "readOnly" if tree.truth(value) == Some(true) => self.shape.read_only = Some(value),
            "writeOnly" if tree.truth(value) == Some(true) => self.shape.write_only = Some(value),
            "deprecated" if tree.truth(value) == Some(true) => self.shape.notes.push(("deprecated", value)),
            "x-sunset" => self.shape.notes.push(("x-sunset", value)),
            "x-stability-level" => self.shape.notes.push(("x-stability-level", value)),
            "x-extensible-enum" => self.shape.notes.push(("x-extensible-enum", value)),
            "discriminator" if tree.kind(value) == Kind::Map => self.shape.discriminator = Some(value),
            "properties" | "required" | "additionalProperties" | "dependentRequired" | "dependentSchemas" | "patternProperties" => {
                self.object(key, value);
            }
            "items"
            | "prefixItems"
            | "contains"
            | "propertyNames"
            | "unevaluatedItems"
            | "unevaluatedProperties"
            | "if"
            | "then"
            | "else"
            | "not"
            | "contentSchema" => self.part(node, key, value),
            "contentMediaType" | "contentEncoding" => {
                let key = if key == "contentMediaType" { "content-media-type" } else { "content-encoding" };
                self.shape.content.extend(tree.text(value).map(|text| (key, text, value)));
            }
            "allOf" => {
                for member in tree.items(value).iter().rev() {
                    if let Some(name) = self.spec.reference_name(*member) {
                        self.shape.all_of.push((name, *member));
                    }
                    self.open.push(Open { node: *member, bare, nullable });
                }
            }
            "oneOf" | "anyOf" if !bare => self.choice(key == "oneOf", value, nullable)?,
            _ => self.bound(node, key, value),
        }
        Ok(())
    }

    fn types(&mut self, value: NodeId, nullable: bool) {
        let tree = &self.spec.tree;
        let mut types = Types(0);
        let one = [value];
        let names = if tree.kind(value) == Kind::List { tree.items(value) } else { &one };
        for node in names {
            // A bare `null` in YAML is the value, and means the type.
            let name = if tree.kind(*node) == Kind::Null { "null" } else { tree.scalar(*node).unwrap_or_default() };
            match Types::named(name) {
                Some(known) => types = types.or(known),
                None => {
                    types = types.or(Types::OTHER);
                    self.shape.odd = Some(name);
                }
            }
        }
        if nullable {
            types = types.or(Types::NULL);
        }
        self.shape.types = self.shape.types.and(types);
        self.shape.typed = Some(value);
    }
    fn narrow(&mut self, values: BTreeSet<String>, node: NodeId) {
        let values = match self.shape.values.take() {
            Some((known, _)) => known.intersection(&values).cloned().collect(),
            None => values,
        };
        self.shape.values = Some((values, node));
    }
    fn bound(&mut self, node: NodeId, key: &str, value: NodeId) {
        let tree = &self.spec.tree;
        let Some(place) = BOUNDS.iter().position(|bound| bound.key == key) else { return };
        let (mut place, mut number) = (place, tree.number(value));
        // 3.0: `exclusiveMaximum: true` beside `maximum`.
        match (key, tree.truth(value)) {
            ("exclusiveMaximum" | "exclusiveMinimum", Some(true)) => {
                number = tree.get(node, if key == "exclusiveMaximum" { "maximum" } else { "minimum" }).and_then(|bound| tree.number(bound));
            }
            (_, Some(_)) => return,
            ("maximum" | "minimum", None) => {
                let exclusive = if key == "maximum" { "exclusiveMaximum" } else { "exclusiveMinimum" };
                if tree.is_true(node, exclusive) {
                    place += 1;
                }
            }
            _ => {}
        }
        let (Some(number), Some(bound), Some(known)) = (number, BOUNDS.get(place), self.shape.bounds.get_mut(place)) else { return };
        let tighter = known.is_none_or(|(known, _)| if bound.upper { number < known } else { number > known });
        if tighter {
            *known = Some((number, value));
        }
    }
    fn object(&mut self, key: &str, value: NodeId) {
        let (spec, tree) = (self.spec, &self.spec.tree);
        match key {
            "properties" => self.shape.properties.extend(tree.entries(value).map(|(name, node)| (name, node, node))),
            "required" => {
                self.shape.required.extend(tree.items(value).iter().filter_map(|item| tree.text(*item).map(|name| (name, *item))));
            }
            "additionalProperties" => {
                let conj = match tree.truth(value) {
                    Some(true) => ANY,
                    Some(false) => NEVER,
                    None if tree.kind(value) == Kind::Map && tree.is_empty(value) => ANY,
                    None => value,
                };
                let known = self.shape.extra();
                self.shape.additional = Some((spec.both(known, conj), value));
            }
            "dependentRequired" => {
                let names = |list: NodeId| tree.items(list).iter().filter_map(|item| tree.text(*item)).collect();
                self.shape.dependent_required.extend(tree.entries(value).map(|(name, list)| (name, names(list), list)));
            }
            key => {
                let key = if key == "dependentSchemas" { "dependent-schema" } else { "pattern-property" };
                self.shape.parts.extend(tree.entries(value).map(|(name, node)| Part { key, name, conj: node, node }));
            }
        }
    }
    fn part(&mut self, node: NodeId, key: &str, value: NodeId) {
        let (spec, tree) = (self.spec, &self.spec.tree);
        let key = match key {
            "items" if tree.kind(value) != Kind::List => {
                let known = self.shape.items.map_or(ANY, |one| one.0);
                self.shape.items = Some((spec.both(known, value), value));
                return;
            }
            "items" | "prefixItems" => {
                self.shape.prefix.extend(tree.items(value).iter().map(|item| (*item, *item)));
                return;
            }
            "contains" => "contains",
            "propertyNames" => "property-names",
            "unevaluatedItems" => "unevaluated-items",
            "unevaluatedProperties" => "unevaluated-properties",
            // Without `if`, these two say nothing.
            "then" | "else" if tree.get(node, "if").is_none() => return,
            "if" => "if",
            "then" => "then",
            "else" => "else",
            "not" => "not",
            _ => "content-schema",
        };
        if tree.truth(value) != Some(true) {
            self.shape.parts.push(Part { key, name: "", conj: value, node: value });
        }
    }
    fn choice(&mut self, exactly_one: bool, value: NodeId, nullable: bool) -> Result<(), ReadError> {
        let mut branches = Vec::new();
        let mut null = false;
        for node in self.spec.tree.items(value) {
            if self.only_null(*node)? {
                null = true;
            } else {
                branches.push(Branch { conj: *node, node: *node, name: self.spec.reference_name(*node) });
            }
        }
        match branches.as_slice() {
            [] => {
                if null {
                    self.shape.types = self.shape.types.and(Types::NULL);
                }
            }
            // One alternative is no choice; with null beside it, it is that one or null.
            [one] => self.open.push(Open { node: one.node, bare: false, nullable: nullable || null }),
            _ => {
                if null {
                    let of_null = self.spec.tree.items(value).iter().find(|node| self.only_null(**node).unwrap_or(false));
                    branches.extend(of_null.map(|node| Branch { conj: *node, node: *node, name: Some("null") }));
                }
                self.shape.choices.push(Choice { exactly_one, node: value, branches });
            }
        }
        Ok(())
    }
    /// Whether a schema is `type: null` and no more.
    fn only_null(&self, node: NodeId) -> Result<bool, ReadError> {
        let (spec, tree) = (self.spec, &self.spec.tree);
        let node = spec.follow(node)?;
        let is_null = |value: NodeId| match tree.kind(value) {
            Kind::List => matches!(tree.items(value), [one] if matches!(tree.scalar(*one), Some("null" | ""))),
            _ => matches!(tree.scalar(value), Some("null" | "")),
        };
        Ok(tree.get(node, "type").is_some_and(is_null) || tree.get(node, "type").is_none() && tree.get(node, "enum").is_some_and(is_null))
    }

    fn done(mut self) -> Shape<'a> {
        let spec = self.spec;
        let shape = &mut self.shape;
        // Stable, so that of several `properties` the first one's place is kept.
        shape.properties.sort_by(|a, b| a.0.cmp(b.0));
        shape.properties.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1 = spec.both(first.1, later.1);
            }
            same
        });
        shape.required.sort_by(|a, b| a.0.cmp(b.0));
        shape.required.dedup_by(|later, first| later.0 == first.0);
        shape.dependent_required.sort_by(|a, b| a.0.cmp(b.0));
        // Listed or fixed values limit the types, too; not one that nobody knows.
        if let Some((values, _)) = &shape.values {
            let of_values = values.iter().fold(Types(0), |types, value| types.or(type_of(value)));
            shape.types = shape.types.and(of_values.or(Types::OTHER));
        }
        if let Some((constant, _)) = &shape.constant {
            shape.types = shape.types.and(type_of(constant).or(Types::OTHER));
        }
        if shape.types != Types::ALL && shape.odd.is_none() {
            shape.types = shape.types.without(Types::OTHER);
        }
        self.shape
    }
}

/// The types that a canonical text's value has.
fn type_of(value: &str) -> Types {
    match value.as_bytes().first() {
        Some(b'"') => Types::STRING,
        Some(b'{') => Types::OBJECT,
        Some(b'[') => Types::ARRAY,
        Some(b't' | b'f') => Types::BOOLEAN,
        Some(b'n') => Types::NULL,
        _ => Types::NUMBER,
    }
}

/// A schema without its choices, and one of the alternatives: what a value of that alternative fits.
pub(super) fn alternative(spec: &Spec, conj: Conj, branch: &Branch<'_>) -> Conj {
    let mut members: Vec<Member> = spec.members(conj).into_iter().map(|member| Member { bare: true, ..member }).collect();
    members.push(Member { node: branch.node, bare: false });
    spec.join(&members)
}
