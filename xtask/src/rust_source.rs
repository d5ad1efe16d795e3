//! Splits Rust source into what is code, what is a literal and what is a test: enough for rules, no parser.
//!
//! Everything that is not code is blanked in place, so a position in `code` is a position in the file.

use std::ops::Range;

pub struct Literal {
    pub at: usize,
    /// As written between the quotes, escapes not resolved.
    pub text: String,
}

pub struct RustSource {
    /// The source with comments and the insides of literals blanked.
    pub code: String,
    pub literals: Vec<Literal>,
    tests: Vec<Range<usize>>,
}

impl RustSource {
    pub fn new(text: &str) -> Self {
        let mut lexer = Lexer { bytes: text.as_bytes(), at: 0, code: text.as_bytes().to_vec(), literals: Vec::new() };
        lexer.run();
        // Only whole runs of non-ASCII bytes are ever blanked, so this stays valid text; if not, the file is judged as empty.
        let code = String::from_utf8(lexer.code).unwrap_or_default();
        let tests = test_ranges(&code);
        Self { code, literals: lexer.literals, tests }
    }

    /// Code that ships: without `#[cfg(test)]` items and test functions.
    pub fn shipped(&self) -> String {
        let mut bytes = self.code.clone().into_bytes();
        for range in &self.tests {
            blank(&mut bytes[range.clone()]);
        }
        String::from_utf8(bytes).unwrap_or_default()
    }

    pub fn shipped_literals(&self) -> impl Iterator<Item = &Literal> {
        self.literals.iter().filter(|literal| !self.in_test(literal.at))
    }

    pub fn in_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }
}

/// 1-based line of a position.
pub fn line_at(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Every position where `word` stands as a word of its own (it may contain `::`).
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let bytes = code.as_bytes();
        let before = at.checked_sub(1).map(|i| bytes[i]);
        let after = bytes.get(at + word.len()).copied();
        let is_word = |byte: Option<u8>| byte.is_some_and(|b| b == b'_' || b.is_ascii_alphanumeric());
        !is_word(before) && !is_word(after)
    })
}

/// What follows `PREFIX::`, also inside `PREFIX::{a::b, c}`: (position, first segment after the prefix).
pub fn segments_after(code: &str, prefix: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let path = format!("{prefix}::");
    for at in words(code, prefix).filter(|at| code[*at..].starts_with(&path)) {
        let rest = &code[at + path.len()..];
        if !rest.starts_with('{') {
            found.push((at, identifier(rest).to_owned()));
            continue;
        }
        let mut depth = 0usize;
        let mut start = true;
        for (i, byte) in rest.bytes().enumerate() {
            match byte {
                b'{' => {
                    depth += 1;
                    start = depth == 1;
                }
                b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                b',' if depth == 1 => start = true,
                byte if byte.is_ascii_whitespace() => {}
                _ if start => {
                    found.push((at + path.len() + i, identifier(&rest[i..]).to_owned()));
                    start = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !(c == '_' || c.is_ascii_alphanumeric())).unwrap_or(text.len());
    &text[..end]
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    code: Vec<u8>,
    literals: Vec<Literal>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while self.at < self.bytes.len() {
            let rest = &self.bytes[self.at..];
            match rest[0] {
                b'/' if rest.starts_with(b"//") => self.skip_to(find(rest, b"\n").unwrap_or(rest.len())),
                b'/' if rest.starts_with(b"/*") => self.skip_to(block_comment(rest)),
                b'"' => self.string(),
                b'r' if !self.after_word() => match raw_opening(rest) {
                    Some(hashes) => self.raw_string(hashes),
                    None => self.at += 1,
                },
                // `br"…"` and `cr"…"`: the prefix is passed over here, the `r` would then look like the end of a word.
                b'b' | b'c' if !self.after_word() && rest.get(1) == Some(&b'r') && raw_opening(&rest[1..]).is_some() => {
                    self.at += 1;
                    self.raw_string(raw_opening(&rest[1..]).unwrap_or(0));
                }
                b'\'' => self.quote(),
                _ => self.at += 1,
            }
        }
    }

    fn after_word(&self) -> bool {
        self.at > 0 && (self.bytes[self.at - 1] == b'_' || self.bytes[self.at - 1].is_ascii_alphanumeric())
    }

    fn skip_to(&mut self, length: usize) {
        blank(&mut self.code[self.at..self.at + length]);
        self.at += length;
    }

    fn literal(&mut self, start: usize, end: usize) {
        self.literals.push(Literal { at: start, text: String::from_utf8_lossy(&self.bytes[start..end]).into_owned() });
        blank(&mut self.code[start..end]);
    }

    fn string(&mut self) {
        let start = self.at + 1;
        let mut end = start;
        while end < self.bytes.len() && self.bytes[end] != b'"' {
            end += if self.bytes[end] == b'\\' { 2 } else { 1 };
        }
        let end = end.min(self.bytes.len());
        self.literal(start, end);
        self.at = end + 1;
    }

    fn raw_string(&mut self, hashes: usize) {
        let start = self.at + 1 + hashes + 1;
        let mut closing = vec![b'"'];
        closing.resize(1 + hashes, b'#');
        let end = find(&self.bytes[start..], &closing).map_or(self.bytes.len(), |length| start + length);
        self.literal(start, end);
        self.at = (end + closing.len()).min(self.bytes.len());
    }

    /// A character literal or a lifetime.
    fn quote(&mut self) {
        let rest = &self.bytes[self.at..];
        let end = match rest.get(1) {
            Some(b'\\') => rest.iter().skip(3).position(|byte| *byte == b'\'').map(|i| i + 3),
            Some(byte) => {
                let length = match byte {
                    0..=0x7f => 1,
                    0xc0..=0xdf => 2,
                    0xe0..=0xef => 3,
                    _ => 4,
                };
                (rest.get(1 + length) == Some(&b'\'')).then_some(1 + length)
            }
            None => None,
        };
        match end {
            Some(end) => {
                blank(&mut self.code[self.at + 1..self.at + end]);
                self.at += end + 1;
            }
            None => self.at += 1,
        }
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0usize);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// How many hashes a raw string has that starts here with `r`.
fn raw_opening(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    (rest.get(1 + hashes) == Some(&b'"')).then_some(hashes)
}

const TEST_ATTRIBUTES: [&str; 4] = ["#[cfg(test)]", "#[cfg(all(test", "#[test]", "#[tokio::test"];

fn test_ranges(code: &str) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut starts: Vec<usize> = TEST_ATTRIBUTES.iter().flat_map(|attribute| code.match_indices(attribute).map(|(at, _)| at)).collect();
    starts.sort_unstable();
    for start in starts {
        if ranges.last().is_none_or(|last| start >= last.end) {
            ranges.push(start..item_end(code, start));
        }
    }
    ranges
}

/// The end of the item whose attribute starts at `start`: the closing brace of its first block, or its semicolon.
fn item_end(code: &str, start: usize) -> usize {
    let (mut brackets, mut braces) = (0i32, 0i32);
    for (i, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b'{' => braces += 1,
            b'}' => {
                braces -= 1;
                if braces == 0 && brackets == 0 {
                    return i + 1;
                }
            }
            b';' if brackets == 0 && braces == 0 => return i + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::{RustSource, line_at, segments_after, words};

    const SAMPLE: &str = r##"
//! use std::fs in a comment
use crate::{alpha::{x, y}, beta};
fn f<'a>(s: &'a str) -> char { let _ = "std::fs \" {"; let _ = r#"raw "std::net" }"#; '{' }
/* nested /* } */ } */
#[cfg(test)]
mod tests { fn g() { let x = "in a test"; x.unwrap() } }
fn h() { '\'' ; b"bytes" }
"##;

    #[test]
    fn comments_and_literals_are_no_code() {
        let source = RustSource::new(SAMPLE);
        assert_eq!(source.code.len(), SAMPLE.len());
        assert!(!source.code.contains("std::fs") && !source.code.contains("std::net") && source.code.contains("fn h()"), "{}", source.code);
        let shipped: Vec<&str> = source.shipped_literals().map(|literal| literal.text.as_str()).collect();
        assert_eq!(shipped, [r#"std::fs \" {"#, r#"raw "std::net" }"#, "bytes"]);
    }

    #[test]
    fn tests_do_not_ship() {
        let shipped = RustSource::new(SAMPLE).shipped();
        assert!(!shipped.contains("unwrap") && shipped.contains("fn h()"), "{shipped}");
    }

    #[test]
    fn grouped_imports_are_seen() {
        let source = RustSource::new(SAMPLE);
        let names: Vec<String> = segments_after(&source.code, "crate").into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["alpha", "beta"]);
        assert_eq!(words("a Instant::now() MyInstant::now()", "Instant::now").count(), 1);
        assert_eq!(line_at("a\nb\nc", 4), 3);
    }
}
