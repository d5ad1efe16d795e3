//! That stored files were deleted stands in the ledger: how many, and which.

use crate::kernel::{Decision, DocKey, Kind};
use crate::nouns::{Fact, Sweeps};
use holdpoint_seal::digest::Digest;
use holdpoint_seal::merkle::{Tree, leaf_hash};
use serde_json::json;

/// More than these are told by their root alone: a fact holds 16 KiB.
pub const LISTED_MAX: usize = 100;

/// The stream that [`swept`] writes.
pub fn lock() -> DocKey {
    DocKey::new(Kind::Sweeps, Sweeps::KEY)
}

/// Tells what is gone: digest and size. The root is the Merkle tree hash (RFC 9162, 2.1.1) over the sorted digests as text,
/// so that a list kept elsewhere can be compared with a fact that has none.
pub fn swept(gone: &[(Digest, u64)]) -> Decision {
    let mut digests: Vec<Digest> = gone.iter().map(|(digest, _)| *digest).collect();
    digests.sort_unstable();
    let mut tree = Tree::new();
    for digest in &digests {
        tree.append(leaf_hash(digest.to_string().as_bytes()));
    }
    let fact = Fact::BlobsSwept {
        count: u32::try_from(digests.len()).unwrap_or(u32::MAX),
        bytes: gone.iter().fold(0, |sum, (_, size)| sum.saturating_add(*size)),
        root: tree.root(),
        digests: if digests.len() <= LISTED_MAX { digests } else { Vec::new() },
    };
    let mut decision = Decision { answer: json!({"swept": gone.len()}), ..Decision::default() };
    decision.fact(Kind::Sweeps, Sweeps::KEY, fact);
    decision
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nouns::project;

    #[test]
    fn a_few_are_listed_and_many_have_a_root() {
        let gone: Vec<(Digest, u64)> = (0..250_u32).map(|n| (Digest::of(&n.to_be_bytes()), 10)).collect();
        let fact = |of: &[(Digest, u64)]| swept(of).facts.remove(0).fact;
        let Fact::BlobsSwept { count, bytes, root, digests } = fact(&gone[..100]) else { panic!("another fact") };
        assert_eq!((count, bytes, digests.len()), (100, 1000, 100));
        let mut turned = gone[..100].to_vec();
        turned.reverse();
        let Fact::BlobsSwept { root: same, .. } = fact(&turned) else { panic!("another fact") };
        assert_eq!(root, same, "the order in which they went does not matter");
        let many = fact(&gone);
        assert!(matches!(&many, Fact::BlobsSwept { count: 250, digests, .. } if digests.is_empty()));
        assert!(fact(&gone[..100]).write().2.to_string().len() < 16 << 10);
        let now = jiff::Timestamp::from_second(0).expect("an instant");
        let first = project(Kind::Sweeps, None, &[&many, &fact(&gone[..1])], now).expect("folds");
        let state = first.state.value().unwrap();
        assert_eq!((state["rounds"].as_u64(), state["blobs"].as_u64(), state["bytes"].as_u64()), (Some(2), Some(251), Some(2510)));
    }
}
