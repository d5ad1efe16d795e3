//! Rules about single files: length, names, panics, SQL, docs, paths and ports.

use super::floors::is_test_file;
use super::{Files, Rule, at, whole};
use crate::rust_source::{RustSource, line_at, words};

const LINES_MAX: usize = 800;
const SOURCES: [&str; 3] = [".rs", ".ts", ".tsx"];

fn file(path: &'static str, text: &str) -> (&'static str, String) {
    (path, text.to_owned())
}

pub const LENGTH: Rule = Rule {
    name: "length",
    why: "a file that no one can hold in mind is two files: at most 800 lines",
    check: |tree| {
        tree.under("", &SOURCES)
            .filter(|(_, text)| text.lines().count() > LINES_MAX)
            .map(|(path, text)| whole(path, format!("{} lines", text.lines().count())))
            .collect()
    },
    good: || vec![("crates/api/src/a.rs", "//! x\n".repeat(LINES_MAX))],
    bad: || {
        vec![
            vec![("crates/api/src/planted.rs", "//! x\n".repeat(LINES_MAX + 1))],
            vec![("web/src/planted.tsx", "// x\n".repeat(LINES_MAX + 1))],
        ]
    },
};

/// What a document says it will say: `@@NAME@@`, spelled so that this file has none.
fn placeholder(line: &str) -> bool {
    let mark = "@".repeat(2);
    line.split(&mark).skip(1).step_by(2).any(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
}

pub const PLACEHOLDERS: Rule = Rule {
    name: "placeholders",
    why: "a page with a gap where its example should be was not read by whoever wrote it",
    check: |tree| {
        let mut findings = Vec::new();
        for (path, text) in tree.under("", &[".md"]) {
            for (number, line) in text.lines().enumerate().filter(|(_, line)| placeholder(line)) {
                findings.push(whole(path, format!("line {}: {line}", number + 1)));
            }
        }
        findings
    },
    good: || vec![file("docs/a.md", "`@example.com`, an @@ -1,2 +1,2 @@ of a diff\n")],
    bad: || vec![vec![("docs/planted.md", format!("```\n{0}OUT{0}\n```\n", "@".repeat(2)))]],
};

/// Spelled so that this file does not name what it forbids.
const EMPTY_NAMES: [&str; 9] = ["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "shared"];

pub const NAMES: Rule = Rule {
    name: "names",
    why: "a module is named for what it does; a name that fits anything gathers anything",
    check: |tree| {
        let mut findings = Vec::new();
        for (path, text) in tree.under("", &SOURCES) {
            let parts = path.split('/').map(|part| part.split('.').next().unwrap_or(part));
            if let Some(part) = parts.into_iter().find(|part| EMPTY_NAMES.contains(part)) {
                findings.push(whole(path, format!("{part} says nothing")));
            }
            if path.ends_with(".rs") {
                let code = RustSource::new(text).code;
                for name in EMPTY_NAMES {
                    findings.extend(
                        words(&code, &format!("mod {name}")).map(|position| at(path, text, position, format!("mod {name} says nothing"))),
                    );
                }
            }
        }
        findings
    },
    good: || vec![file("crates/api/src/sessions.rs", "//! x\nmod commonly_used {}\n")],
    bad: || {
        vec![
            vec![file("crates/api/src/utils.rs", "//! x\n")],
            vec![file("web/src/common/button.tsx", "export const x = 1\n")],
            vec![file("crates/store/src/planted.rs", "//! x\nmod helpers { }\n")],
        ]
    },
};

pub const PANICS: Rule = Rule {
    name: "panics",
    why: "a server does not fall over at an input: api, engine and store return errors",
    check: |tree| {
        let mut findings = Vec::new();
        for crate_name in ["api", "engine", "store"] {
            for (path, text) in tree.under(&format!("crates/{crate_name}/src/"), &[".rs"]).filter(|(path, _)| !is_test_file(path)) {
                let code = RustSource::new(text).shipped();
                for call in [".unwrap()", ".expect(", "panic!("] {
                    findings.extend(code.match_indices(call).map(|(position, _)| at(path, text, position, call)));
                }
            }
        }
        findings
    },
    good: || {
        vec![file("crates/api/src/a.rs", "//! x.unwrap()\nfn f() { x.unwrap_or(1) }\n#[cfg(test)]\nmod tests { fn g() { x.unwrap() } }\n")]
    },
    bad: || {
        vec![
            vec![file("crates/api/src/planted.rs", "//! x\nfn f() { x.unwrap() }\n")],
            vec![file("crates/engine/src/planted.rs", "//! x\nfn f() { x\n.expect(\"y\") }\n")],
            vec![file("crates/store/src/planted.rs", "//! x\n#[cfg(test)]\nmod tests {}\nfn f() { panic!(\"y\") }\n")],
        ]
    },
};

pub const UNFINISHED: Rule = Rule {
    name: "unfinished",
    why: "what is not built is absent, not a trap at run time",
    check: |tree| {
        let mut findings = Vec::new();
        for (path, text) in tree.under("", &[".rs"]) {
            let code = RustSource::new(text).code;
            for call in ["todo!", "unimplemented!"] {
                // `words` wants a word's end; the bang is one.
                findings.extend(words(&code, call).map(|position| at(path, text, position, call)));
            }
        }
        findings
    },
    good: || vec![file("crates/api/src/a.rs", "//! todo! is not code\n")],
    bad: || {
        vec![
            vec![file("crates/api/src/planted.rs", "//! x\nfn f() { todo!() }\n")],
            vec![file("tests/rows/planted.rs", "//! x\nfn f() { unimplemented!(\"y\") }\n")],
        ]
    },
};

/// Pairs of words that only a statement has. Written so that prose ("select a release from …") is no match: case counts.
const STATEMENTS: [(&str, &str); 7] = [
    ("SELECT ", " FROM "),
    ("INSERT ", "INTO "),
    ("UPDATE ", " SET "),
    ("DELETE ", "FROM "),
    ("CREATE ", "TABLE "),
    ("ALTER ", "TABLE "),
    ("DROP ", "TABLE "),
];

pub const SQL: Rule = Rule {
    name: "sql",
    why: "the only SQL of our own state is in store; an executor that speaks to a user's database says so by tidy-allow, and advice on migrations quotes SQL that nobody runs",
    check: |tree| {
        let mut findings = Vec::new();
        for (path, text) in tree.under("crates/", &[".rs"]) {
            let advice = path.starts_with("crates/inspect/src/migration/");
            if path.starts_with("crates/store/") || path.starts_with("crates/testkit/") || advice || is_test_file(path) {
                continue;
            }
            let source = RustSource::new(text);
            for literal in source.shipped_literals() {
                let statement = STATEMENTS.iter().find(|(first, second)| {
                    literal.text.find(first).is_some_and(|start| literal.text[start + first.len() - 1..].contains(second.trim_start()))
                });
                if let Some((first, _)) = statement {
                    findings.push(at(path, text, literal.at, format!("{}… outside of store", first.trim())));
                }
            }
        }
        findings
    },
    good: || {
        vec![
            file("crates/store/src/a.rs", "//! x\nconst Q: &str = \"SELECT a FROM b\";\n"),
            file("crates/api/src/a.rs", "//! SELECT a FROM b\nconst Q: &str = \"Select a release from the list\";\n"),
            file("crates/inspect/src/migration/a.rs", "//! x\nconst FIX: &str = \"CREATE VIEW a AS SELECT a FROM b\";\n"),
        ]
    },
    bad: || {
        vec![
            vec![file("crates/api/src/planted.rs", "//! x\nconst Q: &str = \"SELECT a FROM b\";\n")],
            vec![file("crates/engine/src/planted.rs", "//! x\nconst Q: &str = r#\"INSERT INTO t VALUES (1)\"#;\n")],
            vec![file("crates/holdpoint/src/planted.rs", "//! x\nconst Q: &str = \"DELETE FROM t\";\n")],
        ]
    },
};

pub const SQLX: Rule = Rule {
    name: "sqlx",
    why: "store is the only crate that knows its database library",
    check: |tree| {
        let mut findings = Vec::new();
        for (path, text) in tree.under("", &[".rs"]).filter(|(path, _)| !path.starts_with("crates/store/")) {
            let code = RustSource::new(text).code;
            findings.extend(words(&code, "sqlx").map(|position| at(path, text, position, "sqlx outside of store")));
        }
        findings
    },
    good: || vec![file("crates/store/src/a.rs", "//! x\nuse sqlx::Row;\n")],
    bad: || vec![vec![file("crates/engine/src/planted.rs", "//! x\nfn f(e: sqlx::Error) {}\n")] as Files],
};

pub const MODULE_DOCS: Rule = Rule {
    name: "module-docs",
    why: "every module opens with what it is for and what it deliberately does not do",
    check: |tree| {
        tree.under("", &[".rs"])
            .filter(|(path, text)| !path.starts_with("examples/") && !opens_with_docs(text))
            .map(|(path, _)| whole(path, "does not open with `//! …`"))
            .collect()
    },
    good: || vec![file("crates/api/src/a.rs", "//! Sessions.\n"), file("crates/api/src/b.rs", "#![forbid(x)]\n//! Sessions.\n")],
    bad: || {
        vec![vec![file("crates/api/src/planted.rs", "use std::fmt;\n//! late\n")], vec![file("crates/api/src/planted.rs", "//!\n//!\n")]]
    },
};

fn opens_with_docs(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("#!["));
    first.and_then(|line| line.strip_prefix("//!")).is_some_and(|words| !words.trim().is_empty())
}

/// Put together here so that this file is no finding itself.
const MACHINE_FOLDERS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

pub const MACHINE_PATHS: Rule = Rule {
    name: "machine-paths",
    why: "the repository works wherever it is cloned",
    check: |tree| {
        let mut findings = Vec::new();
        for (path, text) in tree.under("", &[]) {
            for folder in MACHINE_FOLDERS {
                findings.extend(
                    text.match_indices(folder)
                        .filter(|(position, _)| starts_a_path(text, *position))
                        .map(|(position, _)| at(path, text, position, format!("{folder}… is one machine's path"))),
                );
            }
        }
        findings
    },
    good: || vec![file("docs/a.md", "the path target/work/x, ${dir}/home/y, https://holdpoint.example/home/z\n")],
    bad: || {
        vec![
            vec![("docs/planted.md", format!("see {}main\n", MACHINE_FOLDERS[0]))],
            vec![("crates/api/src/planted.rs", format!("//! x\nconst P: &str = \"{}x\";\n", MACHINE_FOLDERS[1]))],
            vec![("Makefile", format!("X={}ada\n", MACHINE_FOLDERS[2]))],
        ]
    },
};

/// An absolute path, and not the middle of a longer or relative one.
fn starts_a_path(text: &str, position: usize) -> bool {
    match text[..position].chars().next_back() {
        None => true,
        Some(before) => !(before.is_alphanumeric() || "}-_./~*$".contains(before)),
    }
}

/// What makes an address in a unit test more than a sample.
const OPENS: [&str; 6] = ["bind(", "connect(", "listen(", "serve(", "--listen", ".get("];

pub const FIXED_PORTS: Rule = Rule {
    name: "fixed-ports",
    why: "a test binds port 0 and passes the number on: two runs on one machine do not meet",
    check: |tree| {
        let mut findings = Vec::new();
        for (path, text) in tree.under("", &[".rs", ".mjs", ".ts", ".sh"]) {
            // In tests of their own folder every address is used; among unit tests many are samples for a reader.
            let every_line = is_test_file(path) || path.starts_with("crates/testkit/");
            if path.starts_with("xtask/") || !(every_line || path.ends_with(".rs")) {
                continue;
            }
            let source = path.ends_with(".rs").then(|| RustSource::new(text));
            for host in ["127.0.0.1:", "localhost:", "[::1]:"] {
                for (position, _) in text.match_indices(host) {
                    let line = text.lines().nth(line_at(text, position) - 1).unwrap_or("");
                    let opened =
                        source.as_ref().is_some_and(|source| source.in_test(position)) && OPENS.iter().any(|word| line.contains(word));
                    if (every_line || opened) && is_fixed(&text[position + host.len()..]) && !line.trim_start().starts_with("//") {
                        findings.push(at(path, text, position, "a fixed port"));
                    }
                }
            }
        }
        findings
    },
    good: || {
        vec![
            file(
                "tests/rows/a.rs",
                "//! x\nconst A: &str = \"127.0.0.1:0\";\nfn f(p: u16) { format!(\"127.0.0.1:{p}\"); }\nconst CLOSED: &str = \"127.0.0.1:9\";\n",
            ),
            file(
                "crates/holdpoint/src/a.rs",
                "//! x\nconst DEFAULT: &str = \"127.0.0.1:4000\";\n#[cfg(test)]\nmod tests { const SAMPLE: &str = \"127.0.0.1:80\"; }\n",
            ),
        ]
    },
    bad: || {
        vec![
            vec![file("tests/rows/planted.rs", "//! x\nconst A: &str = \"127.0.0.1:8080\";\n")],
            vec![file("crates/api/src/planted.rs", "//! x\n#[cfg(test)]\nmod tests { fn f() { bind(\"localhost:5432\") } }\n")],
            vec![file("crates/testkit/src/planted.rs", "//! x\nconst A: &str = \"127.0.0.1:9000\";\n")],
        ]
    },
};

/// Two digits or more: a single one is a port that nobody serves, written to be refused.
fn is_fixed(rest: &str) -> bool {
    !rest.starts_with('0') && rest.bytes().take_while(u8::is_ascii_digit).count() >= 2
}

#[cfg(test)]
mod tests {
    use super::starts_a_path;

    #[test]
    fn only_absolute_paths_are_machine_paths() {
        for (text, expected) in
            [("=/a/", true), ("\"/a/", true), ("/a/", true), (" /a/", true), ("x/a/", false), ("}/a/", false), ("./a/", false)]
        {
            assert_eq!(starts_a_path(text, text.find("/a/").unwrap_or(0)), expected, "{text}");
        }
    }
}
