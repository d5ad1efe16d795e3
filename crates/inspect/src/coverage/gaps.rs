//! The judgement: changed lines that could run and did not.

use super::diff::{Change, Changed};
use super::paths::{self, Glob, Match};
use super::{Coverage, Lines};
use crate::finding::{self, Finding, Severity};
use serde::Serialize;
use std::collections::BTreeSet;

/// At most so many lines are named; the totals count them all.
pub const NAMED_MAX: usize = 10_000;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Share of the changed lines that must have run, in percent.
    pub percent_min: f64,
    /// Taken off the report's paths.
    pub strip: Vec<String>,
    /// Files that do not count.
    pub exclude: Vec<Glob>,
    /// A line of which not every way out was taken is a gap, too.
    pub branches: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { percent_min: 100.0, strip: Vec::new(), exclude: Vec::new(), branches: false }
    }
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Gaps {
    pub totals: Totals,
    pub files: Vec<FileGaps>,
    #[serde(skip)]
    pub findings: Vec<Finding>,
    /// Whether enough of the changed lines ran.
    #[serde(skip)]
    pub enough: bool,
}

/// Changed lines by what is known about them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Totals {
    pub changed: u64,
    pub covered: u64,
    pub uncovered: u64,
    /// Of the covered ones: not every way out of it was taken.
    pub partial: u64,
    /// Nothing to run: comments, blank lines, declarations.
    pub not_instrumented: u64,
    /// In files that the report does not know, though it knows others of their kind; counted as uncovered for the share.
    pub unmeasured: u64,
    /// Covered ones among those that could run; none where none could.
    pub percent: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct FileGaps {
    pub file: String,
    /// The report's name of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured_as: Option<String>,
    pub state: State,
    pub covered: u64,
    pub uncovered: u64,
    pub not_instrumented: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Measured,
    /// It should be in the report and is not.
    Unmeasured,
    /// Several files of the report could be it.
    Ambiguous,
    /// Of a kind that the report does not measure, a test, deleted, binary or excluded.
    Apart,
}

/// Judges. The same inputs give the same list, by file and line.
pub fn gaps(coverage: &Coverage, changed: &[Changed], options: &Options) -> Gaps {
    let judged: Vec<&Changed> = changed.iter().filter(|file| counts(file, options)).collect();
    let names: Vec<&str> = judged.iter().map(|file| file.path.as_str()).collect();
    let matches = paths::matches(coverage, &options.strip, &names);
    let kinds: BTreeSet<&str> = coverage.files.keys().filter_map(|path| kind(path)).collect();
    let mut told = Gaps { totals: Totals::default(), files: Vec::new(), findings: Vec::new(), enough: false };
    for file in changed {
        let mut state =
            FileGaps { file: file.path.clone(), measured_as: None, state: State::Apart, covered: 0, uncovered: 0, not_instrumented: 0 };
        told.totals.changed += file.added.len() as u64;
        match matches.get(&file.path) {
            Some(Match::Measured(name)) => {
                state.state = State::Measured;
                state.measured_as = Some(name.clone());
                told.measured(file, &coverage.files[name], &mut state, options);
            }
            Some(Match::Ambiguous(names)) if !file.added.is_empty() => {
                state.state = State::Ambiguous;
                told.unknown(file, "ambiguous-path", ambiguous(file, names), "Tell the paths apart with --strip.");
            }
            Some(Match::Unmeasured) if !file.added.is_empty() && should_be_measured(&file.path, &kinds) => {
                state.state = State::Unmeasured;
                let message = "The coverage report does not know this changed file, though it knows others of its kind.".to_owned();
                told.unknown(file, "file-not-measured", message, "Measure it, map its path with --strip, or leave it out with --exclude.");
            }
            _ => {}
        }
        if state.state == State::Apart {
            state.not_instrumented = file.added.len() as u64;
        }
        told.totals.not_instrumented += state.not_instrumented;
        told.files.push(state);
    }
    told.close(options);
    told
}

fn counts(file: &Changed, options: &Options) -> bool {
    !matches!(file.change, Change::Deleted | Change::Binary) && !options.exclude.iter().any(|glob| glob.fits(&file.path))
}

fn ambiguous(file: &Changed, names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
    format!("{} could be {}: which one was measured is not known.", file.path, shown.join(" or "))
}

/// The extension.
fn kind(path: &str) -> Option<&str> {
    let name = path.rsplit(['/', '\\']).next()?;
    name.rsplit_once('.').map(|(_, kind)| kind)
}

/// Of a kind that was measured, and no test: tests are rarely measured themselves.
fn should_be_measured(path: &str, kinds: &BTreeSet<&str>) -> bool {
    let Some(kind) = kind(path).filter(|kind| kinds.contains(kind)) else { return false };
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.strip_suffix(kind).and_then(|stem| stem.strip_suffix('.')).unwrap_or(name);
    let folder =
        folders.split('/').any(|part| matches!(part.to_ascii_lowercase().as_str(), "test" | "tests" | "__tests__" | "spec" | "specs"));
    let named = stem.starts_with("test_")
        || stem == "conftest"
        || ["_test", "_tests", "_spec", ".test", ".spec", "-test", "Test", "Tests"].iter().any(|end| stem.ends_with(end));
    !folder && !named
}

impl Gaps {
    fn measured(&mut self, file: &Changed, lines: &Lines, state: &mut FileGaps, options: &Options) {
        for (number, _) in &file.added {
            match lines.get(number) {
                None => state.not_instrumented += 1,
                Some(line) if line.hits == 0 => {
                    state.uncovered += 1;
                    let message = match line.branches {
                        0 => "This changed line was not run by any test.".to_owned(),
                        ways => format!("This changed line, with {ways} ways out of it, was not run by any test."),
                    };
                    self.find(file, *number, "line-not-covered", Severity::High, message);
                }
                Some(line) if line.is_partial() => {
                    self.totals.partial += 1;
                    let message = format!("Of {} ways out of this changed line, {} were taken.", line.branches, line.taken);
                    let severity = if options.branches { Severity::Medium } else { Severity::Info };
                    self.find(file, *number, "branch-not-covered", severity, message);
                    match options.branches {
                        true => state.uncovered += 1,
                        false => state.covered += 1,
                    }
                }
                Some(_) => state.covered += 1,
            }
        }
        self.totals.covered += state.covered;
        self.totals.uncovered += state.uncovered;
    }

    /// A file of whose lines nothing is known: each that is not blank counts against the share.
    fn unknown(&mut self, file: &Changed, rule: &str, message: String, fix: &str) {
        let lines = file.added.iter().filter(|(_, blank)| !blank).count() as u64;
        self.totals.unmeasured += lines;
        self.totals.not_instrumented += file.added.len() as u64 - lines;
        let first = file.added.first().map(|(number, _)| *number);
        let finding = Finding::new(rule, Severity::High, message).at(file.path.clone(), first).mended_by(fix);
        self.findings.push(finding.with("lines", lines));
    }

    fn find(&mut self, file: &Changed, line: u32, rule: &str, severity: Severity, message: String) {
        if self.findings.len() < NAMED_MAX {
            self.findings.push(Finding::new(rule, severity, message).at(file.path.clone(), Some(line)));
        }
    }

    fn close(&mut self, options: &Options) {
        let totals = &mut self.totals;
        let could = totals.covered + totals.uncovered + totals.unmeasured;
        totals.percent = (could > 0).then(|| (totals.covered as f64 * 10_000.0 / could as f64).floor() / 100.0);
        // Compared without rounding: 99.999 % is not 100 %.
        self.enough = could == 0 || totals.covered as f64 * 100.0 >= options.percent_min * could as f64;
        finding::sort(&mut self.findings);
    }
}
