//! TRX, Visual Studio's test results (XML schema `vstst.xsd`, namespace `…/VisualStudio/TeamTest/2010`).
//!
//! A result with inner results (data-driven, ordered) is counted by its innermost ones. Declared counts may count the
//! outer ones, too: runners disagree.

use super::tally::Measure;
use super::{Outcome, ReportError, Tally, TestReport};
use crate::xml::{Element, Node, Walker};

const COUNTERS: [(&str, Measure); 3] = [
    ("total", Measure::Is(|counted| counted.tests)),
    ("passed", Measure::Is(|counted| counted.passed)),
    ("failed", Measure::AtMost(|counted| counted.failed + counted.errors)),
];

struct Open {
    name: String,
    outcome: Outcome,
    message: String,
    line: u32,
    /// Results inside it.
    inner: u32,
    inner_broken: bool,
}

#[derive(Default)]
struct Reading {
    innermost: TestReport,
    /// Counted with the outer ones.
    every: TestReport,
    open: Vec<Open>,
    counters: Vec<Tally>,
    /// Whether the text that comes is a message.
    listening: bool,
    /// What broke outside every test: a line and a message.
    run: Vec<(u32, String)>,
    /// The outcome of the run where it is a bad one.
    word: Option<(u32, String)>,
}

pub fn read(mut walker: Walker<'_>, _root: Element<'_>) -> Result<TestReport, ReportError> {
    let mut reading = Reading::default();
    loop {
        match walker.step()? {
            Node::Start(element) => {
                let parent = walker.path().iter().rev().nth(1).copied().unwrap_or_default();
                reading.start(&element, parent)?;
            }
            Node::Text(text) => reading.text(&text),
            Node::End(name) => {
                reading.listening = false;
                if is_result(name) {
                    reading.end();
                }
            }
            Node::Eof => return reading.finish(),
        }
    }
}

fn is_result(name: &str) -> bool {
    name.ends_with("TestResult") || name == "TestResultAggregation"
}

fn outcome(word: Option<&str>) -> Outcome {
    match word {
        Some("Passed" | "Warning" | "Completed") => Outcome::Passed,
        Some("NotExecuted" | "Inconclusive" | "Pending") => Outcome::Skipped,
        Some("Failed") => Outcome::Failed,
        // Error, Timeout, Aborted, NotRunnable, PassedButRunAborted, Disconnected, InProgress, and what says nothing.
        _ => Outcome::Error,
    }
}

impl Reading {
    fn start(&mut self, element: &Element<'_>, parent: &str) -> Result<(), ReportError> {
        match element.name {
            name if is_result(name) => {
                if !matches!(parent, "Results" | "InnerResults") {
                    return Err(element.refuse("results in Results or InnerResults", format!("{name} in {parent}")).into());
                }
                if let Some(outer) = self.open.last_mut() {
                    outer.inner += 1;
                }
                self.open.push(Open {
                    name: element.get("testName").unwrap_or(element.text("testId")).to_owned(),
                    outcome: outcome(element.get("outcome")),
                    message: String::new(),
                    line: element.line,
                    inner: 0,
                    inner_broken: false,
                });
            }
            "Message" => self.listening = parent == "ErrorInfo",
            "ResultSummary" => {
                if let Some(word) = element.get("outcome")
                    && !matches!(word, "Completed" | "Passed" | "Warning" | "Inconclusive" | "NotExecuted")
                {
                    self.word = Some((element.line, format!("The run ended as {word}.")));
                }
            }
            "RunInfo" if matches!(element.get("outcome"), Some("Error" | "Failed" | "Aborted" | "Timeout")) => {
                self.run.push((element.line, String::new()));
            }
            "Text" => self.listening = parent == "RunInfo",
            "Counters" if parent == "ResultSummary" => self.counters.push(Tally::open(element, &COUNTERS)?),
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if !self.listening {
            return;
        }
        let into = match self.open.last_mut() {
            Some(open) => &mut open.message,
            None => match self.run.last_mut() {
                Some((_, message)) => message,
                None => return,
            },
        };
        if into.is_empty() {
            *into = text.trim().chars().take(1000).collect();
        }
    }

    fn end(&mut self) {
        let Some(done) = self.open.pop() else { return };
        let broken = matches!(done.outcome, Outcome::Failed | Outcome::Error);
        self.every.case(done.outcome, &done.name, &done.message, done.line);
        if done.inner == 0 {
            self.innermost.case(done.outcome, &done.name, &done.message, done.line);
        } else if broken && !done.inner_broken {
            self.innermost.outside(&done.name, &done.message, done.line);
        }
        if let Some(outer) = self.open.last_mut() {
            outer.inner_broken |= broken || done.inner_broken;
        }
    }

    fn finish(mut self) -> Result<TestReport, ReportError> {
        for tally in self.counters {
            let mut other = tally.clone();
            other.counted = self.every.clone();
            let mut tally = tally;
            tally.counted = self.innermost.clone();
            tally.close().or_else(|why| other.close().map_err(|_| why))?;
        }
        for (line, message) in self.run {
            self.innermost.outside("run", &message, line);
        }
        // A host that died leaves no failed test behind; a run that says it failed did.
        if let Some((line, message)) = self.word
            && self.innermost.failed + self.innermost.errors + self.innermost.outside == 0
        {
            self.innermost.outside("run", &message, line);
        }
        Ok(self.innermost)
    }
}
