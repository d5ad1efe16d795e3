//! YAML 1.2.2 into the tree: block structure, anchors, aliases, merge keys. One document a file.
//!
//! Deliberately absent: tags beyond `!!str` (others leave a value what it looks like), and keys that are lists or maps,
//! which no format read here has.

use super::yaml_scalar;
use super::{Broken, DEPTH_MAX, Entry, Kind, NodeId, Tree, too_deep};
use std::collections::HashMap;

/// Members that merge keys may add to one file.
const MERGED_MAX: usize = 1_000_000;

/// A value, and whether it belongs to another place of the file.
pub(super) type Made = (NodeId, bool);

pub(super) struct Reader<'a> {
    pub tree: &'a mut Tree,
    pub source: &'a str,
    pub bytes: &'a [u8],
    pub at: usize,
    pub line: u32,
    /// Where the current line begins.
    pub line_start: usize,
    pub depth: u16,
    anchors: HashMap<&'a str, NodeId>,
    merged: usize,
}

/// What stands before a node.
#[derive(Default, Clone, Copy)]
pub(super) struct Properties<'a> {
    anchor: Option<&'a str>,
    /// The tag `!!str` or `!`: a text, whatever it looks like.
    text: bool,
}

pub(super) fn read(tree: &mut Tree, source: &str) -> Result<NodeId, Broken> {
    let mut reader =
        Reader { tree, source, bytes: source.as_bytes(), at: 0, line: 1, line_start: 0, depth: 0, anchors: HashMap::new(), merged: 0 };
    reader.prologue()?;
    let (root, _) = reader.block_node(-1, false)?;
    reader.content()?;
    if reader.marker(b"...") {
        reader.at += 3;
        reader.content()?;
    }
    if reader.marker(b"---") {
        return Err(Broken::new(reader.line, "expected one document, found the beginning of another"));
    }
    if reader.at < reader.bytes.len() { Err(reader.expected("a key or an item at the indentation of its neighbours")) } else { Ok(root) }
}

pub(super) fn blank(byte: Option<u8>) -> bool {
    matches!(byte, None | Some(b' ' | b'\t' | b'\n' | b'\r'))
}

impl<'a> Reader<'a> {
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
    pub fn ahead(&self, distance: usize) -> Option<u8> {
        self.bytes.get(self.at + distance).copied()
    }
    pub fn column(&self) -> i32 {
        i32::try_from(self.at - self.line_start).unwrap_or(i32::MAX)
    }
    pub fn cut(&self, start: usize, end: usize) -> &'a str {
        self.source.get(start..end).unwrap_or_default()
    }
    pub fn expected(&self, what: &str) -> Broken {
        let found = self.source.get(self.at..).and_then(|rest| rest.chars().next());
        let found = found.map_or("the end of the file".to_owned(), |character| format!("{character:?}"));
        Broken::new(self.line, format!("expected {what}, found {found}"))
    }
    /// A document marker at the beginning of the line.
    pub fn marker(&self, marker: &[u8]) -> bool {
        self.at == self.line_start && self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(marker)) && blank(self.ahead(3))
    }
    /// Past one line break.
    pub fn newline(&mut self) {
        if self.peek() == Some(b'\r') && self.ahead(1) == Some(b'\n') {
            self.at += 1;
        }
        self.at += 1;
        self.line += 1;
        self.line_start = self.at;
    }
    pub fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }
    fn line_end(&mut self) {
        while !matches!(self.peek(), None | Some(b'\n' | b'\r')) {
            self.at += 1;
        }
    }
    /// Past spaces, comments and line breaks, to the next content. Tabs indent nothing in block structure.
    pub fn content(&mut self) -> Result<(), Broken> {
        loop {
            let before = self.at;
            while self.peek() == Some(b' ') {
                self.at += 1;
            }
            if self.peek() == Some(b'\t') {
                let at_line_start = self.cut(self.line_start, self.at).bytes().all(|byte| byte == b' ');
                self.spaces();
                if at_line_start && !matches!(self.peek(), None | Some(b'\n' | b'\r' | b'#')) {
                    return Err(Broken::new(self.line, "a tab in the indentation; expected spaces"));
                }
            }
            match self.peek() {
                Some(b'#')
                    if self.at == self.line_start || self.at > before || self.at == 0 || blank(self.bytes.get(self.at - 1).copied()) =>
                {
                    self.line_end();
                }
                Some(b'\n' | b'\r') => self.newline(),
                _ => return Ok(()),
            }
        }
    }
    /// Directives and the first marker.
    fn prologue(&mut self) -> Result<(), Broken> {
        self.content()?;
        let mut directives = false;
        while self.peek() == Some(b'%') && self.at == self.line_start {
            directives = true;
            self.line_end();
            self.content()?;
        }
        if self.marker(b"---") {
            self.at += 3;
        } else if directives {
            return Err(self.expected("`---` after the directives"));
        }
        Ok(())
    }

    pub fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Broken>) -> Result<T, Broken> {
        if self.depth >= DEPTH_MAX {
            return Err(too_deep(self.line));
        }
        self.depth += 1;
        let made = read(self);
        self.depth -= 1;
        made
    }
    pub fn null(&mut self) -> NodeId {
        self.tree.add_scalar(Kind::Null, self.line, "")
    }
    pub fn bind(&mut self, properties: Properties<'a>, node: NodeId) {
        if let Some(anchor) = properties.anchor {
            self.anchors.insert(anchor, node);
        }
    }

    /// A node in block context whose parent is indented by `parent`. `sequence_may_hang`: a list as a key's value may stand
    /// at the key's own column.
    fn block_node(&mut self, parent: i32, sequence_may_hang: bool) -> Result<Made, Broken> {
        let from_line = self.line;
        self.content()?;
        let mut properties = Properties::default();
        let mut own_line = self.line != from_line || self.at == 0 || self.column() == 0 || parent < 0;
        loop {
            if self.peek().is_none() || self.marker(b"---") || self.marker(b"...") {
                let node = self.null();
                self.bind(properties, node);
                return Ok((node, false));
            }
            let column = self.column();
            let dash = self.peek() == Some(b'-') && blank(self.ahead(1));
            if self.line != from_line && (column < parent || column == parent && !(dash && sequence_may_hang)) {
                let node = self.null();
                self.bind(properties, node);
                return Ok((node, false));
            }
            if !matches!(self.peek(), Some(b'&' | b'!')) {
                break;
            }
            // Properties on the line of a key belong to the key.
            if own_line && self.begins_key(self.at) {
                break;
            }
            let line = self.line;
            self.properties(&mut properties)?;
            self.content()?;
            own_line |= self.line != line;
        }
        let made = self.deeper(|reader| reader.block_content(parent, own_line, properties))?;
        if !made.1 {
            self.bind(properties, made.0);
        }
        Ok(made)
    }
    fn block_content(&mut self, parent: i32, own_line: bool, properties: Properties<'a>) -> Result<Made, Broken> {
        match self.peek() {
            Some(b'-') if blank(self.ahead(1)) => {
                if !own_line {
                    return Err(Broken::new(self.line, "a list item beside a key; expected a line of its own"));
                }
                Ok((self.block_list()?, false))
            }
            Some(b'|' | b'>') => Ok((self.block_scalar(parent)?, false)),
            _ if own_line && (self.begins_key(self.at) || self.peek() == Some(b'?') && blank(self.ahead(1))) => {
                Ok((self.block_map()?, false))
            }
            _ => {
                let made = self.inline(parent, properties)?;
                self.spaces();
                if self.peek() == Some(b':') && blank(self.ahead(1)) {
                    return Err(Broken::new(self.line, "a map beside a key; expected a line of its own"));
                }
                self.line_must_end()?;
                Ok(made)
            }
        }
    }
    fn line_must_end(&mut self) -> Result<(), Broken> {
        let before = self.at;
        self.spaces();
        match self.peek() {
            None | Some(b'\n' | b'\r') => Ok(()),
            Some(b'#') if self.at > before || self.at == self.line_start || blank(self.bytes.get(self.at - 1).copied()) => Ok(()),
            _ => Err(self.expected("the end of the line")),
        }
    }
    /// Anchor and tag, in any order.
    pub fn properties(&mut self, properties: &mut Properties<'a>) -> Result<(), Broken> {
        let sign = self.peek();
        let start = self.at + 1;
        self.at = start;
        if sign == Some(b'!') && self.peek() == Some(b'<') {
            while !matches!(self.peek(), None | Some(b'>' | b'\n' | b'\r')) {
                self.at += 1;
            }
            self.at += 1;
        }
        while !blank(self.peek()) && !matches!(self.peek(), Some(b',' | b'[' | b']' | b'{' | b'}')) {
            self.at += 1;
        }
        let name = self.cut(start, self.at);
        if sign == Some(b'!') {
            properties.text = matches!(name, "" | "!str" | "<tag:yaml.org,2002:str>");
        } else if name.is_empty() {
            return Err(self.expected("a name after `&`"));
        } else {
            properties.anchor = Some(name);
        }
        Ok(())
    }
    pub fn alias(&mut self) -> Result<Made, Broken> {
        self.at += 1;
        let start = self.at;
        while !blank(self.peek()) && !matches!(self.peek(), Some(b',' | b'[' | b']' | b'{' | b'}')) {
            // `*name :` needs the blank, but `*name:` at a line's end is written as well.
            if self.peek() == Some(b':') && blank(self.ahead(1)) {
                break;
            }
            self.at += 1;
        }
        let name = self.cut(start, self.at);
        match self.anchors.get(name) {
            Some(node) => Ok((*node, true)),
            None => Err(Broken::new(self.line, format!("the alias *{name} stands for nothing: expected an anchor &{name} before it"))),
        }
    }

    /// Whether a key and its colon begin here: decided on this line alone.
    fn begins_key(&self, start: usize) -> bool {
        let mut at = start;
        let byte = |at: usize| self.bytes.get(at).copied();
        // Anchors and tags of the key.
        while matches!(byte(at), Some(b'&' | b'!')) {
            while !blank(byte(at)) {
                at += 1;
            }
            while matches!(byte(at), Some(b' ' | b'\t')) {
                at += 1;
            }
        }
        match byte(at) {
            Some(quote @ (b'"' | b'\'')) => {
                at += 1;
                loop {
                    match byte(at) {
                        None | Some(b'\n' | b'\r') => return false,
                        Some(b'\\') if quote == b'"' => at += 2,
                        Some(other) if other == quote => {
                            at += 1;
                            if quote == b'\'' && byte(at) == Some(b'\'') {
                                at += 1;
                            } else {
                                break;
                            }
                        }
                        _ => at += 1,
                    }
                }
                while matches!(byte(at), Some(b' ' | b'\t')) {
                    at += 1;
                }
                byte(at) == Some(b':') && blank(byte(at + 1))
            }
            None | Some(b'\n' | b'\r' | b'#' | b'[' | b'{' | b'|' | b'>' | b'%' | b'@' | b'`') => false,
            Some(b'-' | b'?') if blank(byte(at + 1)) => false,
            _ => loop {
                match byte(at) {
                    None | Some(b'\n' | b'\r') => return false,
                    Some(b':') if blank(byte(at + 1)) => return true,
                    Some(b'#') if at > start && matches!(byte(at - 1), Some(b' ' | b'\t')) => return false,
                    _ => at += 1,
                }
            },
        }
    }

    fn block_list(&mut self) -> Result<NodeId, Broken> {
        let (column, line) = (self.column(), self.line);
        let mut items: Vec<Made> = Vec::new();
        loop {
            let item_line = self.line;
            self.at += 1;
            // What follows the dash on its line is as if on a line of its own, at its own column.
            self.spaces();
            let inline = !matches!(self.peek(), None | Some(b'\n' | b'\r' | b'#'));
            let item = if inline { self.item(column)? } else { self.block_node(column, false)? };
            if !item.1
                && let Some(node) = self.tree.nodes.get_mut(item.0 as usize)
            {
                node.line = item_line;
            }
            items.push(item);
            self.content()?;
            let again = self.column() == column && self.peek() == Some(b'-') && blank(self.ahead(1)) && !self.marker(b"---");
            if !again {
                break;
            }
        }
        self.tree.add_list(line, &items)
    }
    /// An item on the line of its dash: may itself be a list or a map ("compact" in the standard's words).
    fn item(&mut self, parent: i32) -> Result<Made, Broken> {
        let mut properties = Properties::default();
        let line = self.line;
        while matches!(self.peek(), Some(b'&' | b'!')) && !self.begins_key(self.at) {
            self.properties(&mut properties)?;
            self.content()?;
            if self.line != line {
                if self.column() <= parent || self.peek().is_none() {
                    let node = self.null();
                    self.bind(properties, node);
                    return Ok((node, false));
                }
                break;
            }
        }
        let made = self.deeper(|reader| reader.block_content(parent, true, properties))?;
        if !made.1 {
            self.bind(properties, made.0);
        }
        Ok(made)
    }

    fn block_map(&mut self) -> Result<NodeId, Broken> {
        let (column, line) = (self.column(), self.line);
        let mut members: Vec<Entry> = Vec::new();
        let mut merges: Vec<(NodeId, u32)> = Vec::new();
        loop {
            let key_line = self.line;
            let explicit = self.peek() == Some(b'?') && blank(self.ahead(1));
            let (key, plain) = if explicit { self.explicit_key(column)? } else { self.block_key()? };
            let has_value = self.peek() == Some(b':') && blank(self.ahead(1));
            if !has_value && !explicit {
                return Err(self.expected("`:` after a key"));
            }
            let (value, alias) = if has_value {
                self.at += 1;
                self.block_node(column, true)?
            } else {
                (self.null(), false)
            };
            if plain && key == "<<" {
                merges.push((value, key_line));
            } else {
                let entry = self.tree.entry(&key, value, alias, key_line);
                members.push(entry);
            }
            self.content()?;
            if self.peek().is_none() || self.column() != column || self.marker(b"---") || self.marker(b"...") {
                break;
            }
            let explicit = self.peek() == Some(b'?') && blank(self.ahead(1));
            if !explicit && !self.begins_key(self.at) {
                return Err(self.expected("a key followed by `:`"));
            }
        }
        if self.peek().is_some() && self.column() > column {
            return Err(self.expected("a key at the indentation of the one before"));
        }
        for (value, merge_line) in merges {
            self.merge(&mut members, value, merge_line)?;
        }
        self.tree.add_map(line, &members)
    }
    fn explicit_key(&mut self, column: i32) -> Result<(std::borrow::Cow<'a, str>, bool), Broken> {
        self.at += 1;
        let (node, _) = self.block_node(column, false)?;
        let Some(key) = self.tree.scalar(node).map(str::to_owned) else {
            return Err(Broken::new(self.line, "a key that is a list or a map; expected a text"));
        };
        self.content()?;
        if self.column() != column {
            return Err(self.expected("the next key"));
        }
        Ok((key.into(), false))
    }
    /// A key, and whether it was written without quotes; leaves the reader at its colon.
    fn block_key(&mut self) -> Result<(std::borrow::Cow<'a, str>, bool), Broken> {
        let mut properties = Properties::default();
        while matches!(self.peek(), Some(b'&' | b'!')) {
            self.properties(&mut properties)?;
            self.spaces();
        }
        let line = self.line;
        let (key, plain): (std::borrow::Cow<'a, str>, bool) = match self.peek() {
            Some(b'"') => (self.double_quoted()?, false),
            Some(b'\'') => (self.single_quoted()?, false),
            Some(b'*') => {
                let (node, _) = self.alias()?;
                let key = self.tree.scalar(node).map(str::to_owned);
                (key.ok_or_else(|| Broken::new(line, "a key that is a list or a map; expected a text"))?.into(), false)
            }
            _ => {
                let start = self.at;
                loop {
                    match self.peek() {
                        None | Some(b'\n' | b'\r') => break,
                        Some(b':') if blank(self.ahead(1)) => break,
                        _ => self.at += 1,
                    }
                }
                (self.cut(start, self.at).trim_end().into(), true)
            }
        };
        if properties.anchor.is_some() {
            let node = self.tree.add_scalar(Kind::Text, line, &key);
            self.bind(properties, node);
        }
        self.spaces();
        Ok((key, plain))
    }
    /// The merge key of YAML 1.1's type repository, which tools around this format understand: what is there stays.
    pub fn merge(&mut self, members: &mut Vec<Entry>, value: NodeId, line: u32) -> Result<(), Broken> {
        let sources: Vec<NodeId> = match self.tree.kind(value) {
            Kind::Map => vec![value],
            Kind::List => self.tree.items(value).to_vec(),
            _ => return Err(Broken::new(line, "expected a map, or a list of maps, to merge")),
        };
        let mut known: HashMap<u32, Vec<Entry>> = HashMap::new();
        members.iter().for_each(|member| known.entry(member.hash).or_default().push(*member));
        for source in sources {
            if self.tree.kind(source) != Kind::Map {
                return Err(Broken::new(line, "expected a map to merge"));
            }
            self.merged += self.tree.len(source);
            if self.merged > MERGED_MAX {
                return Err(Broken::new(line, format!("merge keys add more than {MERGED_MAX} members")));
            }
            for entry in self.tree.map(source).to_vec() {
                let same = known.entry(entry.hash).or_default();
                if !same.iter().any(|other| self.tree.cut(other.key) == self.tree.cut(entry.key)) {
                    let entry = Entry { alias: true, ..entry };
                    same.push(entry);
                    members.push(entry);
                }
            }
        }
        Ok(())
    }

    /// A literal or folded text (section 8.1).
    fn block_scalar(&mut self, parent: i32) -> Result<NodeId, Broken> {
        let line = self.line;
        let folded = self.peek() == Some(b'>');
        self.at += 1;
        let (mut indent, mut chomp) = (None, b' ');
        while let Some(byte) = self.peek() {
            match byte {
                b'1'..=b'9' => indent = Some(parent.max(0) + i32::from(byte - b'0')),
                b'+' | b'-' => chomp = byte,
                _ => break,
            }
            self.at += 1;
        }
        self.line_must_end()?;
        self.line_end();
        if self.peek().is_some() {
            self.newline();
        }
        let lines = self.block_lines(parent, indent)?;
        let text = join(&lines, folded, chomp);
        Ok(self.tree.add_scalar(Kind::Text, line, &text))
    }
    /// The lines of a block text without their indentation; blank ones are empty.
    fn block_lines(&mut self, parent: i32, given: Option<i32>) -> Result<Vec<&'a str>, Broken> {
        let mut lines: Vec<&'a str> = Vec::new();
        let mut indent = given;
        while self.peek().is_some() {
            let start = self.at;
            let mut content = start;
            while self.bytes.get(content) == Some(&b' ') && indent.is_none_or(|indent| ((content - start) as i32) < indent) {
                content += 1;
            }
            let spaces = i32::try_from(content - start).unwrap_or(i32::MAX);
            if matches!(self.bytes.get(content), None | Some(b'\n' | b'\r')) {
                lines.push("");
                self.at = content;
            } else {
                if self.marker(b"---") || self.marker(b"...") || spaces <= parent || indent.is_some_and(|indent| spaces < indent) {
                    if self.bytes.get(content) == Some(&b'\t') && spaces > parent {
                        return Err(Broken::new(self.line, "a tab in the indentation; expected spaces"));
                    }
                    break;
                }
                indent.get_or_insert(spaces);
                self.line_end();
                lines.push(self.cut(content, self.at));
            }
            if self.peek().is_some() {
                self.newline();
            }
        }
        Ok(lines)
    }
    /// A scalar as its kind says.
    pub fn scalar(&mut self, text: &str, line: u32, plain: bool, properties: Properties<'a>) -> NodeId {
        let kind = if plain && !properties.text { yaml_scalar::kind(text) } else { Kind::Text };
        self.tree.add_scalar(kind, line, text)
    }
}

/// Joins a block text's lines (sections 8.1.1.2, 8.1.2, 8.1.3).
fn join(lines: &[&str], folded: bool, chomp: u8) -> String {
    let filled = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let (content, trailing) = lines.split_at(filled);
    let mut text = String::new();
    if folded {
        fold(content, &mut text);
    } else {
        text = content.join("\n");
    }
    match chomp {
        b'-' => {}
        b'+' => {
            if !content.is_empty() {
                text.push('\n');
            }
            trailing.iter().for_each(|_| text.push('\n'));
        }
        _ if !content.is_empty() => text.push('\n'),
        _ => {}
    }
    text
}

/// Line breaks between lines at the text's own indentation become spaces; those around more indented lines stay.
fn fold(lines: &[&str], text: &mut String) {
    let more = |line: &str| line.starts_with([' ', '\t']);
    let mut before: Option<&str> = None;
    let mut empty = 0;
    for line in lines {
        if line.is_empty() {
            empty += 1;
            continue;
        }
        let keeps = match before {
            None => empty,
            Some(before) if more(before) || more(line) => empty + 1,
            Some(_) if empty > 0 => empty,
            Some(_) => {
                text.push(' ');
                0
            }
        };
        text.extend(std::iter::repeat_n('\n', keeps));
        text.push_str(line);
        (before, empty) = (Some(*line), 0);
    }
}
