//! Software bills of materials: what lies in a lock file, an image or a CycloneDX document.
//!
//! Not here: whether a component is vulnerable or its licence wanted; those judge what these modules read.

pub mod component;
pub mod purl;
