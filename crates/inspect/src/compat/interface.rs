//! Descriptions of interfaces as they are handed in, whatever their language: read, compared both ways, with who uses them.
//!
//! A description is one file, or a zip of the files that belong together. Nothing is fetched, and nothing outside is opened.

use super::{avro, graphql, json_schema, openapi, protobuf};
use crate::advisories::archive;
use crate::finding::{Finding, Severity, sort};
use serde_json::{Map, Value};

/// Files of one description.
const FILES_MAX: usize = 2_000;
/// Bytes of all its files together.
const BYTES_MAX: usize = 32 << 20;
/// Room for schemas as deep as are read at all: a comparison wants a thread of its own with it.
pub const STACK_BYTES: usize = 256 << 20;

/// A language of contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Openapi,
    Protobuf,
    Avro,
    JsonSchema,
    Graphql,
}

impl Format {
    pub const ALL: [Format; 5] = [Format::Openapi, Format::Protobuf, Format::Avro, Format::JsonSchema, Format::Graphql];

    pub fn word(self) -> &'static str {
        match self {
            Format::Openapi => "openapi",
            Format::Protobuf => "protobuf",
            Format::Avro => "avro",
            Format::JsonSchema => "json-schema",
            Format::Graphql => "graphql",
        }
    }
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.word() == word)
    }
}

/// Which way a finding is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Who knows the base meets the revision.
    Forward,
    /// Who knows the revision meets the base again, after a rollback.
    Back,
}

impl Way {
    pub fn word(self) -> &'static str {
        match self {
            Way::Forward => "forward",
            Way::Back => "back",
        }
    }
}

/// One thing that does not go together.
#[derive(Debug, Clone, PartialEq)]
pub struct Clash {
    pub way: Way,
    /// [`Severity::Unknown`] where it could not be decided.
    pub severity: Severity,
    /// As it was found, with `consumers` or `used_by` where logs were given.
    pub finding: Finding,
    /// The finding's message before any consumer was named in it.
    pub message: String,
}

/// A log of who uses an interface.
#[derive(Debug, Clone, Copy)]
pub struct Log<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
}

/// What a log covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    pub requests: u64,
    pub unmatched: u64,
    pub consumers: u64,
    /// RFC 3339.
    pub from: String,
    pub until: String,
}

/// A description that was read.
#[derive(Debug)]
pub struct Description {
    name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Openapi(Box<openapi::Spec>),
    Protobuf(Box<protobuf::Tree>),
    Avro(Box<avro::Schema>),
    Graphql(Box<graphql::Schema>),
    JsonSchema(Files),
}

type Files = Vec<(String, Vec<u8>)>;

impl Description {
    /// Reads a description. `name` is how findings call it.
    ///
    /// # Errors
    /// What cannot be read, with its place and what was expected. Every reference must lead somewhere inside.
    pub fn read(format: Format, name: &str, bytes: &[u8]) -> Result<Self, String> {
        let files = files(name, bytes)?;
        let kind = match format {
            Format::Openapi => Kind::Openapi(Box::new(spec(&files)?)),
            Format::Protobuf => Kind::Protobuf(Box::new(tree(&files)?)),
            Format::Avro => {
                let (file, bytes) = only(&files)?;
                Kind::Avro(Box::new(avro::read(file, bytes).map_err(|why| why.to_string())?))
            }
            Format::Graphql => {
                let given: Vec<graphql::Given> = files.iter().map(|(name, bytes)| graphql::Given { name, bytes }).collect();
                Kind::Graphql(Box::new(graphql::Schema::read(&given).map_err(|why| why.to_string())?))
            }
            Format::JsonSchema => {
                // What it refers to is looked for where it is compared: with itself, all of it.
                let options = json_schema::Options { mode: json_schema::Mode::Backward, ..json_schema::Options::default() };
                json_schema::compare(&side(&files)?, &side(&files)?, &options).map_err(|why| why.to_string())?;
                Kind::JsonSchema(files)
            }
        };
        Ok(Self { name: name.to_owned(), kind })
    }

    /// What a log covers.
    ///
    /// # Errors
    /// A log that cannot be read, one whose lines name no time, or a language whose use no log tells.
    pub fn observed(&self, log: Log) -> Result<Observed, String> {
        let observation = match &self.kind {
            Kind::Openapi(spec) => openapi::Usage::read(spec, log.name, log.bytes).map_err(|why| why.to_string())?.observation(),
            Kind::Graphql(schema) => {
                let given = [graphql::Given { name: log.name, bytes: log.bytes }];
                let usage = graphql::Usage::read(schema, &given).map_err(|why| why.to_string())?;
                let mut map = usage.observation().as_object().cloned().unwrap_or_default();
                map.insert("requests".to_owned(), Value::from(usage.operations));
                map
            }
            _ => return Err(format!("the use of {} is told by no log; expected a description in OpenAPI or GraphQL", self.name)),
        };
        let text = |key: &str| observation.get(key).and_then(Value::as_str).map(str::to_owned);
        let number = |key: &str| observation.get(key).and_then(Value::as_u64).unwrap_or(0);
        let (Some(from), Some(until)) = (text("first"), text("last")) else {
            return Err(format!("{}: no line says a time, so no period was observed; expected lines with their time", log.name));
        };
        let consumers = observation.get("consumers").and_then(Value::as_array).map_or(0, Vec::len);
        Ok(Observed { requests: number("requests"), unmatched: number("unmatched"), consumers: consumers as u64, from, until })
    }
}

/// The files of a description: itself, or what a zip holds.
fn files(name: &str, bytes: &[u8]) -> Result<Files, String> {
    if !bytes.starts_with(b"PK\x03\x04") && !bytes.starts_with(b"PK\x05\x06") {
        return Ok(vec![(name.to_owned(), bytes.to_vec())]);
    }
    let bad = |why: String| format!("{name}: {why}");
    let entries = archive::entries(bytes).map_err(|why| bad(why.to_string()))?;
    if entries.is_empty() || entries.len() > FILES_MAX {
        return Err(bad(format!("expected 1 to {FILES_MAX} files in the zip, found {}", entries.len())));
    }
    if entries.iter().map(|entry| entry.size).sum::<usize>() > BYTES_MAX {
        return Err(bad(format!("the files of the zip have more than {BYTES_MAX} bytes")));
    }
    let mut inflate = flate2::Decompress::new(false);
    let mut files = Files::new();
    for entry in &entries {
        files.push((entry.name.clone(), archive::unpack(bytes, entry, &mut inflate).map_err(|why| bad(why.to_string()))?));
    }
    files.sort();
    Ok(files)
}

fn only(files: &Files) -> Result<&(String, Vec<u8>), String> {
    match files.as_slice() {
        [one] => Ok(one),
        many => Err(format!("expected one file, found {}", many.len())),
    }
}

/// The main file is the one that begins as a description, nearest to the top of the zip; the others are its references'.
fn spec(files: &Files) -> Result<openapi::Spec, String> {
    let mut order: Vec<&(String, Vec<u8>)> = files.iter().collect();
    order.sort_by_key(|(name, _)| (name.matches('/').count(), name.clone()));
    let mut begun = Err("expected an OpenAPI description".to_owned());
    for (name, bytes) in order {
        match openapi::Loading::begin(name, name, bytes, []) {
            Ok(loading) => {
                begun = Ok(loading);
                break;
            }
            Err(why) if begun.is_err() && files.len() == 1 => begun = Err(why.to_string()),
            Err(_) => {}
        }
    }
    let mut loading = begun?;
    while let Some(wanted) = loading.wanted().map(str::to_owned) {
        let found = files.iter().find(|(name, _)| *name == wanted).map(|(_, bytes)| bytes.as_slice());
        let found = found.ok_or_else(|| "the file was not handed in; send a zip of all files".to_owned());
        loading.supply(&wanted, &wanted, found).map_err(|why| why.to_string())?;
    }
    let spec = loading.finish();
    match spec.dangling() {
        Some(why) => Err(why.to_string()),
        None => Ok(spec),
    }
}

fn tree(files: &Files) -> Result<protobuf::Tree, String> {
    let named = |name: &str| if name.ends_with(".proto") { name.to_owned() } else { format!("{name}.proto") };
    let files: Vec<(String, &Vec<u8>)> = match files.as_slice() {
        [(name, bytes)] => vec![(named(name), bytes)],
        many => many.iter().filter(|(name, _)| name.ends_with(".proto")).map(|(name, bytes)| (name.clone(), bytes)).collect(),
    };
    if files.is_empty() {
        return Err("expected .proto files in the zip".to_owned());
    }
    let sources: Vec<protobuf::Source> = files.iter().map(|(path, bytes)| protobuf::Source { path, bytes }).collect();
    protobuf::read("", &sources).map_err(|problems| problems.iter().take(5).map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// The schema is the file nearest to the top; it may refer to the others by their names or addresses.
fn side(files: &Files) -> Result<json_schema::Side<'_>, String> {
    let mut order: Vec<&(String, Vec<u8>)> = files.iter().collect();
    order.sort_by_key(|(name, _)| (name.matches('/').count(), name.clone()));
    let (first, rest) = order.split_first().ok_or("expected a schema")?;
    Ok(json_schema::Side {
        schema: json_schema::Given { name: &first.0, uri: None, bytes: &first.1 },
        resources: rest.iter().map(|one| json_schema::Given { name: &one.0, uri: None, bytes: &one.1 }).collect(),
    })
}

/// What does not go together in a description and the one that takes its place; worst first.
///
/// Of interfaces that are called, the way back is at most risky: whoever uses what is new loses it with a rollback. Of data
/// it is as bad as the way there: what the revision wrote stays, and the base cannot read it.
///
/// # Errors
/// Two languages, or what the comparison itself could not read.
pub fn compare(base: &Description, revision: &Description, logs: &[Log]) -> Result<Vec<Clash>, String> {
    let mut clashes = Vec::new();
    match (&base.kind, &revision.kind) {
        (Kind::Openapi(before), Kind::Openapi(after)) => {
            for (way, from, to) in [(Way::Forward, before, after), (Way::Back, after, before)] {
                let found = openapi::compare(from, to, &openapi::Options::default()).map_err(|why| why.to_string())?;
                let all = joined(logs);
                let usage = match &all {
                    Some((name, bytes)) => Some(openapi::Usage::read(from, name, bytes).map_err(|why| why.to_string())?),
                    None => None,
                };
                add(&mut clashes, way, found, |found| {
                    if let Some(usage) = &usage {
                        usage.annotate(found);
                    }
                });
            }
        }
        (Kind::Graphql(before), Kind::Graphql(after)) => {
            for (way, from, to) in [(Way::Forward, before, after), (Way::Back, after, before)] {
                let given: Vec<graphql::Given> = logs.iter().map(|log| graphql::Given { name: log.name, bytes: log.bytes }).collect();
                let usage = match given.as_slice() {
                    [] => None,
                    given => Some(graphql::Usage::read(from, given).map_err(|why| why.to_string())?),
                };
                add(&mut clashes, way, graphql::compare(from, to), |found| {
                    if let Some(usage) = &usage {
                        usage.annotate(found);
                    }
                });
            }
        }
        (Kind::Protobuf(before), Kind::Protobuf(after)) => {
            // What runs exchanges bytes and JSON; generated code is the build's concern.
            add(&mut clashes, Way::Forward, protobuf::compare(before, after, protobuf::Level::WireJson), |_| {});
            add(&mut clashes, Way::Back, protobuf::compare(after, before, protobuf::Level::WireJson), |_| {});
        }
        (Kind::Avro(before), Kind::Avro(after)) => {
            add(&mut clashes, Way::Forward, avro::reads(after, before), |_| {});
            add(&mut clashes, Way::Back, avro::reads(before, after), |_| {});
        }
        (Kind::JsonSchema(before), Kind::JsonSchema(after)) => {
            for (way, mode) in [(Way::Forward, json_schema::Mode::Backward), (Way::Back, json_schema::Mode::Forward)] {
                let options = json_schema::Options { mode, ..json_schema::Options::default() };
                let report = json_schema::compare(&side(before)?, &side(after)?, &options).map_err(|why| why.to_string())?;
                add(&mut clashes, way, report.findings, |_| {});
            }
        }
        _ => return Err(format!("{} and {} are described in two languages; they cannot be compared", base.name, revision.name)),
    }
    let data = matches!(base.kind, Kind::Avro(_) | Kind::JsonSchema(_));
    let schema = matches!(base.kind, Kind::JsonSchema(_));
    for clash in &mut clashes {
        clash.severity = match clash.severity {
            // What the comparison of schemas could not decide.
            Severity::Risky if schema => Severity::Unknown,
            Severity::Breaking | Severity::Unknown if clash.way == Way::Back && !data => Severity::Risky,
            severity => severity,
        };
    }
    // Stable: within a severity the way there comes first, in the order of the findings.
    clashes.sort_by_key(|clash| clash.severity);
    Ok(clashes)
}

/// All logs as one, called by the first one's name.
fn joined(logs: &[Log]) -> Option<(String, Vec<u8>)> {
    let first = logs.first()?;
    let mut bytes = Vec::new();
    for log in logs {
        bytes.extend_from_slice(log.bytes);
        bytes.push(b'\n');
    }
    Some((first.name.to_owned(), bytes))
}

/// Takes over what was found, without what is only for information. On the way back `risky` findings say nothing new.
fn add(clashes: &mut Vec<Clash>, way: Way, mut found: Vec<Finding>, annotate: impl Fn(&mut [Finding])) {
    let worst = if way == Way::Back { Severity::Unknown } else { Severity::Risky };
    found.retain(|finding| finding.severity <= worst || (finding.severity == Severity::Risky && finding.rule.starts_with("undecided")));
    sort(&mut found);
    let messages: Vec<String> = found.iter().map(|finding| finding.message.clone()).collect();
    annotate(&mut found);
    for (finding, message) in found.into_iter().zip(messages) {
        clashes.push(Clash { way, severity: finding.severity, finding, message });
    }
}

/// Members that a finding has of who was seen.
pub fn consumers(more: &Map<String, Value>) -> Vec<(String, u64, Option<String>)> {
    let mut all: Vec<(String, u64, Option<String>)> = Vec::new();
    for one in more.get("consumers").and_then(Value::as_array).into_iter().flatten() {
        let name = one.get("consumer").and_then(Value::as_str).unwrap_or_default().to_owned();
        let last = one.get("last").and_then(Value::as_str).map(str::to_owned);
        all.push((name, one.get("requests").and_then(Value::as_u64).unwrap_or(0), last));
    }
    for one in more.get("used_by").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        all.push((one.to_owned(), 0, None));
    }
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advisories::archive::tests::zip;

    const OPENAPI: &str =
        "openapi: 3.1.0\ninfo: {title: A, version: 1.0.0}\npaths:\n  /a:\n    get:\n      responses: {'200': {description: ok}}\n";

    fn openapi(more: &str) -> Description {
        Description::read(Format::Openapi, "http", format!("{OPENAPI}{more}").as_bytes()).expect("a description")
    }

    fn told(clashes: &[Clash]) -> Vec<(&str, &str, Severity)> {
        clashes.iter().map(|clash| (clash.way.word(), clash.finding.rule.as_str(), clash.severity)).collect()
    }

    /// What is new breaks nobody on the way there, and is missed after a rollback by who used it.
    #[test]
    fn the_way_back_is_risky_for_calls() {
        let more = "  /b:\n    get:\n      responses: {'200': {description: ok}}\n";
        let (less, more) = (openapi(""), openapi(more));
        let log = br#"{"method": "GET", "path": "/b", "time": "2026-11-24T17:40:44Z", "consumer": "courier"}"#;
        let logs = [Log { name: "usage.jsonl", bytes: log }];
        let added = compare(&less, &more, &logs).expect("compared");
        assert_eq!(told(&added), [("back", "api-path-removed-without-deprecation", Severity::Risky)]);
        let removed = compare(&more, &less, &logs).expect("compared");
        assert_eq!(told(&removed), [("forward", "api-path-removed-without-deprecation", Severity::Breaking)]);
        for clash in added.iter().chain(&removed) {
            assert_eq!(consumers(&clash.finding.more), [("courier".to_owned(), 1, Some("2026-11-24T17:40:44Z".to_owned()))]);
            assert!(!clash.message.contains("courier") && clash.finding.message.contains("courier"));
        }
        assert_eq!(compare(&less, &less, &[]).expect("compared"), []);
    }

    /// Data that was written stays when the writer goes.
    #[test]
    fn the_way_back_breaks_for_data() {
        let read = |text: &str| Description::read(Format::Avro, "events", text.as_bytes()).expect("a schema");
        let old = read(r#"{"type": "enum", "name": "State", "symbols": ["open"]}"#);
        let new = read(r#"{"type": "enum", "name": "State", "symbols": ["open", "lost"]}"#);
        assert_eq!(told(&compare(&old, &new, &[]).expect("compared")), [("back", "missing-enum-symbols", Severity::Breaking)]);
        let loose = Description::read(Format::JsonSchema, "document", b"{\"type\": \"string\"}").expect("a schema");
        let unclear = Description::read(
            Format::JsonSchema,
            "document",
            b"{\"type\": \"string\", \"contentEncoding\": \"base64\", \"pattern\": \"^(?=a)b\"}",
        );
        let found = compare(&loose, &unclear.expect("a schema"), &[]).expect("compared");
        assert!(found.iter().all(|clash| clash.severity != Severity::Risky), "undecided is not risky: {found:#?}");
        assert!(compare(&old, &loose, &[]).expect_err("two languages").contains("two languages"));
    }

    #[test]
    fn files_that_belong_together_come_as_one_zip() {
        let main = format!("{OPENAPI}      parameters: [{{$ref: 'parts/id.yaml#/id'}}]\n");
        let part = "id: {name: id, in: query, schema: {type: string}}\n";
        let whole = zip(&[("api.yaml", main.as_bytes()), ("parts/id.yaml", part.as_bytes())], |size| size);
        Description::read(Format::Openapi, "http", &whole).expect("both files");
        let cut = zip(&[("api.yaml", main.as_bytes())], |size| size);
        let why = Description::read(Format::Openapi, "http", &cut).expect_err("a file is missing");
        assert!(why.contains("api.yaml:7") && why.contains("was not handed in"), "{why}");
        let damaged = zip(&[("api.yaml", main.as_bytes())], |size| size - 1);
        assert!(Description::read(Format::Openapi, "http", &damaged).expect_err("damaged").contains("announced"));
        let protos: &[(&str, &[u8])] = &[
            ("a/b.proto", b"syntax = \"proto3\"; package a; import \"a/c.proto\"; message B { C c = 1; }"),
            ("a/c.proto", b"syntax = \"proto3\"; package a; message C { string id = 1; }"),
        ];
        Description::read(Format::Protobuf, "rpc", &zip(protos, |size| size)).expect("a tree");
        assert!(Description::read(Format::Avro, "events", &zip(protos, |size| size)).expect_err("two files").contains("expected one file"));
    }

    #[test]
    fn what_leads_out_is_refused() {
        for target in ["https://example.com/a.yaml#/a", "../a.yaml", "/etc/a.yaml", "b.yaml", "#/nothing"] {
            let text = format!("{OPENAPI}      parameters: [{{$ref: '{target}'}}]\n");
            assert!(Description::read(Format::Openapi, "http", text.as_bytes()).is_err(), "{target}");
        }
    }

    #[test]
    fn a_log_without_a_period_is_none() {
        let line = r#"{"method": "GET", "path": "/a", "consumer": "courier"}"#;
        let why = openapi("").observed(Log { name: "usage.jsonl", bytes: line.as_bytes() }).expect_err("no time");
        assert!(why.contains("no period was observed"), "{why}");
        let timed = line.replace("\"/a\",", "\"/a\", \"time\": \"2026-11-24T17:40:44Z\",") + "\n" + &line.replace("/a", "/other");
        let seen = openapi("").observed(Log { name: "usage.jsonl", bytes: timed.as_bytes() }).expect("read");
        assert_eq!((seen.requests, seen.unmatched, seen.consumers), (2, 1, 1));
        assert_eq!((seen.from.as_str(), seen.until.as_str()), ("2026-11-24T17:40:44Z", "2026-11-24T17:40:44Z"));
        let schema = Description::read(Format::Avro, "events", b"\"string\"").expect("a schema");
        assert!(schema.observed(Log { name: "usage", bytes: b"" }).is_err());
    }
}
