//! What [`crate::migration::locks`] says, held against what servers of version 13 to 18 did (`tests/migration/measured.json`).

use crate::migration::check::judge;
use crate::migration::script::{Script, read};
use crate::migration::{Options, VERSIONS};
use serde_json::Value;
use std::collections::BTreeMap;

const SETUP: &str = include_str!("../../../tests/migration/setup.sql");
const FORMS: &str = include_str!("../../../tests/migration/forms.sql");
const MEASURED: &str = include_str!("../../../tests/migration/measured.json");

/// (name, words, SQL) of each form.
fn forms() -> impl Iterator<Item = (&'static str, Vec<&'static str>, &'static str)> {
    FORMS.split("\n-- form ").skip(1).filter_map(|block| {
        let (head, sql) = block.split_once('\n')?;
        let mut words = head.split_whitespace();
        Some((words.next()?, words.collect(), sql))
    })
}

fn list(seen: &Value, key: &str) -> Vec<String> {
    seen[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What differs between claim and measurement.
fn differences(name: &str, words: &[&str], scripts: [&Script; 2], version: u32, seen: &Value) -> Vec<String> {
    let report = judge(&scripts, &Options::new(version));
    let newer = report.findings.iter().any(|finding| finding.rule == "syntax-too-new");
    if newer || !seen["error"].is_null() {
        let agree = newer && !seen["error"].is_null();
        return if agree { Vec::new() } else { vec![format!("{name} on {version}: too new {newer}, the server said {}", seen["error"])] };
    }
    let (mut locks, mut rewrites, mut scans) = (BTreeMap::new(), Vec::new(), Vec::new());
    for touch in report.effects.iter().filter(|effect| effect.file == "form.sql").flat_map(|effect| &effect.tables) {
        locks.insert(touch.table.clone(), touch.lock.words().to_owned());
        rewrites.extend(touch.rewrite.then(|| touch.table.clone()));
        scans.extend(touch.scan.then(|| touch.table.clone()));
    }
    let seen_locks: BTreeMap<String, String> = serde_json::from_value(seen["locks"].clone()).expect("locks");
    let mut odd = Vec::new();
    if words.contains(&"alone") {
        // Only what it waits for was seen.
        let agree = !seen_locks.is_empty() && seen_locks.iter().all(|(table, mode)| locks.get(table) == Some(mode));
        if !agree {
            odd.push(format!("{name} on {version}: locks {locks:?}, seen {seen_locks:?}"));
        }
        return odd;
    }
    if locks != seen_locks {
        odd.push(format!("{name} on {version}: locks {locks:?}, seen {seen_locks:?}"));
    }
    // TRUNCATE makes new files, but writes no rows.
    if !name.starts_with("truncate") && rewrites != list(seen, "rewrites") {
        odd.push(format!("{name} on {version}: rewrites {rewrites:?}, seen {:?}", list(seen, "rewrites")));
    }
    if !words.contains(&"rows") && scans != list(seen, "scans") {
        odd.push(format!("{name} on {version}: scans {scans:?}, seen {:?}", list(seen, "scans")));
    }
    odd
}

#[test]
fn claims_agree_with_servers_of_every_version() {
    let measured: Value = serde_json::from_str(MEASURED).expect("measured.json");
    let mut compared = 0;
    let mut odd = Vec::new();
    let setup = read("setup.sql", SETUP.as_bytes()).expect("setup.sql");
    for (name, words, sql) in forms() {
        let form = read("form.sql", sql.as_bytes()).unwrap_or_else(|places| panic!("{name}: {places:?}"));
        for version in VERSIONS {
            odd.extend(differences(name, &words, [&setup, &form], version, &measured[name][version.to_string()]));
            compared += 1;
        }
    }
    assert!(compared >= 150 * 6, "only {compared} compared");
    assert!(odd.is_empty(), "{} differ:\n{}", odd.len(), odd.join("\n"));
}
