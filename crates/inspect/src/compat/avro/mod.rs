//! Whether one Avro schema reads what another one wrote: schema resolution of the Avro specification, 1.11 and 1.12.
//!
//! Judges schemas, not data, and knows no registry. Protocols (.avpr) and interface definitions (.avdl) are not read.

mod parse;
mod resolve;
mod schema;
#[cfg(test)]
mod tests;

pub use parse::read;
pub use resolve::{RULES, RuleInfo, reads};
pub use schema::Schema;

/// A schema that cannot be read: where, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct Unreadable {
    pub file: String,
    /// From 1.
    pub line: u32,
    pub what: String,
}
