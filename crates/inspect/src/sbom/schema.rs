//! The JSON schemas of CycloneDX 1.2 to 1.7, compiled once, and their evaluation over a document read in place.
//!
//! What is evaluated is the part of JSON Schema draft 7 that these schemas use, `format` as a rule and not as a remark. Not a
//! general validator: an unknown keyword or pattern is an error when a schema is compiled, and a test compiles all.
//! `schema/*.json` are derived from the published schemas (Apache-2.0; each file says how).

use super::format::{Format, Pattern};
use super::json::{Json, Kind};
use crate::finding::{Finding, Severity};
use crate::licenses::list;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;

/// The versions that can be judged.
pub const VERSIONS: [&str; 6] = ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"];

const SOURCES: [&str; 6] = [
    include_str!("schema/bom-1.2.json"),
    include_str!("schema/bom-1.3.json"),
    include_str!("schema/bom-1.4.json"),
    include_str!("schema/bom-1.5.json"),
    include_str!("schema/bom-1.6.json"),
    include_str!("schema/bom-1.7.json"),
];
const SHARED: &str = include_str!("schema/shared.json");

/// Findings beyond these are counted, not kept.
pub const FINDINGS_MAX: usize = 100;

#[derive(Clone, Copy)]
struct Id(usize);

#[derive(Default)]
enum Additional {
    #[default]
    Allowed,
    Refused,
}

/// One schema: every keyword that is there must hold.
#[derive(Default)]
struct Node {
    never: bool,
    /// A definition by name: nothing of its own, all of the other's.
    alias: Option<Id>,
    kinds: Vec<&'static str>,
    choices: Option<Vec<String>>,
    constant: Option<Value>,
    licence: bool,
    pattern: Option<Pattern>,
    format: Option<Format>,
    length: (usize, Option<usize>),
    range: (Option<f64>, Option<f64>),
    count: (usize, Option<usize>),
    unique: bool,
    items: Option<Id>,
    /// Schemas of the first elements, one each (`items` as a list).
    tuple: Vec<Id>,
    required: Vec<String>,
    properties: HashMap<String, Id>,
    additional: Additional,
    needs: Vec<(String, Vec<String>)>,
    all: Vec<Id>,
    any: Vec<Id>,
    one: Vec<Id>,
    not: Option<Id>,
    condition: Option<(Id, Option<Id>, Option<Id>)>,
}

pub struct Schema {
    nodes: Vec<Node>,
    root: Id,
}

/// The schema of a version, such as `1.6`.
pub fn of(version: &str) -> Option<&'static Schema> {
    static COMPILED: [OnceLock<Result<Schema, String>>; 6] = [const { OnceLock::new() }; 6];
    let index = VERSIONS.iter().position(|one| *one == version)?;
    let source = SOURCES.get(index)?;
    COMPILED.get(index)?.get_or_init(|| Compiler::compile(source)).as_ref().ok()
}

/// Definitions by name; those in use already have a node.
#[derive(Default)]
struct Compiler {
    definitions: HashMap<String, Value>,
    made: HashMap<String, Id>,
    nodes: Vec<Node>,
}

impl Compiler {
    fn compile(source: &str) -> Result<Schema, String> {
        let mut compiler = Self::default();
        let mut root = Value::Null;
        for text in [SHARED, source] {
            let mut file: Value = serde_json::from_str(text).map_err(|why| why.to_string())?;
            if let Some(Value::Object(definitions)) = file.get_mut("definitions").map(Value::take) {
                compiler.definitions.extend(definitions);
            }
            root = file.get_mut("root").map(Value::take).unwrap_or_default();
        }
        let root = compiler.node(&root)?;
        Ok(Schema { nodes: compiler.nodes, root })
    }
    fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        Id(self.nodes.len() - 1)
    }
    fn reference(&mut self, name: &str) -> Result<Id, String> {
        if let Some(made) = self.made.get(name) {
            return Ok(*made);
        }
        if name == "spdx" {
            let id = self.add(Node { licence: true, kinds: vec!["string"], ..Node::default() });
            self.made.insert(name.to_owned(), id);
            return Ok(id);
        }
        if name == "#" {
            return Err("a schema refers to itself as a whole".to_owned());
        }
        // The place is taken before the definition is read: definitions contain themselves.
        let id = self.add(Node::default());
        self.made.insert(name.to_owned(), id);
        let definition = self.definitions.get(name).cloned().ok_or_else(|| format!("no definition {name}"))?;
        let inner = self.node(&definition)?;
        if let Some(place) = self.nodes.get_mut(id.0) {
            place.alias = Some(inner);
        }
        Ok(id)
    }
    fn node(&mut self, schema: &Value) -> Result<Id, String> {
        let Value::Object(keywords) = schema else {
            let node = Node { never: schema == &Value::Bool(false), ..Node::default() };
            return Ok(self.add(node));
        };
        if let Some(Value::String(name)) = keywords.get("$ref") {
            return self.reference(name);
        }
        let mut node = Node::default();
        for (keyword, value) in keywords {
            self.keyword(&mut node, keyword, value)?;
        }
        if let Some(condition) = keywords.get("if") {
            let condition = self.node(condition)?;
            let then = keywords.get("then").map(|then| self.node(then)).transpose()?;
            let otherwise = keywords.get("else").map(|otherwise| self.node(otherwise)).transpose()?;
            node.condition = Some((condition, then, otherwise));
        }
        Ok(self.add(node))
    }
    fn list(&mut self, value: &Value) -> Result<Vec<Id>, String> {
        value.as_array().into_iter().flatten().map(|one| self.node(one)).collect()
    }
    fn keyword(&mut self, node: &mut Node, keyword: &str, value: &Value) -> Result<(), String> {
        let text = value.as_str().unwrap_or_default();
        let size = || value.as_u64().and_then(|size| usize::try_from(size).ok());
        match keyword {
            "type" => node.kinds = texts(value).iter().map(|word| known_type(word)).collect::<Result<_, _>>()?,
            "enum" => node.choices = Some(texts(value)),
            "const" => node.constant = Some(value.clone()),
            "pattern" => node.pattern = Some(Pattern::known(text).ok_or_else(|| format!("unknown pattern {text}"))?),
            "format" => node.format = Some(Format::known(text).ok_or_else(|| format!("unknown format {text}"))?),
            "minLength" => node.length.0 = size().unwrap_or(0),
            "maxLength" => node.length.1 = size(),
            "minimum" => node.range.0 = value.as_f64(),
            "maximum" => node.range.1 = value.as_f64(),
            "minItems" => node.count.0 = size().unwrap_or(0),
            "maxItems" => node.count.1 = size(),
            "uniqueItems" => node.unique = value == &Value::Bool(true),
            "items" if value.is_array() => node.tuple = self.list(value)?,
            "items" => node.items = Some(self.node(value)?),
            "required" => node.required = texts(value),
            "properties" => {
                for (name, schema) in value.as_object().into_iter().flatten() {
                    let id = self.node(schema)?;
                    node.properties.insert(name.clone(), id);
                }
            }
            "additionalProperties" => match value {
                Value::Bool(true) => {}
                Value::Bool(false) => node.additional = Additional::Refused,
                _ => return Err("additionalProperties is a schema".to_owned()),
            },
            "dependencies" => {
                node.needs = value.as_object().into_iter().flatten().map(|(name, needs)| (name.clone(), texts(needs))).collect();
            }
            "allOf" => node.all = self.list(value)?,
            "anyOf" => node.any = self.list(value)?,
            "oneOf" => node.one = self.list(value)?,
            "not" => node.not = Some(self.node(value)?),
            "if" | "then" | "else" => {}
            other => return Err(format!("unknown keyword {other}")),
        }
        Ok(())
    }
}

fn known_type(word: &str) -> Result<&'static str, String> {
    ["string", "object", "array", "integer", "number", "boolean", "null"]
        .into_iter()
        .find(|known| *known == word)
        .ok_or_else(|| format!("unknown type {word}"))
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

enum Step<'a> {
    Key(Cow<'a, str>),
    Index(usize),
}

/// One evaluation; where findings go.
struct Check<'s, 'a> {
    schema: &'s Schema,
    json: Json<'a>,
    path: Vec<Step<'a>>,
    findings: Vec<(usize, Finding)>,
    /// All that were found, kept or not.
    total: usize,
}

/// What a document does wrong by its schema: at most [`FINDINGS_MAX`], and how many there are.
pub fn evaluate(schema: &Schema, json: Json<'_>) -> (Vec<Finding>, usize) {
    let mut check = Check { schema, json, path: Vec::new(), findings: Vec::new(), total: 0 };
    check.value(schema.root, json.root());
    let total = check.total;
    let findings = check
        .findings
        .into_iter()
        .map(|(at, mut finding)| {
            finding.line = Some(json.line(at));
            finding
        })
        .collect();
    (findings, total)
}

impl<'a> Check<'_, 'a> {
    fn say(&mut self, at: usize, rule: &str, message: String) {
        self.total += 1;
        if self.findings.len() < FINDINGS_MAX {
            let finding = Finding::new(rule, Severity::High, message).inside(self.pointer());
            self.findings.push((at, finding));
        }
    }
    /// JSON pointer (RFC 6901) of where the evaluation is.
    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.path {
            pointer.push('/');
            match step {
                Step::Key(key) => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
                Step::Index(index) => pointer.push_str(&index.to_string()),
            }
        }
        if pointer.is_empty() { "/".to_owned() } else { pointer }
    }
    /// The offset after the value.
    fn value(&mut self, id: Id, at: usize) -> usize {
        let Some(node) = self.schema.nodes.get(id.0) else { return self.json.skip(at) };
        if let Some(alias) = node.alias {
            return self.value(alias, at);
        }
        if node.never {
            self.say(at, "not-allowed", "Nothing may stand here.".to_owned());
            return self.json.skip(at);
        }
        for part in &node.all {
            self.value(*part, at);
        }
        let kind = self.json.kind(at);
        if !node.kinds.is_empty() && !node.kinds.iter().any(|word| self.is(word, kind, at)) {
            let expected = node.kinds.join(" or ");
            self.say(at, "wrong-type", format!("This is {}, expected {expected}.", kind.word()));
            return self.json.skip(at);
        }
        self.scalar(node, kind, at);
        let end = match kind {
            Kind::Object => self.members(node, at),
            Kind::Array => self.elements(node, at),
            _ => self.json.skip(at),
        };
        self.choices(node, at);
        end
    }
    fn is(&self, word: &str, kind: Kind, at: usize) -> bool {
        match word {
            "integer" => {
                kind == Kind::Number && self.json.slice(at).parse::<f64>().is_ok_and(|number| number.is_finite() && number.fract() == 0.0)
            }
            "number" => kind == Kind::Number,
            "string" => kind == Kind::Text,
            "object" => kind == Kind::Object,
            "array" => kind == Kind::Array,
            "boolean" => kind == Kind::Bool,
            _ => kind == Kind::Null,
        }
    }
    fn scalar(&mut self, node: &Node, kind: Kind, at: usize) {
        if let Some(constant) = &node.constant
            && serde_json::from_str::<Value>(self.json.slice(at)).ok().as_ref() != Some(constant)
        {
            self.say(at, "not-in-list", format!("Expected {constant}."));
        }
        if kind == Kind::Text {
            let text = self.json.text(at);
            if let Some(choices) = &node.choices
                && !choices.iter().any(|choice| *choice == text)
            {
                let shown = choices.iter().take(12).cloned().collect::<Vec<_>>().join(", ");
                let more = if choices.len() > 12 { ", …" } else { "" };
                self.say(at, "not-in-list", format!("{:?} is none of {shown}{more}.", shorten(&text)));
            }
            if node.licence && !list::known(&text) {
                self.say(at, "licence-unknown", format!("{:?} is no identifier of the SPDX licence list.", shorten(&text)));
            }
            if let Some(pattern) = node.pattern
                && !pattern.matches(&text)
            {
                self.say(at, "wrong-pattern", format!("{:?} is not {}.", shorten(&text), pattern.words()));
            }
            if let Some(format) = node.format
                && !format.matches(&text)
            {
                self.say(at, "wrong-format", format!("{:?} is not {}.", shorten(&text), format.words()));
            }
            let (least, most) = node.length;
            if (least > 0 || most.is_some()) && !(least..=most.unwrap_or(usize::MAX)).contains(&text.chars().count()) {
                self.say(at, "wrong-length", format!("{:?} has fewer or more characters than allowed.", shorten(&text)));
            }
        } else if node.choices.is_some() {
            self.say(at, "not-in-list", format!("This is {}, expected a word of a list.", kind.word()));
        }
        if kind == Kind::Number && node.range != (None, None) {
            let number = self.json.slice(at).parse::<f64>().unwrap_or(f64::NAN);
            let inside = node.range.0.is_none_or(|least| number >= least) && node.range.1.is_none_or(|most| number <= most);
            if !inside {
                self.say(at, "out-of-range", format!("{} is out of range.", shorten(self.json.slice(at))));
            }
        }
    }
    fn members(&mut self, node: &Node, at: usize) -> usize {
        let json = self.json;
        let mut missing: Vec<&str> = node.required.iter().map(String::as_str).collect();
        let mut needed: Vec<(&str, &Vec<String>)> = Vec::new();
        let end = json.object(at, |key, value| {
            missing.retain(|name| *name != key);
            needed.extend(node.needs.iter().filter(|(name, _)| *name == key).map(|(name, needs)| (name.as_str(), needs)));
            let schema = node.properties.get(key.as_ref()).copied();
            self.path.push(Step::Key(key));
            let end = match (schema, &node.additional) {
                (Some(schema), _) => self.value(schema, value),
                (None, Additional::Allowed) => json.skip(value),
                (None, Additional::Refused) => {
                    self.say(value, "unknown-member", "This member is not defined here by this version of CycloneDX.".to_owned());
                    json.skip(value)
                }
            };
            self.path.pop();
            end
        });
        for name in missing {
            self.say(at, "missing-member", format!("The member {name:?} is missing."));
        }
        for (name, needs) in needed {
            for need in needs.iter().filter(|need| json.member(at, need).is_none()) {
                self.say(at, "missing-member", format!("The member {need:?} is missing, which {name:?} needs."));
            }
        }
        end
    }
    fn elements(&mut self, node: &Node, at: usize) -> usize {
        let json = self.json;
        let mut seen: HashMap<u64, usize> = HashMap::new();
        let mut count = 0;
        let end = json.array(at, |index, element| {
            count += 1;
            self.path.push(Step::Index(index));
            if node.unique {
                match seen.entry(fingerprint(json, element)) {
                    std::collections::hash_map::Entry::Vacant(place) => _ = place.insert(element),
                    std::collections::hash_map::Entry::Occupied(first) => {
                        if same(json, *first.get(), element) {
                            self.say(element, "not-unique", "This element stands twice in its list.".to_owned());
                        }
                    }
                }
            }
            let end = match node.tuple.get(index).copied().or(node.items) {
                Some(items) => self.value(items, element),
                None => json.skip(element),
            };
            self.path.pop();
            end
        });
        if count < node.count.0 || node.count.1.is_some_and(|most| count > most) {
            self.say(at, "wrong-length", format!("The list has {count} elements, fewer or more than allowed."));
        }
        end
    }
    fn choices(&mut self, node: &Node, at: usize) {
        for (alternatives, exactly_one) in [(&node.any, false), (&node.one, true)] {
            if alternatives.is_empty() {
                continue;
            }
            let tried: Vec<(usize, Option<Finding>)> = alternatives.iter().map(|one| self.faults(*one, at)).collect();
            match tried.iter().filter(|(faults, _)| *faults == 0).count() {
                0 => {
                    // The alternative that got furthest: its fault lies deepest, and it has the fewest.
                    let depth = |fault: &Option<Finding>| {
                        fault.as_ref().and_then(|fault| fault.path.as_ref()).map_or(0, |path| path.matches('/').count())
                    };
                    let nearest = tried.iter().min_by_key(|(faults, first)| (std::cmp::Reverse(depth(first)), *faults));
                    let told = nearest
                        .and_then(|(_, first)| first.as_ref())
                        .map(|first| format!(" Nearest: {} {}", first.path.as_deref().unwrap_or_default(), first.message));
                    self.say(at, "no-form", format!("This has none of the {} allowed forms.{}", tried.len(), told.unwrap_or_default()));
                }
                many if exactly_one && many > 1 => {
                    self.say(at, "several-forms", "This has several forms at once of which one may be chosen.".to_owned());
                }
                _ => {}
            }
        }
        if let Some(not) = node.not
            && self.faults(not, at).0 == 0
        {
            self.say(at, "not-allowed", "These members may not stand together.".to_owned());
        }
        if let Some((condition, then, otherwise)) = node.condition {
            let branch = if self.faults(condition, at).0 == 0 { then } else { otherwise };
            if let Some(branch) = branch {
                self.value(branch, at);
            }
        }
    }
    /// How many faults a schema finds, and the first; what was found before stays as it is.
    fn faults(&mut self, id: Id, at: usize) -> (usize, Option<Finding>) {
        let (kept, total) = (std::mem::take(&mut self.findings), std::mem::take(&mut self.total));
        self.value(id, at);
        let found = std::mem::replace(&mut self.total, total);
        let first = std::mem::replace(&mut self.findings, kept).into_iter().next().map(|(_, finding)| finding);
        (found, first)
    }
}

/// Equal values have equal fingerprints, whatever the order of their members.
fn fingerprint(json: Json<'_>, at: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    match json.kind(at) {
        Kind::Object => {
            let mut sum = 0_u64;
            json.object(at, |key, value| {
                let mut member = DefaultHasher::new();
                (key.as_ref(), fingerprint(json, value)).hash(&mut member);
                sum = sum.wrapping_add(member.finish());
                json.skip(value)
            });
            (0_u8, sum).hash(&mut hasher);
        }
        Kind::Array => {
            1_u8.hash(&mut hasher);
            json.array(at, |_, element| {
                fingerprint(json, element).hash(&mut hasher);
                json.skip(element)
            });
        }
        Kind::Text => (2_u8, json.text(at).as_ref()).hash(&mut hasher),
        Kind::Number => (3_u8, json.slice(at).parse::<f64>().unwrap_or_default().to_bits()).hash(&mut hasher),
        Kind::Bool | Kind::Null => (4_u8, json.slice(at)).hash(&mut hasher),
    }
    hasher.finish()
}

fn same(json: Json<'_>, one: usize, other: usize) -> bool {
    let value = |at| serde_json::from_str::<Value>(json.slice(at)).ok();
    json.slice(one) == json.slice(other) || value(one) == value(other)
}

/// Long texts of a document are told by their beginning.
pub fn shorten(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(80) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_compiles() {
        for (version, source) in VERSIONS.iter().zip(SOURCES) {
            assert!(Compiler::compile(source).map(|_| ()).is_ok(), "{version}: {:?}", Compiler::compile(source).err());
            assert!(of(version).is_some());
        }
        assert!(of("1.8").is_none());
    }

    fn rules(version: &str, text: &str) -> Vec<String> {
        let json = Json::read(text.as_bytes()).expect("JSON");
        let (findings, _) = evaluate(of(version).expect("a version"), json);
        findings.into_iter().map(|finding| format!("{} {}", finding.rule, finding.path.unwrap_or_default())).collect()
    }

    #[test]
    fn each_rule_has_its_place() {
        let bom = |body: &str| format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{body}]}}"#);
        assert_eq!(rules("1.6", &bom(r#"{"type":"library","name":"a"}"#)), Vec::<String>::new());
        assert_eq!(rules("1.6", &bom(r#"{"type":"thing","name":"a"}"#)), ["not-in-list /components/0/type"]);
        assert_eq!(rules("1.6", &bom(r#"{"type":"library"}"#)), ["missing-member /components/0"]);
        assert_eq!(rules("1.6", &bom(r#"{"type":"library","name":7}"#)), ["wrong-type /components/0/name"]);
        assert_eq!(rules("1.6", &bom(r#"{"type":"library","name":"a","nam":1}"#)), ["unknown-member /components/0/nam"]);
        assert_eq!(rules("1.6", &bom(r#"{"type":"library","name":"a"},{"name":"a","type":"library"}"#)), ["not-unique /components/1"]);
        assert_eq!(
            rules("1.7", &bom(r#"{"type":"library","name":"a","isExternal":true,"version":"1","versionRange":"vers:npm/1"}"#)),
            ["not-allowed /components/0"]
        );
    }
}
