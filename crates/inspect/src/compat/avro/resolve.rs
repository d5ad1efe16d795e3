//! Schema resolution: what a reader makes of what a writer wrote.
//!
//! Source: the Avro specification, "Schema Resolution" and "Aliases". A list of pairs is worked off, each pair once: a schema that
//! holds itself reads itself if nothing along the way speaks against it, and no depth of schemas uses up the stack.

#[cfg(test)]
use super::schema::Primitive;
use super::schema::{Field, Logical, Named, Of, Schema, Type, TypeId};
use crate::finding::{Finding, Severity};
use std::collections::{HashMap, HashSet};

/// Pairs of types in one judgement.
const PAIRS_MAX: usize = 2_000_000;
/// Steps of a path that are shown; what is in between is left out.
const STEPS_SHOWN_MAX: usize = 40;

#[derive(Debug)]
pub struct RuleInfo {
    pub id: &'static str,
    pub severity: Severity,
    pub what: &'static str,
}

const fn rule(id: &'static str, severity: Severity, what: &'static str) -> RuleInfo {
    RuleInfo { id, severity, what }
}

const TYPE: RuleInfo = rule("type-mismatch", Severity::Breaking, "The types differ, and none is promoted to the other.");
const NAME: RuleInfo = rule("name-mismatch", Severity::Breaking, "The names differ, and no alias of the reader has the writer's.");
const SIZE: RuleInfo = rule("fixed-size-mismatch", Severity::Breaking, "A fixed has another size.");
const SYMBOLS: RuleInfo =
    rule("missing-enum-symbols", Severity::Breaking, "The writer has symbols that the reader lacks, and the reader has no default.");
const DEFAULT: RuleInfo =
    rule("reader-field-missing-default-value", Severity::Breaking, "The reader has a field that the writer lacks, without a default.");
const BRANCH: RuleInfo = rule("missing-union-branch", Severity::Breaking, "The writer may write a branch that the reader does not have.");
const DECIMAL: RuleInfo = rule("decimal-mismatch", Severity::Breaking, "A decimal has another precision or scale.");
const LOGICAL: RuleInfo = rule("logical-type-changed", Severity::Breaking, "The same bytes mean something else: another logical type.");
const PLAIN: RuleInfo = rule("logical-type-dropped", Severity::Info, "One side has a logical type, the other the plain value.");
const LARGE: RuleInfo = rule("too-many-pairs", Severity::Breaking, "The schemas are too entangled to be judged.");

/// All of them.
pub static RULES: [&RuleInfo; 10] = [&TYPE, &NAME, &SIZE, &SYMBOLS, &DEFAULT, &BRANCH, &DECIMAL, &LOGICAL, &PLAIN, &LARGE];

/// One step of the way from the root to a pair.
struct Step {
    parent: Option<usize>,
    text: String,
}

struct Resolution<'a> {
    reader: &'a Schema,
    writer: &'a Schema,
    steps: Vec<Step>,
    open: Vec<(TypeId, TypeId, usize)>,
    seen: HashSet<(TypeId, TypeId)>,
    findings: Vec<Finding>,
}

/// Everything that keeps `reader` from reading what `writer` wrote; nothing where it reads it.
pub fn reads(reader: &Schema, writer: &Schema) -> Vec<Finding> {
    let mut resolution = Resolution { reader, writer, steps: Vec::new(), open: Vec::new(), seen: HashSet::new(), findings: Vec::new() };
    let name = reader.types.get(reader.root).and_then(Type::name).map_or_else(String::new, |name| name.full.clone());
    resolution.steps.push(Step { parent: None, text: name });
    resolution.push(reader.root, writer.root, 0);
    while let Some((reader, writer, step)) = resolution.open.pop() {
        resolution.pair(reader, writer, step);
    }
    let mut findings = resolution.findings;
    crate::finding::sort(&mut findings);
    findings
}

impl<'a> Resolution<'a> {
    fn push(&mut self, reader: TypeId, writer: TypeId, step: usize) {
        if self.seen.len() >= PAIRS_MAX {
            if self.seen.len() == PAIRS_MAX && self.seen.insert((usize::MAX, usize::MAX)) {
                let message = format!("More than {PAIRS_MAX} pairs of types meet: this is not judged, so it is not compatible.");
                self.findings.push(Finding::new(LARGE.id, LARGE.severity, message).at(self.reader.file.clone(), Some(1)));
            }
            return;
        }
        if self.seen.insert((reader, writer)) {
            self.open.push((reader, writer, step));
        }
    }

    fn below(&mut self, step: usize, text: impl Into<String>) -> usize {
        self.steps.push(Step { parent: Some(step), text: text.into() });
        self.steps.len() - 1
    }

    fn path(&self, step: usize) -> String {
        let mut texts = Vec::new();
        let mut at = Some(step);
        while let Some(step) = at.and_then(|index| self.steps.get(index)) {
            texts.push(step.text.as_str());
            at = step.parent;
        }
        texts.reverse();
        if texts.len() > STEPS_SHOWN_MAX {
            texts.splice(STEPS_SHOWN_MAX / 2..texts.len() - STEPS_SHOWN_MAX / 2, [".…"]);
        }
        texts.concat().trim_start_matches('.').to_owned()
    }

    fn say(&mut self, rule: &RuleInfo, step: usize, lines: (u32, u32), message: String, fix: Option<String>) {
        let mut found = Finding::new(rule.id, rule.severity, message)
            .at(self.reader.file.clone(), Some(lines.0))
            .inside(self.path(step))
            .with("writer_file", self.writer.file.clone())
            .with("writer_line", lines.1);
        found.fix = fix;
        self.findings.push(found);
    }

    fn pair(&mut self, reader: TypeId, writer: TypeId, step: usize) {
        let (all_readers, all_writers) = (&self.reader.types, &self.writer.types);
        let (Some(read), Some(wrote)) = (all_readers.get(reader), all_writers.get(writer)) else { return };
        let lines = (read.line, wrote.line);
        match (&read.of, &wrote.of) {
            (_, Of::Union(branches)) => {
                // Whatever the writer may choose must be readable.
                for branch in branches {
                    self.push(reader, *branch, step);
                }
            }
            (Of::Union(branches), _) => match choose(self.reader, branches, self.writer, wrote) {
                Some(branch) => self.push(branch, writer, step),
                None => {
                    let message = format!("The writer may write {}, which no branch of the reader reads.", wrote.shown());
                    self.say(&BRANCH, step, lines, message, Some(format!("add {} to the reader's union", wrote.shown())));
                }
            },
            (Of::Primitive(to), Of::Primitive(from)) if to.reads(*from) => self.logical(read, wrote, step),
            (Of::Array(to), Of::Array(from)) => {
                let step = self.below(step, "[]");
                self.push(*to, *from, step);
            }
            (Of::Map(to), Of::Map(from)) => {
                let step = self.below(step, "{}");
                self.push(*to, *from, step);
            }
            (Of::Fixed { name: to, size: to_size }, Of::Fixed { name: from, size: from_size }) => {
                self.named(to, from, step, lines);
                if to_size != from_size {
                    let message = format!("{} has {to_size} bytes for the reader, and {from_size} were written.", to.full);
                    self.say(&SIZE, step, lines, message, Some("use a new name for the new size".to_owned()));
                }
                self.logical(read, wrote, step);
            }
            (Of::Enum { name: to, symbols, default }, Of::Enum { name: from, symbols: written, .. }) => {
                self.named(to, from, step, lines);
                let known: HashSet<&str> = symbols.iter().map(String::as_str).collect();
                let lost: Vec<&str> = written.iter().map(String::as_str).filter(|symbol| !known.contains(symbol)).collect();
                if !lost.is_empty() && default.is_none() {
                    let message = format!("The reader's enum {} lacks {} and has no default.", to.full, lost.join(", "));
                    self.say(&SYMBOLS, step, lines, message, Some("give the reader's enum a default, or its old symbols back".to_owned()));
                }
            }
            (Of::Record { name: to, fields }, Of::Record { name: from, fields: written }) => {
                self.named(to, from, step, lines);
                self.fields(fields, written, to, (step, wrote.line));
            }
            _ => {
                let message = format!("The reader expects {}, and {} was written.", read.shown(), wrote.shown());
                self.say(&TYPE, step, lines, message, None);
            }
        }
    }

    fn named(&mut self, to: &Named, from: &Named, step: usize, lines: (u32, u32)) {
        if !same_name(to, from) {
            let message = format!("The reader expects {}, and {} was written.", to.full, from.full);
            self.say(&NAME, step, lines, message, Some(format!("add the alias {:?} to {}", from.full, to.full)));
        }
    }

    fn fields(&mut self, fields: &'a [Field], written: &'a [Field], record: &Named, (step, writer_line): (usize, u32)) {
        let by_name: HashMap<&str, &Field> = written.iter().map(|field| (field.name.as_str(), field)).collect();
        for field in fields {
            let names = std::iter::once(&field.name).chain(&field.aliases);
            let source = names.map(String::as_str).find_map(|name| by_name.get(name).copied());
            let below = self.below(step, format!(".{}", field.name));
            match source {
                Some(source) => self.push(field.of, source.of, below),
                None if field.has_default => {}
                None => {
                    let message = format!("{} has no field {:?} for the reader, and the reader no default.", record.full, field.name);
                    let fix = format!("give {:?} a default, or an alias with its old name", field.name);
                    self.say(&DEFAULT, below, (field.line, writer_line), message, Some(fix));
                }
            }
        }
    }

    fn logical(&mut self, read: &Type, wrote: &Type, step: usize) {
        let lines = (read.line, wrote.line);
        match (&read.logical, &wrote.logical) {
            (None, None) => {}
            (Some(to), Some(from)) if to == from => {}
            (Some(to @ Logical::Decimal { .. }), Some(from @ Logical::Decimal { .. })) => {
                let message = format!("The reader expects {}, and {} was written.", to.shown(), from.shown());
                self.say(&DECIMAL, step, lines, message, Some("keep precision and scale".to_owned()));
            }
            (Some(to), Some(from)) => {
                let message = format!("The reader takes {} for {}.", from.shown(), to.shown());
                self.say(&LOGICAL, step, lines, message, Some("add a field with the new logical type".to_owned()));
            }
            (to, from) => {
                let word = |logical: &Option<Logical>| logical.as_ref().map_or_else(|| "a plain value".to_owned(), Logical::shown);
                let message = format!("The reader expects {}, and {} was written.", word(to), word(from));
                self.say(&PLAIN, step, lines, message, None);
            }
        }
    }
}

/// Names match without their namespaces; aliases are the reader's, with theirs.
fn same_name(reader: &Named, writer: &Named) -> bool {
    reader.short() == writer.short() || reader.aliases.contains(&writer.full)
}

/// The branch of the reader's union that takes what was written: the first that matches, one of the same full name before all.
fn choose(reader: &Schema, branches: &[TypeId], writer: &Schema, wrote: &Type) -> Option<TypeId> {
    let of = |id: &TypeId| reader.types.get(*id);
    if let Some(name) = wrote.name() {
        let same = |id: &&TypeId| {
            of(id).is_some_and(|read| matches(reader, read, writer, wrote) && read.name().is_some_and(|own| own.full == name.full))
        };
        if let Some(exact) = branches.iter().find(same) {
            return Some(*exact);
        }
    }
    let plain = |id: &&TypeId| of(id).is_some_and(|read| matches(reader, read, writer, wrote) && !is_promoted(read, wrote));
    let any = |id: &&TypeId| of(id).is_some_and(|read| matches(reader, read, writer, wrote));
    branches.iter().find(plain).or_else(|| branches.iter().find(any)).copied()
}

fn is_promoted(read: &Type, wrote: &Type) -> bool {
    match (&read.of, &wrote.of) {
        (Of::Primitive(to), Of::Primitive(from)) => to != from,
        _ => false,
    }
}

/// Whether schemas match on the surface: by kind and name. Lists and maps by what they hold, which is as deep as it is written.
fn matches(reader: &Schema, read: &Type, writer: &Schema, wrote: &Type) -> bool {
    let inner = |to: &TypeId, from: &TypeId| match (reader.types.get(*to), writer.types.get(*from)) {
        (Some(to), Some(from)) => matches(reader, to, writer, from),
        _ => false,
    };
    match (&read.of, &wrote.of) {
        (Of::Primitive(to), Of::Primitive(from)) => to.reads(*from),
        (Of::Record { name: to, .. }, Of::Record { name: from, .. }) | (Of::Enum { name: to, .. }, Of::Enum { name: from, .. }) => {
            same_name(to, from)
        }
        (Of::Fixed { name: to, size: to_size }, Of::Fixed { name: from, size: from_size }) => same_name(to, from) && to_size == from_size,
        (Of::Array(to), Of::Array(from)) | (Of::Map(to), Of::Map(from)) => inner(to, from),
        // Inside lists and maps: a union on either side is looked into when its turn comes.
        (Of::Union(_), _) | (_, Of::Union(_)) => true,
        _ => false,
    }
}

/// All promotions: (reader, writer).
#[cfg(test)]
pub(super) fn promotions() -> Vec<(Primitive, Primitive)> {
    let all = Primitive::ALL;
    all.into_iter().flat_map(|to| all.into_iter().map(move |from| (to, from))).filter(|(to, from)| to != from && to.reads(*from)).collect()
}
