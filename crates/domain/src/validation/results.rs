//! M4.1 Test results (first depth): reports taken in are evidence; a required suite that is missing, failed or old shuts.

use crate::evidence;
use crate::gate::{Atom, Condition, Gate, Question};
use crate::nouns::{EvidenceItem, Summary, TestRule};
use serde_json::json;

pub const GATE: Gate = Gate { id: "tests", title: "Tests", ask };

fn ask(question: &Question) -> Condition {
    let Some(rule) = &question.stage.gates.tests else { return Atom::open("not asked for in this stage").into() };
    let manifest = question.release.manifest();
    Condition::All(
        rule.suites
            .iter()
            .map(|suite| {
                if let Some(item) = newest(question, question.release.manifest_digest(), suite) {
                    return judge(question, rule, suite, item);
                }
                // Without a run of the whole release, every component must have its own.
                let per_component: Vec<Option<&EvidenceItem>> =
                    manifest.components.values().map(|pin| newest(question, &pin.digest, suite)).collect();
                if per_component.iter().any(Option::is_none) {
                    return Atom::shut(
                        "TEST-001",
                        format!("no result of suite {suite} for this manifest"),
                        format!("run {suite} in an earlier stage, or add its report: holdpoint evidence add --kind junit --suite {suite} --subject {} FILE", question.release.manifest_digest()),
                    )
                    .into();
                }
                Condition::All(per_component.into_iter().flatten().map(|item| judge(question, rule, suite, item)).collect())
            })
            .collect(),
    )
}

fn newest<'a>(question: &'a Question, subject: &holdpoint_seal::digest::Digest, suite: &str) -> Option<&'a EvidenceItem> {
    evidence::about(question, subject).find(|item| matches!(&item.summary, Summary::Tests { suite: named, .. } if named == suite))
}

fn judge(question: &Question, rule: &TestRule, suite: &str, item: &EvidenceItem) -> Condition {
    let Summary::Tests { total, failed, errors, skipped, .. } = &item.summary else {
        return Atom::shut("TEST-001", "not a test result", "add one").into();
    };
    let facts = json!({"suite": suite, "total": total, "failed": failed, "errors": errors, "skipped": skipped, "received": item.received});
    if question.now.duration_since(item.received) > rule.max_age.signed() {
        return Atom::shut("TEST-003", format!("suite {suite} ran longer than {} ago", rule.max_age), "run it again").with(facts).into();
    }
    let bad = failed + errors;
    if bad > 0 {
        return Atom::shut("TEST-002", format!("{bad} of {total} tests of {suite} failed"), "fix them and release the fixed build")
            .with(facts)
            .into();
    }
    if *total == *skipped {
        // A report in which nothing ran proves nothing.
        return Atom::shut("TEST-004", format!("no test of {suite} ran ({skipped} skipped)"), "run the suite").with(facts).into();
    }
    Atom::open(format!("{} tests of {suite} passed", total - skipped)).with(facts).into()
}
