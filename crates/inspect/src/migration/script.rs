//! One file of a migration: bytes to statements, with lines, waivers and what cannot be read.
//!
//! Does not judge; what PostgreSQL's grammar refuses is refused here, with line and column.

use super::statement::{Statement, What};
use super::tree::{K, Node, literal, text};
use super::{bounds, read, refused, since};
use squawk_syntax::SourceFile;
use squawk_syntax::ast::AstNode as _;

/// Why a file is no migration for PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct Unreadable {
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub message: String,
}

/// `-- holdpoint:allow RULE[, RULE] reason`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    pub line: u32,
    pub rules: Vec<String>,
    pub reason: String,
    /// Index of the statement it belongs to.
    pub statement: Option<usize>,
}

#[derive(Debug)]
pub struct Script {
    pub name: String,
    pub statements: Vec<Statement>,
    pub waivers: Vec<Waiver>,
}

/// Byte offsets at which lines begin.
pub struct Lines(Vec<usize>);

impl Lines {
    pub fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1)).collect())
    }
    /// From 1.
    pub fn line(&self, offset: usize) -> u32 {
        u32::try_from(self.0.partition_point(|start| *start <= offset)).unwrap_or(u32::MAX)
    }
    /// In characters, from 1.
    pub fn column(&self, text: &str, offset: usize) -> u32 {
        let start = self.0[..self.0.partition_point(|start| *start <= offset)].last().copied().unwrap_or(0);
        let before = text.get(start..offset).unwrap_or_default().chars().count();
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }
}

/// Reads one file.
///
/// # Errors
/// What is no UTF-8, nested beyond [`bounds`], or no SQL for PostgreSQL: every place, first one first, at most 20.
pub fn read(name: &str, bytes: &[u8]) -> Result<Script, Vec<Unreadable>> {
    let at = |line, column, message: String| Unreadable { file: name.to_owned(), line, column, message };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let source = std::str::from_utf8(bytes).map_err(|why| {
        let line = bytes.iter().take(why.valid_up_to()).filter(|byte| **byte == b'\n').count() + 1;
        vec![at(u32::try_from(line).unwrap_or(u32::MAX), 1, "expected UTF-8 text".to_owned())]
    })?;
    let lines = Lines::of(source);
    let place = |offset: usize, message: String| at(lines.line(offset), lines.column(source, offset), message);
    bounds::check(source).map_err(|(offset, message)| vec![place(offset, message)])?;
    let parse = SourceFile::parse(source);
    let mut errors: Vec<(usize, String)> =
        parse.errors().iter().take(20).map(|error| (error.range().start().into(), error.message().to_owned())).collect();
    let root = parse.tree().syntax().clone();
    if errors.is_empty() {
        errors = root.children().flat_map(|node| refused::in_statement(&node)).take(20).collect();
    }
    if !errors.is_empty() {
        errors.sort();
        errors.dedup_by_key(|(offset, _)| *offset);
        return Err(errors.into_iter().map(|(offset, message)| place(offset, message)).collect());
    }
    let statements: Vec<Statement> = root.children().filter(|node| node.kind() != K::EMPTY_STMT).map(|node| one(&node, &lines)).collect();
    let waivers = if source.contains("holdpoint:allow") { waivers(&root, &lines, &statements) } else { Vec::new() };
    Ok(Script { name: name.to_owned(), statements, waivers })
}

fn one(node: &Node, lines: &Lines) -> Statement {
    let range = node.text_range();
    let (start, end) = (usize::from(range.start()), usize::from(range.end()));
    let mut statement = Statement {
        line: lines.line(start),
        end_line: lines.line(end.saturating_sub(1)),
        start,
        end,
        head: text(node, 72),
        what: read::statement(node),
        literals: Vec::new(),
        needs: Vec::new(),
        too_long: Vec::new(),
    };
    walk(node, &mut statement);
    statement
}

/// The one walk over the whole statement.
fn walk(node: &Node, statement: &mut Statement) {
    // Values that a statement only declares are not used by it.
    let uses = !matches!(statement.what, What::EnumValue { .. } | What::CreateEnum { .. } | What::Set { .. } | What::Comment { .. });
    for element in node.descendants_with_tokens() {
        match element {
            squawk_syntax::SyntaxElement::Node(node) => {
                if let Some(need) = since::node(&node)
                    && !statement.needs.contains(&need)
                {
                    statement.needs.push(need);
                }
            }
            squawk_syntax::SyntaxElement::Token(token) => match token.kind() {
                K::STRING if uses => statement.literals.push(literal(token.text())),
                K::IDENT if token.text().len() > 63 && token.text().trim_matches('"').len() > 63 => {
                    statement.too_long.push(token.text().to_owned());
                }
                K::INT_NUMBER | K::NUMERIC_NUMBER => {
                    if let Some(need) = since::number(token.text())
                        && !statement.needs.contains(&need)
                    {
                        statement.needs.push(need);
                    }
                }
                _ => {}
            },
        }
    }
}

fn waivers(root: &Node, lines: &Lines, statements: &[Statement]) -> Vec<Waiver> {
    let comments = root.descendants_with_tokens().filter_map(squawk_syntax::SyntaxElement::into_token);
    let mut waivers = Vec::new();
    for comment in comments.filter(|token| token.kind() == K::COMMENT) {
        let Some((_, said)) = comment.text().split_once("holdpoint:allow") else { continue };
        let said = said.trim_end_matches("*/").trim();
        // Names are separated by commas; the first word without one ends them.
        let (mut rules, mut reason, mut more) = (Vec::new(), Vec::new(), true);
        for word in said.split_whitespace() {
            if more {
                more = word.ends_with(',');
                rules.extend(word.split(',').filter(|name| !name.is_empty()).map(str::to_owned));
            } else {
                reason.push(word);
            }
        }
        let offset = usize::from(comment.text_range().start());
        let line = lines.line(offset);
        let next = statements.partition_point(|statement| statement.end <= offset);
        let before = next.checked_sub(1).filter(|index| statements[*index].end_line == line);
        let statement = before.or(Some(next).filter(|index| *index < statements.len()));
        waivers.push(Waiver { line, rules, reason: reason.join(" "), statement });
    }
    waivers
}
