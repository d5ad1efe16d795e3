//! Documents with places: JSON and YAML read into one tree that knows file and line of every value.
//!
//! The tree is one arena for all files of a judgement; a node is a number, so walks are memoised by node and an alias
//! costs nothing however often it is used. Deliberately absent: types, schemas, and anything that reads a file.

mod json;
mod yaml;
mod yaml_flow;
mod yaml_scalar;

use std::fmt::Write as _;

/// Files beyond this many bytes are not read.
pub const BYTES_MAX: usize = 64 << 20;
/// Deeper nesting is refused; aliases count with what they stand for.
pub const DEPTH_MAX: u16 = 256;
/// Values in one file, with every alias counted as the values it stands for.
pub const EXPANDED_MAX: u32 = 16_000_000;
/// Maps longer than this are looked up by a sorted index instead of from the front.
const SHORT: usize = 8;

/// A value's number in its tree.
pub type NodeId = u32;
const NOBODY: NodeId = NodeId::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Null,
    Bool,
    Number,
    Text,
    List,
    Map,
}

/// A piece of [`Tree::texts`].
#[derive(Debug, Clone, Copy, Default)]
struct Piece {
    start: u32,
    length: u32,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    height: u16,
    /// From 1.
    line: u32,
    parent: NodeId,
    /// Place in the parent's list or map.
    slot: u32,
    /// Values, with aliases counted as what they stand for.
    weight: u32,
    /// Scalars: the text. Lists and maps: first child and number of children.
    piece: Piece,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: Piece,
    hash: u32,
    value: NodeId,
    /// The value belongs to another place of the file.
    alias: bool,
}

#[derive(Debug, Clone)]
struct File {
    name: String,
    first: NodeId,
    root: NodeId,
}

/// Values of one or several files.
#[derive(Debug, Default)]
pub struct Tree {
    texts: String,
    nodes: Vec<Node>,
    items: Vec<NodeId>,
    entries: Vec<Entry>,
    /// For every map longer than [`SHORT`], its entries by hash, at the same places as in `entries`.
    order: Vec<u32>,
    files: Vec<File>,
    /// Whether an alias stands anywhere.
    shared: bool,
}

/// Why bytes are no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct ReadError {
    pub file: String,
    /// From 1.
    pub line: u32,
    /// What was found and what was expected.
    pub what: String,
}

/// What a reader says; the tree adds the file's name.
struct Broken {
    line: u32,
    what: String,
}

impl Broken {
    fn new(line: u32, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

impl Tree {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file; returns its root. JSON where the first character is a brace or bracket and all of it is JSON, YAML 1.2
    /// (core schema, with merge keys) otherwise.
    pub fn read(&mut self, name: &str, bytes: &[u8]) -> Result<NodeId, ReadError> {
        let first = self.nodes.len() as NodeId;
        let root =
            self.read_any(name, bytes).map_err(|broken| ReadError { file: name.to_owned(), line: broken.line, what: broken.what })?;
        self.files.push(File { name: name.to_owned(), first, root });
        Ok(root)
    }

    fn read_any(&mut self, name: &str, bytes: &[u8]) -> Result<NodeId, Broken> {
        if bytes.len() > BYTES_MAX {
            return Err(Broken::new(1, format!("the file has more than {BYTES_MAX} bytes")));
        }
        // Every value takes at least one byte, so nodes stay below the texts' bound, too.
        if self.texts.len().max(self.nodes.len()) + bytes.len() > (u32::MAX / 4) as usize {
            return Err(Broken::new(1, "together with the files before it this is more than 1 GiB"));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let source = std::str::from_utf8(bytes).map_err(|why| {
            let before = bytes.get(..why.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count();
            Broken::new(1 + u32::try_from(line).unwrap_or(u32::MAX), "expected UTF-8")
        })?;
        let looks_like_json = matches!(source.trim_start().as_bytes().first(), Some(b'{' | b'['));
        if looks_like_json {
            let mark = (self.texts.len(), self.nodes.len(), self.items.len(), self.entries.len(), self.order.len());
            match json::read(self, source) {
                Ok(root) => return Ok(root),
                // Flow collections begin with a brace, too.
                Err(broken) if name.ends_with(".json") || broken.what.starts_with("nested") => return Err(broken),
                Err(_) => {
                    self.texts.truncate(mark.0);
                    self.nodes.truncate(mark.1);
                    self.items.truncate(mark.2);
                    self.entries.truncate(mark.3);
                    self.order.truncate(mark.4);
                }
            }
        }
        yaml::read(self, source)
    }

    // ---- looking ----

    pub fn kind(&self, node: NodeId) -> Kind {
        self.nodes.get(node as usize).map_or(Kind::Null, |node| node.kind)
    }
    /// The text of a text, nothing for other values.
    pub fn text(&self, node: NodeId) -> Option<&str> {
        (self.kind(node) == Kind::Text).then(|| self.raw(node))
    }
    /// The text of any scalar as it was written.
    pub fn scalar(&self, node: NodeId) -> Option<&str> {
        (!matches!(self.kind(node), Kind::List | Kind::Map)).then(|| self.raw(node))
    }
    pub fn truth(&self, node: NodeId) -> Option<bool> {
        (self.kind(node) == Kind::Bool).then(|| self.raw(node).eq_ignore_ascii_case("true"))
    }
    pub fn number(&self, node: NodeId) -> Option<f64> {
        (self.kind(node) == Kind::Number).then(|| yaml_scalar::number(self.raw(node))).flatten()
    }
    fn raw(&self, node: NodeId) -> &str {
        self.nodes.get(node as usize).map_or("", |node| self.cut(node.piece))
    }
    fn cut(&self, piece: Piece) -> &str {
        self.texts.get(piece.start as usize..(piece.start + piece.length) as usize).unwrap_or_default()
    }
    /// What a list holds; nothing for other values.
    pub fn items(&self, node: NodeId) -> &[NodeId] {
        match self.nodes.get(node as usize) {
            Some(Node { kind: Kind::List, piece, .. }) => {
                self.items.get(piece.start as usize..(piece.start + piece.length) as usize).unwrap_or_default()
            }
            _ => &[],
        }
    }
    fn map(&self, node: NodeId) -> &[Entry] {
        match self.nodes.get(node as usize) {
            Some(Node { kind: Kind::Map, piece, .. }) => {
                self.entries.get(piece.start as usize..(piece.start + piece.length) as usize).unwrap_or_default()
            }
            _ => &[],
        }
    }
    /// Keys and values in the order of the file; nothing for what is no map.
    pub fn entries(&self, node: NodeId) -> impl Iterator<Item = (&str, NodeId)> {
        self.map(node).iter().map(|entry| (self.cut(entry.key), entry.value))
    }
    /// Number of a list's or map's members.
    pub fn len(&self, node: NodeId) -> usize {
        match self.nodes.get(node as usize) {
            Some(Node { kind: Kind::Map | Kind::List, piece, .. }) => piece.length as usize,
            _ => 0,
        }
    }
    pub fn is_empty(&self, node: NodeId) -> bool {
        self.len(node) == 0
    }
    /// A member of a map. Logarithmic in its length.
    pub fn get(&self, node: NodeId, key: &str) -> Option<NodeId> {
        let map = self.map(node);
        let hash = hash(key);
        if map.len() <= SHORT {
            return map.iter().find(|entry| entry.hash == hash && self.cut(entry.key) == key).map(|entry| entry.value);
        }
        let start = self.nodes.get(node as usize)?.piece.start as usize;
        let order = self.order.get(start..start + map.len())?;
        let first = order.partition_point(|place| map.get(*place as usize).is_some_and(|entry| entry.hash < hash));
        order
            .get(first..)?
            .iter()
            .filter_map(|place| map.get(*place as usize))
            .take_while(|entry| entry.hash == hash)
            .find(|entry| self.cut(entry.key) == key)
            .map(|entry| entry.value)
    }
    /// A member that is a text.
    pub fn get_text(&self, node: NodeId, key: &str) -> Option<&str> {
        self.get(node, key).and_then(|value| self.text(value))
    }
    /// Whether a member is `true`.
    pub fn is_true(&self, node: NodeId, key: &str) -> bool {
        self.get(node, key).and_then(|value| self.truth(value)) == Some(true)
    }

    /// Whether some node is in more places than one: then a walk must remember where it was.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    // ---- places ----

    fn file_of(&self, node: NodeId) -> Option<&File> {
        let after = self.files.partition_point(|file| file.first <= node);
        self.files.get(after.checked_sub(1)?)
    }
    pub fn file(&self, node: NodeId) -> &str {
        self.file_of(node).map_or("", |file| &file.name)
    }
    /// The root of the file that the node is in.
    pub fn root(&self, node: NodeId) -> Option<NodeId> {
        self.file_of(node).map(|file| file.root)
    }
    /// From 1; for a map's member, the line of its key.
    pub fn line(&self, node: NodeId) -> u32 {
        self.nodes.get(node as usize).map_or(1, |node| node.line)
    }
    /// The map or list that the node was written in.
    pub fn parent(&self, node: NodeId) -> Option<NodeId> {
        self.nodes.get(node as usize).map(|node| node.parent).filter(|parent| *parent != NOBODY)
    }
    /// The key under which the node stands in its map.
    pub fn key(&self, node: NodeId) -> Option<&str> {
        let slot = self.nodes.get(node as usize)?.slot;
        self.map(self.parent(node)?).get(slot as usize).map(|entry| self.cut(entry.key))
    }
    /// JSON pointer (RFC 6901) in the node's file.
    pub fn pointer(&self, node: NodeId) -> String {
        let mut steps = Vec::new();
        let mut at = node;
        while let Some(parent) = self.parent(at) {
            match self.key(at) {
                Some(key) => steps.push(key.replace('~', "~0").replace('/', "~1")),
                None => steps.push(self.nodes.get(at as usize).map_or(0, |node| node.slot).to_string()),
            }
            at = parent;
        }
        let mut pointer = String::new();
        for step in steps.iter().rev() {
            pointer.push('/');
            pointer.push_str(step);
        }
        pointer
    }
    /// The value as JSON with sorted keys and numbers in one spelling: equal values have equal texts.
    pub fn canonical(&self, node: NodeId) -> String {
        let mut text = String::new();
        self.write_canonical(node, &mut text, 0);
        text
    }
    fn write_canonical(&self, node: NodeId, out: &mut String, depth: u16) {
        if depth > DEPTH_MAX {
            return;
        }
        match self.kind(node) {
            Kind::Null => out.push_str("null"),
            Kind::Bool => out.push_str(if self.truth(node) == Some(true) { "true" } else { "false" }),
            Kind::Number => match self.number(node) {
                Some(number) => _ = write!(out, "{number}"),
                None => out.push_str(self.raw(node)),
            },
            Kind::Text => out.push_str(&serde_json::Value::from(self.raw(node)).to_string()),
            Kind::List => {
                out.push('[');
                for (place, item) in self.items(node).iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    self.write_canonical(*item, out, depth + 1);
                }
                out.push(']');
            }
            Kind::Map => {
                let mut members: Vec<(&str, NodeId)> = self.entries(node).collect();
                members.sort_unstable_by_key(|(key, _)| *key);
                out.push('{');
                for (place, (key, value)) in members.into_iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    out.push_str(&serde_json::Value::from(key).to_string());
                    out.push(':');
                    self.write_canonical(value, out, depth + 1);
                }
                out.push('}');
            }
        }
    }

    // ---- building, for the readers ----

    fn keep(&mut self, text: &str) -> Piece {
        let start = self.texts.len() as u32;
        self.texts.push_str(text);
        Piece { start, length: text.len() as u32 }
    }
    fn add(&mut self, kind: Kind, line: u32, height: u16, weight: u32, piece: Piece) -> NodeId {
        let id = self.nodes.len() as NodeId;
        self.nodes.push(Node { kind, height, line, parent: NOBODY, slot: 0, weight, piece });
        id
    }
    fn add_scalar(&mut self, kind: Kind, line: u32, text: &str) -> NodeId {
        let piece = self.keep(text);
        self.add(kind, line, 1, 1, piece)
    }
    /// Height and weight of a collection, or why it is too much.
    fn measure(&self, children: impl Iterator<Item = NodeId>, line: u32) -> Result<(u16, u32), Broken> {
        let (mut height, mut weight) = (0u16, 1u32);
        for child in children {
            if let Some(node) = self.nodes.get(child as usize) {
                height = height.max(node.height);
                weight = weight.saturating_add(node.weight);
            }
        }
        if height >= DEPTH_MAX {
            return Err(too_deep(line));
        }
        if weight > EXPANDED_MAX {
            return Err(Broken::new(line, format!("more than {EXPANDED_MAX} values once every alias is written out")));
        }
        Ok((height + 1, weight))
    }
    fn adopt(&mut self, child: NodeId, parent: NodeId, slot: usize) {
        if let Some(node) = self.nodes.get_mut(child as usize) {
            (node.parent, node.slot) = (parent, slot as u32);
        }
    }
    /// `children`: the values, and whether each is an alias.
    fn add_list(&mut self, line: u32, children: &[(NodeId, bool)]) -> Result<NodeId, Broken> {
        let (height, weight) = self.measure(children.iter().map(|child| child.0), line)?;
        let piece = Piece { start: self.items.len() as u32, length: children.len() as u32 };
        self.items.extend(children.iter().map(|child| child.0));
        let id = self.add(Kind::List, line, height, weight, piece);
        for (slot, (child, alias)) in children.iter().enumerate() {
            if *alias {
                self.shared = true;
            } else {
                self.adopt(*child, id, slot);
            }
        }
        Ok(id)
    }
    fn add_map(&mut self, line: u32, members: &[Entry]) -> Result<NodeId, Broken> {
        let (height, weight) = self.measure(members.iter().map(|member| member.value), line)?;
        let piece = Piece { start: self.entries.len() as u32, length: members.len() as u32 };
        self.entries.extend_from_slice(members);
        self.order.resize(self.entries.len(), 0);
        let id = self.add(Kind::Map, line, height, weight, piece);
        for (slot, member) in members.iter().enumerate() {
            if member.alias {
                self.shared = true;
            } else {
                self.adopt(member.value, id, slot);
            }
        }
        self.index(piece, members)?;
        Ok(id)
    }
    /// Fills the index of a long map, and refuses keys that are there twice.
    fn index(&mut self, piece: Piece, members: &[Entry]) -> Result<(), Broken> {
        let twice = if members.len() <= SHORT {
            let same = |(place, one): (usize, &Entry)| {
                members.iter().take(place).any(|other| other.hash == one.hash && self.cut(other.key) == self.cut(one.key)).then_some(*one)
            };
            members.iter().enumerate().find_map(same)
        } else {
            let mut order: Vec<u32> = (0..members.len() as u32).collect();
            let key = |place: &u32| members.get(*place as usize).map(|member| (member.hash, self.cut(member.key)));
            order.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
            let twice = order.windows(2).find_map(|pair| match pair {
                [a, b] if key(a) == key(b) => members.get(*a.max(b) as usize).copied(),
                _ => None,
            });
            if let Some(space) = self.order.get_mut(piece.start as usize..) {
                space.copy_from_slice(&order);
            }
            twice
        };
        match twice {
            Some(entry) => Err(Broken::new(self.line(entry.value), format!("the key {:?} is there twice", self.cut(entry.key)))),
            None => Ok(()),
        }
    }
    fn entry(&mut self, key: &str, value: NodeId, alias: bool, line: u32) -> Entry {
        if !alias && let Some(node) = self.nodes.get_mut(value as usize) {
            node.line = line;
        }
        Entry { key: self.keep(key), hash: hash(key), value, alias }
    }
}

fn too_deep(line: u32) -> Broken {
    Broken::new(line, format!("nested deeper than {DEPTH_MAX} levels"))
}

/// FNV-1a, folded: keys are short, and a collision costs one comparison.
fn hash(key: &str) -> u32 {
    key.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
