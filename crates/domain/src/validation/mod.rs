//! Testing and validation: test results as evidence.
pub mod results;
