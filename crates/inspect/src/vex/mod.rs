//! What somebody says about a weakness in a product (VEX): OpenVEX 0.2, CycloneDX, CSAF 2.0.
//!
//! A statement suppresses a finding when it says "fixed", or "not affected" together with why. Anything else is shown beside
//! the finding and changes nothing. Among statements about the same, the newest holds. Whether the author may be believed is
//! not decided here: files are named to the command by whoever trusts them.

mod csaf;
mod cyclonedx;
mod openvex;

use crate::advisories::inventory::Inventory;
use crate::sbom::component::Component;
use crate::sbom::purl::Purl;
use serde::Serialize;

/// A document has at most so many bytes.
pub const BYTES_MAX: usize = 256 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    NotAffected,
    Fixed,
    Affected,
    UnderInvestigation,
}

/// What a statement is about, as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Product {
    /// A purl, a `bom-ref`, a BOM link or any other identifier.
    pub names: Vec<String>,
    /// Parts of the product that are meant; empty means the product itself.
    pub parts: Vec<String>,
    /// Only in these versions, where the document lists versions apart.
    pub versions: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// All names of the weakness.
    pub ids: Vec<String>,
    pub status: Status,
    /// Why it is not affected: a word of the format, or the author's sentence.
    pub justification: Option<String>,
    /// Empty means whatever the document is about.
    pub products: Vec<Product>,
    /// Seconds since 1970; statements without time are the oldest.
    pub time: i64,
    pub author: Option<String>,
}

/// Why a file is no VEX document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VexError {
    #[error("the document has more than {BYTES_MAX} bytes")]
    Size,
    #[error("not an OpenVEX, CycloneDX or CSAF document: {0}")]
    Shape(String),
    #[error("{what}: {why}")]
    Statement { what: String, why: String },
}

/// Reads a document of any of the formats, told apart by the members that each of them must have.
pub fn read(bytes: &[u8]) -> Result<Vec<Statement>, VexError> {
    if bytes.len() > BYTES_MAX {
        return Err(VexError::Size);
    }
    let document: serde_json::Value = serde_json::from_slice(bytes).map_err(|why| VexError::Shape(why.to_string()))?;
    let context = document.get("@context").and_then(|context| context.as_str()).unwrap_or_default();
    if context.starts_with("https://openvex.dev/ns") {
        openvex::read(document)
    } else if document.get("bomFormat").and_then(|format| format.as_str()) == Some("CycloneDX") {
        cyclonedx::read(document)
    } else if document.pointer("/document/csaf_version").is_some() {
        csaf::read(document)
    } else {
        Err(VexError::Shape("expected an OpenVEX `@context`, a CycloneDX `bomFormat` or `document.csaf_version`".to_owned()))
    }
}

fn seconds(text: &str) -> Result<i64, VexError> {
    let time: Result<jiff::Timestamp, _> = text.parse();
    time.map(jiff::Timestamp::as_second)
        .map_err(|_| VexError::Statement { what: format!("time {text:?}"), why: "expected a time such as 2024-01-31T12:00:00Z".to_owned() })
}

impl Status {
    fn read(word: &str) -> Option<Status> {
        Some(match word {
            "not_affected" => Status::NotAffected,
            "fixed" => Status::Fixed,
            "affected" => Status::Affected,
            "under_investigation" => Status::UnderInvestigation,
            _ => return None,
        })
    }
    pub fn word(self) -> &'static str {
        match self {
            Status::NotAffected => "not_affected",
            Status::Fixed => "fixed",
            Status::Affected => "affected",
            Status::UnderInvestigation => "under_investigation",
        }
    }
}

impl Statement {
    /// Whether a finding that this statement is about need not count.
    pub fn suppresses(&self) -> bool {
        match self.status {
            Status::Fixed => true,
            Status::NotAffected => self.justification.as_ref().is_some_and(|why| !why.trim().is_empty()),
            Status::Affected | Status::UnderInvestigation => false,
        }
    }
    /// Whether it speaks of one of these names in this component of the product.
    pub fn is_about(&self, ids: &[String], component: &Component, product: &[String]) -> bool {
        self.ids.iter().any(|own| ids.iter().any(|id| id.eq_ignore_ascii_case(own)))
            && (self.products.is_empty() || self.products.iter().any(|own| own.covers(component, product)))
    }
}

impl Product {
    fn covers(&self, component: &Component, product: &[String]) -> bool {
        let is_component = |names: &[String]| names.iter().any(|name| names_component(name, component));
        let in_versions = self.versions.is_empty() || component.version.as_ref().is_some_and(|own| self.versions.contains(own));
        let is_product = self.names.iter().any(|name| product.iter().any(|own| names_product(name, own)));
        if self.parts.is_empty() {
            in_versions && (is_component(&self.names) || is_product)
        } else {
            is_product && is_component(&self.parts)
        }
    }
}

fn covers_purl(general: &str, own: &Purl) -> bool {
    general.parse::<Purl>().is_ok_and(|general| crate::advisories::purl_covers(&general, own))
}

fn names_component(name: &str, component: &Component) -> bool {
    // A BOM link names a document and, after `#`, the reference in it.
    let reference = name.strip_prefix("urn:cdx:").and_then(|link| link.split_once('#')).map_or(name, |(_, reference)| reference);
    reference == component.reference || component.purl.as_ref().is_some_and(|own| covers_purl(name, own))
}

fn names_product(name: &str, own: &str) -> bool {
    name == own || own.parse::<Purl>().is_ok_and(|own| covers_purl(name, &own))
}

/// The statement that holds for a finding: of those about it the newest, of equals the last.
pub fn holding<'a>(statements: &'a [Statement], ids: &[String], component: &Component, inventory: &Inventory) -> Option<&'a Statement> {
    let about = statements.iter().filter(|statement| statement.is_about(ids, component, &inventory.product));
    about.max_by_key(|statement| statement.time)
}

#[cfg(test)]
mod tests;
