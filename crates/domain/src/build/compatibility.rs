//! M2.5 Backward compatibility: what a release offers, against every version that runs or may come back where it goes.
//!
//! Both ways: clients of those versions meet the release, and after a rollback its clients meet them again. Comparing is not
//! done here: the facts have its result. Recorded usage names who is hit and changes no answer: unseen is not unused.

use super::interfaces::{Described, Version, WHOLE, bases, described, logs, others, own, pairs, result};
use super::vulnerabilities;
use crate::gate::{Atom, Condition, Gate, Light, Question};
use crate::kernel::Timestamp;
use crate::nouns::{Break, Summary, Waiver};
use holdpoint_seal::digest::Digest;
use serde::Serialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

pub const GATE: Gate = Gate { id: "compatibility", title: "Compatibility", ask };

/// Breaks of one interface that are told one by one.
const TOLD_MAX: usize = 20;

fn ask(question: &Question) -> Condition {
    let Some(rule) = &question.stage.gates.compatibility else { return Atom::open("not asked for in this stage").into() };
    let own = own(question);
    let mut parts: Vec<Condition> = rule
        .interfaces
        .iter()
        .filter(|name| !own.iter().any(|one| one.interface == **name))
        .map(|name| undescribed(question, name))
        .collect();
    let others = others(question);
    if others.is_empty() {
        parts.push(Atom::open(format!("nothing runs in {} that it could break", question.stage.environment)).into());
    }
    let mut names: Vec<(&str, &str)> = own.iter().map(|one| (one.component.as_str(), one.interface.as_str())).collect();
    names.dedup();
    for (component, interface) in names {
        let mine: Vec<&Described> = own.iter().filter(|one| one.component == component && one.interface == interface).collect();
        parts.push(judge(question, &others, &mine));
    }
    parts.extend(others.iter().flat_map(|version| gone(question, version, &own)));
    Condition::All(parts)
}

fn undescribed(question: &Question, interface: &str) -> Condition {
    let (subject, text) = match question.release.manifest().components.iter().next() {
        Some((name, pin)) if question.release.manifest().components.len() == 1 => (pin.digest, format!("{name} {}", pin.digest.short())),
        _ => (*question.release.manifest_digest(), "any component".to_owned()),
    };
    let unblock =
        format!("add it for exactly this digest: holdpoint evidence add --kind interface --interface {interface} --subject {subject} FILE");
    Atom::shut("COM-001", format!("no description of interface {interface} of {text}"), unblock)
        .with(json!({"interface": interface, "subject": subject}))
        .into()
}

/// Interfaces that a version has and the release says nothing about.
fn gone(question: &Question, version: &Version, own: &[Described]) -> Vec<Condition> {
    let all =
        version.components.iter().map(|(name, digest)| (name.as_str(), digest)).chain(version.whole.iter().map(|digest| (WHOLE, digest)));
    let mut lost: Vec<Described> = all.flat_map(|(name, digest)| described(question, name, digest)).collect();
    lost.retain(|one| {
        !own.iter().any(|mine| {
            mine.interface == one.interface && (mine.component == one.component || one.component == WHOLE || mine.component == WHOLE)
        })
    });
    lost.dedup_by(|a, b| (&a.component, &a.interface) == (&b.component, &b.interface));
    lost.into_iter()
        .map(|one| {
            let text = format!(
                "{} {} describes interface {} of {}, and the release does not",
                version.name,
                role(question, version),
                one.interface,
                one.component
            );
            let unblock = format!(
                "add its description: holdpoint evidence add --kind interface --interface {} --subject DIGEST FILE; one without operations, where it is gone",
                one.interface
            );
            Atom::shut("COM-001", text, unblock).with(json!({"interface": one.interface, "component": one.component, "version": version.name})).into()
        })
        .collect()
}

/// `(running in production)`.
fn role(question: &Question, version: &Version) -> String {
    format!("({} in {})", version.role, question.stage.environment)
}

/// One comparison of a description with one of another version.
struct Judged<'q> {
    version: &'q Version,
    found: &'q [Break],
    counts: &'q BTreeMap<String, u32>,
}

/// One interface against all versions.
fn judge(question: &Question, others: &[Version], mine: &[&Described]) -> Condition {
    let Some(first) = mine.first() else { return Condition::All(Vec::new()) };
    let name = first.name();
    let (mut parts, mut judged): (Vec<Condition>, Vec<Judged>) = (Vec::new(), Vec::new());
    for version in others {
        if first.component != WHOLE && !version.components.is_empty() && !version.components.contains_key(&first.component) {
            parts.push(Atom::open(format!("{} has no {}", version.name, first.component)).into());
            continue;
        }
        let bases = bases(question, version, &first.component, &first.interface);
        if bases.is_empty() {
            parts.push(unknown_base(question, version, first));
        }
        for (mine, base) in mine.iter().flat_map(|mine| bases.iter().map(move |base| (mine, base))) {
            if mine.source == base.source {
                continue;
            }
            match result(question, mine, &base.source) {
                Some((counts, found)) => judged.push(Judged { version, found, counts }),
                None => parts.push(uncompared(&name, version, mine, base)),
            }
        }
    }
    let broken = breaks(question, &name, first, &judged);
    if broken.is_empty() && parts.iter().all(|part| part.light() == Light::Open) && !others.is_empty() {
        parts.push(passed(question, &name, others, &judged));
    }
    parts.extend(broken);
    Condition::All(parts)
}

/// A version of which nobody says what it offers cannot be compared with.
fn unknown_base(question: &Question, version: &Version, mine: &Described) -> Condition {
    let subject = version.components.get(&mine.component).or(version.whole.as_ref());
    let about = subject.map_or_else(|| "DIGEST".to_owned(), Digest::to_string);
    Atom::shut(
        "COM-002",
        format!("no description of {} in {} {}", mine.name(), version.name, role(question, version)),
        format!(
            "add the one it was built with: holdpoint evidence add --kind interface --interface {} --subject {about} FILE",
            mine.interface
        ),
    )
    .with(json!({"interface": mine.interface, "component": mine.component, "version": version.name, "subject": subject}))
    .into()
}

fn uncompared(name: &str, version: &Version, mine: &Described, base: &Described) -> Condition {
    let text = format!("{name} has not been compared with {} yet", version.name);
    Atom::waiting("COM-004", text, "wait a moment; where it stays, the server's log says why")
        .with(json!({"interface": name, "version": version.name, "base": base.source, "revision": mine.source}))
        .into()
}

/// Whether a finding shuts: a break, or what could not be decided, for clients of what runs or may come back.
fn shuts(severity: &str) -> bool {
    matches!(severity, "breaking" | "unknown")
}

/// Every break that nobody bears, with the versions that it breaks with.
fn breaks(question: &Question, name: &str, mine: &Described, judged: &[Judged]) -> Vec<Condition> {
    let mut all: BTreeMap<&str, (&Break, Vec<&Version>)> = BTreeMap::new();
    let mut unnamed: BTreeMap<&str, u32> = BTreeMap::new();
    for one in judged {
        for found in one.found.iter().filter(|found| shuts(&found.severity) && !borne(question, found, name)) {
            all.entry(&found.id).or_insert((found, Vec::new())).1.push(one.version);
        }
        for severity in ["breaking", "unknown"] {
            let named = one.found.iter().filter(|found| found.severity == severity).count();
            let more = one.counts.get(severity).copied().unwrap_or(0).saturating_sub(u32::try_from(named).unwrap_or(u32::MAX));
            let most = unnamed.entry(severity).or_default();
            *most = (*most).max(more);
        }
    }
    let unnamed: u32 = unnamed.values().sum();
    let hidden = u32::try_from(all.len().saturating_sub(TOLD_MAX)).unwrap_or(u32::MAX).saturating_add(unnamed);
    let observed = observation(question, mine);
    let mut parts: Vec<Condition> =
        all.values().take(TOLD_MAX).map(|(found, versions)| broken(question, name, found, versions, &observed).into()).collect();
    if hidden > 0 {
        let text = format!("{name}: {hidden} more break, listed in the signed statement");
        let more = Atom::shut("COM-003", text, "keep what clients use beside what is new");
        parts.push(more.with(json!({"interface": name, "more": hidden})).into());
    }
    parts
}

fn broken(question: &Question, name: &str, found: &Break, versions: &[&Version], observed: &str) -> Atom {
    let mut against: Vec<String> = versions.iter().map(|version| format!("{} {}", version.name, role(question, version))).collect();
    against.dedup();
    let ended = question
        .waivers
        .iter()
        .filter(|waiver| waiver.names_break(found, name) && !waiver.holds(question.now))
        .map(|waiver| waiver.until)
        .max();
    let ended = ended.map(|until| format!(" (waiver ended at {until})")).unwrap_or_default();
    let text = format!(
        "{name}: {} at {}, against {}: {} {}{ended}",
        found.rule,
        found.place,
        against.join(", "),
        found.message,
        seen(found, observed)
    );
    let unblock =
        format!("keep what clients use, or have it borne: holdpoint waiver grant {} --package {name} --until T --reason R", found.id);
    let versions: BTreeSet<&str> = versions.iter().map(|version| version.name.as_str()).collect();
    Atom::shut("COM-003", text, unblock).with(json!({"interface": name, "break": found, "versions": versions}))
}

/// Who was seen at it. Not to have been seen is said with the period, and excuses nothing.
fn seen(found: &Break, observed: &str) -> String {
    let named: Vec<String> = found
        .consumers
        .iter()
        .map(|one| match (one.requests, one.last) {
            (0, _) => one.name.clone(),
            (1, Some(last)) => format!("{} (once, at {last})", one.name),
            (requests, Some(last)) => format!("{} ({requests} requests, last {last})", one.name),
            (requests, None) => format!("{} ({requests} requests)", one.name),
        })
        .collect();
    if named.is_empty() {
        return match observed {
            "" => "Its usage is not recorded.".to_owned(),
            period => format!("Nobody was seen using it {period}; unseen is not unused."),
        };
    }
    let more = found.consumers_total.saturating_sub(u32::try_from(named.len()).unwrap_or(u32::MAX));
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("It hits {}{more}.", named.join(", "))
}

/// `from A to B`, over all logs that are looked at; empty where there is none.
fn observation(question: &Question, mine: &Described) -> String {
    let logs = logs(question, &mine.component, &mine.interface);
    match (logs.iter().map(|log| log.from).min(), logs.iter().map(|log| log.until).max()) {
        (Some(from), Some(until)) => format!("from {from} to {until}"),
        _ => String::new(),
    }
}

/// Of somebody who may bear it, here, now.
fn borne(question: &Question, found: &Break, name: &str) -> bool {
    let holds =
        |waiver: &Waiver| waiver.holds(question.now) && waiver.names_break(found, name) && vulnerabilities::counts(question, waiver);
    question.waivers.iter().any(holds)
}

fn passed(question: &Question, name: &str, others: &[Version], judged: &[Judged]) -> Condition {
    let against: Vec<String> = others.iter().map(|version| format!("{} {}", version.name, role(question, version))).collect();
    let mut risky: BTreeMap<&str, &Break> = BTreeMap::new();
    let mut waived: BTreeSet<&str> = BTreeSet::new();
    for found in judged.iter().flat_map(|one| one.found) {
        if shuts(&found.severity) {
            waived.insert(&found.id);
        } else {
            risky.insert(&found.id, found);
        }
    }
    let mut text = format!("{name} goes with {}", against.join(", "));
    if !waived.is_empty() {
        text += &format!(", {} waived", waived.len());
    }
    if let Some(first) = risky.values().next() {
        let when = if first.way == "back" { "after a rollback, " } else { "" };
        text += &format!("; {} risky, such as {when}{} at {}: {}", risky.len(), first.rule, first.place, first.message);
    }
    let risky: Vec<&&Break> = risky.values().take(TOLD_MAX).collect();
    Atom::open(text).with(json!({"interface": name, "risky": risky, "waived": waived})).into()
}

/// What an approval is bound to of a comparison: the documents and what was found, not who was seen. A log that comes every
/// day would take every approval back, and no answer changes by it.
pub fn line(question: &Question, subject: &Digest, summary: &Summary) -> Option<String> {
    let Summary::Compatibility { interface, base, revision, counts, .. } = summary else { return None };
    let asked = pairs(question)
        .into_iter()
        .any(|pair| pair.base.source == *base && pair.revision.source == *revision && pair.revision.subject == *subject);
    let counts: Vec<String> = counts.iter().map(|(severity, count)| format!("{severity}={count}")).collect();
    asked.then(|| format!("{subject} compatibility {interface} {base} {revision} {}\n", counts.join(" ")))
}

/// A comparison with one version, as the page lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    pub interface: String,
    pub format: String,
    pub version: String,
    /// `running` or `may come back`.
    pub role: &'static str,
    /// `same`, `compatible`, `risky`, `breaking`, `unknown`, `not compared yet` or `not described`.
    pub verdict: &'static str,
    pub counts: BTreeMap<String, u32>,
}

/// A change with the versions that it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub interface: String,
    #[serde(flatten)]
    pub found: Break,
    pub versions: Vec<String>,
    /// Whether somebody bears it now.
    pub borne: bool,
}

/// What hits one consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    pub consumer: String,
    pub interface: String,
    pub breaking: Vec<String>,
    pub risky: Vec<String>,
    pub last: Option<Timestamp>,
}

/// The period in which an interface's use was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observation {
    pub interface: String,
    pub logs: usize,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// Everything about a release's interfaces in one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overview {
    pub environment: String,
    pub asked: Vec<String>,
    pub described: Vec<Described>,
    pub compared: Vec<Compared>,
    pub changes: Vec<Change>,
    pub consumers: Vec<Hit>,
    pub observed: Vec<Observation>,
}

/// What there is to know, gate or not; worst first.
pub fn overview(question: &Question) -> Overview {
    let mut all = Overview {
        environment: question.stage.environment.clone(),
        asked: question.stage.gates.compatibility.as_ref().map(|rule| rule.interfaces.clone()).unwrap_or_default(),
        described: own(question),
        compared: Vec::new(),
        changes: Vec::new(),
        consumers: Vec::new(),
        observed: Vec::new(),
    };
    for mine in own(question) {
        for version in others(question) {
            let bases = bases(question, &version, &mine.component, &mine.interface);
            if bases.is_empty() {
                all.compared.push(compared(&mine, &version, "not described", BTreeMap::new()));
            }
            for base in bases {
                if base.source == mine.source {
                    all.compared.push(compared(&mine, &version, "same", BTreeMap::new()));
                } else if let Some((counts, found)) = result(question, &mine, &base.source) {
                    all.compared.push(compared(&mine, &version, worst(counts), counts.clone()));
                    found.iter().for_each(|found| note(question, &mut all.changes, &mine.name(), found, &version));
                } else {
                    all.compared.push(compared(&mine, &version, "not compared yet", BTreeMap::new()));
                }
            }
        }
        let logs = logs(question, &mine.component, &mine.interface);
        let known = all.observed.iter().any(|one| one.interface == mine.name());
        if let (Some(from), Some(until), false) = (logs.iter().map(|log| log.from).min(), logs.iter().map(|log| log.until).max(), known) {
            all.observed.push(Observation { interface: mine.name(), logs: logs.len(), from, until });
        }
    }
    all.consumers = hits(&all.changes);
    all
}

fn compared(mine: &Described, version: &Version, verdict: &'static str, counts: BTreeMap<String, u32>) -> Compared {
    let (interface, format) = (mine.name(), mine.format.clone());
    Compared { interface, format, version: version.name.clone(), role: version.role, verdict, counts }
}

fn worst(counts: &BTreeMap<String, u32>) -> &'static str {
    ["breaking", "unknown", "risky"].into_iter().find(|word| counts.get(*word).is_some_and(|count| *count > 0)).unwrap_or("compatible")
}

fn note(question: &Question, changes: &mut Vec<Change>, interface: &str, found: &Break, version: &Version) {
    match changes.iter_mut().find(|known| known.found.id == found.id && known.interface == interface) {
        Some(known) if known.versions.contains(&version.name) => {}
        Some(known) => known.versions.push(version.name.clone()),
        None => changes.push(Change {
            interface: interface.to_owned(),
            found: found.clone(),
            versions: vec![version.name.clone()],
            borne: borne(question, found, interface),
        }),
    }
}

fn hits(changes: &[Change]) -> Vec<Hit> {
    let mut all: BTreeMap<(&str, &str), Hit> = BTreeMap::new();
    for change in changes {
        for consumer in &change.found.consumers {
            let hit = all.entry((&consumer.name, &change.interface)).or_insert_with(|| Hit {
                consumer: consumer.name.clone(),
                interface: change.interface.clone(),
                breaking: Vec::new(),
                risky: Vec::new(),
                last: None,
            });
            hit.last = hit.last.max(consumer.last);
            let told = format!("{} at {}", change.found.rule, change.found.place);
            let list = if shuts(&change.found.severity) { &mut hit.breaking } else { &mut hit.risky };
            if !list.contains(&told) {
                list.push(told);
            }
        }
    }
    all.into_values().collect()
}
