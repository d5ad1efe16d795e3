//! Python versions (PEP 440, "Summary of permitted suffixes and relative ordering" and "Normalization").

use super::number::Number;
use std::cmp::Ordering;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pep440 {
    epoch: Number,
    /// Without zeros at its end.
    release: Vec<Number>,
    before: Before,
    /// `None` is below every post-release.
    post: Option<Number>,
    dev: Dev,
    local: Vec<Local>,
}

/// A development release of nothing else is below its alphas; no pre-release is above all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Before {
    OnlyDev,
    Pre(u8, Number),
    None,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Dev {
    Dev(Number),
    None,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Local {
    Word(String),
    Number(Number),
}

impl Ord for Local {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Local::Word(a), Local::Word(b)) => a.cmp(b),
            (Local::Number(a), Local::Number(b)) => a.cmp(b),
            (Local::Word(_), Local::Number(_)) => Ordering::Less,
            (Local::Number(_), Local::Word(_)) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Local {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn take(&mut self, words: &[&str]) -> Option<usize> {
        let (at, rest) = words.iter().enumerate().find_map(|(at, word)| Some((at, self.0.strip_prefix(word)?)))?;
        self.0 = rest;
        Some(at)
    }
    fn digits(&mut self) -> Option<&'a str> {
        let end = self.0.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        (!digits.is_empty()).then_some(digits)
    }
    /// `[-_.]? WORD [-_.]? DIGITS?` (appendix B): which word, and its number (0 where there is none).
    fn part(&mut self, words: &[&str]) -> Option<(usize, Number)> {
        let before = self.0;
        self.take(&[".", "-", "_"]);
        let Some(word) = self.take(words) else {
            self.0 = before;
            return None;
        };
        self.take(&[".", "-", "_"]);
        Some((word, self.digits().and_then(Number::read).unwrap_or_default()))
    }
}

pub fn read(text: &str) -> Option<Pep440> {
    let text = text.trim().to_ascii_lowercase();
    let mut reader = Reader(text.strip_prefix('v').unwrap_or(&text));
    let mut epoch = Number::default();
    let mut first = reader.digits()?;
    if reader.take(&["!"]).is_some() {
        epoch = Number::read(first)?;
        first = reader.digits()?;
    }
    let mut release = vec![Number::read(first)?];
    while let Some(rest) = reader.0.strip_prefix('.').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
        reader.0 = rest;
        release.push(Number::read(reader.digits()?)?);
    }
    while release.last().is_some_and(Number::is_zero) {
        release.pop();
    }
    // Longer spellings stand before their own beginnings.
    const PRE: [(&str, u8); 8] = [("alpha", 0), ("a", 0), ("beta", 1), ("b", 1), ("preview", 2), ("pre", 2), ("rc", 2), ("c", 2)];
    let pre = reader.part(&PRE.map(|(word, _)| word)).map(|(word, number)| (PRE.get(word).map_or(2, |(_, rank)| *rank), number));
    let implicit = reader.0.strip_prefix('-').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let post = if let Some(rest) = implicit {
        reader.0 = rest;
        Number::read(reader.digits()?)
    } else {
        reader.part(&["post", "rev", "r"]).map(|(_, number)| number)
    };
    let dev = reader.part(&["dev"]).map(|(_, number)| number);
    let local = match reader.0.strip_prefix('+') {
        Some(local) => local
            .split(['.', '-', '_'])
            .map(|part| {
                let fits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
                fits.then(|| Number::read(part).map_or_else(|| Local::Word(part.to_owned()), Local::Number))
            })
            .collect::<Option<Vec<_>>>()?,
        None if reader.0.is_empty() => Vec::new(),
        None => return None,
    };
    let before = match (pre, &post, &dev) {
        (Some((rank, number)), _, _) => Before::Pre(rank, number),
        (None, None, Some(_)) => Before::OnlyDev,
        (None, _, _) => Before::None,
    };
    Some(Pep440 { epoch, release, before, post, dev: dev.map_or(Dev::None, Dev::Dev), local })
}
