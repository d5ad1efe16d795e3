//! From pairs and operations to findings: whom each one hits, and where it stands.

use super::compare::{Comparison, Found, Side};
use super::operations::{Judge, Operation};
use super::source::Spec;
use crate::document::NodeId;
use crate::finding::{Finding, Severity, sort};
use std::collections::{BTreeMap, HashMap};

/// Operations that a finding names in its message.
const NAMED: usize = 1;

/// Names of operations in all findings together: a schema that all share may have many findings.
const NAMES_MAX: usize = 1_000_000;
/// Names in one finding, where all together are too many.
const NAMES_FEW: usize = 20;

/// Whom something hits.
#[derive(Default)]
struct Hits {
    /// Numbers of operations, ascending.
    operations: Vec<usize>,
    /// What leads to it in the first operation: `request body application/json`, `pet`, `name`.
    labels: Vec<String>,
}

/// Findings that say the same at the same place are one.
type Key<'f> = (&'f str, Side, NodeId, &'f str);

fn key(found: &Found) -> Key<'_> {
    (&found.rule, found.side, found.node, &found.message)
}

#[derive(Default)]
struct Groups<'f> {
    list: Vec<(&'f Found, Hits)>,
    known: HashMap<Key<'f>, usize>,
}

impl<'f> Groups<'f> {
    fn add(&mut self, found: &'f Found, operations: &[usize], labels: &[String]) {
        let place = *self.known.entry(key(found)).or_insert(self.list.len());
        match self.list.get_mut(place) {
            Some((_, hits)) => hits.operations.extend_from_slice(operations),
            None => self.list.push((found, Hits { operations: operations.to_vec(), labels: labels.to_vec() })),
        }
    }
}

pub(super) fn findings(judge: &Judge<'_, '_>) -> Vec<Finding> {
    let compare = &*judge.compare;
    let reaching = reaching(compare);
    // Pairs first, findings after: an operation meets far fewer pairs than findings.
    let mut pairs: BTreeMap<usize, Hits> = BTreeMap::new();
    for (number, operation) in judge.operations.iter().enumerate() {
        walk(compare, operation, &reaching, |pair, labels| {
            let hits = pairs.entry(pair).or_insert_with(|| Hits { operations: Vec::new(), labels: labels() });
            hits.operations.push(number);
        });
    }
    let mut groups = Groups::default();
    judge.loose.iter().for_each(|found| groups.add(found, &[], &[]));
    for (number, operation) in judge.operations.iter().enumerate() {
        operation.found.iter().for_each(|found| groups.add(found, &[number], &[]));
    }
    for (pair, hits) in &pairs {
        for found in compare.pairs.get(*pair).into_iter().flat_map(|pair| &pair.found) {
            groups.add(found, &hits.operations, &hits.labels);
        }
    }
    let mut groups = groups.list;
    for (_, hits) in &mut groups {
        hits.operations.sort_unstable();
        hits.operations.dedup();
    }
    let names: usize = groups.iter().map(|group| group.1.operations.len()).sum();
    let most = if names > NAMES_MAX { NAMES_FEW } else { usize::MAX };
    let mut findings: Vec<Finding> = groups.iter().map(|(found, hits)| finding(compare, found, hits, &judge.operations, most)).collect();
    findings.extend(version(compare.base, compare.revision, &findings));
    sort(&mut findings);
    findings
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

/// Visits the pairs of an operation's schemas that have findings, each with what leads to it.
fn walk(compare: &Comparison<'_>, operation: &Operation, reaching: &[bool], mut visit: impl FnMut(usize, &dyn Fn() -> Vec<String>)) {
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
        if !pair.found.is_empty() {
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
            visit(number, &labels);
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

fn finding(compare: &Comparison<'_>, found: &Found, hits: &Hits, operations: &[Operation], most: usize) -> Finding {
    let spec: &Spec = if found.side == Side::Base { compare.base } else { compare.revision };
    let hit: Vec<&Operation> = hits.operations.iter().filter_map(|number| operations.get(*number)).collect();
    let unpromised = !hit.is_empty() && hit.iter().all(|operation| operation.unpromised);
    let severity = if unpromised && found.rule != "api-stability-decreased" { Severity::Info } else { found.severity };
    let mut place: Vec<String> = hit.iter().take(NAMED).map(|operation| operation.name.clone()).collect();
    if hit.len() > NAMED {
        place.push(format!("and {} more", hit.len() - NAMED));
    }
    let (root, inside) = hits.labels.split_first().map_or(("", &[][..]), |(root, inside)| (root.as_str(), inside));
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
        finding = finding.with("operations", hit.iter().take(most).map(|operation| operation.name.clone()).collect::<Vec<_>>());
        if hit.len() > most {
            finding = finding.with("operations_total", hit.len());
        }
    }
    if unpromised {
        finding = finding.with("unstable", true);
    }
    finding
}
