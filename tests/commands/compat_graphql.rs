//! `compat graphql`.

use holdpoint_testkit::command_line::CommandLine;
use holdpoint_testkit::process::folder;
use serde_json::json;
use std::path::Path;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

#[test]
fn breaking_risky_and_compatible_with_their_places() {
    let folder = folder();
    write(folder.path(), "old.graphql", "type Query {\n  user: User\n}\ntype User {\n  id: ID!\n  mail: String\n}\nenum Role { ADMIN }\n");
    write(folder.path(), "new.graphql", "type Query {\n  user: User\n}\ntype User {\n  id: ID!\n}\nenum Role { ADMIN, GUEST }\n");
    let run = |args: &[&str]| CommandLine::new(folder.path()).run([&["--json", "compat", "graphql"], args].concat());
    let said = run(&["old.graphql", "new.graphql", "--html", "out.html"]).code(1).json();
    assert_eq!(said["verdict"], "breaking");
    let told: Vec<_> = said["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| (one["rule"].as_str(), one["path"].as_str(), one["line"].as_u64()))
        .collect();
    assert_eq!(told, [(Some("field-removed"), Some("User.mail"), Some(4)), (Some("value-added-to-enum"), Some("Role.GUEST"), Some(7))]);
    assert!(std::fs::read_to_string(folder.path().join("out.html")).expect("a page").contains("field-removed"));
    write(folder.path(), "new.graphql", "type Query { user: User } type User { id: ID! mail: String } enum Role { ADMIN GUEST }");
    assert_eq!(run(&["old.graphql", "new.graphql"]).code(0).json()["verdict"], "risky");
    assert_eq!(run(&["old.graphql", "old.graphql"]).code(0).json(), json!({"verdict": "compatible", "findings": []}));
    write(folder.path(), "new.graphql", "type Query {\n  user: Nobody\n}");
    let said = run(&["old.graphql", "new.graphql"]).code(2).stderr;
    assert!(said.contains("new.graphql:2") && said.contains("Nobody"), "{said}");
}

#[test]
fn a_folder_is_one_schema_and_usage_names_who_is_hit() {
    let folder = folder();
    write(folder.path(), "old/query.graphql", "type Query { user: User }");
    write(folder.path(), "old/types/user.graphqls", "type User { id: ID! mail: String phone: String }");
    write(folder.path(), "new/all.gql", "type Query { user: User } type User { id: ID! }");
    write(folder.path(), "app.graphql", "query Profile { user { ...card } } fragment card on User { mail }");
    write(folder.path(), "seen.jsonl", "{\"query\": \"{ user { mail } }\", \"consumer\": \"web\", \"time\": \"2026-11-24T00:00:00Z\"}\n");
    let run = CommandLine::new(folder.path()).run([
        "--json",
        "compat",
        "graphql",
        "old",
        "new",
        "--usage",
        "app.graphql",
        "--usage",
        "seen.jsonl",
    ]);
    let said = run.code(1).json();
    let used = |path: &str| {
        let findings = said["findings"].as_array().into_iter().flatten();
        findings.filter(|one| one["path"] == path).map(|one| one["used_by"].clone()).next().unwrap_or_default()
    };
    assert_eq!(used("User.mail"), json!(["Profile (app.graphql:1)", "web: query"]));
    assert_eq!(used("User.phone"), json!([]));
    assert_eq!(said["observation"]["operations"], 2);
    write(folder.path(), "twice/a.graphql", "type Query { a: ID }");
    write(folder.path(), "twice/b.graphql", "type Query { b: ID }");
    let refused = CommandLine::new(folder.path()).run(["compat", "graphql", "old", "twice"]).code(2);
    assert!(refused.stderr.contains("Query"), "{}", refused.stderr);
}
