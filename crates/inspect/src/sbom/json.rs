//! JSON read in place: checked once, then walked by offset, so that a document of a million components costs no tree.
//!
//! Stricter than RFC 8259 where it leaves a choice: a key may stand once in its object, surrogates come in pairs, and depth
//! and size have limits. Does not build values; whoever wants one takes the slice.

use std::borrow::Cow;
use std::collections::HashSet;

/// Larger documents are not read.
pub const BYTES_MAX: usize = 2 << 30;
/// Deeper documents are not read.
pub const DEPTH_MAX: usize = 200;
/// Up to this many keys of one object are compared one by one; beyond, by a table.
const KEYS_COMPARED: usize = 16;

/// Why a text is not taken as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct JsonError {
    /// From 1.
    pub line: u32,
    pub what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Object,
    Array,
    Text,
    Number,
    Bool,
    Null,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Object => "an object",
            Kind::Array => "a list",
            Kind::Text => "a text",
            Kind::Number => "a number",
            Kind::Bool => "true or false",
            Kind::Null => "null",
        }
    }
}

/// A text that was checked. Offsets are those of a value's first byte, as its methods hand them out.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a> {
    text: &'a str,
    root: usize,
}

impl<'a> Json<'a> {
    /// Checks the whole text.
    pub fn read(bytes: &'a [u8]) -> Result<Self, JsonError> {
        if bytes.len() > BYTES_MAX {
            return Err(JsonError { line: 1, what: format!("more than {BYTES_MAX} bytes") });
        }
        let text = std::str::from_utf8(bytes).map_err(|why| fault(bytes, why.valid_up_to(), "not UTF-8".to_owned()))?;
        let mut scan = Scan { bytes, at: if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 } };
        scan.space();
        let root = scan.at;
        scan.value(0).map_err(|what| fault(bytes, scan.at, what))?;
        scan.space();
        if scan.at < bytes.len() {
            return Err(fault(bytes, scan.at, "something follows the end of the document".to_owned()));
        }
        Ok(Self { text, root })
    }

    pub fn root(&self) -> usize {
        self.root
    }
    fn byte(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(0)
    }
    /// The line of an offset, from 1. Costs a walk from the beginning: for what is told to people only.
    pub fn line(&self, at: usize) -> u32 {
        line_of(self.text.as_bytes(), at)
    }
    pub fn kind(&self, at: usize) -> Kind {
        match self.byte(at) {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::Text,
            b't' | b'f' => Kind::Bool,
            b'n' => Kind::Null,
            _ => Kind::Number,
        }
    }
    /// JSON pointer (RFC 6901) of the value at an offset; walks from the root, so it is for what is told to people only.
    pub fn pointer(&self, target: usize) -> String {
        let (mut at, mut pointer) = (self.root, String::new());
        while at != target {
            let mut next = None;
            let mut inner = |step: &dyn std::fmt::Display, value: usize| {
                let end = self.skip(value);
                if (value..end).contains(&target) && next.is_none() {
                    next = Some((value, step.to_string()));
                }
                end
            };
            if self.kind(at) == Kind::Object {
                self.object(at, |key, value| inner(&key.replace('~', "~0").replace('/', "~1"), value));
            } else {
                self.array(at, |index, value| inner(&index, value));
            }
            let Some((value, step)) = next else { break };
            pointer.push('/');
            pointer.push_str(&step);
            at = value;
        }
        if pointer.is_empty() { "/".to_owned() } else { pointer }
    }
    /// The value's own characters.
    pub fn slice(&self, at: usize) -> &'a str {
        self.text.get(at..self.skip(at)).unwrap_or_default()
    }
    /// The text at `at`, decoded; empty where something else stands there.
    pub fn text(&self, at: usize) -> Cow<'a, str> {
        let raw = self.slice(at);
        match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
            None => Cow::Borrowed(""),
            Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
            Some(_) => Cow::Owned(serde_json::from_str(raw).unwrap_or_default()),
        }
    }
    /// The text of a member, where the value is an object that has it as a text.
    pub fn text_of(&self, at: usize, key: &str) -> Option<Cow<'a, str>> {
        let value = self.member(at, key)?;
        (self.kind(value) == Kind::Text).then(|| self.text(value))
    }
    /// Where a member's value begins.
    pub fn member(&self, at: usize, key: &str) -> Option<usize> {
        let mut found = None;
        self.object(at, |own, value| {
            if own == key {
                found = Some(value);
            }
            self.skip(value)
        });
        found
    }

    fn space(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\t' | b'\n' | b'\r') {
            at += 1;
        }
        at
    }
    /// The offset after the value.
    pub fn skip(&self, at: usize) -> usize {
        let bytes = self.text.as_bytes();
        match self.byte(at) {
            b'"' => self.after_text(at),
            b'{' | b'[' => {
                let (mut at, mut depth) = (at, 0_usize);
                while at < bytes.len() {
                    match self.byte(at) {
                        b'"' => {
                            at = self.after_text(at);
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth -= 1,
                        _ => {}
                    }
                    at += 1;
                    if depth == 0 {
                        break;
                    }
                }
                at
            }
            _ => {
                let mut at = at;
                while matches!(self.byte(at), b'0'..=b'9' | b'a'..=b'z' | b'E' | b'+' | b'-' | b'.') {
                    at += 1;
                }
                at
            }
        }
    }
    fn after_text(&self, at: usize) -> usize {
        let mut at = at + 1;
        while at < self.text.len() {
            match self.byte(at) {
                b'\\' => at += 2,
                b'"' => return at + 1,
                _ => at += 1,
            }
        }
        self.text.len()
    }
    /// Goes through an object's members; `each` gets key and offset of the value, and returns the offset after it.
    pub fn object(&self, at: usize, mut each: impl FnMut(Cow<'a, str>, usize) -> usize) -> usize {
        if self.byte(at) != b'{' {
            return self.skip(at);
        }
        let mut at = self.space(at + 1);
        while self.byte(at) == b'"' {
            let key = self.text(at);
            let value = self.space(self.space(self.after_text(at)) + 1);
            at = self.space(each(key, value));
            if self.byte(at) == b',' {
                at = self.space(at + 1);
            }
        }
        at + 1
    }
    /// Goes through a list; `each` gets index and offset, and returns the offset after the value.
    pub fn array(&self, at: usize, mut each: impl FnMut(usize, usize) -> usize) -> usize {
        if self.byte(at) != b'[' {
            return self.skip(at);
        }
        let (mut at, mut index) = (self.space(at + 1), 0);
        while at < self.text.len() && self.byte(at) != b']' {
            at = self.space(each(index, at));
            index += 1;
            if self.byte(at) == b',' {
                at = self.space(at + 1);
            }
        }
        at + 1
    }
}

fn line_of(bytes: &[u8], at: usize) -> u32 {
    let before = bytes.get(..at.min(bytes.len())).unwrap_or_default();
    u32::try_from(before.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(u32::MAX - 1) + 1
}

fn fault(bytes: &[u8], at: usize, what: String) -> JsonError {
    JsonError { line: line_of(bytes, at), what }
}

/// The check of the whole text; what it accepts, the methods above may take for granted.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Checked = Result<(), String>;

impl<'a> Scan<'a> {
    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }
    fn space(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }
    fn expected<T>(&self, what: &str) -> Result<T, String> {
        let found = match self.bytes.get(self.at) {
            None => "the document ends".to_owned(),
            Some(byte) if byte.is_ascii_graphic() => format!("found {:?}", char::from(*byte)),
            Some(byte) => format!("found byte {byte:#04x}"),
        };
        Err(format!("expected {what}, {found}"))
    }
    fn value(&mut self, depth: usize) -> Checked {
        if depth > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX}"));
        }
        match self.byte() {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.text().map(|_| ()),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.expected("a value"),
        }
    }
    fn word(&mut self, word: &[u8]) -> Checked {
        if self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(());
        }
        self.expected("a value")
    }
    fn digits(&mut self) -> Checked {
        if !self.byte().is_ascii_digit() {
            return self.expected("a digit");
        }
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }
    fn number(&mut self) -> Checked {
        if self.byte() == b'-' {
            self.at += 1;
        }
        if self.byte() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }
    /// The raw characters between the quotes.
    fn text(&mut self) -> Result<&'a [u8], String> {
        let begin = self.at + 1;
        self.at = begin;
        loop {
            match self.bytes.get(self.at) {
                None => return self.expected("the end of a text"),
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0..0x20) => return self.expected("a text without control characters"),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        Ok(self.bytes.get(begin..self.at - 1).unwrap_or_default())
    }
    fn escape(&mut self) -> Checked {
        self.at += 1;
        match self.byte() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.at += 1;
                Ok(())
            }
            b'u' => {
                let first = self.hex4()?;
                match first {
                    0xd800..0xdc00 => {
                        let low = if self.byte() == b'\\' && self.bytes.get(self.at + 1) == Some(&b'u') {
                            self.at += 1;
                            self.hex4()?
                        } else {
                            0
                        };
                        if (0xdc00..0xe000).contains(&low) { Ok(()) } else { self.expected("the second half of a surrogate pair") }
                    }
                    0xdc00..0xe000 => self.expected("the first half of a surrogate pair before its second"),
                    _ => Ok(()),
                }
            }
            _ => self.expected("an escape"),
        }
    }
    /// Four digits after the `u` that stands here.
    fn hex4(&mut self) -> Result<u32, String> {
        let mut value = 0;
        for _ in 0..4 {
            self.at += 1;
            match char::from(self.byte()).to_digit(16) {
                Some(digit) => value = 16 * value + digit,
                None => return self.expected("four hexadecimal digits"),
            }
        }
        self.at += 1;
        Ok(value)
    }
    fn array(&mut self, depth: usize) -> Checked {
        self.at += 1;
        self.space();
        if self.byte() == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            self.space();
            match self.byte() {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.expected("',' or ']'"),
            }
            self.space();
        }
    }
    fn object(&mut self, depth: usize) -> Checked {
        self.at += 1;
        self.space();
        if self.byte() == b'}' {
            self.at += 1;
            return Ok(());
        }
        let mut keys = Keys::default();
        loop {
            if self.byte() != b'"' {
                return self.expected("a key");
            }
            let key = self.text()?;
            if !keys.add(key) {
                return Err(format!("the key {:?} stands twice in one object", String::from_utf8_lossy(key)));
            }
            self.space();
            if self.byte() != b':' {
                return self.expected("':'");
            }
            self.at += 1;
            self.space();
            self.value(depth + 1)?;
            self.space();
            match self.byte() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.expected("',' or '}'"),
            }
            self.space();
        }
    }
}

/// The keys of one object so far.
#[derive(Default)]
struct Keys<'a> {
    few: Vec<Cow<'a, [u8]>>,
    many: HashSet<Cow<'a, [u8]>>,
}

impl<'a> Keys<'a> {
    /// False where it is there already.
    fn add(&mut self, raw: &'a [u8]) -> bool {
        let key = if raw.contains(&b'\\') { Cow::Owned(decoded(raw)) } else { Cow::Borrowed(raw) };
        if !self.many.is_empty() {
            return self.many.insert(key);
        }
        if self.few.contains(&key) {
            return false;
        }
        self.few.push(key);
        if self.few.len() > KEYS_COMPARED {
            self.many = self.few.drain(..).collect();
        }
        true
    }
}

fn decoded(raw: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(raw.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(raw);
    quoted.push(b'"');
    serde_json::from_slice::<String>(&quoted).map_or_else(|_| raw.to_vec(), String::into_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn walks_what_it_read() {
        let json = Json::read(br#" { "a" : [1, {"b": "x\u00e9\"y"} , []], "c":null } "#).expect("JSON");
        let list = json.member(json.root(), "a").expect("a");
        let mut kinds = Vec::new();
        json.array(list, |index, at| {
            kinds.push((index, json.kind(at)));
            json.skip(at)
        });
        assert_eq!(kinds, [(0, Kind::Number), (1, Kind::Object), (2, Kind::Array)]);
        let mut inner = None;
        json.array(list, |_, at| {
            inner = inner.clone().or(json.text_of(at, "b"));
            json.skip(at)
        });
        assert_eq!(inner.as_deref(), Some("xé\"y"));
        assert_eq!((json.pointer(json.root()), json.pointer(list)), ("/".to_owned(), "/a".to_owned()));
        let mut last = 0;
        json.array(list, |_, at| {
            last = at;
            json.skip(at)
        });
        assert_eq!(json.pointer(last), "/a/2");
    }

    #[test]
    fn refusals_name_the_line() {
        let refused = |text: &str| Json::read(text.as_bytes()).expect_err(text).to_string();
        assert_eq!(refused("{\n\"a\":1,\n\"a\":2}"), "line 3: the key \"a\" stands twice in one object");
        assert_eq!(refused("{\"a\":1,\"\\u0061\":2}"), "line 1: the key \"\\\\u0061\" stands twice in one object");
        assert_eq!(refused("[1,]"), "line 1: expected a value, found ']'");
        for text in ["", "{", "01", "1.", "\"\\ud800\"", "\"\\udc00\"", "\"\n\"", "[1] 2", "nul", "{a:1}", "\"\\ud800\\u0041\""] {
            refused(text);
        }
        let deep = "[".repeat(100_000);
        assert!(refused(&deep).contains("deeper"), "depth");
    }

    #[test]
    fn many_keys_are_compared_too() {
        let members: Vec<String> = (0..40).map(|n| format!("\"k{n}\":0")).collect();
        assert!(Json::read(format!("{{{}}}", members.join(",")).as_bytes()).is_ok());
        assert!(Json::read(format!("{{{},\"k3\":1}}", members.join(",")).as_bytes()).is_err());
    }

    proptest! {
        /// serde_json is the judge of what is JSON, apart from what is deliberately stricter here.
        #[test]
        fn agrees_with_serde(text in r#"[\[\]{},:"0-9eE.+\-a-c\\nu tlrfs]{0,24}"#) {
            let ours = Json::read(text.as_bytes());
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            match (ours, theirs) {
                (Ok(json), theirs) => {
                    prop_assert!(theirs.is_ok(), "{text}: {theirs:?}");
                    prop_assert_eq!(json.slice(json.root()), text.trim_matches([' ', '\n']));
                }
                (Err(why), Ok(_)) => prop_assert!(why.what.contains("twice"), "{text}: {why}"),
                _ => {}
            }
        }
    }
}
