//! `compat protobuf`.

use holdpoint_testkit::command_line::{CommandLine, Output};
use holdpoint_testkit::process::folder;
use std::path::Path;

const HEAD: &str = "syntax = \"proto3\";\npackage shop.v1;\n";

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, format!("{HEAD}{text}")).expect("a file");
}

fn compare(root: &Path, args: &[&str]) -> Output {
    CommandLine::new(root).run([&["--json", "compat", "protobuf"], args].concat())
}

#[test]
fn a_deleted_field_breaks_by_level() {
    let folder = folder();
    put(folder.path(), "old/shop/order.proto", "message Order {\n  string id = 1;\n  string note = 3;\n}\n");
    put(folder.path(), "new/shop/order.proto", "message Order {\n  string id = 1;\n  reserved 3;\n}\n");
    let said = compare(folder.path(), &["old", "new"]).code(1).json();
    assert_eq!(
        (said["verdict"].as_str(), said["level"].as_str(), said["files"].as_u64()),
        (Some("breaking"), Some("source"), Some(1)),
        "{said:#}"
    );
    let found = &said["findings"][0];
    assert_eq!((found["rule"].as_str(), found["severity"].as_str()), (Some("field-no-delete"), Some("breaking")), "{said:#}");
    assert_eq!((found["file"].as_str(), found["line"].as_u64()), (Some("new/shop/order.proto"), Some(3)), "{said:#}");
    assert_eq!((found["path"].as_str(), found["fix"].as_str()), (Some("shop.v1.Order.note"), Some("reserve 3 and \"note\"")), "{said:#}");
    assert_eq!((found["base_file"].as_str(), found["base_line"].as_u64()), (Some("old/shop/order.proto"), Some(5)), "{said:#}");
    let json = compare(folder.path(), &["old", "new", "--level", "wire-json"]).code(1).json();
    assert_eq!(json["findings"][0]["rule"], "field-no-delete-unless-name-reserved", "{json:#}");
    assert_eq!(compare(folder.path(), &["old", "new", "--level", "wire"]).code(0).json()["verdict"], "compatible");
}

#[test]
fn what_is_risky_does_not_block() {
    let folder = folder();
    put(folder.path(), "old/a.proto", "message Order { int32 cents = 1; }\n");
    put(folder.path(), "new/a.proto", "message Order { int64 cents = 1; }\n");
    let said = compare(folder.path(), &["old", "new", "--level", "wire"]).code(0).json();
    assert_eq!((said["verdict"].as_str(), said["findings"][0]["rule"].as_str()), (Some("risky"), Some("field-same-range")), "{said:#}");
}

#[test]
fn every_version_that_may_come_back_is_a_base() {
    let folder = folder();
    put(folder.path(), "v1/a.proto", "message Order { string id = 1; string old = 2; }\n");
    put(folder.path(), "v2/a.proto", "message Order { string id = 1; string note = 3; }\n");
    put(folder.path(), "v3/a.proto", "message Order { string id = 1; bool note = 3; }\n");
    assert_eq!(compare(folder.path(), &["v2", "v2"]).code(0).json()["verdict"], "compatible");
    let said = compare(folder.path(), &["v2", "v3", "--against", "v1", "--level", "wire"]).code(1).json();
    let found: Vec<(&str, &str)> = said["findings"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["path"].as_str().unwrap_or_default(), one["against"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(found, [("shop.v1.Order.note", "v2"), ("shop.v1.Order.old", "v1")], "{said:#}");
    let bases: Vec<_> =
        said["against"].as_array().expect("a list").iter().map(|one| (one["base"].as_str(), one["verdict"].as_str())).collect();
    assert_eq!(bases, [(Some("v2"), Some("breaking")), (Some("v1"), Some("breaking"))]);
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    let folder = folder();
    put(folder.path(), "old/a.proto", "message Order { string id = 1; }\n");
    put(folder.path(), "new/a.proto", "message Order {\n  string id = ;\n}\n");
    let ran = compare(folder.path(), &["old", "new"]).code(2);
    assert!(ran.stderr.contains("new/a.proto:4: expected the number of a field, found ';'"), "{}", ran.stderr);
    std::fs::create_dir(folder.path().join("empty")).expect("a folder");
    assert!(compare(folder.path(), &["empty", "old"]).code(2).stderr.contains("empty: expected .proto files below it"));
    assert!(compare(folder.path(), &["missing", "old"]).code(2).stderr.contains("missing"));
}

#[test]
fn the_same_findings_for_people_and_for_code_scanning() {
    let folder = folder();
    put(folder.path(), "old/a.proto", "message Order { string id = 1; }\n");
    put(folder.path(), "new/a.proto", "message Order { bytes id = 1; }\n");
    let ran = CommandLine::new(folder.path()).run(["compat", "protobuf", "old", "new", "--sarif", "out.sarif"]).code(1);
    assert!(ran.stdout.contains("breaking field-same-type  new/a.proto:3 shop.v1.Order.id"), "{}", ran.stdout);
    assert!(ran.stdout.contains("✗ breaking, one finding"), "{}", ran.stdout);
    let sarif = std::fs::read_to_string(folder.path().join("out.sarif")).expect("a report");
    assert!(sarif.contains("field-same-type") && sarif.contains("new/a.proto"), "{sarif}");
}
