//! Several bases: every version that runs, or that may come back by a rollback.

use holdpoint_inspect::compat;
use holdpoint_inspect::finding::{self, Finding};
use serde_json::{Value, json};

/// One list of what was found against each base, each finding with its base and way, and one line a base with its verdict.
pub fn joined(found: Vec<(String, &'static str, Vec<Finding>)>) -> (Vec<Finding>, Value) {
    let mut bases = Vec::new();
    let mut all = Vec::new();
    for (base, way, findings) in found {
        bases.push(json!({"base": base, "way": way, "verdict": compat::verdict(&findings), "findings": findings.len()}));
        all.extend(findings.into_iter().map(|finding| finding.with("against", base.as_str()).with("way", way)));
    }
    finding::sort(&mut all);
    (all, json!(bases))
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdpoint_inspect::finding::Severity;

    #[test]
    fn every_finding_names_its_base() {
        let gone = Finding::new("gone", Severity::Breaking, "A is gone.").inside("a");
        let changed = Finding::new("changed", Severity::Risky, "B changed.").inside("b");
        let found = vec![("v1".to_owned(), "forward", vec![changed]), ("v2".to_owned(), "back", vec![gone])];
        let (all, bases) = joined(found);
        let said: Vec<_> = all.iter().map(|one| (one.rule.as_str(), one.more["against"].clone(), one.more["way"].clone())).collect();
        assert_eq!(said, [("gone", json!("v2"), json!("back")), ("changed", json!("v1"), json!("forward"))]);
        assert_eq!((bases[0]["verdict"].clone(), bases[1]["verdict"].clone()), (json!("risky"), json!("breaking")));
    }
}
