//! What every judgement over documents says: findings, each with a stable rule, a severity and a place.
//!
//! Does not decide what blocks: that is each judgement's own verdict.

use serde::Serialize;
use std::fmt;

/// How bad, worst first. Compatibility uses `breaking` and `risky`, scans the other words; `info` never blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Breaking,
    Critical,
    High,
    /// Nobody has rated it: it may be the worst.
    Unknown,
    Risky,
    Medium,
    Low,
    Info,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Severity::Breaking => "breaking",
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Unknown => "unknown",
            Severity::Risky => "risky",
            Severity::Medium => "medium",
            Severity::Low => "low",
            Severity::Info => "info",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable name, kebab-case: people waive it and link to its page.
    pub rule: String,
    pub severity: Severity,
    /// File as it was named to the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Where inside the document: a JSON pointer, `message.field`, `table.column`, a package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// One sentence with the facts.
    pub message: String,
    /// What would mend it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// Further members of the judgement's own (direction, lock, score …).
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

impl Finding {
    pub fn new(rule: impl Into<String>, severity: Severity, message: impl Into<String>) -> Self {
        Self {
            rule: rule.into(),
            severity,
            file: None,
            line: None,
            path: None,
            message: message.into(),
            fix: None,
            more: serde_json::Map::new(),
        }
    }
    #[must_use]
    pub fn at(mut self, file: impl Into<String>, line: Option<u32>) -> Self {
        self.file = Some(file.into());
        self.line = line;
        self
    }
    #[must_use]
    pub fn inside(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }
    #[must_use]
    pub fn mended_by(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.more.insert(key.to_owned(), value.into());
        self
    }
    /// `file:line path`, as far as known.
    pub fn place(&self) -> String {
        let file = match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (Some(file), None) => file.clone(),
            _ => String::new(),
        };
        let path = self.path.as_deref().unwrap_or_default();
        if file.is_empty() || path.is_empty() { format!("{file}{path}") } else { format!("{file} {path}") }
    }
}

/// Worst first, then by place, then by rule: the same input gives the same list.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by(|a, b| {
        (a.severity, &a.file, a.line, &a.path, &a.rule, &a.message).cmp(&(b.severity, &b.file, b.line, &b.path, &b.rule, &b.message))
    });
}
