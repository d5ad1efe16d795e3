//! Judgement over documents: test reports, scanner results, compatibility, migrations, components and their weaknesses.
//!
//! Architecture invariant: pure; bytes in, findings out. What cannot be read is an error with its place, never a pass.

pub mod advisories;
pub mod compat;
pub mod cvss;
pub mod document;
pub mod finding;
pub mod junit;
pub mod report;
pub mod sarif;
pub mod sbom;
pub mod secrets;
pub mod versions;
pub mod vex;
