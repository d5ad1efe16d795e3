//! A tree of .proto files with every name resolved: what the rules compare.

use super::features::{CppString, Features};
use super::syntax::{Edition, Range, Value};
use std::collections::{BTreeMap, HashMap};

/// All files of one version.
#[derive(Debug, Default)]
pub struct Tree {
    /// What stands before the path of each file when it is shown.
    pub root: String,
    pub files: Vec<File>,
    pub messages: Vec<Message>,
    pub enums: Vec<Enum>,
    pub services: Vec<Service>,
    pub extensions: Vec<Field>,
    /// Imports that the tree does not hold: their types are compared by name alone.
    pub missing_imports: Vec<MissingImport>,
    pub(super) file_by_path: HashMap<String, usize>,
    pub(super) message_by_name: HashMap<String, usize>,
    pub(super) enum_by_name: HashMap<String, usize>,
    pub(super) service_by_name: HashMap<String, usize>,
}

#[derive(Debug)]
pub struct MissingImport {
    pub file: usize,
    pub line: u32,
    pub path: String,
}

#[derive(Debug)]
pub struct File {
    /// Below the root, with slashes.
    pub path: String,
    pub edition: Edition,
    pub edition_line: u32,
    pub package: String,
    pub package_line: u32,
    /// The options with one name, by it: shown value and line.
    pub options: BTreeMap<String, (String, u32)>,
}

#[derive(Debug)]
pub struct Message {
    pub name: String,
    pub file: usize,
    pub line: u32,
    pub fields: Vec<Field>,
    pub oneofs: Vec<Oneof>,
    pub reserved: Vec<Range>,
    pub reserved_names: Vec<String>,
    pub extension_ranges: Vec<Range>,
    /// Made by the language for a map.
    pub map_entry: bool,
    pub json: bool,
    pub message_set: bool,
    pub no_standard_descriptor_accessor: bool,
}

#[derive(Debug)]
pub struct Oneof {
    pub name: String,
    pub line: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Message,
    /// A message between a start and an end tag.
    Group,
    Enum,
    /// A message or an enum of a file that is not here.
    Unknown,
}

impl Kind {
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "double" => Kind::Double,
            "float" => Kind::Float,
            "int32" => Kind::Int32,
            "int64" => Kind::Int64,
            "uint32" => Kind::Uint32,
            "uint64" => Kind::Uint64,
            "sint32" => Kind::Sint32,
            "sint64" => Kind::Sint64,
            "fixed32" => Kind::Fixed32,
            "fixed64" => Kind::Fixed64,
            "sfixed32" => Kind::Sfixed32,
            "sfixed64" => Kind::Sfixed64,
            "bool" => Kind::Bool,
            "string" => Kind::String,
            "bytes" => Kind::Bytes,
            _ => return None,
        })
    }
    pub fn word(self) -> &'static str {
        match self {
            Kind::Double => "double",
            Kind::Float => "float",
            Kind::Int32 => "int32",
            Kind::Int64 => "int64",
            Kind::Uint32 => "uint32",
            Kind::Uint64 => "uint64",
            Kind::Sint32 => "sint32",
            Kind::Sint64 => "sint64",
            Kind::Fixed32 => "fixed32",
            Kind::Fixed64 => "fixed64",
            Kind::Sfixed32 => "sfixed32",
            Kind::Sfixed64 => "sfixed64",
            Kind::Bool => "bool",
            Kind::String => "string",
            Kind::Bytes => "bytes",
            Kind::Message => "message",
            Kind::Group => "group",
            Kind::Enum => "enum",
            Kind::Unknown => "a type of a file that is not here",
        }
    }
    pub fn is_64_bit_integer(self) -> bool {
        matches!(self, Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64)
    }
    pub fn is_text(self) -> bool {
        matches!(self, Kind::String | Kind::Bytes)
    }
    /// Whether it has a name rather than being built in.
    pub fn is_named(self) -> bool {
        matches!(self, Kind::Message | Kind::Group | Kind::Enum | Kind::Unknown)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    Explicit,
    Implicit,
    Required,
    Repeated,
    Map,
}

impl Cardinality {
    pub fn word(self) -> &'static str {
        match self {
            Cardinality::Explicit => "optional with explicit presence",
            Cardinality::Implicit => "optional with implicit presence",
            Cardinality::Required => "required",
            Cardinality::Repeated => "repeated",
            Cardinality::Map => "map",
        }
    }
}

#[derive(Debug)]
pub struct Field {
    pub name: String,
    /// `package.Message.field`; of an extension, `package.Scope.extension`.
    pub full_name: String,
    pub number: i64,
    pub file: usize,
    pub line: u32,
    pub kind: Kind,
    /// Full name of a named type.
    pub type_name: String,
    /// Index among the messages or enums of the tree, by the kind.
    pub type_index: Option<usize>,
    pub cardinality: Cardinality,
    /// Index of the oneof that was written, not one that `optional` implies.
    pub oneof: Option<usize>,
    pub json_name: String,
    pub(super) default: Option<Value>,
    pub features: Features,
    pub cpp_string: CppString,
    pub java_verify_utf8: bool,
    /// JS_NORMAL where it says nothing.
    pub jstype: String,
    /// Of an extension: the message it extends.
    pub extendee: Option<String>,
}

#[derive(Debug)]
pub struct Enum {
    pub name: String,
    pub file: usize,
    pub line: u32,
    pub values: Vec<EnumValue>,
    pub reserved: Vec<Range>,
    pub reserved_names: Vec<String>,
    pub closed: bool,
    pub json: bool,
}

#[derive(Debug)]
pub struct EnumValue {
    pub name: String,
    pub number: i64,
    pub line: u32,
}

#[derive(Debug)]
pub struct Service {
    pub name: String,
    pub file: usize,
    pub line: u32,
    pub methods: Vec<Method>,
}

#[derive(Debug)]
pub struct Method {
    pub name: String,
    pub line: u32,
    pub input: String,
    pub output: String,
    pub client_streaming: bool,
    pub server_streaming: bool,
    /// IDEMPOTENCY_UNKNOWN where it says nothing.
    pub idempotency: String,
}

impl Tree {
    /// A file as people know it.
    pub fn shown(&self, file: usize) -> String {
        let path = self.files.get(file).map_or("", |file| file.path.as_str());
        if self.root.is_empty() { path.to_owned() } else { format!("{}/{path}", self.root.trim_end_matches('/')) }
    }
    pub fn message(&self, name: &str) -> Option<&Message> {
        self.messages.get(*self.message_by_name.get(name)?)
    }
    pub fn enumeration(&self, name: &str) -> Option<&Enum> {
        self.enums.get(*self.enum_by_name.get(name)?)
    }
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.get(*self.service_by_name.get(name)?)
    }
    pub fn file(&self, path: &str) -> Option<usize> {
        self.file_by_path.get(path).copied()
    }
    /// The package of a file.
    pub fn package(&self, file: usize) -> &str {
        self.files.get(file).map_or("", |file| file.package.as_str())
    }
    /// A full name without the package of its file.
    pub fn nested<'a>(&self, file: usize, name: &'a str) -> &'a str {
        let package = self.package(file);
        name.strip_prefix(package).map_or(name, |rest| rest.strip_prefix('.').unwrap_or(rest))
    }
}

impl Enum {
    pub fn names_of(&self, number: i64) -> Vec<&str> {
        let mut names: Vec<&str> = self.values.iter().filter(|value| value.number == number).map(|value| value.name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

/// Whether a number lies in one of these ranges, which are sorted and joined.
pub fn in_ranges(ranges: &[Range], number: i64) -> bool {
    let after = ranges.partition_point(|range| range.end < number);
    ranges.get(after).is_some_and(|range| range.contains(number))
}

/// Sorted, with what overlaps or touches joined.
pub fn joined(ranges: &[Range]) -> Vec<Range> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(1) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// What of a range these sorted and joined ranges do not hold.
pub fn missing(range: Range, within: &[Range]) -> Vec<Range> {
    let mut gaps = Vec::new();
    let mut start = range.start;
    for held in &within[within.partition_point(|held| held.end < range.start)..] {
        if held.start > range.end {
            break;
        }
        if held.start > start {
            gaps.push(Range { start, end: held.start - 1 });
        }
        start = start.max(held.end.saturating_add(1));
    }
    if start <= range.end {
        gaps.push(Range { start, end: range.end });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(pairs: &[(i64, i64)]) -> Vec<Range> {
        pairs.iter().map(|(start, end)| Range { start: *start, end: *end }).collect()
    }

    #[test]
    fn ranges_join_and_miss() {
        assert_eq!(joined(&ranges(&[(5, 9), (1, 2), (3, 3), (8, 12), (20, 20)])), ranges(&[(1, 3), (5, 12), (20, 20)]));
        let held = ranges(&[(1, 3), (5, 12), (20, 20)]);
        let check = |start, end, gaps: &[(i64, i64)]| {
            assert_eq!(missing(Range { start, end }, &held), ranges(gaps), "{start} to {end}");
        };
        check(1, 3, &[]);
        check(1, 5, &[(4, 4)]);
        check(0, 25, &[(0, 0), (4, 4), (13, 19), (21, 25)]);
        check(13, 19, &[(13, 19)]);
        check(30, 40, &[(30, 40)]);
        check(6, 13, &[(13, 13)]);
        for number in -1..30 {
            assert_eq!(in_ranges(&held, number), held.iter().any(|range| range.contains(number)), "{number}");
        }
    }
}
