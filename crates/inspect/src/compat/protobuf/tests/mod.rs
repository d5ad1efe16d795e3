//! Every rule at every level, what the language refuses, and bytes that are no .proto file.

mod fuzz;
mod refused;

use super::{Level, RULES, Source, Tree, compare, read};
use crate::finding::Finding;
use std::collections::BTreeSet;

/// A tree of files whose text begins with proto3 and package a unless it says otherwise.
fn tree(files: &[(String, String)]) -> Result<Tree, String> {
    let files: Vec<(String, String)> = files
        .iter()
        .map(|(path, text)| {
            let own = text.starts_with("syntax") || text.starts_with("edition");
            (path.clone(), if own { text.clone() } else { format!("syntax = \"proto3\";\npackage a;\n{text}") })
        })
        .collect();
    let sources: Vec<Source<'_>> = files.iter().map(|(path, text)| Source { path, bytes: text.as_bytes() }).collect();
    read("", &sources).map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn one(text: &str) -> Result<Tree, String> {
    tree(&[("a.proto".to_owned(), text.to_owned())])
}

/// A case of `rules.txt`.
struct Case {
    name: String,
    base: Vec<(String, String)>,
    revision: Vec<(String, String)>,
    /// `level: severity rule path`, in order.
    expect: Vec<String>,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut part = "";
    for line in include_str!("rules.txt").lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            cases.push(Case { name: name.to_owned(), base: Vec::new(), revision: Vec::new(), expect: Vec::new() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if let Some(heading) = line.strip_prefix("--- ") {
            let (kind, path) = heading.split_once(' ').unwrap_or((heading, "a.proto"));
            part = kind;
            match kind {
                "base" => case.base.push((path.to_owned(), String::new())),
                "revision" => case.revision.push((path.to_owned(), String::new())),
                _ => {}
            }
            continue;
        }
        let files = match part {
            "base" => &mut case.base,
            "revision" => &mut case.revision,
            _ => {
                case.expect.push(line.to_owned());
                continue;
            }
        };
        if let Some((_, text)) = files.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    cases
}

fn said(findings: &[Finding], level: Level) -> Vec<String> {
    let said = |one: &Finding| format!("{}: {} {} {}", level.word(), one.severity, one.rule, one.path.as_deref().unwrap_or_default());
    findings.iter().map(said).collect()
}

#[test]
fn every_case_at_every_level() {
    let cases = cases();
    assert!(cases.len() > 140, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let (base, revision) = match (tree(&case.base), tree(&case.revision)) {
            (Ok(base), Ok(revision)) => (base, revision),
            (base, revision) => {
                wrong.push(format!("{}: {:?} {:?}", case.name, base.err(), revision.err()));
                continue;
            }
        };
        let found: Vec<String> = Level::ALL.into_iter().flat_map(|level| said(&compare(&base, &revision, level), level)).collect();
        if found != case.expect {
            wrong.push(format!("{}\n  expected {:#?}\n  found {found:#?}", case.name, case.expect));
        }
        for level in Level::ALL {
            assert_eq!(said(&compare(&base, &base, level), level), Vec::<String>::new(), "{}: against itself", case.name);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_case_at_every_level_it_applies_at() {
    let expected: BTreeSet<(String, String)> = cases()
        .iter()
        .flat_map(|case| &case.expect)
        .filter_map(|line| {
            let (level, rest) = line.split_once(": ")?;
            Some((rest.split(' ').nth(1)?.to_owned(), level.to_owned()))
        })
        .collect();
    let mut bare = Vec::new();
    for rule in RULES.iter().filter(|rule| rule.id != "import-not-found") {
        for level in Level::ALL.into_iter().filter(|level| rule.severity(*level).is_some()) {
            if !expected.contains(&(rule.id.to_owned(), level.word().to_owned())) {
                bare.push(format!("{} at {}", rule.id, level.word()));
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}

#[test]
fn rules_are_named_once_and_in_kebab_case() {
    let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(names.len(), RULES.len());
    for rule in RULES {
        assert!(rule.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{}", rule.id);
        assert!(rule.peer.is_empty() || rule.peer.to_lowercase().replace('_', "-") == rule.id, "{}", rule.id);
    }
}

#[test]
fn a_finding_says_where_what_was_there_and_what_mends_it() {
    let base = one("message M {\n  int32 x = 1;\n  string y = 3;\n}\n").expect("a tree");
    let revision = one("\nmessage M {\n  int32 x = 1;\n}\n").expect("a tree");
    let found = compare(&base, &revision, Level::Wire);
    let found = found.first().expect("a finding");
    assert_eq!((found.file.as_deref(), found.line, found.path.as_deref()), (Some("a.proto"), Some(4), Some("a.M.y")));
    assert_eq!(found.fix.as_deref(), Some("reserve 3 and \"y\""));
    assert_eq!((found.more["base_file"].as_str(), found.more["base_line"].as_u64()), (Some("a.proto"), Some(5)));
}

#[test]
fn imports_that_are_not_here_are_compared_by_name() {
    let with = |of: &str| one(&format!("import \"lib/money.proto\";\nmessage M {{ {of} x = 1; }}\n")).expect("a tree");
    let rules = |base: &str, revision: &str| -> Vec<String> {
        compare(&with(base), &with(revision), Level::Wire).into_iter().map(|finding| finding.rule).collect()
    };
    assert_eq!(rules("lib.Money", "lib.Money"), ["import-not-found"]);
    assert_eq!(rules("lib.Money", "lib.Sum"), ["field-wire-compatible-type", "import-not-found"]);
    let here = tree(&[
        ("a.proto".to_owned(), "import \"lib/money.proto\";\nmessage M { lib.Money x = 1; }\n".to_owned()),
        ("lib/money.proto".to_owned(), "syntax = \"proto3\";\npackage lib;\nmessage Money { }\n".to_owned()),
    ])
    .expect("a tree");
    assert!(compare(&with("lib.Money"), &here, Level::Wire).is_empty());
}

#[test]
fn names_are_resolved_as_the_language_says() {
    let files = |text: &str| {
        tree(&[
            ("a.proto".to_owned(), text.to_owned()),
            (
                "b.proto".to_owned(),
                "syntax = \"proto3\";\npackage a.b;\nimport public \"c.proto\";\nmessage B { message C { } }\n".to_owned(),
            ),
            ("c.proto".to_owned(), "syntax = \"proto3\";\npackage b;\nmessage B { message D { } } message E { }\n".to_owned()),
            ("deep/root/d.proto".to_owned(), "syntax = \"proto3\";\npackage d;\nmessage D { }\n".to_owned()),
        ])
    };
    let type_of = |text: &str| -> Result<String, String> {
        let tree = files(text)?;
        let message = tree.message("a.M").ok_or("no message")?;
        Ok(message.fields.first().map(|field| field.type_name.clone()).unwrap_or_default())
    };
    let field = |of: &str| type_of(&format!("import \"b.proto\";\nmessage M {{ {of} x = 1; message E {{ }} }}\nmessage E {{ }}\n"));
    assert_eq!(field("b.B"), Ok("a.b.B".to_owned()));
    assert_eq!(field("b.B.C"), Ok("a.b.B.C".to_owned()));
    assert_eq!(field(".b.B"), Ok("b.B".to_owned()), "through a public import");
    assert_eq!(field("E"), Ok("a.M.E".to_owned()));
    assert_eq!(field("a.E"), Ok("a.E".to_owned()));
    assert_eq!(field(".b.E"), Ok("b.E".to_owned()));
    // The innermost scope that has `b` decides: a.b has no E.
    assert!(field("b.E").is_err());
    assert!(field("b.B.D").is_err());
    assert_eq!(type_of("import \"root/d.proto\";\nmessage M { d.D x = 1; }"), Ok("d.D".to_owned()), "below a root of its own");
    let why = type_of("message M { d.D x = 1; }").expect_err("not imported");
    assert!(why.contains("a.proto:3: d.D is declared in deep/root/d.proto, which this file does not import"), "{why}");
}
