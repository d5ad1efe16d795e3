//! Strict JSON reading (RFC 8259 with the I-JSON restrictions of RFC 7493 that matter for signatures).
//!
//! Two parsers that disagree about a document are how signed documents get swapped. So: duplicate keys, trailing
//! bytes, a byte order mark, lone surrogates, depth beyond [`DEPTH_MAX`] and documents beyond the caller's size limit
//! are refused, and every refusal says where. It does not stream; documents here are bounded. Writing is
//! [`crate::canonical`].

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use crate::canonical::format_f64;

/// How many arrays and objects may be open at once.
pub const DEPTH_MAX: usize = 128;

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonErrorKind {
    /// More bytes than the caller allows.
    #[error("the document has {found} bytes, at most {limit} are read")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
        /// Bytes given.
        found: usize,
    },
    /// More than [`DEPTH_MAX`] nested arrays and objects.
    #[error("nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Something follows the value.
    #[error("bytes after the end of the document")]
    TrailingBytes,
    /// An object has the same key twice.
    #[error("duplicate key {0:?}")]
    DuplicateKey(String),
    /// The grammar is violated.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A number no double can hold, or an integer that a double would silently round.
    #[error("a number outside the range in which it is exact")]
    NumberRange,
    /// The document is JSON but not of the expected shape.
    #[error("{0}")]
    Shape(String),
}

/// A refusal with its place. `offset` counts bytes from 0; `line` and `column` count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Byte offset from the start of the document.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// JSON pointer (RFC 6901) to the innermost value in which reading stopped.
    pub path: String,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.kind)?;
        if !self.path.is_empty() {
            write!(f, " (in {})", self.path)?;
        }
        Ok(())
    }
}

impl std::error::Error for JsonError {}

/// Reads one JSON document of at most `limit` bytes.
///
/// Numbers: integers that fit `i64` or `u64` are kept exactly; other literals become the nearest double, except that an
/// integer literal outside `u64` is accepted only in the spelling in which a double prints itself.
///
/// # Errors
/// [`JsonError`] with the place of the first violation.
pub fn parse(bytes: &[u8], limit: usize) -> Result<Value, JsonError> {
    if bytes.len() > limit {
        return Err(place(bytes, Fault::new(limit, JsonErrorKind::TooLarge { limit, found: bytes.len() })));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| place(bytes, Fault::new(e.valid_up_to(), JsonErrorKind::NotUtf8)))?;
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0 };
    reader.document().map_err(|fault| place(bytes, *fault))
}

/// Reads a document of a known shape; the strictness of [`parse`] first, then serde's.
///
/// # Errors
/// [`JsonError`]; for [`JsonErrorKind::Shape`] the place is the start of the document, the message names the field.
pub fn read<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, JsonError> {
    let value = parse(bytes, limit)?;
    shape(value)
}

/// Gives a parsed value its shape.
///
/// # Errors
/// [`JsonErrorKind::Shape`] with serde's message.
pub fn shape<T: DeserializeOwned>(value: Value) -> Result<T, JsonError> {
    serde_json::from_value(value).map_err(|e| JsonError {
        kind: JsonErrorKind::Shape(e.to_string()),
        offset: 0,
        line: 1,
        column: 1,
        path: String::new(),
    })
}

struct Fault {
    offset: usize,
    kind: JsonErrorKind,
    path: Vec<String>,
}

impl Fault {
    fn new(offset: usize, kind: JsonErrorKind) -> Fault {
        Fault { offset, kind, path: Vec::new() }
    }
}

/// Counting lines only when something is wrong keeps reading fast.
fn place(bytes: &[u8], fault: Fault) -> JsonError {
    let before = &bytes[..fault.offset.min(bytes.len())];
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |p| p + 1);
    let path = fault.path.iter().rev().map(|s| format!("/{}", s.replace('~', "~0").replace('/', "~1"))).collect();
    JsonError {
        kind: fault.kind,
        offset: fault.offset,
        line: 1 + before.iter().filter(|b| **b == b'\n').count(),
        column: 1 + before[line_start..].iter().filter(|b| (**b & 0xC0) != 0x80).count(),
        path,
    }
}

type Read<T> = Result<T, Box<Fault>>;

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn document(&mut self) -> Read<Value> {
        let value = self.value(0)?;
        self.space();
        if self.at < self.bytes.len() {
            return self.fail(JsonErrorKind::TrailingBytes);
        }
        Ok(value)
    }

    fn fail<T>(&self, kind: JsonErrorKind) -> Read<T> {
        Err(Box::new(Fault::new(self.at, kind)))
    }

    fn expected<T>(&self, what: &'static str) -> Read<T> {
        self.fail(JsonErrorKind::Expected(what))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Read<Value> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string().map(Value::String),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.expected("a value"),
        }
    }

    fn word(&mut self, word: &'static str, value: Value) -> Read<Value> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(value);
        }
        self.expected(word)
    }

    fn open(&mut self, depth: usize) -> Read<()> {
        if depth > DEPTH_MAX {
            return self.fail(JsonErrorKind::TooDeep);
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Read<Value> {
        self.open(depth)?;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            let item = self.value(depth).map_err(|mut fault| {
                fault.path.push(items.len().to_string());
                fault
            })?;
            items.push(item);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                _ => return self.expected("',' or ']'"),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Read<Value> {
        self.open(depth)?;
        let mut members = Map::new();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(members));
        }
        loop {
            self.space();
            let key_at = self.at;
            if self.peek() != Some(b'"') {
                return self.expected("a key in double quotes");
            }
            let key = self.string()?;
            if members.contains_key(&key) {
                self.at = key_at;
                return self.fail(JsonErrorKind::DuplicateKey(key));
            }
            let value = self.member(depth).map_err(|mut fault| {
                fault.path.push(key.clone());
                fault
            })?;
            members.insert(key, value);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(members));
                }
                _ => return self.expected("',' or '}'"),
            }
        }
    }

    fn member(&mut self, depth: usize) -> Read<Value> {
        self.space();
        if self.peek() != Some(b':') {
            return self.expected("':'");
        }
        self.at += 1;
        self.value(depth)
    }

    fn string(&mut self) -> Read<String> {
        self.at += 1;
        let mut out = String::new();
        let mut run = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    out.push_str(&self.text[run..self.at]);
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    out.push_str(&self.text[run..self.at]);
                    self.at += 1;
                    out.push(self.escape()?);
                    run = self.at;
                }
                Some(0..=0x1F) => return self.expected("an escaped control character"),
                Some(_) => self.at += 1,
                None => return self.expected("'\"'"),
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let plain = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return self.expected("one of \" \\ / b f n r t u after '\\'"),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode_escape(&mut self) -> Read<char> {
        let first = self.hex4()?;
        if !(0xD800..=0xDFFF).contains(&first) {
            return match char::from_u32(first) {
                Some(c) => Ok(c),
                None => self.expected("a Unicode scalar value"),
            };
        }
        if first > 0xDBFF || !self.bytes[self.at..].starts_with(b"\\u") {
            return self.expected("a complete surrogate pair");
        }
        self.at += 1;
        let second = self.hex4()?;
        if !(0xDC00..=0xDFFF).contains(&second) {
            return self.expected("a complete surrogate pair");
        }
        match char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)) {
            Some(c) => Ok(c),
            None => self.expected("a complete surrogate pair"),
        }
    }

    /// Stands on the `u`; ends after the four digits.
    fn hex4(&mut self) -> Read<u32> {
        self.at += 1;
        let mut value = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(16)) else {
                return self.expected("four hexadecimal digits");
            };
            value = value * 16 + digit;
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self) -> Read<()> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.expected("a digit");
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Read<Value> {
        let start = self.at;
        let mut integer = true;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            integer = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            integer = false;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = &self.text[start..self.at];
        match to_number(text, integer) {
            Some(number) => Ok(Value::Number(number)),
            None => {
                self.at = start;
                self.fail(JsonErrorKind::NumberRange)
            }
        }
    }
}

fn to_number(text: &str, integer: bool) -> Option<Number> {
    if integer && text != "-0" {
        if let Ok(n) = text.parse::<u64>() {
            return Some(n.into());
        }
        if let Ok(n) = text.parse::<i64>() {
            return Some(n.into());
        }
        let double = text.parse::<f64>().ok()?;
        return if format_f64(double)? == text { Number::from_f64(double) } else { None };
    }
    Number::from_f64(text.parse::<f64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn kind(text: &[u8]) -> JsonErrorKind {
        parse(text, 1 << 20).expect_err("refused").kind
    }

    #[test]
    fn reads_what_rfc_8259_allows() {
        for (text, value) in [
            ("null", json!(null)),
            (" [ ] ", json!([])),
            ("{\"a\":{\"b\":[1,-2,true,false,\"\\u0041\\ud83d\\ude00\\n\\/\"]}}", json!({"a":{"b":[1,-2,true,false,"A😀\n/"]}})),
            ("18446744073709551615", json!(u64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("1.5e3", json!(1500.0)),
            ("100000000000000000000", json!(1e20)),
        ] {
            assert_eq!(parse(text.as_bytes(), 1000).as_ref(), Ok(&value), "{text}");
        }
        assert_eq!(parse(b"-0", 10).unwrap().as_f64().map(f64::is_sign_negative), Some(true));
    }

    #[test]
    fn refuses_what_two_readers_could_read_differently() {
        assert_eq!(kind(b"{\"a\":1,\"\\u0061\":2}"), JsonErrorKind::DuplicateKey("a".into()));
        assert_eq!(kind(b"{} {}"), JsonErrorKind::TrailingBytes);
        assert_eq!(kind(b"{}\0"), JsonErrorKind::TrailingBytes);
        assert_eq!(kind(b"\"\xff\""), JsonErrorKind::NotUtf8);
        assert_eq!(kind(b"1e400"), JsonErrorKind::NumberRange);
        assert_eq!(kind(b"100000000000000000001"), JsonErrorKind::NumberRange);
        for text in [
            "",
            " ",
            "\u{feff}{}",
            "[1,]",
            "{,}",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "[1 2]",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "NaN",
            "Infinity",
            "tru",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"\\u12g4\"",
            "\"\t\"",
            "\"a",
            "[",
            "{\"a\"",
            "{\"a\":",
            "// c\n1",
        ] {
            assert!(matches!(kind(text.as_bytes()), JsonErrorKind::Expected(_) | JsonErrorKind::TrailingBytes), "{text}");
        }
    }

    #[test]
    fn the_error_says_where() {
        let error = parse("{\n \"é\": {\"x\": [1, tru]}}".as_bytes(), 1000).unwrap_err();
        assert_eq!((error.line, error.column, error.offset), (2, 17, 19));
        assert_eq!(error.path, "/é/x/1");
        assert_eq!(error.to_string(), "line 2, column 17: expected true (in /é/x/1)");
    }

    #[test]
    fn limits_hold() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(nested(DEPTH_MAX).as_bytes(), 1 << 20).is_ok());
        assert_eq!(kind(nested(DEPTH_MAX + 1).as_bytes()), JsonErrorKind::TooDeep);
        assert_eq!(kind("[".repeat(100_000).as_bytes()), JsonErrorKind::TooDeep);
        assert_eq!(parse(b"[1]", 2).unwrap_err().kind, JsonErrorKind::TooLarge { limit: 2, found: 3 });
    }
}
