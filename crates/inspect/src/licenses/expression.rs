//! SPDX licence expressions (SPDX 2.3 annex D; 3.0 annex B adds operators in lower case and `AdditionRef-`).
//!
//! Parses and keeps the structure; what is allowed is a policy's matter.

use super::list;
use std::fmt;

/// Longer expressions are not read.
const BYTES_MAX: usize = 16 << 10;
/// Deeper parentheses are not read.
const DEPTH_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// One licence, perhaps with an exception.
    Licence(Term),
    /// All of them apply.
    And(Vec<Expression>),
    /// One may be chosen.
    Or(Vec<Expression>),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term {
    /// Spelled as on the list, or `LicenseRef-…`, `DocumentRef-…:LicenseRef-…`, or as written where it is not on the list.
    pub id: String,
    /// `+` behind it.
    pub or_later: bool,
    pub exception: Option<String>,
    /// Neither on the list nor a reference.
    pub unknown: bool,
}

/// Why a text is no licence expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    #[error("a licence expression has at most {BYTES_MAX} bytes")]
    Size,
    #[error("the expression is empty")]
    Empty,
    #[error("at character {at}: expected {expected}, found {found:?}")]
    Expected { at: usize, expected: &'static str, found: String },
    #[error("parentheses are nested deeper than {DEPTH_MAX}")]
    Depth,
}

impl Expression {
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        if text.len() > BYTES_MAX {
            return Err(ExpressionError::Size);
        }
        let mut parser = Parser { tokens: tokens(text), next: 0, end: text.chars().count() + 1 };
        if parser.tokens.is_empty() {
            return Err(ExpressionError::Empty);
        }
        let expression = parser.or(0)?;
        match parser.peek() {
            None => Ok(expression),
            Some(_) => parser.expected("AND, OR, WITH or the end"),
        }
    }
    /// Every licence in it, from left to right.
    pub fn terms(&self) -> Vec<&Term> {
        match self {
            Expression::Licence(term) => vec![term],
            Expression::And(parts) | Expression::Or(parts) => parts.iter().flat_map(Expression::terms).collect(),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.id, if self.or_later { "+" } else { "" })?;
        match &self.exception {
            Some(exception) => write!(f, " WITH {exception}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, word) = match self {
            Expression::Licence(term) => return term.fmt(f),
            Expression::And(parts) => (parts, " AND "),
            Expression::Or(parts) => (parts, " OR "),
        };
        for (index, part) in parts.iter().enumerate() {
            let separator = if index == 0 { "" } else { word };
            match (self, part) {
                (Expression::And(_), Expression::Or(_)) => write!(f, "{separator}({part})")?,
                _ => write!(f, "{separator}{part}")?,
            }
        }
        Ok(())
    }
}

/// Words and parentheses with the character they begin at, from 1.
fn tokens(text: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    let mut begin: Option<(usize, usize)> = None;
    for (index, (at, character)) in text.char_indices().enumerate() {
        let paren = matches!(character, '(' | ')');
        if (paren || character.is_whitespace())
            && let Some((number, from)) = begin.take()
        {
            tokens.push((number, text.get(from..at).unwrap_or_default()));
        }
        if paren {
            tokens.push((index + 1, text.get(at..=at).unwrap_or_default()));
        } else if !character.is_whitespace() && begin.is_none() {
            begin = Some((index + 1, at));
        }
    }
    if let Some((number, from)) = begin {
        tokens.push((number, text.get(from..).unwrap_or_default()));
    }
    tokens
}

struct Parser<'a> {
    tokens: Vec<(usize, &'a str)>,
    next: usize,
    end: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.next).map(|(_, word)| *word)
    }
    fn expected<T>(&self, expected: &'static str) -> Result<T, ExpressionError> {
        let (at, found) = self.tokens.get(self.next).map_or((self.end, "the end"), |(at, word)| (*at, *word));
        Err(ExpressionError::Expected { at, expected, found: found.chars().take(80).collect() })
    }
    fn take(&mut self, upper: &str, lower: &str) -> bool {
        let found = self.peek().is_some_and(|word| word == upper || word == lower);
        self.next += usize::from(found);
        found
    }
    fn or(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        let mut parts = vec![self.and(depth)?];
        while self.take("OR", "or") {
            parts.push(self.and(depth)?);
        }
        Ok(joined(parts, Expression::Or))
    }
    fn and(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        let mut parts = vec![self.one(depth)?];
        while self.take("AND", "and") {
            parts.push(self.one(depth)?);
        }
        Ok(joined(parts, Expression::And))
    }
    fn one(&mut self, depth: usize) -> Result<Expression, ExpressionError> {
        if depth > DEPTH_MAX {
            return Err(ExpressionError::Depth);
        }
        if self.take("(", "(") {
            let inner = self.or(depth + 1)?;
            return if self.take(")", ")") { Ok(inner) } else { self.expected("')'") };
        }
        let Some(word) = self.peek() else { return self.expected("a licence") };
        let Some(mut term) = term(word) else { return self.expected("a licence") };
        self.next += 1;
        if self.take("WITH", "with") {
            let Some(word) = self.peek().filter(|word| id_string(word)) else { return self.expected("an exception") };
            self.next += 1;
            let listed = list::exception(word);
            term.unknown |= listed.is_none() && !word.starts_with("AdditionRef-");
            term.exception = Some(listed.map_or(word, |entry| entry.id).to_owned());
        }
        Ok(Expression::Licence(term))
    }
}

/// Parentheses around the same operator say nothing.
fn joined(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let kind = std::mem::discriminant(&join(Vec::new()));
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        let same = std::mem::discriminant(&part) == kind;
        match part {
            Expression::And(inner) | Expression::Or(inner) if same => flat.extend(inner),
            other => flat.push(other),
        }
    }
    join(flat)
}

/// `idstring`: letters, digits, `-` and `.`; an operator is none.
fn id_string(word: &str) -> bool {
    let operator = matches!(word, "AND" | "OR" | "WITH" | "and" | "or" | "with");
    !operator && !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

fn term(word: &str) -> Option<Term> {
    let made = |id: &str, or_later, unknown| Term { id: id.to_owned(), or_later, exception: None, unknown };
    if let Some((document, reference)) = word.split_once(':') {
        let right = |text: &str, prefix: &str| text.strip_prefix(prefix).is_some_and(id_string);
        return (right(document, "DocumentRef-") && right(reference, "LicenseRef-")).then(|| made(word, false, false));
    }
    if let Some(rest) = word.strip_prefix("LicenseRef-") {
        return id_string(rest).then(|| made(word, false, false));
    }
    // Deprecated identifiers such as GPL-2.0+ are on the list themselves; what they mean is the licence or later.
    let (id, or_later) = word.strip_suffix('+').map_or((word, false), |id| (id, true));
    if !id_string(id) {
        return None;
    }
    match list::licence(id) {
        Some(entry) => Some(made(entry.id, or_later, false)),
        None => Some(made(id, or_later, true)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structure_and_spelling() {
        for (written, canonical) in [
            ("mit", "MIT"),
            ("MIT OR Apache-2.0 AND BSD-3-Clause", "MIT OR Apache-2.0 AND BSD-3-Clause"),
            ("(MIT OR Apache-2.0) AND BSD-3-Clause", "(MIT OR Apache-2.0) AND BSD-3-Clause"),
            ("((MIT))", "MIT"),
            ("MIT AND (ISC AND (Zlib))", "MIT AND ISC AND Zlib"),
            ("MIT AND (ISC OR (Zlib OR X11))", "MIT AND (ISC OR Zlib OR X11)"),
            ("GPL-2.0+ WITH classpath-exception-2.0", "GPL-2.0+ WITH Classpath-exception-2.0"),
            ("mit or apache-2.0", "MIT OR Apache-2.0"),
            ("LicenseRef-own.1", "LicenseRef-own.1"),
            ("DocumentRef-spdx-tool-1.2:LicenseRef-MIT-Style-2", "DocumentRef-spdx-tool-1.2:LicenseRef-MIT-Style-2"),
            ("MIT WITH AdditionRef-x", "MIT WITH AdditionRef-x"),
        ] {
            let read = Expression::parse(written).expect(written);
            assert_eq!(read.to_string(), canonical);
            assert_eq!(Expression::parse(canonical).expect(canonical), read);
            assert!(read.terms().iter().all(|term| !term.unknown), "{written}");
        }
        let unknown = Expression::parse("MIT OR Foo-1.0").expect("grammar");
        assert_eq!(unknown.terms().iter().map(|term| term.unknown).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn what_is_no_expression() {
        for (text, why) in [
            ("", "the expression is empty"),
            ("MIT OR", "at character 7: expected a licence, found \"the end\""),
            ("MIT Apache-2.0", "at character 5: expected AND, OR, WITH or the end, found \"Apache-2.0\""),
            ("(MIT", "at character 5: expected ')', found \"the end\""),
            ("MIT Or Apache-2.0", "at character 5: expected AND, OR, WITH or the end, found \"Or\""),
            ("MIT/X11", "at character 1: expected a licence, found \"MIT/X11\""),
            ("AND", "at character 1: expected a licence, found \"AND\""),
            ("MIT WITH (x)", "at character 10: expected an exception, found \"(\""),
        ] {
            assert_eq!(Expression::parse(text).expect_err(text).to_string(), why);
        }
        let deep = format!("{}MIT{}", "(".repeat(5000), ")".repeat(5000));
        assert_eq!(Expression::parse(&deep), Err(ExpressionError::Depth));
    }
}
