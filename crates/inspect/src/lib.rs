//! Judgement over documents: test reports, scanner results, compatibility, migrations, components and their weaknesses.
//!
//! Architecture invariant: pure; bytes in, findings out. What cannot be read is an error with its place, never a pass.

pub mod advisories;
pub mod compat;
pub mod coverage;
pub mod cvss;
pub mod document;
pub mod finding;
pub mod licenses;
pub mod migration;
pub mod report;
pub mod sarif;
pub mod sbom;
pub mod secrets;
pub mod test_report;
pub mod versions;
pub mod vex;
pub mod xml;
