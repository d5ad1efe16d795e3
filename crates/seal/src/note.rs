//! Salted commitments for free text.
//!
//! The ledger keeps only the commitment; text and salt live beside it and can be erased. Without the 32-byte salt a
//! short comment could be found again by trying texts; with the salt erased too, the commitment says nothing.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::digest::Digest;

/// Free text is at most this many bytes.
pub const NOTE_BYTES_MAX: usize = 64 << 10;

/// Separates these hashes from every other use of SHA-256 here.
const DOMAIN: &[u8] = b"holdpoint-note/1\n";

/// 32 random bytes. Serialised as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl Salt {
    /// From 32 random bytes of the caller.
    pub const fn from_random(bytes: [u8; 32]) -> Salt {
        Salt(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(hidden)")
    }
}

impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Salt, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digest = Digest::from_hex(&text).map_err(|_| de::Error::custom("a salt has 64 lowercase hexadecimal digits"))?;
        Ok(Salt(*digest.as_bytes()))
    }
}

/// What the ledger keeps of a free text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The commitment.
    pub digest: Digest,
}

/// Salt and text: what opens a [`Note`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenNote {
    /// The salt.
    pub salt: Salt,
    /// The text.
    pub text: String,
}

impl OpenNote {
    /// SHA-256 over `"holdpoint-note/1\n"`, the 32 bytes of the salt, and the text's UTF-8.
    pub fn commit(&self) -> Note {
        Note { digest: Digest::of_parts(&[DOMAIN, &self.salt.0, self.text.as_bytes()]) }
    }

    /// Whether this is what `note` was made of.
    pub fn opens(&self, note: &Note) -> bool {
        self.commit() == *note
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_what_it_committed() {
        let open = OpenNote { salt: Salt::from_random([3; 32]), text: "ship it".into() };
        let note = open.commit();
        assert!(open.opens(&note));
        assert!(!OpenNote { text: "ship It".into(), ..open.clone() }.opens(&note));
        assert!(!OpenNote { salt: Salt::from_random([4; 32]), ..open.clone() }.opens(&note));
        assert_ne!(note.digest, Digest::of(b"ship it"));
        let text = serde_json::to_string(&open).unwrap();
        assert_eq!(serde_json::from_str::<OpenNote>(&text).unwrap(), open);
        assert!(!format!("{open:?}").contains("0303"));
    }
}
