//! Free text outside the ledger: the fact holds a salted commitment, so erasing text and salt leaves proofs whole.

use holdpoint_seal::digest::Digest;
use serde::{Deserialize, Serialize};

/// Text with its salt. Facts carry only [`Note::digest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// 32 random bytes as hex, made outside.
    pub salt: String,
    pub text: String,
}

impl Note {
    /// SHA-256 over salt, a zero byte and the text.
    pub fn digest(&self) -> Digest {
        let mut bytes = Vec::with_capacity(self.salt.len() + 1 + self.text.len());
        bytes.extend_from_slice(self.salt.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(self.text.as_bytes());
        Digest::of(&bytes)
    }
}
