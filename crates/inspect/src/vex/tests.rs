//! Statements in each format against one product with two components.

use super::{Statement, Status, VexError, holding, read};
use crate::advisories::inventory::Inventory;
use crate::sbom::component::{Component, Ecosystem};
use serde_json::{Value, json};

fn inventory() -> Inventory {
    let mut lodash = Component::new(Ecosystem::Npm, "lodash", Some("4.17.20"));
    lodash.reference = "ref-lodash".to_owned();
    let components = vec![lodash, Component::new(Ecosystem::Npm, "minimist", Some("1.2.0"))];
    Inventory { components, product: vec!["pkg:oci/shop@sha256%3A12".to_owned()] }
}

fn statements(document: Value) -> Vec<Statement> {
    read(document.to_string().as_bytes()).unwrap()
}

/// What holds for CVE-1 in component `at`: (status, suppressed).
fn holds(document: Value, at: usize) -> Option<(Status, bool)> {
    let inventory = inventory();
    let statements = statements(document);
    let ids = ["GHSA-1".to_owned(), "CVE-1".to_owned()];
    holding(&statements, &ids, &inventory.components[at], &inventory).map(|statement| (statement.status, statement.suppresses()))
}

fn openvex(statements: Value) -> Value {
    json!({"@context": "https://openvex.dev/ns/v0.2.0", "@id": "x", "author": "grace", "timestamp": "2024-01-01T00:00:00Z", "version": 1,
           "statements": statements})
}

#[test]
fn openvex_by_purl_and_by_part() {
    let one = |products: Value, status: &str, justification: Value| {
        let mut statement = json!({"vulnerability": {"name": "CVE-1"}, "products": products, "status": status});
        if !justification.is_null() {
            statement["justification"] = justification;
        }
        openvex(json!([statement]))
    };
    let why = json!("vulnerable_code_not_in_execute_path");
    let lodash = json!([{"@id": "pkg:npm/lodash@4.17.20"}]);
    assert_eq!(holds(one(lodash.clone(), "not_affected", why.clone()), 0), Some((Status::NotAffected, true)));
    assert_eq!(holds(one(lodash.clone(), "not_affected", why.clone()), 1), None);
    assert_eq!(holds(one(lodash.clone(), "not_affected", Value::Null), 0), Some((Status::NotAffected, false)));
    assert_eq!(holds(one(lodash.clone(), "fixed", Value::Null), 0), Some((Status::Fixed, true)));
    assert_eq!(holds(one(lodash.clone(), "affected", Value::Null), 0), Some((Status::Affected, false)));
    assert_eq!(holds(one(lodash, "under_investigation", Value::Null), 0), Some((Status::UnderInvestigation, false)));
    // Any version; another version; the product; a part of the product; a part of another product.
    assert_eq!(holds(one(json!([{"@id": "pkg:npm/lodash"}]), "fixed", Value::Null), 0), Some((Status::Fixed, true)));
    assert_eq!(holds(one(json!([{"@id": "pkg:npm/lodash@4.17.21"}]), "fixed", Value::Null), 0), None);
    assert_eq!(holds(one(json!([{"@id": "pkg:oci/shop"}]), "fixed", Value::Null), 1), Some((Status::Fixed, true)));
    let part = |product: &str| json!([{"@id": product, "subcomponents": [{"@id": "pkg:npm/lodash"}]}]);
    assert_eq!(holds(one(part("pkg:oci/shop"), "fixed", Value::Null), 0), Some((Status::Fixed, true)));
    assert_eq!(holds(one(part("pkg:oci/shop"), "fixed", Value::Null), 1), None);
    assert_eq!(holds(one(part("pkg:oci/other"), "fixed", Value::Null), 0), None);
}

#[test]
fn the_newest_statement_holds() {
    let at = |time: &str, status: &str| json!({"vulnerability": "CVE-1", "timestamp": time, "products": ["pkg:npm/lodash"], "status": status, "impact_statement": "not used"});
    let newer = openvex(json!([at("2024-02-02T00:00:00Z", "affected"), at("2024-02-01T00:00:00Z", "not_affected")]));
    assert_eq!(holds(newer, 0), Some((Status::Affected, false)));
    let older = openvex(json!([at("2024-02-02T00:00:00Z", "not_affected"), at("2024-02-01T00:00:00Z", "affected")]));
    assert_eq!(holds(older, 0), Some((Status::NotAffected, true)));
}

#[test]
fn cyclonedx_by_reference_or_own_purl() {
    let one = |analysis: Value, affects: Value| {
        json!({"bomFormat": "CycloneDX", "specVersion": "1.6",
               "components": [{"name": "m", "bom-ref": "mm", "purl": "pkg:npm/minimist@1.2.0"}],
               "vulnerabilities": [{"id": "CVE-1", "analysis": analysis, "affects": affects}]})
    };
    let not_affected = json!({"state": "not_affected", "justification": "code_not_reachable"});
    assert_eq!(holds(one(not_affected.clone(), json!([{"ref": "ref-lodash"}])), 0), Some((Status::NotAffected, true)));
    let link = json!([{"ref": "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#ref-lodash"}]);
    assert_eq!(holds(one(not_affected.clone(), link), 0), Some((Status::NotAffected, true)));
    assert_eq!(holds(one(not_affected.clone(), json!([{"ref": "mm"}])), 1), Some((Status::NotAffected, true)));
    assert_eq!(holds(one(not_affected.clone(), json!([{"ref": "mm"}])), 0), None);
    let versions = |version: &str| json!([{"ref": "ref-lodash", "versions": [{"version": version, "status": "unaffected"}]}]);
    assert_eq!(holds(one(not_affected.clone(), versions("4.17.20")), 0), Some((Status::NotAffected, true)));
    assert_eq!(holds(one(not_affected, versions("4.17.0")), 0), None);
    for (state, wanted) in [
        ("not_affected", (Status::NotAffected, false)),
        ("false_positive", (Status::NotAffected, true)),
        ("resolved", (Status::Fixed, true)),
        ("resolved_with_pedigree", (Status::Fixed, true)),
        ("exploitable", (Status::Affected, false)),
        ("in_triage", (Status::UnderInvestigation, false)),
    ] {
        assert_eq!(holds(one(json!({"state": state}), json!([{"ref": "ref-lodash"}])), 0), Some(wanted), "{state}");
    }
}

#[test]
fn csaf_by_product_tree() {
    let one = |status: &str, flags: Value| {
        json!({"document": {"csaf_version": "2.0", "tracking": {"current_release_date": "2024-01-01T00:00:00Z"}, "publisher": {"name": "mary"}},
               "product_tree": {
                   "branches": [{"branches": [{"product": {"product_id": "SHOP", "product_identification_helper": {"purl": "pkg:oci/shop"}}}]}],
                   "full_product_names": [{"product_id": "LODASH", "product_identification_helper": {"purl": "pkg:npm/lodash@4.17.20"}}],
                   "relationships": [{"product_reference": "LODASH", "relates_to_product_reference": "SHOP", "category": "default_component_of",
                                      "full_product_name": {"product_id": "SHOP:LODASH"}}]},
               "vulnerabilities": [{"cve": "CVE-1", "product_status": {status: ["SHOP:LODASH"]}, "flags": flags}]})
    };
    let flag = json!([{"label": "vulnerable_code_not_present", "product_ids": ["SHOP:LODASH"]}]);
    assert_eq!(holds(one("known_not_affected", flag.clone()), 0), Some((Status::NotAffected, true)));
    assert_eq!(holds(one("known_not_affected", flag), 1), None);
    assert_eq!(holds(one("known_not_affected", json!([])), 0), Some((Status::NotAffected, false)));
    assert_eq!(holds(one("fixed", json!([])), 0), Some((Status::Fixed, true)));
    assert_eq!(holds(one("known_affected", json!([])), 0), Some((Status::Affected, false)));
}

#[test]
fn what_is_no_statement() {
    let why = |document: Value| read(document.to_string().as_bytes()).unwrap_err();
    assert!(matches!(why(json!({})), VexError::Shape(_)));
    let statement = |member: &str, value: Value| {
        let mut statement = json!({"vulnerability": "CVE-1", "products": ["pkg:npm/lodash"], "status": "fixed"});
        statement[member] = value;
        openvex(json!([statement]))
    };
    for (member, value) in
        [("status", json!("ok")), ("justification", json!("trust me")), ("products", json!([])), ("timestamp", json!("now"))]
    {
        assert!(matches!(why(statement(member, value)), VexError::Statement { .. }), "{member}");
    }
    assert!(matches!(read(b"\xff"), Err(VexError::Shape(_))));
    assert!(matches!(read("[".repeat(100_000).as_bytes()), Err(VexError::Shape(_))));
}
