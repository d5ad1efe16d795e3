//! Licences: the SPDX list, licence expressions, and a policy over the components of an SBOM.
//!
//! Not here: finding out a licence from the text of a file; what is judged is what was declared.

pub mod expression;
pub mod list;
