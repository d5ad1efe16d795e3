//! What definitions and extensions add up to.
//!
//! An extension of a type that is not there counts as its definition, as in the parts of a federated schema. Types that are
//! referred to and nowhere defined are errors; whether the schema is valid in every other way is not asked.

use super::syntax::{Applied, Body, Definition, EnumValue, Field, Input, Place, Type, Value, read};
use crate::document::ReadError;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Scalar,
    Object,
    Interface,
    Union,
    Enum,
    Input,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Scalar => "a scalar",
            Kind::Object => "an object",
            Kind::Interface => "an interface",
            Kind::Union => "a union",
            Kind::Enum => "an enum",
            Kind::Input => "an input object",
        }
    }
}

/// A type with everything that extends it.
#[derive(Debug, Clone)]
pub struct Named {
    pub kind: Kind,
    pub place: Place,
    pub fields: BTreeMap<String, Field>,
    pub interfaces: BTreeMap<String, Place>,
    /// Of a union.
    pub members: BTreeMap<String, Place>,
    /// Of an enum.
    pub values: BTreeMap<String, EnumValue>,
    /// Of an input object.
    pub inputs: BTreeMap<String, Input>,
    pub applied: Vec<Applied>,
}

#[derive(Debug, Clone)]
pub struct Directive {
    pub place: Place,
    pub arguments: BTreeMap<String, Input>,
    pub repeatable: bool,
    pub locations: BTreeMap<String, Place>,
}

#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub types: BTreeMap<String, Named>,
    pub directives: BTreeMap<String, Directive>,
    /// Operation -> type.
    pub roots: BTreeMap<String, (String, Place)>,
    /// The first file's name.
    pub file: String,
}

/// Scalars that are there without being defined.
pub const BUILT_IN: [&str; 5] = ["Int", "Float", "String", "Boolean", "ID"];

/// A file of a schema.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
}

fn wrong(place: &Place, what: String) -> ReadError {
    ReadError { file: place.file.clone(), line: place.line, what }
}

/// Adds one entry that must not be there yet.
fn put<T>(map: &mut BTreeMap<String, T>, name: &str, place: &Place, entry: T) -> Result<(), ReadError> {
    match map.insert(name.to_owned(), entry) {
        None => Ok(()),
        Some(_) => Err(wrong(place, format!("{name} is there twice"))),
    }
}

impl Schema {
    /// Reads the files of one schema.
    pub fn read(files: &[Given]) -> Result<Schema, ReadError> {
        let mut schema = Schema { file: files.first().map_or(String::new(), |file| file.name.to_owned()), ..Schema::default() };
        let (mut extensions, mut explicit) = (Vec::new(), false);
        for file in files {
            for definition in read(file.name, file.bytes)? {
                explicit |= matches!(definition.body, Body::Schema(_)) && !definition.extends;
                if definition.extends { extensions.push(definition) } else { schema.add(definition)? }
            }
        }
        extensions.into_iter().try_for_each(|extension| schema.add(extension))?;
        if !explicit {
            for (operation, name) in [("query", "Query"), ("mutation", "Mutation"), ("subscription", "Subscription")] {
                if let Some(named) = schema.types.get(name).filter(|named| named.kind == Kind::Object) {
                    let place = named.place.clone();
                    schema.roots.entry(operation.to_owned()).or_insert((name.to_owned(), place));
                }
            }
        }
        schema.refuse_unknown()?;
        Ok(schema)
    }

    fn add(&mut self, definition: Definition) -> Result<(), ReadError> {
        let Definition { name, place, extends, applied, body } = definition;
        match body {
            Body::Schema(roots) => {
                return roots.into_iter().try_for_each(|(operation, name, place)| {
                    let there = place.clone();
                    put(&mut self.roots, &operation, &there, (name, place))
                });
            }
            Body::Directive { arguments, repeatable, locations } => {
                let mut directive =
                    Directive { place: place.clone(), arguments: BTreeMap::new(), repeatable, locations: locations.into_iter().collect() };
                for argument in arguments {
                    put(&mut directive.arguments, &argument.name.clone(), &argument.place.clone(), argument)?;
                }
                return put(&mut self.directives, &name, &place, directive);
            }
            _ => {}
        }
        let kind = match &body {
            Body::Object { .. } => Kind::Object,
            Body::Interface { .. } => Kind::Interface,
            Body::Union(_) => Kind::Union,
            Body::Enum(_) => Kind::Enum,
            Body::Input(_) => Kind::Input,
            _ => Kind::Scalar,
        };
        if !extends && self.types.contains_key(&name) {
            return Err(wrong(&place, format!("the type {name} is defined twice")));
        }
        let named = self.types.entry(name.clone()).or_insert_with(|| Named {
            kind,
            place: place.clone(),
            fields: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            members: BTreeMap::new(),
            values: BTreeMap::new(),
            inputs: BTreeMap::new(),
            applied: Vec::new(),
        });
        if named.kind != kind {
            return Err(wrong(&place, format!("{name} is {} and cannot be extended as {}", named.kind.word(), kind.word())));
        }
        named.applied.extend(applied);
        named.fill(body)
    }

    fn refuse_unknown(&self) -> Result<(), ReadError> {
        let known = |name: &str, place: &Place| match self.types.contains_key(name) || BUILT_IN.contains(&name) {
            true => Ok(()),
            false => Err(wrong(place, format!("the type {name} is not defined"))),
        };
        for (name, place) in self.roots.values() {
            known(name, place)?;
        }
        let inputs = |inputs: &BTreeMap<String, Input>| inputs.values().try_for_each(|input| known(input.kind.name(), &input.place));
        for named in self.types.values() {
            for field in named.fields.values() {
                known(field.kind.name(), &field.place)?;
                field.arguments.iter().try_for_each(|argument| known(argument.kind.name(), &argument.place))?;
            }
            named.interfaces.iter().chain(&named.members).try_for_each(|(name, place)| known(name, place))?;
            inputs(&named.inputs)?;
        }
        self.directives.values().try_for_each(|directive| inputs(&directive.arguments))
    }

    /// A default as its type reads it: a lone value where a list is expected is a list, numbers are numbers, fields have
    /// an order and their own defaults.
    pub fn coerced(&self, value: &Value, kind: &Type, depth: usize) -> String {
        if depth > 32 {
            return String::new();
        }
        match (kind, value) {
            (Type::NonNull(inner), value) => self.coerced(value, inner, depth),
            (_, Value::Name(name)) if name == "null" => name.clone(),
            (Type::List(inner), Value::List(items)) => {
                let items: Vec<String> = items.iter().map(|item| self.coerced(item, inner, depth + 1)).collect();
                format!("[{}]", items.join(", "))
            }
            (Type::List(inner), lone) => format!("[{}]", self.coerced(lone, inner, depth + 1)),
            (Type::Named(name), Value::Number(number)) if name == "ID" => format!("{number:?}"),
            (_, Value::Number(number)) => number.parse::<f64>().map_or_else(|_| number.clone(), |number| number.to_string()),
            (_, Value::Text(text)) => format!("{text:?}"),
            (_, Value::Name(name) | Value::Variable(name)) => name.clone(),
            (kind, Value::List(items)) => {
                let items: Vec<String> = items.iter().map(|item| self.coerced(item, kind, depth + 1)).collect();
                format!("[{}]", items.join(", "))
            }
            (Type::Named(name), Value::Object(fields)) => {
                let mut told: BTreeMap<&str, String> = BTreeMap::new();
                let known = self.types.get(name).map(|named| &named.inputs);
                for input in known.into_iter().flat_map(BTreeMap::values) {
                    if let Some(default) = &input.default {
                        told.insert(&input.name, self.coerced(default, &input.kind, depth + 1));
                    }
                }
                for (field, value) in fields {
                    let kind = known.and_then(|known| known.get(field)).map_or(kind, |input| &input.kind);
                    told.insert(field, self.coerced(value, kind, depth + 1));
                }
                let told: Vec<String> = told.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                format!("{{{}}}", told.join(", "))
            }
        }
    }
}

impl Named {
    fn fill(&mut self, body: Body) -> Result<(), ReadError> {
        match body {
            Body::Object { interfaces, fields } | Body::Interface { interfaces, fields } => {
                self.interfaces.extend(interfaces);
                fields.into_iter().try_for_each(|field| put(&mut self.fields, &field.name.clone(), &field.place.clone(), field))
            }
            Body::Union(members) => {
                self.members.extend(members);
                Ok(())
            }
            Body::Enum(values) => {
                values.into_iter().try_for_each(|value| put(&mut self.values, &value.name.clone(), &value.place.clone(), value))
            }
            Body::Input(inputs) => {
                inputs.into_iter().try_for_each(|input| put(&mut self.inputs, &input.name.clone(), &input.place.clone(), input))
            }
            _ => Ok(()),
        }
    }
}

/// Whether something is marked by a directive.
pub fn marked(applied: &[Applied], name: &str) -> bool {
    applied.iter().any(|one| one.name == name)
}
