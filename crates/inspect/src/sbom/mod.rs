//! Software bills of materials: what lies in a lock file, an image or a CycloneDX document.
//!
//! Not here: whether a component is vulnerable or its licence wanted; those judge what these modules read.

pub mod component;
pub mod distribution;
mod format;
pub mod gather;
pub mod image;
pub mod json;
pub mod lock;
pub mod purl;
pub mod read;
pub mod schema;
pub mod validate;
pub mod write;

/// A day as RFC 3339 writes it.
pub(crate) fn is_date(text: &str) -> bool {
    format::Format::Date.matches(text)
}

#[cfg(test)]
mod tests;
