//! The Merkle tree of RFC 6962 section 2.1 / RFC 9162 section 2.1: hashes, appending, inclusion and consistency proofs.
//!
//! Only *complete* subtrees are ever stored ([`NodeId`]); the ragged right edge is computed from them. A complete
//! subtree never changes again, so the store only inserts rows, and a proof for any earlier size can be served from the
//! same rows. Nothing here reads the store: [`inclusion_needs`] and [`consistency_needs`] say which rows a proof takes,
//! [`inclusion_proof`] and [`consistency_proof`] make it from them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::digest::Digest;

/// A complete subtree: the leaves `index << level` up to (not including) `(index + 1) << level`. Level 0 is the leaf
/// hashes. Shown and serialised as `level/index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// Height, 0 to 63.
    pub level: u8,
    /// Which of the subtrees of that height, from the left, from 0.
    pub index: u64,
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.level, self.index)
    }
}

/// The text is no `level/index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a node of the form \"level/index\"")]
pub struct NodeIdError;

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<NodeId, NodeIdError> {
        let (level, index) = text.split_once('/').ok_or(NodeIdError)?;
        let id = NodeId { level: level.parse().map_err(|_| NodeIdError)?, index: index.parse().map_err(|_| NodeIdError)? };
        // One spelling only: no signs, no leading zeros.
        if id.level > 63 || id.to_string() != text { Err(NodeIdError) } else { Ok(id) }
    }
}

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NodeId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Where the hashes of complete subtrees come from. Every `Fn(NodeId) -> Option<Digest>` is one.
pub trait Nodes {
    /// The hash of a complete subtree, none if it is not there.
    fn node(&self, id: NodeId) -> Option<Digest>;
}

impl<F: Fn(NodeId) -> Option<Digest>> Nodes for F {
    fn node(&self, id: NodeId) -> Option<Digest> {
        self(id)
    }
}

/// Why a proof cannot be made or is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// The leaf index is not below the tree size.
    #[error("index {index} is outside a tree of {size}")]
    Index {
        /// Leaf index.
        index: u64,
        /// Tree size.
        size: u64,
    },
    /// Sizes for a consistency proof must be 0 < first <= second.
    #[error("no consistency from size {first} to size {second}; the first must be at least 1 and not above the second")]
    Sizes {
        /// The older size.
        first: u64,
        /// The newer size.
        second: u64,
    },
    /// The proof has the wrong number of hashes.
    #[error("the proof has {found} hashes, it takes {expected}")]
    Length {
        /// As many as the sizes demand.
        expected: usize,
        /// As many as there are.
        found: usize,
    },
    /// A stored node is missing.
    #[error("node {0} is missing")]
    Missing(NodeId),
    /// The proof leads to another root.
    #[error("the proof leads to root {found}, expected {expected}")]
    Root {
        /// The root to prove.
        expected: Digest,
        /// Where the proof leads.
        found: Digest,
    },
    /// The peaks handed in are not as many as the size has one bits.
    #[error("a tree of {size} has {expected} peaks, not {found}")]
    Peaks {
        /// Tree size.
        size: u64,
        /// Number of one bits of it.
        expected: usize,
        /// Number of peaks given.
        found: usize,
    },
}

/// `SHA-256(0x00 || data)`.
pub fn leaf_hash(data: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], data])
}

/// `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The root of the empty tree, `SHA-256("")`.
pub fn empty_root() -> Digest {
    Digest::of(b"")
}

/// The right edge of a tree: the hashes of its maximal complete subtrees, widest first. Enough to append and to know the
/// root; about 32 bytes a level.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    size: u64,
    peaks: Vec<Digest>,
}

impl Tree {
    /// The empty tree.
    pub fn new() -> Tree {
        Tree::default()
    }

    /// Continues a tree from its stored peaks, in the order of [`peak_ids`].
    ///
    /// # Errors
    /// [`MerkleError::Peaks`] for a wrong number of them.
    pub fn from_peaks(size: u64, peaks: Vec<Digest>) -> Result<Tree, MerkleError> {
        let expected = size.count_ones() as usize;
        if peaks.len() != expected {
            return Err(MerkleError::Peaks { size, expected, found: peaks.len() });
        }
        Ok(Tree { size, peaks })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash and returns every subtree that is complete now and was not before, the leaf itself first:
    /// exactly the rows to insert.
    pub fn append(&mut self, leaf: Digest) -> Vec<(NodeId, Digest)> {
        let mut id = NodeId { level: 0, index: self.size };
        let mut hash = leaf;
        let mut complete = vec![(id, hash)];
        while id.index & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            id = NodeId { level: id.level + 1, index: id.index >> 1 };
            complete.push((id, hash));
        }
        self.peaks.push(hash);
        self.size += 1;
        complete
    }

    /// The root (Merkle Tree Hash) over all leaves.
    pub fn root(&self) -> Digest {
        fold(&self.peaks).unwrap_or_else(empty_root)
    }
}

/// Hash of neighbouring complete subtrees of falling width, from the right.
fn fold(peaks: &[Digest]) -> Option<Digest> {
    let (last, rest) = peaks.split_last()?;
    Some(rest.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

/// The maximal complete subtrees of a tree of `size`, widest first.
pub fn peak_ids(size: u64) -> Vec<NodeId> {
    range_ids(0, size)
}

/// The root of a tree of `size` from stored nodes.
///
/// # Errors
/// [`MerkleError::Missing`].
pub fn root_from_nodes(size: u64, nodes: &impl Nodes) -> Result<Digest, MerkleError> {
    if size == 0 { Ok(empty_root()) } else { range_hash(0, size, nodes) }
}

/// Complete subtrees that make up the leaves `low..high`, where `low` is a multiple of the widest.
fn range_ids(mut low: u64, high: u64) -> Vec<NodeId> {
    let mut ids = Vec::new();
    while low < high {
        let level = 63 - (high - low).leading_zeros();
        ids.push(NodeId { level: level as u8, index: low >> level });
        low += 1 << level;
    }
    ids
}

fn range_hash(low: u64, high: u64, nodes: &impl Nodes) -> Result<Digest, MerkleError> {
    let mut peaks = Vec::new();
    for id in range_ids(low, high) {
        peaks.push(nodes.node(id).ok_or(MerkleError::Missing(id))?);
    }
    Ok(fold(&peaks).unwrap_or_else(empty_root))
}

/// Where a tree of `n >= 2` leaves is split: the largest power of two below `n`.
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// The subtrees of the audit path, nearest to the leaf first (RFC 9162, 2.1.3.1).
fn inclusion_ranges(index: u64, size: u64) -> Result<Vec<(u64, u64)>, MerkleError> {
    if index >= size {
        return Err(MerkleError::Index { index, size });
    }
    let (mut low, mut high) = (0, size);
    let mut ranges = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            ranges.push((middle, high));
            high = middle;
        } else {
            ranges.push((low, middle));
            low = middle;
        }
    }
    ranges.reverse();
    Ok(ranges)
}

/// The subtrees of a consistency proof, in proof order (RFC 9162, 2.1.4.1).
fn consistency_ranges(first: u64, second: u64) -> Result<Vec<(u64, u64)>, MerkleError> {
    if first == 0 || first > second {
        return Err(MerkleError::Sizes { first, second });
    }
    let (mut low, mut high) = (0, second);
    let mut ranges = Vec::new();
    while first != high {
        let middle = low + split(high - low);
        if first <= middle {
            ranges.push((middle, high));
            high = middle;
        } else {
            ranges.push((low, middle));
            low = middle;
        }
    }
    // The old tree as a whole is known to the verifier; a part of it is not.
    if low > 0 {
        ranges.push((low, high));
    }
    ranges.reverse();
    Ok(ranges)
}

fn needs(ranges: &[(u64, u64)]) -> BTreeSet<NodeId> {
    ranges.iter().flat_map(|(low, high)| range_ids(*low, *high)).collect()
}

/// The stored nodes that an inclusion proof takes.
///
/// # Errors
/// [`MerkleError::Index`].
pub fn inclusion_needs(index: u64, size: u64) -> Result<BTreeSet<NodeId>, MerkleError> {
    Ok(needs(&inclusion_ranges(index, size)?))
}

/// The stored nodes that a consistency proof takes.
///
/// # Errors
/// [`MerkleError::Sizes`].
pub fn consistency_needs(first: u64, second: u64) -> Result<BTreeSet<NodeId>, MerkleError> {
    Ok(needs(&consistency_ranges(first, second)?))
}

/// The audit path of leaf `index` in the tree of `size` (RFC 9162, 2.1.3.1).
///
/// # Errors
/// [`MerkleError::Index`], [`MerkleError::Missing`].
pub fn inclusion_proof(index: u64, size: u64, nodes: &impl Nodes) -> Result<Vec<Digest>, MerkleError> {
    inclusion_ranges(index, size)?.into_iter().map(|(low, high)| range_hash(low, high, nodes)).collect()
}

/// The proof that the tree of `first` leaves is the beginning of the tree of `second` (RFC 9162, 2.1.4.1).
///
/// # Errors
/// [`MerkleError::Sizes`], also for `first == 0`, which would prove nothing; [`MerkleError::Missing`].
pub fn consistency_proof(first: u64, second: u64, nodes: &impl Nodes) -> Result<Vec<Digest>, MerkleError> {
    consistency_ranges(first, second)?.into_iter().map(|(low, high)| range_hash(low, high, nodes)).collect()
}

/// The root to which an audit path leads (RFC 9162, 2.1.3.2).
///
/// # Errors
/// [`MerkleError::Index`], [`MerkleError::Length`].
pub fn inclusion_root(leaf: &Digest, index: u64, size: u64, proof: &[Digest]) -> Result<Digest, MerkleError> {
    if index >= size {
        return Err(MerkleError::Index { index, size });
    }
    // The path has one hash per level at which the leaf's subtree has a sibling.
    let last = size - 1;
    let shared = 64 - (index ^ last).leading_zeros();
    let expected = (shared + (index.checked_shr(shared).unwrap_or(0)).count_ones()) as usize;
    if proof.len() != expected {
        return Err(MerkleError::Length { expected, found: proof.len() });
    }
    let (mut node, mut last) = (index, last);
    let mut hash = *leaf;
    for sibling in proof {
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    Ok(hash)
}

/// Checks that `leaf` is at `index` in the tree of `size` with `root` (RFC 9162, 2.1.3.2).
///
/// # Errors
/// [`MerkleError`].
pub fn verify_inclusion(leaf: &Digest, index: u64, size: u64, proof: &[Digest], root: &Digest) -> Result<(), MerkleError> {
    expect_root(root, &inclusion_root(leaf, index, size, proof)?)
}

/// Checks that the tree of `second` leaves with `second_root` continues the tree of `first` leaves with `first_root`
/// (RFC 9162, 2.1.4.2). Equal sizes take an empty proof and equal roots.
///
/// # Errors
/// [`MerkleError`]; `first == 0` is always refused.
pub fn verify_consistency(first: u64, second: u64, first_root: &Digest, second_root: &Digest, proof: &[Digest]) -> Result<(), MerkleError> {
    let expected = consistency_ranges(first, second)?.len();
    if proof.len() != expected {
        return Err(MerkleError::Length { expected, found: proof.len() });
    }
    if first == second {
        return expect_root(first_root, second_root);
    }
    let (seed, path) = match proof.split_first() {
        Some((head, tail)) if !first.is_power_of_two() => (head, tail),
        _ => (first_root, proof),
    };
    let (mut node, mut last) = (first - 1, second - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (*seed, *seed);
    for sibling in path {
        if node & 1 == 1 || node == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    expect_root(first_root, &old)?;
    expect_root(second_root, &new)
}

fn expect_root(expected: &Digest, found: &Digest) -> Result<(), MerkleError> {
    if expected == found { Ok(()) } else { Err(MerkleError::Root { expected: *expected, found: *found }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// RFC 9162, 2.1.1, read literally.
    fn brute_root(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            many => {
                let k = split(many.len() as u64) as usize;
                node_hash(&brute_root(&many[..k]), &brute_root(&many[k..]))
            }
        }
    }

    /// RFC 6962, 2.1.1, read literally.
    fn brute_path(m: usize, leaves: &[Digest]) -> Vec<Digest> {
        if leaves.len() == 1 {
            return vec![];
        }
        let k = split(leaves.len() as u64) as usize;
        let (mut path, other) = if m < k {
            (brute_path(m, &leaves[..k]), brute_root(&leaves[k..]))
        } else {
            (brute_path(m - k, &leaves[k..]), brute_root(&leaves[..k]))
        };
        path.push(other);
        path
    }

    /// RFC 6962, 2.1.2, read literally.
    fn brute_subproof(m: usize, leaves: &[Digest], known: bool) -> Vec<Digest> {
        if m == leaves.len() {
            return if known { vec![] } else { vec![brute_root(leaves)] };
        }
        let k = split(leaves.len() as u64) as usize;
        let (mut path, other) = if m <= k {
            (brute_subproof(m, &leaves[..k], known), brute_root(&leaves[k..]))
        } else {
            (brute_subproof(m - k, &leaves[k..], false), brute_root(&leaves[..k]))
        };
        path.push(other);
        path
    }

    fn leaves(n: u64) -> Vec<Digest> {
        (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    /// The reference data of the Certificate Transparency implementations for RFC 6962.
    #[test]
    fn known_roots() {
        let inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::new();
        assert_eq!(tree.root().hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (input, root) in inputs.iter().zip(roots) {
            tree.append(leaf_hash(&hex::decode(input).unwrap()));
            assert_eq!(tree.root().hex(), root);
        }
    }

    #[test]
    fn all_sizes_to_70_against_the_definition() {
        let all = leaves(70);
        let mut tree = Tree::new();
        let mut rows: BTreeMap<NodeId, Digest> = BTreeMap::new();
        let mut roots = vec![tree.root()];
        for size in 1..=70u64 {
            for (id, hash) in tree.append(all[size as usize - 1]) {
                assert!(rows.insert(id, hash).is_none(), "a complete subtree never changes");
            }
            roots.push(brute_root(&all[..size as usize]));
            let nodes = |id: NodeId| rows.get(&id).copied();
            assert_eq!(tree.root(), roots[size as usize]);
            assert_eq!(root_from_nodes(size, &nodes), Ok(tree.root()));
            let peaks = peak_ids(size).into_iter().map(|id| rows[&id]).collect();
            assert_eq!(Tree::from_peaks(size, peaks), Ok(tree.clone()));
            for index in 0..size {
                let proof = inclusion_proof(index, size, &nodes).unwrap();
                assert_eq!(proof, brute_path(index as usize, &all[..size as usize]));
                let needed = inclusion_needs(index, size).unwrap();
                assert_eq!(inclusion_proof(index, size, &|id| needed.get(&id).map(|id| rows[id])), Ok(proof.clone()));
                verify_inclusion(&all[index as usize], index, size, &proof, &tree.root()).unwrap();
            }
            for first in 1..=size {
                let proof = consistency_proof(first, size, &nodes).unwrap();
                assert_eq!(proof, brute_subproof(first as usize, &all[..size as usize], true));
                let needed = consistency_needs(first, size).unwrap();
                assert_eq!(consistency_proof(first, size, &|id| needed.get(&id).map(|id| rows[id])), Ok(proof.clone()));
                verify_consistency(first, size, &roots[first as usize], &tree.root(), &proof).unwrap();
            }
        }
    }

    #[test]
    fn every_altered_proof_is_refused() {
        let all = leaves(13);
        let mut tree = Tree::new();
        let mut rows = BTreeMap::new();
        let mut roots = vec![tree.root()];
        for leaf in &all {
            rows.extend(tree.append(*leaf));
            roots.push(tree.root());
        }
        let nodes = |id: NodeId| rows.get(&id).copied();
        let wrong = Digest::of(b"wrong");
        let root = tree.root();
        for index in 0..13u64 {
            let proof = inclusion_proof(index, 13, &nodes).unwrap();
            let leaf = &all[index as usize];
            for i in 0..proof.len() {
                let mut bad = proof.clone();
                bad[i] = wrong;
                assert!(verify_inclusion(leaf, index, 13, &bad, &root).is_err());
            }
            for other in 0..16 {
                let same = other == index;
                assert_eq!(verify_inclusion(leaf, other, 13, &proof, &root).is_ok(), same);
            }
            assert!(verify_inclusion(&wrong, index, 13, &proof, &root).is_err());
            assert!(verify_inclusion(leaf, index, 13, &proof[1..], &root).is_err());
            assert!(verify_inclusion(leaf, index, 13, &[proof.as_slice(), &[wrong]].concat(), &root).is_err());
        }
        for first in 1..=13u64 {
            let proof = consistency_proof(first, 13, &nodes).unwrap();
            let old = &roots[first as usize];
            for i in 0..proof.len() {
                let mut bad = proof.clone();
                bad[i] = wrong;
                assert!(verify_consistency(first, 13, old, &root, &bad).is_err());
            }
            assert!(verify_consistency(first, 13, &wrong, &root, &proof).is_err());
            assert!(verify_consistency(first, 13, old, &wrong, &proof).is_err());
            assert!(verify_consistency(first, 13, old, &root, &[proof.as_slice(), &[wrong]].concat()).is_err());
        }
        assert_eq!(verify_consistency(0, 13, &empty_root(), &root, &[]), Err(MerkleError::Sizes { first: 0, second: 13 }));
        assert_eq!(verify_consistency(14, 13, &root, &root, &[]), Err(MerkleError::Sizes { first: 14, second: 13 }));
        assert_eq!(verify_inclusion(&root, 0, 0, &[], &root), Err(MerkleError::Index { index: 0, size: 0 }));
    }

    #[test]
    fn extreme_sizes_neither_panic_nor_pass() {
        let hash = Digest::of(b"x");
        let many = vec![hash; 64];
        for size in [1, 2, 1 << 63, u64::MAX - 1, u64::MAX] {
            for index in [0, 1, size / 2, size - 1, size] {
                for proof in [&many[..0], &many[..1], &many[..63], &many[..]] {
                    let _ = inclusion_root(&hash, index, size, proof);
                    assert!(verify_inclusion(&hash, index, size, proof, &empty_root()).is_err());
                    assert!(verify_consistency(index, size, &hash, &empty_root(), proof).is_err());
                }
            }
            assert_eq!(peak_ids(size).len(), size.count_ones() as usize);
        }
        for text in ["", "1", "1/", "/1", "01/1", "1/01", "+1/1", "64/0", "1/1/1", "-1/0"] {
            assert_eq!(text.parse::<NodeId>(), Err(NodeIdError), "{text}");
        }
        assert_eq!("3/17".parse(), Ok(NodeId { level: 3, index: 17 }));
    }
}
