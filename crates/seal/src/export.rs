//! The exported ledger: the whole log as JSON lines, verifiable offline.
//!
//! ```text
//! {"format":"holdpoint-ledger/1","keylist":"<base64 envelope>"}
//! {"body":…,"envelope":…,"index":0,"leaf":"sha256:…"}
//! …
//! {"checkpoint":"<signed note>"}
//! ```
//!
//! Every line is canonical JSON. Checkpoint lines may stand between facts and must match the log at that place; the last
//! line is one and covers everything. [`Verifier`] takes line by line, so that a log of any length can be checked with
//! memory for the stream heads only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base64;
use crate::canonical::{self, CanonicalError};
use crate::checkpoint::{Checkpoint, CheckpointError, SignedNote};
use crate::digest::Digest;
use crate::fact::{self, ChainError, FactEnvelope, LoggedFact, StreamHead};
use crate::json;
use crate::keylist::VerifiedKeyList;
use crate::keys::PublicKey;
use crate::merkle::Tree;
use crate::report::{Report, chain};

/// `format` of the first line.
pub const FORMAT: &str = "holdpoint-ledger/1";

/// Lines beyond this many bytes are not read.
pub const LINE_BYTES_MAX: usize = 4 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    keylist: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FactLine {
    body: Value,
    envelope: FactEnvelope,
    index: u64,
    leaf: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointLine {
    checkpoint: String,
}

fn line<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut bytes = canonical::to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The first line, newline included. `keylist` is the envelope's bytes.
///
/// # Errors
/// None in practice; the canonical form of two strings.
pub fn header_line(keylist: &[u8]) -> Result<Vec<u8>, CanonicalError> {
    line(&Header { format: FORMAT.to_owned(), keylist: base64::encode(keylist) })
}

/// The line of a fact, newline included.
///
/// # Errors
/// [`CanonicalError`] for numbers without a canonical form.
pub fn fact_line(fact: &LoggedFact) -> Result<Vec<u8>, CanonicalError> {
    let leaf = fact.envelope.leaf_hash()?;
    line(&FactLine { body: fact.body.clone(), envelope: fact.envelope.clone(), index: fact.index, leaf })
}

/// The line of a checkpoint, newline included.
///
/// # Errors
/// None in practice; the canonical form of a string.
pub fn checkpoint_line(note: &str) -> Result<Vec<u8>, CanonicalError> {
    line(&CheckpointLine { checkpoint: note.to_owned() })
}

/// Verifies a whole export in memory. `older` are signed notes kept from earlier: the log must have been what they say
/// at their sizes, and must not be shorter.
pub fn verify_export(export: &[u8], root: &PublicKey, older: &[&[u8]]) -> Report {
    let mut verifier = Verifier::new(root, older);
    let Some(lines) = export.strip_suffix(b"\n") else {
        verifier.unended();
        return verifier.finish();
    };
    for line in lines.split(|b| *b == b'\n') {
        verifier.line(line);
    }
    verifier.finish()
}

/// Verifies an export line by line. After the first finding it only counts on; what follows an altered line proves
/// nothing.
pub struct Verifier<'a> {
    root: &'a PublicKey,
    older_notes: Vec<&'a [u8]>,
    older: Vec<Checkpoint>,
    keys: Option<VerifiedKeyList>,
    tree: Tree,
    streams: BTreeMap<(String, String), (StreamHead, u64)>,
    /// Facts below this index are proved by a checkpoint that held.
    good_below: u64,
    covered: bool,
    lines: u64,
    report: Report,
}

impl<'a> Verifier<'a> {
    /// Starts; `older` as in [`verify_export`].
    pub fn new(root: &'a PublicKey, older: &[&'a [u8]]) -> Verifier<'a> {
        Verifier {
            root,
            older_notes: older.to_vec(),
            older: Vec::new(),
            keys: None,
            tree: Tree::new(),
            streams: BTreeMap::new(),
            good_below: 0,
            covered: false,
            lines: 0,
            report: Report::new(),
        }
    }

    /// Takes the next line, without its newline.
    pub fn line(&mut self, bytes: &[u8]) {
        self.lines += 1;
        if !self.report.ok {
            return;
        }
        if self.lines == 1 {
            self.header(bytes);
        } else if let Some(value) = self.canonical_line(bytes) {
            if value.get("checkpoint").is_some() {
                self.checkpoint(value);
            } else if is_fact(bytes) {
                self.fact(value);
            } else {
                self.bad_line("a fact or a checkpoint", "another object");
            }
        }
    }

    /// The last line has no newline.
    pub fn unended(&mut self) {
        self.report.wrong("end", "a newline after every line", "none after the last");
    }

    /// Ends: the last line must have been a checkpoint over everything, and no older checkpoint may be ahead.
    pub fn finish(mut self) -> Report {
        if self.report.ok {
            let size = self.tree.size();
            if let Some(ahead) = self.older.iter().filter(|c| c.size > size).map(|c| c.size).max() {
                self.report.wrong_fact(size, "older-checkpoint", format!("a log of at least {ahead} facts"), size);
            } else if !self.covered {
                self.report.wrong("checkpoint", "a checkpoint over all facts as the last line", "none");
            }
        }
        self.report
    }

    fn bad_line(&mut self, expected: &str, found: impl ToString) {
        self.report.wrong(&format!("line {}", self.lines), expected, found);
    }

    /// A line is read if it is canonical JSON; otherwise the finding is the fact's if it looks like one.
    fn canonical_line(&mut self, bytes: &[u8]) -> Option<Value> {
        let read = json::parse(bytes, LINE_BYTES_MAX).map_err(|e| e.to_string()).and_then(|value| {
            let canonical = canonical::value_to_vec(&value).map_err(|e| e.to_string())?;
            if canonical == bytes { Ok(value) } else { Err("not in canonical form".to_owned()) }
        });
        match read {
            Ok(value) => Some(value),
            Err(why) if self.lines > 1 && is_fact(bytes) => {
                self.report.wrong_fact(self.tree.size(), "fact", "canonical JSON", why);
                None
            }
            Err(why) => {
                self.bad_line("canonical JSON", why);
                None
            }
        }
    }

    fn header(&mut self, bytes: &[u8]) {
        let Some(value) = self.canonical_line(bytes) else { return };
        let header: Header = match json::shape(value) {
            Ok(header) => header,
            Err(error) => return self.bad_line("the header of an export", error),
        };
        if header.format != FORMAT {
            return self.report.wrong("format", FORMAT, header.format);
        }
        let opened = base64::decode(&header.keylist)
            .map_err(|e| e.to_string())
            .and_then(|bytes| VerifiedKeyList::open(&bytes, self.root).map_err(|e| chain(&e)));
        let keys = match opened {
            Ok(keys) => keys,
            Err(why) => {
                let expected = format!("a key list signed by the root key {}", self.root.id());
                return self.report.wrong("keylist", expected, why);
            }
        };
        for note in std::mem::take(&mut self.older_notes) {
            match Checkpoint::open_listed(note, &keys) {
                Ok(checkpoint) => self.older.push(checkpoint),
                Err(error) => self.report.wrong("older-checkpoint", "signed by a listed key", chain(&error)),
            }
        }
        self.keys = Some(keys);
        self.compare_older();
    }

    fn fact(&mut self, value: Value) {
        let expected_index = self.tree.size();
        let line: FactLine = match json::shape(value) {
            Ok(line) => line,
            Err(error) => return self.report.wrong_fact(expected_index, "fact", "index, envelope, body and leaf", error),
        };
        if line.index != expected_index {
            return self.report.wrong_fact(expected_index, "index", expected_index, line.index);
        }
        let leaf = match line.envelope.leaf_hash() {
            Ok(leaf) if leaf == line.leaf => leaf,
            Ok(leaf) => return self.report.wrong_fact(line.index, "leaf", line.leaf, leaf),
            Err(error) => return self.report.wrong_fact(line.index, "envelope", "canonical JSON", error),
        };
        match fact::body_digest(&line.body) {
            Ok(found) if found == line.envelope.body_digest => {}
            Ok(found) => return self.report.wrong_fact(line.index, "body", line.envelope.body_digest, found),
            Err(error) => return self.report.wrong_fact(line.index, "body", line.envelope.body_digest, chain(&error)),
        }
        let stream = (line.envelope.project.clone(), line.envelope.stream.clone());
        let (head, last_index) = self.streams.entry(stream).or_default();
        if let Err(error) = head.follow(&line.envelope, leaf) {
            // If the previous fact is not proved by a checkpoint yet, it may be the one that was rewritten.
            let suspect = matches!(error, ChainError::Prev { .. }) && head.positions > 0 && *last_index >= self.good_below;
            let index = if suspect { *last_index } else { line.index };
            let expected = format!("fact {} to be the next of {}", line.index, line.envelope.stream);
            return self.report.wrong_fact(index, "chain", expected, error);
        }
        *last_index = line.index;
        self.tree.append(leaf);
        self.covered = false;
        self.report.facts += 1;
        match line.envelope.fact_type.as_str() {
            "ApprovalGiven" => self.report.approvals += 1,
            "EvidenceReceived" => self.report.attestations += 1,
            _ => {}
        }
        self.compare_older();
    }

    fn compare_older(&mut self) {
        let size = self.tree.size();
        for older in self.older.iter().filter(|c| c.size == size) {
            let root = self.tree.root();
            if older.root != root {
                return self.report.wrong_fact(self.good_below, "older-checkpoint", older.root, root);
            }
            self.good_below = size;
        }
    }

    fn checkpoint(&mut self, value: Value) {
        let Some(keys) = &self.keys else { return };
        let opened = json::shape::<CheckpointLine>(value).map_err(|e| e.to_string()).and_then(|line| {
            // Lines of witnesses are not judged here, so their bytes would go unchecked.
            match SignedNote::parse(line.checkpoint.as_bytes()) {
                Ok(note) if note.signatures.len() > 1 => return Err("more than one signature".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
            Checkpoint::open_listed(line.checkpoint.as_bytes(), keys).map_err(|e: CheckpointError| chain(&e))
        });
        let checkpoint = match opened {
            Ok(checkpoint) => checkpoint,
            Err(why) => return self.report.wrong("checkpoint", "a checkpoint signed by a listed key", why),
        };
        let (size, root) = (self.tree.size(), self.tree.root());
        if checkpoint.size != size {
            let expected = format!("{} facts before this checkpoint", checkpoint.size);
            return self.report.wrong_fact(size.min(checkpoint.size), "size", expected, size);
        }
        if checkpoint.root != root {
            return self.report.wrong_fact(self.good_below, "root", checkpoint.root, root);
        }
        self.good_below = size;
        self.covered = true;
        self.report.size = Some(size);
        self.report.root = Some(root);
    }
}

/// Looks at the bytes only, because the line may be damaged.
fn is_fact(bytes: &[u8]) -> bool {
    let has = |text: &[u8]| bytes.windows(text.len()).any(|w| w == text);
    has(b"\"envelope\":") || bytes.starts_with(b"{\"body\":")
}
