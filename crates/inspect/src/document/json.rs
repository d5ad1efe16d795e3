//! JSON (RFC 8259) into the tree: strict, one pass, no copy of what has no escapes but the one into the tree's texts.

use super::{Broken, DEPTH_MAX, Entry, Kind, NodeId, Tree, too_deep};

struct Reader<'a> {
    tree: &'a mut Tree,
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: u32,
    depth: u16,
    /// Children of collections that are not closed yet.
    open_entries: Vec<Entry>,
    open_items: Vec<(NodeId, bool)>,
    unescaped: String,
}

pub(super) fn read(tree: &mut Tree, source: &str) -> Result<NodeId, Broken> {
    let mut reader = Reader {
        tree,
        source,
        bytes: source.as_bytes(),
        at: 0,
        line: 1,
        depth: 0,
        open_entries: Vec::new(),
        open_items: Vec::new(),
        unescaped: String::new(),
    };
    reader.space();
    let root = reader.value()?;
    reader.space();
    if reader.at < reader.bytes.len() { Err(reader.expected("the end of the file")) } else { Ok(root) }
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
    fn space(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => self.line += 1,
                b' ' | b'\t' | b'\r' => {}
                _ => return,
            }
            self.at += 1;
        }
    }
    fn expected(&self, what: &str) -> Broken {
        let found = self.source.get(self.at..).and_then(|rest| rest.chars().next());
        let found = found.map_or("the end of the file".to_owned(), |character| format!("{character:?}"));
        Broken::new(self.line, format!("expected {what}, found {found}"))
    }
    fn eat(&mut self, byte: u8, what: &str) -> Result<(), Broken> {
        if self.peek() != Some(byte) {
            return Err(self.expected(what));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self) -> Result<NodeId, Broken> {
        let line = self.line;
        match self.peek() {
            Some(b'{') => self.nested(Self::map),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => {
                let (start, end, escaped) = self.string()?;
                let (source, unescaped) = (self.source, std::mem::take(&mut self.unescaped));
                let text = if escaped { unescaped.as_str() } else { source.get(start..end).unwrap_or_default() };
                let node = self.tree.add_scalar(Kind::Text, line, text);
                self.unescaped = unescaped;
                Ok(node)
            }
            Some(b't') => self.word("true", Kind::Bool),
            Some(b'f') => self.word("false", Kind::Bool),
            Some(b'n') => self.word("null", Kind::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.expected("a value")),
        }
    }
    fn nested(&mut self, read: fn(&mut Self) -> Result<NodeId, Broken>) -> Result<NodeId, Broken> {
        if self.depth >= DEPTH_MAX {
            return Err(too_deep(self.line));
        }
        self.depth += 1;
        let node = read(self);
        self.depth -= 1;
        node
    }
    fn word(&mut self, word: &str, kind: Kind) -> Result<NodeId, Broken> {
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(self.tree.add_scalar(kind, self.line, word))
    }
    fn number(&mut self) -> Result<NodeId, Broken> {
        let start = self.at;
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while matches!(reader.peek(), Some(b'0'..=b'9')) {
                reader.at += 1;
            }
            if reader.at == from { Err(reader.expected("a digit")) } else { Ok(()) }
        };
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            digits(self)?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            digits(self)?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            digits(self)?;
        }
        let text = self.source.get(start..self.at).unwrap_or_default();
        Ok(self.tree.add_scalar(Kind::Number, self.line, text))
    }

    fn list(&mut self) -> Result<NodeId, Broken> {
        let (line, from) = (self.line, self.open_items.len());
        self.at += 1;
        self.space();
        if self.peek() != Some(b']') {
            loop {
                self.space();
                let item = self.value()?;
                self.open_items.push((item, false));
                self.space();
                if self.peek() != Some(b',') {
                    break;
                }
                self.at += 1;
            }
        }
        self.eat(b']', "`,` or `]`")?;
        let node = self.tree.add_list(line, self.open_items.get(from..).unwrap_or_default());
        self.open_items.truncate(from);
        node
    }
    fn map(&mut self) -> Result<NodeId, Broken> {
        let (line, from) = (self.line, self.open_entries.len());
        self.at += 1;
        self.space();
        if self.peek() != Some(b'}') {
            loop {
                self.space();
                let key_line = self.line;
                if self.peek() != Some(b'"') {
                    return Err(self.expected("a key in double quotes"));
                }
                let (start, end, escaped) = self.string()?;
                let key = escaped.then(|| self.unescaped.clone());
                self.space();
                self.eat(b':', "`:`")?;
                self.space();
                let value = self.value()?;
                let key = key.as_deref().unwrap_or_else(|| self.source.get(start..end).unwrap_or_default());
                let entry = self.tree.entry(key, value, false, key_line);
                self.open_entries.push(entry);
                self.space();
                if self.peek() != Some(b',') {
                    break;
                }
                self.at += 1;
            }
        }
        self.eat(b'}', "`,` or `}`")?;
        let node = self.tree.add_map(line, self.open_entries.get(from..).unwrap_or_default());
        self.open_entries.truncate(from);
        node
    }

    /// Start and end of a string's text, and whether what counts is in `unescaped` instead.
    fn string(&mut self) -> Result<(usize, usize, bool), Broken> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let end = self.at;
                    self.at += 1;
                    return Ok((start, end, false));
                }
                Some(b'\\') => break,
                Some(byte) if byte >= 0x20 => self.at += 1,
                _ => return Err(self.expected("the end of the text on its own line")),
            }
        }
        self.unescaped.clear();
        let mut from = start;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.unescaped.push_str(self.source.get(from..self.at).unwrap_or_default());
                    self.at += 1;
                    return Ok((start, self.at - 1, true));
                }
                Some(b'\\') => {
                    self.unescaped.push_str(self.source.get(from..self.at).unwrap_or_default());
                    self.at += 1;
                    let character = self.escape()?;
                    self.unescaped.push(character);
                    from = self.at;
                }
                Some(byte) if byte >= 0x20 => self.at += 1,
                _ => return Err(self.expected("the end of the text on its own line")),
            }
        }
    }
    fn escape(&mut self) -> Result<char, Broken> {
        let byte = self.peek();
        self.at += 1;
        Ok(match byte {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.four_digits()?;
                if (0xd800..0xdc00).contains(&first) && self.bytes.get(self.at..self.at + 2) == Some(b"\\u") {
                    self.at += 2;
                    let second = self.four_digits()?;
                    let joined = 0x10000 + ((first - 0xd800) << 10) + (second.wrapping_sub(0xdc00) & 0x3ff);
                    char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER)
                } else {
                    // A lone surrogate is no character; RFC 8259 leaves open what becomes of it.
                    char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
            }
            _ => return Err(Broken::new(self.line, "expected one of \"\\/bfnrtu after a backslash")),
        })
    }
    fn four_digits(&mut self) -> Result<u32, Broken> {
        let digits = self.source.get(self.at..self.at + 4).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let digits = digits.ok_or_else(|| Broken::new(self.line, "expected four hexadecimal digits after \\u"))?;
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| Broken::new(self.line, "expected four hexadecimal digits after \\u"))
    }
}
