//! `compat json-schema`.

use holdpoint_testkit::command_line::CommandLine;
use holdpoint_testkit::process::folder;
use serde_json::json;
use std::path::Path;

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file");
}

#[test]
fn a_witness_shows_what_breaks_in_each_mode() {
    let folder = folder();
    write(folder.path(), "old.json", r#"{"type": "object", "properties": {"age": {"type": "number"}}, "additionalProperties": false}"#);
    write(
        folder.path(),
        "new.json",
        "{\"type\": \"object\",\n \"properties\": {\n  \"age\": {\"type\": \"integer\"},\n  \"name\": {\"type\": \"string\"}},\n \"additionalProperties\": false}",
    );
    let run =
        |args: &[&str]| CommandLine::new(folder.path()).run([&["--json", "compat", "json-schema", "old.json", "new.json"], args].concat());
    let said = run(&[]).code(1).json();
    assert_eq!(
        (said["verdict"].as_str(), said["mode"].as_str(), said["findings"].as_array().map(Vec::len)),
        (Some("breaking"), Some("backward"), Some(1))
    );
    let finding = &said["findings"][0];
    assert_eq!(
        (finding["rule"].as_str(), finding["file"].as_str(), finding["line"].as_u64()),
        (Some("refused-by-type"), Some("new.json"), Some(3))
    );
    assert_eq!((finding["path"].as_str(), finding["instance"].as_str()), (Some("#/properties/age/type"), Some("/age")));
    let age = finding["witness"]["age"].as_f64().expect("a number");
    assert!(age.fract() != 0.0, "{finding:#}");
    let said = run(&["--mode", "forward"]).code(1).json();
    assert_eq!(said["findings"][0]["rule"], "refused-by-additional-properties");
    assert_eq!(
        said["findings"][0]["witness"].as_object().map(|witness| witness.keys().cloned().collect::<Vec<_>>()),
        Some(vec!["name".to_owned()])
    );
    let said = run(&["--mode", "full", "--sarif", "out.sarif"]).code(1).json();
    assert_eq!(said["findings"].as_array().map(Vec::len), Some(2));
    assert!(std::fs::read_to_string(folder.path().join("out.sarif")).expect("SARIF").contains("refused-by-type"));
    let same = CommandLine::new(folder.path()).run(["compat", "json-schema", "old.json", "old.json", "--mode", "full"]).code(0).stdout;
    assert_eq!(same.trim(), "✓ compatible");
}

#[test]
fn unknown_blocks_unless_it_is_let_pass() {
    let folder = folder();
    write(folder.path(), "old.yaml", "type: string\npattern: ^(?!a)b\n");
    write(folder.path(), "new.yaml", "type: string\npattern: ^(?!c)b\n");
    let run =
        |args: &[&str]| CommandLine::new(folder.path()).run([&["--json", "compat", "json-schema", "old.yaml", "new.yaml"], args].concat());
    let said = run(&[]).code(1).json();
    assert_eq!((said["verdict"].as_str(), said["findings"][0]["rule"].as_str()), (Some("unknown"), Some("undecided-pattern")));
    assert_eq!(run(&["--allow-unknown"]).code(0).json()["verdict"], "unknown");
}

#[test]
fn references_are_followed_into_given_files_and_drafts_are_asked_for() {
    let folder = folder();
    write(folder.path(), "old.json", r#"{"$ref": "https://example.org/address"}"#);
    write(folder.path(), "new.json", r#"{"type": "object", "required": ["street"]}"#);
    write(folder.path(), "address.json", r#"{"type": "object", "required": ["street", "town"]}"#);
    let run =
        |args: &[&str]| CommandLine::new(folder.path()).run([&["--json", "compat", "json-schema", "old.json", "new.json"], args].concat());
    let said = run(&[]).code(2).stderr;
    assert!(said.contains("old.json:1") && said.contains("https://example.org/address"), "{said}");
    let given = ["--base-resource", "https://example.org/address=address.json"];
    assert_eq!(run(&given).code(0).json()["verdict"], "compatible");
    write(folder.path(), "old.json", r#"{"minimum": 1, "exclusiveMinimum": true}"#);
    write(folder.path(), "new.json", r#"{"minimum": 1}"#);
    let said = run(&[]).code(2).stderr;
    assert!(said.contains("draft 4"), "{said}");
    assert_eq!(run(&["--draft", "4"]).code(0).json(), json!({"verdict": "compatible", "findings": [], "mode": "backward"}));
}
