//! Syntax of all files into one tree with every name resolved.

use super::checks;
use super::features::{CppString, Features, Presence};
use super::model::{Cardinality, Enum, EnumValue, Field, File, Kind, Message, Method, MissingImport, Oneof, Service, Tree, joined};
use super::names::{Names, Resolved, join};
use super::parser::FIELD_NUMBER_MAX;
use super::syntax::{
    Body, Edition, EnumSyntax, ExtendSyntax, FieldSyntax, FileSyntax, Label, MessageSyntax, OptionSyntax, Range, ServiceSyntax, TypeSyntax,
    Value,
};
use super::{Problem, Unreadable};

/// The largest number of an extension of a message in MessageSet form.
const MESSAGE_SET_MAX: i64 = 2_147_483_646;

struct Linker<'a> {
    names: Names,
    tree: Tree,
    /// Messages of maps: they follow all others.
    entries: Vec<Message>,
    messages: usize,
    unreadable: Vec<Unreadable>,
    files: &'a [(String, FileSyntax)],
}

/// Where the linker is.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: usize,
    edition: Edition,
    /// Full name of what is around.
    scope: &'a str,
    features: Features,
}

/// The last value of an option with this one name.
fn option<'a>(options: &'a [OptionSyntax], name: &str) -> Option<&'a Value> {
    options.iter().rev().find(|option| matches!(option.name.as_slice(), [only] if only == name)).map(|option| &option.value)
}

fn is_true(options: &[OptionSyntax], name: &str) -> bool {
    matches!(option(options, name), Some(Value::Word(word)) if word == "true")
}

fn word(options: &[OptionSyntax], name: &str, unset: &str) -> String {
    match option(options, name) {
        Some(Value::Word(word)) => word.clone(),
        _ => unset.to_owned(),
    }
}

/// An option's value as text, to be compared and shown.
fn shown(value: &Value) -> String {
    match value {
        Value::Word(word) => word.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Message(_) | Value::List(_) => String::new(),
    }
}

pub(super) fn link(root: &str, files: &[(String, FileSyntax)]) -> Result<Tree, Vec<Unreadable>> {
    let (names, twice, missing) = Names::declare(files);
    let tree = Tree {
        root: root.to_owned(),
        missing_imports: missing
            .into_iter()
            .map(|missing| MissingImport { file: missing.file, line: missing.line, path: missing.path })
            .collect(),
        ..Tree::default()
    };
    let messages = files.iter().map(|(_, file)| count(&file.top)).sum();
    let mut linker = Linker { names, tree, entries: Vec::new(), messages, unreadable: Vec::new(), files };
    for one in twice {
        let first = files.get(one.first).map_or("", |(path, _)| path.as_str());
        linker.problem(one.second, Problem::new(one.line, format!("{} is declared a second time: first in {first}", one.name)));
    }
    for (index, (path, file)) in files.iter().enumerate() {
        linker.file(index, path, file);
    }
    linker.finish()
}

fn count(body: &Body) -> usize {
    body.messages.iter().map(|message| 1 + count(&message.body)).sum()
}

impl Linker<'_> {
    fn problem(&mut self, file: usize, problem: Problem) {
        let path = self.files.get(file).map_or("", |(path, _)| path.as_str());
        let file = if self.tree.root.is_empty() { path.to_owned() } else { format!("{}/{path}", self.tree.root.trim_end_matches('/')) };
        self.unreadable.push(Unreadable { file, line: problem.line, message: problem.message });
    }

    fn finish(mut self) -> Result<Tree, Vec<Unreadable>> {
        let mut tree = self.tree;
        tree.messages.append(&mut self.entries);
        tree.file_by_path = tree.files.iter().enumerate().map(|(index, file)| (file.path.clone(), index)).collect();
        tree.message_by_name = tree.messages.iter().enumerate().map(|(index, message)| (message.name.clone(), index)).collect();
        tree.enum_by_name = tree.enums.iter().enumerate().map(|(index, found)| (found.name.clone(), index)).collect();
        tree.service_by_name = tree.services.iter().enumerate().map(|(index, service)| (service.name.clone(), index)).collect();
        for (file, problem) in checks::tree(&tree) {
            self.unreadable.push(Unreadable { file: tree.shown(file), line: problem.line, message: problem.message });
        }
        if self.unreadable.is_empty() { Ok(tree) } else { Err(self.unreadable) }
    }

    fn file(&mut self, index: usize, path: &str, file: &FileSyntax) {
        let edition = file.edition.unwrap_or(Edition::Proto2);
        let options = file
            .options
            .iter()
            .filter_map(|option| match option.name.as_slice() {
                [name] if name != "features" && !name.starts_with('[') => Some((name.clone(), (shown(&option.value), option.line))),
                _ => None,
            })
            .collect();
        self.tree.files.push(File {
            path: path.to_owned(),
            edition,
            edition_line: file.edition_line.max(1),
            package: file.package.clone(),
            package_line: file.package_line.max(1),
            options,
        });
        let mut features = Features::of(edition).refined(&file.options);
        if option(&file.options, "java_string_check_utf8").is_some() {
            features.java_verify_utf8 = is_true(&file.options, "java_string_check_utf8");
        }
        let place = Place { file: index, edition, scope: &file.package, features };
        self.body(place, &file.top);
        for service in &file.services {
            self.service(place, service);
        }
    }

    fn body(&mut self, place: Place<'_>, body: &Body) {
        for found in &body.enums {
            self.enumeration(place, found);
        }
        for message in &body.messages {
            self.message(place, message);
        }
        for extend in &body.extends {
            self.extend(place, extend);
        }
    }

    fn message(&mut self, place: Place<'_>, message: &MessageSyntax) {
        let name = join(place.scope, &message.name);
        let features = place.features.refined(&message.options);
        let inside = Place { scope: &name, features, ..place };
        let oneof_features: Vec<Features> = message.oneofs.iter().map(|oneof| features.refined(&oneof.options)).collect();
        let mut fields = Vec::with_capacity(message.fields.len());
        for field in &message.fields {
            let features = field.oneof.and_then(|index| oneof_features.get(index)).copied().unwrap_or(features);
            fields.push(self.field(Place { features, ..inside }, field, None));
        }
        let message_set = is_true(&message.options, "message_set_wire_format");
        let extension_ranges: Vec<Range> = message
            .extension_ranges
            .iter()
            .map(|range| if message_set && range.end == FIELD_NUMBER_MAX { Range { end: MESSAGE_SET_MAX, ..*range } } else { *range })
            .collect();
        // The place in the list was given by the names: a message comes before those inside it.
        self.tree.messages.push(Message {
            name: name.clone(),
            file: place.file,
            line: message.line,
            fields,
            oneofs: message.oneofs.iter().map(|oneof| Oneof { name: oneof.name.clone(), line: oneof.line }).collect(),
            reserved: joined(&message.reserved.ranges),
            reserved_names: message.reserved.names.clone(),
            extension_ranges: joined(&extension_ranges),
            map_entry: is_true(&message.options, "map_entry"),
            json: features.json,
            message_set,
            no_standard_descriptor_accessor: is_true(&message.options, "no_standard_descriptor_accessor"),
        });
        self.body(inside, &message.body);
    }

    fn extend(&mut self, place: Place<'_>, extend: &ExtendSyntax) {
        let extendee = match self.names.resolve(place.file, place.scope, &extend.extendee) {
            Resolved::Message { name, .. } | Resolved::Unknown(name) => name,
            Resolved::Enum { name, .. } => {
                return self.problem(place.file, Problem::new(extend.line, format!("{name} is an enum: only messages are extended")));
            }
            Resolved::Wrong(why) => return self.problem(place.file, Problem::new(extend.line, why)),
        };
        for field in &extend.fields {
            let field = self.field(place, field, Some(extendee.clone()));
            self.tree.extensions.push(field);
        }
    }

    fn field(&mut self, place: Place<'_>, field: &FieldSyntax, extendee: Option<String>) -> Field {
        let features = place.features.refined(&field.options);
        let (kind, type_name, type_index) = self.type_of(place, field, features);
        let extension = extendee.is_some();
        let cardinality = match (&field.of, field.label) {
            (TypeSyntax::Map { .. }, _) => Cardinality::Map,
            (_, Label::Repeated) => Cardinality::Repeated,
            (_, Label::Required) => Cardinality::Required,
            _ if field.oneof.is_some() || extension || field.label == Label::Optional => Cardinality::Explicit,
            _ => match (features.presence, kind) {
                (Presence::Required, _) => Cardinality::Required,
                (Presence::Implicit, kind) if !matches!(kind, Kind::Message | Kind::Group) => Cardinality::Implicit,
                _ => Cardinality::Explicit,
            },
        };
        let ctype = match option(&field.options, "ctype") {
            Some(Value::Word(word)) if place.edition < Edition::Edition2024 => match word.as_str() {
                "CORD" => Some(CppString::Cord),
                "STRING_PIECE" => Some(CppString::Piece),
                "STRING" => Some(CppString::String),
                _ => None,
            },
            _ => None,
        };
        Field {
            name: field.name.clone(),
            full_name: join(place.scope, &field.name),
            number: field.number,
            file: place.file,
            line: field.line,
            kind,
            type_name,
            type_index,
            cardinality,
            oneof: field.oneof,
            json_name: match option(&field.options, "json_name") {
                Some(Value::Text(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
                _ => json_name(&field.name),
            },
            default: option(&field.options, "default").cloned(),
            features,
            cpp_string: ctype.unwrap_or(features.cpp_string),
            java_verify_utf8: features.java_verify_utf8 || features.verify_utf8,
            jstype: word(&field.options, "jstype", "JS_NORMAL"),
            extendee,
        }
    }

    fn type_of(&mut self, place: Place<'_>, field: &FieldSyntax, features: Features) -> (Kind, String, Option<usize>) {
        let message = if features.delimited { Kind::Group } else { Kind::Message };
        let (name, message) = match &field.of {
            TypeSyntax::Named(name) => {
                if let Some(kind) = Kind::of_word(name) {
                    return (kind, String::new(), None);
                }
                (name, message)
            }
            TypeSyntax::Group(name) => (name, Kind::Group),
            TypeSyntax::Map { key, value } => return self.map(place, field, key, value),
        };
        match self.names.resolve(place.file, place.scope, name) {
            Resolved::Message { name, index } => (message, name, index),
            Resolved::Enum { name, index } => (Kind::Enum, name, index),
            Resolved::Unknown(name) => (Kind::Unknown, name, None),
            Resolved::Wrong(why) => {
                self.problem(place.file, Problem::new(field.line, why));
                (Kind::Unknown, name.clone(), None)
            }
        }
    }

    /// A map is a repeated message of a key and a value, named after its field.
    fn map(&mut self, place: Place<'_>, field: &FieldSyntax, key: &str, value: &str) -> (Kind, String, Option<usize>) {
        let name = join(place.scope, &entry_name(&field.name));
        let member = |name: &str, of: &str, number| FieldSyntax {
            label: Label::None,
            of: TypeSyntax::Named(of.to_owned()),
            name: name.to_owned(),
            number,
            options: Vec::new(),
            oneof: None,
            line: field.line,
        };
        // Entries and their values are never delimited and have presence of their own, whatever the file says.
        let features = place.features.refined(&field.options);
        let features = Features { delimited: false, presence: Presence::Explicit, ..features };
        let inside = Place { features, ..place };
        let fields = [member("key", key, 1), member("value", value, 2)];
        let fields = fields
            .iter()
            .map(|member| {
                let mut member = self.field(inside, member, None);
                member.full_name = join(&name, &member.name);
                member
            })
            .collect();
        let index = self.messages + self.entries.len();
        self.entries.push(Message {
            name: name.clone(),
            file: place.file,
            line: field.line,
            fields,
            oneofs: Vec::new(),
            reserved: Vec::new(),
            reserved_names: Vec::new(),
            extension_ranges: Vec::new(),
            map_entry: true,
            json: place.features.json,
            message_set: false,
            no_standard_descriptor_accessor: false,
        });
        (Kind::Message, name, Some(index))
    }

    fn enumeration(&mut self, place: Place<'_>, found: &EnumSyntax) {
        let features = place.features.refined(&found.options);
        let name = join(place.scope, &found.name);
        let values: Vec<EnumValue> =
            found.values.iter().map(|value| EnumValue { name: value.name.clone(), number: value.number, line: value.line }).collect();
        if let Some(first) = values.first()
            && first.number != 0
            && !features.closed_enums
        {
            self.problem(place.file, Problem::new(first.line, format!("the first value of {name} is not 0, which an open enum needs")));
        }
        for problem in checks::values(found, is_true(&found.options, "allow_alias")) {
            self.problem(place.file, problem);
        }
        self.tree.enums.push(Enum {
            name,
            file: place.file,
            line: found.line,
            values,
            reserved: joined(&found.reserved.ranges),
            reserved_names: found.reserved.names.clone(),
            closed: features.closed_enums,
            json: features.json,
        });
    }

    fn service(&mut self, place: Place<'_>, service: &ServiceSyntax) {
        let name = join(place.scope, &service.name);
        let mut methods = Vec::with_capacity(service.methods.len());
        for method in &service.methods {
            let mut message = |text: &str| match self.names.resolve(place.file, &name, text) {
                Resolved::Message { name, .. } | Resolved::Unknown(name) => name,
                Resolved::Enum { name, .. } => {
                    self.problem(place.file, Problem::new(method.line, format!("{name} is an enum: an rpc sends messages")));
                    name
                }
                Resolved::Wrong(why) => {
                    self.problem(place.file, Problem::new(method.line, why));
                    text.to_owned()
                }
            };
            let (input, output) = (message(&method.input), message(&method.output));
            methods.push(Method {
                name: method.name.clone(),
                line: method.line,
                input,
                output,
                client_streaming: method.client_streaming,
                server_streaming: method.server_streaming,
                idempotency: word(&method.options, "idempotency_level", "IDEMPOTENCY_UNKNOWN"),
            });
        }
        self.tree.services.push(Service { name, file: place.file, line: service.line, methods });
    }
}

/// `user_name` is `userName` in JSON.
fn json_name(name: &str) -> String {
    let mut json = String::with_capacity(name.len());
    let mut upper = false;
    for character in name.chars() {
        if character == '_' {
            upper = true;
        } else {
            json.push(if upper { character.to_ascii_uppercase() } else { character });
            upper = false;
        }
    }
    json
}

/// The message of the map `user_names` is `UserNamesEntry`.
fn entry_name(name: &str) -> String {
    let mut entry = String::with_capacity(name.len() + 5);
    let mut upper = true;
    for character in name.chars() {
        if character == '_' {
            upper = true;
        } else {
            entry.push(if upper { character.to_ascii_uppercase() } else { character });
            upper = false;
        }
    }
    entry.push_str("Entry");
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_language_makes() {
        for (field, json, entry) in [
            ("user_name", "userName", "UserNameEntry"),
            ("a", "a", "AEntry"),
            ("_a__b1_c", "AB1C", "AB1CEntry"),
            ("URL_list", "URLList", "URLListEntry"),
        ] {
            assert_eq!((json_name(field).as_str(), entry_name(field).as_str()), (json, entry));
        }
    }
}
