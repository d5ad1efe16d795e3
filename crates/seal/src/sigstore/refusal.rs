//! Why something is not verified: which rule, what was found and what was expected.

use std::fmt;

/// A refusal. `rule` is stable; the texts are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule's name, such as `certificate-identity`.
    pub rule: &'static str,
    /// What was looked at, in one sentence.
    pub what: String,
    /// As it is.
    pub found: String,
    /// As it had to be.
    pub expected: String,
}

impl Refusal {
    /// A refusal of `rule`.
    pub fn new(rule: &'static str, what: impl Into<String>, found: impl Into<String>, expected: impl Into<String>) -> Refusal {
        Refusal { rule, what: what.into(), found: found.into(), expected: expected.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}, expected {}", self.what, self.found, self.expected)
    }
}

impl std::error::Error for Refusal {}
