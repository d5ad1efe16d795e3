//! JSON into a schema.
//!
//! Source: the Avro specification, "Schema Declaration", "Names", "Aliases" and "Logical Types". What it calls invalid is refused
//! with its place; a logical type that does not fit is ignored, as the specification says.

use super::Unreadable;
use super::schema::{Field, Logical, Named, Of, Primitive, Schema, Type, TypeId};
use crate::document::{Kind, NodeId, Tree};
use std::collections::{HashMap, HashSet};

/// Branches of one union.
const BRANCHES_MAX: usize = 1_000;
/// Schemas inside schemas, as written.
const DEPTH_MAX: u32 = 200;

struct Parser<'a> {
    tree: &'a Tree,
    file: &'a str,
    types: Vec<Type>,
    named: HashMap<String, TypeId>,
    /// Defaults are checked when all types are known: (type, value, field's line).
    defaults: Vec<(TypeId, NodeId)>,
    depth: u32,
}

type Parsed<T> = Result<T, Unreadable>;

/// Reads one schema. `file` is how places name it.
///
/// # Errors
/// What is no JSON, and what the specification does not allow.
pub fn read(file: &str, bytes: &[u8]) -> Parsed<Schema> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Err(why) = serde_json::from_slice::<serde::de::IgnoredAny>(text) {
        let line = u32::try_from(why.line().max(1)).unwrap_or(u32::MAX);
        return Err(Unreadable { file: file.to_owned(), line, what: format!("expected JSON: {why}") });
    }
    let mut tree = Tree::new();
    let root = tree.read(file, text).map_err(|why| Unreadable { file: file.to_owned(), line: why.line, what: why.what })?;
    let mut parser = Parser { tree: &tree, file, types: Vec::new(), named: HashMap::new(), defaults: Vec::new(), depth: 0 };
    let root = parser.schema(root, "")?;
    let defaults = std::mem::take(&mut parser.defaults);
    for (of, value) in defaults {
        if !parser.fits(of, value, 0) {
            let shown = parser.types.get(of).map_or_else(String::new, Type::shown);
            return parser.wrong(value, format!("this default is no value of {shown}"));
        }
    }
    Ok(Schema { file: file.to_owned(), types: parser.types, root })
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_full_name(text: &str) -> bool {
    text.split('.').all(is_name)
}

fn with_namespace(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

impl Parser<'_> {
    fn wrong<T>(&self, node: NodeId, what: impl Into<String>) -> Parsed<T> {
        let pointer = self.tree.pointer(node);
        let what = if pointer.is_empty() { what.into() } else { format!("{pointer}: {}", what.into()) };
        Err(Unreadable { file: self.file.to_owned(), line: self.tree.line(node), what })
    }

    fn add(&mut self, of: Of, logical: Option<Logical>, node: NodeId) -> TypeId {
        self.types.push(Type { of, logical, line: self.tree.line(node) });
        self.types.len() - 1
    }

    /// A schema inside a namespace.
    fn schema(&mut self, node: NodeId, namespace: &str) -> Parsed<TypeId> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return self.wrong(node, format!("schemas are nested more than {DEPTH_MAX} deep"));
        }
        let found = match self.tree.kind(node) {
            Kind::Text => self.reference(node, namespace),
            Kind::List => self.union(node, namespace),
            Kind::Map => self.object(node, namespace),
            _ => self.wrong(node, "expected a schema: a name, an object or a list"),
        };
        self.depth -= 1;
        found
    }

    fn reference(&mut self, node: NodeId, namespace: &str) -> Parsed<TypeId> {
        let text = self.tree.text(node).unwrap_or_default();
        if let Some(primitive) = Primitive::ALL.into_iter().find(|primitive| primitive.word() == text) {
            return Ok(self.add(Of::Primitive(primitive), None, node));
        }
        let full = with_namespace(text, namespace);
        match self.named.get(&full).or_else(|| self.named.get(text)) {
            Some(id) => Ok(*id),
            None => self.wrong(node, format!("the type {full:?} is not defined before this place")),
        }
    }

    fn union(&mut self, node: NodeId, namespace: &str) -> Parsed<TypeId> {
        let items = self.tree.items(node).to_vec();
        if items.len() > BRANCHES_MAX {
            return self.wrong(node, format!("a union of more than {BRANCHES_MAX} branches"));
        }
        let mut branches = Vec::with_capacity(items.len());
        let mut kinds = HashSet::new();
        for item in items {
            let branch = self.schema(item, namespace)?;
            let Some(of) = self.types.get(branch) else { continue };
            let key = match &of.of {
                Of::Union(_) => return self.wrong(item, "a union stands directly inside a union"),
                Of::Primitive(primitive) => primitive.word().to_owned(),
                Of::Array(_) => "array".to_owned(),
                Of::Map(_) => "map".to_owned(),
                _ => of.name().map_or_else(String::new, |name| format!(".{}", name.full)),
            };
            if !kinds.insert(key) {
                let shown = of.shown();
                return self.wrong(item, format!("{shown} is in this union a second time"));
            }
            branches.push(branch);
        }
        Ok(self.add(Of::Union(branches), None, node))
    }

    fn object(&mut self, node: NodeId, namespace: &str) -> Parsed<TypeId> {
        let Some(kind) = self.tree.get(node, "type") else { return self.wrong(node, "expected a member \"type\"") };
        if self.tree.kind(kind) != Kind::Text {
            return self.schema(kind, namespace);
        }
        let word = self.tree.text(kind).unwrap_or_default().to_owned();
        match word.as_str() {
            "record" | "error" => self.record(node, namespace),
            "enum" => self.enumeration(node, namespace),
            "fixed" => self.fixed(node, namespace),
            "array" => {
                let items = self.member(node, "items")?;
                let items = self.schema(items, namespace)?;
                Ok(self.add(Of::Array(items), None, node))
            }
            "map" => {
                let values = self.member(node, "values")?;
                let values = self.schema(values, namespace)?;
                Ok(self.add(Of::Map(values), None, node))
            }
            _ => {
                let id = self.reference(kind, namespace)?;
                let primitive = match self.types.get(id).map(|of| &of.of) {
                    Some(Of::Primitive(primitive)) => *primitive,
                    _ => return Ok(id),
                };
                let logical = self.logical(node, Some(primitive), 0);
                if let Some(of) = self.types.get_mut(id) {
                    of.logical = logical;
                    of.line = self.tree.line(node);
                }
                Ok(id)
            }
        }
    }

    fn member(&self, node: NodeId, key: &str) -> Parsed<NodeId> {
        match self.tree.get(node, key) {
            Some(member) => Ok(member),
            None => self.wrong(node, format!("expected a member {key:?}")),
        }
    }

    /// The logical type of a primitive, or of a fixed of this size.
    fn logical(&self, node: NodeId, primitive: Option<Primitive>, size: u64) -> Option<Logical> {
        let name = self.tree.get_text(node, "logicalType")?;
        let whole =
            |key: &str| self.tree.get(node, key).and_then(|value| self.tree.scalar(value)).and_then(|text| text.parse::<u64>().ok());
        match (name, primitive) {
            ("decimal", Some(Primitive::Bytes) | None) => {
                let precision = whole("precision").filter(|precision| *precision > 0)?;
                let scale = if self.tree.get(node, "scale").is_some() { whole("scale")? } else { 0 };
                // What fits into so many bytes: log10(2^(8n - 1) - 1).
                let digits = ((8.0 * size as f64 - 1.0) * std::f64::consts::LOG10_2).floor();
                let fits = primitive.is_some() || (precision as f64) <= digits;
                (scale <= precision && fits).then_some(Logical::Decimal { precision, scale })
            }
            ("uuid", Some(Primitive::String)) => Some(Logical::Known("uuid")),
            ("uuid", None) if size == 16 => Some(Logical::Known("uuid")),
            ("duration", None) if size == 12 => Some(Logical::Known("duration")),
            ("date", Some(Primitive::Int)) => Some(Logical::Known("date")),
            ("time-millis", Some(Primitive::Int)) => Some(Logical::Known("time-millis")),
            (_, Some(Primitive::Long)) => {
                const LONG: [&str; 7] = [
                    "time-micros",
                    "timestamp-millis",
                    "timestamp-micros",
                    "timestamp-nanos",
                    "local-timestamp-millis",
                    "local-timestamp-micros",
                    "local-timestamp-nanos",
                ];
                LONG.into_iter().find(|known| *known == name).map(Logical::Known)
            }
            _ => None,
        }
    }

    /// Name, aliases and the namespace for what is inside.
    fn name(&self, node: NodeId, namespace: &str) -> Parsed<(Named, String)> {
        let name_node = self.member(node, "name")?;
        let Some(name) = self.tree.text(name_node) else { return self.wrong(name_node, "expected a name") };
        let own = match self.tree.get(node, "namespace") {
            None => namespace.to_owned(),
            Some(given) => match self.tree.text(given) {
                Some(text) if text.is_empty() || is_full_name(text) => text.to_owned(),
                _ => return self.wrong(given, "expected a namespace: names joined by dots"),
            },
        };
        if !is_full_name(name) {
            return self.wrong(name_node, format!("{name:?} is no name: expected letters, digits and _, joined by dots"));
        }
        let full = with_namespace(name, &own);
        if Primitive::ALL.iter().any(|primitive| primitive.word() == full) {
            return self.wrong(name_node, format!("{name:?} is a primitive type and cannot be defined"));
        }
        if self.named.contains_key(&full) {
            return self.wrong(name_node, format!("{full:?} is defined a second time"));
        }
        let inside = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        let aliases = self.aliases(node)?.into_iter().map(|alias| with_namespace(&alias, &inside)).collect();
        Ok((Named { full, aliases }, inside))
    }

    fn aliases(&self, node: NodeId) -> Parsed<Vec<String>> {
        let Some(list) = self.tree.get(node, "aliases") else { return Ok(Vec::new()) };
        if self.tree.kind(list) != Kind::List {
            return self.wrong(list, "expected a list of names");
        }
        let mut aliases = Vec::new();
        for item in self.tree.items(list) {
            match self.tree.text(*item) {
                Some(text) if is_full_name(text) => aliases.push(text.to_owned()),
                _ => return self.wrong(*item, "expected a name"),
            }
        }
        Ok(aliases)
    }

    fn define(&mut self, name: Named, node: NodeId, of: Of, logical: Option<Logical>) -> TypeId {
        let id = self.add(of, logical, node);
        self.named.insert(name.full, id);
        id
    }

    fn record(&mut self, node: NodeId, namespace: &str) -> Parsed<TypeId> {
        let (name, inside) = self.name(node, namespace)?;
        let list = self.member(node, "fields")?;
        if self.tree.kind(list) != Kind::List {
            return self.wrong(list, "expected a list of fields");
        }
        // Known before its fields, which may use it.
        let id = self.define(name.clone(), node, Of::Record { name: name.clone(), fields: Vec::new() }, None);
        let mut fields: Vec<Field> = Vec::new();
        let mut names = HashSet::new();
        for item in self.tree.items(list).to_vec() {
            let name_node = self.member(item, "name")?;
            let field_name = match self.tree.text(name_node) {
                Some(text) if is_name(text) => text.to_owned(),
                _ => return self.wrong(name_node, "expected the name of a field: letters, digits and _"),
            };
            if !names.insert(field_name.clone()) {
                return self.wrong(name_node, format!("the field {field_name:?} is there a second time"));
            }
            let type_node = self.member(item, "type")?;
            let of = self.schema(type_node, &inside)?;
            let default = self.tree.get(item, "default");
            self.defaults.extend(default.map(|value| (of, value)));
            let aliases = self.aliases(item)?;
            fields.push(Field { name: field_name, aliases, of, has_default: default.is_some(), line: self.tree.line(item) });
        }
        if let Some(Type { of: Of::Record { fields: own, .. }, .. }) = self.types.get_mut(id) {
            *own = fields;
        }
        Ok(id)
    }

    fn enumeration(&mut self, node: NodeId, namespace: &str) -> Parsed<TypeId> {
        let (name, _) = self.name(node, namespace)?;
        let list = self.member(node, "symbols")?;
        if self.tree.kind(list) != Kind::List {
            return self.wrong(list, "expected a list of symbols");
        }
        let mut symbols = Vec::new();
        let mut known = HashSet::new();
        for item in self.tree.items(list) {
            match self.tree.text(*item) {
                Some(text) if is_name(text) => {
                    if !known.insert(text) {
                        return self.wrong(*item, format!("the symbol {text:?} is there a second time"));
                    }
                    symbols.push(text.to_owned());
                }
                _ => return self.wrong(*item, "expected a symbol: letters, digits and _"),
            }
        }
        let default = match self.tree.get(node, "default") {
            None => None,
            Some(value) => match self.tree.text(value) {
                Some(text) if known.contains(text) => Some(text.to_owned()),
                _ => return self.wrong(value, "this default is none of the symbols"),
            },
        };
        Ok(self.define(name.clone(), node, Of::Enum { name, symbols, default }, None))
    }

    fn fixed(&mut self, node: NodeId, namespace: &str) -> Parsed<TypeId> {
        let (name, _) = self.name(node, namespace)?;
        let member = self.member(node, "size")?;
        let size = if self.tree.kind(member) == Kind::Number { self.tree.scalar(member).and_then(|text| text.parse().ok()) } else { None };
        let Some(size) = size else { return self.wrong(member, "expected a number of bytes") };
        let logical = self.logical(node, None, size);
        Ok(self.define(name.clone(), node, Of::Fixed { name, size }, logical))
    }

    /// Whether a JSON value is a default of a type. Values are as deep as they are written, so this ends.
    fn fits(&self, of: TypeId, value: NodeId, depth: u32) -> bool {
        let Some(found) = self.types.get(of).filter(|_| depth < DEPTH_MAX) else { return false };
        let kind = self.tree.kind(value);
        let text = self.tree.text(value);
        match &found.of {
            Of::Primitive(Primitive::Null) => kind == Kind::Null,
            Of::Primitive(Primitive::Boolean) => kind == Kind::Bool,
            Of::Primitive(Primitive::Int) => {
                kind == Kind::Number && self.tree.scalar(value).is_some_and(|text| text.parse::<i32>().is_ok())
            }
            Of::Primitive(Primitive::Long) => {
                kind == Kind::Number && self.tree.scalar(value).is_some_and(|text| text.parse::<i64>().is_ok())
            }
            Of::Primitive(Primitive::Float | Primitive::Double) => kind == Kind::Number,
            Of::Primitive(Primitive::String) => text.is_some(),
            // Bytes are written as the characters up to 255.
            Of::Primitive(Primitive::Bytes) => text.is_some_and(|text| text.chars().all(|character| u32::from(character) < 256)),
            Of::Fixed { size, .. } => text.is_some_and(|text| {
                text.chars().all(|character| u32::from(character) < 256) && u64::try_from(text.chars().count()) == Ok(*size)
            }),
            Of::Enum { symbols, .. } => text.is_some_and(|text| symbols.iter().any(|symbol| symbol == text)),
            Of::Array(items) => kind == Kind::List && self.tree.items(value).iter().all(|item| self.fits(*items, *item, depth + 1)),
            Of::Map(values) => kind == Kind::Map && self.tree.entries(value).all(|(_, item)| self.fits(*values, item, depth + 1)),
            // Up to 1.11 the first branch, from 1.12 any.
            Of::Union(branches) => branches.iter().any(|branch| self.fits(*branch, value, depth + 1)),
            Of::Record { fields, .. } => {
                kind == Kind::Map
                    && fields.iter().all(|field| match self.tree.get(value, &field.name) {
                        Some(member) => self.fits(field.of, member, depth + 1),
                        None => field.has_default,
                    })
            }
        }
    }
}
