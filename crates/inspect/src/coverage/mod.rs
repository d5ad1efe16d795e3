//! Which changed lines no test has run: coverage reports against a unified diff.
//!
//! Three things are told apart that are easily one: a line that ran, a line that could have run and did not, and a line
//! that holds nothing to run. Nothing here knows a repository: whether the coverage was measured on the very version the
//! diff leads to is the caller's to see to.

mod cobertura;
mod diff;
mod gaps;
mod jacoco;
mod lcov;
mod paths;

use crate::xml::{self, Node, Walker, XmlError};
use serde::Serialize;
use std::collections::BTreeMap;

pub use diff::{Change, Changed, DiffError};
pub use gaps::{Gaps, Options, gaps};
pub use paths::Glob;

/// Reports and diffs beyond this many bytes are not read.
pub const BYTES_MAX: usize = 256 << 20;

/// What a coverage report is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Lcov,
    Cobertura,
    Jacoco,
}

/// One instrumented line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Line {
    /// How often it ran, as far as the format tells; JaCoCo tells whether.
    pub hits: u64,
    /// Ways out of it, and how many of them were taken.
    pub branches: u32,
    pub taken: u32,
}

impl Line {
    /// Ran, but not every way out of it.
    pub fn is_partial(&self) -> bool {
        self.hits > 0 && self.taken < self.branches
    }
}

/// The instrumented lines of a file, by number from 1.
pub type Lines = BTreeMap<u32, Line>;

/// What was measured, by the paths that the report names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    pub files: BTreeMap<String, Lines>,
    /// Folders to which the paths may be relative (Cobertura's `source`).
    pub roots: Vec<String>,
}

/// Why bytes are no coverage report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoverageError {
    #[error(transparent)]
    Xml(#[from] XmlError),
    #[error("line {line}: expected {expected}, found {found}")]
    Shape { line: u32, expected: String, found: String },
    #[error("the report has {0} bytes, at most {BYTES_MAX} are read")]
    Size(usize),
}

impl Coverage {
    /// Adds what another run measured: hits are summed, ways taken are those of the run that took more.
    pub fn add(&mut self, other: Coverage) {
        for (path, lines) in other.files {
            let into = self.files.entry(path).or_default();
            for (number, line) in lines {
                let sum = into.entry(number).or_default();
                sum.hits = sum.hits.saturating_add(line.hits);
                sum.branches = sum.branches.max(line.branches);
                sum.taken = sum.taken.max(line.taken);
            }
        }
        for root in other.roots {
            if !self.roots.contains(&root) {
                self.roots.push(root);
            }
        }
    }
}

/// Reads LCOV (told by its first record), Cobertura (`coverage`) or JaCoCo (`report`).
///
/// # Errors
/// What is none of them, is cut, or contradicts itself.
pub fn read(bytes: &[u8]) -> Result<(Format, Coverage), CoverageError> {
    if bytes.len() > BYTES_MAX {
        return Err(CoverageError::Size(bytes.len()));
    }
    let is_xml = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
        || bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start().first() == Some(&b'<');
    if !is_xml {
        return Ok((Format::Lcov, lcov::read(bytes)?));
    }
    let text = xml::decode(bytes)?;
    let mut walker = Walker::new(&text);
    let Node::Start(root) = walker.step()? else {
        return Err(walker.refuse("a root element", "none").into());
    };
    match root.name {
        "coverage" => Ok((Format::Cobertura, cobertura::read(walker, &root)?)),
        "report" => Ok((Format::Jacoco, jacoco::read(walker)?)),
        other => Err(root.refuse("coverage (Cobertura) or report (JaCoCo)", format!("the root element {other}")).into()),
    }
}

/// Reads a unified diff.
///
/// # Errors
/// [`DiffError`] with the line of the diff.
pub fn read_diff(bytes: &[u8]) -> Result<Vec<Changed>, DiffError> {
    diff::read(bytes)
}

#[cfg(test)]
mod tests;
