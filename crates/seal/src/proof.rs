//! Standalone proofs as files: `{"type":"inclusion",…}` and `{"type":"consistency",…}`, hashes in base64.
//!
//! They say only that leaf, proof and root fit together; who vouches for the root, and that it belongs to just this tree
//! size (many sizes share the shape of a path), is a checkpoint's matter. Unknown members are ignored, so that a file may
//! carry a description.

use serde::{Deserialize, Serialize};

use crate::base64;
use crate::digest::Digest;
use crate::json::{self, JsonError};
use crate::merkle::{self, MerkleError};

/// Proof files beyond this many bytes are not read.
pub const PROOF_BYTES_MAX: usize = 1 << 20;

/// A proof file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ProofFile {
    /// A leaf is in a tree.
    #[serde(rename_all = "camelCase")]
    Inclusion {
        /// From 0.
        leaf_index: u64,
        /// Number of leaves.
        tree_size: u64,
        /// Base64.
        leaf_hash: String,
        /// Base64.
        root_hash: String,
        /// Base64, nearest to the leaf first; `null` counts as empty.
        hashes: Option<Vec<String>>,
    },
    /// A tree continues an earlier one.
    #[serde(rename_all = "camelCase")]
    Consistency {
        /// Number of leaves of the earlier tree.
        first_size: u64,
        /// Number of leaves of the later tree.
        second_size: u64,
        /// Base64.
        first_root: String,
        /// Base64.
        second_root: String,
        /// Base64; `null` counts as empty.
        hashes: Option<Vec<String>>,
    },
}

/// Why a proof file is not verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not strict JSON of one of the shapes: bad input.
    #[error("not a proof file")]
    Json(#[source] JsonError),
    /// A hash is not base64 of 32 bytes: refused.
    #[error("{0} is not base64 of 32 bytes")]
    Hash(String),
    /// The proof does not hold: refused.
    #[error("the proof does not hold")]
    Refused(#[from] MerkleError),
}

fn hash(what: &str, text: &str) -> Result<Digest, ProofError> {
    let bytes = base64::decode(text).map_err(|_| ProofError::Hash(what.to_owned()))?;
    Digest::from_slice(&bytes).ok_or_else(|| ProofError::Hash(what.to_owned()))
}

fn hash_list(hashes: Option<&Vec<String>>) -> Result<Vec<Digest>, ProofError> {
    let texts = hashes.map(Vec::as_slice).unwrap_or_default();
    texts.iter().enumerate().map(|(i, text)| hash(&format!("hashes[{i}]"), text)).collect()
}

fn texts(hashes: &[Digest]) -> Option<Vec<String>> {
    Some(hashes.iter().map(|h| base64::encode(h.as_bytes())).collect())
}

impl ProofFile {
    /// An inclusion proof as a file.
    pub fn inclusion(index: u64, size: u64, leaf: &Digest, root: &Digest, proof: &[Digest]) -> ProofFile {
        ProofFile::Inclusion {
            leaf_index: index,
            tree_size: size,
            leaf_hash: base64::encode(leaf.as_bytes()),
            root_hash: base64::encode(root.as_bytes()),
            hashes: texts(proof),
        }
    }

    /// A consistency proof as a file.
    pub fn consistency(first: u64, second: u64, first_root: &Digest, second_root: &Digest, proof: &[Digest]) -> ProofFile {
        ProofFile::Consistency {
            first_size: first,
            second_size: second,
            first_root: base64::encode(first_root.as_bytes()),
            second_root: base64::encode(second_root.as_bytes()),
            hashes: texts(proof),
        }
    }

    /// Reads a proof file.
    ///
    /// # Errors
    /// [`ProofError::Json`].
    pub fn parse(bytes: &[u8]) -> Result<ProofFile, ProofError> {
        json::read(bytes, PROOF_BYTES_MAX).map_err(ProofError::Json)
    }

    /// Checks the proof.
    ///
    /// # Errors
    /// [`ProofError::Hash`], [`ProofError::Refused`]; consistency from size 0 is always refused.
    pub fn verify(&self) -> Result<(), ProofError> {
        match self {
            ProofFile::Inclusion { leaf_index, tree_size, leaf_hash, root_hash, hashes } => {
                let (leaf, root) = (hash("leafHash", leaf_hash)?, hash("rootHash", root_hash)?);
                let hashes = hash_list(hashes.as_ref())?;
                Ok(merkle::verify_inclusion(&leaf, *leaf_index, *tree_size, &hashes, &root)?)
            }
            ProofFile::Consistency { first_size, second_size, first_root, second_root, hashes } => {
                let (first, second) = (hash("firstRoot", first_root)?, hash("secondRoot", second_root)?);
                let hashes = hash_list(hashes.as_ref())?;
                Ok(merkle::verify_consistency(*first_size, *second_size, &first, &second, &hashes)?)
            }
        }
    }
}

/// Reads and checks a proof file.
///
/// # Errors
/// [`ProofError`]; only `Json` means that the input could not be read.
pub fn verify(bytes: &[u8]) -> Result<ProofFile, ProofError> {
    let file = ProofFile::parse(bytes)?;
    file.verify()?;
    Ok(file)
}
