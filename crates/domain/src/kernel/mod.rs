//! What every decision is made of: a view in, a decision or a refusal out.

mod decision;
mod ids;
mod note;
mod person;
mod refusal;
mod span;
mod state;
mod view;

pub use decision::{AccountKind, Action, ActionChange, Actor, Decision, NewFact, Via};
pub use ids::{EvidenceId, FreezeId, IdError, PersonId, ReleaseId, RunId, WaiverId};
pub use note::{Note, Salt};
pub use person::PersonRow;
pub use refusal::{Refusal, Stop};
pub use span::Span;
pub use state::State;
pub use view::{Doc, DocKey, Kind, Need, Noun, View};

/// Instant of a decision: the database's clock, to the microsecond.
pub type Timestamp = jiff::Timestamp;
