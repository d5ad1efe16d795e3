//! The middle floor: nouns, gates and decisions of release management.
//!
//! Architecture invariant: pure. Given a [`kernel::View`] of what is known and *now*, functions here return facts to
//! write, actions to take and a report that says why. No async, clock, randomness or I/O.
//! Architecture invariant: rooms (`build`, `validation`, `governance`, `orchestration`, `planning`, `review`) never import
//! each other; they meet at the nouns, and at the evidence the nouns carry.

pub mod evidence;
pub mod gate;
pub mod gates;
pub mod kernel;
pub mod nouns;
pub mod organisation;
pub mod sweeping;

pub mod build;
pub mod governance;
pub mod orchestration;
pub mod planning;
pub mod review;
pub mod validation;
