//! CSAF 2.0, profile VEX (OASIS "Common Security Advisory Framework 2.0", sections 3.2 and 4.5).

use super::{Product, Statement, Status, VexError, seconds};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

#[derive(Deserialize)]
struct Csaf {
    document: Document,
    #[serde(default)]
    product_tree: Tree,
    #[serde(default)]
    vulnerabilities: Vec<Entry>,
}

#[derive(Deserialize)]
struct Document {
    tracking: Tracking,
    publisher: Option<Publisher>,
}

#[derive(Deserialize)]
struct Tracking {
    current_release_date: String,
}

#[derive(Deserialize)]
struct Publisher {
    name: Option<String>,
}

#[derive(Deserialize, Default)]
struct Tree {
    #[serde(default)]
    branches: Vec<Branch>,
    #[serde(default)]
    full_product_names: Vec<FullName>,
    #[serde(default)]
    relationships: Vec<Relationship>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default)]
    branches: Vec<Branch>,
    product: Option<FullName>,
}

#[derive(Deserialize)]
struct FullName {
    product_id: String,
    product_identification_helper: Option<Identification>,
}

#[derive(Deserialize)]
struct Identification {
    purl: Option<String>,
}

#[derive(Deserialize)]
struct Relationship {
    product_reference: String,
    relates_to_product_reference: String,
    full_product_name: FullName,
}

#[derive(Deserialize)]
struct Entry {
    cve: Option<String>,
    #[serde(default)]
    ids: Vec<Id>,
    #[serde(default)]
    product_status: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    flags: Vec<Flag>,
    #[serde(default)]
    threats: Vec<Threat>,
}

#[derive(Deserialize)]
struct Id {
    text: String,
}

#[derive(Deserialize)]
struct Flag {
    label: String,
    #[serde(default)]
    product_ids: Vec<String>,
}

#[derive(Deserialize)]
struct Threat {
    category: String,
    details: String,
    #[serde(default)]
    product_ids: Vec<String>,
}

/// Product id -> what it is: a product alone, or a part of one.
fn products(tree: &Tree) -> HashMap<String, Product> {
    fn name(found: &mut HashMap<String, Product>, full: &FullName) {
        let purl = full.product_identification_helper.as_ref().and_then(|helper| helper.purl.clone());
        let names = std::iter::once(full.product_id.clone()).chain(purl).collect();
        found.insert(full.product_id.clone(), Product { names, ..Product::default() });
    }
    fn walk(found: &mut HashMap<String, Product>, branches: &[Branch]) {
        for branch in branches {
            branch.product.iter().for_each(|full| name(found, full));
            walk(found, &branch.branches);
        }
    }
    let mut found = HashMap::new();
    walk(&mut found, &tree.branches);
    tree.full_product_names.iter().for_each(|full| name(&mut found, full));
    for relationship in &tree.relationships {
        let names = |id: &str| found.get(id).map(|product| product.names.clone()).unwrap_or_default();
        // "A component of B": the finding is about the component.
        let (parts, whole) = (names(&relationship.product_reference), names(&relationship.relates_to_product_reference));
        let whole = if whole.is_empty() { vec![relationship.relates_to_product_reference.clone()] } else { whole };
        let id = relationship.full_product_name.product_id.clone();
        found.insert(id, Product { names: whole, parts, versions: Vec::new() });
    }
    found
}

pub fn read(document: Value) -> Result<Vec<Statement>, VexError> {
    let csaf: Csaf = serde_json::from_value(document).map_err(|why| VexError::Shape(why.to_string()))?;
    let time = seconds(&csaf.document.tracking.current_release_date)?;
    let author = csaf.document.publisher.and_then(|publisher| publisher.name);
    let known = products(&csaf.product_tree);
    let mut statements = Vec::new();
    for entry in csaf.vulnerabilities {
        let ids: Vec<String> = entry.cve.into_iter().chain(entry.ids.into_iter().map(|id| id.text)).collect();
        for (word, product_ids) in &entry.product_status {
            let status = match word.as_str() {
                "known_not_affected" => Status::NotAffected,
                "fixed" | "first_fixed" => Status::Fixed,
                "known_affected" | "first_affected" | "last_affected" => Status::Affected,
                "under_investigation" => Status::UnderInvestigation,
                _ => continue,
            };
            for product_id in product_ids {
                let Some(product) = known.get(product_id) else {
                    let what = format!("vulnerability {}", ids.join(", "));
                    return Err(VexError::Statement { what, why: format!("product {product_id:?} is not in the product tree") });
                };
                // The reason is a flag, or the description of the impact.
                let flag = entry.flags.iter().find(|flag| flag.product_ids.contains(product_id)).map(|flag| flag.label.clone());
                let impact = entry.threats.iter().find(|threat| threat.category == "impact" && threat.product_ids.contains(product_id));
                let justification = flag.or_else(|| impact.map(|threat| threat.details.clone()));
                let (ids, author) = (ids.clone(), author.clone());
                statements.push(Statement { ids, status, justification, products: vec![product.clone()], time, author });
            }
        }
    }
    Ok(statements)
}
