//! Who uses what of a schema: operation documents, or JSON lines of observed requests.
//!
//! A finding gets the operations and consumers that touch its coordinate. None is no proof: unseen is not unused.

use super::schema::{Given, Kind, Schema};
use super::syntax::{Reader, Type, Value};
use crate::document::ReadError;
use crate::finding::Finding;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const DEPTH_MAX: usize = 128;
/// Selections that are walked of one document, fragments counted wherever they are spread.
const WALKED_MAX: usize = 200_000;
/// Operations told of one finding.
const TOLD_MAX: usize = 100;

type Read<T> = Result<T, ReadError>;

#[derive(Debug, Clone)]
enum Selection {
    Field { name: String, arguments: Vec<(String, Value)>, inner: Vec<Selection> },
    Spread(String),
    Inline { on: Option<String>, inner: Vec<Selection> },
}

#[derive(Debug)]
struct Operation {
    kind: String,
    name: Option<String>,
    line: u32,
    variables: Vec<Type>,
    inner: Vec<Selection>,
}

#[derive(Debug, Default)]
struct Document {
    operations: Vec<Operation>,
    /// Type condition and selections.
    fragments: BTreeMap<String, (String, Vec<Selection>)>,
}

/// What operations touch, by schema coordinate.
#[derive(Debug, Default)]
pub struct Usage {
    /// Coordinate -> operations.
    seen: BTreeMap<String, BTreeSet<String>>,
    pub operations: usize,
    /// Selections of fields that the base does not have.
    pub unknown: usize,
    first: Option<String>,
    last: Option<String>,
}

impl Usage {
    /// Reads `.graphql` documents and, from files that end in `.jsonl`, `.ndjson` or `.json`, one request a line: `query`
    /// and, where known, `consumer` and `time`.
    pub fn read(base: &Schema, files: &[Given]) -> Read<Usage> {
        let mut usage = Usage::default();
        for file in files {
            let lines = [".jsonl", ".ndjson", ".json"].iter().any(|end| file.name.ends_with(end));
            if lines { usage.lines(base, file)? } else { usage.document(base, file.name, 1, file.bytes, None)? }
        }
        Ok(usage)
    }

    fn lines(&mut self, base: &Schema, file: &Given) -> Read<()> {
        for (number, line) in (1u32..).zip(file.bytes.split(|byte| *byte == b'\n')) {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let wrong = |what: String| ReadError { file: file.name.to_owned(), line: number, what };
            let request: serde_json::Value = serde_json::from_slice(line).map_err(|why| wrong(format!("expected a JSON object: {why}")))?;
            let Some(query) = request["query"].as_str() else {
                return Err(wrong("expected a member `query` with an operation".to_owned()));
            };
            if let Some(time) = request["time"].as_str() {
                let earlier = self.first.as_deref().is_none_or(|first| time < first);
                let later = self.last.as_deref().is_none_or(|last| time > last);
                self.first = if earlier { Some(time.to_owned()) } else { self.first.take() };
                self.last = if later { Some(time.to_owned()) } else { self.last.take() };
            }
            self.document(base, file.name, number, query.as_bytes(), request["consumer"].as_str())
                .map_err(|why| wrong(format!("in the operation: {}", why.what)))?;
        }
        Ok(())
    }

    fn document(&mut self, base: &Schema, name: &str, line: u32, bytes: &[u8], consumer: Option<&str>) -> Read<()> {
        let document = read(name, bytes)?;
        for operation in &document.operations {
            self.operations += 1;
            let called = operation.name.clone().unwrap_or_else(|| operation.kind.clone());
            let told = match consumer {
                Some(consumer) => format!("{consumer}: {called}"),
                None => format!("{called} ({name}:{})", line + operation.line - 1),
            };
            let Some((root, _)) = base.roots.get(&operation.kind) else { continue };
            let mut walk = Walk { base, document: &document, touched: BTreeSet::new(), unknown: 0, walked: 0 };
            operation.variables.iter().for_each(|kind| walk.variable(kind, 0));
            walk.touched.insert(operation.kind.clone());
            walk.selections(root, &operation.inner, 0);
            self.unknown += walk.unknown;
            for coordinate in walk.touched {
                self.seen.entry(coordinate).or_default().insert(told.clone());
            }
        }
        Ok(())
    }

    /// The period that the requests cover, as far as they say it.
    pub fn observation(&self) -> serde_json::Value {
        json!({"operations": self.operations, "first": self.first, "last": self.last, "unknown_fields": self.unknown})
    }

    /// Says of every finding who touches it.
    pub fn annotate(&self, findings: &mut [Finding]) {
        for finding in findings {
            let path = finding.path.clone().unwrap_or_default();
            // What is new under an argument list, an input or an enum hits who uses the thing that has it.
            let owner = match finding.rule.as_str() {
                "required-arg-added" | "optional-arg-added" => path.split('(').next(),
                "required-input-field-added" | "optional-input-field-added" | "value-added-to-enum" => path.split('.').next(),
                "required-directive-arg-added" => path.split('(').next(),
                _ => None,
            };
            let operations = self.seen.get(owner.unwrap_or(&path));
            let told: Vec<&String> = operations.into_iter().flatten().take(TOLD_MAX).collect();
            finding.more.insert("used_by".to_owned(), json!(told));
        }
    }
}

struct Walk<'a> {
    base: &'a Schema,
    document: &'a Document,
    touched: BTreeSet<String>,
    unknown: usize,
    walked: usize,
}

impl Walk<'_> {
    fn selections(&mut self, on: &str, selections: &[Selection], depth: usize) {
        self.touched.insert(on.to_owned());
        for selection in selections {
            self.walked += 1;
            if depth > DEPTH_MAX || self.walked > WALKED_MAX {
                return;
            }
            match selection {
                Selection::Field { name, .. } if name.starts_with("__") => {}
                Selection::Field { name, arguments, inner } => self.field(on, name, arguments, inner, depth),
                Selection::Spread(fragment) => {
                    if let Some((on, inner)) = self.document.fragments.get(fragment) {
                        self.selections(on, inner, depth + 1);
                    }
                }
                Selection::Inline { on: condition, inner } => {
                    let on = condition.as_deref().unwrap_or(on).to_owned();
                    self.selections(&on, inner, depth + 1);
                }
            }
        }
    }

    fn field(&mut self, on: &str, name: &str, arguments: &[(String, Value)], inner: &[Selection], depth: usize) {
        let base = self.base;
        let Some(field) = base.types.get(on).and_then(|named| named.fields.get(name)) else {
            self.unknown += 1;
            return;
        };
        let path = format!("{on}.{name}");
        // A field that is asked of an interface is asked of all that implement it.
        if base.types.get(on).is_some_and(|named| named.kind == Kind::Interface) {
            for (object, _) in base.types.iter().filter(|(_, named)| named.interfaces.contains_key(on)) {
                self.touched.insert(format!("{object}.{name}"));
            }
        }
        for (argument, value) in arguments {
            self.touched.insert(format!("{path}({argument}:)"));
            if let Some(input) = field.arguments.iter().find(|input| input.name == *argument) {
                self.value(&input.kind, value, 0);
            }
        }
        self.touched.insert(path);
        let kind = field.kind.name();
        self.touched.insert(kind.to_owned());
        self.selections(kind, inner, depth + 1);
    }

    fn value(&mut self, kind: &Type, value: &Value, depth: usize) {
        let name = kind.name();
        self.touched.insert(name.to_owned());
        match value {
            Value::Name(value) => _ = self.touched.insert(format!("{name}.{value}")),
            Value::List(items) if depth < DEPTH_MAX => items.iter().for_each(|item| self.value(kind, item, depth + 1)),
            Value::Object(fields) if depth < DEPTH_MAX => {
                for (field, value) in fields {
                    self.touched.insert(format!("{name}.{field}"));
                    let base = self.base;
                    if let Some(input) = base.types.get(name).and_then(|named| named.inputs.get(field)) {
                        self.value(&input.kind, value, depth + 1);
                    }
                }
            }
            _ => {}
        }
    }

    /// A variable may hold every field and value of its type.
    fn variable(&mut self, kind: &Type, depth: usize) {
        let (base, name) = (self.base, kind.name());
        if depth > DEPTH_MAX || !self.touched.insert(name.to_owned()) {
            return;
        }
        let Some(named) = base.types.get(name) else { return };
        for value in named.values.keys() {
            self.touched.insert(format!("{name}.{value}"));
        }
        for (field, input) in &named.inputs {
            self.touched.insert(format!("{name}.{field}"));
            self.variable(&input.kind, depth + 1);
        }
    }
}

// ---- operation documents (October 2021, section 2) ----

fn read(file: &str, bytes: &[u8]) -> Read<Document> {
    let mut reader = Reader::new(file, bytes)?;
    let mut document = Document::default();
    while !reader.ended() {
        let line = reader.place().line;
        if reader.sees('{') {
            let inner = selections(&mut reader, 0)?;
            document.operations.push(Operation { kind: "query".to_owned(), name: None, line, variables: Vec::new(), inner });
        } else if reader.eat_word("fragment") {
            let name = reader.name()?;
            if !reader.eat_word("on") {
                return Err(reader.wrong("`on` and a type"));
            }
            let on = reader.name()?;
            reader.applied()?;
            document.fragments.insert(name, (on, selections(&mut reader, 0)?));
        } else {
            let Some(kind) = ["query", "mutation", "subscription"].into_iter().find(|word| reader.eat_word(word)) else {
                return Err(reader.wrong("query, mutation, subscription, fragment or `{`"));
            };
            let name = if reader.sees('{') || reader.sees('(') || reader.sees('@') { None } else { Some(reader.name()?) };
            let variables = reader.between('(', ')', |reader| {
                reader.need('$')?;
                reader.name()?;
                reader.need(':')?;
                let kind = reader.kind()?;
                if reader.eat('=') {
                    reader.value()?;
                }
                reader.applied()?;
                Ok(kind)
            })?;
            reader.applied()?;
            let inner = selections(&mut reader, 0)?;
            document.operations.push(Operation { kind: kind.to_owned(), name, line, variables, inner });
        }
    }
    Ok(document)
}

fn selections(reader: &mut Reader, depth: usize) -> Read<Vec<Selection>> {
    if depth > DEPTH_MAX {
        return Err(reader.wrong("less nesting"));
    }
    if !reader.sees('{') {
        return Err(reader.wrong("`{`"));
    }
    reader.between('{', '}', |reader| selection(reader, depth))
}

fn selection(reader: &mut Reader, depth: usize) -> Read<Selection> {
    if reader.eat('.') {
        if reader.eat_word("on") {
            let on = Some(reader.name()?);
            reader.applied()?;
            return Ok(Selection::Inline { on, inner: selections(reader, depth + 1)? });
        }
        if reader.sees('{') || reader.sees('@') {
            reader.applied()?;
            return Ok(Selection::Inline { on: None, inner: selections(reader, depth + 1)? });
        }
        let fragment = reader.name()?;
        reader.applied()?;
        return Ok(Selection::Spread(fragment));
    }
    let mut name = reader.name()?;
    if reader.eat(':') {
        name = reader.name()?;
    }
    let arguments = reader.given()?;
    reader.applied()?;
    let inner = if reader.sees('{') { selections(reader, depth + 1)? } else { Vec::new() };
    Ok(Selection::Field { name, arguments, inner })
}
