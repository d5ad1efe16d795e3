//! Whether one tree of .proto files may follow another: own reader, no compiler, every breaking rule by level.
//!
//! Reads proto2, proto3 and the editions 2023 and 2024. Files come as bytes with their paths; nothing is opened here.
//! Options beyond those the rules name, and what generators make of a file, are not judged.

mod checks;
mod features;
mod known;
mod lexer;
mod link;
mod model;
mod names;
mod options;
mod parser;
mod rules;
mod syntax;
#[cfg(test)]
mod tests;

pub use model::Tree;
pub use rules::{Level, RULES, RuleInfo, compare};

use std::fmt;

/// A larger file is refused.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// A larger tree is refused.
pub const TREE_BYTES_MAX: usize = 256 << 20;
/// No more problems than this are reported at once.
const PROBLEMS_MAX: usize = 50;

/// What is wrong on a line of the file at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    line: u32,
    message: String,
}

impl Problem {
    fn new(line: u32, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// A file that cannot be read: where and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub file: String,
    pub line: u32,
    pub message: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// One file of a tree: its path below the root, with slashes, and its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub path: &'a str,
    pub bytes: &'a [u8],
}

/// Reads a tree. `root` stands before every path that is shown.
///
/// # Errors
/// Everything that no protobuf compiler would take, with its place: all files are read before it gives up.
pub fn read(root: &str, sources: &[Source<'_>]) -> Result<Tree, Vec<Unreadable>> {
    let unreadable = |path: &str, line, message: String| Unreadable {
        file: if root.is_empty() { path.to_owned() } else { format!("{}/{path}", root.trim_end_matches('/')) },
        line,
        message,
    };
    if sources.iter().map(|source| source.bytes.len()).sum::<usize>() > TREE_BYTES_MAX {
        return Err(vec![unreadable("", 1, format!("the tree is larger than {TREE_BYTES_MAX} bytes"))]);
    }
    let mut files = Vec::with_capacity(sources.len());
    let mut problems = Vec::new();
    for source in sources {
        if source.bytes.len() > FILE_BYTES_MAX {
            problems.push(unreadable(source.path, 1, format!("the file is larger than {FILE_BYTES_MAX} bytes")));
            continue;
        }
        let text = match std::str::from_utf8(source.bytes) {
            Ok(text) => text,
            Err(why) => {
                let before = source.bytes.get(..why.valid_up_to()).unwrap_or_default();
                let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
                problems.push(unreadable(source.path, u32::try_from(line).unwrap_or(u32::MAX), "expected UTF-8".to_owned()));
                continue;
            }
        };
        match parser::parse(text) {
            Ok(file) => files.push((source.path.to_owned(), file)),
            Err(problem) => problems.push(unreadable(source.path, problem.line, problem.message)),
        }
    }
    if problems.is_empty() {
        match link::link(root, &files) {
            Ok(tree) => return Ok(tree),
            Err(found) => problems = found,
        }
    }
    problems.truncate(PROBLEMS_MAX);
    Err(problems)
}
