//! Schemas into formulas: each subschema is a place, each keyword (and each name that it lists) a part of it.
//!
//! One function a group of keywords; which keywords there are depends on the draft. Keywords that no draft knows and
//! annotations say nothing. `format` says nothing either (2020-12 validation, section 7.2.1) unless it is asked for.

use super::decimal::Decimal;
use super::form::{Form, Forms, Id, Names, PlaceId, types};
use super::load::{Draft, Library, wrong};
use super::value::Value;
use crate::document::{Kind, NodeId, ReadError, Tree};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// More subschemas are not compared.
const PLACES_MAX: usize = 200_000;

/// A keyword of a place, or one entry of a keyword that lists.
#[derive(Debug, Clone)]
pub struct Part {
    pub keyword: &'static str,
    pub node: NodeId,
    pub form: Id,
}

#[derive(Debug)]
pub struct Place {
    pub node: NodeId,
    pub side: usize,
    pub parts: Vec<Part>,
    /// What dynamic references find in outer resources, by number.
    scope: usize,
}

/// Both sides' places over one set of formulas.
pub struct Compiler<'a> {
    pub tree: &'a Tree,
    libraries: &'a [Library; 2],
    pub forms: Forms,
    pub places: Vec<Place>,
    numbers: HashMap<(usize, NodeId, usize), PlaceId>,
    scopes: Vec<BTreeMap<String, NodeId>>,
    /// Whether `format` counts.
    formats: bool,
}

type Done = Result<(), ReadError>;

/// What a keyword's function works on.
pub(super) struct Here {
    pub node: NodeId,
    pub side: usize,
    pub draft: Draft,
    scope: usize,
    parts: Vec<Part>,
}

impl Here {
    fn part(&mut self, keyword: &'static str, node: NodeId, form: Id) {
        self.parts.push(Part { keyword, node, form });
    }
}

impl<'a> Compiler<'a> {
    pub fn new(tree: &'a Tree, libraries: &'a [Library; 2], formats: bool) -> Self {
        let scopes = vec![BTreeMap::new()];
        Self { tree, libraries, forms: Forms::default(), places: Vec::new(), numbers: HashMap::new(), scopes, formats }
    }

    /// The place of a side's root; everything that it leads to is compiled.
    pub fn root(&mut self, side: usize) -> Result<PlaceId, ReadError> {
        let first = self.places.len();
        let root = self.place(side, self.libraries.get(side).map_or(0, |library| library.root), 0);
        let mut next = first;
        while next < self.places.len() {
            self.compile(next)?;
            next += 1;
            if self.places.len() > PLACES_MAX {
                return Err(wrong(self.tree, self.tree.root(0).unwrap_or(0), format!("more than {PLACES_MAX} subschemas")));
            }
        }
        self.refuse_loops(first)?;
        Ok(root)
    }

    fn library(&self, side: usize) -> &'a Library {
        let [base, revision] = self.libraries;
        if side == 0 { base } else { revision }
    }

    fn place(&mut self, side: usize, node: NodeId, scope: usize) -> PlaceId {
        let scope = self.entered(side, node, scope);
        if let Some(place) = self.numbers.get(&(side, node, scope)) {
            return *place;
        }
        let number = self.places.len() as PlaceId;
        self.places.push(Place { node, side, parts: Vec::new(), scope });
        self.numbers.insert((side, node, scope), number);
        number
    }

    /// The scope inside a node's resource: what an outer resource offers under a dynamic name stays.
    fn entered(&mut self, side: usize, node: NodeId, scope: usize) -> usize {
        let library = self.library(side);
        if !library.is_dynamic() {
            return scope;
        }
        let (address, _) = library.resource(self.tree, node);
        let Some(names) = library.dynamic_names(address) else { return scope };
        let mut inside = self.scopes.get(scope).cloned().unwrap_or_default();
        for (name, target) in names {
            inside.entry(name.clone()).or_insert(*target);
        }
        self.scopes.iter().position(|known| *known == inside).unwrap_or_else(|| {
            self.scopes.push(inside);
            self.scopes.len() - 1
        })
    }

    /// What a place says, without some of its parts.
    pub fn body(&mut self, place: PlaceId, without: &BTreeSet<(PlaceId, usize)>) -> Id {
        let parts = self.places.get(place as usize).map_or(&[][..], |place| &place.parts);
        let left: Vec<Id> =
            parts.iter().enumerate().filter(|(number, _)| !without.contains(&(place, *number))).map(|(_, part)| part.form).collect();
        self.forms.all(left)
    }

    fn compile(&mut self, number: usize) -> Done {
        let Some(place) = self.places.get(number) else { return Ok(()) };
        let (node, side, scope) = (place.node, place.side, place.scope);
        let (_, draft) = self.library(side).resource(self.tree, node);
        let mut here = Here { node, side, draft, scope, parts: Vec::new() };
        match self.tree.kind(node) {
            Kind::Bool => {
                if self.tree.truth(node) == Some(false) {
                    let never = self.forms.any(Vec::new());
                    here.part("false", node, never);
                }
            }
            Kind::Map => {
                let reference = self.tree.get(node, "$ref").filter(|_| draft <= Draft::Draft7);
                match reference.filter(|reference| self.tree.text(*reference).is_some()) {
                    // Up to draft 7 nothing beside a reference counts.
                    Some(_) => self.references(&mut here)?,
                    None => self.keywords(&mut here)?,
                }
            }
            _ => return Err(wrong(self.tree, node, "expected a schema: an object, true or false")),
        }
        if let Some(place) = self.places.get_mut(number) {
            place.parts = here.parts;
        }
        Ok(())
    }

    fn keywords(&mut self, here: &mut Here) -> Done {
        self.references(here)?;
        self.any_type(here)?;
        self.numbers_and_texts(here)?;
        self.combined(here)?;
        self.members(here)?;
        self.dependent(here)?;
        self.items(here)?;
        if here.draft >= Draft::Draft2019 {
            self.unevaluated(here)?;
        }
        Ok(())
    }

    /// The formula of a subschema.
    pub(super) fn sub(&mut self, here: &Here, node: NodeId) -> Id {
        let place = self.place(here.side, node, here.scope);
        self.forms.add(Form::Place(place))
    }
    /// A subschema to which everything conforms.
    fn is_open(&self, node: NodeId) -> bool {
        self.tree.truth(node) == Some(true) || self.tree.kind(node) == Kind::Map && self.tree.is_empty(node)
    }

    fn references(&mut self, here: &mut Here) -> Done {
        let words: &[&'static str] = match here.draft {
            Draft::Draft2020 => &["$ref", "$dynamicRef"],
            Draft::Draft2019 => &["$ref", "$recursiveRef"],
            _ => &["$ref"],
        };
        for word in words {
            let Some(node) = self.tree.get(here.node, word) else { continue };
            let target = self.target(here, word, node)?;
            let form = self.sub(here, target);
            here.part(word, node, form);
        }
        Ok(())
    }

    /// Where a reference leads, dynamically where it says so.
    pub(super) fn target(&self, here: &Here, word: &str, node: NodeId) -> Result<NodeId, ReadError> {
        let Some(reference) = self.tree.text(node) else { return Err(wrong(self.tree, node, format!("expected a text as {word}"))) };
        let found = self.library(here.side).follow(self.tree, node, reference)?;
        let dynamic = found.dynamic.filter(|name| word == "$dynamicRef" && !name.is_empty() || word == "$recursiveRef" && name.is_empty());
        let outer = dynamic.and_then(|name| self.scopes.get(here.scope)?.get(&name).copied());
        Ok(outer.unwrap_or(found.node))
    }

    /// Whether the node is in another resource than the one that is being compiled.
    pub(super) fn is_elsewhere(&self, here: &Here, node: NodeId) -> bool {
        let library = self.library(here.side);
        library.resource(self.tree, node).0 != library.resource(self.tree, here.node).0
    }

    fn value(&self, node: NodeId) -> Result<Value, ReadError> {
        Value::of(self.tree, node).map_err(|line| ReadError {
            file: self.tree.file(node).to_owned(),
            line,
            what: "expected a number of at most 36 digits".to_owned(),
        })
    }

    fn any_type(&mut self, here: &mut Here) -> Done {
        if let Some(node) = self.tree.get(here.node, "type") {
            let mut set = 0;
            let names = match self.tree.kind(node) {
                Kind::List => self.tree.items(node).to_vec(),
                _ => vec![node],
            };
            for name in names {
                set |= match self.tree.text(name) {
                    Some("null") => types::NULL,
                    Some("boolean") => types::BOOL,
                    Some("number") => types::NUMBER | types::WHOLE,
                    Some("integer") => types::WHOLE,
                    Some("string") => types::TEXT,
                    Some("object") => types::MAP,
                    Some("array") => types::LIST,
                    _ => return Err(wrong(self.tree, name, "expected one of the seven types' names, or a list of them")),
                };
            }
            let form = self.forms.add(Form::Types(set));
            here.part("type", node, form);
        }
        if let Some(node) = self.tree.get(here.node, "enum") {
            if self.tree.kind(node) != Kind::List {
                return Err(wrong(self.tree, node, "expected a list of values as enum"));
            }
            let mut values = self.tree.items(node).iter().map(|item| self.value(*item)).collect::<Result<Vec<_>, _>>()?;
            values.sort_unstable();
            values.dedup();
            let form = self.forms.add(Form::Among(values));
            here.part("enum", node, form);
        }
        if let Some(node) = self.tree.get(here.node, "const").filter(|_| here.draft >= Draft::Draft6) {
            let form = Form::Among(vec![self.value(node)?]);
            let form = self.forms.add(form);
            here.part("const", node, form);
        }
        Ok(())
    }

    fn decimal(&self, node: NodeId, keyword: &str) -> Result<Decimal, ReadError> {
        let number = self.tree.scalar(node).filter(|_| self.tree.kind(node) == Kind::Number).and_then(Decimal::parse);
        number.ok_or_else(|| wrong(self.tree, node, format!("expected a number of at most 36 digits as {keyword}")))
    }
    pub(super) fn count(&self, node: NodeId, keyword: &str) -> Result<u64, ReadError> {
        let count = self.decimal(node, keyword)?.count();
        count.ok_or_else(|| wrong(self.tree, node, format!("expected a whole number from 0 as {keyword}")))
    }

    /// A keyword whose value is a count.
    fn counted(&mut self, here: &mut Here, keyword: &'static str, form: fn(u64) -> Form) -> Done {
        if let Some(node) = self.tree.get(here.node, keyword) {
            let form = form(self.count(node, keyword)?);
            let form = self.forms.add(form);
            here.part(keyword, node, form);
        }
        Ok(())
    }

    fn bound(&mut self, here: &mut Here, plain: &'static str, exclusive: &'static str, form: fn(Decimal, bool) -> Form) -> Done {
        let outside = self.tree.get(here.node, exclusive);
        let outside_is_flag = outside.is_some_and(|node| self.tree.kind(node) == Kind::Bool);
        if here.draft != Draft::Draft4 && outside_is_flag {
            let node = outside.unwrap_or(here.node);
            let what = format!("expected a number as {exclusive}; a truth value is of draft 4: say so in $schema or ask for the draft");
            return Err(wrong(self.tree, node, what));
        }
        if let Some(node) = self.tree.get(here.node, plain) {
            let excluded = outside_is_flag && self.tree.is_true(here.node, exclusive);
            let form = form(self.decimal(node, plain)?, excluded);
            let form = self.forms.add(form);
            here.part(plain, node, form);
        }
        if let Some(node) = outside.filter(|_| here.draft != Draft::Draft4) {
            let form = form(self.decimal(node, exclusive)?, true);
            let form = self.forms.add(form);
            here.part(exclusive, node, form);
        }
        Ok(())
    }

    fn numbers_and_texts(&mut self, here: &mut Here) -> Done {
        self.bound(here, "minimum", "exclusiveMinimum", Form::AtLeast)?;
        self.bound(here, "maximum", "exclusiveMaximum", Form::AtMost)?;
        if let Some(node) = self.tree.get(here.node, "multipleOf") {
            let step = self.decimal(node, "multipleOf")?;
            if step.is_zero() || step.is_negative() {
                return Err(wrong(self.tree, node, "expected a number above 0 as multipleOf"));
            }
            let form = self.forms.add(Form::MultipleOf(step));
            here.part("multipleOf", node, form);
        }
        self.counted(here, "minLength", Form::LengthAtLeast)?;
        self.counted(here, "maxLength", Form::LengthAtMost)?;
        if let Some(node) = self.tree.get(here.node, "pattern") {
            let Some(pattern) = self.tree.text(node) else { return Err(wrong(self.tree, node, "expected a text as pattern")) };
            let form = self.forms.add(Form::Pattern(pattern.to_owned()));
            here.part("pattern", node, form);
        }
        if let Some(node) = self.tree.get(here.node, "format").filter(|_| self.formats) {
            let Some(format) = self.tree.text(node) else { return Err(wrong(self.tree, node, "expected a text as format")) };
            let form = self.forms.add(Form::Dark(types::TEXT | types::NUMBER, format!("format {format}"), "undecided-format"));
            here.part("format", node, form);
        }
        Ok(())
    }

    /// The subschemas that a keyword lists.
    pub(super) fn listed(&self, node: NodeId, keyword: &str) -> Result<Vec<NodeId>, ReadError> {
        match self.tree.kind(node) {
            Kind::List if !self.tree.is_empty(node) => Ok(self.tree.items(node).to_vec()),
            _ => Err(wrong(self.tree, node, format!("expected a list of schemas as {keyword}"))),
        }
    }

    fn combined(&mut self, here: &mut Here) -> Done {
        if let Some(node) = self.tree.get(here.node, "allOf") {
            for schema in self.listed(node, "allOf")? {
                let form = self.sub(here, schema);
                here.part("allOf", schema, form);
            }
        }
        if let Some(node) = self.tree.get(here.node, "anyOf") {
            let parts = self.listed(node, "anyOf")?.into_iter().map(|schema| self.sub(here, schema)).collect();
            let form = self.forms.any(parts);
            here.part("anyOf", node, form);
        }
        if let Some(node) = self.tree.get(here.node, "oneOf") {
            let parts = self.listed(node, "oneOf")?.into_iter().map(|schema| self.sub(here, schema)).collect();
            let form = self.forms.add(Form::One(parts));
            here.part("oneOf", node, form);
        }
        if let Some(node) = self.tree.get(here.node, "not") {
            let inner = self.sub(here, node);
            let form = self.forms.not(inner);
            here.part("not", node, form);
        }
        if let Some(node) = self.tree.get(here.node, "if").filter(|_| here.draft >= Draft::Draft7) {
            let condition = self.sub(here, node);
            let otherwise = self.forms.not(condition);
            for (keyword, unless) in [("then", otherwise), ("else", condition)] {
                if let Some(node) = self.tree.get(here.node, keyword) {
                    let inner = self.sub(here, node);
                    let form = self.forms.any(vec![unless, inner]);
                    here.part(keyword, node, form);
                }
            }
        }
        Ok(())
    }

    fn map_of(&self, here: &Here, keyword: &str) -> Result<Vec<(String, NodeId)>, ReadError> {
        let Some(node) = self.tree.get(here.node, keyword) else { return Ok(Vec::new()) };
        if self.tree.kind(node) != Kind::Map {
            return Err(wrong(self.tree, node, format!("expected an object of schemas as {keyword}")));
        }
        Ok(self.tree.entries(node).map(|(name, schema)| (name.to_owned(), schema)).collect())
    }

    fn members(&mut self, here: &mut Here) -> Done {
        let (mut names, mut patterns) = (BTreeSet::new(), BTreeSet::new());
        for (name, schema) in self.map_of(here, "properties")? {
            names.insert(name.clone());
            if !self.is_open(schema) {
                let inner = self.sub(here, schema);
                let form = self.forms.add(Form::Members(Names::One(name), inner));
                here.part("properties", schema, form);
            }
        }
        for (pattern, schema) in self.map_of(here, "patternProperties")? {
            patterns.insert(pattern.clone());
            if !self.is_open(schema) {
                let inner = self.sub(here, schema);
                let form = self.forms.add(Form::Members(Names::Matching(pattern), inner));
                here.part("patternProperties", schema, form);
            }
        }
        if let Some(node) = self.tree.get(here.node, "additionalProperties").filter(|node| !self.is_open(*node)) {
            let inner = self.sub(here, node);
            let form = self.forms.add(Form::Members(Names::Others { names, patterns }, inner));
            here.part("additionalProperties", node, form);
        }
        if let Some(node) = self.tree.get(here.node, "propertyNames").filter(|_| here.draft >= Draft::Draft6) {
            let inner = self.sub(here, node);
            let form = self.forms.add(Form::NamesAre(inner));
            here.part("propertyNames", node, form);
        }
        if let Some(node) = self.tree.get(here.node, "required") {
            if self.tree.kind(node) != Kind::List {
                return Err(wrong(self.tree, node, "expected a list of names as required"));
            }
            for name in self.tree.items(node).to_vec() {
                let form = self.required(name)?;
                here.part("required", name, form);
            }
        }
        self.counted(here, "minProperties", Form::MembersAtLeast)?;
        self.counted(here, "maxProperties", Form::MembersAtMost)
    }

    fn required(&mut self, name: NodeId) -> Result<Id, ReadError> {
        let Some(text) = self.tree.text(name) else { return Err(wrong(self.tree, name, "expected a name")) };
        let form = Form::Required(text.to_owned());
        Ok(self.forms.add(form))
    }

    /// `form`, for maps that have the member.
    fn where_there(&mut self, name: &str, form: Id) -> Id {
        let maps = self.forms.add(Form::Types(types::MAP));
        let there = self.forms.add(Form::Required(name.to_owned()));
        let (no_map, missing) = (self.forms.not(maps), self.forms.not(there));
        self.forms.any(vec![no_map, missing, form])
    }

    fn dependent(&mut self, here: &mut Here) -> Done {
        if let Some(node) = self.tree.get(here.node, "dependencies").filter(|_| here.draft >= Draft::Draft2019) {
            // Gone from the standard, still known to some validators.
            let text = format!("dependencies {}", self.tree.canonical(node));
            let form = self.forms.add(Form::Dark(types::MAP, text, "undecided-dependencies"));
            here.part("dependencies", node, form);
        }
        let words: &[&'static str] = match here.draft >= Draft::Draft2019 {
            true => &["dependentRequired", "dependentSchemas"],
            false => &["dependencies"],
        };
        for word in words {
            for (name, node) in self.map_of(here, word)? {
                let form = match self.tree.kind(node) {
                    Kind::List if *word != "dependentSchemas" => {
                        let names = self.tree.items(node).to_vec();
                        let parts = names.into_iter().map(|name| self.required(name)).collect::<Result<_, _>>()?;
                        self.forms.all(parts)
                    }
                    _ if *word != "dependentRequired" => self.sub(here, node),
                    _ => return Err(wrong(self.tree, node, "expected a list of names")),
                };
                let form = self.where_there(&name, form);
                here.part(word, node, form);
            }
        }
        Ok(())
    }

    fn items(&mut self, here: &mut Here) -> Done {
        let (prefix_word, rest_word) = if here.draft >= Draft::Draft2020 { ("prefixItems", "items") } else { ("items", "additionalItems") };
        let mut first = 0;
        let mut rest = self.tree.get(here.node, rest_word);
        if let Some(node) = self.tree.get(here.node, prefix_word) {
            if self.tree.kind(node) == Kind::List {
                for schema in self.tree.items(node).to_vec() {
                    let inner = self.sub(here, schema);
                    let form = self.forms.add(Form::Items(first, Some(first + 1), inner));
                    here.part(prefix_word, schema, form);
                    first += 1;
                }
            } else if here.draft >= Draft::Draft2020 {
                return Err(wrong(self.tree, node, "expected a list of schemas as prefixItems"));
            } else {
                rest = Some(node);
            }
        } else if here.draft < Draft::Draft2020 {
            rest = None;
        }
        if let Some(node) = rest.filter(|node| !self.is_open(*node)) {
            if self.tree.kind(node) == Kind::List {
                let what = "expected a schema as items; a list is of drafts before 2020-12: say so in $schema or ask for the draft";
                return Err(wrong(self.tree, node, what));
            }
            let inner = self.sub(here, node);
            let form = self.forms.add(Form::Items(first, None, inner));
            here.part(if first > 0 || here.draft >= Draft::Draft2020 { rest_word } else { "items" }, node, form);
        }
        self.contains(here)?;
        self.counted(here, "minItems", Form::ItemsAtLeast)?;
        self.counted(here, "maxItems", Form::ItemsAtMost)?;
        if self.tree.is_true(here.node, "uniqueItems")
            && let Some(node) = self.tree.get(here.node, "uniqueItems")
        {
            let form = self.forms.add(Form::Different);
            here.part("uniqueItems", node, form);
        }
        Ok(())
    }

    fn contains(&mut self, here: &mut Here) -> Done {
        let Some(node) = self.tree.get(here.node, "contains").filter(|_| here.draft >= Draft::Draft6) else { return Ok(()) };
        let inner = self.sub(here, node);
        let bound = |word| self.tree.get(here.node, word).filter(|_| here.draft >= Draft::Draft2019);
        let (least, most) = (bound("minContains"), bound("maxContains"));
        let count = least.map_or(Ok(1), |node| self.count(node, "minContains"))?;
        if count > 0 {
            let form = self.forms.add(Form::SomeItems(count, inner));
            here.part(if least.is_some() { "minContains" } else { "contains" }, least.unwrap_or(node), form);
        }
        if let Some(node) = most {
            let form = Form::FewItems(self.count(node, "maxContains")?, inner);
            let form = self.forms.add(form);
            here.part("maxContains", node, form);
        }
        Ok(())
    }

    pub(super) fn add_part(here: &mut Here, keyword: &'static str, node: NodeId, form: Id) {
        here.part(keyword, node, form);
    }

    /// Places that lead back to themselves without a value between say nothing that could be decided.
    fn refuse_loops(&self, first: usize) -> Done {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let mut marks = vec![Mark::New; self.places.len()];
        for start in first..self.places.len() {
            let mut open = vec![(start as PlaceId, false)];
            while let Some((place, leaving)) = open.pop() {
                let Some(mark) = marks.get_mut(place as usize) else { continue };
                if leaving {
                    *mark = Mark::Done;
                    continue;
                }
                match *mark {
                    Mark::Done => continue,
                    Mark::Open => {
                        let node = self.places.get(place as usize).map_or(0, |place| place.node);
                        return Err(wrong(self.tree, node, "the schema refers to itself for the same value: it says nothing"));
                    }
                    Mark::New => *mark = Mark::Open,
                }
                open.push((place, true));
                let next = self.beside(place);
                open.extend(next.into_iter().filter(|next| marks.get(*next as usize) != Some(&Mark::Done)).map(|next| (next, false)));
            }
        }
        Ok(())
    }

    /// The places that a place holds against the same value.
    fn beside(&self, place: PlaceId) -> Vec<PlaceId> {
        let mut open: Vec<Id> =
            self.places.get(place as usize).map_or(Vec::new(), |place| place.parts.iter().map(|part| part.form).collect());
        let mut places = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            match self.forms.get(id) {
                Form::Place(next) => places.push(*next),
                Form::All(parts) | Form::Any(parts) | Form::One(parts) => open.extend(parts),
                Form::Not(inner) => open.push(*inner),
                _ => {}
            }
        }
        places
    }
}
