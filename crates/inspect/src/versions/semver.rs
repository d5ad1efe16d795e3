//! Semantic Versioning 2.0.0 (semver.org, section 11), as npm, crates.io, Hex and Go use it.
//!
//! Lenient where advisories are: `v` before it, fewer or more than three numbers, leading zeros. An order never needs
//! the strictness of the grammar.

use super::number::{Number, compare_filled};
use std::cmp::Ordering;

#[derive(Debug, Clone, Eq)]
pub struct SemVer {
    core: Vec<Number>,
    /// Empty for a release.
    before: Vec<Label>,
    build: Vec<Label>,
}

/// Numbers are below words (section 11.4.3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Number(Number),
    Word(String),
}

fn labels(text: &str) -> Option<Vec<Label>> {
    text.split('.')
        .map(|part| {
            let fits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            fits.then(|| Number::read(part).map_or_else(|| Label::Word(part.to_owned()), Label::Number))
        })
        .collect()
}

pub fn read(text: &str) -> Option<SemVer> {
    let text = text.trim();
    let text = text.strip_prefix(['v', 'V', '=']).unwrap_or(text);
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, labels(build)?),
        None => (text, Vec::new()),
    };
    let (core, before) = match text.split_once('-') {
        Some((core, before)) => (core, labels(before)?),
        None => (text, Vec::new()),
    };
    let core = core.split('.').map(Number::read).collect::<Option<Vec<_>>>()?;
    Some(SemVer { core, before, build })
}

/// Go's module versions, and the tool chain's own (`go1.20rc1` is `1.20.0-rc.1`).
pub fn read_go(text: &str) -> Option<SemVer> {
    let Some(tool) = text.strip_prefix("go").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) else { return read(text) };
    let tool = tool.split(['-', ' ']).next().unwrap_or(tool);
    match tool.find(|c: char| c.is_ascii_alphabetic()) {
        Some(at) => {
            let (core, before) = tool.split_at(at);
            let digits = before.find(|c: char| c.is_ascii_digit())?;
            let (word, number) = before.split_at(digits);
            read(&format!("{core}-{word}.{number}"))
        }
        None => read(tool),
    }
}

impl Ord for SemVer {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_filled(&self.core, &other.core)
            // A release is above everything that comes before it (11.3).
            .then_with(|| other.before.is_empty().cmp(&self.before.is_empty()).reverse())
            .then_with(|| self.before.cmp(&other.before))
    }
}

impl PartialOrd for SemVer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SemVer {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

/// Dart's order: among equals, no build metadata is below any, and metadata is compared like labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithBuild(pub SemVer);

impl Ord for WithBuild {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0).then_with(|| self.0.build.cmp(&other.0.build))
    }
}

impl PartialOrd for WithBuild {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
