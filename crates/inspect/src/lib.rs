//! Judgement over documents: test reports and scanner results.
//!
//! Architecture invariant: pure; bytes in, findings out. What cannot be read is an error with its place, never a pass.

pub mod junit;
pub mod sarif;
