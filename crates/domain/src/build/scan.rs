//! M2.4 Security scanning (first depth): SARIF of a required tool, fresh, within the budget; a missing result shuts.

use crate::evidence;
use crate::gate::{Atom, Condition, Gate, Question};
use crate::nouns::{EvidenceItem, ScanRule, Summary};
use serde_json::json;

pub const GATE: Gate = Gate { id: "scan", title: "Scan", ask };

fn ask(question: &Question) -> Condition {
    let Some(rule) = &question.stage.gates.scan else { return Atom::open("not asked for in this stage").into() };
    let manifest = question.release.manifest();
    let parts = rule.tools.iter().map(|tool| {
        // One scan of the whole manifest covers every component; otherwise each component needs its own.
        let whole = newest(question, question.release.manifest_digest(), tool);
        match whole {
            Some(item) => judge(question, rule, tool, "the release", item),
            None => Condition::All(
                manifest
                    .components
                    .iter()
                    .map(|(name, pin)| match newest(question, &pin.digest, tool) {
                        Some(item) => judge(question, rule, tool, name, item),
                        None => Atom::shut(
                            "SCAN-001",
                            format!("no {tool} result for {name} {}", pin.digest.short()),
                            format!(
                                "add the SARIF of {tool} for exactly this digest: holdpoint evidence add --kind sarif --subject {} FILE",
                                pin.digest
                            ),
                        )
                        .into(),
                    })
                    .collect(),
            ),
        }
    });
    Condition::All(parts.collect())
}

fn newest<'a>(question: &'a Question, subject: &holdpoint_seal::digest::Digest, tool: &str) -> Option<&'a EvidenceItem> {
    evidence::about(question, subject).find(|item| matches!(&item.summary, Summary::Scan { tool: named, .. } if named == tool))
}

fn judge(question: &Question, rule: &ScanRule, tool: &str, what: &str, item: &EvidenceItem) -> Condition {
    let Summary::Scan { counts, places, .. } = &item.summary else { return Atom::shut("SCAN-001", "not a scan", "add one").into() };
    let age = question.now.duration_since(item.received);
    if age > rule.max_age.signed() {
        return Atom::shut(
            "SCAN-003",
            format!("{tool} of {what} is older than {}", rule.max_age),
            format!("scan again: holdpoint evidence add --kind sarif --subject … with a result of {tool}"),
        )
        .with(json!({"received": item.received, "max_age": rule.max_age}))
        .into();
    }
    let mut parts: Vec<Condition> = Vec::new();
    for (level, allowed) in &rule.max {
        let found = counts.get(level).copied().unwrap_or(0);
        if found > *allowed {
            let above = found - allowed;
            let findings = if above == 1 { "one finding".to_owned() } else { format!("{above} findings") };
            let where_ = places.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            parts.push(
                Atom::shut(
                    "SCAN-002",
                    format!("{findings} above the budget ({level}: {found} found, {allowed} allowed) {tool}: {where_}"),
                    "fix it and release the fixed build",
                )
                .with(json!({"tool": tool, "level": level, "found": found, "allowed": allowed, "places": places}))
                .into(),
            );
        }
    }
    if parts.is_empty() {
        return Atom::open(format!("{tool} of {what} within the budget")).with(json!({"counts": counts, "received": item.received})).into();
    }
    Condition::All(parts)
}
