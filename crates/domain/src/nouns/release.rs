//! A release: a set of work items and components at fixed digests, with a plan.
//!
//! Its manifest's digest is what approvals, sign-offs and evidence are bound to. Change the manifest and they stop
//! counting, with a difference to show.

use super::{Fact, RunResult, Trigger};
use crate::kernel::{Kind, Noun, PersonId, ReleaseId, RunId, Timestamp};
use holdpoint_seal::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One component at fixed bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentPin {
    pub digest: Digest,
    pub version: String,
}

/// Digests of the declarations that the release was planned with: the definition cannot be swapped afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    pub service: Digest,
    pub pipeline: Digest,
}

/// What is approved. Its digest is SHA-256 over the canonical JSON of this structure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub service: String,
    pub version: String,
    pub components: BTreeMap<String, ComponentPin>,
    #[serde(default)]
    pub work_items: Vec<String>,
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// Triggers of this release beside those of the pipeline's stages.
    #[serde(default)]
    pub triggers: Vec<Trigger>,
    pub definition: Definition,
}

/// Everybody who wrote part of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    pub person: PersonId,
    pub commits: Vec<String>,
}

/// One commit of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    pub id: String,
    pub subject: String,
}

/// Where a release is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseState {
    /// On its way through the environments.
    Open,
    /// It reached the last stage, or it never will: see the closure code.
    Closed,
}

/// How a release ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closure {
    Successful,
    SuccessfulWithIssues,
    /// Some components or environments only.
    Partial,
    /// It was in production and was rolled back.
    BackedOut,
    /// Given up before production.
    Withdrawn,
    /// A newer release of the service took its place.
    Superseded,
    Failed,
}

/// Whether a vote was for or against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalState {
    Given,
    Rejected,
    Withdrawn,
}

/// One person's latest word on this release for one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub by: PersonId,
    pub environment: String,
    pub state: ApprovalState,
    /// The manifest that was shown.
    pub manifest_digest: Digest,
    /// Root over the evidence that was shown; see `governance::approvals`.
    pub evidence_root: Digest,
    pub at: Timestamp,
    #[serde(default)]
    pub comment: Option<Digest>,
}

/// The same vote, refused to the same person, however often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedVote {
    pub by: PersonId,
    pub environment: String,
    pub word: ApprovalState,
    pub code: String,
    /// The manifest that was in force.
    pub manifest_digest: Digest,
    /// How many attempts were recorded.
    pub count: u32,
    pub last_at: Timestamp,
    /// When the hour began in which attempts are counted, and how many it has.
    pub hour_from: Timestamp,
    pub in_hour: u32,
}

impl RefusedVote {
    /// Whether it is this attempt.
    pub fn is(&self, by: &PersonId, environment: &str, word: ApprovalState, code: &str, manifest_digest: &Digest) -> bool {
        self.by == *by
            && self.environment == environment
            && self.word == word
            && self.code == code
            && self.manifest_digest == *manifest_digest
    }
    /// Whether an attempt at this instant begins a new hour.
    pub fn hour_is_over(&self, at: Timestamp) -> bool {
        at.as_second() - self.hour_from.as_second() >= 3600
    }
}

/// A manifest that this release had, or has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManifestVersion {
    pub digest: Digest,
    pub manifest: Manifest,
    pub at: Timestamp,
    pub by: PersonId,
}

/// What came of a release in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promoted {
    pub environment: String,
    pub run: RunId,
    pub manifest_digest: Digest,
    pub result: RunResult,
    pub at: Timestamp,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Release {
    pub id: ReleaseId,
    /// The last entry is the manifest in force.
    pub manifests: Vec<ManifestVersion>,
    pub state: ReleaseState,
    pub closure: Option<Closure>,
    pub superseded_by: Option<ReleaseId>,
    /// One entry per person and environment: votes are a set.
    pub approvals: Vec<Approval>,
    /// Votes that were refused for who gave them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedVote>,
    /// Environments that somebody asked to be promoted to, with who asked.
    pub wanted: BTreeMap<String, PersonId>,
    /// Ended runs, oldest first.
    pub promoted: Vec<Promoted>,
    pub created_at: Timestamp,
    pub created_by: PersonId,
}

impl Release {
    /// The manifest in force.
    pub fn manifest(&self) -> &Manifest {
        &self.current().manifest
    }
    /// The digest of the manifest in force.
    pub fn manifest_digest(&self) -> &Digest {
        &self.current().digest
    }
    fn current(&self) -> &ManifestVersion {
        // A release is opened by a fact that carries its first manifest, so there is always one.
        &self.manifests[self.manifests.len() - 1]
    }
    /// People who created the release or changed its manifest: its editors.
    pub fn editors(&self) -> impl Iterator<Item = &PersonId> {
        self.manifests.iter().map(|version| &version.by)
    }
    /// Whether it ran successfully in an environment, with the manifest in force.
    pub fn succeeded_in(&self, environment: &str) -> bool {
        self.promoted
            .iter()
            .rev()
            .find(|p| p.environment == environment && p.manifest_digest == *self.manifest_digest())
            .is_some_and(|p| p.result == RunResult::Succeeded)
    }
    fn refuse(&mut self, attempt: RefusedVote) {
        let RefusedVote { by, environment, word, code, manifest_digest, last_at: at, .. } = &attempt;
        match self.refused.iter_mut().find(|old| old.is(by, environment, *word, code, manifest_digest)) {
            Some(old) => {
                if old.hour_is_over(*at) {
                    (old.hour_from, old.in_hour) = (*at, 0);
                }
                old.in_hour += 1;
                old.count += 1;
                old.last_at = *at;
            }
            None => self.refused.push(attempt),
        }
    }
    fn vote(&mut self, vote: Approval) {
        self.approvals.retain(|old| !(old.by == vote.by && old.environment == vote.environment));
        self.approvals.push(vote);
    }
}

impl Noun for Release {
    const KIND: Kind = Kind::Release;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn live(&self) -> bool {
        self.state == ReleaseState::Open
    }
    fn open(fact: &Fact, at: Timestamp) -> Option<Self> {
        let Fact::ReleaseCreated { id, manifest, manifest_digest, by } = fact else { return None };
        Some(Self {
            id: id.clone(),
            manifests: vec![ManifestVersion { digest: *manifest_digest, manifest: manifest.clone(), at, by: by.clone() }],
            state: ReleaseState::Open,
            closure: None,
            superseded_by: None,
            approvals: Vec::new(),
            refused: Vec::new(),
            wanted: BTreeMap::new(),
            promoted: Vec::new(),
            created_at: at,
            created_by: by.clone(),
        })
    }
    fn apply(&mut self, fact: &Fact, at: Timestamp) {
        match fact {
            Fact::ManifestAmended { manifest, manifest_digest, by } => {
                self.manifests.push(ManifestVersion { digest: *manifest_digest, manifest: manifest.clone(), at, by: by.clone() })
            }
            Fact::ApprovalGiven { by, environment, manifest_digest, evidence_root, comment } => self.vote(Approval {
                by: by.clone(),
                environment: environment.clone(),
                state: ApprovalState::Given,
                manifest_digest: *manifest_digest,
                evidence_root: *evidence_root,
                at,
                comment: *comment,
            }),
            Fact::ApprovalRejected { by, environment, manifest_digest, evidence_root, comment } => self.vote(Approval {
                by: by.clone(),
                environment: environment.clone(),
                state: ApprovalState::Rejected,
                manifest_digest: *manifest_digest,
                evidence_root: *evidence_root,
                at,
                comment: *comment,
            }),
            Fact::ApprovalWithdrawn { by, environment } => {
                for vote in self.approvals.iter_mut().filter(|vote| vote.by == *by && vote.environment == *environment) {
                    vote.state = ApprovalState::Withdrawn;
                    vote.at = at;
                }
            }
            Fact::ApprovalRefused { by, environment, word, code, manifest_digest, account: _ } => self.refuse(RefusedVote {
                by: by.clone(),
                environment: environment.clone(),
                word: *word,
                code: code.clone(),
                manifest_digest: *manifest_digest,
                count: 1,
                last_at: at,
                hour_from: at,
                in_hour: 1,
            }),
            Fact::PromotionRequested { environment, by } => {
                self.wanted.insert(environment.clone(), by.clone());
            }
            Fact::PromotionEnded { environment, run, manifest_digest, result } => {
                self.wanted.remove(environment);
                self.promoted.push(Promoted {
                    environment: environment.clone(),
                    run: run.clone(),
                    manifest_digest: *manifest_digest,
                    result: *result,
                    at,
                });
            }
            Fact::ReleaseClosed { closure, superseded_by, .. } => {
                self.state = ReleaseState::Closed;
                self.closure = Some(*closure);
                self.superseded_by = superseded_by.clone();
                self.wanted.clear();
            }
            _ => {}
        }
    }
    fn index(&self) -> (Option<String>, Option<String>, Option<String>) {
        let state = match self.state {
            ReleaseState::Open => "open",
            ReleaseState::Closed => "closed",
        };
        (Some(self.manifest().service.clone()), None, Some(state.to_owned()))
    }
}
