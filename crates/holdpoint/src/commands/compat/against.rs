//! Several bases: every version that runs, or that may come back by a rollback.

use holdpoint_inspect::finding::{self, Finding};
use serde_json::json;

/// One list of what was found against each base. What several bases have in common is said once; `against` names them all.
pub fn merge(found: Vec<(String, Vec<Finding>)>) -> Vec<Finding> {
    let mut all: Vec<(Finding, Vec<String>)> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for (base, findings) in found {
        for finding in findings {
            let key = (finding.rule.clone(), finding.severity, finding.path.clone(), finding.message.clone());
            let at = *known.entry(key).or_insert(all.len());
            match all.get_mut(at) {
                Some((_, bases)) if bases.last() != Some(&base) => bases.push(base.clone()),
                Some(_) => {}
                None => all.push((finding, vec![base.clone()])),
            }
        }
    }
    let mut merged: Vec<Finding> = all.into_iter().map(|(finding, bases)| finding.with("against", json!(bases))).collect();
    finding::sort(&mut merged);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdpoint_inspect::finding::Severity;

    #[test]
    fn what_bases_have_in_common_is_said_once() {
        let gone = Finding::new("gone", Severity::Breaking, "A is gone.").inside("a");
        let changed = Finding::new("changed", Severity::Risky, "B changed.").inside("b");
        let merged = merge(vec![("v1".to_owned(), vec![gone.clone(), changed]), ("v2".to_owned(), vec![gone])]);
        let said: Vec<_> = merged.iter().map(|one| (one.rule.as_str(), one.more["against"].clone())).collect();
        assert_eq!(said, [("gone", json!(["v1", "v2"])), ("changed", json!(["v1"]))]);
    }
}
