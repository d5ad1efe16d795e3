//! The domain's "no", and the two ways in which a decision can stop.

use super::view::Need;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A refusal explains itself: rule, fact, and what would change it. One documentation page per code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable code, e.g. `GOV-003`; `holdpoint explain GOV-003` prints its page.
    pub code: String,
    /// What is refused and why, as one sentence with the facts in it.
    pub sentence: String,
    /// What would unblock it.
    pub unblock: String,
    /// The same facts for programs.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub facts: Value,
}

impl Refusal {
    /// A refusal without machine-readable facts.
    pub fn new(code: &str, sentence: impl Into<String>, unblock: impl Into<String>) -> Self {
        Self { code: code.to_owned(), sentence: sentence.into(), unblock: unblock.into(), facts: Value::Null }
    }
    /// Adds the facts for programs.
    #[must_use]
    pub fn with(mut self, facts: Value) -> Self {
        self.facts = facts;
        self
    }
}

/// Why a decision function stopped before deciding.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// More documents are needed; the store loads them in the same transaction and asks again.
    Need(Vec<Need>),
    /// The answer is no. Nothing is written.
    Refused(Box<Refusal>),
    /// A document does not have the shape this program knows: a bug or a newer schema, never a "pass".
    Unreadable { key: String, why: String },
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Stop::Refused(Box::new(refusal))
    }
}
