//! Tar archives (POSIX ustar with pax, and GNU's long names), read as a stream.
//!
//! Reads headers and hands out contents; what a name means is the caller's. Numbers are checked, and no size is trusted.

use super::ImageError;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

const BLOCK: usize = 512;
/// Names and pax headers beyond this are refused.
const NAME_MAX: u64 = 1 << 20;
/// A larger entry is refused; sums of sizes cannot overflow then.
const SIZE_MAX: u64 = 1 << 40;
/// An archive with more entries is refused.
pub const ENTRIES_MAX: usize = 4_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    /// Links, devices and pipes: whatever is no content.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As written.
    pub name: String,
    pub kind: Kind,
    /// Bytes of content that follow.
    pub size: u64,
}

/// The next header with a name of its own; the stream stands at the entry's content afterwards.
pub struct Headers {
    long_name: Option<String>,
    pax_name: Option<String>,
    pax_size: Option<u64>,
    count: usize,
}

type Answer<T> = Result<T, &'static str>;

fn number(field: &[u8]) -> Answer<u64> {
    // GNU: the first bit set means a binary number.
    if let Some((first, rest)) = field.split_first().filter(|(first, _)| **first & 0x80 != 0) {
        let mut value = u64::from(first & 0x7f);
        for byte in rest {
            value = value.checked_mul(256).and_then(|value| value.checked_add(u64::from(*byte))).ok_or("a number is too large")?;
        }
        return Ok(value);
    }
    let mut value = 0_u64;
    for byte in field.iter().copied().skip_while(|byte| *byte == b' ').take_while(|byte| !matches!(byte, 0 | b' ')) {
        let digit = u64::from(byte).checked_sub(u64::from(b'0')).filter(|digit| *digit < 8).ok_or("a number is not octal")?;
        value = value.checked_mul(8).and_then(|value| value.checked_add(digit)).ok_or("a number is too large")?;
    }
    Ok(value)
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
}

/// Sum of all bytes with the checksum's own field as spaces.
fn checksum(block: &[u8; BLOCK]) -> u64 {
    block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { u64::from(b' ') } else { u64::from(*byte) }).sum()
}

/// Content is followed by zeros up to a whole block.
pub fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

pub fn skip(reader: &mut dyn Read, count: u64) -> Answer<()> {
    let copied = std::io::copy(&mut reader.take(count), &mut std::io::sink()).map_err(|_| "the archive cannot be read")?;
    if copied == count { Ok(()) } else { Err("the archive ends within an entry") }
}

fn content(reader: &mut dyn Read, size: u64) -> Answer<Vec<u8>> {
    if size > NAME_MAX {
        return Err("a name is too long");
    }
    let mut bytes = Vec::new();
    reader.take(size).read_to_end(&mut bytes).map_err(|_| "the archive cannot be read")?;
    if bytes.len() as u64 != size {
        return Err("the archive ends within an entry");
    }
    skip(reader, padding(size))?;
    Ok(bytes)
}

impl Headers {
    pub fn new() -> Self {
        Self { long_name: None, pax_name: None, pax_size: None, count: 0 }
    }

    /// None at the end of the archive.
    pub fn next(&mut self, reader: &mut dyn Read) -> Answer<Option<Entry>> {
        loop {
            let mut block = [0_u8; BLOCK];
            let mut filled = 0;
            while filled < BLOCK {
                match reader.read(block.get_mut(filled..).unwrap_or_default()) {
                    Ok(0) if filled == 0 => return Ok(None),
                    Ok(0) => return Err("the archive ends within a header"),
                    Ok(more) => filled += more,
                    Err(why) if why.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => return Err("the archive cannot be read"),
                }
            }
            if block.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            self.count += 1;
            if self.count > ENTRIES_MAX {
                return Err("there are too many entries");
            }
            if let Some(entry) = self.header(&block, reader)? {
                return Ok(Some(entry));
            }
        }
    }

    fn header(&mut self, block: &[u8; BLOCK], reader: &mut dyn Read) -> Answer<Option<Entry>> {
        let field = |from: usize, to: usize| block.get(from..to).unwrap_or_default();
        if number(field(148, 156)) != Ok(checksum(block)) {
            return Err("a header has a wrong checksum: this is no tar archive");
        }
        let size = number(field(124, 136))?;
        match block.get(156).copied().unwrap_or(0) {
            b'L' => {
                self.long_name = Some(text(&content(reader, size)?));
                Ok(None)
            }
            b'x' => {
                self.pax(&content(reader, size)?)?;
                Ok(None)
            }
            b'K' | b'g' => {
                content(reader, size)?;
                Ok(None)
            }
            kind => {
                let prefix = if field(257, 263) == b"ustar\0" { text(field(345, 500)) } else { String::new() };
                let short = text(field(0, 100));
                let plain = if prefix.is_empty() { short } else { format!("{prefix}/{short}") };
                let name = self.pax_name.take().or(self.long_name.take()).unwrap_or(plain);
                self.long_name = None;
                let size = self.pax_size.take().unwrap_or(size);
                if size > SIZE_MAX {
                    return Err("an entry is too large");
                }
                let kind = match kind {
                    b'0' | 0 | b'7' if name.ends_with('/') => Kind::Folder,
                    b'0' | 0 | b'7' => Kind::File,
                    b'5' => Kind::Folder,
                    b'1' | b'2' | b'3' | b'4' | b'6' => Kind::Other,
                    _ => return Err("an entry has a type that is not known"),
                };
                // Links and folders have no content, whatever the header says of a link's target.
                Ok(Some(Entry { name, kind, size: if kind == Kind::File { size } else { 0 } }))
            }
        }
    }

    /// Records `LENGTH KEY=VALUE\n`.
    fn pax(&mut self, bytes: &[u8]) -> Answer<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let space = rest.iter().position(|byte| *byte == b' ').ok_or("a pax record has no length")?;
            let length: usize = std::str::from_utf8(rest.get(..space).unwrap_or_default())
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or("a pax record has no length")?;
            let record = rest.get(space + 1..length).ok_or("a pax record is longer than its header")?;
            let record = record.strip_suffix(b"\n").ok_or("a pax record does not end with its line")?;
            if let Some(path) = record.strip_prefix(b"path=") {
                self.pax_name = Some(String::from_utf8_lossy(path).into_owned());
            }
            if let Some(size) = record.strip_prefix(b"size=") {
                let size = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok()).ok_or("a pax size is no number")?;
                self.pax_size = Some(size);
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(())
    }
}

/// A name without `./`; one that leaves the archive's folder is refused.
pub fn inner_path(name: &str) -> Answer<String> {
    if name.starts_with('/') || name.contains('\0') {
        return Err("an entry has an absolute name");
    }
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("an entry's name leads out of the archive"),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// Offsets and sizes of the files of an archive, by name. Two files of one name are refused: which one counts differs by reader.
pub fn index<R: Read + Seek>(reader: &mut R) -> Result<BTreeMap<String, (u64, u64)>, ImageError> {
    let wrong = |name: &str, why| ImageError::Archive { name: name.chars().take(200).collect(), why };
    let mut headers = Headers::new();
    let mut entries = BTreeMap::new();
    let length = reader.seek(SeekFrom::End(0)).map_err(|why| ImageError::Read { name: "archive".to_owned(), why: why.to_string() })?;
    reader.seek(SeekFrom::Start(0)).map_err(|why| ImageError::Read { name: "archive".to_owned(), why: why.to_string() })?;
    while let Some(entry) = headers.next(reader).map_err(|why| wrong("archive", why))? {
        let begin = reader.stream_position().map_err(|why| ImageError::Read { name: entry.name.clone(), why: why.to_string() })?;
        let end =
            begin.checked_add(entry.size).filter(|end| *end <= length).ok_or_else(|| wrong(&entry.name, "is longer than the archive"))?;
        let path = inner_path(&entry.name).map_err(|why| wrong(&entry.name, why))?;
        if entry.kind == Kind::File && entries.insert(path, (begin, entry.size)).is_some() {
            return Err(wrong(&entry.name, "stands twice in the archive"));
        }
        let next = end.checked_add(padding(entry.size)).unwrap_or(end);
        reader.seek(SeekFrom::Start(next)).map_err(|why| ImageError::Read { name: entry.name.clone(), why: why.to_string() })?;
    }
    Ok(entries)
}
