//! Evidence that a stage asks for: one selection, read by the gates and by what an approval binds to.

use crate::build::compatibility;
use crate::gate::Question;
use crate::kernel::PersonId;
use crate::nouns::{Author, EvidenceItem, Summary};
use holdpoint_seal::digest::Digest;
use std::collections::BTreeMap;

/// Standing evidence about one digest that is not of this environment's own making, newest first. What a stage's own
/// tests say of their environment is for the next stage: it arrives after the door of this one was passed.
pub fn about<'a>(question: &'a Question, subject: &Digest) -> impl Iterator<Item = &'a EvidenceItem> {
    let here = question.stage.environment.clone();
    question.subjects.get(subject).into_iter().flat_map(|subject| subject.standing()).filter(move |item| match &item.summary {
        Summary::Tests { environment, .. } => environment.as_deref() != Some(here.as_str()),
        Summary::Deployment { .. } | Summary::Canary { .. } => false,
        // Compared for this place and before its door, with what runs here.
        Summary::Compatibility { environment, .. } => *environment == here,
        Summary::Provenance { .. }
        | Summary::Scan { .. }
        | Summary::Components { .. }
        | Summary::Vulnerabilities { .. }
        | Summary::Interface { .. }
        | Summary::Usage { .. } => true,
    })
}

/// Evidence about the manifest, then about each component.
pub fn all(question: &Question) -> Vec<(&Digest, &EvidenceItem)> {
    let manifest = question.release.manifest();
    std::iter::once(question.release.manifest_digest())
        .chain(manifest.components.values().map(|pin| &pin.digest))
        .flat_map(|digest| about(question, digest).map(move |item| (digest, item)))
        .collect()
}

/// Root over the evidence this stage's gates ask for: SHA-256 over the sorted lines `subject envelope`. It changes when
/// such evidence is added, replaced or revoked, and then an approval given before no longer counts.
pub fn root(question: &Question) -> Digest {
    let rules = &question.stage.gates;
    let mut lines: Vec<String> = all(question)
        .into_iter()
        .filter(|(_, item)| match &item.summary {
            Summary::Provenance { .. } => rules.provenance,
            Summary::Tests { suite, .. } => rules.tests.as_ref().is_some_and(|rule| rule.suites.contains(suite)),
            Summary::Scan { tool, .. } => rules.scan.as_ref().is_some_and(|rule| rule.tools.contains(tool)),
            Summary::Components { .. } | Summary::Vulnerabilities { .. } => rules.vulnerabilities.is_some(),
            Summary::Interface { .. } => rules.compatibility.is_some(),
            // Bound by what they say: see `compatibility::line`.
            Summary::Compatibility { .. } | Summary::Usage { .. } => false,
            Summary::Deployment { .. } | Summary::Canary { .. } => false,
        })
        .map(|(subject, item)| format!("{subject} {}\n", item.envelope))
        .collect();
    if rules.compatibility.is_some() {
        lines.extend(all(question).into_iter().filter_map(|(subject, item)| compatibility::line(question, subject, &item.summary)));
    }
    lines.sort_unstable();
    lines.dedup();
    Digest::of(lines.concat().as_bytes())
}

/// Everybody who wrote or edited a part of the release, with commits: from the provenance of its components, and the
/// people who made or changed its manifest.
pub fn authors(question: &Question) -> BTreeMap<PersonId, Author> {
    let mut found: BTreeMap<PersonId, Author> = BTreeMap::new();
    for (_, item) in all(question) {
        let Summary::Provenance { authors, .. } = &item.summary else { continue };
        for author in authors {
            let entry = found.entry(author.person.clone()).or_insert_with(|| Author { person: author.person.clone(), commits: Vec::new() });
            for commit in &author.commits {
                if !entry.commits.contains(commit) {
                    entry.commits.push(commit.clone());
                }
            }
        }
    }
    for editor in question.release.editors() {
        found.entry(editor.clone()).or_insert_with(|| Author { person: editor.clone(), commits: Vec::new() });
    }
    // Whoever answers for a service account is behind what it wrote.
    let owners: Vec<(PersonId, Author)> =
        found.iter().filter_map(|(id, author)| Some((question.people.get(id)?.spec.owner.clone()?, author.clone()))).collect();
    for (owner, author) in owners {
        found.entry(owner.clone()).or_insert_with(|| Author { person: owner, commits: author.commits });
    }
    found
}

/// How many commits have an author who is registered nowhere.
pub fn unknown_authors(question: &Question) -> usize {
    all(question)
        .into_iter()
        .map(|(_, item)| match &item.summary {
            Summary::Provenance { unknown_authors, .. } => unknown_authors.len(),
            _ => 0,
        })
        .sum()
}
