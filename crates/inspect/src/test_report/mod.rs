//! Test reports of other runners: JUnit, TRX (Visual Studio), NUnit 2 and 3, xUnit.net 1 to 3, told apart by their root.
//!
//! Totals are counted from the cases; what the report says of itself only has to agree, because a report that was cut or
//! edited would pass otherwise. This room reads; whether a result may count for something is the gates'.

mod junit;
mod nunit;
mod tally;
mod trx;
mod xunit;

use crate::finding::{Finding, Severity};
use crate::xml::{self, Element, Node, Walker, XmlError};
use serde::Serialize;
use tally::Tally;

/// At most so many failed tests are named.
pub const NAMED_MAX: usize = 100;

/// What a report is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Junit,
    Trx,
    Nunit2,
    Nunit3,
    Xunit,
}

impl Format {
    /// By the root's local name; TRX also by the namespace's, which no other report shares.
    fn of(root: &str) -> Option<Format> {
        Some(match root {
            "testsuites" | "testsuite" => Format::Junit,
            "TestRun" => Format::Trx,
            "test-results" => Format::Nunit2,
            "test-run" | "test-suite" => Format::Nunit3,
            "assemblies" | "assembly" => Format::Xunit,
            _ => return None,
        })
    }
}

/// What a report says. A test that both failed and broke is an error; one is counted once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TestReport {
    pub tests: u32,
    pub passed: u32,
    pub failed: u32,
    pub errors: u32,
    pub skipped: u32,
    /// Names of what failed or broke, at most [`NAMED_MAX`].
    pub broken: Vec<String>,
    /// The same with their messages, and what went wrong outside every test (a fixture, a host that died).
    #[serde(skip)]
    pub troubles: Vec<Trouble>,
    /// How many of the errors belong to no test.
    #[serde(skip_serializing_if = "is_zero")]
    pub outside: u32,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Skipped,
    /// Its assertion did not hold.
    Failed,
    /// It could not be carried through.
    Error,
}

/// Something that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub rule: &'static str,
    pub name: String,
    /// First line of what the runner said, possibly empty.
    pub message: String,
    /// Line of the report.
    pub line: u32,
}

impl TestReport {
    /// `passed` where something ran and nothing failed.
    pub fn verdict(&self) -> &'static str {
        if self.failed + self.errors + self.outside == 0 && self.tests > 0 { "passed" } else { "failed" }
    }
    /// Two reports as one.
    pub fn add(&mut self, other: &TestReport) {
        for (sum, more) in [
            (&mut self.tests, other.tests),
            (&mut self.passed, other.passed),
            (&mut self.failed, other.failed),
            (&mut self.errors, other.errors),
            (&mut self.skipped, other.skipped),
            (&mut self.outside, other.outside),
        ] {
            *sum = sum.saturating_add(more);
        }
        self.broken.extend(other.broken.iter().take(NAMED_MAX.saturating_sub(self.broken.len())).cloned());
        self.troubles.extend(other.troubles.iter().take(NAMED_MAX.saturating_sub(self.troubles.len())).cloned());
    }
    /// Counts one test.
    fn case(&mut self, outcome: Outcome, name: &str, message: &str, line: u32) {
        self.tests += 1;
        let rule = match outcome {
            Outcome::Passed => {
                self.passed += 1;
                return;
            }
            Outcome::Skipped => {
                self.skipped += 1;
                return;
            }
            Outcome::Failed => {
                self.failed += 1;
                "test-failed"
            }
            Outcome::Error => {
                self.errors += 1;
                "test-error"
            }
        };
        if self.broken.len() < NAMED_MAX {
            self.broken.push(name.to_owned());
        }
        self.trouble(rule, name, message, line);
    }
    /// Counts something that broke outside every test.
    fn outside(&mut self, name: &str, message: &str, line: u32) {
        self.outside += 1;
        self.trouble("run-error", name, message, line);
    }
    fn trouble(&mut self, rule: &'static str, name: &str, message: &str, line: u32) {
        if self.troubles.len() < NAMED_MAX {
            let message = message.trim().lines().next().unwrap_or_default().trim().chars().take(300).collect();
            self.troubles.push(Trouble { rule, name: name.to_owned(), message, line });
        }
    }
    /// What failed, as findings about the file it stands in.
    pub fn findings(&self, file: &str) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self
            .troubles
            .iter()
            .map(|trouble| {
                let message = match (trouble.message.as_str(), trouble.rule) {
                    ("", "test-failed") => "This test failed.",
                    ("", "test-error") => "This test could not be carried through.",
                    ("", _) => "The run broke outside every test.",
                    (message, _) => message,
                };
                Finding::new(trouble.rule, Severity::High, message).at(file, Some(trouble.line)).inside(trouble.name.clone())
            })
            .collect();
        if self.tests == 0 {
            let message = "The report holds no test: nothing was shown.";
            findings.push(Finding::new("no-tests", Severity::High, message).at(file, None));
        }
        findings
    }
}

/// Why a file is no test report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    #[error(transparent)]
    Xml(#[from] XmlError),
    #[error("line {line}: {part} says {attribute}={said}, its cases say {counted}")]
    Contradiction { line: u32, part: String, attribute: &'static str, said: u32, counted: u32 },
}

/// Reads a report of any format.
///
/// # Errors
/// What is no well-formed XML, no test report, or contradicts itself.
pub fn read(bytes: &[u8]) -> Result<(Format, TestReport), ReportError> {
    let text = xml::decode(bytes)?;
    let mut walker = Walker::new(&text);
    let root = root(&mut walker)?;
    let Some(format) = Format::of(root.name) else {
        let known = "testsuites or testsuite (JUnit), TestRun (TRX), test-run or test-results (NUnit), assemblies or assembly (xUnit.net)";
        return Err(root.refuse(known, format!("the root element {}", root.name)).into());
    };
    let report = match format {
        Format::Junit => junit::read(walker, root)?,
        Format::Trx => trx::read(walker, root)?,
        Format::Nunit2 => nunit::read_2(walker, root)?,
        Format::Nunit3 => nunit::read_3(walker, root)?,
        Format::Xunit => xunit::read(walker, root)?,
    };
    Ok((format, report))
}

fn root<'a>(walker: &mut Walker<'a>) -> Result<Element<'a>, XmlError> {
    match walker.step()? {
        Node::Start(root) => Ok(root),
        _ => Err(walker.refuse("a root element", "none")),
    }
}

#[cfg(test)]
mod tests;
