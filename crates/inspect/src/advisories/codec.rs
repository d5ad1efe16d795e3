//! How advisories lie in the index: numbers in groups of seven bits, texts with their length before them.

use super::osv::{Advisory, Affected, Event, EventKind, Range, RangeKind};
use super::severity::{Class, Rating};
use crate::cvss::Score;

/// The bytes are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the index is damaged")]
pub struct Damaged;

pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }
    pub fn texts(&mut self, texts: &[String]) {
        self.number(texts.len() as u64);
        texts.iter().for_each(|text| self.text(text));
    }

    /// An advisory with one of the packages that it concerns.
    pub fn entry(&mut self, advisory: &Advisory, affected: &Affected) {
        self.text(&advisory.id);
        self.texts(&advisory.aliases);
        self.texts(&advisory.upstream);
        self.text(&advisory.summary);
        self.0.extend_from_slice(&advisory.modified.to_le_bytes());
        self.text(&affected.ecosystem);
        self.text(&affected.name);
        self.0.push(affected.rating.class as u8);
        self.0.push(affected.rating.score.map_or(u8::MAX, |score| score.tenths));
        self.text(affected.rating.vector.as_deref().unwrap_or_default());
        self.number(affected.ranges.len() as u64);
        for range in &affected.ranges {
            self.0.push(range.kind as u8);
            self.text(&range.repository);
            self.number(range.events.len() as u64);
            for event in &range.events {
                self.0.push(event.kind as u8);
                self.text(&event.version);
            }
        }
        self.texts(&affected.versions);
        self.texts(&affected.functions);
    }
}

pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Damaged> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Damaged)?;
        self.0 = rest;
        Ok(taken)
    }
    pub fn byte(&mut self) -> Result<u8, Damaged> {
        self.bytes(1)?.first().copied().ok_or(Damaged)
    }
    pub fn number(&mut self) -> Result<u64, Damaged> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Damaged)
    }
    /// A length that fits into what is left.
    pub fn length(&mut self) -> Result<usize, Damaged> {
        usize::try_from(self.number()?).ok().filter(|length| *length <= self.0.len()).ok_or(Damaged)
    }
    pub fn text(&mut self) -> Result<&'a str, Damaged> {
        let length = self.length()?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| Damaged)
    }
    fn owned(&mut self) -> Result<String, Damaged> {
        self.text().map(str::to_owned)
    }
    /// Each item is at least a byte, so that a damaged count cannot ask for more memory than the index has.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, Damaged>) -> Result<Vec<T>, Damaged> {
        let count = self.length()?;
        (0..count).map(|_| item(self)).collect()
    }

    pub fn entry(&mut self) -> Result<(Advisory, Affected), Damaged> {
        let advisory = Advisory {
            id: self.owned()?,
            aliases: self.list(Self::owned)?,
            upstream: self.list(Self::owned)?,
            summary: self.owned()?,
            modified: i64::from_le_bytes(self.bytes(8)?.try_into().map_err(|_| Damaged)?),
            withdrawn: false,
            affected: Vec::new(),
        };
        let (ecosystem, name) = (self.owned()?, self.owned()?);
        let class = Class::ALL.get(usize::from(self.byte()?)).copied().ok_or(Damaged)?;
        let score = Some(self.byte()?).filter(|tenths| *tenths <= 100).map(|tenths| Score { tenths });
        let vector = Some(self.owned()?).filter(|vector| !vector.is_empty());
        let ranges = self.list(|reader| {
            let kind = match reader.byte()? {
                0 => RangeKind::SemVer,
                1 => RangeKind::Ecosystem,
                2 => RangeKind::Git,
                _ => return Err(Damaged),
            };
            Ok(Range { kind, repository: reader.owned()?, events: reader.list(Self::event)? })
        })?;
        let affected = Affected {
            ecosystem,
            name,
            rating: Rating { class, score, vector },
            ranges,
            versions: self.list(Self::owned)?,
            functions: self.list(Self::owned)?,
        };
        Ok((advisory, affected))
    }
    fn event(&mut self) -> Result<Event, Damaged> {
        let kind = match self.byte()? {
            0 => EventKind::Introduced,
            1 => EventKind::Fixed,
            2 => EventKind::LastAffected,
            3 => EventKind::Limit,
            _ => return Err(Damaged),
        };
        Ok(Event { kind, version: self.owned()? })
    }
}
