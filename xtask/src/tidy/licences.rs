//! What others wrote and we ship: its licence is on the list, and no second TLS stack is in the tree.
//!
//! The same lists stand in deny.toml for cargo-deny, which is not everywhere; this needs cargo alone.

use super::{Finding, Rule, whole};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

pub const WHY: &str =
    "every package we ship has a licence of the list, and TLS is rustls with ring alone (two providers make rustls panic)";

const ALLOWED: [&str; 17] = [
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "BSL-1.0",
    "CC0-1.0",
    "Unlicense",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "CDLA-Permissive-2.0",
    "BlueOak-1.0.0",
    "MPL-2.0",
];
const ABSENT: [&str; 5] = ["aws-lc-sys", "aws-lc-rs", "openssl-sys", "openssl", "native-tls"];

/// Asks cargo for the packages that are really built on this platform.
pub fn check(root: &Path) -> Result<Vec<Finding>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let host = host(&cargo)?;
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &host])
        .current_dir(root)
        .output()
        .context("running cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    judge(&serde_json::from_slice(&output.stdout).context("reading cargo metadata")?)
}

fn host(cargo: &std::ffi::OsStr) -> Result<String> {
    let output = Command::new(cargo).arg("-vV").output().context("running cargo -vV")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context("cargo -vV names no host")?;
    Ok(host.to_owned())
}

fn judge(metadata: &Value) -> Result<Vec<Finding>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let nodes = metadata["resolve"]["nodes"].as_array().context("cargo metadata resolves nothing")?;
    let built: BTreeSet<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let mut findings = Vec::new();
    for package in packages.iter().filter(|package| package["id"].as_str().is_some_and(|id| built.contains(id))) {
        let name = package["name"].as_str().unwrap_or("?");
        let label = format!("{name} {}", package["version"].as_str().unwrap_or("?"));
        if ABSENT.contains(&name) {
            findings.push(whole("Cargo.lock", format!("{label} must not be in the tree")));
        }
        match package["license"].as_str() {
            Some(expression) if permitted(expression) => {}
            Some(expression) => findings.push(whole("Cargo.lock", format!("{label}: licence {expression} is not on the list"))),
            None => findings.push(whole("Cargo.lock", format!("{label} names no licence"))),
        }
    }
    Ok(findings)
}

/// Whether an SPDX expression can be met with allowed licences: every AND part, one OR part. `/` is an old OR.
fn permitted(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    either(&tokens, &mut at) && at == tokens.len()
}

fn either(tokens: &[&str], at: &mut usize) -> bool {
    let mut met = both(tokens, at);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        met |= both(tokens, at);
    }
    met
}

fn both(tokens: &[&str], at: &mut usize) -> bool {
    let mut met = one(tokens, at);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(tokens, at);
    }
    met
}

fn one(tokens: &[&str], at: &mut usize) -> bool {
    let Some(token) = tokens.get(*at) else { return false };
    *at += 1;
    if *token == "(" {
        let met = either(tokens, at);
        let closed = tokens.get(*at) == Some(&")");
        *at += 1;
        return met && closed;
    }
    if tokens.get(*at) == Some(&"WITH") {
        let name = format!("{token} WITH {}", tokens.get(*at + 1).unwrap_or(&""));
        *at += 2;
        return ALLOWED.contains(&name.as_str());
    }
    ALLOWED.contains(token)
}

pub fn self_test() -> Vec<String> {
    let metadata = |name: &str, licence: Value| serde_json::json!({"packages": [{"id": "a", "name": name, "version": "1.0.0", "license": licence}], "resolve": {"nodes": [{"id": "a"}]}});
    let expected = [
        ("fine", Value::from("MIT OR Apache-2.0"), 0),
        ("copyleft", Value::from("GPL-3.0-only"), 1),
        ("both-needed", Value::from("MIT AND GPL-3.0-only"), 1),
        ("none", Value::Null, 1),
        ("openssl-sys", Value::from("MIT"), 1),
    ];
    expected
        .into_iter()
        .filter_map(|(name, licence, count)| match judge(&metadata(name, licence)) {
            Ok(findings) if findings.len() == count => None,
            Ok(findings) => Some(format!("{name}: {} findings, expected {count}", findings.len())),
            Err(why) => Some(format!("{name}: {why:#}")),
        })
        .collect()
}

pub const PAGE_LICENCES: Rule = Rule {
    name: "page-licences",
    why: "what the page ships from others has a licence of the same list",
    check: |tree| {
        let mut findings = Vec::new();
        for path in ["web/package-lock.json"] {
            let Some(text) = tree.get(path) else { continue };
            let lock: BTreeMap<String, Value> = match serde_json::from_str(text) {
                Ok(lock) => lock,
                Err(why) => {
                    findings.push(whole(path, format!("cannot be read: {why}")));
                    continue;
                }
            };
            let packages = lock.get("packages").and_then(Value::as_object).into_iter().flatten();
            for (name, package) in packages.filter(|(name, package)| !name.is_empty() && package["dev"] != true) {
                match package["license"].as_str() {
                    Some(expression) if permitted(expression) => {}
                    other => findings.push(whole(path, format!("{name}: licence {} is not on the list", other.unwrap_or("(none)")))),
                }
            }
        }
        findings
    },
    good: || vec![("web/package-lock.json", lock("MIT"))],
    bad: || vec![vec![("web/package-lock.json", lock("GPL-3.0-only"))], vec![("web/package-lock.json", "{".to_owned())]],
};

fn lock(licence: &str) -> String {
    format!(r#"{{"packages": {{"": {{}}, "node_modules/a": {{"license": "{licence}"}}, "node_modules/b": {{"dev": true}}}}}}"#)
}

#[cfg(test)]
mod tests {
    use super::permitted;

    #[test]
    fn expressions_are_read() {
        for (expression, expected) in [
            ("MIT OR GPL-3.0-only", true),
            ("MIT/Apache-2.0", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("Apache-2.0 WITH LLVM-exception OR GPL-2.0", true),
            ("(MIT OR Apache-2.0) AND GPL-2.0", false),
            ("(MIT", false),
            ("", false),
            ("Apache-2.0 WITH Surprise", false),
        ] {
            assert_eq!(permitted(expression), expected, "{expression}");
        }
    }
}
