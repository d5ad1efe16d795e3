//! OpenVEX (github.com/openvex/spec, version 0.2.0).

use super::{Product, Statement, Status, VexError, seconds};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Document {
    author: String,
    timestamp: String,
    #[serde(default)]
    last_updated: Option<String>,
    statements: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    vulnerability: Vulnerability,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    last_updated: Option<String>,
    #[serde(default)]
    products: Vec<Named>,
    status: String,
    #[serde(default)]
    justification: Option<String>,
    #[serde(default)]
    impact_statement: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Vulnerability {
    Name(String),
    Struct {
        name: String,
        #[serde(rename = "@id", default)]
        id: Option<String>,
        #[serde(default)]
        aliases: Vec<String>,
    },
}

/// A product or a part of one. Version 0.0 wrote plain texts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Text(String),
    Struct {
        #[serde(rename = "@id", default)]
        id: Option<String>,
        #[serde(default)]
        identifiers: Option<Identifiers>,
        #[serde(default)]
        subcomponents: Vec<Named>,
    },
}

#[derive(Deserialize)]
struct Identifiers {
    purl: Option<String>,
}

/// Section "Status Justifications".
const JUSTIFICATIONS: [&str; 5] = [
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
];

impl Named {
    fn names(&self) -> Vec<String> {
        match self {
            Named::Text(text) => vec![text.clone()],
            Named::Struct { id, identifiers, .. } => {
                id.iter().chain(identifiers.iter().filter_map(|identifiers| identifiers.purl.as_ref())).cloned().collect()
            }
        }
    }
    fn product(&self) -> Product {
        let parts = match self {
            Named::Text(_) => Vec::new(),
            Named::Struct { subcomponents, .. } => subcomponents.iter().flat_map(Named::names).collect(),
        };
        Product { names: self.names(), parts, versions: Vec::new() }
    }
}

pub fn read(document: Value) -> Result<Vec<Statement>, VexError> {
    let document: Document = serde_json::from_value(document).map_err(|why| VexError::Shape(why.to_string()))?;
    let issued = seconds(document.last_updated.as_deref().unwrap_or(&document.timestamp))?;
    document
        .statements
        .into_iter()
        .map(|entry| {
            let ids = match entry.vulnerability {
                Vulnerability::Name(name) => vec![name],
                Vulnerability::Struct { name, id, aliases } => std::iter::once(name).chain(id).chain(aliases).collect(),
            };
            let bad = |why: &str| VexError::Statement { what: format!("statement about {}", ids.join(", ")), why: why.to_owned() };
            let status = Status::read(&entry.status)
                .ok_or_else(|| bad(&format!("status {:?}; expected not_affected, affected, fixed or under_investigation", entry.status)))?;
            if let Some(word) = entry.justification.as_ref().filter(|word| !JUSTIFICATIONS.contains(&word.as_str())) {
                return Err(bad(&format!("justification {word:?}; expected one of {}", JUSTIFICATIONS.join(", "))));
            }
            if entry.products.is_empty() {
                return Err(bad("it names no product"));
            }
            let time = entry.last_updated.or(entry.timestamp).map(|text| seconds(&text)).transpose()?.unwrap_or(issued);
            Ok(Statement {
                status,
                // The specification lets a sentence stand in for the word.
                justification: entry.justification.or(entry.impact_statement),
                products: entry.products.iter().map(Named::product).collect(),
                time,
                author: Some(document.author.clone()),
                ids,
            })
        })
        .collect()
}
