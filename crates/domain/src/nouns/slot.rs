//! One service in one environment: what runs there, what ran there, and which run holds it.

use super::{ComponentPin, Fact, Instance};
use crate::kernel::{Kind, Noun, ReleaseId, RunId, Timestamp};
use holdpoint_seal::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub release: Option<ReleaseId>,
    pub version: String,
    pub manifest_digest: Option<Digest>,
    pub components: BTreeMap<String, ComponentPin>,
    pub instances: Vec<Instance>,
    pub run: Option<RunId>,
    pub since: Timestamp,
}

/// What ran here once, successfully: what a rollback may choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotEntry {
    pub release: Option<ReleaseId>,
    pub version: String,
    pub manifest_digest: Option<Digest>,
    pub components: BTreeMap<String, ComponentPin>,
    pub at: Timestamp,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    pub environment: String,
    pub service: String,
    pub running: Option<Running>,
    /// The run that holds this slot; one at a time.
    pub held_by: Option<RunId>,
    /// Newest last, at most [`Slot::HISTORY`].
    pub history: Vec<SlotEntry>,
    /// Latest deployment that another system reported (gate-only mode): digest and result.
    pub reported: Option<(Digest, String)>,
}

impl Slot {
    /// How many past versions are remembered.
    pub const HISTORY: usize = 20;
    /// The key of a slot.
    pub fn key_of(environment: &str, service: &str) -> String {
        format!("{environment}/{service}")
    }
    /// What a rollback from a version may choose: the newest other version that ran here before this one ever did. What ran
    /// after it was left for a reason, and a rollback of a rollback would bring it back.
    pub fn before(&self, version: &str) -> Option<&SlotEntry> {
        let first = self.history.iter().position(|entry| entry.version == version).unwrap_or(self.history.len());
        self.history.get(..first)?.iter().rev().find(|entry| entry.version != version)
    }
    /// Every version that rollbacks, one after the other, may bring back from what runs; newest first.
    pub fn may_come_back(&self) -> Vec<&SlotEntry> {
        let Some(running) = &self.running else { return Vec::new() };
        std::iter::successors(self.before(&running.version), |entry| self.before(&entry.version)).collect()
    }
    fn take(&mut self, fact: &Fact, at: Timestamp) {
        match fact {
            Fact::SlotTaken { run, .. } => self.held_by = Some(run.clone()),
            Fact::SlotFreed { .. } => self.held_by = None,
            Fact::RunningChanged { running, .. } => {
                if let Some(new) = running {
                    self.history.push(SlotEntry {
                        release: new.release.clone(),
                        version: new.version.clone(),
                        manifest_digest: new.manifest_digest,
                        components: new.components.clone(),
                        at,
                    });
                    let surplus = self.history.len().saturating_sub(Self::HISTORY);
                    self.history.drain(..surplus);
                }
                self.running = running.clone();
            }
            Fact::DeploymentReported { digest, result, .. } => self.reported = Some((*digest, result.clone())),
            _ => {}
        }
    }
}

impl Noun for Slot {
    const KIND: Kind = Kind::Slot;
    fn key(&self) -> String {
        Self::key_of(&self.environment, &self.service)
    }
    fn live(&self) -> bool {
        true
    }
    fn open(fact: &Fact, at: Timestamp) -> Option<Self> {
        let (Fact::SlotTaken { environment, service, .. }
        | Fact::RunningChanged { environment, service, .. }
        | Fact::DeploymentReported { environment, service, .. }) = fact
        else {
            return None;
        };
        let mut new = Self {
            environment: environment.clone(),
            service: service.clone(),
            running: None,
            held_by: None,
            history: Vec::new(),
            reported: None,
        };
        new.take(fact, at);
        Some(new)
    }
    fn apply(&mut self, fact: &Fact, at: Timestamp) {
        self.take(fact, at);
    }
    fn index(&self) -> (Option<String>, Option<String>, Option<String>) {
        (Some(self.service.clone()), Some(self.environment.clone()), None)
    }
}
