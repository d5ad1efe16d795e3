//! What was swept: stored files that no fact names any more. One stream a project; the files themselves are gone.

use super::Fact;
use crate::kernel::{Kind, Noun, Timestamp};
use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweeps {
    pub rounds: u64,
    /// How many files, and how many bytes they had.
    pub blobs: u64,
    pub bytes: u64,
    pub last: Timestamp,
}

impl Sweeps {
    /// The stream's key: there is one.
    pub const KEY: &'static str = "blobs";

    fn take(&mut self, fact: &Fact, at: Timestamp) {
        if let Fact::BlobsSwept { count, bytes, .. } = fact {
            self.rounds += 1;
            self.blobs += u64::from(*count);
            self.bytes = self.bytes.saturating_add(*bytes);
            self.last = at;
        }
    }
}

impl Noun for Sweeps {
    const KIND: Kind = Kind::Sweeps;
    fn key(&self) -> String {
        Self::KEY.to_owned()
    }
    fn live(&self) -> bool {
        true
    }
    fn open(fact: &Fact, at: Timestamp) -> Option<Self> {
        let Fact::BlobsSwept { .. } = fact else { return None };
        let mut new = Self { rounds: 0, blobs: 0, bytes: 0, last: at };
        new.take(fact, at);
        Some(new)
    }
    fn apply(&mut self, fact: &Fact, at: Timestamp) {
        self.take(fact, at);
    }
}
