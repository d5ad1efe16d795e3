//! An entry of a transparency log (Rekor 1 and 2): that the log has it, and since when.
//!
//! Whether the entry is about *this* signature is [`super::body`].

use serde_json::json;

use crate::base64;
use crate::canonical;
use crate::checkpoint::SignedNote;
use crate::digest::Digest;
use crate::merkle;
use crate::sigstore::bundle::{Entry, Proof, Version};
use crate::sigstore::refusal::Refusal;
use crate::sigstore::root::{Log, TrustedRoot};
use crate::sigstore::time::{self, Seconds};

/// What is known of an entry that the log has.
#[derive(Debug, Clone)]
pub struct Logged<'a> {
    /// Which log.
    pub log: &'a Log,
    /// When the log promised to include it; Rekor 2 promises nothing.
    pub promised_at: Option<Seconds>,
    /// Whether an inclusion proof was checked.
    pub proved: bool,
}

fn log<'a>(entry: &Entry, root: &'a TrustedRoot) -> Result<Vec<&'a Log>, Refusal> {
    let known: Vec<&Log> = root.tlogs.iter().filter(|log| log.id == entry.log_id).collect();
    if known.is_empty() {
        let expected: Vec<String> = root.tlogs.iter().map(|log| base64::encode(&log.id)).collect();
        let expected = if expected.is_empty() { "a log, of which the trusted root has none".to_owned() } else { expected.join(" or ") };
        return Err(Refusal::new("log-unknown", "the log entry's logId", base64::encode(&entry.log_id), expected));
    }
    Ok(known)
}

/// Checks promise and proof of an entry by the logs of `root`.
///
/// # Errors
/// [`Refusal`] of a rule `log-…`.
pub fn check<'a>(entry: &Entry, version: Version, root: &'a TrustedRoot) -> Result<Logged<'a>, Refusal> {
    let known = log(entry, root)?;
    let promised_at = match &entry.promise {
        Some(promise) => Some(check_promise(entry, promise, &known)?),
        None => None,
    };
    let in_force = |log: &&&Log| promised_at.is_none_or(|at| log.valid.holds(at));
    let log = known.iter().find(in_force).copied().ok_or_else(|| {
        let ranges: Vec<String> = known.iter().map(|log| log.valid.show()).collect();
        let found = promised_at.map(time::show).unwrap_or_default();
        Refusal::new("log-validity", "the log entry's time", found, format!("in the log key's validity, {}", ranges.join(" or ")))
    })?;
    match &entry.proof {
        Some(proof) => check_proof(entry, proof, log)?,
        None if version == Version::V01 && promised_at.is_some() => {}
        None => {
            let expected = if version == Version::V01 { "an inclusion promise or proof" } else { "an inclusion proof with a checkpoint" };
            return Err(Refusal::new("log-proof", format!("the log entry of a bundle of version {}", version.name()), "none", expected));
        }
    }
    Ok(Logged { log, promised_at, proved: entry.proof.is_some() })
}

/// Rekor's signed entry timestamp: the log's signature over canonical JSON (RFC 8785) of body, time, log and index.
fn check_promise(entry: &Entry, promise: &[u8], known: &[&Log]) -> Result<Seconds, Refusal> {
    let what = "the log's inclusion promise";
    let refuse = |found: &str, expected: &str| Refusal::new("log-promise", what, found, expected);
    let at = entry.integrated_time.ok_or_else(|| refuse("no integratedTime", "the time that is signed"))?;
    let signed = json!({
        "body": base64::encode(&entry.body), "integratedTime": at,
        "logID": hex::encode(&entry.log_id), "logIndex": entry.log_index,
    });
    let message = canonical::value_to_vec(&signed).map_err(|why| refuse(&why.to_string(), "numbers below 2^53"))?;
    let genuine = |log: &&&Log| log.key.as_ref().is_some_and(|key| key.verifies(&message, promise));
    match known.iter().find(genuine) {
        Some(_) => Ok(at),
        None => Err(refuse("a signature that is not the log's", "the log's signature over this entry, its index and its time")),
    }
}

fn check_proof(entry: &Entry, proof: &Proof, log: &Log) -> Result<(), Refusal> {
    let leaf = merkle::leaf_hash(&entry.body);
    merkle::verify_inclusion(&leaf, proof.log_index, proof.tree_size, &proof.hashes, &proof.root).map_err(|why| {
        let found = format!("a proof that does not lead from this entry to the root: {why}");
        Refusal::new("log-proof", "the inclusion proof", found, format!("root {}", base64::encode(proof.root.as_bytes())))
    })?;
    let refuse = |found: String, expected: String| Refusal::new("log-checkpoint", "the log's checkpoint", found, expected);
    let note = proof.checkpoint.as_ref().ok_or_else(|| refuse("none".into(), "the log's signed checkpoint".into()))?;
    let (size, root) = check_note(note, log)?;
    if (size, root) != (proof.tree_size, proof.root) {
        let show = |size: u64, root: &Digest| format!("size {size}, root {}", base64::encode(root.as_bytes()));
        return Err(refuse(show(size, &root), format!("{} of the proof", show(proof.tree_size, &proof.root))));
    }
    Ok(())
}

/// Opens the checkpoint (C2SP tlog-checkpoint): size and root. The log's lines are those whose key hint is the beginning of
/// its id; others, such as witnesses', are not judged. Rekor 1 signs under its host's name while its origin has a tree's
/// number behind it.
fn check_note(text: &str, log: &Log) -> Result<(u64, Digest), Refusal> {
    let refuse = |found: String, expected: &str| Refusal::new("log-checkpoint", "the log's checkpoint", found, expected);
    let note = SignedNote::parse(text.as_bytes()).map_err(|why| refuse(why.to_string(), "a signed note"))?;
    let malformed = |why: &str| refuse(why.to_owned(), "origin, size and root");
    let mut lines = note.text.trim_end_matches('\n').split('\n');
    let (Some(origin), Some(size_text), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(malformed("fewer than three lines"));
    };
    let size: u64 = size_text.parse().map_err(|_| malformed("a size that is no number"))?;
    if size.to_string() != size_text || origin.is_empty() {
        return Err(malformed("no origin, or a size with another spelling"));
    }
    let root =
        base64::decode(root).ok().and_then(|bytes| Digest::from_slice(&bytes)).ok_or_else(|| malformed("a root that is not 32 bytes"))?;
    let mut signed = false;
    for line in note.signatures.iter().filter(|line| log.id.starts_with(&line.key_hash)) {
        if line.name != origin && !origin.starts_with(&format!("{} - ", line.name)) {
            return Err(refuse(format!("a signature under the name {:?}", line.name), &format!("the name of {origin:?}")));
        }
        if !log.key.as_ref().is_some_and(|key| key.verifies(note.text.as_bytes(), &line.signature)) {
            return Err(refuse("a signature that is not the log's".into(), &format!("the signature of {}", log.url)));
        }
        signed = true;
    }
    if !signed {
        let names: Vec<&str> = note.signatures.iter().map(|line| line.name.as_str()).collect();
        return Err(refuse(format!("signatures of {} with other keys", names.join(", ")), &format!("the signature of {}", log.url)));
    }
    Ok((size, root))
}
