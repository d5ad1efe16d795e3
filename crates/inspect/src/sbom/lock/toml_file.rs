//! TOML lock files: typed, with the line of what is wrong and of what was found.

use super::{ReadError, utf8};

pub struct Toml<'a> {
    text: &'a str,
    /// Offsets at which lines begin, but the first.
    lines: Vec<usize>,
}

impl<'a> Toml<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self, ReadError> {
        let text = utf8(bytes)?;
        let lines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1).collect();
        Ok(Self { text, lines })
    }
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, ReadError> {
        toml::from_str(self.text)
            .map_err(|why| ReadError { line: why.span().map(|span| self.line(span.start)), what: why.message().to_owned() })
    }
    /// The line of an offset, from 1.
    pub fn line(&self, at: usize) -> u32 {
        u32::try_from(self.lines.partition_point(|begin| *begin <= at) + 1).unwrap_or(u32::MAX)
    }
}
