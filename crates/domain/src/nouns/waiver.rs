//! A waiver: somebody bears a known weakness of a package, or a break of an interface, for a reason and until an instant.
//! Then it counts again, by itself.

use super::{Break, Fact, FreezeScope, Weakness};
use crate::kernel::{Kind, Noun, PersonId, Timestamp, WaiverId};
use holdpoint_seal::digest::Digest;
use serde::{Deserialize, Serialize};

/// Half-open: it holds until `until` (excluded).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    pub id: WaiverId,
    /// Any of the weakness's names, such as `CVE-2021-23337`, or a break's id.
    pub advisory: String,
    /// The package's URL without its version, or its name; of a break `COMPONENT/INTERFACE`.
    pub package: String,
    pub scope: FreezeScope,
    pub by: PersonId,
    pub reason: Digest,
    pub from: Timestamp,
    pub until: Timestamp,
    pub withdrawn: bool,
}

impl Waiver {
    pub fn holds(&self, at: Timestamp) -> bool {
        !self.withdrawn && at < self.until
    }
    pub fn names(&self, weakness: &Weakness) -> bool {
        weakness.ids.iter().any(|id| id.eq_ignore_ascii_case(&self.advisory))
            && (self.package == weakness.package || self.package == weakness.name)
    }
    /// `interface` is `COMPONENT/INTERFACE`.
    pub fn names_break(&self, found: &Break, interface: &str) -> bool {
        found.id.eq_ignore_ascii_case(&self.advisory) && self.package == interface
    }
}

impl Noun for Waiver {
    const KIND: Kind = Kind::Waiver;
    fn key(&self) -> String {
        self.id.to_string()
    }
    /// An expired one stays live: that it expired is what the gate then says.
    fn live(&self) -> bool {
        !self.withdrawn
    }
    fn open(fact: &Fact, at: Timestamp) -> Option<Self> {
        let Fact::WaiverGranted { id, advisory, package, scope, by, reason, until } = fact else { return None };
        Some(Self {
            id: id.clone(),
            advisory: advisory.clone(),
            package: package.clone(),
            scope: scope.clone(),
            by: by.clone(),
            reason: *reason,
            from: at,
            until: *until,
            withdrawn: false,
        })
    }
    fn apply(&mut self, fact: &Fact, _at: Timestamp) {
        if let Fact::WaiverWithdrawn { .. } = fact {
            self.withdrawn = true;
        }
    }
}
