//! M2.5 Interfaces: what a release and the versions beside it describe, which pairs of descriptions there are to compare, and
//! what was found. Answers nothing: [`super::compatibility`] does.

use crate::evidence;
use crate::gate::Question;
use crate::kernel::Timestamp;
use crate::nouns::{Break, ComponentPin, Slot, Summary};
use holdpoint_seal::digest::Digest;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The manifest's own name among components.
pub(super) const WHOLE: &str = "the release";
/// Logs of usage that are looked at together, newest first.
const LOGS_MAX: usize = 10;

/// A version that the release is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub name: String,
    /// `running` or `may come back`.
    pub role: &'static str,
    pub(super) components: BTreeMap<String, Digest>,
    /// Manifest, or bytes of which another tool said that it deployed them.
    pub(super) whole: Option<Digest>,
}

/// One interface as it is described for a digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Described {
    /// Name of the component, or [`WHOLE`].
    pub component: String,
    pub interface: String,
    pub format: String,
    pub subject: Digest,
    pub source: Digest,
}

impl Described {
    /// `COMPONENT/INTERFACE`: how waivers name it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.component, self.interface)
    }
}

/// Two descriptions that have to be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub environment: String,
    pub revision: Described,
    pub base: Described,
    /// Logs of who uses the interface here, ascending.
    pub usage: Vec<Digest>,
}

/// Every version that runs in a slot or may come back there, newest first.
pub fn versions(slot: Option<&Slot>) -> Vec<Version> {
    let Some(slot) = slot else { return Vec::new() };
    let pins = |components: &BTreeMap<String, ComponentPin>| components.iter().map(|(name, pin)| (name.clone(), pin.digest)).collect();
    let mut all: Vec<Version> = Vec::new();
    if let Some(running) = &slot.running {
        all.push(Version {
            name: running.version.clone(),
            role: "running",
            components: pins(&running.components),
            whole: running.manifest_digest,
        });
    }
    if let Some((digest, result)) = &slot.reported
        && result == "succeeded"
    {
        all.push(Version { name: digest.short(), role: "running", components: BTreeMap::new(), whole: Some(*digest) });
    }
    all.extend(slot.may_come_back().into_iter().map(|entry| Version {
        name: entry.version.clone(),
        role: "may come back",
        components: pins(&entry.components),
        whole: entry.manifest_digest,
    }));
    all
}

/// Digests whose evidence a question has to hold besides the release's own.
pub fn digests(slot: Option<&Slot>) -> BTreeSet<Digest> {
    versions(slot).into_iter().flat_map(|version| version.components.into_values().chain(version.whole)).collect()
}

/// What the release itself describes.
pub(super) fn own(question: &Question) -> Vec<Described> {
    let manifest = question.release.manifest();
    let mut found = described(question, WHOLE, question.release.manifest_digest());
    found.extend(manifest.components.iter().flat_map(|(name, pin)| described(question, name, &pin.digest)));
    found
}

/// The versions that differ from the release in a component.
pub(super) fn others(question: &Question) -> Vec<Version> {
    let manifest = question.release.manifest();
    let same = |version: &Version| {
        version.whole == Some(*question.release.manifest_digest())
            || (!version.components.is_empty()
                && version.components.len() == manifest.components.len()
                && version.components.iter().all(|(name, digest)| manifest.components.get(name).is_some_and(|pin| pin.digest == *digest)))
            || (version.components.is_empty() && manifest.components.values().any(|pin| Some(pin.digest) == version.whole))
    };
    versions(question.slot.as_ref()).into_iter().filter(|version| !same(version)).collect()
}

/// Interfaces of one digest. Where several descriptions of one stand, each counts: adding one never opens the gate.
pub(super) fn described(question: &Question, component: &str, subject: &Digest) -> Vec<Described> {
    let items = question.subjects.get(subject).into_iter().flat_map(|known| known.standing());
    let found: BTreeSet<Described> = items
        .filter_map(|item| match &item.summary {
            Summary::Interface { interface, format, source } => Some(Described {
                component: component.to_owned(),
                interface: interface.clone(),
                format: format.clone(),
                subject: *subject,
                source: *source,
            }),
            _ => None,
        })
        .collect();
    found.into_iter().collect()
}

/// How a version describes an interface of a component; the manifest speaks for every component.
pub(super) fn bases(question: &Question, version: &Version, component: &str, interface: &str) -> Vec<Described> {
    let own = version.components.get(component);
    let all = (component == WHOLE).then(|| version.components.values()).into_iter().flatten();
    let mut found: Vec<Described> =
        own.into_iter().chain(version.whole.as_ref()).chain(all).flat_map(|digest| described(question, component, digest)).collect();
    found.retain(|one| one.interface == interface);
    found
}

/// The comparison of two descriptions by the present logs, else the newest one.
pub(super) fn result<'q>(question: &'q Question, mine: &Described, base: &Digest) -> Option<(&'q BTreeMap<String, u32>, &'q [Break])> {
    let usage = usage(question, &mine.component, &mine.interface);
    let all = comparisons(question, mine, base);
    let (_, counts, found) = *all.iter().find(|(by, _, _)| **by == usage).or(all.first())?;
    Some((counts, found))
}

type Comparison<'q> = (&'q Vec<Digest>, &'q BTreeMap<String, u32>, &'q [Break]);

/// What was found of two descriptions, newest first, each with the logs that were looked at.
pub(super) fn comparisons<'q>(question: &'q Question, mine: &Described, base: &Digest) -> Vec<Comparison<'q>> {
    let of = |summary: &'q Summary| match summary {
        Summary::Compatibility { interface, base: before, revision, usage, counts, found, .. }
            if *interface == mine.interface && before == base && *revision == mine.source =>
        {
            Some((usage, counts, found.as_slice()))
        }
        _ => None,
    };
    evidence::about(question, &mine.subject).filter_map(|item| of(&item.summary)).collect()
}

/// A log of who used an interface here.
pub(super) struct Log {
    source: Digest,
    pub from: Timestamp,
    pub until: Timestamp,
}

/// The newest logs of an interface of a component in this environment, about any version that the question knows. A log
/// of another component's interface of the same name says nothing here.
pub(super) fn logs(question: &Question, component: &str, interface: &str) -> Vec<Log> {
    let versions = versions(question.slot.as_ref());
    let pinned = question.release.manifest().components.iter().map(|(name, pin)| (name, &pin.digest));
    let pinned = pinned.chain(versions.iter().flat_map(|version| &version.components));
    let own = pinned.filter(|(name, _)| component == WHOLE || *name == component).map(|(_, digest)| digest);
    let wholes = versions.iter().filter_map(|version| version.whole.as_ref()).chain([question.release.manifest_digest()]);
    let about: BTreeSet<&Digest> = own.chain(wholes).collect();
    let mut all: Vec<Log> = about
        .into_iter()
        .filter_map(|digest| question.subjects.get(digest))
        .flat_map(|subject| subject.standing())
        .filter_map(|item| match &item.summary {
            Summary::Usage { interface: of, environment, from, until, source, .. }
                if of == interface && *environment == question.stage.environment =>
            {
                Some(Log { source: *source, from: *from, until: *until })
            }
            _ => None,
        })
        .collect();
    all.sort_by(|a, b| b.until.cmp(&a.until).then_with(|| a.source.cmp(&b.source)));
    all.dedup_by(|a, b| a.source == b.source);
    all.truncate(LOGS_MAX);
    all
}

/// Digests of the logs that are looked at, ascending.
fn usage(question: &Question, component: &str, interface: &str) -> Vec<Digest> {
    let mut all: Vec<Digest> = logs(question, component, interface).into_iter().map(|log| log.source).collect();
    all.sort_unstable();
    all
}

/// Pairs that a stage asks for, judged or not.
pub fn pairs(question: &Question) -> Vec<Pair> {
    if question.stage.gates.compatibility.is_none() {
        return Vec::new();
    }
    let mut all: Vec<Pair> = Vec::new();
    let others = others(question);
    for revision in own(question) {
        let usage = usage(question, &revision.component, &revision.interface);
        for base in others.iter().flat_map(|version| bases(question, version, &revision.component, &revision.interface)) {
            let known = all.iter().any(|pair| pair.base.source == base.source && pair.revision == revision);
            if base.source != revision.source && !known {
                let environment = question.stage.environment.clone();
                all.push(Pair { environment, revision: revision.clone(), base, usage: usage.clone() });
            }
        }
    }
    all
}

/// Pairs that were never compared, or before the present logs of usage came.
pub fn unjudged(question: &Question) -> Vec<Pair> {
    let mut all = pairs(question);
    all.retain(|pair| !comparisons(question, &pair.revision, &pair.base.source).iter().any(|(usage, _, _)| **usage == pair.usage));
    all
}
