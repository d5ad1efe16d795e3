//! Secrets in text: well-known token formats, private keys, connection strings with passwords, and random values that are
//! assigned to a name which says that it is one.
//!
//! Precision before recall: a format with a checksum is checked, placeholders and documented examples are not reported, and
//! randomness alone is never a finding. A finding shows where a secret is and what kind, never the secret. Deliberately absent:
//! asking a provider whether a token works.

mod assignment;
mod baseline;
mod checksum;
mod connection;
mod keys;
mod pattern;
mod rules;
mod text;

pub use baseline::{Baseline, BaselineError, Known};
pub use text::{Skip, readable};

use crate::finding::{Finding, Severity};
use sha2::{Digest as _, Sha256};

/// Files beyond this many bytes are not read by default.
pub const FILE_BYTES_MAX: u64 = 10 << 20;
/// So many findings of one file are kept: a file full of secrets is a file to remove.
pub const FINDINGS_MAX: usize = 1000;
/// A comment with this word and a reason allows the secrets of its line, or of the line below.
pub const PRAGMA: &str = "holdpoint:allow-secret";
/// How often a fingerprint is hashed: baselines are committed, and short passwords should not be guessed from them cheaply.
const ROUNDS: u32 = 4096;

/// A secret and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    pub rule: &'static str,
    /// What it is, such as "a GitHub personal access token".
    pub what: &'static str,
    pub severity: Severity,
    /// From 1.
    pub line: u32,
    /// The beginning that all secrets of this kind share, and its length: `ghp_… (40 characters)`.
    pub masked: String,
    /// Of the rule, the path and the secret; the same wherever the line moves to.
    pub fingerprint: String,
    /// A pragma without a reason stands there, and allows nothing.
    pub pragma_without_reason: bool,
}

/// A secret as a rule finds it.
struct Hit {
    rule: &'static str,
    what: &'static str,
    severity: Severity,
    start: usize,
    end: usize,
    /// How many bytes of it are the same in all secrets of this kind.
    shown: usize,
}

/// Scans a text. `path` is part of the fingerprints and decides how assignments without quotes are read.
pub fn scan(path: &str, bytes: &[u8]) -> Vec<Leak> {
    let mut hits = Vec::new();
    rules::find(bytes, &mut hits);
    keys::find(bytes, &mut hits);
    connection::find(bytes, &mut hits);
    assignment::find(path, bytes, &mut hits);
    // What lies inside another finding is the same secret, named less well; named formats come first at the same place.
    hits.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
    let mut kept: Vec<Hit> = Vec::new();
    for hit in hits {
        let overlaps = kept.last().is_some_and(|last| hit.start < last.end);
        if !overlaps {
            kept.push(hit);
        } else if let Some(last) = kept.last_mut().filter(|last| last.rule == assignment::RULE && hit.rule != assignment::RULE) {
            *last = hit;
        }
    }
    kept.truncate(FINDINGS_MAX);
    let lines = text::Lines::new(bytes);
    kept.into_iter().filter_map(|hit| leak(path, bytes, &lines, &hit)).collect()
}

/// `None` where a pragma with a reason allows it.
fn leak(path: &str, bytes: &[u8], lines: &text::Lines, hit: &Hit) -> Option<Leak> {
    let secret = bytes.get(hit.start..hit.end)?;
    let line = lines.of(hit.start);
    let pragma = |line: u32| lines.text(bytes, line).and_then(pragma_reason);
    let own = pragma(line).or_else(|| pragma(line.checked_sub(1)?));
    if own == Some(true) {
        return None;
    }
    let shown = String::from_utf8_lossy(secret.get(..hit.shown.min(secret.len()))?);
    let length = String::from_utf8_lossy(secret).chars().count();
    Some(Leak {
        rule: hit.rule,
        what: hit.what,
        severity: hit.severity,
        line,
        masked: format!("{shown}… ({length} characters)"),
        fingerprint: fingerprint(hit.rule, path, secret),
        pragma_without_reason: own == Some(false),
    })
}

/// `Some(true)` with a reason, `Some(false)` without, `None` where there is no pragma.
fn pragma_reason(line: &[u8]) -> Option<bool> {
    let at = line.windows(PRAGMA.len()).position(|window| window == PRAGMA.as_bytes())?;
    let after = String::from_utf8_lossy(line.get(at + PRAGMA.len()..)?).into_owned();
    let reason = after.trim_matches(|c: char| !c.is_alphanumeric());
    Some(reason.chars().filter(|c| c.is_alphabetic()).count() >= 3)
}

fn fingerprint(rule: &str, path: &str, secret: &[u8]) -> String {
    let mut digest = Sha256::new();
    for part in [rule.as_bytes(), path.as_bytes(), secret] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let mut digest = digest.finalize();
    for _ in 0..ROUNDS {
        digest = Sha256::digest(digest);
    }
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl Leak {
    pub fn finding(&self, path: &str) -> Finding {
        let mut message = format!("This is {}: {}.", self.what, self.masked);
        if self.pragma_without_reason {
            message.push_str(&format!(" A `{PRAGMA}` stands here without a reason."));
        }
        Finding::new(self.rule, self.severity, message)
            .at(path, Some(self.line))
            .with("fingerprint", self.fingerprint.as_str())
            .with("masked", self.masked.as_str())
            .mended_by("revoke it where it was issued, then take it out; what was committed once is known")
    }
}

#[cfg(test)]
mod tests;
