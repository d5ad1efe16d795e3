//! Organisation files: YAML documents into declarations, with file, line and column of what cannot be read. Pure; the
//! command line uses it offline.
//!
//! The first key of a document tells which noun it declares. Unknown and duplicate keys are errors; aliases and nesting
//! have budgets.

use holdpoint_domain::kernel::Timestamp;
use holdpoint_domain::nouns::{Component, EnvironmentSpec, GateRules, PipelineSpec, Promotion, ServiceSpec, Stage, WindowSpec};
use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A person as files declare one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PersonFile {
    #[serde(rename = "person")]
    pub handle: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub emails: Vec<String>,
    #[serde(default)]
    pub roles: BTreeSet<String>,
    #[serde(default)]
    pub service_account: bool,
    /// Handle of the person who answers for a service account.
    #[serde(default)]
    pub owner: Option<String>,
}

/// A freeze as files declare one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FreezeFile {
    #[serde(rename = "freeze")]
    pub name: String,
    #[serde(default)]
    pub environments: Vec<String>,
    #[serde(default)]
    pub services: Vec<String>,
    pub from: Timestamp,
    pub until: Timestamp,
    #[serde(default)]
    pub reason: String,
}

/// A service, or a whole small organisation in one document: `environments` stands for a pipeline through them.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ServiceFile {
    service: String,
    #[serde(default)]
    owner: String,
    #[serde(default = "three")]
    tier: u8,
    #[serde(default)]
    pipeline: Option<String>,
    components: BTreeMap<String, Component>,
    #[serde(default)]
    environments: Vec<String>,
}

fn three() -> u8 {
    3
}

/// What one document declares.
#[derive(Debug, Clone, PartialEq)]
pub enum Declared {
    Person(PersonFile),
    Service(ServiceSpec),
    Environment(EnvironmentSpec),
    Pipeline(PipelineSpec),
    Window(WindowSpec),
    Freeze(FreezeFile),
}

impl Declared {
    /// The noun's kind and name, as refusals and changes name them.
    pub fn named(&self) -> (&'static str, &str) {
        match self {
            Declared::Person(one) => ("person", &one.handle),
            Declared::Service(one) => ("service", &one.name),
            Declared::Environment(one) => ("environment", &one.name),
            Declared::Pipeline(one) => ("pipeline", &one.name),
            Declared::Window(one) => ("window", &one.name),
            Declared::Freeze(one) => ("freeze", &one.name),
        }
    }
}

/// A declaration with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    pub declaration: Declared,
    pub file: String,
    /// Line of the document's first key, from 1.
    pub line: u32,
    /// Made from the short form: what it leaves open may be filled in by the server.
    pub short: bool,
}

/// Why a document cannot be taken. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileError {
    pub file: String,
    pub line: u32,
    pub column: u32,
    /// What was expected, and what was found.
    pub message: String,
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// More documents are applied in several goes.
const DOCUMENTS_MAX: usize = 5000;

/// Reads files (name, text) to declarations, in order. All errors are told at once, one per document.
///
/// # Errors
/// One [`FileError`] for every document that cannot be read.
pub fn parse<N: AsRef<str>, T: AsRef<str>>(files: &[(N, T)]) -> Result<Vec<Parsed>, Vec<FileError>> {
    let mut parsed = Vec::new();
    let mut errors = Vec::new();
    let mut count = 0;
    for (file, text) in files {
        let file = file.as_ref();
        for document in documents(text.as_ref()) {
            count += 1;
            if count > DOCUMENTS_MAX {
                let message = format!("expected at most {DOCUMENTS_MAX} documents at once; apply the rest by itself");
                return Err(vec![FileError { file: file.to_owned(), line: document.first_key, column: 1, message }]);
            }
            match declare(&document) {
                Ok(declared) => parsed.extend(declared.into_iter().map(|(declaration, short)| Parsed {
                    declaration,
                    file: file.to_owned(),
                    line: document.first_key,
                    short,
                })),
                Err(wrong) => {
                    errors.push(FileError { file: file.to_owned(), line: wrong.line, column: wrong.column, message: wrong.message })
                }
            }
        }
    }
    if errors.is_empty() { Ok(parsed) } else { Err(errors) }
}

/// One document of a file and where it lies.
struct Document<'a> {
    text: &'a str,
    /// Lines before its text.
    before: u32,
    first_key: u32,
}

/// A line of `---` ends a document wherever it stands, even in the middle of a text (YAML 1.2.2, 9.1.2).
fn documents(text: &str) -> Vec<Document<'_>> {
    let mut found = Vec::new();
    let (mut start, mut before, mut at, mut number) = (0, 0_u32, 0, 0_u32);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if bare == "---" || bare == "..." || line.starts_with("--- ") {
            found.push((start, at, before));
            // What follows the marker on its line belongs to the next document.
            let keep = if line.starts_with("--- ") { at + 4 } else { at + line.len() };
            start = keep;
            before = if line.starts_with("--- ") { number } else { number + 1 };
        }
        at += line.len();
        number = number.saturating_add(1);
    }
    found.push((start, text.len(), before));
    found
        .into_iter()
        .filter_map(|(start, end, before)| {
            let text = text.get(start..end)?;
            let skipped = text
                .lines()
                .take_while(|line| line.trim().is_empty() || line.trim_start().starts_with('#') || line.starts_with('%'))
                .count();
            let empty = skipped == text.lines().count();
            let first_key = before.saturating_add(u32::try_from(skipped).unwrap_or(u32::MAX)).saturating_add(1);
            (!empty).then_some(Document { text, before, first_key })
        })
        .collect()
}

struct Wrong {
    line: u32,
    column: u32,
    message: String,
}

/// The first key of a mapping; the rest is read over.
struct FirstKey(String);

impl<'de> Deserialize<'de> for FirstKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Look;
        impl<'de> Visitor<'de> for Look {
            type Value = FirstKey;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a mapping whose first key names the noun: person, service, environment, pipeline, window or freeze")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FirstKey, A::Error> {
                let first: Option<String> = map.next_key()?;
                if first.is_some() {
                    map.next_value::<IgnoredAny>()?;
                }
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(FirstKey(first.unwrap_or_default()))
            }
        }
        deserializer.deserialize_map(Look)
    }
}

fn read<T: DeserializeOwned>(document: &Document<'_>) -> Result<T, Wrong> {
    serde_saphyr::from_str_with_options::<T>(document.text, options()).map_err(|why| {
        let why = why.without_snippet();
        let place = why.location();
        let line = place.map_or(document.first_key, |place| document.before.saturating_add(u32::try_from(place.line()).unwrap_or(1)));
        let column = place.map_or(1, |place| u32::try_from(place.column()).unwrap_or(1).max(1));
        Wrong { line: line.max(1), column, message: sentence(&why.to_string()) }
    })
}

/// Strict, and with budgets that a file of ours never meets.
pub(crate) fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: 64,
            max_nodes: 20_000,
            max_aliases: 1000,
            max_anchors: 1000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 20_000,
            max_replay_stack_depth: 16,
            max_alias_expansions_per_anchor: 1000,
        },
    }
}

/// The reader's words without the place, which is told apart.
pub(crate) fn sentence(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let cut = first.find(" at line ").or_else(|| first.rfind(" (line ")).unwrap_or(first.len());
    let head = first.get(..cut).unwrap_or(first).trim_start_matches("error: ");
    // A place that leads the text: `line 3 column 5: …`.
    match head.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest.to_owned(),
        _ => head.to_owned(),
    }
}

fn declare(document: &Document<'_>) -> Result<Vec<(Declared, bool)>, Wrong> {
    let FirstKey(first) = read(document)?;
    let one = |declared: Declared| Ok(vec![(declared, false)]);
    match first.as_str() {
        "person" => one(Declared::Person(read(document)?)),
        "environment" => one(Declared::Environment(read(document)?)),
        "pipeline" => one(Declared::Pipeline(read(document)?)),
        "window" => one(Declared::Window(read(document)?)),
        "freeze" => one(Declared::Freeze(read(document)?)),
        "service" => service(document, read(document)?),
        other => Err(Wrong {
            line: document.first_key,
            column: 1,
            message: format!("expected person, service, environment, pipeline, window or freeze as the first key, found {other:?}"),
        }),
    }
}

fn service(document: &Document<'_>, file: ServiceFile) -> Result<Vec<(Declared, bool)>, Wrong> {
    let wrong = |message: &str| Wrong { line: document.first_key, column: 1, message: message.to_owned() };
    let spec = |pipeline: String| {
        Declared::Service(ServiceSpec {
            name: file.service.clone(),
            owner: file.owner.clone(),
            tier: file.tier,
            pipeline,
            components: file.components.clone(),
        })
    };
    match (&file.pipeline, file.environments.is_empty()) {
        (Some(pipeline), true) => Ok(vec![(spec(pipeline.clone()), false)]),
        (Some(_), false) => Err(wrong("expected either pipeline or environments, found both")),
        (None, true) => Err(wrong("expected pipeline (a pipeline's name) or environments (a list, in the order of stages), found neither")),
        (None, false) => {
            let mut declared: Vec<(Declared, bool)> = Vec::new();
            for (order, name) in (1..).zip(&file.environments) {
                declared.push((Declared::Environment(place(name, order)), true));
            }
            let stages = file.environments.iter().map(|name| stage(name)).collect();
            declared.push((Declared::Pipeline(PipelineSpec { name: file.service.clone(), stages }), true));
            declared.push((spec(file.service.clone()), true));
            Ok(declared)
        }
    }
}

fn place(name: &str, order: u32) -> EnvironmentSpec {
    EnvironmentSpec {
        name: name.to_owned(),
        production: name == "production",
        zone: "UTC".to_owned(),
        order,
        pool: "default".to_owned(),
        windows: Vec::new(),
        variables: BTreeMap::new(),
        traffic: None,
    }
}

fn stage(name: &str) -> Stage {
    Stage {
        environment: name.to_owned(),
        promotion: Promotion::Manual,
        gates: GateRules { previous: true, ..GateRules::default() },
        rollout: Default::default(),
        triggers: Vec::new(),
        steps_before: Vec::new(),
        tests: Vec::new(),
        steps_after: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Declared, FileError, parse};

    fn wrong(text: &str) -> FileError {
        parse(&[("org.yaml", text)]).expect_err(text).remove(0)
    }

    #[test]
    fn several_documents_keep_their_lines() {
        let text = "# people\nperson: ada\nname: Ada\nroles: [developer]\n---\n\nwindow: weekdays\nkind: allow\nrule: FREQ=WEEKLY\nstart: 2026-01-01T06:00:00\nduration: PT16H\n";
        let parsed = parse(&[("a.yaml", text)]).expect("reads");
        let lines: Vec<(&str, u32)> = parsed.iter().map(|one| (one.declaration.named().1, one.line)).collect();
        assert_eq!(lines, [("ada", 2), ("weekdays", 7)]);
    }

    #[test]
    fn errors_name_file_line_and_what_was_expected() {
        let unknown = wrong("person: ada\nrols: [developer]\n");
        assert_eq!((unknown.file.as_str(), unknown.line), ("org.yaml", 2));
        assert!(unknown.message.contains("rols") && unknown.message.contains("roles"), "{}", unknown.message);
        let second = wrong("person: ada\n---\nperson: grace\nroles: {a: b}\n");
        assert_eq!(second.line, 4, "{second}");
        let twice = wrong("person: ada\nname: A\nname: B\n");
        assert_eq!(twice.line, 3, "{twice}");
        let noun = wrong("\n\nteam: shop\n");
        assert!(noun.line == 3 && noun.message.contains("first key"), "{noun}");
        assert!(wrong("service: x\ncomponents: {}\n").message.contains("pipeline"));
    }

    #[test]
    fn the_short_form_becomes_a_pipeline() {
        let text =
            "service: shop\nenvironments: [test, production]\ncomponents:\n  web: {run: [\"${artifact}\"], health: {path: /healthz}}\n";
        let parsed = parse(&[("holdpoint.yaml", text)]).expect("reads");
        let names: Vec<(&str, &str)> = parsed.iter().map(|one| one.declaration.named()).collect();
        assert_eq!(names, [("environment", "test"), ("environment", "production"), ("pipeline", "shop"), ("service", "shop")]);
        let Declared::Pipeline(pipeline) = &parsed[2].declaration else { panic!("a pipeline") };
        assert!(pipeline.stages.iter().all(|stage| stage.gates.previous));
    }

    #[test]
    fn bombs_are_errors() {
        let mut bomb = "person: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for at in b'b'..=b'i' {
            let name = char::from(at);
            let before = char::from(at - 1);
            let list = vec![format!("*{before}"); 9].join(",");
            bomb.push_str(&format!("{name}: &{name} [{list}]\n"));
        }
        wrong(&bomb);
        wrong(&format!("person: {}", "[".repeat(100_000)));
    }
}
