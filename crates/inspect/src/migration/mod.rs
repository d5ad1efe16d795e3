//! `migration check`: what the statements of a migration do to a PostgreSQL that is in use, without running them.
//!
//! Bytes to [`script::Script`]s (parser, lines, waivers), then one walk in order: [`locks`] says what a statement locks,
//! rewrites and reads, [`catalog`] and [`session`] remember what earlier statements made and hold, [`rules`] judge. Nothing
//! is run, no database is asked; bodies of functions and DO blocks are not looked into, and that is said.
//!
//! The parser is `squawk-syntax`; rules, lock table, versions and the model over all files are our own.

pub mod bounds;
pub mod catalog;
mod check;
pub mod locks;
mod read;
mod read_table;
mod refused;
pub mod rules;
pub mod script;
pub mod session;
mod since;
pub mod statement;
#[cfg(test)]
mod tests;
mod tree;
pub mod types;
mod volatile;

pub use check::{Effect, Options, Report, VERSIONS, Waived, check};

/// A name without schema and quotes, to build other names from.
pub(crate) fn short(name: &str) -> String {
    tree::bare(name).trim_matches('"').to_lowercase().replace([' ', '.'], "_")
}

/// Whether PostgreSQL itself brings that function and says that it is volatile.
pub(crate) fn volatile_function(name: &str) -> bool {
    volatile::VOLATILE.contains(&tree::bare(name))
}
