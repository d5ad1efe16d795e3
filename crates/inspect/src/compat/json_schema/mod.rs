//! Whether every document that one JSON Schema allows is allowed by another.
//!
//! `backward`: the revision reads what the base allowed; `forward`: the base reads what the revision allows. A difference
//! is told with a document that shows it; "compatible" is said only where none can exist, and what could not be decided is
//! told as such. Drafts 4 to 2020-12. Deliberately absent: fetching of references, and guesses about what documents are
//! really in use.

mod blame;
mod cells;
mod compile;
mod decimal;
mod eval;
mod form;
mod lists;
mod load;
mod maps;
mod numbers;
mod regex;
mod solve;
mod strings;
#[cfg(test)]
mod tests;
mod unevaluated;
mod value;

pub use load::{Draft, Given, Side};
pub use solve::Effort;

use crate::document::{NodeId, ReadError, Tree};
use crate::finding::{self, Finding, Severity};
use blame::{Blame, Blamer, PartId};
use compile::Compiler;
use eval::{Judge, Patterns, Truth, Why};
use form::{Form, Id, PlaceId};
use load::Library;
use solve::{Literal, Outcome, Solver};
use std::collections::BTreeSet;
use value::Value;

/// Which documents have to be read by which schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The revision reads what the base allows.
    Backward,
    /// The base reads what the revision allows.
    Forward,
    /// Both.
    Full,
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub mode: Mode,
    /// The draft of all files, whatever they say; otherwise `$schema`, the other side's, 2020-12.
    pub draft: Option<Draft>,
    /// `format` is an assertion of which nothing more is known than its name.
    pub formats: bool,
    pub effort: Effort,
    pub findings_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        let effort = Effort { steps: 4_000_000, depth: 160 };
        Self { mode: Mode::Backward, draft: None, formats: false, effort, findings_max: 100 }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `compatible`, `breaking` or `unknown`.
    pub verdict: &'static str,
    pub findings: Vec<Finding>,
}

/// Compares two schemas. Deep schemas take stack: at most about 2 MB at the default effort in an optimised build.
pub fn compare(base: &Side, revision: &Side, options: &Options) -> Result<Report, ReadError> {
    let mut tree = Tree::new();
    let roots = [load::files(&mut tree, base)?, load::files(&mut tree, revision)?];
    let mut named = [None, None];
    if options.draft.is_none() {
        for (draft, roots) in named.iter_mut().zip(&roots) {
            *draft = roots.first().map_or(Ok(None), |root| load::draft_of(&tree, *root))?;
        }
    }
    let [base_draft, revision_draft] = named;
    let otherwise = base_draft.or(revision_draft).unwrap_or(Draft::Draft2020);
    let [base_roots, revision_roots] = &roots;
    let libraries = [
        Library::of(&tree, base, base_roots, options.draft, otherwise)?,
        Library::of(&tree, revision, revision_roots, options.draft, revision_draft.unwrap_or(otherwise))?,
    ];
    let mut compiler = Compiler::new(&tree, &libraries, options.formats);
    let places = [compiler.root(0)?, compiler.root(1)?];
    let mut comparison = Comparison { compiler, patterns: Patterns::default(), places, findings: Vec::new(), unclear: false, options };
    if options.mode != Mode::Forward {
        comparison.direction("backward", 0, 1);
    }
    if options.mode != Mode::Backward {
        comparison.direction("forward", 1, 0);
    }
    let Comparison { mut findings, unclear, .. } = comparison;
    let breaking = findings.iter().any(|finding| finding.severity == Severity::Breaking);
    let verdict = if breaking {
        "breaking"
    } else if unclear {
        "unknown"
    } else {
        "compatible"
    };
    finding::sort(&mut findings);
    Ok(Report { verdict, findings })
}

struct Comparison<'a> {
    compiler: Compiler<'a>,
    patterns: Patterns,
    /// The roots of base and revision.
    places: [PlaceId; 2],
    findings: Vec<Finding>,
    unclear: bool,
    options: &'a Options,
}

impl Comparison<'_> {
    fn place(&self, side: usize) -> PlaceId {
        let [base, revision] = self.places;
        if side == 0 { base } else { revision }
    }

    fn bodies(&mut self, without: &BTreeSet<PartId>) -> Vec<Id> {
        (0..self.compiler.places.len() as PlaceId).map(|place| self.compiler.body(place, without)).collect()
    }

    /// Finds documents that the writer allows and the reader refuses: each is told with the keyword that refuses it, and
    /// then looked for again as if that keyword were not there.
    fn direction(&mut self, direction: &'static str, writer: usize, reader: usize) {
        let (writer_place, reader_place) = (self.place(writer), self.place(reader));
        let (writer_form, reader_form) =
            (self.compiler.forms.add(Form::Place(writer_place)), self.compiler.forms.add(Form::Place(reader_place)));
        let whole = self.bodies(&BTreeSet::new());
        let mut told = BTreeSet::new();
        let mut effort = self.options.effort;
        for _ in 0..self.options.findings_max {
            let bodies = self.bodies(&told);
            let (forms, ids) = form::merged(&self.compiler.forms, &bodies, &[writer_form, reader_form]);
            let &[allowed, refused] = ids.as_slice() else { return };
            let mut solver = Solver::new(forms, &self.patterns, effort);
            let outcome = solver.solve(vec![Literal::new(allowed, true), Literal::new(refused, false)]);
            effort.steps = solver.steps_left();
            let value = match outcome {
                Outcome::Empty => return,
                Outcome::Unclear(whys) => {
                    whys.into_iter().for_each(|why| self.tell_unclear(direction, reader, &why));
                    return;
                }
                Outcome::Found(value) => value,
            };
            let judge = Judge { forms: &self.compiler.forms, bodies: &whole, patterns: &self.patterns };
            if (judge.holds(writer_form, &value), judge.holds(reader_form, &value)) != (Truth::Yes, Truth::No) {
                // Under a negation, leaving a keyword out asks for more instead of less: nothing further is claimed.
                if told.is_empty() {
                    let why = Why { word: "undecided-effort", about: format!("{value} does not confirm") };
                    self.tell_unclear(direction, reader, &why);
                }
                return;
            }
            let blamer = Blamer { compiler: &self.compiler, bodies: &bodies, patterns: &self.patterns, told: &told };
            let Some(blame) = blamer.of(reader_place, &value, "") else { return };
            told.insert(blame.part);
            self.tell_breaking(direction, writer, &blame, &value);
        }
    }

    fn file(&self, side: usize) -> String {
        let node = self.compiler.places.get(self.place(side) as usize).map_or(0, |place| place.node);
        self.compiler.tree.file(node).to_owned()
    }

    fn tell_breaking(&mut self, direction: &'static str, writer: usize, blame: &Blame, witness: &Value) {
        let (place, number) = blame.part;
        let Some(part) = self.compiler.places.get(place as usize).and_then(|place| place.parts.get(number)) else { return };
        let (tree, keyword, node) = (self.compiler.tree, part.keyword, part.node);
        let which = if blame.instance.is_empty() { String::new() } else { format!(" at {}", blame.instance) };
        let message = format!(
            "{} allows {}{which}; {} refuses it by {}",
            self.file(writer),
            short(&blame.value),
            tree.file(node),
            said(tree, keyword, node)
        );
        let mut finding = Finding::new(format!("refused-by-{}", kebab(keyword)), Severity::Breaking, message)
            .at(tree.file(node), Some(tree.line(node)))
            .inside(format!("#{}", tree.pointer(node)))
            .with("direction", direction)
            .with("instance", blame.instance.clone())
            .with("witness", witness.to_json());
        if let Some(fix) = fix(keyword) {
            finding = finding.mended_by(fix);
        }
        self.findings.push(finding);
    }

    fn tell_unclear(&mut self, direction: &'static str, reader: usize, why: &Why) {
        self.unclear = true;
        let message = format!("it is not known whether every document is read: {}", why.about);
        let node = self.place_of_why(why).unwrap_or_else(|| {
            let root = self.place(reader);
            self.compiler.places.get(root as usize).map_or(0, |place| place.node)
        });
        let tree = self.compiler.tree;
        let finding = Finding::new(why.word, Severity::Risky, message)
            .at(tree.file(node), Some(tree.line(node)))
            .inside(format!("#{}", tree.pointer(node)))
            .with("direction", direction);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// The keyword that a doubt is about.
    fn place_of_why(&self, why: &Why) -> Option<NodeId> {
        let parts = self.compiler.places.iter().rev().flat_map(|place| &place.parts);
        let mut meant = parts.filter(|part| match self.compiler.forms.get(part.form) {
            Form::Dark(_, text, word) => *word == why.word && *text == why.about,
            Form::Pattern(pattern) => why.about.starts_with(pattern.as_str()) && why.word == "undecided-pattern",
            Form::Members(form::Names::Matching(pattern), _) => why.about.starts_with(pattern.as_str()) && why.word == "undecided-pattern",
            _ => false,
        });
        meant.next().map(|part| part.node)
    }
}

/// A value as text, cut where it is long.
fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= 120 { text } else { text.chars().take(117).chain("...".chars()).collect() }
}

/// The keyword with its value, where that is short.
fn said(tree: &Tree, keyword: &str, node: NodeId) -> String {
    let value = tree.canonical(node);
    if value.len() <= 60 { format!("{keyword} {value}") } else { keyword.to_owned() }
}

fn kebab(keyword: &str) -> String {
    let mut text = String::new();
    for character in keyword.trim_start_matches('$').chars() {
        if character.is_ascii_uppercase() {
            text.push('-');
        }
        text.push(character.to_ascii_lowercase());
    }
    text
}

/// What would mend it.
fn fix(keyword: &str) -> Option<&'static str> {
    Some(match keyword {
        "required" | "dependentRequired" => "leave the property optional, or require it only once every writer sends it",
        "type" | "enum" | "const" => "keep the values that were allowed beside the new ones",
        "additionalProperties" | "unevaluatedProperties" => "keep the property, or let further properties pass",
        "minimum" | "exclusiveMinimum" | "maximum" | "exclusiveMaximum" | "multipleOf" => "keep the range that was allowed",
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" => "keep the sizes that were allowed",
        _ => return None,
    })
}
