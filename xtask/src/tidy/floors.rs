//! Floors say *how* and are crates: who may stand on whom, and what the pure ones never touch.

use super::{Files, Rule, at, whole};
use crate::rust_source::{RustSource, segments_after, words};

/// Every crate with its floor. A crate stands on lower floors only.
const FLOOR: [(&str, u8); 9] = [
    ("seal", 0),
    ("analysis", 0),
    ("inspect", 0),
    ("domain", 1),
    ("store", 2),
    ("executors", 2),
    ("engine", 3),
    ("api", 4),
    ("holdpoint", 5),
];
/// What the floors alone would permit, and must not be.
const NEVER: [(&str, &str, &str); 1] = [("domain", "inspect", "domain judges evidence, not documents")];
pub const PURE_CRATES: [&str; 4] = ["seal", "domain", "analysis", "inspect"];

/// (section, package) pairs of a Cargo.toml's dependency tables.
pub fn dependencies(manifest: &str) -> Vec<(usize, &str, String)> {
    let mut section = "";
    let mut found = Vec::new();
    let mut position = 0;
    for line in manifest.split_inclusive('\n') {
        let start = position;
        position += line.len();
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
            // `[dependencies.NAME]` tables are dependencies, too.
            if let Some((table, name)) = section.rsplit_once('.')
                && table.ends_with("dependencies")
                && !table.starts_with("workspace")
            {
                found.push((start, table, name.trim_matches('"').to_owned()));
            }
        } else if section.ends_with("dependencies")
            && !section.starts_with("workspace")
            && !line.starts_with('#')
            && let Some((name, _)) = line.split_once(['=', '.'])
        {
            found.push((start, section, name.trim().trim_matches('"').to_owned()));
        }
    }
    found
}

fn floor(name: &str) -> Option<u8> {
    FLOOR.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, floor)| *floor)
}

/// The short name of one of our own packages.
pub fn own(package: &str) -> Option<&str> {
    if package == "holdpoint" { Some(package) } else { package.strip_prefix("holdpoint-") }
}

fn manifest(name: &str, dependencies: &str) -> String {
    format!("[package]\nname = \"{name}\"\n\n[dependencies]\n{dependencies}\n")
}

pub const FLOORS: Rule = Rule {
    name: "floors",
    why: "a crate stands on lower floors only; tests and testkit know the product by process, HTTP and browser alone",
    check: |tree| {
        let mut findings = Vec::new();
        for (path, text) in tree.under("", &["Cargo.toml"]) {
            let from = match path {
                "tests/Cargo.toml" => "tests",
                "xtask/Cargo.toml" => "xtask",
                _ => match path.strip_prefix("crates/").and_then(|rest| rest.strip_suffix("/Cargo.toml")) {
                    Some(name) => name,
                    None => continue,
                },
            };
            if floor(from).is_none() && !["testkit", "tests", "xtask"].contains(&from) {
                findings.push(whole(path, format!("{from} has no floor: put it into xtask/src/tidy/floors.rs and ARCHITECTURE.md")));
                continue;
            }
            for (position, section, package) in dependencies(text) {
                let Some(to) = own(&package) else { continue };
                if let Some(why) = refused(from, to, section) {
                    findings.push(at(path, text, position, format!("{from} depends on {to}: {why}")));
                }
            }
        }
        findings
    },
    good: || {
        vec![
            ("crates/domain/Cargo.toml", manifest("holdpoint-domain", "holdpoint-seal = { workspace = true }")),
            (
                "crates/store/Cargo.toml",
                manifest("holdpoint-store", "holdpoint-domain.workspace = true\n[dev-dependencies]\nholdpoint-testkit.workspace = true"),
            ),
            ("tests/Cargo.toml", manifest("holdpoint-tests", "holdpoint-testkit = { workspace = true }")),
        ]
    },
    bad: || {
        vec![
            vec![("crates/seal/Cargo.toml", manifest("holdpoint-seal", "holdpoint-domain = { workspace = true }"))],
            vec![("crates/domain/Cargo.toml", manifest("holdpoint-domain", "holdpoint-inspect.workspace = true"))],
            vec![("crates/store/Cargo.toml", manifest("holdpoint-store", "[dev-dependencies.holdpoint-executors]\nworkspace = true"))],
            vec![("crates/engine/Cargo.toml", manifest("holdpoint-engine", "holdpoint-testkit = { workspace = true }"))],
            vec![("crates/testkit/Cargo.toml", manifest("holdpoint-testkit", "holdpoint-seal = { workspace = true }"))],
            vec![("tests/Cargo.toml", manifest("holdpoint-tests", "holdpoint-store = { workspace = true }"))],
            vec![("crates/attic/Cargo.toml", manifest("holdpoint-attic", ""))],
        ]
    },
};

fn refused(from: &str, to: &str, section: &str) -> Option<&'static str> {
    if to == "testkit" {
        let may = from == "tests" || (section == "dev-dependencies" && floor(from).is_some_and(|floor| floor >= 2));
        return (!may).then_some("testkit is for tests (dev-dependencies) of crates that reach the outside");
    }
    let Some(from_floor) = floor(from) else { return Some("tests, testkit and xtask see the product from outside only") };
    if let Some((_, _, why)) = NEVER.iter().find(|(a, b, _)| *a == from && *b == to) {
        return Some(why);
    }
    match floor(to) {
        Some(to_floor) if to_floor < from_floor => None,
        _ => Some("it is not on a lower floor"),
    }
}

/// Packages that have a clock, a runtime, sockets or randomness in them. `seal` makes keys and may be random.
const IMPURE_PACKAGES: [&str; 14] = [
    "tokio",
    "sqlx",
    "reqwest",
    "hyper",
    "hyper-util",
    "axum",
    "rusqlite",
    "nix",
    "rand",
    "getrandom",
    "async-trait",
    "futures-util",
    "tempfile",
    "tracing",
];
const IMPURE_STD: [&str; 6] = ["fs", "net", "process", "env", "thread", "os"];
const IMPURE_WORDS: [&str; 9] = [
    "SystemTime",
    "Instant::now",
    "time::Instant",
    "Timestamp::now",
    "Zoned::now",
    "async fn",
    "async move",
    "TimeZone::system",
    "thread_rng",
];

pub const PURE: Rule = Rule {
    name: "pure",
    why: "seal, domain, analysis and inspect have no clock, runtime, files, sockets or randomness: the same question has the same answer",
    check: |tree| {
        let mut findings = Vec::new();
        for name in PURE_CRATES {
            let manifest = format!("crates/{name}/Cargo.toml");
            if let Some(text) = tree.get(&manifest) {
                for (position, section, package) in dependencies(text) {
                    let random_keys = name == "seal" && package == "getrandom";
                    if section == "dependencies" && IMPURE_PACKAGES.contains(&package.as_str()) && !random_keys {
                        findings.push(at(&manifest, text, position, format!("{name} depends on {package}")));
                    }
                }
            }
            for (path, text) in tree.under(&format!("crates/{name}/src/"), &[".rs"]) {
                if is_test_file(path) {
                    continue;
                }
                let code = RustSource::new(text).shipped();
                for (position, segment) in segments_after(&code, "std") {
                    if IMPURE_STD.contains(&segment.as_str()) {
                        findings.push(at(path, text, position, format!("std::{segment}")));
                    }
                }
                for word in IMPURE_WORDS {
                    findings.extend(words(&code, word).map(|position| at(path, text, position, word)));
                }
            }
        }
        findings
    },
    good: || {
        vec![
            ("crates/seal/Cargo.toml", manifest("holdpoint-seal", "getrandom = \"1\"\n[dev-dependencies]\ntempfile = \"1\"")),
            (
                "crates/domain/src/lib.rs",
                "//! Not std::fs.\nuse std::{fmt, collections::BTreeMap};\n#[cfg(test)]\nmod tests { use std::fs; }\n".to_owned(),
            ),
        ]
    },
    bad: || {
        vec![
            vec![("crates/domain/Cargo.toml", manifest("holdpoint-domain", "tokio = { workspace = true }"))],
            vec![("crates/analysis/Cargo.toml", manifest("holdpoint-analysis", "getrandom.workspace = true"))],
            vec![("crates/domain/src/planted.rs", "//! x\nuse std::{fmt, fs};\n".to_owned())],
            vec![("crates/seal/src/planted.rs", "//! x\nfn f() { std::net::TcpStream::connect(a); }\n".to_owned())],
            vec![("crates/analysis/src/planted.rs", "//! x\nfn f() { let t = SystemTime::now(); }\n".to_owned())],
            vec![("crates/inspect/src/planted.rs", "//! x\nfn f() { let t = Instant::now(); }\n".to_owned())],
            vec![("crates/domain/src/planted.rs", "//! x\npub async fn f() {}\n".to_owned())],
        ]
    },
};

pub const ANYHOW: Rule = Rule {
    name: "anyhow",
    why: "libraries have error types that callers can match; only the binary and xtask collect errors as text",
    check: |tree| {
        tree.under("crates/", &["Cargo.toml"])
            .filter(|(path, _)| *path != "crates/holdpoint/Cargo.toml")
            .flat_map(|(path, text)| {
                dependencies(text)
                    .into_iter()
                    .filter(|(_, _, package)| package == "anyhow")
                    .map(|(position, _, _)| at(path, text, position, "depends on anyhow"))
            })
            .collect()
    },
    good: || vec![("crates/holdpoint/Cargo.toml", manifest("holdpoint", "anyhow = \"1\""))],
    bad: || vec![vec![("crates/store/Cargo.toml", manifest("holdpoint-store", "anyhow.workspace = true"))] as Files],
};

/// A file that is a test from end to end.
pub fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.starts_with("tests/") || path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}
