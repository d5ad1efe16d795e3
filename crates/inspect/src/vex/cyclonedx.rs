//! CycloneDX `vulnerabilities` with their `analysis` (CycloneDX 1.4 to 1.7, "Vulnerability Exploitability").

use super::{Product, Statement, Status, VexError, seconds};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

#[derive(Deserialize)]
struct Document {
    metadata: Option<Metadata>,
    #[serde(default)]
    components: Option<Vec<Part>>,
    #[serde(default)]
    vulnerabilities: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Metadata {
    timestamp: Option<String>,
    component: Option<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "bom-ref")]
    reference: Option<String>,
    purl: Option<String>,
    #[serde(default)]
    components: Option<Vec<Part>>,
}

#[derive(Deserialize)]
struct Entry {
    id: Option<String>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
    updated: Option<String>,
    analysis: Option<Analysis>,
    #[serde(default)]
    affects: Option<Vec<Affects>>,
}

#[derive(Deserialize)]
struct Reference {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Analysis {
    state: Option<String>,
    justification: Option<String>,
    detail: Option<String>,
    #[serde(rename = "lastUpdated")]
    last_updated: Option<String>,
    #[serde(rename = "firstIssued")]
    first_issued: Option<String>,
}

#[derive(Deserialize)]
struct Affects {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(default)]
    versions: Option<Vec<VersionEntry>>,
}

#[derive(Deserialize)]
struct VersionEntry {
    version: Option<String>,
    status: Option<String>,
}

/// References of the document's own components with their purls: a VEX document apart from its SBOM often carries both.
fn purls(parts: &[Part], found: &mut HashMap<String, String>) {
    for part in parts {
        if let (Some(reference), Some(purl)) = (&part.reference, &part.purl) {
            found.insert(reference.clone(), purl.clone());
        }
        purls(part.components.as_deref().unwrap_or_default(), found);
    }
}

pub fn read(document: Value) -> Result<Vec<Statement>, VexError> {
    let document: Document = serde_json::from_value(document).map_err(|why| VexError::Shape(why.to_string()))?;
    let mut known = HashMap::new();
    purls(document.components.as_deref().unwrap_or_default(), &mut known);
    let issued = document.metadata.as_ref().and_then(|metadata| metadata.timestamp.as_deref());
    if let Some(root) = document.metadata.as_ref().and_then(|metadata| metadata.component.as_ref()) {
        purls(std::slice::from_ref(root), &mut known);
    }
    let mut statements = Vec::new();
    for entry in document.vulnerabilities.unwrap_or_default() {
        let Some(analysis) = entry.analysis else { continue };
        let ids: Vec<String> = entry.id.into_iter().chain(entry.references.into_iter().flatten().filter_map(|one| one.id)).collect();
        let Some(state) = analysis.state.as_deref() else { continue };
        let status = match state {
            "not_affected" | "false_positive" => Status::NotAffected,
            "resolved" | "resolved_with_pedigree" => Status::Fixed,
            "exploitable" => Status::Affected,
            "in_triage" => Status::UnderInvestigation,
            other => {
                let what = format!("analysis of {}", ids.join(", "));
                return Err(VexError::Statement { what, why: format!("state {other:?} is none of CycloneDX's") });
            }
        };
        let justification = match state {
            // That it was found wrongly is a reason of its own.
            "false_positive" => Some(analysis.detail.unwrap_or_else(|| "false_positive".to_owned())),
            _ => analysis.justification,
        };
        let products = entry
            .affects
            .into_iter()
            .flatten()
            .map(|affects| {
                let own = affects.reference.strip_prefix("urn:cdx:").and_then(|link| link.split_once('#')).map(|(_, own)| own);
                let purl = known.get(own.unwrap_or(&affects.reference)).cloned();
                // Versions said to be affected are not what "not affected" is about.
                let versions = affects.versions.into_iter().flatten().filter(|entry| entry.status.as_deref() != Some("affected"));
                Product {
                    names: std::iter::once(affects.reference).chain(purl).collect(),
                    parts: Vec::new(),
                    versions: versions.filter_map(|entry| entry.version).collect(),
                }
            })
            .collect();
        let times = [analysis.last_updated.as_deref(), analysis.first_issued.as_deref(), entry.updated.as_deref(), issued];
        let time = times.into_iter().flatten().next().map(seconds).transpose()?.unwrap_or(i64::MIN);
        statements.push(Statement { ids, status, justification, products, time, author: None });
    }
    Ok(statements)
}
