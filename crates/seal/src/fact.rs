//! The ledger's fact: a small envelope that is hashed into the Merkle log, and a body beside it that the envelope names
//! by digest.
//!
//! What facts *mean* is the domain's. Here are only their bytes, their hashes, and how one follows another in its
//! stream.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical::{self, CanonicalError};
use crate::digest::Digest;
use crate::merkle;

/// The canonical bytes of a body are at most this many.
pub const BODY_BYTES_MAX: usize = 16 << 10;

/// Position of the first fact of a stream; so the last position is the number of facts.
pub const FIRST_POSITION: u64 = 1;

/// Microseconds since 1970-01-01T00:00:00Z. Serialised as an integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

/// What is hashed into the log for one fact. Its leaf hash is `SHA-256(0x00 || canonical JSON)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactEnvelope {
    /// Tenant.
    pub project: String,
    /// `kind/key`, for example `release/rel_x`; unique within the project.
    pub stream: String,
    /// Counts the stream's facts from [`FIRST_POSITION`] without gaps.
    pub position: u64,
    /// Leaf hash of the stream's previous fact; none (serialised as `""`) for the first.
    #[serde(with = "prev_text")]
    pub prev: Option<Digest>,
    /// Past-tense name of the fact, for example `ApprovalGiven`.
    #[serde(rename = "type")]
    pub fact_type: String,
    /// Version of the body's format, from 1.
    pub v: u32,
    /// The ledger's own time of the decision.
    pub at: Micros,
    /// Random id of who acted; never a name.
    pub actor: String,
    /// The door: `cli`, `page`, `api`, `engine`, …
    pub via: String,
    /// Digest of the body's canonical JSON.
    pub body_digest: Digest,
}

/// A fact with its place in the log: a line of an export, an entry of a dossier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedFact {
    /// Index in the log, from 0.
    pub index: u64,
    /// The hashed part.
    pub envelope: FactEnvelope,
    /// The body.
    pub body: Value,
}

/// Why a body cannot be a fact's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// No canonical form.
    #[error("the body has no canonical form")]
    Canonical(#[from] CanonicalError),
    /// Larger than [`BODY_BYTES_MAX`].
    #[error("the body has {0} bytes, a fact holds at most {BODY_BYTES_MAX}")]
    TooLarge(usize),
}

/// Digest of a body's canonical JSON.
///
/// # Errors
/// [`BodyError`]: too large, or numbers without a canonical form.
pub fn body_digest(body: &Value) -> Result<Digest, BodyError> {
    let bytes = canonical::value_to_vec(body)?;
    if bytes.len() > BODY_BYTES_MAX {
        return Err(BodyError::TooLarge(bytes.len()));
    }
    Ok(Digest::of(&bytes))
}

impl FactEnvelope {
    /// The canonical JSON that is hashed.
    ///
    /// # Errors
    /// [`CanonicalError::InexactInteger`] for a time or position beyond 2^53.
    pub fn to_vec(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_vec(self)
    }

    /// `SHA-256(0x00 || canonical JSON)`, the fact's leaf in the Merkle log and the `prev` of its successor.
    ///
    /// # Errors
    /// As [`FactEnvelope::to_vec`].
    pub fn leaf_hash(&self) -> Result<Digest, CanonicalError> {
        Ok(merkle::leaf_hash(&self.to_vec()?))
    }
}

/// How far a stream has come: what the next fact of it must continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamHead {
    /// Number of facts, which is the position of the last.
    pub positions: u64,
    /// Leaf hash of the last; none (serialised as `""`) for an empty stream.
    #[serde(with = "prev_text")]
    pub last_hash: Option<Digest>,
}

/// Why a fact does not continue its stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A gap, a repetition or a reordering.
    #[error("position {found} where {expected} must follow")]
    Position {
        /// The next position.
        expected: u64,
        /// The fact's.
        found: u64,
    },
    /// `prev` is not the hash of the previous fact.
    #[error("prev is {found:?}, the previous fact's hash is {expected:?}")]
    Prev {
        /// Hash of the previous fact.
        expected: Option<Digest>,
        /// The fact's `prev`.
        found: Option<Digest>,
    },
}

impl StreamHead {
    /// Checks that `envelope`, whose leaf hash is `leaf`, comes next, and moves on.
    ///
    /// # Errors
    /// [`ChainError`]; the head has then not moved.
    pub fn follow(&mut self, envelope: &FactEnvelope, leaf: Digest) -> Result<(), ChainError> {
        let expected = self.positions + FIRST_POSITION;
        if envelope.position != expected {
            return Err(ChainError::Position { expected, found: envelope.position });
        }
        if envelope.prev != self.last_hash {
            return Err(ChainError::Prev { expected: self.last_hash, found: envelope.prev });
        }
        *self = StreamHead { positions: envelope.position, last_hash: Some(leaf) };
        Ok(())
    }
}

/// An optional digest as text, none as `""`, so that every envelope has the same members.
mod prev_text {
    use super::Digest;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(value: &Option<Digest>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(digest) => serializer.collect_str(digest),
            None => serializer.serialize_str(""),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Digest>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(de::Error::custom) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn envelope() -> FactEnvelope {
        FactEnvelope {
            project: "default".into(),
            stream: "release/rel_1".into(),
            position: 1,
            prev: None,
            fact_type: "ReleaseCreated".into(),
            v: 1,
            at: Micros(1_764_000_000_000_000),
            actor: "per_1".into(),
            via: "cli".into(),
            body_digest: body_digest(&json!({"b": 1, "a": [2]})).unwrap(),
        }
    }

    /// Golden: if this changes, every ledger ever written stops verifying.
    #[test]
    fn the_bytes_that_are_hashed() {
        let text = String::from_utf8(envelope().to_vec().unwrap()).unwrap();
        assert_eq!(
            text,
            "{\"actor\":\"per_1\",\"at\":1764000000000000,\"body_digest\":\"sha256:63c9663de90ee828bbda6cd9acf02d0c653986c1ec25aa239920641edc9a1de5\",\
             \"position\":1,\"prev\":\"\",\"project\":\"default\",\"stream\":\"release/rel_1\",\"type\":\"ReleaseCreated\",\"v\":1,\"via\":\"cli\"}"
        );
        assert_eq!(envelope().leaf_hash().unwrap(), Digest::of_parts(&[&[0], text.as_bytes()]));
    }

    #[test]
    fn a_stream_has_no_gaps() {
        let first = envelope();
        let leaf = first.leaf_hash().unwrap();
        let second = FactEnvelope { position: 2, prev: Some(leaf), ..first.clone() };
        let mut head = StreamHead::default();
        assert!(matches!(head.follow(&second, leaf), Err(ChainError::Position { expected: 1, found: 2 })));
        head.follow(&first, leaf).unwrap();
        assert!(matches!(head.follow(&first, leaf), Err(ChainError::Position { expected: 2, found: 1 })));
        let forged = FactEnvelope { prev: Some(Digest::of(b"")), ..second.clone() };
        assert!(matches!(head.follow(&forged, leaf), Err(ChainError::Prev { .. })));
        head.follow(&second, second.leaf_hash().unwrap()).unwrap();
        assert_eq!(head.positions, 2);
    }

    #[test]
    fn bodies_are_bounded() {
        assert!(body_digest(&json!("x".repeat(BODY_BYTES_MAX - 2))).is_ok());
        assert_eq!(body_digest(&json!("x".repeat(BODY_BYTES_MAX - 1))), Err(BodyError::TooLarge(BODY_BYTES_MAX + 1)));
    }
}
