//! What is text at all, and where its lines are.

/// Why a file was not scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skip {
    Binary,
}

/// The bytes to scan: UTF-16 with its mark becomes UTF-8, bytes with NULs are binary. Other encodings are scanned as they are,
/// because secrets are ASCII.
pub fn readable(bytes: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, Skip> {
    let wide = |rest: &[u8], join: fn([u8; 2]) -> u16| {
        let units = rest.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(join);
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>().into_bytes()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => Ok(wide(rest, u16::from_le_bytes).into()),
        [0xfe, 0xff, rest @ ..] => Ok(wide(rest, u16::from_be_bytes).into()),
        _ if bytes.iter().take(8192).any(|byte| *byte == 0) => Err(Skip::Binary),
        _ => Ok(bytes.into()),
    }
}

/// Where lines begin.
pub struct Lines(Vec<usize>);

impl Lines {
    pub fn new(bytes: &[u8]) -> Self {
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(ends).collect())
    }
    /// The line of a place, from 1.
    pub fn of(&self, at: usize) -> u32 {
        u32::try_from(self.0.partition_point(|start| *start <= at)).unwrap_or(u32::MAX)
    }
    pub fn text<'a>(&self, bytes: &'a [u8], line: u32) -> Option<&'a [u8]> {
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        let start = *self.0.get(index)?;
        bytes.get(start..self.0.get(index + 1).copied().unwrap_or(bytes.len()))
    }
}

/// Bits a byte of a text, by how often each byte stands in it (Shannon).
pub fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let length = bytes.len() as f64;
    counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length).map(|share| -share * share.log2()).sum()
}

/// Whether a value only stands for one: `<token>`, `${TOKEN}`, `xxxxxxxx`, `your-key-here`, `AKIA…EXAMPLE`.
pub fn placeholder(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    const WORDS: [&str; 19] = [
        "example",
        "changeme",
        "change_me",
        "change-me",
        "placeholder",
        "your",
        "dummy",
        "redacted",
        "xxxx",
        "....",
        "****",
        "insert",
        "replace",
        "sample",
        "todo",
        "fixme",
        "fake",
        "notreal",
        "not-real",
    ];
    const ROWS: [&str; 5] = ["abcdefghij", "0123456789", "1234567890", "qwertyuiop", "00000000"];
    let mut distinct: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
    distinct.sort_unstable();
    distinct.dedup();
    WORDS.iter().chain(&ROWS).any(|word| text.contains(word))
        || text.contains(['$', '<', '>', '{', '}', '%'])
        || (text.len() >= 8 && distinct.len() < 5)
}
