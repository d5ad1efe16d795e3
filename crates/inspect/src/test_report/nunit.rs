//! NUnit 3 (`test-run`) and NUnit 2 (`test-results`) results.
//!
//! A warning is a pass, as NUnit has it; an inconclusive, ignored or explicit test did not run. NUnit 3 knows failures
//! only (its label `Error` is one of them, and its own count agrees); in NUnit 2 a test that cannot be run is an error.

use super::tally::Measure;
use super::{Outcome, ReportError, Tally, TestReport};
use crate::xml::{Element, Node, Walker};

const RUN_3: [(&str, Measure); 4] = [
    ("total", Measure::Is(|counted| counted.tests)),
    ("passed", Measure::AtMost(|counted| counted.passed)),
    ("failed", Measure::Is(|counted| counted.failed)),
    ("skipped", Measure::AtMost(|counted| counted.skipped)),
];

const RUN_2: [(&str, Measure); 4] = [
    // What ran, or everything: versions differ.
    ("total", Measure::Between(|counted| counted.passed + counted.failed, |counted| counted.tests)),
    ("errors", Measure::AtMost(|counted| counted.errors)),
    ("failures", Measure::AtMost(|counted| counted.failed)),
    ("not-run", Measure::AtMost(|counted| counted.skipped + counted.errors)),
];

struct Case {
    name: String,
    outcome: Outcome,
    message: String,
    line: u32,
}

struct Suite {
    name: String,
    line: u32,
    /// It says that it failed, and not because of a test in it.
    broken: bool,
    /// A test or a suite in it failed.
    inner_broken: bool,
    message: String,
}

struct Reading {
    run: Tally,
    case: Option<Case>,
    suites: Vec<Suite>,
    judge: fn(&Element<'_>) -> Result<Outcome, ReportError>,
}

/// NUnit 3.
pub fn read_3(walker: Walker<'_>, root: Element<'_>) -> Result<TestReport, ReportError> {
    walk(walker, &root, &RUN_3, outcome_3)
}

/// NUnit 2.
pub fn read_2(walker: Walker<'_>, root: Element<'_>) -> Result<TestReport, ReportError> {
    walk(walker, &root, &RUN_2, outcome_2)
}

fn walk(
    mut walker: Walker<'_>,
    root: &Element<'_>,
    measures: &[(&'static str, Measure)],
    judge: fn(&Element<'_>) -> Result<Outcome, ReportError>,
) -> Result<TestReport, ReportError> {
    let mut reading = Reading { run: Tally::open(root, measures)?, case: None, suites: Vec::new(), judge };
    // Adapters write a suite without the run around it.
    reading.start(root)?;
    loop {
        match walker.step()? {
            Node::Start(element) => reading.start(&element)?,
            Node::Text(text) => {
                if let [.., "failure" | "reason", "message"] = walker.path() {
                    reading.message(&text);
                }
            }
            Node::End(name) => reading.end(name),
            Node::Eof => return reading.run.close(),
        }
    }
}

fn outcome_3(case: &Element<'_>) -> Result<Outcome, ReportError> {
    Ok(match case.need("result")? {
        "Passed" | "Warning" => Outcome::Passed,
        "Skipped" | "Inconclusive" => Outcome::Skipped,
        "Failed" => Outcome::Failed,
        other => return Err(unknown(case, other)),
    })
}

fn outcome_2(case: &Element<'_>) -> Result<Outcome, ReportError> {
    let says = |attribute: &str| case.get(attribute).map(str::to_ascii_lowercase);
    Ok(match case.get("result") {
        Some("Success") => Outcome::Passed,
        Some("Failure") => Outcome::Failed,
        Some("Error" | "NotRunnable" | "Invalid" | "Cancelled") => Outcome::Error,
        Some("Inconclusive" | "Ignored" | "Skipped" | "NotRun") => Outcome::Skipped,
        Some(other) => return Err(unknown(case, other)),
        // NUnit up to 2.4 has no result. Where it says nothing of success, a failure inside does.
        None => match (says("executed").as_deref(), says("success").as_deref()) {
            (Some("false"), _) => Outcome::Skipped,
            (_, Some("true")) | (Some("true"), None) => Outcome::Passed,
            (_, Some("false")) => Outcome::Failed,
            _ => return Err(case.refuse("a test-case with result, or executed and success of True or False", "none").into()),
        },
    })
}

fn unknown(case: &Element<'_>, found: &str) -> ReportError {
    case.refuse("a result that NUnit knows", format!("{found:?}")).into()
}

impl Reading {
    fn start(&mut self, element: &Element<'_>) -> Result<(), ReportError> {
        match element.name {
            "test-case" => {
                if self.case.is_some() {
                    return Err(element.refuse("test cases beside each other", "a test-case in a test-case").into());
                }
                let name = element.get("fullname").unwrap_or(element.text("name")).to_owned();
                self.case = Some(Case { name, outcome: (self.judge)(element)?, message: String::new(), line: element.line });
            }
            "test-suite" => {
                let broken =
                    matches!(element.text("result"), "Failed" | "Failure" | "Error") && !matches!(element.text("site"), "Child" | "Parent");
                self.suites.push(Suite {
                    name: element.get("fullname").unwrap_or(element.text("name")).to_owned(),
                    line: element.line,
                    broken,
                    inner_broken: false,
                    message: String::new(),
                });
            }
            "failure" => {
                if let Some(case) = &mut self.case
                    && case.outcome == Outcome::Passed
                {
                    case.outcome = Outcome::Failed;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn message(&mut self, text: &str) {
        let into = match (&mut self.case, self.suites.last_mut()) {
            (Some(case), _) => &mut case.message,
            (None, Some(suite)) => &mut suite.message,
            (None, None) => return,
        };
        if into.is_empty() {
            *into = text.trim().chars().take(1000).collect();
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "test-case" => {
                let Some(case) = self.case.take() else { return };
                self.run.counted.case(case.outcome, &case.name, &case.message, case.line);
                if matches!(case.outcome, Outcome::Failed | Outcome::Error) {
                    self.inner_broke();
                }
            }
            "test-suite" => {
                let Some(suite) = self.suites.pop() else { return };
                // A tear-down that failed after tests that passed.
                if suite.broken && !suite.inner_broken {
                    self.run.counted.outside(&suite.name, &suite.message, suite.line);
                }
                if suite.broken || suite.inner_broken {
                    self.inner_broke();
                }
            }
            _ => {}
        }
    }

    fn inner_broke(&mut self) {
        if let Some(suite) = self.suites.last_mut() {
            suite.inner_broken = true;
        }
    }
}
