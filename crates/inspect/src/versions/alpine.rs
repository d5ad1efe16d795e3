//! apk's order, by the rules of apk-tools 3 (apk-package(5), "version"): numbers, one letter, suffixes, commit, revision.

use super::number::Number;
use std::cmp::Ordering;

#[derive(Debug, Clone)]
pub struct Alpine(Vec<Token>);

#[derive(Debug, Clone)]
enum Token {
    First(Number),
    /// As written: a leading zero makes it a fraction.
    Digit(String),
    Letter(u8),
    /// Place in [`SUFFIXES`].
    Suffix(usize),
    SuffixNumber(Number),
    Commit(String),
    Revision(Number),
    End,
}

const SUFFIXES: [&str; 9] = ["alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p"];
/// Suffixes before this place make a pre-release.
const PRE: usize = 4;

impl Token {
    /// The kind's place: of two versions that differ in kind, the one with the lower kind goes on longer.
    fn kind(&self) -> u8 {
        match self {
            Token::First(_) => 0,
            Token::Digit(_) => 1,
            Token::Letter(_) => 2,
            Token::Suffix(_) => 3,
            Token::SuffixNumber(_) => 4,
            Token::Commit(_) => 5,
            Token::Revision(_) => 6,
            Token::End => 7,
        }
    }
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len()))
}

pub fn read(text: &str) -> Option<Alpine> {
    let (first, mut rest) = digits(text.trim());
    let mut tokens = vec![Token::First(Number::read(first)?)];
    while let Some(after) = rest.strip_prefix('.') {
        let (number, after) = digits(after);
        Number::read(number)?;
        tokens.push(Token::Digit(number.to_owned()));
        rest = after;
    }
    if let Some(letter) = rest.bytes().next().filter(u8::is_ascii_lowercase) {
        tokens.push(Token::Letter(letter));
        rest = rest.get(1..)?;
    }
    while let Some(after) = rest.strip_prefix('_') {
        let end = after.bytes().position(|byte| !byte.is_ascii_lowercase()).unwrap_or(after.len());
        let (word, after) = after.split_at(end);
        tokens.push(Token::Suffix(SUFFIXES.iter().position(|suffix| *suffix == word)?));
        let (number, after) = digits(after);
        tokens.extend(Number::read(number).map(Token::SuffixNumber));
        rest = after;
    }
    if let Some(after) = rest.strip_prefix('~') {
        let end = after.bytes().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(after.len());
        let (commit, after) = after.split_at(end);
        if commit.is_empty() {
            return None;
        }
        tokens.push(Token::Commit(commit.to_owned()));
        rest = after;
    }
    if let Some(after) = rest.strip_prefix("-r") {
        let (number, after) = digits(after);
        tokens.push(Token::Revision(Number::read(number)?));
        rest = after;
    }
    tokens.push(Token::End);
    rest.is_empty().then_some(Alpine(tokens))
}

/// `None` where the kinds differ.
fn compare_token(a: &Token, b: &Token) -> Option<Ordering> {
    Some(match (a, b) {
        (Token::Digit(a), Token::Digit(b)) if a.starts_with('0') || b.starts_with('0') => a.cmp(b),
        (Token::Digit(a), Token::Digit(b)) => (a.len(), a).cmp(&(b.len(), b)),
        (Token::First(a), Token::First(b))
        | (Token::SuffixNumber(a), Token::SuffixNumber(b))
        | (Token::Revision(a), Token::Revision(b)) => a.cmp(b),
        (Token::Letter(a), Token::Letter(b)) => a.cmp(b),
        (Token::Suffix(a), Token::Suffix(b)) => a.cmp(b),
        (Token::Commit(a), Token::Commit(b)) => a.cmp(b),
        (Token::End, Token::End) => Ordering::Equal,
        _ => return None,
    })
}

impl Ord for Alpine {
    fn cmp(&self, other: &Self) -> Ordering {
        for (a, b) in self.0.iter().zip(&other.0) {
            match compare_token(a, b) {
                Some(Ordering::Equal) => {}
                Some(order) => return order,
                None => {
                    return match (a, b) {
                        (Token::Suffix(suffix), _) if *suffix < PRE => Ordering::Less,
                        (_, Token::Suffix(suffix)) if *suffix < PRE => Ordering::Greater,
                        _ => b.kind().cmp(&a.kind()),
                    };
                }
            }
        }
        Ordering::Equal
    }
}

impl PartialOrd for Alpine {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Alpine {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Alpine {}
