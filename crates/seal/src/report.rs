//! What an offline verification found.

use serde::Serialize;

use crate::digest::Digest;

/// A report names at most this many findings.
pub const FINDINGS_MAX: usize = 100;

/// One thing that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Log index of the fact concerned, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// What was checked: a section of the file (`seal`, `keylist`, …) or a property of a fact (`prev`, `body`, …).
    pub what: String,
    /// What would have been right.
    pub expected: String,
    /// What was there.
    pub found: String,
}

/// The outcome of a verification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether everything held.
    pub ok: bool,
    /// Facts read.
    pub facts: u64,
    /// Attested documents read.
    pub attestations: u64,
    /// Facts of type `ApprovalGiven`.
    pub approvals: u64,
    /// Size of the log at the checkpoint, if one was verified.
    pub size: Option<u64>,
    /// Root of the log at the checkpoint, if one was verified.
    pub root: Option<Digest>,
    /// The lowest log index of a fact that cannot be trusted, if the damage can be placed.
    pub first_bad_index: Option<u64>,
    /// At most [`FINDINGS_MAX`]; empty exactly when `ok`.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(crate) fn new() -> Report {
        Report { ok: true, facts: 0, attestations: 0, approvals: 0, size: None, root: None, first_bad_index: None, findings: Vec::new() }
    }

    /// A finding about a part of the document.
    pub(crate) fn wrong(&mut self, what: &str, expected: impl ToString, found: impl ToString) {
        self.add(None, what, expected.to_string(), found.to_string());
    }

    /// A finding about a fact.
    pub(crate) fn wrong_fact(&mut self, index: u64, what: &str, expected: impl ToString, found: impl ToString) {
        self.first_bad_index = Some(self.first_bad_index.map_or(index, |first| first.min(index)));
        self.add(Some(index), what, expected.to_string(), found.to_string());
    }

    fn add(&mut self, index: Option<u64>, what: &str, expected: String, found: String) {
        self.ok = false;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { index, what: what.to_owned(), expected, found });
        }
    }
}

/// An error with its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        out.push_str(&format!(": {error}"));
        cause = error.source();
    }
    out
}
