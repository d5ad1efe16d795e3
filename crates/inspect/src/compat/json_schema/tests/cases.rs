//! Cases with known answers, one a line of `cases.jsonl`: name, draft (2020-12 where empty), base, revision, and what is
//! said backward and forward: `compatible`, the keywords that refuse, or `?` with what is not decided.

use super::*;

/// What is said otherwise than expected.
fn check(line: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let case: Vec<Json> = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
    let [name, draft, base, revision, backward, forward] = case.as_slice() else { panic!("six members: {line}") };
    let named = draft.as_str().unwrap();
    let draft = Draft::NAMES.iter().find(|(name, _)| *name == named).map_or(Draft::Draft2020, |(_, draft)| *draft);
    for (mode, expected, direction) in [(Mode::Backward, backward, "backward"), (Mode::Forward, forward, "forward")] {
        let options = Options { mode, draft: Some(draft), ..Options::default() };
        let report = compared(&base.to_string(), &revision.to_string(), options).unwrap_or_else(|why| panic!("{name}: {why}"));
        confirm(base, revision, draft, &report);
        let expected = expected.as_str().unwrap();
        let mut rules: Vec<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
        let (verdict, mut wanted) = match expected.strip_prefix('?') {
            _ if expected == "compatible" => ("compatible", Vec::new()),
            Some(rule) => ("unknown", vec![rule.to_owned()]),
            None => ("breaking", expected.split(' ').map(|keyword| format!("refused-by-{keyword}")).collect()),
        };
        rules.sort_unstable();
        wanted.sort_unstable();
        if (report.verdict, &rules) != (verdict, &wanted.iter().map(String::as_str).collect()) {
            let messages: Vec<&str> = report.findings.iter().map(|finding| finding.message.as_str()).collect();
            wrong.push(format!("{name}, {direction}: {} {rules:?} instead of {verdict} {wanted:?}: {messages:?}", report.verdict));
        }
    }
    wrong
}

#[test]
fn known_answers() {
    let lines: Vec<&str> = include_str!("cases.jsonl").lines().collect();
    assert!(lines.len() >= 120);
    let wrong: Vec<String> = lines.into_iter().flat_map(check).collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}
