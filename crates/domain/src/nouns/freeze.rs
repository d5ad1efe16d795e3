//! A freeze: no forward step in its scope while it holds. A rollback is never blocked by one.

use super::Fact;
use crate::kernel::{FreezeId, Kind, Noun, Timestamp};
use holdpoint_seal::digest::Digest;
use serde::{Deserialize, Serialize};

/// What a freeze covers. An empty list means all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FreezeScope {
    #[serde(default)]
    pub environments: Vec<String>,
    #[serde(default)]
    pub services: Vec<String>,
}

impl FreezeScope {
    pub fn covers(&self, service: &str, environment: &str) -> bool {
        (self.environments.is_empty() || self.environments.iter().any(|name| name == environment))
            && (self.services.is_empty() || self.services.iter().any(|name| name == service))
    }
}

/// Half-open: it holds from `from` (included) to `until` (excluded).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    pub id: FreezeId,
    pub name: String,
    pub scope: FreezeScope,
    pub from: Timestamp,
    pub until: Timestamp,
    pub reason: Digest,
    pub lifted: bool,
}

impl Freeze {
    /// Whether it holds at an instant.
    pub fn holds(&self, at: Timestamp) -> bool {
        !self.lifted && self.from <= at && at < self.until
    }
}

impl Noun for Freeze {
    const KIND: Kind = Kind::Freeze;
    fn key(&self) -> String {
        self.id.to_string()
    }
    fn live(&self) -> bool {
        !self.lifted
    }
    fn open(fact: &Fact, _at: Timestamp) -> Option<Self> {
        match fact {
            Fact::FreezeDeclared { id, name, scope, from, until, reason } => Some(Self {
                id: id.clone(),
                name: name.clone(),
                scope: scope.clone(),
                from: *from,
                until: *until,
                reason: *reason,
                lifted: false,
            }),
            _ => None,
        }
    }
    fn apply(&mut self, fact: &Fact, _at: Timestamp) {
        if let Fact::FreezeLifted { .. } = fact {
            self.lifted = true;
        }
    }
}
