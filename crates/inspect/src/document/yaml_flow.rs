//! YAML on one line or in brackets: quoted and plain texts, flow lists and maps (YAML 1.2.2, sections 7.3 and 7.4).

use super::yaml::{Made, Properties, Reader, blank};
use super::{Broken, Entry, NodeId};
use std::borrow::Cow;

fn flow_sign(byte: Option<u8>) -> bool {
    matches!(byte, Some(b',' | b'[' | b']' | b'{' | b'}'))
}

impl<'a> Reader<'a> {
    /// A value that is no block collection; a plain text goes on over lines indented deeper than `parent`.
    pub fn inline(&mut self, parent: i32, properties: Properties<'a>) -> Result<Made, Broken> {
        let line = self.line;
        match self.peek() {
            Some(b'[') => Ok((self.flow_list()?, false)),
            Some(b'{') => Ok((self.flow_map()?, false)),
            Some(b'*') => self.alias(),
            Some(b'"') => {
                let text = self.double_quoted()?;
                Ok((self.scalar(&text, line, false, properties), false))
            }
            Some(b'\'') => {
                let text = self.single_quoted()?;
                Ok((self.scalar(&text, line, false, properties), false))
            }
            Some(b'@' | b'`' | b'%' | b'|' | b'>' | b']' | b'}' | b',') => Err(self.expected("a value")),
            _ => {
                let text = self.plain(parent, false)?;
                Ok((self.scalar(&text, line, true, properties), false))
            }
        }
    }

    /// A plain text; later lines are joined by [`Reader::fold_break`].
    fn plain(&mut self, parent: i32, flow: bool) -> Result<Cow<'a, str>, Broken> {
        let first = self.plain_line(flow);
        let mut text: Cow<'a, str> = Cow::Borrowed(first);
        while matches!(self.peek(), Some(b'\n' | b'\r')) {
            let back = (self.at, self.line, self.line_start);
            let breaks = self.skip_breaks();
            let ends = match self.peek() {
                None | Some(b'#') => true,
                _ if self.marker(b"---") || self.marker(b"...") => true,
                Some(b':') if flow && (blank(self.ahead(1)) || flow_sign(self.ahead(1))) => true,
                byte if flow => flow_sign(byte),
                _ => self.column() <= parent,
            };
            if ends {
                (self.at, self.line, self.line_start) = back;
                break;
            }
            let more = self.plain_line(flow);
            let text = text.to_mut();
            fold_break(text, breaks);
            text.push_str(more);
        }
        Ok(text)
    }
    /// The rest of a plain text on this line, without blanks at its end.
    fn plain_line(&mut self, flow: bool) -> &'a str {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' | b'\r' => break,
                b':' if blank(self.ahead(1)) || flow && flow_sign(self.ahead(1)) => break,
                b'#' if self.at > start && matches!(self.bytes.get(self.at - 1), Some(b' ' | b'\t')) => break,
                b',' | b'[' | b']' | b'{' | b'}' if flow => break,
                _ => self.at += 1,
            }
        }
        let text = self.cut(start, self.at).trim_end_matches([' ', '\t']);
        self.at = start + text.len();
        let end = self.at;
        self.spaces();
        // Only a line's end lets the text go on.
        if !matches!(self.peek(), Some(b'\n' | b'\r')) {
            self.at = end;
        }
        text
    }
    /// Past line breaks and the blanks around them; how many breaks there were.
    fn skip_breaks(&mut self) -> usize {
        let mut breaks = 0;
        loop {
            self.spaces();
            match self.peek() {
                Some(b'\n' | b'\r') => {
                    breaks += 1;
                    self.newline();
                }
                _ => return breaks,
            }
        }
    }

    pub fn single_quoted(&mut self) -> Result<Cow<'a, str>, Broken> {
        let opened = self.line;
        self.at += 1;
        let mut text: Cow<'a, str> = Cow::Borrowed("");
        let mut from = self.at;
        loop {
            match self.peek() {
                None => return Err(Broken::new(opened, "a single-quoted text has no end")),
                Some(b'\'') if self.ahead(1) == Some(b'\'') => {
                    self.at += 1;
                    text = append(text, self.cut(from, self.at));
                    self.at += 1;
                    from = self.at;
                }
                Some(b'\'') => {
                    text = append(text, self.cut(from, self.at));
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\n' | b'\r') => {
                    text = append(text, self.cut(from, self.at).trim_end_matches([' ', '\t']));
                    let breaks = self.quoted_breaks(opened)?;
                    fold_break(text.to_mut(), breaks);
                    from = self.at;
                }
                _ => self.at += 1,
            }
        }
    }
    pub fn double_quoted(&mut self) -> Result<Cow<'a, str>, Broken> {
        let opened = self.line;
        self.at += 1;
        let mut text: Cow<'a, str> = Cow::Borrowed("");
        let mut from = self.at;
        loop {
            match self.peek() {
                None => return Err(Broken::new(opened, "a double-quoted text has no end")),
                Some(b'"') => {
                    text = append(text, self.cut(from, self.at));
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    text = append(text, self.cut(from, self.at));
                    self.at += 1;
                    if matches!(self.peek(), Some(b'\n' | b'\r')) {
                        // An escaped break joins two lines with nothing between them.
                        let breaks = self.quoted_breaks(opened)?;
                        text.to_mut().extend(std::iter::repeat_n('\n', breaks - 1));
                    } else {
                        let character = self.escape()?;
                        text.to_mut().push(character);
                    }
                    from = self.at;
                }
                Some(b'\n' | b'\r') => {
                    text = append(text, self.cut(from, self.at).trim_end_matches([' ', '\t']));
                    let breaks = self.quoted_breaks(opened)?;
                    fold_break(text.to_mut(), breaks);
                    from = self.at;
                }
                _ => self.at += 1,
            }
        }
    }
    fn quoted_breaks(&mut self, opened: u32) -> Result<usize, Broken> {
        let breaks = self.skip_breaks();
        if self.marker(b"---") || self.marker(b"...") {
            return Err(Broken::new(opened, "a quoted text has no end before the document's"));
        }
        Ok(breaks)
    }
    fn escape(&mut self) -> Result<char, Broken> {
        let byte = self.peek();
        self.at += 1;
        let hexadecimal = |reader: &mut Self, digits: usize| {
            let text = reader.source.get(reader.at..reader.at + digits).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let text = text.ok_or_else(|| Broken::new(reader.line, format!("expected {digits} hexadecimal digits")))?;
            reader.at += digits;
            Ok(u32::from_str_radix(text, 16).unwrap_or(0))
        };
        let code = match byte {
            Some(b'x') => hexadecimal(self, 2)?,
            Some(b'u') => {
                let first = hexadecimal(self, 4)?;
                if (0xd800..0xdc00).contains(&first) && self.bytes.get(self.at..self.at + 2) == Some(b"\\u") {
                    self.at += 2;
                    let second = hexadecimal(self, 4)?;
                    0x10000 + ((first - 0xd800) << 10) + (second.wrapping_sub(0xdc00) & 0x3ff)
                } else {
                    first
                }
            }
            Some(b'U') => hexadecimal(self, 8)?,
            Some(b'0') => 0,
            Some(b'a') => 7,
            Some(b'b') => 8,
            Some(b't' | b'\t') => 9,
            Some(b'n') => 10,
            Some(b'v') => 11,
            Some(b'f') => 12,
            Some(b'r') => 13,
            Some(b'e') => 27,
            Some(byte @ (b' ' | b'"' | b'/' | b'\\')) => u32::from(byte),
            Some(b'N') => 0x85,
            Some(b'_') => 0xa0,
            Some(b'L') => 0x2028,
            Some(b'P') => 0x2029,
            _ => return Err(Broken::new(self.line, "an escape that YAML does not have; expected one of 0abtnvfre\"/\\N_LPxuU")),
        };
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// Past blanks, breaks and comments inside brackets.
    fn flow_space(&mut self) {
        loop {
            self.spaces();
            match self.peek() {
                Some(b'\n' | b'\r') => self.newline(),
                Some(b'#') if self.at == self.line_start || blank(self.bytes.get(self.at - 1).copied()) => {
                    while !matches!(self.peek(), None | Some(b'\n' | b'\r')) {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }
    /// A value inside brackets; nothing at all is null.
    fn flow_node(&mut self) -> Result<Made, Broken> {
        let mut properties = Properties::default();
        while matches!(self.peek(), Some(b'&' | b'!')) {
            self.properties(&mut properties)?;
            self.flow_space();
        }
        let line = self.line;
        let colon = self.peek() == Some(b':') && (blank(self.ahead(1)) || flow_sign(self.ahead(1)));
        let made = match self.peek() {
            None | Some(b',' | b']' | b'}') => (self.null(), false),
            _ if colon => (self.null(), false),
            Some(b'[' | b'{' | b'*' | b'"' | b'\'' | b'@' | b'`') => self.inline(-1, properties)?,
            _ => {
                let text = self.plain(-1, true)?;
                (self.scalar(&text, line, true, properties), false)
            }
        };
        if !made.1 {
            self.bind(properties, made.0);
        }
        Ok(made)
    }
    /// Whether a colon stands here; after a quoted key it needs no blank behind it.
    fn flow_colon(&self, quoted: bool) -> bool {
        self.peek() == Some(b':') && (quoted || blank(self.ahead(1)) || flow_sign(self.ahead(1)))
    }
    /// A key and its value inside brackets. The key's own node is not kept.
    fn flow_member(&mut self) -> Result<(String, bool, Made, u32), Broken> {
        if self.peek() == Some(b'?') && blank(self.ahead(1)) {
            self.at += 1;
            self.flow_space();
        }
        let line = self.line;
        let quoted = matches!(self.peek(), Some(b'"' | b'\''));
        let (key_node, _) = self.flow_node()?;
        let Some(key) = self.tree.scalar(key_node).map(str::to_owned) else {
            return Err(Broken::new(line, "a key that is a list or a map; expected a text"));
        };
        self.flow_space();
        if !self.flow_colon(quoted) {
            let null = self.null();
            return Ok((key, !quoted, (null, false), line));
        }
        self.at += 1;
        self.flow_space();
        let value = self.flow_node()?;
        Ok((key, !quoted, value, line))
    }
    fn flow_map(&mut self) -> Result<NodeId, Broken> {
        self.deeper(|reader| {
            let line = reader.line;
            reader.at += 1;
            let mut members: Vec<Entry> = Vec::new();
            let mut merges: Vec<(NodeId, u32)> = Vec::new();
            loop {
                reader.flow_space();
                if reader.peek() == Some(b'}') {
                    break;
                }
                let (key, plain, (value, alias), key_line) = reader.flow_member()?;
                if plain && key == "<<" {
                    merges.push((value, key_line));
                } else {
                    let entry = reader.tree.entry(&key, value, alias, key_line);
                    members.push(entry);
                }
                reader.flow_space();
                match reader.peek() {
                    Some(b',') => reader.at += 1,
                    Some(b'}') => {}
                    _ => return Err(reader.expected("`,` or `}`")),
                }
            }
            reader.at += 1;
            for (value, merge_line) in merges {
                reader.merge(&mut members, value, merge_line)?;
            }
            reader.tree.add_map(line, &members)
        })
    }
    fn flow_list(&mut self) -> Result<NodeId, Broken> {
        self.deeper(|reader| {
            let line = reader.line;
            reader.at += 1;
            let mut items: Vec<Made> = Vec::new();
            loop {
                reader.flow_space();
                if reader.peek() == Some(b']') {
                    break;
                }
                let (item_line, quoted) = (reader.line, matches!(reader.peek(), Some(b'"' | b'\'')));
                let mut item = reader.flow_node()?;
                reader.flow_space();
                if reader.flow_colon(quoted) {
                    // One pair without braces is a map of its own.
                    let key = reader.tree.scalar(item.0).map(str::to_owned);
                    let key = key.ok_or_else(|| Broken::new(item_line, "a key that is a list or a map; expected a text"))?;
                    reader.at += 1;
                    reader.flow_space();
                    let (value, alias) = reader.flow_node()?;
                    let entry = reader.tree.entry(&key, value, alias, item_line);
                    item = (reader.tree.add_map(item_line, &[entry])?, false);
                    reader.flow_space();
                }
                items.push(item);
                match reader.peek() {
                    Some(b',') => reader.at += 1,
                    Some(b']') => {}
                    _ => return Err(reader.expected("`,` or `]`")),
                }
            }
            reader.at += 1;
            reader.tree.add_list(line, &items)
        })
    }
}

fn append<'a>(text: Cow<'a, str>, more: &'a str) -> Cow<'a, str> {
    if text.is_empty() {
        return Cow::Borrowed(more);
    }
    let mut text = text;
    text.to_mut().push_str(more);
    text
}

/// One break is a space, more are one break fewer (section 6.5).
fn fold_break(text: &mut String, breaks: usize) {
    match breaks {
        0 => {}
        1 => text.push(' '),
        more => text.extend(std::iter::repeat_n('\n', more - 1)),
    }
}
