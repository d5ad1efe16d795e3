//! External cases, judged by the commands as a user would run them. `make conformance` with HOLDPOINT_CORPORA=DIR, where
//! DIR/NAME/cases.json lists inputs and the verdicts that count as right. Names the cases that differ; each test says how
//! many may.

use holdpoint_testkit::command_line::CommandLine;
use serde_json::Value;
use std::path::PathBuf;

/// The cases of a corpus; `None`, said aloud, where it is not at hand.
fn corpus(name: &str) -> Option<(PathBuf, Vec<Value>)> {
    let Some(folder) = std::env::var_os("HOLDPOINT_CORPORA") else {
        eprintln!("skipped, without HOLDPOINT_CORPORA: {name}");
        return None;
    };
    let folder = PathBuf::from(folder).join(name);
    let text = std::fs::read_to_string(folder.join("cases.json")).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let cases: Vec<Value> = serde_json::from_str(&text).expect("a list of cases");
    assert!(!cases.is_empty(), "{name} has no cases");
    Some((folder, cases))
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} is missing: {case}"))
}

/// Runs every case; `right` says whether the command's result is. At most `differ` cases may differ.
fn agree(name: &str, differ: usize, args: impl Fn(&Value) -> Vec<String>, right: impl Fn(&Value, &Value, i32) -> bool) {
    let Some((folder, cases)) = corpus(name) else { return };
    let command = CommandLine::new(&folder);
    let mut odd = Vec::new();
    for case in &cases {
        let ran = command.run([vec!["--json".to_owned()], args(case)].concat());
        let said: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        if !right(case, &said, ran.code) {
            odd.push(format!("{}: expected {}, ended with {} and {}", text(case, "id"), case["expect"], ran.code, said["verdict"]));
        }
    }
    println!("{name}: {} of {} agree", cases.len() - odd.len(), cases.len());
    odd.iter().for_each(|one| println!("  {one}"));
    assert!(odd.len() <= differ, "{name}: {} of {} differ:\n{}", odd.len(), cases.len(), odd.join("\n"));
}

/// The verdict is among the expected ones; input that cannot be read counts as `unreadable`, where that is one of them.
fn verdict(case: &Value, said: &Value, code: i32, unreadable: &str) -> bool {
    let word = if code == 2 { unreadable } else { said["verdict"].as_str().unwrap_or_default() };
    case["expect"].as_array().is_some_and(|expected| expected.iter().any(|one| one == word))
}

fn words(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|&part| part.to_owned()).collect()
}

#[test]
#[ignore = "make conformance"]
fn conformance_rrule() {
    let limit = |case: &Value| case["expect"].as_array().map_or(0, Vec::len) + usize::from(case["finite"] == true);
    agree(
        "rrule",
        0,
        |case| {
            words(&[
                "calendar",
                "expand",
                "--rule",
                text(case, "rule"),
                "--start",
                text(case, "start"),
                "--limit",
                &limit(case).to_string(),
            ])
        },
        |case, said, _| said["occurrences"] == case["expect"],
    );
}

#[test]
#[ignore = "make conformance"]
fn conformance_junit() {
    agree(
        "junit",
        0,
        |case| words(&["test", "import", text(case, "file")]),
        |case, said, code| {
            let totals = case["totals"].as_array();
            let same =
                |wanted: &Value| wanted.as_object().is_some_and(|wanted| wanted.iter().all(|(key, value)| said["totals"][key] == *value));
            verdict(case, said, code, "invalid input") && totals.is_none_or(|all| all.is_empty() || all.iter().any(same))
        },
    );
}

#[test]
#[ignore = "make conformance"]
fn conformance_cyclonedx() {
    agree("cyclonedx", 0, |case| words(&["sbom", "validate", text(case, "file")]), |case, said, code| verdict(case, said, code, "invalid"));
}

#[test]
#[ignore = "make conformance"]
fn conformance_sql() {
    let args = |case: &Value| {
        let mut args = words(&["migration", "check", "--postgres", text(case, "postgres")]);
        args.extend(case["files"].as_array().into_iter().flatten().filter_map(|file| file.as_str().map(str::to_owned)));
        args.extend((case["in_transaction"] == true).then(|| "--in-transaction".to_owned()));
        args
    };
    agree("sql", 0, args, |case, said, code| verdict(case, said, code, "unreadable"));
}

#[test]
#[ignore = "make conformance"]
fn conformance_openapi() {
    let args = |case: &Value| words(&["compat", "openapi", text(case, "base"), text(case, "revision")]);
    // Two cases compare a file with itself (their test edits it in memory), one adds an `allOf` member of annotations alone.
    agree("openapi", 3, args, |case, said, code| verdict(case, said, code, "unreadable"));
}

#[test]
#[ignore = "make conformance"]
fn conformance_protobuf() {
    let args = |case: &Value| words(&["compat", "protobuf", text(case, "base"), text(case, "revision"), "--level", text(case, "level")]);
    agree("protobuf", 2, args, |case, said, code| verdict(case, said, code, "unreadable"));
}
