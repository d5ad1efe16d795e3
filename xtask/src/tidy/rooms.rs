//! Rooms say *what* and are modules of `domain`: the eight lifecycle names, each file a capability row.

use super::{Files, Rule, at, whole};
use crate::rust_source::{RustSource, segments_after};
use crate::tree::Tree;

const ROOMS: [&str; 8] = ["planning", "build", "environments", "validation", "governance", "review", "orchestration", "metrics"];
const DOMAIN: &str = "crates/domain/src/";

/// The room of a file, or `None` where it lies outside the rooms (nouns, kernel, gates).
fn room(path: &str) -> Option<&'static str> {
    let rest = path.strip_prefix(DOMAIN)?;
    let first = rest.split(['/', '.']).next()?;
    ROOMS.into_iter().find(|room| *room == first)
}

fn file(path: &'static str, text: &str) -> (&'static str, String) {
    (path, text.to_owned())
}

pub const IMPORTS: Rule = Rule {
    name: "rooms",
    why: "rooms meet at the nouns and at evidence, never at each other; nouns and kernel know no room",
    check: |tree| {
        let mut findings = Vec::new();
        for (path, text) in tree.under(DOMAIN, &[".rs"]) {
            let inside = room(path);
            let shared = path.starts_with("crates/domain/src/nouns") || path.starts_with("crates/domain/src/kernel");
            if inside.is_none() && !shared {
                continue;
            }
            let code = RustSource::new(text).shipped();
            for prefix in ["crate", "super::super", "super::super::super", "holdpoint_domain"] {
                for (position, segment) in segments_after(&code, prefix) {
                    if ROOMS.contains(&segment.as_str()) && inside != Some(segment.as_str()) {
                        findings.push(at(path, text, position, format!("{} uses room {segment}", inside.unwrap_or("a shared module"))));
                    }
                }
            }
        }
        findings
    },
    good: || {
        vec![
            file(
                "crates/domain/src/governance/freezes.rs",
                "//! M5.2 Freezes\nuse crate::{kernel::View, nouns::Freeze, governance::board};\n",
            ),
            file("crates/domain/src/lib.rs", "//! x\nuse crate::governance::board;\nuse crate::build::x;\n"),
        ]
    },
    bad: || {
        vec![
            vec![file("crates/domain/src/governance/planted.rs", "//! M5.2 x\nuse crate::validation::coverage;\n")],
            vec![file("crates/domain/src/build/planted.rs", "//! M2.2 x\nuse crate::{kernel::View, metrics};\n")],
            vec![file("crates/domain/src/planning/planted.rs", "//! M1.3 x\nfn f() { super::super::review::open(); }\n")],
            vec![file("crates/domain/src/nouns/planted.rs", "//! x\nuse crate::orchestration::runs;\n")],
        ]
    },
};

/// The rows that the first line of a room file names: `//! M5.2, M5.5 Freezes …`, `//! D2 Gate-only mode`.
fn rows_of(text: &str) -> Vec<String> {
    let Some(head) = text.lines().next().and_then(|line| line.strip_prefix("//! ")) else { return Vec::new() };
    head.split([' ', ',', ':', ';', '·', '(', ')'])
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| is_row(word))
        .map(str::to_owned)
        .collect()
}

fn is_row(word: &str) -> bool {
    let numeral = |text: &str| !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit());
    match word.strip_prefix('M') {
        Some(rest) => rest.split_once('.').is_some_and(|(module, row)| numeral(module) && numeral(row)),
        None => word.strip_prefix('D').is_some_and(numeral),
    }
}

fn starts_with_row(text: &str) -> bool {
    let head = text.lines().next().and_then(|line| line.strip_prefix("//! ")).unwrap_or("");
    is_row(head.split([' ', ',', ':', ';']).next().unwrap_or(""))
}

/// Files of rooms that name rows: (path, text, rows).
fn row_files(tree: &Tree) -> Vec<(&str, &str, Vec<String>)> {
    tree.under(DOMAIN, &[".rs"])
        .filter(|(path, _)| room(path).is_some() && !super::floors::is_test_file(path))
        .map(|(path, text)| (path, text, rows_of(text)))
        .collect()
}

pub const HEADS: Rule = Rule {
    name: "room-heads",
    why: "each file of a room says first which capability row it is: `//! M5.2 Freezes …` or `//! D2 …`",
    check: |tree| {
        row_files(tree)
            .into_iter()
            .filter(|(path, text, _)| !path.ends_with("/mod.rs") && room_file(path) && !starts_with_row(text))
            .map(|(path, _, _)| whole(path, "the first line names no row"))
            .collect()
    },
    good: || {
        vec![
            file("crates/domain/src/governance/mod.rs", "//! Decisions of people.\n"),
            file("crates/domain/src/governance/freezes.rs", "//! M5.2 Freezes.\n"),
            file("crates/domain/src/orchestration/gate_only.rs", "//! D2 Gate-only mode.\n"),
        ]
    },
    bad: || {
        vec![
            vec![file("crates/domain/src/governance/planted.rs", "//! Freezes.\n")],
            vec![file("crates/domain/src/metrics/planted.rs", "use x;\n//! M8.1 Late\n")],
        ]
    },
};

/// `governance/freezes.rs`, but not a room that is one file (`governance.rs` is like its `mod.rs`).
fn room_file(path: &str) -> bool {
    path.strip_prefix(DOMAIN).is_some_and(|rest| rest.contains('/'))
}

/// Where the test of a row lives.
fn test_path(row: &str) -> String {
    match row.strip_prefix('M') {
        Some(numbers) => format!("tests/rows/r{}.rs", numbers.replace('.', "_")),
        None => format!("tests/day_one/{}.rs", row.to_lowercase()),
    }
}

pub const ROW_TESTS: Rule = Rule {
    name: "row-tests",
    why: "a row that the code names is driven end to end by its own test: tests/rows/r5_2.rs, tests/day_one/d2.rs",
    check: |tree| {
        row_files(tree)
            .into_iter()
            .flat_map(|(path, text, rows)| {
                rows.into_iter()
                    .filter(|row| !tree.has(&test_path(row)))
                    .map(|row| at(path, text, 0, format!("{row} has no {}", test_path(&row))))
                    .collect::<Vec<_>>()
            })
            .collect()
    },
    good: || {
        vec![
            file("crates/domain/src/governance/freezes.rs", "//! M5.2, D6 Freezes.\n"),
            file("tests/rows/r5_2.rs", "//! x\n"),
            file("tests/day_one/d6.rs", "//! x\n"),
        ]
    },
    bad: || {
        vec![
            vec![file("crates/domain/src/governance/planted.rs", "//! M5.99 Nothing.\n")],
            vec![file("crates/domain/src/governance/planted.rs", "//! D99: Nothing.\n")],
        ]
    },
};

pub const ROW_PAGES: Rule = Rule {
    name: "row-pages",
    why: "a row that the code names has a page for its users: a file below docs/ whose title starts with the row, `# M5.2 Freezes`",
    check: |tree| {
        let titles: Vec<String> = tree
            .under("docs/", &[".md"])
            .filter_map(|(_, text)| text.lines().next()?.strip_prefix("# ")?.split([' ', ':']).next().map(str::to_owned))
            .collect();
        row_files(tree)
            .into_iter()
            .flat_map(|(path, text, rows)| {
                rows.into_iter()
                    .filter(|row| !titles.contains(row))
                    .map(|row| at(path, text, 0, format!("{row} has no page")))
                    .collect::<Vec<_>>()
            })
            .collect()
    },
    good: || {
        vec![file("crates/domain/src/governance/freezes.rs", "//! M5.2 Freezes.\n"), file("docs/governance/freezes.md", "# M5.2 Freezes\n")]
    },
    bad: || vec![vec![file("crates/domain/src/governance/planted.rs", "//! M5.99 Nothing.\n")] as Files],
};

#[cfg(test)]
mod tests {
    use super::{rows_of, test_path};

    #[test]
    fn rows_are_read_from_the_first_line() {
        for (text, expected) in [
            ("//! M5.2 Freezes: M5.5 windows.\n", vec!["M5.2", "M5.5"]),
            ("//! D16 Anything", vec!["D16"]),
            ("//! Decisions, Mx.2, M5, D, DORA\n//! M5.2", vec![]),
        ] {
            assert_eq!(rows_of(text), expected, "{text}");
        }
        assert_eq!((test_path("M5.2"), test_path("D16")), ("tests/rows/r5_2.rs".to_owned(), "tests/day_one/d16.rs".to_owned()));
    }
}
