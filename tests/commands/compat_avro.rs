//! `compat avro`.

use holdpoint_testkit::command_line::{CommandLine, Output};
use holdpoint_testkit::process::folder;
use std::path::Path;

fn put(root: &Path, name: &str, fields: &str) {
    let text = format!("{{\"type\": \"record\", \"name\": \"Order\", \"namespace\": \"shop\", \"fields\": [\n{fields}\n]}}\n");
    std::fs::write(root.join(name), text).expect("a file");
}

fn avro(root: &Path, args: &[&str]) -> Output {
    CommandLine::new(root).run([&["--json", "compat", "avro"], args].concat())
}

const ID: &str = "{\"name\": \"id\", \"type\": \"string\"}";

#[test]
fn a_field_without_a_default_breaks_readers_of_the_past_alone() {
    let folder = folder();
    put(folder.path(), "old.avsc", ID);
    put(folder.path(), "new.avsc", &format!("{ID},\n{{\"name\": \"note\", \"type\": \"string\"}}"));
    let said = avro(folder.path(), &["old.avsc", "new.avsc", "--mode", "backward"]).code(1).json();
    let found = &said["findings"][0];
    assert_eq!(
        (said["verdict"].as_str(), found["rule"].as_str()),
        (Some("breaking"), Some("reader-field-missing-default-value")),
        "{said:#}"
    );
    assert_eq!(
        (found["file"].as_str(), found["line"].as_u64(), found["path"].as_str()),
        (Some("new.avsc"), Some(3), Some("shop.Order.note"))
    );
    assert_eq!((found["against"].as_str(), found["way"].as_str()), (Some("old.avsc"), Some("backward")), "{said:#}");
    assert_eq!(avro(folder.path(), &["old.avsc", "new.avsc", "--mode", "forward"]).code(0).json()["verdict"], "compatible");
    let full = avro(folder.path(), &["old.avsc", "new.avsc", "--mode", "full"]).code(1).json();
    let ways: Vec<_> =
        full["against"].as_array().expect("a list").iter().map(|one| (one["way"].as_str(), one["verdict"].as_str())).collect();
    assert_eq!(ways, [(Some("backward"), Some("breaking")), (Some("forward"), Some("compatible"))]);
}

#[test]
fn one_pair() {
    let folder = folder();
    put(folder.path(), "wide.avsc", "{\"name\": \"cents\", \"type\": \"long\"}");
    put(folder.path(), "narrow.avsc", "{\"name\": \"cents\", \"type\": \"int\"}");
    assert_eq!(avro(folder.path(), &["--reader", "wide.avsc", "--writer", "narrow.avsc"]).code(0).json()["verdict"], "compatible");
    let said = avro(folder.path(), &["--reader", "narrow.avsc", "--writer", "wide.avsc"]).code(1).json();
    assert_eq!((said["mode"].as_str(), said["findings"][0]["rule"].as_str()), (Some("pair"), Some("type-mismatch")), "{said:#}");
}

#[test]
fn without_transitive_the_last_base_counts_and_what_runs_counts_always() {
    let folder = folder();
    put(folder.path(), "v1.avsc", "{\"name\": \"cents\", \"type\": \"string\"}");
    put(folder.path(), "v2.avsc", ID);
    put(folder.path(), "v3.avsc", &format!("{ID},\n{{\"name\": \"cents\", \"type\": \"long\", \"default\": 0}}"));
    assert_eq!(avro(folder.path(), &["v1.avsc", "v2.avsc", "v3.avsc"]).code(0).json()["against"].as_array().map(Vec::len), Some(1));
    for args in [["v1.avsc", "v2.avsc", "v3.avsc", "--transitive"], ["v2.avsc", "v3.avsc", "--against", "v1.avsc"]] {
        let said = avro(folder.path(), &args).code(1).json();
        assert!(
            said["findings"].as_array().is_some_and(|all| !all.is_empty() && all.iter().all(|one| one["against"] == "v1.avsc")),
            "{said:#}"
        );
    }
}

#[test]
fn what_is_no_schema_is_no_verdict() {
    let folder = folder();
    put(folder.path(), "old.avsc", ID);
    put(folder.path(), "new.avsc", "{\"name\": \"id\", \"type\": \"strin\"}");
    let ran = avro(folder.path(), &["old.avsc", "new.avsc"]).code(2);
    assert!(ran.stderr.contains("new.avsc:2: /fields/0/type: the type \"shop.strin\" is not defined"), "{}", ran.stderr);
    assert!(avro(folder.path(), &["old.avsc"]).code(2).stderr.contains("expected BASE and REVISION"));
    assert_eq!(avro(folder.path(), &["old.avsc", "old.avsc", "--reader", "old.avsc"]).code, 2);
}
