//! Where every byte of a dossier belongs.
//!
//! A dossier file is canonical JSON, so its bytes follow from the lengths of its parts. The seal lists length and digest
//! of every part. With that a verifier can say *which* part a changed byte lies in even when the file is no JSON any
//! more; and a file in which no part differs is, byte for byte, the file that was sealed.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Every member of the file, in canonical order.
pub(crate) const MEMBERS: [&str; 11] =
    ["attestations", "checkpoint", "facts", "format", "heads", "keylist", "notes", "project", "proof", "seal", "subject"];

pub(crate) const FACTS: &str = "facts";
pub(crate) const SEAL: &str = "seal";

const FORMAT: &str = "holdpoint-dossier-seal/1";

/// What the server key signs: the parts of the file, apart from the seal itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seal {
    format: String,
    facts: Vec<SealedFact>,
    sections: Vec<SealedSection>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedFact {
    index: u64,
    length: usize,
    digest: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedSection {
    name: String,
    length: usize,
    digest: Digest,
}

/// The canonical bytes of the parts.
pub(crate) struct Parts {
    /// Log index and canonical entry.
    pub facts: Vec<(u64, Vec<u8>)>,
    /// Every other member but the seal, in the order of [`MEMBERS`].
    pub sections: Vec<(&'static str, Vec<u8>)>,
}

impl Parts {
    pub(crate) fn seal(&self) -> Seal {
        let facts = self.facts.iter().map(|(index, bytes)| SealedFact { index: *index, length: bytes.len(), digest: Digest::of(bytes) });
        let sections = self.sections.iter().map(|(name, bytes)| SealedSection {
            name: (*name).to_owned(),
            length: bytes.len(),
            digest: Digest::of(bytes),
        });
        Seal { format: FORMAT.to_owned(), facts: facts.collect(), sections: sections.collect() }
    }

    /// The file: one canonical object and a newline. `seal` is the canonical bytes of the seal member.
    pub(crate) fn file(&self, seal: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for (i, name) in MEMBERS.iter().enumerate() {
            out.extend_from_slice(member_start(i, name).as_bytes());
            if *name == FACTS {
                out.push(b'[');
                for (n, (_, fact)) in self.facts.iter().enumerate() {
                    if n > 0 {
                        out.push(b',');
                    }
                    out.extend_from_slice(fact);
                }
                out.push(b']');
            } else if *name == SEAL {
                out.extend_from_slice(seal);
            } else if let Some((_, bytes)) = self.sections.iter().find(|(n, _)| n == name) {
                out.extend_from_slice(bytes);
            }
        }
        out.extend_from_slice(b"}\n");
        out
    }
}

fn member_start(position: usize, name: &str) -> String {
    format!("{}\"{name}\":", if position == 0 { '{' } else { ',' })
}

/// A part of the file that differs from what was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage {
    pub part: Part,
    /// Byte offset at which the part should start.
    pub offset: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// The fact with this log index.
    Fact(u64),
    /// A member of the file.
    Section(String),
    /// Names, commas and brackets between the parts.
    Structure,
}

impl Seal {
    /// Whether the seal names the members every dossier has.
    pub(crate) fn is_complete(&self) -> bool {
        let sealed = self.sections.iter().map(|s| s.name.as_str());
        self.format == FORMAT && sealed.eq(MEMBERS.into_iter().filter(|m| *m != FACTS && *m != SEAL))
    }

    /// Compares a file with the seal, part by part. `seal_length` is the length of the seal member in this file. If the
    /// file has another length than was sealed, nothing behind the first difference can be placed, and comparing stops
    /// there.
    pub(crate) fn damages(&self, file: &[u8], seal_length: usize) -> Vec<Damage> {
        let mut walk = Walk { file, at: 0, in_place: true, damages: Vec::new() };
        walk.in_place = self.file_length(seal_length) == Some(file.len());
        for (i, name) in MEMBERS.iter().enumerate() {
            walk.literal(&member_start(i, name));
            if *name == FACTS {
                for (n, fact) in self.facts.iter().enumerate() {
                    walk.separator(if n == 0 { "[" } else { "," }, fact.index);
                    walk.part(Part::Fact(fact.index), fact.length, &fact.digest);
                }
                walk.literal(if self.facts.is_empty() { "[]" } else { "]" });
            } else if *name == SEAL {
                walk.at = walk.at.saturating_add(seal_length);
            } else if let Some(section) = self.sections.iter().find(|s| s.name == *name) {
                walk.part(Part::Section(section.name.clone()), section.length, &section.digest);
            }
        }
        walk.literal("}\n");
        if walk.at != file.len() {
            walk.damaged(Part::Structure, file.len().min(walk.at));
        }
        walk.damages
    }

    fn file_length(&self, seal_length: usize) -> Option<usize> {
        let parts = self.facts.iter().map(|f| f.length).chain(self.sections.iter().map(|s| s.length));
        let names = MEMBERS.iter().map(|name| member_start(0, name).len());
        // Brackets and commas of the facts, and the end of the file.
        let marks = self.facts.len().max(1) + 1 + 2;
        parts.chain(names).chain([seal_length, marks]).try_fold(0usize, |sum, n| sum.checked_add(n))
    }
}

struct Walk<'a> {
    file: &'a [u8],
    at: usize,
    in_place: bool,
    damages: Vec<Damage>,
}

impl Walk<'_> {
    fn take(&mut self, length: usize) -> (usize, Option<&[u8]>) {
        let start = self.at;
        self.at = start.saturating_add(length);
        (start, self.file.get(start..self.at))
    }

    fn literal(&mut self, text: &str) {
        let (start, found) = self.take(text.len());
        if found != Some(text.as_bytes()) {
            self.damaged(Part::Structure, start);
        }
    }

    /// What stands before a fact. In a file of another length its absence means that the fact is not there.
    fn separator(&mut self, text: &str, next: u64) {
        let (start, found) = self.take(text.len());
        if found != Some(text.as_bytes()) {
            self.damaged(if self.in_place { Part::Structure } else { Part::Fact(next) }, start);
        }
    }

    fn part(&mut self, part: Part, length: usize, digest: &Digest) {
        let (start, found) = self.take(length);
        if found.is_none_or(|bytes| Digest::of(bytes) != *digest) {
            self.damaged(part, start);
        }
    }

    fn damaged(&mut self, part: Part, offset: usize) {
        if self.in_place || self.damages.is_empty() {
            self.damages.push(Damage { part, offset });
        }
    }
}

/// The text of a member whose value is a string without escapes, found without parsing: the last `"name":"…"` of the
/// file. Whatever it returns is believed only because of the signature inside.
pub(crate) fn text_member<'a>(file: &'a [u8], name: &str) -> Option<&'a str> {
    let start = format!("\"{name}\":\"");
    let at = file.windows(start.len()).rposition(|w| w == start.as_bytes())? + start.len();
    let length = file[at..].iter().position(|b| *b == b'"')?;
    std::str::from_utf8(&file[at..at + length]).ok()
}
