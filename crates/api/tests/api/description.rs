//! The OpenAPI document: golden, and the same as what the router serves.

use std::path::Path;

/// The description in the repository is the one that the types give. `HOLDPOINT_BLESS=1` writes it anew.
#[test]
fn the_description_is_the_one_in_the_repository() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let mut text = serde_json::to_string_pretty(&holdpoint_api::openapi()).expect("JSON");
    text.push('\n');
    if std::env::var_os("HOLDPOINT_BLESS").is_some() {
        std::fs::write(&golden, &text).expect("written");
    }
    let known = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(known == text, "crates/api/openapi.json is not what the types give; HOLDPOINT_BLESS=1 writes it anew");
}
