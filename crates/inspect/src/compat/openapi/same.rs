//! What is the same on both sides, found at once: most of two versions is.
//!
//! Two nodes are the same where their texts are (digests that ignore the order of members) and every reference inside leads
//! to what is the same, too. A description that only moved things around is not recognised here; that is the comparison's
//! work.

use super::source::{Conj, Spec};
use crate::document::NodeId;
use std::collections::HashMap;

#[derive(Debug)]
pub(super) struct Same {
    /// By node of the revision: something that it refers to, at whatever distance, differs.
    touched: Vec<bool>,
    alike: bool,
}

impl Same {
    pub fn new(base: &Spec, revision: &Spec) -> Self {
        let old: HashMap<(&str, &str), Option<NodeId>> = base.references().map(|(key, _, target)| (key, target)).collect();
        let mut touched = vec![false; revision.tree.count()];
        // Who refers to a node of the revision, and whether the target itself differs.
        let mut sources: HashMap<NodeId, Vec<NodeId>> = HashMap::new();
        let mut open = Vec::new();
        for (key, node, target) in revision.references() {
            let before = old.get(&key).copied().flatten();
            let same = matches!((before, target), (Some(before), Some(target)) if base.digest(before) == revision.digest(target));
            if let Some(target) = target {
                sources.entry(target).or_default().push(node);
            }
            if !same {
                open.push(node);
            }
        }
        // Upwards through what holds it, and back over references to that.
        while let Some(node) = open.pop() {
            let mut at = Some(node);
            while let Some(here) = at {
                match touched.get_mut(here as usize) {
                    Some(seen @ false) => *seen = true,
                    _ => break,
                }
                open.extend(sources.get(&here).into_iter().flatten());
                at = revision.tree.parent(here);
            }
        }
        // With aliases a node has more than one holder, and only one is known.
        let alike = base.version == revision.version && !revision.tree.is_shared() && !base.tree.is_shared();
        Self { touched, alike }
    }

    /// Whether two schemas certainly say the same.
    pub fn schemas(&self, base: (&Spec, Conj), revision: (&Spec, Conj)) -> bool {
        if !self.alike {
            return false;
        }
        let (old, new) = (base.0.members(base.1), revision.0.members(revision.1));
        let [(one, other)] = old.iter().zip(&new).collect::<Vec<_>>()[..] else { return false };
        old.len() == new.len()
            && (one.bare, one.nullable) == (other.bare, other.nullable)
            && self.touched.get(other.node as usize) == Some(&false)
            && base.0.digest(one.node) == revision.0.digest(other.node)
    }
}
