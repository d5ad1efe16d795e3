//! M2.4 Vulnerabilities: what is known to be wrong with a release's components, within a budget by class.
//!
//! Evidence with a half-life: the server judges stored lists of components anew when advisories arrive, waivers end by the
//! clock of the question, and a database that was not refreshed shuts. So a gate that was open for an approved release shuts
//! again by itself. Matching is not done here: the facts have its result.

use crate::evidence;
use crate::gate::{Atom, Condition, Gate, Question};
use crate::nouns::{EvidenceItem, Summary, VulnerabilityRule, Waiver, Weakness};
use holdpoint_seal::digest::Digest;
use serde_json::json;
use std::collections::BTreeMap;

pub const GATE: Gate = Gate { id: "vulnerabilities", title: "Vulnerabilities", ask };

fn ask(question: &Question) -> Condition {
    let Some(rule) = &question.stage.gates.vulnerabilities else { return Atom::open("not asked for in this stage").into() };
    let mut parts = vec![database(question, rule)];
    // One list of the whole manifest covers every component; otherwise each component needs its own.
    let whole = question.release.manifest_digest();
    if components(question, whole).is_some() {
        parts.push(about(question, rule, "the release", whole));
    } else {
        parts.extend(question.release.manifest().components.iter().map(|(name, pin)| about(question, rule, name, &pin.digest)));
    }
    Condition::All(parts)
}

/// A database that nobody refreshes knows of nothing new.
fn database(question: &Question, rule: &VulnerabilityRule) -> Condition {
    let unblock = "send a whole database: POST /v1/advisories?whole=true with a zip of OSV records";
    let Some(received) = question.advisories.as_ref().and_then(|advisories| advisories.whole) else {
        return Atom::shut("VULN-003", "no database of advisories was ever sent", unblock).into();
    };
    if question.now.duration_since(received) > rule.max_age.signed() {
        let text = format!("the database of advisories is older than {}", rule.max_age);
        return Atom::shut("VULN-003", text, unblock).with(json!({"received": received, "max_age": rule.max_age})).into();
    }
    Atom::open("the database of advisories is fresh").with(json!({"received": received})).into()
}

fn components<'a>(question: &'a Question, subject: &Digest) -> Option<&'a EvidenceItem> {
    evidence::about(question, subject).find(|item| matches!(item.summary, Summary::Components { .. }))
}

fn about(question: &Question, rule: &VulnerabilityRule, what: &str, subject: &Digest) -> Condition {
    let list = components(question, subject).map(|item| &item.summary);
    let Some(Summary::Components { source, count, .. }) = list else {
        return Atom::shut(
            "VULN-001",
            format!("no list of components for {what} {}", subject.short()),
            format!("add its SBOM: holdpoint evidence add --kind cyclonedx --subject {subject} FILE"),
        )
        .into();
    };
    let judged = evidence::about(question, subject).find_map(|item| match &item.summary {
        Summary::Vulnerabilities { components, counts, found, new, .. } if components == source => Some((counts, found, new)),
        _ => None,
    });
    let Some((counts, found, new)) = judged else {
        return Atom::waiting(
            "VULN-004",
            format!("the components of {what} have not been judged yet"),
            "wait a moment; then send a database",
        )
        .into();
    };
    let (borne, expired) = waived(question, found);
    let left = |class: &str| counts.get(class).copied().unwrap_or(0).saturating_sub(borne.get(class).copied().unwrap_or(0));
    let over: Vec<Condition> = rule
        .max
        .iter()
        .filter(|(class, allowed)| left(class) > **allowed)
        .map(|(class, allowed)| {
            let told = tell(question, found, new, class);
            let text = format!("{what}: {} {class} ({allowed} allowed): {told}{}", left(class), after(&expired, class));
            Atom::shut("VULN-002", text, "release a build without them, or have them waived: holdpoint waiver grant")
                .with(
                    json!({"class": class, "found": counts.get(class), "waived": borne.get(class.as_str()), "allowed": allowed, "new": new,
                    "weaknesses": found.iter().filter(|one| one.class == *class).collect::<Vec<_>>()}),
                )
                .into()
        })
        .collect();
    if over.is_empty() {
        let waived: u32 = borne.values().sum();
        let bearing = if waived == 0 { String::new() } else { format!(", {waived} waived") };
        return Atom::open(format!("{what}: {count} components within the budget{bearing}")).with(json!({"counts": counts})).into();
    }
    Condition::All(over)
}

/// How many of each class somebody bears now, and which weaknesses were borne until a moment that has passed.
fn waived<'a>(question: &'a Question, found: &'a [Weakness]) -> (BTreeMap<&'a str, u32>, Vec<(&'a Weakness, &'a Waiver)>) {
    let (mut borne, mut expired) = (BTreeMap::new(), Vec::new());
    for weakness in found {
        let named: Vec<&Waiver> = question.waivers.iter().filter(|waiver| counts(question, waiver) && waiver.names(weakness)).collect();
        if named.iter().any(|waiver| waiver.holds(question.now)) {
            *borne.entry(weakness.class.as_str()).or_insert(0) += 1;
        } else if let Some(last) = named.into_iter().max_by_key(|waiver| waiver.until) {
            expired.push((weakness, last));
        }
    }
    (borne, expired)
}

/// A waiver is of this place, and nobody bears what they wrote themselves.
pub(super) fn counts(question: &Question, waiver: &Waiver) -> bool {
    waiver.scope.covers(&question.service.spec.name, &question.stage.environment)
        && !evidence::authors(question).contains_key(&waiver.by)
        && question.people.get(&waiver.by).is_none_or(|person| !person.retired)
}

fn tell(question: &Question, found: &[Weakness], new: &[String], class: &str) -> String {
    let open = found.iter().filter(|one| {
        one.class == class
            && !question.waivers.iter().any(|waiver| counts(question, waiver) && waiver.holds(question.now) && waiver.names(one))
    });
    let told: Vec<String> = open
        .map(|one| {
            let id = one.ids.first().map(String::as_str).unwrap_or_default();
            let since = if new.iter().any(|new| new == id) { "new advisory " } else { "" };
            let fixed = one.fixed.as_ref().map(|version| format!(", fixed in {version}")).unwrap_or_default();
            format!("{since}{id} in {}@{}{fixed}", one.name, one.version)
        })
        .take(3)
        .collect();
    told.join("; ")
}

fn after(expired: &[(&Weakness, &Waiver)], class: &str) -> String {
    let ended = expired
        .iter()
        .filter(|(weakness, _)| weakness.class == class)
        .map(|(_, waiver)| format!("{} at {}", waiver.advisory, waiver.until));
    let ended: Vec<String> = ended.take(3).collect();
    if ended.is_empty() { String::new() } else { format!(" (waiver ended: {})", ended.join(", ")) }
}
