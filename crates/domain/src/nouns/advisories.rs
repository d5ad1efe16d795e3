//! The advisories that were sent: one stream a project. The records themselves are blobs.

use super::Fact;
use crate::kernel::{Kind, Noun, Timestamp};
use holdpoint_seal::digest::Digest;
use serde::{Deserialize, Serialize};

/// One delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// From 1, over all deliveries of the project.
    pub number: u64,
    pub source: Digest,
    pub received: Timestamp,
    pub records: u32,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advisories {
    /// The last whole database and what came after it, oldest first.
    pub deliveries: Vec<Delivery>,
    /// When a whole database was last received: its age is what the gate asks for.
    pub whole: Option<Timestamp>,
    /// Number of the last delivery.
    pub last: u64,
    /// Number of the last delivery by which all stored documents were judged.
    pub judged: u64,
}

impl Advisories {
    /// The stream's key: there is one.
    pub const KEY: &'static str = "all";

    fn take(&mut self, fact: &Fact, at: Timestamp) {
        match fact {
            Fact::AdvisoriesReceived { source, whole, records } => {
                self.last += 1;
                if *whole {
                    self.deliveries.clear();
                    self.whole = Some(at);
                }
                self.deliveries.push(Delivery { number: self.last, source: *source, received: at, records: *records });
            }
            Fact::AdvisoriesJudged { through, .. } => self.judged = self.judged.max(*through),
            _ => {}
        }
    }
}

impl Noun for Advisories {
    const KIND: Kind = Kind::Advisories;
    fn key(&self) -> String {
        Self::KEY.to_owned()
    }
    fn live(&self) -> bool {
        true
    }
    fn open(fact: &Fact, at: Timestamp) -> Option<Self> {
        let Fact::AdvisoriesReceived { .. } = fact else { return None };
        let mut new = Self { deliveries: Vec::new(), whole: None, last: 0, judged: 0 };
        new.take(fact, at);
        Some(new)
    }
    fn apply(&mut self, fact: &Fact, at: Timestamp) {
        self.take(fact, at);
    }
}
