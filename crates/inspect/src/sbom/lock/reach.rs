//! Scope by reachability, for lock files that say it only of what is asked for directly.

use super::Inventory;
use crate::sbom::component::Scope;
use std::collections::{HashMap, HashSet};

/// Everything that can be reached from some references.
fn reached(inventory: &Inventory, from: &[String]) -> HashSet<usize> {
    let index: HashMap<&str, usize> =
        inventory.components.iter().enumerate().map(|(index, component)| (component.reference.as_str(), index)).collect();
    let mut seen = HashSet::new();
    let mut open: Vec<usize> = from.iter().filter_map(|reference| index.get(reference.as_str()).copied()).collect();
    while let Some(next) = open.pop() {
        if seen.insert(next)
            && let Some(component) = inventory.components.get(next)
        {
            open.extend(component.dependencies.iter().filter_map(|reference| index.get(reference.as_str()).copied()));
        }
    }
    seen
}

/// Gives a scope to what can be reached only from these references, and not from `direct`.
pub fn mark_what_only(inventory: &mut Inventory, from: &[String], scope: Scope) {
    let shipped = reached(inventory, &inventory.direct);
    let other = reached(inventory, from);
    for index in other.difference(&shipped) {
        if let Some(component) = inventory.components.get_mut(*index) {
            component.scope = scope;
        }
    }
}

/// Development only.
pub fn exclude_what_only(inventory: &mut Inventory, development: &[String]) {
    mark_what_only(inventory, development, Scope::Excluded);
}
