//! The dossier of a release: everything that was known and decided about it, in one file that anyone can check offline
//! with nothing but the root's public key.
//!
//! The file is one canonical JSON object (RFC 8785) and a newline, with the members
//!
//! | member | content |
//! |---|---|
//! | `format` | `holdpoint-dossier/1` |
//! | `project`, `subject` | the tenant and the release's id; the stream `release/<subject>` is among the facts |
//! | `facts` | `[{body, envelope, index}]`, whole streams, ascending by log index |
//! | `heads` | `{stream: {positions, last_hash}}`: how long each stream is, so that an omission shows |
//! | `attestations` | `[{digest, envelope}]`, ascending; the DSSE documents that `EvidenceReceived` facts name, base64 |
//! | `notes` | `{digest: {salt, text}}`: free texts that were not erased |
//! | `checkpoint` | the signed note of the log |
//! | `proof` | `{"level/index": digest}`: the Merkle nodes that prove every fact's inclusion, each once |
//! | `keylist` | base64 of the key list's envelope, signed by the root |
//! | `seal` | base64 of a DSSE envelope by a server key over length and digest of every other part |
//!
//! Every fact is proved by itself against the checkpoint, so one altered fact does not hide which one it is; the seal
//! covers every remaining byte. What a dossier cannot show alone: that a server which holds its own key gave every
//! reader the same log. For that [`verify`] takes an older checkpoint. Whether attested evidence may be *trusted* is not
//! judged here ([`crate::trust`]); that it is the evidence the decisions were made on is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base64;
use crate::canonical::{self, CanonicalError};
use crate::checkpoint::{Checkpoint, CheckpointError, SignedNote, signing_index};
use crate::digest::Digest;
use crate::dsse::{DsseError, Envelope};
use crate::fact::{self, LoggedFact, StreamHead};
use crate::json::{self, JsonError};
use crate::keylist::{KeyRole, VerifiedKeyList};
use crate::keys::{KeyId, PublicKey, SigningKey};
use crate::layout::{self, Part, Parts, Seal};
use crate::merkle::{self, MerkleError, NodeId, Nodes};
use crate::note::{Note, OpenNote};
use crate::report::{Report, chain};

/// `format` of the file.
pub const FORMAT: &str = "holdpoint-dossier/1";

/// DSSE payload type of the seal.
pub const SEAL_TYPE: &str = "application/vnd.holdpoint.dossier-seal+json";

/// Dossiers beyond this many bytes are not read.
pub const DOSSIER_BYTES_MAX: usize = 256 << 20;

/// Fact type whose body names an attested document in its member `envelope`.
const EVIDENCE_RECEIVED: &str = "EvidenceReceived";

const APPROVAL_GIVEN: &str = "ApprovalGiven";

/// What a dossier is made of.
#[derive(Debug, Clone)]
pub struct Contents {
    /// Tenant.
    pub project: String,
    /// Release id.
    pub subject: String,
    /// Whole streams, sealed in the log below the checkpoint's size; any order.
    pub facts: Vec<LoggedFact>,
    /// The bytes of the documents that `EvidenceReceived` facts name.
    pub attestations: Vec<Vec<u8>>,
    /// Free texts the facts commit to, as far as they still exist.
    pub notes: Vec<OpenNote>,
    /// Signed note.
    pub checkpoint: String,
    /// Envelope of the key list.
    pub keylist: Vec<u8>,
}

/// Why a dossier cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DossierError {
    /// A part has no canonical form.
    #[error("a part has no canonical form")]
    Canonical(#[from] CanonicalError),
    /// The checkpoint is malformed.
    #[error("the checkpoint is malformed")]
    Checkpoint(#[from] CheckpointError),
    /// A Merkle node is missing, or a fact is not below the checkpoint's size.
    #[error("a fact cannot be proved")]
    Merkle(#[from] MerkleError),
    /// The seal could not be signed.
    #[error("the seal could not be signed")]
    Seal(#[from] DsseError),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    attestations: Vec<Attestation>,
    checkpoint: String,
    facts: Vec<LoggedFact>,
    format: String,
    heads: BTreeMap<String, StreamHead>,
    keylist: String,
    notes: BTreeMap<Digest, OpenNote>,
    project: String,
    proof: BTreeMap<NodeId, Digest>,
    seal: String,
    subject: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attestation {
    digest: Digest,
    envelope: String,
}

/// The stored Merkle nodes a dossier over these log indexes needs from a log of `size`.
///
/// # Errors
/// [`MerkleError::Index`] if a fact is not yet below `size`.
pub fn needed_nodes(indexes: &[u64], size: u64) -> Result<BTreeSet<NodeId>, MerkleError> {
    let mut needed = BTreeSet::new();
    for index in indexes {
        needed.extend(merkle::inclusion_needs(*index, size)?);
    }
    Ok(needed)
}

/// Makes the file and seals it with a server key that has the role [`KeyRole::Dossier`].
///
/// # Errors
/// [`DossierError`].
pub fn build(contents: Contents, nodes: &impl Nodes, server: &SigningKey) -> Result<Vec<u8>, DossierError> {
    let note = SignedNote::parse(contents.checkpoint.as_bytes())?;
    let size = Checkpoint::parse_text(&note.text)?.size;
    let mut facts = contents.facts;
    facts.sort_by_key(|f| f.index);
    let indexes: Vec<u64> = facts.iter().map(|f| f.index).collect();
    let mut proof = BTreeMap::new();
    for id in needed_nodes(&indexes, size)? {
        proof.insert(id, nodes.node(id).ok_or(MerkleError::Missing(id))?);
    }
    let mut heads: BTreeMap<String, StreamHead> = BTreeMap::new();
    for fact in &facts {
        let head = StreamHead { positions: fact.envelope.position, last_hash: Some(fact.envelope.leaf_hash()?) };
        heads.insert(fact.envelope.stream.clone(), head);
    }
    let attestations: BTreeMap<Digest, &Vec<u8>> = contents.attestations.iter().map(|a| (Digest::of(a), a)).collect();
    let attestations: Vec<Attestation> =
        attestations.into_iter().map(|(digest, bytes)| Attestation { digest, envelope: base64::encode(bytes) }).collect();
    let notes: BTreeMap<Digest, OpenNote> = contents.notes.into_iter().map(|n| (n.commit().digest, n)).collect();

    let sections = vec![
        ("attestations", canonical::to_vec(&attestations)?),
        ("checkpoint", canonical::to_vec(&contents.checkpoint)?),
        ("format", canonical::to_vec(FORMAT)?),
        ("heads", canonical::to_vec(&heads)?),
        ("keylist", canonical::to_vec(&base64::encode(&contents.keylist))?),
        ("notes", canonical::to_vec(&notes)?),
        ("project", canonical::to_vec(&contents.project)?),
        ("proof", canonical::to_vec(&proof)?),
        ("subject", canonical::to_vec(&contents.subject)?),
    ];
    let mut entries = Vec::with_capacity(facts.len());
    for fact in &facts {
        entries.push((fact.index, canonical::to_vec(fact)?));
    }
    let parts = Parts { facts: entries, sections };
    let envelope = Envelope::sign(SEAL_TYPE, canonical::to_vec(&parts.seal())?, &[server])?;
    Ok(parts.file(&canonical::to_vec(&base64::encode(&envelope.to_vec()))?))
}

/// A checkpoint the verifier kept from an earlier day, or got from a witness.
#[derive(Debug, Clone, Copy)]
pub struct Older<'a> {
    /// The signed note.
    pub note: &'a [u8],
    /// The consistency proof between both sizes; empty if they are equal.
    pub consistency: &'a [Digest],
}

/// Checks everything in a dossier with nothing but the root's public key, and, if given, that its log continues an
/// older checkpoint (or leads up to it).
///
/// `first_bad_index` is the log index of the first fact that was altered, removed or added to, where that can be told;
/// damage elsewhere in the file is named by its section.
pub fn verify(dossier: &[u8], root: &PublicKey, older: Option<Older<'_>>) -> Report {
    let mut report = Report::new();
    let keys = open_keys(dossier, root, &mut report);
    let seal = keys.as_ref().and_then(|keys| open_seal(dossier, keys, &mut report));
    if let Some((seal, _, length)) = &seal {
        // What damaged parts would mean, and how many approvals they would hold, is not to be believed.
        if place_damage(dossier, seal, *length, &mut report) {
            return report;
        }
    }
    let file = match read(dossier) {
        Ok(file) => file,
        Err((section, message)) => {
            report.wrong(&section, "a canonical dossier file", message);
            return report;
        }
    };
    count(&file, &mut report);
    let checkpoint = keys.as_ref().and_then(|keys| open_checkpoint(&file, keys, &mut report));
    if let (Some(keys), Some((_, sealer, _)), Some(checkpoint)) = (&keys, &seal, &checkpoint)
        && let Err(error) = keys.key_for(sealer, KeyRole::Dossier, signing_index(checkpoint.size))
    {
        report.wrong(layout::SEAL, "a server key that counts at this checkpoint", chain(&error));
    }
    check_head_line(&file, &mut report);
    check_facts(&file, checkpoint.as_ref(), &mut report);
    check_attestations(&file, &mut report);
    check_notes(&file, &mut report);
    if let (Some(older), Some(keys), Some(checkpoint)) = (older, &keys, &checkpoint) {
        check_older(older, keys, checkpoint, &mut report);
    }
    report
}

fn open_keys(dossier: &[u8], root: &PublicKey, report: &mut Report) -> Option<VerifiedKeyList> {
    let opened = layout::text_member(dossier, "keylist")
        .and_then(|text| base64::decode(text).ok())
        .ok_or_else(|| "no base64 text".to_owned())
        .and_then(|bytes| VerifiedKeyList::open(&bytes, root).map_err(|e| chain(&e)));
    opened.map_err(|why| report.wrong("keylist", format!("a key list signed by the root key {}", root.id()), why)).ok()
}

/// The seal, the key that made it, and the length of the member.
fn open_seal(dossier: &[u8], keys: &VerifiedKeyList, report: &mut Report) -> Option<(Seal, KeyId, usize)> {
    let try_open = || -> Result<(Seal, KeyId, usize), String> {
        let text = layout::text_member(dossier, layout::SEAL).ok_or("no seal")?;
        let bytes = base64::decode(text).map_err(|e| e.to_string())?;
        let envelope = Envelope::parse(&bytes).map_err(|e| chain(&e))?;
        let named = envelope.signatures.iter().find_map(|s| s.keyid.parse::<KeyId>().ok()).ok_or("no key id")?;
        let listed = keys.list().keys.iter().find(|k| k.key.id() == named && k.roles.contains(&KeyRole::Dossier));
        let key = &listed.ok_or("signed by a key that may not seal dossiers")?.key;
        let envelope = Envelope::open_own(&bytes, SEAL_TYPE, key).map_err(|e| chain(&e))?;
        let seal: Seal = json::read(&envelope.payload, DOSSIER_BYTES_MAX).map_err(|e| e.to_string())?;
        if !seal.is_complete() {
            return Err("the seal does not cover every section".to_owned());
        }
        Ok((seal, named, text.len() + 2))
    };
    try_open().map_err(|why| report.wrong(layout::SEAL, "a seal signed by a server key", why)).ok()
}

/// Names the parts that differ from what was sealed; whether there are any.
fn place_damage(dossier: &[u8], seal: &Seal, seal_length: usize, report: &mut Report) -> bool {
    let damages = seal.damages(dossier, seal_length);
    for damage in &damages {
        let found = format!("other bytes, from byte {}", damage.offset);
        match &damage.part {
            Part::Fact(index) => report.wrong_fact(*index, "fact", "the bytes that were sealed", found),
            Part::Section(name) => report.wrong(name, "the bytes that were sealed", found),
            Part::Structure => report.wrong("structure", "the members and separators of a dossier", found),
        }
    }
    !damages.is_empty()
}

fn read(dossier: &[u8]) -> Result<File, (String, String)> {
    let refuse = |error: JsonError| {
        let section = error.path.split('/').nth(1).unwrap_or("file").to_owned();
        (section, error.to_string())
    };
    let value = json::parse(dossier, DOSSIER_BYTES_MAX).map_err(refuse)?;
    let mut canonical = canonical::value_to_vec(&value).map_err(|e| ("file".to_owned(), e.to_string()))?;
    canonical.push(b'\n');
    if canonical != dossier {
        return Err(("file".to_owned(), "JSON that is not in canonical form with one newline".to_owned()));
    }
    json::shape(value).map_err(refuse)
}

fn count(file: &File, report: &mut Report) {
    report.facts = file.facts.len() as u64;
    report.attestations = file.attestations.len() as u64;
    report.approvals = file.facts.iter().filter(|f| f.envelope.fact_type == APPROVAL_GIVEN).count() as u64;
}

fn open_checkpoint(file: &File, keys: &VerifiedKeyList, report: &mut Report) -> Option<Checkpoint> {
    match Checkpoint::open_listed(file.checkpoint.as_bytes(), keys) {
        Ok(checkpoint) => {
            report.size = Some(checkpoint.size);
            report.root = Some(checkpoint.root);
            Some(checkpoint)
        }
        Err(error) => {
            report.wrong("checkpoint", format!("a checkpoint of {:?} signed by a listed key", keys.list().log), chain(&error));
            None
        }
    }
}

fn check_head_line(file: &File, report: &mut Report) {
    if file.format != FORMAT {
        report.wrong("format", FORMAT, &file.format);
    }
    let stream = format!("release/{}", file.subject);
    if !file.facts.iter().any(|f| f.envelope.stream == stream) {
        report.wrong("subject", format!("facts of the stream {stream}"), "none");
    }
}

fn check_facts(file: &File, checkpoint: Option<&Checkpoint>, report: &mut Report) {
    let mut heads: BTreeMap<&str, StreamHead> = BTreeMap::new();
    let mut previous = None;
    for entry in &file.facts {
        let (index, envelope) = (entry.index, &entry.envelope);
        if previous.is_some_and(|p| index <= p) {
            report.wrong_fact(index, "order", "facts ascending by log index, each once", format!("after {previous:?}"));
        }
        previous = Some(index);
        if envelope.project != file.project {
            report.wrong_fact(index, "project", &file.project, &envelope.project);
        }
        match fact::body_digest(&entry.body) {
            Ok(found) if found == envelope.body_digest => {}
            Ok(found) => report.wrong_fact(index, "body", envelope.body_digest, found),
            Err(error) => report.wrong_fact(index, "body", envelope.body_digest, chain(&error)),
        }
        let leaf = match envelope.leaf_hash() {
            Ok(leaf) => leaf,
            Err(error) => {
                report.wrong_fact(index, "envelope", "canonical JSON", chain(&error));
                continue;
            }
        };
        if let Some(checkpoint) = checkpoint {
            let nodes = |id: NodeId| file.proof.get(&id).copied();
            let checked = merkle::inclusion_proof(index, checkpoint.size, &nodes)
                .and_then(|p| merkle::verify_inclusion(&leaf, index, checkpoint.size, &p, &checkpoint.root));
            if let Err(error) = checked {
                report.wrong_fact(index, "inclusion", format!("in the log with root {}", checkpoint.root), error);
            }
        }
        let head = heads.entry(&envelope.stream).or_default();
        if let Err(error) = head.follow(envelope, leaf) {
            report.wrong_fact(index, "chain", format!("the next fact of {}", envelope.stream), error);
            *head = StreamHead { positions: envelope.position, last_hash: Some(leaf) };
        }
    }
    check_stream_heads(file, &heads, report);
}

fn check_stream_heads(file: &File, found: &BTreeMap<&str, StreamHead>, report: &mut Report) {
    let show = |head: Option<&StreamHead>| match head {
        Some(StreamHead { positions, last_hash: Some(hash) }) => format!("{positions} facts, the last {hash}"),
        _ => "no facts".to_owned(),
    };
    let streams: BTreeSet<&str> = file.heads.keys().map(String::as_str).chain(found.keys().copied()).collect();
    for stream in streams {
        let (sealed, found) = (file.heads.get(stream), found.get(stream));
        if sealed != found {
            report.wrong("heads", format!("{stream}: {}", show(sealed)), show(found));
        }
    }
}

fn check_attestations(file: &File, report: &mut Report) {
    let mut present = BTreeSet::new();
    let mut previous = None;
    for attestation in &file.attestations {
        let digest = attestation.digest;
        if previous >= Some(digest) {
            report.wrong("attestations", "ascending digests, each once", digest);
        }
        previous = Some(digest);
        match base64::decode(&attestation.envelope) {
            Ok(bytes) if Digest::of(&bytes) == digest => {
                present.insert(digest);
            }
            Ok(bytes) => report.wrong("attestations", digest, Digest::of(&bytes)),
            Err(error) => report.wrong("attestations", digest, error),
        }
    }
    let mut named = BTreeSet::new();
    for entry in file.facts.iter().filter(|f| f.envelope.fact_type == EVIDENCE_RECEIVED) {
        let Some(text) = entry.body.get("envelope").and_then(Value::as_str) else { continue };
        match text.parse::<Digest>() {
            Ok(digest) => {
                named.insert(digest);
                if !present.contains(&digest) {
                    report.wrong_fact(entry.index, "attestation", digest, "missing");
                }
            }
            Err(error) => report.wrong_fact(entry.index, "attestation", "a digest", error),
        }
    }
    for digest in present.difference(&named) {
        report.wrong("attestations", "documents that a fact names", digest);
    }
}

fn check_notes(file: &File, report: &mut Report) {
    if file.notes.is_empty() {
        return;
    }
    let mut committed = BTreeSet::new();
    for entry in &file.facts {
        digests_in(&entry.body, &mut committed);
    }
    for (digest, note) in &file.notes {
        if !note.opens(&Note { digest: *digest }) {
            report.wrong("notes", digest, note.commit().digest);
        } else if !committed.contains(digest) {
            report.wrong("notes", "texts that a fact commits to", digest);
        }
    }
}

/// Bodies hold commitments wherever their shape has them; a digest anywhere in a body counts. The depth is bounded by
/// the reader.
fn digests_in(value: &Value, out: &mut BTreeSet<Digest>) {
    match value {
        Value::String(text) => out.extend(text.parse::<Digest>()),
        Value::Array(items) => items.iter().for_each(|item| digests_in(item, out)),
        Value::Object(members) => members.values().for_each(|item| digests_in(item, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn check_older(older: Older<'_>, keys: &VerifiedKeyList, checkpoint: &Checkpoint, report: &mut Report) {
    const WHAT: &str = "older-checkpoint";
    let known = match Checkpoint::open_listed(older.note, keys) {
        Ok(known) => known,
        Err(error) => {
            report.wrong(WHAT, "a checkpoint of the same log signed by a listed key", chain(&error));
            return;
        }
    };
    let (first, second) = if known.size <= checkpoint.size { (&known, checkpoint) } else { (checkpoint, &known) };
    let checked = if first.size == 0 {
        // Every log continues the empty one; only the empty root needs to be right.
        merkle::verify_inclusion(&first.root, 0, 1, &[], &merkle::empty_root())
    } else {
        merkle::verify_consistency(first.size, second.size, &first.root, &second.root, older.consistency)
    };
    if let Err(error) = checked {
        report.wrong(WHAT, format!("one log through sizes {} and {}", first.size, second.size), error);
    }
}
