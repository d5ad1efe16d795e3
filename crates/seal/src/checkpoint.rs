//! Checkpoints of the log: C2SP `tlog-checkpoint` inside C2SP `signed-note` (c2sp.org).
//!
//! ```text
//! origin
//! tree size in decimal
//! base64 of the root
//!
//! — key-name base64(4-byte key hash || Ed25519 signature)
//! ```
//!
//! The origin is also the key's name. Signature lines of other keys (witnesses) are kept and not judged here.

use std::fmt::Write as _;

use crate::base64;
use crate::digest::Digest;
use crate::keylist::{KeyListError, KeyRole, VerifiedKeyList};
use crate::keys::{PublicKey, SigningKey};

/// Notes beyond this many bytes are not read.
pub const NOTE_BYTES_MAX: usize = 64 << 10;

/// Notes with more signature lines are not read.
pub const SIGNATURES_MAX: usize = 32;

/// signed-note's algorithm byte for Ed25519.
const ED25519: u8 = 1;

/// The state of the log: its name, its size and the root over all its leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Merkle tree hash over them.
    pub root: Digest,
    /// Further lines, which mean nothing to Holdpoint.
    pub extensions: Vec<String>,
}

/// One signature line of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: String,
    /// First four bytes of the key hash.
    pub key_hash: [u8; 4],
    /// The signature itself.
    pub signature: Vec<u8>,
}

/// A note with its signatures split off; not yet to be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    /// The signed text, its final newline included.
    pub text: String,
    /// At least one.
    pub signatures: Vec<NoteSignature>,
}

/// Why a checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note's form.
    #[error("malformed note: {0}")]
    Note(&'static str),
    /// The checkpoint's form.
    #[error("malformed checkpoint: {0}")]
    Checkpoint(&'static str),
    /// Another log.
    #[error("the checkpoint is of log {found:?}, expected {expected:?}")]
    Origin {
        /// The log asked about.
        expected: String,
        /// The checkpoint's.
        found: String,
    },
    /// A signature line names the key, but is not its signature.
    #[error("the signature line of {0:?} is not that key's signature")]
    BadSignature(String),
    /// No signature line of an acceptable key.
    #[error("no signature by an acceptable key of {0:?}")]
    NotSigned(String),
    /// The key may not speak for this size.
    #[error("the signing key does not count here")]
    Key(#[from] KeyListError),
    /// Only Ed25519 keys sign checkpoints.
    #[error("checkpoints are signed with Ed25519 keys only")]
    Algorithm,
}

/// `SHA-256(name || 0x0A || 0x01 || public key)`, first four bytes; none for keys that are not Ed25519.
pub fn key_hash(name: &str, key: &PublicKey) -> Option<[u8; 4]> {
    let bytes = key.ed25519_bytes()?;
    let digest = Digest::of_parts(&[name.as_bytes(), b"\n", &[ED25519], &bytes]);
    let [a, b, c, d, ..] = *digest.as_bytes();
    Some([a, b, c, d])
}

/// The `name+hash+key` text by which other tools (Go's `note`, witnesses) are told of a key.
pub fn verifier_key(name: &str, key: &PublicKey) -> Option<String> {
    let hash = key_hash(name, key)?;
    let bytes = [&[ED25519][..], &key.ed25519_bytes()?].concat();
    Some(format!("{name}+{}+{}", hex::encode(hash), base64::encode(&bytes)))
}

/// The log index whose signer a checkpoint of `size` needs: its last leaf's; the empty log's is 0.
pub fn signing_index(size: u64) -> u64 {
    size.saturating_sub(1)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('+') && !name.chars().any(|c| c.is_whitespace() || c.is_control())
}

impl SignedNote {
    /// Splits a note into text and signatures.
    ///
    /// # Errors
    /// [`CheckpointError::Note`].
    pub fn parse(bytes: &[u8]) -> Result<SignedNote, CheckpointError> {
        let bad = CheckpointError::Note;
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(bad("too long"));
        }
        let note = std::str::from_utf8(bytes).map_err(|_| bad("not UTF-8"))?;
        if note.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(bad("control characters"));
        }
        let split = note.rfind("\n\n").ok_or(bad("no blank line before the signatures"))?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(bad("no newline at the end"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == SIGNATURES_MAX {
                return Err(bad("too many signatures"));
            }
            let line = line.strip_prefix("— ").ok_or(bad("a signature line starts with an em dash and a space"))?;
            let (name, value) = line.split_once(' ').ok_or(bad("a signature line has a name and a value"))?;
            if !is_name(name) {
                return Err(bad("a key name has no spaces and no plus"));
            }
            let value = base64::decode(value).map_err(|_| bad("a signature is base64"))?;
            let Some((hash, signature)) = value.split_first_chunk::<4>().filter(|(_, s)| !s.is_empty()) else {
                return Err(bad("a signature has more than four bytes"));
            };
            let (name, signature) = (name.to_owned(), signature.to_vec());
            signatures.push(NoteSignature { name, key_hash: *hash, signature });
        }
        Ok(SignedNote { text: text.to_owned(), signatures })
    }

    /// Whether `key`, under `name`, signed. A line that names the key and is not its signature is an error.
    ///
    /// # Errors
    /// [`CheckpointError::BadSignature`]; [`CheckpointError::Algorithm`] if the key is not Ed25519.
    pub fn signed_by(&self, name: &str, key: &PublicKey) -> Result<bool, CheckpointError> {
        let hash = key_hash(name, key).ok_or(CheckpointError::Algorithm)?;
        let mut signed = false;
        for line in self.signatures.iter().filter(|s| s.name == name && s.key_hash == hash) {
            if !key.verifies(self.text.as_bytes(), &line.signature) {
                return Err(CheckpointError::BadSignature(name.to_owned()));
            }
            signed = true;
        }
        Ok(signed)
    }
}

impl Checkpoint {
    /// The text that is signed.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, base64::encode(self.root.as_bytes()));
        for line in &self.extensions {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// Reads the text of a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError::Checkpoint`].
    pub fn parse_text(text: &str) -> Result<Checkpoint, CheckpointError> {
        let bad = CheckpointError::Checkpoint;
        let body = text.strip_suffix('\n').ok_or(bad("no newline at the end"))?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size_text), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(bad("fewer than three lines"));
        };
        if !is_name(origin) {
            return Err(bad("the origin is no key name (spaces or a plus in it)"));
        }
        let size: u64 = size_text.parse().map_err(|_| bad("the size is no decimal number"))?;
        if size.to_string() != size_text {
            return Err(bad("the size has leading zeros or a sign"));
        }
        let root = base64::decode(root).map_err(|_| bad("the root is no base64"))?;
        let root = Digest::from_slice(&root).ok_or(bad("the root is not 32 bytes"))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(bad("an empty extension line"));
        }
        Ok(Checkpoint { origin: origin.to_owned(), size, root, extensions })
    }

    /// Signs; the result is the whole note.
    ///
    /// # Errors
    /// [`CheckpointError::Algorithm`] for keys that are not Ed25519; [`CheckpointError::Checkpoint`] for an origin that
    /// is no key name or extension lines that are empty or have line breaks.
    pub fn sign(&self, key: &SigningKey) -> Result<String, CheckpointError> {
        let text = self.to_text();
        if Checkpoint::parse_text(&text)? != *self || text.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(CheckpointError::Checkpoint("a field with a line break or control character"));
        }
        let hash = key_hash(&self.origin, key.public()).ok_or(CheckpointError::Algorithm)?;
        let signature = [&hash[..], &key.sign(text.as_bytes())].concat();
        Ok(format!("{text}\n— {} {}\n", self.origin, base64::encode(&signature)))
    }

    /// Opens a note that must be signed by `key` for the log `origin`.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open(note: &[u8], origin: &str, key: &PublicKey) -> Result<Checkpoint, CheckpointError> {
        let note = SignedNote::parse(note)?;
        let checkpoint = Checkpoint::of_log(&note, origin)?;
        if note.signed_by(origin, key)? { Ok(checkpoint) } else { Err(CheckpointError::NotSigned(origin.to_owned())) }
    }

    /// Opens a note that must be signed by a key the list allows to sign checkpoints of this size.
    ///
    /// # Errors
    /// [`CheckpointError`]; [`CheckpointError::Key`] when a listed key signed that does not count there.
    pub fn open_listed(note: &[u8], keys: &VerifiedKeyList) -> Result<Checkpoint, CheckpointError> {
        let note = SignedNote::parse(note)?;
        let origin = &keys.list().log;
        let checkpoint = Checkpoint::of_log(&note, origin)?;
        let mut obstacle = CheckpointError::NotSigned(origin.clone());
        for listed in keys.list().keys.iter().filter(|k| k.key.ed25519_bytes().is_some()) {
            if !note.signed_by(origin, &listed.key)? {
                continue;
            }
            match keys.key_for(&listed.key.id(), KeyRole::Checkpoint, signing_index(checkpoint.size)) {
                Ok(_) => return Ok(checkpoint),
                Err(error) => obstacle = error.into(),
            }
        }
        Err(obstacle)
    }

    fn of_log(note: &SignedNote, origin: &str) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = Checkpoint::parse_text(&note.text)?;
        if checkpoint.origin != origin {
            return Err(CheckpointError::Origin { expected: origin.to_owned(), found: checkpoint.origin });
        }
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Go's golang.org/x/mod/sumdb/note documentation.
    #[test]
    fn the_note_of_the_go_documentation() {
        let encoded = base64::decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        let key = PublicKey::from_ed25519_bytes(&encoded[1..].try_into().unwrap()).unwrap();
        let name = "PeterNeumann";
        assert_eq!(verifier_key(name, &key).unwrap(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
        let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
                    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        assert_eq!(SignedNote::parse(note.as_bytes()).unwrap().signed_by(name, &key), Ok(true));
        let forged = note.replace("answer", "Answer");
        assert_eq!(SignedNote::parse(forged.as_bytes()).unwrap().signed_by(name, &key), Err(CheckpointError::BadSignature(name.into())));
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "holdpoint.example/log".into(), size: 42, root: Digest::of(b"root"), extensions: vec![] }
    }

    #[test]
    fn signs_and_opens() {
        let key = SigningKey::ed25519(&[5; 32]).unwrap();
        let other = SigningKey::ed25519(&[6; 32]).unwrap();
        let checkpoint = checkpoint();
        let note = checkpoint.sign(&key).unwrap();
        assert_eq!(Checkpoint::open(note.as_bytes(), &checkpoint.origin, key.public()), Ok(checkpoint.clone()));
        let open = |note: &str, origin: &str, key: &SigningKey| Checkpoint::open(note.as_bytes(), origin, key.public());
        assert!(matches!(open(&note, "other", &key), Err(CheckpointError::Origin { .. })));
        assert!(matches!(open(&note, &checkpoint.origin, &other), Err(CheckpointError::NotSigned(_))));
        assert_eq!(checkpoint.sign(&SigningKey::p256(&[5; 32]).unwrap()), Err(CheckpointError::Algorithm));
        // A witness's line is carried along.
        let line = other.sign(checkpoint.to_text().as_bytes());
        let cosigned = format!("{note}— witness {}\n", base64::encode(&[&[1, 2, 3, 4], &line[..]].concat()));
        assert_eq!(open(&cosigned, &checkpoint.origin, &key), Ok(checkpoint.clone()));
        for i in 0..note.len() {
            for mask in [1u8, 0x20] {
                let mut flipped = note.clone().into_bytes();
                flipped[i] ^= mask;
                assert!(Checkpoint::open(&flipped, &checkpoint.origin, key.public()).is_err(), "byte {i}");
            }
        }
    }

    #[test]
    fn malformed_ones_are_refused() {
        let key = SigningKey::ed25519(&[5; 32]).unwrap();
        for change in [
            |c: &mut Checkpoint| c.origin = "with space".into(),
            |c: &mut Checkpoint| c.origin = "a\nb".into(),
            |c: &mut Checkpoint| c.origin.clear(),
            |c: &mut Checkpoint| c.origin = "a+b".into(),
            |c: &mut Checkpoint| c.extensions = vec!["".into()],
            |c: &mut Checkpoint| c.extensions = vec!["a\nb".into()],
            |c: &mut Checkpoint| c.extensions = vec!["a\tb".into()],
        ] {
            let mut bad = checkpoint();
            change(&mut bad);
            assert!(matches!(bad.sign(&key), Err(CheckpointError::Checkpoint(_))), "{bad:?}");
        }
        let root = base64::encode(&[0; 32]);
        for text in [
            "".to_owned(),
            format!("o\n1\n{root}"),
            format!("o\n01\n{root}\n"),
            format!("o\n+1\n{root}\n"),
            format!("o\n-1\n{root}\n"),
            format!("o\n18446744073709551616\n{root}\n"),
            format!("o\n1\n{}\n", base64::encode(&[0; 31])),
            "o\n1\nno base64\n".to_owned(),
            "o\n1\n".to_owned(),
            format!("o\n1\n{root}\n\n"),
        ] {
            assert!(Checkpoint::parse_text(&text).is_err(), "{text:?}");
        }
        for note in [
            "",
            "\n\n",
            "a\n\n",
            "a\n\n\n",
            "a\n\n— x\n",
            "a\n\n— x AAAA\n",
            "a\n\n- x AAAAAAAA\n",
            "a\n\n— x AAAAAAAA",
            "a\r\n\n— x AAAAAAAA\n",
        ] {
            assert!(SignedNote::parse(note.as_bytes()).is_err(), "{note:?}");
        }
    }
}
