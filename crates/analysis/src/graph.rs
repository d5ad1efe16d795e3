//! Order of deployment from "after" relations: waves that may run together, or the cycle that makes it impossible.
//!
//! Nodes are indexes 0..n; `after[i]` lists what has to be done before node i. Linear in nodes and edges, without
//! recursion, so that a chain of a million nodes is no deeper than one of two. Not here: names, resources, durations.

/// The waves of an order: every node is in exactly one, later than all it comes after. Nodes in a wave are ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waves(pub Vec<Vec<usize>>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Each cycle names its nodes in an order in which every one comes after the next, and the last after the first.
    #[error("{} cycles, the first of {} nodes", .0.len(), .0.first().map_or(0, Vec::len))]
    Cycles(Vec<Vec<usize>>),
    #[error("node {node} comes after {after}, which does not exist")]
    Unknown { node: usize, after: usize },
}

/// Waves of nodes: the first comes after nothing, each next one only after earlier waves.
pub fn waves(after: &[Vec<usize>]) -> Result<Waves, OrderError> {
    for (node, befores) in after.iter().enumerate() {
        if let Some(unknown) = befores.iter().find(|before| **before >= after.len()) {
            return Err(OrderError::Unknown { node, after: *unknown });
        }
    }
    // Successors as one array with offsets: two allocations for any number of edges.
    let mut offsets = vec![0usize; after.len() + 1];
    for before in after.iter().flatten() {
        offsets[before + 1] += 1;
    }
    for node in 0..after.len() {
        offsets[node + 1] += offsets[node];
    }
    let mut filled = offsets.clone();
    let mut successors = vec![0usize; offsets[after.len()]];
    for (node, befores) in after.iter().enumerate() {
        for before in befores {
            successors[filled[*before]] = node;
            filled[*before] += 1;
        }
    }
    let mut missing: Vec<usize> = after.iter().map(Vec::len).collect();
    let mut wave: Vec<usize> = (0..after.len()).filter(|node| missing[*node] == 0).collect();
    let mut found = Vec::new();
    let mut placed = 0;
    while !wave.is_empty() {
        let mut next = Vec::new();
        for node in &wave {
            for successor in &successors[offsets[*node]..offsets[node + 1]] {
                missing[*successor] -= 1;
                if missing[*successor] == 0 {
                    next.push(*successor);
                }
            }
        }
        next.sort_unstable();
        placed += wave.len();
        found.push(std::mem::replace(&mut wave, next));
    }
    if placed == after.len() { Ok(Waves(found)) } else { Err(OrderError::Cycles(cycles(after))) }
}

/// One cycle out of every strongly connected component that has one.
fn cycles(after: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let component = components(after);
    let mut members: Vec<usize> = vec![0; after.len()];
    component.iter().for_each(|c| members[*c] += 1);
    let mut reported = vec![false; after.len()];
    let mut found = Vec::new();
    for node in 0..after.len() {
        let own = component[node];
        if reported[own] || (members[own] == 1 && !after[node].contains(&node)) {
            continue;
        }
        reported[own] = true;
        found.push(shortest_cycle(after, &component, node));
    }
    found
}

/// A shortest cycle through `from` within its component (breadth first).
fn shortest_cycle(after: &[Vec<usize>], component: &[usize], from: usize) -> Vec<usize> {
    let mut came_from = std::collections::HashMap::new();
    let mut queue = std::collections::VecDeque::from([from]);
    while let Some(node) = queue.pop_front() {
        for next in after[node].iter().filter(|next| component[**next] == component[from]) {
            if *next == from {
                let mut path = vec![node];
                while let Some(previous) = path.last().and_then(|last| came_from.get(last)) {
                    path.push(*previous);
                }
                path.reverse();
                return path;
            }
            if *next != from && !came_from.contains_key(next) {
                came_from.insert(*next, node);
                queue.push_back(*next);
            }
        }
    }
    vec![from]
}

/// Tarjan's strongly connected components (1972) with an explicit stack: a component number per node.
fn components(edges: &[Vec<usize>]) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let n = edges.len();
    let (mut index, mut low, mut component) = (vec![UNSEEN; n], vec![0; n], vec![UNSEEN; n]);
    let (mut stack, mut counter, mut components) = (Vec::new(), 0, 0);
    for root in 0..n {
        if index[root] != UNSEEN {
            continue;
        }
        let mut calls = vec![(root, 0)];
        while let Some((node, edge)) = calls.pop() {
            if edge == 0 {
                index[node] = counter;
                low[node] = counter;
                counter += 1;
                stack.push(node);
            }
            if let Some(next) = edges[node].get(edge) {
                calls.push((node, edge + 1));
                if index[*next] == UNSEEN {
                    calls.push((*next, 0));
                } else if component[*next] == UNSEEN {
                    low[node] = low[node].min(index[*next]);
                }
                continue;
            }
            if low[node] == index[node] {
                while let Some(member) = stack.pop() {
                    component[member] = components;
                    if member == node {
                        break;
                    }
                }
                components += 1;
            }
            if let Some((parent, _)) = calls.last() {
                low[*parent] = low[*parent].min(low[node]);
            }
        }
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_follow_the_longest_path() {
        let after = vec![vec![], vec![0], vec![0], vec![1, 2], vec![], vec![4, 3], vec![0, 0]];
        assert_eq!(waves(&after), Ok(Waves(vec![vec![0, 4], vec![1, 2, 6], vec![3], vec![5]])));
        assert_eq!(waves(&[]), Ok(Waves(vec![])));
        assert_eq!(waves(&[vec![3]]), Err(OrderError::Unknown { node: 0, after: 3 }));
    }

    #[test]
    fn every_cycle_is_named_and_nothing_else() {
        // 0 <- 1 <- 2 <- 0 is a cycle with a longer way round by 3; 4 comes after it; 5 after itself.
        let after = vec![vec![1], vec![2, 3], vec![0], vec![2], vec![0], vec![5], vec![]];
        let Err(OrderError::Cycles(cycles)) = waves(&after) else { panic!() };
        assert_eq!(cycles, vec![vec![0, 1, 2], vec![5]]);
        for cycle in &cycles {
            for (at, node) in cycle.iter().enumerate() {
                assert!(after[*node].contains(&cycle[(at + 1) % cycle.len()]));
            }
        }
    }

    #[test]
    fn long_chains_and_rings_do_not_recurse() {
        let n = 200_000;
        let chain: Vec<Vec<usize>> = (0..n).map(|i| if i == 0 { vec![] } else { vec![i - 1] }).collect();
        assert_eq!(waves(&chain).unwrap().0.len(), n);
        let ring: Vec<Vec<usize>> = (0..n).map(|i| vec![(i + 1) % n]).collect();
        let Err(OrderError::Cycles(cycles)) = waves(&ring) else { panic!() };
        assert_eq!(cycles[0].len(), n);
    }
}
