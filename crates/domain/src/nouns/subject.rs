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
            Summary::Deployment { .. } => "deployment",
            Summary::Canary { .. } => "canary",
        }
    }
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
