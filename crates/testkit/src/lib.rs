//!
//! crates. What a test saw, a user could have seen.
//! Architecture invariant: every component is started here, on a free port, in a temporary folder, and ended by its pid;
//! also when the test is killed (see [`watcher`]). A missing component fails the test unless HOLDPOINT_SKIP names it.
//!
//! It panics rather than return errors: a test that cannot be set up has failed, and says why.

pub mod component;
pub mod postgres;
pub mod process;
mod watcher;
mod wire;

pub use postgres::Postgres;
pub use process::eventually;
