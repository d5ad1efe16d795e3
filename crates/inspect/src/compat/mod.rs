//! Whether those who use a contract can live with its next version: one room a language of contracts.
//!
//! Does not read files and does not know what runs where: bytes of two versions in, findings out.

pub mod avro;
pub mod graphql;
pub mod interface;
pub mod json_schema;
pub mod openapi;
pub mod protobuf;

use crate::finding::{Finding, Severity};

/// `breaking`, `risky` or `compatible`: the worst of the findings, each named by its severity.
pub fn verdict(findings: &[Finding]) -> &'static str {
    match findings.iter().map(|finding| finding.severity).min() {
        Some(Severity::Breaking | Severity::Critical | Severity::High) => "breaking",
        Some(Severity::Risky | Severity::Medium) => "risky",
        _ => "compatible",
    }
}
