//! A digest and the evidence that was received about it.

use super::{Author, Fact};
use crate::kernel::{EvidenceId, Kind, Noun, Timestamp};
use holdpoint_seal::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Findings by SARIF level.
pub type ScanCounts = BTreeMap<String, u32>;

/// What a piece of evidence says, as far as gates read it. The statement itself is a blob by digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Summary {
    Provenance {
        repository: String,
        commit: String,
        builder: String,
        /// SLSA build level that is deserved.
        level: u8,
        /// Authors, committers and co-authors of the commits since the base, each with the first few commits.
        authors: Vec<Author>,
        /// Addresses in those commits that belong to nobody who is registered, as salted commitments.
        unknown_authors: Vec<Digest>,
        /// How many commits lie between base and commit.
        commits: u32,
    },
    Tests {
        suite: String,
        /// Where they ran, if against a deployment.
        environment: Option<String>,
        total: u32,
        failed: u32,
        errors: u32,
        skipped: u32,
    },
    Scan {
        tool: String,
        tool_version: String,
        counts: ScanCounts,
        /// First places per level, `path:line`, for people.
        places: Vec<String>,
    },
    /// A list of components.
    Components {
        format: String,
        count: u32,
        /// The document itself, a blob.
        source: Digest,
    },
    /// What is known to be wrong with a list of components.
    Vulnerabilities {
        /// The list that was judged: the `source` of its evidence.
        components: Digest,
        /// The last delivery of advisories that was taken into account.
        delivery: u64,
        /// By class: `critical`, `high`, `medium`, `low`, `unknown`.
        counts: ScanCounts,
        /// Worst first; the counts may be of more.
        found: Vec<Weakness>,
        /// Names of what this judgement found and the one before it did not.
        new: Vec<String>,
    },
    /// What a component offers to others, described in a language of contracts.
    Interface {
        /// Its name within the component, such as `http` or `events`.
        interface: String,
        /// `openapi`, `protobuf`, `avro`, `json-schema` or `graphql`.
        format: String,
        /// The description itself, a blob.
        source: Digest,
    },
    /// Who was seen using an interface in an environment, in a period.
    Usage {
        interface: String,
        environment: String,
        requests: u64,
        /// Requests for nothing that the interface describes.
        unmatched: u64,
        consumers: u32,
        from: Timestamp,
        until: Timestamp,
        /// The log itself, a blob.
        source: Digest,
    },
    /// What clients of one description of an interface meet with another, and the way back.
    Compatibility {
        interface: String,
        /// Whose usage was looked at.
        environment: String,
        /// The description of what runs or may come back: the `source` of its evidence.
        base: Digest,
        /// The description of this subject that was judged.
        revision: Digest,
        /// Logs that were looked at, by digest, ascending.
        usage: Vec<Digest>,
        /// By severity: `breaking`, `unknown`, `risky`.
        counts: ScanCounts,
        /// Worst first; the counts may be of more.
        found: Vec<Break>,
    },
    Deployment {
        environment: String,
        service: String,
        result: String,
        by: String,
    },
    Canary {
        environment: String,
        verdict: String,
        series: Digest,
    },
}

impl Summary {
    /// The kind's name, as gates and users call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Summary::Provenance { .. } => "provenance",
            Summary::Tests { .. } => "tests",
            Summary::Scan { .. } => "scan",
            Summary::Components { .. } => "components",
            Summary::Vulnerabilities { .. } => "vulnerabilities",
            Summary::Interface { .. } => "interface",
            Summary::Usage { .. } => "usage",
            Summary::Compatibility { .. } => "compatibility",
            Summary::Deployment { .. } => "deployment",
            Summary::Canary { .. } => "canary",
        }
    }
}

/// One weakness in one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weakness {
    /// All its names; the first is the one to tell.
    pub ids: Vec<String>,
    pub name: String,
    /// Package URL without version.
    pub package: String,
    pub version: String,
    pub class: String,
    /// A version without it, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed: Option<String>,
}

/// One thing that does not go together in two descriptions of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Break {
    /// `brk-` and 12 hexadecimal digits over rule, place inside the document, way and message: the same change keeps it,
    /// whatever it is compared with.
    pub id: String,
    /// `forward`: clients of the base meet the revision. `back`: clients of the revision meet the base again.
    pub way: String,
    pub rule: String,
    /// `breaking`, `unknown` (it could not be decided) or `risky`.
    pub severity: String,
    /// Line of the description and the path in it.
    pub place: String,
    pub message: String,
    /// Who was seen at what it hits, most requests first; at most a few.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<Consumer>,
    /// How many consumers were seen in all.
    #[serde(default)]
    pub consumers_total: u32,
}

/// Somebody who was seen using an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    pub name: String,
    /// Zero where the log does not count.
    pub requests: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
}

/// Evidence as received: verified before it came here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceItem {
    pub id: EvidenceId,
    pub predicate_type: String,
    /// Digest of the DSSE envelope, which is a blob.
    pub envelope: Digest,
    /// Key that signed.
    pub signer: String,
    pub summary: Summary,
    /// The ledger's receive time: the only time that counts.
    pub received: Timestamp,
    #[serde(default)]
    pub revoked: bool,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    pub digest: Digest,
    pub items: Vec<EvidenceItem>,
}

impl Subject {
    /// Evidence that counts, newest first.
    pub fn standing(&self) -> impl Iterator<Item = &EvidenceItem> {
        self.items.iter().rev().filter(|item| !item.revoked)
    }
    fn take(&mut self, fact: &Fact, at: Timestamp) {
        match fact {
            Fact::EvidenceReceived { id, predicate_type, envelope, signer, summary, .. } => self.items.push(EvidenceItem {
                id: id.clone(),
                predicate_type: predicate_type.clone(),
                envelope: *envelope,
                signer: signer.clone(),
                summary: summary.clone(),
                received: at,
                revoked: false,
            }),
            Fact::EvidenceRevoked { id, .. } => {
                for item in self.items.iter_mut().filter(|item| item.id == *id) {
                    item.revoked = true;
                }
            }
            _ => {}
        }
    }
}

impl Noun for Subject {
    const KIND: Kind = Kind::Subject;
    fn key(&self) -> String {
        self.digest.to_string()
    }
    fn live(&self) -> bool {
        true
    }
    /// `components` where a list of components stands, so that those can be listed.
    fn index(&self) -> (Option<String>, Option<String>, Option<String>) {
        let listed = self.standing().any(|item| matches!(item.summary, Summary::Components { .. }));
        (None, None, listed.then(|| "components".to_owned()))
    }
    fn open(fact: &Fact, at: Timestamp) -> Option<Self> {
        let Fact::EvidenceReceived { subject, .. } = fact else { return None };
        let mut new = Self { digest: *subject, items: Vec::new() };
        new.take(fact, at);
        Some(new)
    }
    fn apply(&mut self, fact: &Fact, at: Timestamp) {
        self.take(fact, at);
    }
}
