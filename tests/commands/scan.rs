//! `scan vulnerabilities` and `scan secrets`, as a pipeline runs them.

use holdpoint_testkit::command_line::{CommandLine, Output};
use holdpoint_testkit::process::folder;
use serde_json::{Value, json};
use std::path::Path;

const NOW: &str = "2026-11-25T00:00:00Z";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn record(id: &str, name: &str, fixed: &str, severity: &str) -> String {
    json!({"id": id, "modified": "2026-11-20T00:00:00Z", "summary": "It breaks", "aliases": [format!("CVE-{name}")],
           "affected": [{"package": {"ecosystem": "npm", "name": name},
                         "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": fixed}]}]}],
           "database_specific": {"severity": severity}})
    .to_string()
}

fn bom(purls: &[&str]) -> String {
    let components: Vec<Value> = purls.iter().map(|purl| json!({"type": "library", "name": "x", "bom-ref": purl, "purl": purl})).collect();
    json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components}).to_string()
}

/// A folder with a bill of two components and a database with an advisory for one of them.
fn stage() -> tempfile::TempDir {
    let folder = folder();
    write(folder.path(), "osv/npm/GHSA-1.json", &record("GHSA-1", "lodash", "4.17.21", "HIGH"));
    write(folder.path(), "osv/npm/GHSA-2.json", &record("GHSA-2", "minimist", "1.2.6", "CRITICAL"));
    write(folder.path(), "bom.json", &bom(&["pkg:npm/lodash@4.17.20", "pkg:npm/minimist@1.2.8"]));
    folder
}

fn scan(folder: &Path, args: &[&str]) -> Output {
    let all = ["--json", "scan", "vulnerabilities", "bom.json", "--now", NOW].into_iter().chain(args.iter().copied());
    CommandLine::new(folder).run(all)
}

#[test]
fn vulnerable_with_the_fix_and_clean_within_the_budget() {
    let folder = stage();
    let said = scan(folder.path(), &["--advisories", "osv"]).code(1).json();
    assert_eq!(said["verdict"], "vulnerable", "{said:#}");
    assert_eq!(said["findings"].as_array().map(Vec::len), Some(1), "{said:#}");
    let finding = &said["findings"][0];
    assert_eq!(
        (&finding["ids"], &finding["fixed"], &finding["severity"]),
        (&json!(["GHSA-1", "CVE-lodash"]), &json!("4.17.21"), &json!("high"))
    );
    let said = scan(folder.path(), &["--advisories", "osv", "--max", "critical=0,high=1"]).code(0).json();
    assert_eq!((&said["verdict"], &said["counts"]["high"]), (&json!("clean"), &json!(1)));
    scan(folder.path(), &["--advisories", "osv", "--max", "critical=0,high=0"]).code(1);
    let ran = scan(folder.path(), &["--advisories", "osv", "--max", "severe=1"]).code(2);
    assert!(ran.stderr.contains("critical, high, medium"), "{ran}");
}

#[test]
fn the_index_is_kept_and_built_anew_when_the_database_changes() {
    let folder = stage();
    let args = ["--advisories", "osv", "--index", "osv.index"];
    let first = scan(folder.path(), &args).code(1).json();
    let kept = std::fs::read(folder.path().join("osv.index")).expect("an index");
    let second = scan(folder.path(), &args).code(1);
    assert_eq!(second.json(), first);
    assert!(!second.stderr.contains("anew"), "{second}");
    // Alone it stands for the database.
    assert_eq!(scan(folder.path(), &["--index", "osv.index"]).code(1).json(), first);
    write(folder.path(), "osv/npm/GHSA-3.json", &record("GHSA-3", "minimist", "2.0.0", "LOW"));
    let third = scan(folder.path(), &args).code(1);
    assert!(third.stderr.contains("has changed since"), "{third}");
    assert_eq!(third.json()["findings"].as_array().map(Vec::len), Some(2));
    assert_ne!(std::fs::read(folder.path().join("osv.index")).expect("an index"), kept);
    // A damaged one is not believed.
    let mut damaged = kept;
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(folder.path().join("osv.index"), damaged).expect("a file");
    assert_eq!(scan(folder.path(), &["--index", "osv.index"]).code, 2);
    assert_eq!(scan(folder.path(), &args).code(1).json(), third.json());
}

#[test]
fn a_database_that_is_old_or_empty_or_broken_is_no_pass() {
    let folder = stage();
    write(folder.path(), "bom.json", &bom(&["pkg:npm/minimist@1.2.8"]));
    let args = |age: &'static str| scan(folder.path(), &["--advisories", "osv", "--max-age", age]);
    assert_eq!(args("7d").code(0).json()["verdict"], "clean");
    let said = args("4d").code(1).json();
    assert_eq!((&said["verdict"], &said["findings"][0]["rule"]), (&json!("stale"), &json!("database-too-old")), "{said:#}");
    std::fs::create_dir(folder.path().join("empty")).expect("a folder");
    let ran = scan(folder.path(), &["--advisories", "empty"]).code(2);
    assert!(ran.stderr.contains("empty: no advisories"), "{ran}");
    write(folder.path(), "osv/npm/broken.json", "{\"id\": 1}");
    let ran = scan(folder.path(), &["--advisories", "osv"]).code(2);
    assert!(ran.stderr.contains("broken.json") && ran.stderr.contains("not an OSV record"), "{ran}");
}

#[test]
fn vex_and_waivers_answer_until_they_do_not() {
    let folder = stage();
    let statement = |status: &str, why: Value| {
        json!({"@context": "https://openvex.dev/ns/v0.2.0", "author": "grace", "timestamp": NOW,
               "statements": [{"vulnerability": {"name": "CVE-lodash"}, "products": [{"@id": "pkg:npm/lodash"}], "status": status,
                               "impact_statement": why}]})
        .to_string()
    };
    write(folder.path(), "vex.json", &statement("not_affected", json!("the function is never called")));
    let said = scan(folder.path(), &["--advisories", "osv", "--vex", "vex.json"]).code(0).json();
    assert_eq!(said["suppressed"][0]["vex"]["justification"], "the function is never called", "{said:#}");
    write(folder.path(), "vex.json", &statement("under_investigation", Value::Null));
    scan(folder.path(), &["--advisories", "osv", "--vex", "vex.json"]).code(1);

    let waiver = |expires: &str| {
        format!("waivers:\n  - {{id: GHSA-1, package: 'pkg:npm/lodash', reason: accepted, by: grace, expires: {expires}}}\n")
    };
    write(folder.path(), "waivers.yaml", &waiver("2026-11-25"));
    let said = scan(folder.path(), &["--advisories", "osv", "--waivers", "waivers.yaml"]).code(0).json();
    assert_eq!(said["suppressed"][0]["waiver"]["by"], "grace", "{said:#}");
    write(folder.path(), "waivers.yaml", &waiver("2026-11-24"));
    let said = scan(folder.path(), &["--advisories", "osv", "--waivers", "waivers.yaml"]).code(1).json();
    assert!(said["findings"][0]["message"].as_str().is_some_and(|text| text.contains("expired on 2026-11-24")), "{said:#}");
}

#[test]
fn what_cannot_be_read_is_bad_input() {
    let folder = stage();
    for (text, wanted) in [("{\"bomFormat\": \"CycloneDX\", \"components\": [", "line 1"), ("hello", "bom.json")] {
        write(folder.path(), "bom.json", text);
        let ran = scan(folder.path(), &["--advisories", "osv"]).code(2);
        assert!(ran.stderr.contains(wanted), "{ran}");
    }
    write(folder.path(), "bom.json", &bom(&["pkg:npm/lodash@file:x"]));
    let said = scan(folder.path(), &["--advisories", "osv"]).code(1).json();
    assert_eq!((&said["findings"][0]["rule"], &said["findings"][0]["severity"]), (&json!("version-not-comparable"), &json!("unknown")));
}

/// A token that has GitHub's checksum, put together so that no scanner finds it here.
fn token() -> String {
    ["ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"].concat()
}

fn secrets(folder: &Path, args: &[&str]) -> Output {
    CommandLine::new(folder).run(["--json", "scan", "secrets"].into_iter().chain(args.iter().copied()))
}

#[test]
fn secrets_are_found_masked_and_never_shown() {
    let folder = folder();
    write(folder.path(), "app/deploy.sh", &format!("#!/bin/sh\ncurl -H 'Authorization: token {}' x\n", token()));
    write(folder.path(), "app/blob.bin", &format!("\0{}", token()));
    let ran = secrets(folder.path(), &["app", "--sarif", "s.sarif", "--html", "s.html"]).code(1);
    let said = ran.json();
    assert_eq!((&said["verdict"], &said["skipped"]["binary"]), (&json!("found"), &json!(1)), "{said:#}");
    let finding = &said["findings"][0];
    assert_eq!((&finding["rule"], &finding["file"], &finding["line"]), (&json!("github-token"), &json!("app/deploy.sh"), &json!(2)));
    for file in ["s.sarif", "s.html"] {
        let text = std::fs::read_to_string(folder.path().join(file)).expect("a report");
        assert!(text.contains("github-token") && !text.contains(&token()[4..12]), "{file}");
    }
    assert!(!ran.stdout.contains(&token()[4..12]) && !ran.stderr.contains(&token()[4..12]));
    write(folder.path(), "app/deploy.sh", "#!/bin/sh\n");
    assert_eq!(secrets(folder.path(), &["app"]).code(0).json()["verdict"], "clean");
    secrets(folder.path(), &["missing"]).code(2);
}

#[test]
fn a_baseline_answers_until_it_expires() {
    let folder = folder();
    write(folder.path(), "app/x.sh", &token());
    let write_it = ["app", "--write-baseline", "known.yaml", "--reason", "rotated", "--by", "grace", "--expires", "2026-12-31"];
    secrets(folder.path(), &write_it).code(0);
    let at = |now: &'static str| secrets(folder.path(), &["app", "--baseline", "known.yaml", "--now", now]);
    let said = at("2026-12-31T12:00:00Z").code(0).json();
    assert_eq!((&said["suppressed"][0]["by"], &said["suppressed"][0]["path"]), (&json!("grace"), &json!("x.sh")), "{said:#}");
    let said = at("2027-01-01T00:00:00Z").code(1).json();
    assert!(said["findings"][0]["message"].as_str().is_some_and(|text| text.contains("expired on 2026-12-31")), "{said:#}");
}

#[test]
fn history_names_commit_author_and_date() {
    let folder = folder();
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.arg("-C").arg(folder.path()).args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]).args(args);
        command.env("GIT_AUTHOR_DATE", "2026-03-01T10:00:00Z").env("GIT_COMMITTER_DATE", "2026-03-01T10:00:00Z");
        let output = command.output().expect("git runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "--quiet"]);
    write(folder.path(), "src/a $(x).sh", &format!("one\ntwo {}\n", token()));
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "in"]);
    let commit = git(&["rev-parse", "HEAD"]);
    write(folder.path(), "src/a $(x).sh", "one\n");
    git(&["commit", "--quiet", "--all", "--message", "out"]);
    assert_eq!(secrets(folder.path(), &["."]).code(0).json()["verdict"], "clean");
    let said = secrets(folder.path(), &[".", "--history"]).code(1).json();
    let finding = &said["findings"][0];
    assert_eq!(
        (&finding["commit"], &finding["date"], &finding["line"]),
        (&json!(commit), &json!("2026-03-01T10:00:00Z"), &json!(2)),
        "{said:#}"
    );
    assert_eq!((&finding["author"], &finding["file"]), (&json!("Ada <ada@example.com>"), &json!("src/a $(x).sh")), "{said:#}");
    assert_eq!((&finding["in_tree"], &said["commits"]), (&json!(false), &json!(2)));
    // A range, and one that would be an option.
    assert_eq!(secrets(folder.path(), &[".", "--history", "--range", "HEAD~1..HEAD"]).code(0).json()["commits"], 1);
    secrets(folder.path(), &[".", "--history", "--range=--output=x"]).code(2);
    assert!(!folder.path().join("x").exists());
}

#[test]
fn the_own_repository_is_judged_by_its_commit() {
    let folder = folder();
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.arg("-C").arg(folder.path()).args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]).args(args);
        let output = command.output().expect("git runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    git(&["init", "--quiet"]);
    let commit = |message: &str| {
        git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        git(&["rev-parse", "HEAD"])
    };
    let (first, fixed) = (commit("one"), commit("two"));
    write(folder.path(), "bom.json", &bom(&[]));
    let advisory = json!({"id": "OSV-1", "modified": "2026-11-20T00:00:00Z", "affected": [{"ranges": [
        {"type": "GIT", "repo": "https://github.com/a/b", "events": [{"introduced": first}, {"fixed": fixed}]}]}]});
    write(folder.path(), "osv/OSV-1.json", &advisory.to_string());
    let args = ["--advisories", "osv", "--repository", "git@github.com:a/b.git", "--clone", ".", "--commit"];
    let judged = |commit: &str| scan(folder.path(), &args.iter().copied().chain([commit]).collect::<Vec<_>>());
    assert_eq!(judged("HEAD").code(0).json()["verdict"], "clean");
    assert_eq!(judged("HEAD~1").code(1).json()["findings"][0]["id"], "OSV-1");
    judged("--output=x").code(2);
}
