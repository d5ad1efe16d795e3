//! Rules that tie documents to the code: refusal pages and numbered decisions.

use super::floors::is_test_file;
use super::{Files, Rule, at, whole};
use crate::rust_source::RustSource;
use crate::tree::Tree;
use std::collections::BTreeSet;

/// Names of standards that look like a code.
const NOT_CODES: [&str; 6] = ["SHA", "ISO", "RFC", "UTF", "MD", "AES"];

/// `GOV-003`: three to five capitals, a hyphen, three digits.
pub fn is_code(text: &str) -> bool {
    text.split_once('-').is_some_and(|(room, number)| {
        (3..=5).contains(&room.len())
            && room.bytes().all(|b| b.is_ascii_uppercase())
            && number.len() == 3
            && number.bytes().all(|b| b.is_ascii_digit())
            && !NOT_CODES.contains(&room)
    })
}

/// Where code says no: (path, text, position, code).
fn uses(tree: &Tree) -> Vec<(&str, &str, usize, String)> {
    let mut found = Vec::new();
    for (path, text) in tree.under("crates/", &[".rs"]) {
        if path.starts_with("crates/testkit/") || is_test_file(path) || !path.contains("/src/") {
            continue;
        }
        for literal in RustSource::new(text).shipped_literals().filter(|literal| is_code(&literal.text)) {
            found.push((path, text, literal.at, literal.text.clone()));
        }
    }
    found
}

pub const REFUSALS: Rule = Rule {
    name: "refusals",
    why: "every code that a refusal carries has its page, docs/refusals/CODE.md, which `holdpoint explain CODE` prints; no page is left over",
    check: |tree| {
        let uses = uses(tree);
        let mut findings = Vec::new();
        let mut missing = BTreeSet::new();
        for (path, text, position, code) in &uses {
            if !tree.has(&format!("docs/refusals/{code}.md")) && missing.insert(code.as_str()) {
                findings.push(at(path, text, *position, format!("{code} has no docs/refusals/{code}.md")));
            }
        }
        let used: BTreeSet<&str> = uses.iter().map(|(_, _, _, code)| code.as_str()).collect();
        for (path, text) in tree.under("docs/refusals/", &[".md"]) {
            let name = path.trim_start_matches("docs/refusals/").trim_end_matches(".md");
            if name == "README" {
                continue;
            }
            if !is_code(name) || !used.contains(name) {
                findings.push(whole(path, "no refusal carries this code"));
            }
            if !text.starts_with(&format!("# {name} ")) {
                findings.push(whole(path, format!("its title does not start with `# {name} `")));
            }
        }
        findings
    },
    good: || {
        vec![
            ("crates/domain/src/a.rs", "//! x\nconst A: &str = \"GOV-003\";\nconst B: &str = \"SHA-256\";\n#[cfg(test)]\nmod tests { const C: &str = \"XYZ-001\"; }\n".to_owned()),
            ("docs/refusals/GOV-003.md", "# GOV-003 The author does not approve\n".to_owned()),
        ]
    },
    bad: || {
        vec![
            vec![("crates/domain/src/planted.rs", "//! x\nconst A: &str = \"GOV-999\";\n".to_owned())],
            vec![("docs/refusals/GOV-998.md", "# GOV-998 Left over\n".to_owned())],
        ]
    },
};

const PARTS: [&str; 4] = ["## Context", "## Decision", "## What it costs", "## What would change our mind"];

pub const DECISIONS: Rule = Rule {
    name: "decisions",
    why: "decisions are numbered without gaps (docs/decisions/0001-title.md) and each says what it costs and what would change our mind",
    check: |tree| {
        let mut findings = Vec::new();
        let mut expected = 1;
        for (path, text) in tree.under("docs/decisions/", &[".md"]) {
            let name = path.trim_start_matches("docs/decisions/");
            if name == "README.md" {
                continue;
            }
            match name.split_once('-').filter(|(number, _)| number.len() == 4).and_then(|(number, _)| number.parse::<u32>().ok()) {
                Some(number) if number == expected => expected += 1,
                Some(number) => {
                    findings.push(whole(path, format!("number {number:04}, expected {expected:04}")));
                    expected = number + 1;
                }
                None => findings.push(whole(path, "is not named NNNN-title.md")),
            }
            for part in PARTS {
                if !text.lines().any(|line| line == part) {
                    findings.push(whole(path, format!("has no `{part}`")));
                }
            }
        }
        findings
    },
    good: || vec![("docs/decisions/0001-a.md", decision()), ("docs/decisions/0002-b.md", decision())],
    bad: || {
        vec![
            vec![("docs/decisions/0999-gap.md", decision())],
            vec![("docs/decisions/late.md", decision())],
            vec![("docs/decisions/0001-again.md", "# Again\n".to_owned())] as Files,
        ]
    },
};

fn decision() -> String {
    format!("# x\n\n{}\n", PARTS.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use super::is_code;

    #[test]
    fn codes_are_told_from_standards() {
        for (text, expected) in
            [("GOV-003", true), ("SCAN-002", true), ("SHA-256", false), ("gov-003", false), ("GOV-03", false), ("GO-003", false)]
        {
            assert_eq!(is_code(text), expected, "{text}");
        }
    }
}
