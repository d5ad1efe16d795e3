//! From pairs and operations to findings: whom each one hits, and where it stands.

use super::compare::{Comparison, Found, Side};
use super::operations::{Judge, Operation};
use super::source::Spec;
use crate::document::NodeId;
use crate::finding::{Finding, Severity, sort};
use std::collections::HashMap;

/// Operations that a finding names in its message.
const NAMED: usize = 1;

/// A finding and whom it hits.
struct Group<'f> {
    found: &'f Found,
    /// Numbers of operations, ascending.
    operations: Vec<usize>,
    /// What leads to it in the first operation: `request body application/json`, `pet`, `name`.
    labels: Vec<String>,
}

type Key<'f> = (&'f str, Side, NodeId, &'f str);

fn key(found: &Found) -> Key<'_> {
    (&found.rule, found.side, found.node, &found.message)
}

pub(super) fn findings(judge: &Judge<'_, '_>) -> Vec<Finding> {
    let compare = &*judge.compare;
    let reaching = reaching(compare);
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known: HashMap<Key<'_>, usize> = HashMap::new();
    for found in &judge.loose {
        known.entry(key(found)).or_insert_with(|| {
            groups.push(Group { found, operations: Vec::new(), labels: Vec::new() });
            groups.len() - 1
        });
    }
    for (number, operation) in judge.operations.iter().enumerate() {
        for found in &operation.found {
            collect(&mut groups, &mut known, found, number, Vec::new);
        }
        walk(compare, operation, &reaching, |found, labels| collect(&mut groups, &mut known, found, number, labels));
    }
    let mut findings: Vec<Finding> = groups.iter().map(|group| finding(compare, group, &judge.operations)).collect();
    findings.extend(version(compare.base, compare.revision, &findings));
    sort(&mut findings);
    findings
}

fn collect<'f>(
    groups: &mut Vec<Group<'f>>,
    known: &mut HashMap<Key<'f>, usize>,
    found: &'f Found,
    number: usize,
    labels: impl FnOnce() -> Vec<String>,
) {
    let place = *known.entry(key(found)).or_insert(groups.len());
    match groups.get_mut(place) {
        Some(group) if group.operations.last() != Some(&number) => group.operations.push(number),
        Some(_) => {}
        None => groups.push(Group { found, operations: vec![number], labels: labels() }),
    }
}

/// Pairs with a finding, or with such a pair inside.
fn reaching(compare: &Comparison<'_>) -> Vec<bool> {
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); compare.pairs.len()];
    for (number, pair) in compare.pairs.iter().enumerate() {
        for edge in &pair.edges {
            if let Some(list) = above.get_mut(edge.to) {
                list.push(number);
            }
        }
    }
    let mut reaching: Vec<bool> = compare.pairs.iter().map(|pair| !pair.found.is_empty()).collect();
    let mut open: Vec<usize> = reaching.iter().enumerate().filter(|(_, has)| **has).map(|(number, _)| number).collect();
    while let Some(number) = open.pop() {
        for parent in above.get(number).into_iter().flatten() {
            if let Some(has) = reaching.get_mut(*parent)
                && !*has
            {
                *has = true;
                open.push(*parent);
            }
        }
    }
    reaching
}

/// Visits the findings of an operation's schemas, each with what leads to it.
fn walk<'f>(
    compare: &'f Comparison<'_>,
    operation: &Operation,
    reaching: &[bool],
    mut visit: impl FnMut(&'f Found, &dyn Fn() -> Vec<String>),
) {
    // Pair -> the pair before it, and the label between them.
    let mut before: HashMap<usize, (Option<usize>, &str)> = HashMap::new();
    let mut open = std::collections::VecDeque::new();
    for edge in &operation.roots {
        if reaching.get(edge.to) == Some(&true) && !before.contains_key(&edge.to) {
            before.insert(edge.to, (None, edge.label.as_str()));
            open.push_back(edge.to);
        }
    }
    while let Some(number) = open.pop_front() {
        let Some(pair) = compare.pairs.get(number) else { continue };
        for found in &pair.found {
            let labels = || {
                let mut labels = Vec::new();
                let mut at = Some(number);
                while let Some((parent, label)) = at.and_then(|at| before.get(&at)) {
                    labels.push((*label).to_owned());
                    at = *parent;
                }
                labels.reverse();
                labels
            };
            visit(found, &labels);
        }
        for edge in &pair.edges {
            if reaching.get(edge.to) == Some(&true) && !before.contains_key(&edge.to) {
                before.insert(edge.to, (Some(number), edge.label.as_str()));
                open.push_back(edge.to);
            }
        }
    }
}

/// What the descriptions' own versions say about a break (Semantic Versioning 2.0.0).
fn version(base: &Spec, revision: &Spec, findings: &[Finding]) -> Option<Finding> {
    if !findings.iter().any(|finding| finding.severity == Severity::Breaking) {
        return None;
    }
    let of = |spec: &Spec| -> Option<(String, NodeId)> {
        let node = spec.tree.get(spec.tree.get(spec.root, "info")?, "version")?;
        spec.tree.scalar(node).map(|text| (text.to_owned(), node))
    };
    let ((was, _), (is, node)) = (of(base)?, of(revision)?);
    let numbers = |text: &str| -> Option<Vec<u64>> {
        let core = text.trim_start_matches('v').split(['-', '+']).next()?;
        let numbers: Result<Vec<u64>, _> = core.split('.').map(str::parse).collect();
        numbers.ok().filter(|numbers| numbers.len() == 3)
    };
    let (rule, message) = match (numbers(&was), numbers(&is)) {
        _ if was == is => ("api-version-not-bumped", format!("The description breaks, and its version is still {is}.")),
        (Some(old), Some(new)) if new < old => ("api-version-decreased", format!("The version was {was}, is {is}: it went down.")),
        (Some(old), Some(new)) if new.first() == old.first() => {
            ("api-major-version-not-bumped", format!("The description breaks, and its version went from {was} to {is}."))
        }
        _ => return None,
    };
    let place = Finding::new(rule, Severity::Info, message).at(revision.tree.file(node), Some(revision.tree.line(node)));
    Some(place.inside(revision.tree.pointer(node)))
}

fn finding(compare: &Comparison<'_>, group: &Group<'_>, operations: &[Operation]) -> Finding {
    let found = group.found;
    let spec: &Spec = if found.side == Side::Base { compare.base } else { compare.revision };
    let hit: Vec<&Operation> = group.operations.iter().filter_map(|number| operations.get(*number)).collect();
    let unpromised = !hit.is_empty() && hit.iter().all(|operation| operation.unpromised);
    let severity = if unpromised && found.rule != "api-stability-decreased" { Severity::Info } else { found.severity };
    let mut place: Vec<String> = hit.iter().take(NAMED).map(|operation| operation.name.clone()).collect();
    if hit.len() > NAMED {
        place.push(format!("and {} more", hit.len() - NAMED));
    }
    let (root, inside) = group.labels.split_first().map_or(("", &[][..]), |(root, inside)| (root.as_str(), inside));
    let mut message = place.join(" ");
    if !root.is_empty() {
        message += &format!(", {root}");
    }
    if !inside.is_empty() {
        message += &format!(", {}", inside.join("/"));
    }
    let message = if message.is_empty() { found.message.clone() } else { format!("{message}: {}", found.message) };
    let mut finding = Finding::new(found.rule.clone(), severity, message);
    finding = finding.at(spec.tree.file(found.node), Some(spec.tree.line(found.node))).inside(spec.tree.pointer(found.node));
    if let Some(fix) = found.fix {
        finding = finding.mended_by(fix);
    }
    if let Some(direction) = found.direction {
        finding = finding.with("direction", direction);
    }
    if !inside.is_empty() {
        finding = finding.with("property", inside.join("/"));
    }
    if !hit.is_empty() {
        finding = finding.with("operations", hit.iter().map(|operation| operation.name.clone()).collect::<Vec<_>>());
    }
    if unpromised {
        finding = finding.with("unstable", true);
    }
    finding
}
