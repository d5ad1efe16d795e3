//! Well-formed XML 1.0, one element at a time, with the byte and the line of everything.
//!
//! Stricter than the tokenizer underneath: one root, nothing after it, no characters XML forbids, no unknown entity, no
//! attribute twice. A document type is skipped and never fetched; one that declares entities is refused, because entities
//! are how small documents become large ones. Namespace prefixes are dropped, not resolved.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;

/// Documents beyond this many bytes are not read.
pub const BYTES_MAX: usize = 64 << 20;

/// Elements deeper than this are not read.
pub const DEPTH_MAX: usize = 128;

/// An element has at most this many attributes.
const ATTRIBUTES_MAX: usize = 256;

/// Why bytes are no document, or not the expected one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, byte {byte}: expected {expected}, found {found}")]
pub struct XmlError {
    /// From 1.
    pub line: u32,
    /// From 0, in the UTF-8 form of the document.
    pub byte: usize,
    pub expected: String,
    pub found: String,
}

/// What comes next.
#[derive(Debug)]
pub enum Node<'a> {
    Start(Element<'a>),
    /// Local name of the element that ends.
    End(&'a str),
    /// Text with its references resolved; several in a row are one text.
    Text(Cow<'a, str>),
    /// The root element has ended.
    Eof,
}

/// A start tag.
#[derive(Debug)]
pub struct Element<'a> {
    /// Local name.
    pub name: &'a str,
    pub line: u32,
    pub byte: usize,
    attributes: Vec<(String, String)>,
}

impl Element<'_> {
    /// An attribute's value by its local name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
    /// The value, or nothing.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
    /// A count. Absent and empty ones are none.
    ///
    /// # Errors
    /// What is there and no number.
    pub fn count(&self, name: &str) -> Result<Option<u32>, XmlError> {
        match self.get(name).map(str::trim) {
            None | Some("") => Ok(None),
            Some(text) => {
                text.parse().map(Some).map_err(|_| self.refuse(format!("a count as {name} of {}", self.name), format!("{text:?}")))
            }
        }
    }
    /// An attribute that must be there.
    ///
    /// # Errors
    /// Its absence.
    pub fn need(&self, name: &str) -> Result<&str, XmlError> {
        self.get(name).ok_or_else(|| self.refuse(format!("{} with {name}", self.name), "none".to_owned()))
    }
    /// A refusal at this element.
    pub fn refuse(&self, expected: impl Into<String>, found: impl Into<String>) -> XmlError {
        XmlError { line: self.line, byte: self.byte, expected: expected.into(), found: found.into() }
    }
}

/// The text of a document, whatever it is encoded in: UTF-8, UTF-16 with a byte order mark, or ISO 8859-1 where the
/// document says so.
///
/// # Errors
/// [`XmlError`] at the first byte that is none of these, and for more than [`BYTES_MAX`].
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    if bytes.len() > BYTES_MAX {
        return Err(place(&[], 0, format!("at most {BYTES_MAX} bytes"), format!("{}", bytes.len())));
    }
    let utf16 = |from: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks(2).map(|pair| from([pair[0], pair.get(1).copied().unwrap_or(0)]));
        let mut text = String::with_capacity(bytes.len() / 2);
        for (n, unit) in char::decode_utf16(units).enumerate() {
            text.push(
                unit.map_err(|why| place(bytes, 2 + 2 * n, "UTF-16", format!("the unpaired surrogate {:#06x}", why.unpaired_surrogate())))?,
            );
        }
        Ok(Cow::Owned(text))
    };
    match bytes {
        [0xff, 0xfe, ..] => return utf16(u16::from_le_bytes),
        [0xfe, 0xff, ..] => return utf16(u16::from_be_bytes),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) if says_latin_1(bytes) => Ok(Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect())),
        Err(why) => {
            let at = why.valid_up_to();
            Err(place(bytes, at, "UTF-8, as the document declares no other encoding that is read", format!("the byte {:#04x}", bytes[at])))
        }
    }
}

fn says_latin_1(bytes: &[u8]) -> bool {
    let head = bytes[..bytes.len().min(200)].to_ascii_lowercase();
    let end = head.windows(2).position(|pair| pair == b"?>").unwrap_or(0);
    let head = &head[..end];
    [&b"iso-8859-1"[..], b"latin1", b"latin-1", b"windows-1252"].iter().any(|name| head.windows(name.len()).any(|part| part == *name))
}

fn place(bytes: &[u8], byte: usize, expected: impl Into<String>, found: impl Into<String>) -> XmlError {
    let before = &bytes[..byte.min(bytes.len())];
    let line = u32::try_from(before.iter().filter(|b| **b == b'\n').count()).unwrap_or(u32::MAX).saturating_add(1);
    XmlError { line, byte, expected: expected.into(), found: found.into() }
}

/// See the module.
pub struct Walker<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    path: Vec<&'a str>,
    /// An empty element was reported as started; its end comes next.
    closing: bool,
    seen_root: bool,
    /// Where the line was counted last.
    counted: (usize, u32),
    /// Where the current node starts.
    at: usize,
    pending: Option<Event<'a>>,
}

impl<'a> Walker<'a> {
    pub fn new(text: &'a str) -> Walker<'a> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_end_names = true;
        reader.config_mut().check_comments = false;
        Walker { reader, text, path: Vec::new(), closing: false, seen_root: false, counted: (0, 1), at: 0, pending: None }
    }

    /// Local names of the elements that are open, the root first.
    pub fn path(&self) -> &[&'a str] {
        &self.path
    }

    /// The line of the current node, from 1.
    pub fn line(&mut self) -> u32 {
        let (from, line) = self.counted;
        let to = self.at.min(self.text.len());
        if to > from {
            let more = self.text.as_bytes()[from..to].iter().filter(|byte| **byte == b'\n').count();
            self.counted = (to, line.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)));
        }
        self.counted.1
    }

    /// A refusal at the current node.
    pub fn refuse(&self, expected: impl Into<String>, found: impl Into<String>) -> XmlError {
        place(self.text.as_bytes(), self.at, expected, found)
    }

    /// The next node.
    ///
    /// # Errors
    /// The first violation of XML, with its place.
    pub fn step(&mut self) -> Result<Node<'a>, XmlError> {
        if self.closing {
            self.closing = false;
            return Ok(Node::End(self.path.pop().unwrap_or_default()));
        }
        loop {
            match self.event()? {
                Event::Start(start) => return self.start(start, false),
                Event::Empty(start) => return self.start(start, true),
                Event::End(_) => return Ok(Node::End(self.path.pop().unwrap_or_default())),
                event @ (Event::Text(_) | Event::CData(_) | Event::GeneralRef(_)) => {
                    let text = self.texts(event)?;
                    if !self.path.is_empty() {
                        return Ok(Node::Text(text));
                    }
                    if !text.trim().is_empty() {
                        return Err(self.refuse("elements only outside the root", shortened(&text)));
                    }
                }
                Event::DocType(doctype) if doctype.contains('[') => {
                    return Err(self.refuse("no document type with declarations (entities are not expanded)", "DOCTYPE with ["));
                }
                Event::DocType(_) if self.seen_root => return Err(self.refuse("the document type before the root", "DOCTYPE")),
                Event::DocType(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof if !self.seen_root => return Err(self.refuse("an XML document", "no element")),
                Event::Eof => match self.path.last() {
                    Some(open) => return Err(self.refuse(format!("the end of {open}"), "the end of the file")),
                    None => return Ok(Node::Eof),
                },
            }
        }
    }

    fn event(&mut self) -> Result<Event<'a>, XmlError> {
        if let Some(event) = self.pending.take() {
            return Ok(event);
        }
        self.at = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        self.reader.read_event().map_err(|why| {
            let at = usize::try_from(self.reader.error_position()).unwrap_or(usize::MAX);
            place(self.text.as_bytes(), at, "well-formed XML", why.to_string())
        })
    }

    fn start(&mut self, start: BytesStart<'a>, empty: bool) -> Result<Node<'a>, XmlError> {
        if self.path.is_empty() && self.seen_root {
            return Err(self.refuse("one root element", format!("a second: {}", shortened(start.name().as_ref()))));
        }
        self.seen_root = true;
        // The event borrows from the document for as long as the document lives; its accessors borrow from the event.
        let raw = self.slice(self.at + 1, start.name().as_ref().len())?;
        if raw.is_empty() || raw.contains(|c: char| "<>&\"'=/;".contains(c) || c.is_whitespace() || c.is_control()) {
            return Err(self.refuse("the name of an element", shortened(raw)));
        }
        let name = raw.rsplit(':').next().unwrap_or(raw);
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|why| self.refuse(format!("well-formed attributes of {name}"), why.to_string()))?;
            if attributes.len() == ATTRIBUTES_MAX {
                return Err(self.refuse(format!("at most {ATTRIBUTES_MAX} attributes"), "more"));
            }
            if attribute.value.contains('<') {
                return Err(self.refuse(format!("{} without <", attribute.key.as_ref()), shortened(&attribute.value)));
            }
            let value = unescape(&attribute.value)
                .map_err(|why| self.refuse(format!("references that XML defines in {}", attribute.key.as_ref()), why.to_string()))?;
            self.allowed(&value)?;
            attributes.push((attribute.key.local_name().as_ref().to_owned(), value.into_owned()));
        }
        self.path.push(name);
        if self.path.len() > DEPTH_MAX {
            return Err(self.refuse(format!("at most {DEPTH_MAX} elements inside each other"), "more"));
        }
        self.closing = empty;
        let line = self.line();
        Ok(Node::Start(Element { name, line, byte: self.at, attributes }))
    }

    fn slice(&self, from: usize, length: usize) -> Result<&'a str, XmlError> {
        self.text.get(from..from + length).ok_or_else(|| self.refuse("well-formed XML", "a tag that ends elsewhere"))
    }

    /// This text and what follows it without an element between.
    fn texts(&mut self, first: Event<'a>) -> Result<Cow<'a, str>, XmlError> {
        let mut text = self.one_text(first)?;
        loop {
            let event = self.event()?;
            match event {
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    let more = self.one_text(event)?;
                    text.to_mut().push_str(&more);
                }
                Event::Comment(_) | Event::PI(_) => {}
                other => {
                    self.pending = Some(other);
                    return Ok(text);
                }
            }
        }
    }

    fn one_text(&self, event: Event<'a>) -> Result<Cow<'a, str>, XmlError> {
        let text = match event {
            Event::Text(text) => text.into_inner(),
            Event::CData(text) => text.into_inner(),
            Event::GeneralRef(reference) => {
                let whole = format!("&{};", reference.as_ref());
                Cow::Owned(unescape(&whole).map_err(|why| self.refuse("a reference that XML defines", why.to_string()))?.into_owned())
            }
            _ => Cow::Borrowed(""),
        };
        self.allowed(&text)?;
        Ok(text)
    }

    /// XML 1.0, production 2: which characters a document may hold.
    fn allowed(&self, text: &str) -> Result<(), XmlError> {
        let bad = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
        match text.chars().find(|c| bad(*c)) {
            Some(c) => Err(self.refuse("characters that XML allows", format!("U+{:04X}", u32::from(c)))),
            None => Ok(()),
        }
    }
}

/// At most 60 characters, in quotes.
fn shortened(text: &str) -> String {
    let text = text.trim();
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
}
