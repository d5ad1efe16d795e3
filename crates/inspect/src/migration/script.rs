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
    offset: usize,
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
    let ends = bounds::check(source).map_err(|(offset, message)| vec![place(offset, message)])?;
    let mut errors = Vec::new();
    let mut script = Script { name: name.to_owned(), statements: Vec::new(), waivers: Vec::new() };
    let mut start = 0;
    for end in ends {
        part(&source[start..end], start, &lines, &mut script, &mut errors);
        start = end;
    }
    if !errors.is_empty() {
        errors.sort();
        errors.dedup_by_key(|(offset, _)| *offset);
        return Err(errors.into_iter().take(20).map(|(offset, message)| place(offset, message)).collect());
    }
    for waiver in &mut script.waivers {
        belongs(waiver, &script.statements);
    }
    Ok(script)
}

/// Parses one part of the file, which begins at byte `base` of it.
fn part(source: &str, base: usize, lines: &Lines, script: &mut Script, errors: &mut Vec<(usize, String)>) {
    let parse = SourceFile::parse(source);
    errors.extend(parse.errors().iter().take(20).map(|error| (base + usize::from(error.range().start()), error.message().to_owned())));
    if !errors.is_empty() {
        return;
    }
    let root = parse.tree().syntax().clone();
    for node in root.children().filter(|node| node.kind() != K::EMPTY_STMT) {
        let (statement, refused) = one(&node, source, base, lines);
        errors.extend(refused.into_iter().chain(refused::whole(&node)).map(|(offset, message)| (base + offset, message)));
        script.statements.push(statement);
    }
    if source.contains("holdpoint:allow") {
        waivers(&root, base, lines, &mut script.waivers);
    }
}

/// The statement, and what PostgreSQL refuses in it.
fn one(node: &Node, source: &str, base: usize, lines: &Lines) -> (Statement, Vec<(usize, String)>) {
    let range = node.text_range();
    let (start, end) = (base + usize::from(range.start()), base + usize::from(range.end()));
    let mut statement = Statement {
        line: lines.line(start),
        end_line: lines.line(end.saturating_sub(1)),
        start,
        end,
        head: head(node, source),
        what: read::statement(node),
        literals: Vec::new(),
        needs: Vec::new(),
        too_long: Vec::new(),
    };
    let mut refused = Vec::new();
    walk(node, &mut statement, &mut refused);
    (statement, refused)
}

/// The first words, without line breaks and comments.
fn head(node: &Node, source: &str) -> String {
    const LENGTH: usize = 72;
    let range = node.text_range();
    let slice = source.get(usize::from(range.start())..usize::from(range.end())).unwrap_or_default();
    // No word is longer than the whole, and spaces are rare: what is looked at is a little more than what is kept.
    let near: String = slice.chars().take(2 * LENGTH).collect();
    if near.contains("--") || near.contains("/*") {
        return text(node, LENGTH);
    }
    let mut head = near.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = head.char_indices().nth(LENGTH) {
        head.truncate(cut);
        head.push('…');
    }
    head
}

/// The one walk over the whole statement.
fn walk(node: &Node, statement: &mut Statement, refused: &mut Vec<(usize, String)>) {
    // Values that a statement only declares are not used by it.
    let uses = !matches!(statement.what, What::EnumValue { .. } | What::CreateEnum { .. } | What::Set { .. } | What::Comment { .. });
    for element in node.descendants_with_tokens() {
        match element {
            squawk_syntax::SyntaxElement::Node(node) => {
                if let Some(message) = refused::in_node(&node) {
                    refused.push((usize::from(node.text_range().start()), message));
                }
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

fn waivers(root: &Node, base: usize, lines: &Lines, waivers: &mut Vec<Waiver>) {
    let comments = root.descendants_with_tokens().filter_map(squawk_syntax::SyntaxElement::into_token);
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
        let offset = base + usize::from(comment.text_range().start());
        waivers.push(Waiver { line: lines.line(offset), offset, rules, reason: reason.join(" "), statement: None });
    }
}

/// A waiver belongs to the statement that ends on its line, otherwise to the one around it or after it.
fn belongs(waiver: &mut Waiver, statements: &[Statement]) {
    let next = statements.partition_point(|statement| statement.end <= waiver.offset);
    let before = next.checked_sub(1).filter(|index| statements[*index].end_line == waiver.line);
    waiver.statement = before.or(Some(next).filter(|index| *index < statements.len()));
}
