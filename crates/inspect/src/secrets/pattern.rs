//! Token formats as sequences of literals and runs of characters: matching is linear, whatever the input is.

use super::checksum::Check;
use crate::finding::Severity;

/// Which characters a run may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Set {
    Digits,
    /// Lower-case hexadecimal.
    Hex,
    /// `A-Z2-7`.
    Base32,
    Upper,
    Lower,
    Alphanumeric,
    /// Letters, digits, `_` and `-`.
    Url,
    /// Letters, digits, `+`, `/`, `=`, `_`, `-`.
    Base64,
    /// As `Url`, and dots.
    Dotted,
}

impl Set {
    pub fn has(self, byte: u8) -> bool {
        match self {
            Set::Digits => byte.is_ascii_digit(),
            Set::Hex => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            Set::Base32 => byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte),
            Set::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Set::Lower => byte.is_ascii_lowercase() || byte.is_ascii_digit(),
            Set::Alphanumeric => byte.is_ascii_alphanumeric(),
            Set::Url => byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-',
            Set::Base64 => byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte),
            Set::Dotted => byte.is_ascii_alphanumeric() || b"_-.".contains(&byte),
        }
    }
}

#[derive(Clone, Copy)]
pub enum Part {
    Is(&'static str),
    Run(Set, usize, usize),
}

/// A format.
pub struct Format {
    pub rule: &'static str,
    pub what: &'static str,
    pub severity: Severity,
    /// What is looked for first; each begins the token, or follows `before`.
    pub anchors: &'static [&'static str],
    /// A run in front of the anchor.
    pub before: Option<(Set, usize, usize)>,
    pub after: &'static [Part],
    pub check: Check,
}

/// The token's place around an anchor at `at` of `length` bytes, if the format is there.
pub fn matched(format: &Format, bytes: &[u8], at: usize, length: usize) -> Option<(usize, usize)> {
    let mut start = at;
    if let Some((set, least, most)) = format.before {
        let run = bytes.get(..at)?.iter().rev().take(most + 1).take_while(|byte| set.has(**byte)).count();
        if run < least || run > most {
            return None;
        }
        start = at - run;
    }
    // A token stands alone: `xghp_…` is another word.
    let joined = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if start > 0 && bytes.get(start - 1).is_some_and(joined) && !escaped(bytes, start) {
        return None;
    }
    let mut end = at + length;
    let mut last = None;
    for part in format.after {
        match part {
            Part::Is(text) => {
                if !bytes.get(end..)?.starts_with(text.as_bytes()) {
                    return None;
                }
                end += text.len();
                last = None;
            }
            Part::Run(set, least, most) => {
                let run = bytes.get(end..)?.iter().take(*most).take_while(|byte| set.has(**byte)).count();
                if run < *least {
                    return None;
                }
                end += run;
                last = Some(*set);
            }
        }
    }
    let longer = bytes.get(end).is_some_and(|byte| joined(byte) || last.is_some_and(|set| set != Set::Dotted && set.has(*byte)));
    (!longer).then_some((start, end))
}

/// `\n` before a token in a text with escapes: the letter belongs to the escape.
fn escaped(bytes: &[u8], start: usize) -> bool {
    start >= 2 && bytes.get(start - 2) == Some(&b'\\') && bytes.get(start - 1).is_some_and(|byte| b"ntr".contains(byte))
}
