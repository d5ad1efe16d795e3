//! Design and build: what was built from what, and what scanners found in it.
pub mod advisories;
pub mod builds;
pub mod compatibility;
pub mod intake;
pub mod interfaces;
pub mod provenance;
pub mod scan;
pub mod vulnerabilities;
