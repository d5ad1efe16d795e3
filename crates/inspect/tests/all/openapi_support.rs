//! Small descriptions around a schema or an operation, and their verdicts.

use holdpoint_inspect::compat;
use holdpoint_inspect::compat::openapi::{Loading, Options, Spec, compare};
use holdpoint_inspect::finding::Finding;

/// Reads one file.
#[track_caller]
pub fn spec(text: &str) -> Spec {
    let loading = Loading::begin("api.yaml", "api.yaml", text.as_bytes(), []).unwrap_or_else(|why| panic!("{why}\n{text}"));
    assert_eq!(loading.wanted(), None);
    loading.finish()
}

#[track_caller]
pub fn findings(base: &str, revision: &str) -> Vec<Finding> {
    let options = Options { today: Some((2026, 6, 15)) };
    compare(&spec(base), &spec(revision), &options).unwrap_or_else(|why| panic!("{why}\n{base}\n{revision}"))
}

/// The verdict's first letter.
pub fn letter(findings: &[Finding]) -> char {
    compat::verdict(findings).chars().next().unwrap_or_default()
}

/// A description with one operation, whose parts are given.
pub fn operation(version: &str, components: &str, body: &str) -> String {
    format!("openapi: {version}\ninfo: {{title: t, version: '1'}}\npaths:\n  /a/{{id}}:\n    post: {body}\ncomponents: {components}\n")
}

/// A description in which a schema is the body of the request or of the response.
pub fn around(version: &str, components: &str, schema: &str, request: bool) -> String {
    let content = format!("content: {{application/json: {{schema: {schema}}}}}");
    let body = if request {
        format!("{{requestBody: {{{content}}}, responses: {{'204': {{description: d}}}}}}")
    } else {
        format!("{{responses: {{'200': {{description: d, {content}}}}}}}")
    };
    operation(version, components, &body)
}

/// Every line: name, base, revision, four letters (request there, response there, request back, response back), and rules
/// of which each must be found in one of the four.
pub type Line = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

#[track_caller]
pub fn check(version: &str, components: &str, lines: &[Line]) {
    let mut wrong = Vec::new();
    for (name, base, revision, letters, rules) in lines {
        let mut said = String::new();
        let mut all: Vec<Finding> = Vec::new();
        for (one, other) in [(base, revision), (revision, base)] {
            for request in [true, false] {
                let found = findings(&around(version, components, one, request), &around(version, components, other, request));
                said.push(letter(&found));
                all.extend(found);
            }
        }
        let missing: Vec<&&str> = rules.iter().filter(|rule| !all.iter().any(|finding| finding.rule == **rule)).collect();
        if said != *letters || !missing.is_empty() {
            let told: Vec<String> =
                all.iter().map(|finding| format!("{} {}: {}", finding.severity, finding.rule, finding.message)).collect();
            wrong.push(format!("{name}: expected {letters}, found {said}, missing {missing:?}\n    {}", told.join("\n    ")));
        }
        // Whatever it is, it is compatible with itself.
        for text in [base, revision] {
            let same = around(version, components, text, true);
            assert_eq!(letter(&findings(&same, &same)), 'c', "{name}: {text} against itself");
        }
    }
    assert!(wrong.is_empty(), "{} of {} lines:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
}
