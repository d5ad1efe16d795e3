//! GraphQL text into tokens (October 2021, section 2.1), each with its line.
//!
//! Comments and commas mean nothing and are gone; what stands inside block strings is kept as it is written.

use crate::document::ReadError;

/// Files beyond this many bytes are not read.
pub const BYTES_MAX: usize = 64 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'a> {
    /// One of `! $ & ( ) : = @ [ ] { | }`, or `.` for three of them.
    Mark(char),
    Name(&'a str),
    Number(&'a str),
    /// Between the quotes, escapes as written.
    Text(&'a str),
}

/// All tokens of a file with their lines (from 1), and the last line.
pub struct Tokens<'a> {
    pub list: Vec<(Token<'a>, u32)>,
    pub last_line: u32,
}

struct Lexer<'a> {
    file: &'a str,
    source: &'a str,
    at: usize,
    line: u32,
}

pub fn tokens<'a>(file: &'a str, bytes: &'a [u8]) -> Result<Tokens<'a>, ReadError> {
    let wrong = |line: u32, what: &str| ReadError { file: file.to_owned(), line, what: what.to_owned() };
    if bytes.len() > BYTES_MAX {
        return Err(wrong(1, "the file is larger than 64 MiB"));
    }
    let source = std::str::from_utf8(bytes).map_err(|why| {
        let before = bytes.get(..why.valid_up_to()).unwrap_or_default();
        wrong(1 + before.iter().filter(|byte| **byte == b'\n').count() as u32, "expected UTF-8")
    })?;
    let mut lexer = Lexer { file, source, at: 0, line: 1 };
    let mut list = Vec::new();
    while let Some(token) = lexer.token()? {
        list.push(token);
    }
    Ok(Tokens { list, last_line: lexer.line })
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }
    fn wrong(&self, what: impl Into<String>) -> ReadError {
        ReadError { file: self.file.to_owned(), line: self.line, what: what.into() }
    }
    /// Takes characters as long as they are so.
    fn take(&mut self, so: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|character| !so(character)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn token(&mut self) -> Result<Option<(Token<'a>, u32)>, ReadError> {
        loop {
            match self.rest().chars().next() {
                None => return Ok(None),
                Some('\n') => {
                    self.line += 1;
                    self.at += 1;
                }
                Some(' ' | '\t' | '\r' | ',') => self.at += 1,
                Some('\u{feff}') => self.at += '\u{feff}'.len_utf8(),
                Some('#') => _ = self.take(|character| character != '\n'),
                Some(first) => {
                    let line = self.line;
                    return self.meaning(first).map(|token| Some((token, line)));
                }
            }
        }
    }

    fn meaning(&mut self, first: char) -> Result<Token<'a>, ReadError> {
        match first {
            '!' | '$' | '&' | '(' | ')' | ':' | '=' | '@' | '[' | ']' | '{' | '|' | '}' => {
                self.at += 1;
                Ok(Token::Mark(first))
            }
            '.' if self.rest().starts_with("...") => {
                self.at += 3;
                Ok(Token::Mark('.'))
            }
            '"' if self.rest().starts_with("\"\"\"") => self.block(),
            '"' => self.text(),
            '-' | '0'..='9' => Ok(Token::Number(self.take(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')))),
            'a'..='z' | 'A'..='Z' | '_' => Ok(Token::Name(self.take(|c| c.is_ascii_alphanumeric() || c == '_'))),
            other => Err(self.wrong(format!("expected a name, a value or punctuation, found {other:?}"))),
        }
    }

    fn text(&mut self) -> Result<Token<'a>, ReadError> {
        self.at += 1;
        let rest = self.rest();
        let mut escaped = false;
        for (place, character) in rest.char_indices() {
            match character {
                '\n' | '\r' => break,
                '"' if !escaped => {
                    self.at += place + 1;
                    return Ok(Token::Text(rest.get(..place).unwrap_or_default()));
                }
                _ => escaped = character == '\\' && !escaped,
            }
        }
        Err(self.wrong("expected the end of the string on its line"))
    }

    fn block(&mut self) -> Result<Token<'a>, ReadError> {
        self.at += 3;
        let rest = self.rest();
        let mut from = 0;
        while let Some(found) = rest.get(from..).and_then(|rest| rest.find("\"\"\"")) {
            let end = from + found;
            if rest.get(..end).is_some_and(|before| before.ends_with('\\')) {
                from = end + 3;
                continue;
            }
            let text = rest.get(..end).unwrap_or_default();
            self.at += end + 3;
            self.line += text.bytes().filter(|byte| *byte == b'\n').count() as u32;
            return Ok(Token::Text(text));
        }
        Err(self.wrong("expected the end of the block string"))
    }
}
