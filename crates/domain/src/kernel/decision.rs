//! What a decision leads to: facts to write and actions to take, in one transaction.

use super::{DocKey, Note, PersonId, PersonRow, Timestamp};
use crate::nouns::Fact;
use holdpoint_seal::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What kind of account acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountKind {
    Person,
    ServiceAccount,
    Worker,
    /// The server's own loops.
    Engine,
}

/// Through which door a command came. An approval counts its person, never its door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    Session,
    Token,
    Worker,
    Engine,
}

/// Who acts. A service account acts for the person who owns it (`owner`), and that person's exclusions pass through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub kind: AccountKind,
    /// The account's own id; none for workers and the engine.
    pub person: Option<PersonId>,
    /// For service accounts: who owns it.
    pub owner: Option<PersonId>,
    /// Handle, worker name or loop name: for people to read.
    pub name: String,
    pub via: Via,
}

impl Actor {
    /// One of the server's own loops.
    pub fn engine(name: &str) -> Self {
        Self { kind: AccountKind::Engine, person: None, owner: None, name: name.to_owned(), via: Via::Engine }
    }
    /// A worker by its enrolled name.
    pub fn worker(name: &str) -> Self {
        Self { kind: AccountKind::Worker, person: None, owner: None, name: name.to_owned(), via: Via::Worker }
    }
    /// What the fact's envelope says: the random id of a person, `worker:NAME` or `engine:NAME`.
    pub fn label(&self) -> String {
        match (&self.person, self.kind) {
            (Some(person), _) => person.to_string(),
            (None, AccountKind::Worker) => format!("worker:{}", self.name),
            (None, _) => format!("engine:{}", self.name),
        }
    }
    /// The human beings behind this account: itself and the owner of a service account.
    pub fn humans(&self) -> impl Iterator<Item = &PersonId> {
        self.person.iter().chain(self.owner.iter())
    }
}

/// A fact to append to a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFact {
    pub stream: DocKey,
    pub fact: Fact,
}

/// A step that is ready to be leased by a worker of a pool (or by the engine's own pool, `@engine`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    pub run: String,
    pub step: String,
    pub pool: String,
    /// Not to be leased before this instant.
    pub not_before: Option<Timestamp>,
}

/// What happens to the queue of actions. Keyed by (run, step).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionChange {
    Enqueue(Action),
    /// Granted: the attempt, its fencing token and the end of the lease.
    Lease {
        run: String,
        step: String,
        attempt: String,
        token: u64,
        worker: String,
        until: Timestamp,
    },
    /// Back in the queue, not before an instant.
    Postpone {
        run: String,
        step: String,
        not_before: Timestamp,
    },
    /// Over: done, failed or no longer wanted.
    Remove {
        run: String,
        step: String,
    },
}

/// Everything one command leads to. Committed as a whole or not at all.
#[derive(Debug, Clone, Default, PartialEq)]
#[must_use]
pub struct Decision {
    pub facts: Vec<NewFact>,
    pub actions: Vec<ActionChange>,
    /// Free text whose commitments the facts carry.
    pub notes: Vec<Note>,
    /// Who is behind ids that the facts name, kept beside the ledger.
    pub people: Vec<PersonRow>,
    /// Blobs that must exist and are kept while these facts are.
    pub pins: Vec<Digest>,
    /// What the caller gets, and gets again when it repeats the command with the same key.
    pub answer: Value,
}

impl Decision {
    /// Nothing to write: the answer stands as it is.
    pub fn unchanged(answer: Value) -> Self {
        Self { answer, ..Self::default() }
    }
    /// Appends a fact.
    pub fn fact(&mut self, kind: super::Kind, key: impl Into<String>, fact: Fact) -> &mut Self {
        self.facts.push(NewFact { stream: DocKey::new(kind, key), fact });
        self
    }
}
