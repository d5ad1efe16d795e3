//! The independent ledger checker: reads an exported ledger and nothing else, and shares no code with the product.
//!
//! After every injected fault the same invariants are asked (docs of the fault tests name them):
//! - I2: no step is started twice under one lease, and a step that is not idempotent is not started again unless it is
//!   proven, or a person said, that it was not started.
//! - I3: what is deployed is what was approved: a run's components are those of the release's manifest as it stood, the
//!   manifest is the one its approvals name, and instances report the pinned digests.
//! - I4: the ledger is whole: indexes and positions without gaps, each fact names its predecessor's hash and its body's
//!   digest, and the checkpoint's root covers exactly these facts.
//! - I5: every run ends, or somebody is named who moves it.
//!
//! Deliberately absent: signatures (`holdpoint verify` judges them) and I1, which needs to know what was acknowledged;
//! [`Summary::streams`] lets a test compare.

pub mod json;
mod log;
mod releases;
mod runs;

use json::Json;
use std::collections::BTreeMap;

/// One exported fact.
pub(crate) struct Fact {
    pub index: u64,
    pub stream: String,
    pub position: u64,
    pub kind: String,
    pub envelope: Json,
    pub body: Json,
    pub leaf: [u8; 32],
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// `I2`, `I3`, `I4` or `I5`.
    pub invariant: &'static str,
    /// The fact's index, where there is one.
    pub index: Option<u64>,
    pub sentence: String,
}

/// What the ledger holds.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    pub facts: u64,
    /// Facts per stream.
    pub streams: BTreeMap<String, u64>,
    /// Facts per type.
    pub types: BTreeMap<String, u64>,
    /// Runs that have not ended, and who moves them.
    pub open_runs: BTreeMap<String, String>,
    /// Runs that have ended, and how.
    pub ended_runs: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default)]
pub struct Report {
    pub violations: Vec<Violation>,
    pub summary: Summary,
}

/// Checks an export: JSON lines of `{index, envelope, body}`, a checkpoint line last, a header line or none.
pub fn check(text: &str) -> Report {
    let mut report = Report::default();
    let facts = log::read(text, &mut report);
    let mut runs = runs::Runs::default();
    let mut releases = releases::Releases::default();
    for fact in &facts {
        report.summary.facts += 1;
        *report.summary.streams.entry(fact.stream.clone()).or_default() += 1;
        *report.summary.types.entry(fact.kind.clone()).or_default() += 1;
        match fact.stream.split_once('/').map(|(kind, _)| kind) {
            Some("run") => {
                releases.run(fact, &mut report);
                runs.apply(fact, &mut report);
            }
            Some("release") => releases.apply(fact, &mut report),
            _ => {}
        }
    }
    runs.finish(&mut report);
    report
}

impl Report {
    pub(crate) fn wrong(&mut self, invariant: &'static str, fact: Option<&Fact>, sentence: impl Into<String>) {
        let place = fact.map_or(String::new(), |fact| format!("{} {} at {}: ", fact.stream, fact.kind, fact.position));
        self.violations.push(Violation { invariant, index: fact.map(|fact| fact.index), sentence: format!("{place}{}", sentence.into()) });
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for violation in &self.violations {
            let place = violation.index.map_or(String::new(), |index| format!(" #{index}"));
            writeln!(f, "{}{place}: {}", violation.invariant, violation.sentence)?;
        }
        for (run, waiter) in &self.summary.open_runs {
            writeln!(f, "open: {run} waits for {waiter}")?;
        }
        let ended = self.summary.ended_runs.len();
        write!(
            f,
            "{} facts in {} streams, {ended} runs ended, {} violations",
            self.summary.facts,
            self.summary.streams.len(),
            self.violations.len()
        )
    }
}

#[cfg(test)]
mod tests;
