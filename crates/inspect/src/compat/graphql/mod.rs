//! Whether clients of one GraphQL schema can live with another.
//!
//! The rules are those of graphql-js (`findBreakingChanges`, `findDangerousChanges`) under its names in kebab-case, and some
//! that it does not have. Deliberately absent: validation of schemas beyond what a comparison needs, and any rule about
//! style.

mod compare;
mod lexer;
mod schema;
mod syntax;
#[cfg(test)]
mod tests;
mod usage;

pub use schema::{Given, Schema};
pub use usage::Usage;

use crate::finding::{self, Finding, Severity};

/// Every rule with its severity, and whether graphql-js has it.
pub const RULES: [(&str, Severity, bool); 38] = [
    ("arg-changed-kind", Severity::Breaking, true),
    ("arg-removed", Severity::Breaking, true),
    ("directive-arg-changed-kind", Severity::Breaking, false),
    ("directive-arg-removed", Severity::Breaking, true),
    ("directive-location-removed", Severity::Breaking, true),
    ("directive-removed", Severity::Breaking, true),
    ("directive-repeatable-removed", Severity::Breaking, true),
    ("field-changed-kind", Severity::Breaking, true),
    ("field-removed", Severity::Breaking, true),
    ("implemented-interface-removed", Severity::Breaking, true),
    ("one-of-added", Severity::Breaking, false),
    ("required-arg-added", Severity::Breaking, true),
    ("required-directive-arg-added", Severity::Breaking, true),
    ("required-input-field-added", Severity::Breaking, true),
    ("root-type-changed", Severity::Breaking, false),
    ("root-type-removed", Severity::Breaking, false),
    ("type-changed-kind", Severity::Breaking, true),
    ("type-removed", Severity::Breaking, true),
    ("type-removed-from-union", Severity::Breaking, true),
    ("value-removed-from-enum", Severity::Breaking, true),
    ("arg-default-value-change", Severity::Risky, true),
    ("directive-arg-default-value-change", Severity::Risky, false),
    ("implemented-interface-added", Severity::Risky, true),
    ("input-field-default-value-change", Severity::Risky, false),
    ("optional-arg-added", Severity::Risky, true),
    ("optional-input-field-added", Severity::Risky, true),
    ("specified-by-changed", Severity::Risky, false),
    ("type-added-to-union", Severity::Risky, true),
    ("value-added-to-enum", Severity::Risky, true),
    ("arg-type-widened", Severity::Info, false),
    ("directive-added", Severity::Info, false),
    ("field-added", Severity::Info, false),
    ("field-deprecated", Severity::Info, false),
    ("field-type-narrowed", Severity::Info, false),
    ("input-field-type-widened", Severity::Info, false),
    ("one-of-removed", Severity::Info, false),
    ("root-type-added", Severity::Info, false),
    ("type-added", Severity::Info, false),
];

/// What changes from the base to the revision, worst first.
pub fn compare(base: &Schema, revision: &Schema) -> Vec<Finding> {
    let mut findings = compare::changes(base, revision);
    finding::sort(&mut findings);
    findings
}
