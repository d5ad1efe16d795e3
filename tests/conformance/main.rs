//! External cases, judged by the commands as a user would run them. `make conformance` with HOLDPOINT_CORPORA=DIR, where
//! DIR/NAME/cases.json lists inputs and the verdicts that count as right. Names the cases that differ; each test says how
//! many may.

use holdpoint_testkit::command_line::CommandLine;
use serde_json::Value;
use std::path::PathBuf;

/// The cases of a corpus; `None`, said aloud, where it is not at hand.
fn corpus(name: &str) -> Option<(PathBuf, Vec<Value>)> {
    let Some(folder) = std::env::var_os("HOLDPOINT_CORPORA") else {
        eprintln!("skipped, without HOLDPOINT_CORPORA: {name}");
        return None;
    };
    let folder = PathBuf::from(folder).join(name);
    let text = std::fs::read_to_string(folder.join("cases.json")).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let cases: Vec<Value> = serde_json::from_str(&text).expect("a list of cases");
    assert!(!cases.is_empty(), "{name} has no cases");
    Some((folder, cases))
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} is missing: {case}"))
}

/// Runs every case; `right` says whether the command's result is. At most `differ` cases may differ.
fn agree(name: &str, differ: usize, args: impl Fn(&Value) -> Vec<String>, right: impl Fn(&Value, &Value, i32) -> bool) {
    let Some((folder, cases)) = corpus(name) else { return };
    let command = CommandLine::new(&folder);
    let mut odd = Vec::new();
    for case in &cases {
        let ran = command.run([vec!["--json".to_owned()], args(case)].concat());
        let said: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        if !right(case, &said, ran.code) {
            odd.push(format!("{}: expected {}, ended with {} and {}", text(case, "id"), case["expect"], ran.code, said["verdict"]));
        }
    }
    println!("{name}: {} of {} agree", cases.len() - odd.len(), cases.len());
    odd.iter().for_each(|one| println!("  {one}"));
    assert!(odd.len() <= differ, "{name}: {} of {} differ:\n{}", odd.len(), cases.len(), odd.join("\n"));
}

/// The verdict is among the expected ones; input that cannot be read counts as `unreadable`, where that is one of them.
fn verdict(case: &Value, said: &Value, code: i32, unreadable: &str) -> bool {
    let word = if code == 2 { unreadable } else { said["verdict"].as_str().unwrap_or_default() };
    case["expect"].as_array().is_some_and(|expected| expected.iter().any(|one| one == word))
}

fn words(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|&part| part.to_owned()).collect()
}

#[test]
#[ignore = "make conformance"]
fn conformance_rrule() {
    let limit = |case: &Value| case["expect"].as_array().map_or(0, Vec::len) + usize::from(case["finite"] == true);
    agree(
        "rrule",
        0,
        |case| {
            words(&[
                "calendar",
                "expand",
                "--rule",
                text(case, "rule"),
                "--start",
                text(case, "start"),
                "--limit",
                &limit(case).to_string(),
            ])
        },
        |case, said, _| said["occurrences"] == case["expect"],
    );
}

#[test]
#[ignore = "make conformance"]
fn conformance_junit() {
    agree(
        "junit",
        0,
        |case| words(&["test", "import", text(case, "file")]),
        |case, said, code| {
            let totals = case["totals"].as_array();
            let same =
                |wanted: &Value| wanted.as_object().is_some_and(|wanted| wanted.iter().all(|(key, value)| said["totals"][key] == *value));
            verdict(case, said, code, "invalid input") && totals.is_none_or(|all| all.is_empty() || all.iter().any(same))
        },
    );
}

#[test]
#[ignore = "make conformance"]
fn conformance_cyclonedx() {
    agree("cyclonedx", 0, |case| words(&["sbom", "validate", text(case, "file")]), |case, said, code| verdict(case, said, code, "invalid"));
}

#[test]
#[ignore = "make conformance"]
fn conformance_sql() {
    let args = |case: &Value| {
        let mut args = words(&["migration", "check", "--postgres", text(case, "postgres")]);
        args.extend(case["files"].as_array().into_iter().flatten().filter_map(|file| file.as_str().map(str::to_owned)));
        args.extend((case["in_transaction"] == true).then(|| "--in-transaction".to_owned()));
        args
    };
    agree("sql", 0, args, |case, said, code| verdict(case, said, code, "unreadable"));
}

#[test]
#[ignore = "make conformance"]
fn conformance_openapi() {
    let args = |case: &Value| words(&["compat", "openapi", text(case, "base"), text(case, "revision")]);
    // Two cases compare a file with itself (their test edits it in memory), one adds an `allOf` member of annotations alone.
    agree("openapi", 3, args, |case, said, code| verdict(case, said, code, "unreadable"));
}

#[test]
#[ignore = "make conformance"]
fn conformance_protobuf() {
    let args = |case: &Value| words(&["compat", "protobuf", text(case, "base"), text(case, "revision"), "--level", text(case, "level")]);
    agree("protobuf", 2, args, |case, said, code| verdict(case, said, code, "unreadable"));
}

/// The cases of sigstore/sigstore-conformance (Apache-2.0) as that repository lays them out: DIR/sigstore/bundle-verify is its
/// `test/assets/bundle-verify`, DIR/sigstore/trusted_root.json the public instance's trusted root.
#[test]
#[ignore = "make conformance"]
fn conformance_sigstore() {
    let Some(folder) = std::env::var_os("HOLDPOINT_CORPORA").map(|folder| PathBuf::from(folder).join("sigstore")) else {
        eprintln!("skipped, without HOLDPOINT_CORPORA: sigstore");
        return;
    };
    let cases = folder.join("bundle-verify");
    let Ok(entries) = std::fs::read_dir(&cases) else {
        eprintln!("skipped, without {}", cases.display());
        return;
    };
    let mut names: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    names.sort();
    assert!(names.len() >= 50, "only {} cases", names.len());
    let or = |path: PathBuf, other: PathBuf| if path.exists() { path } else { other }.display().to_string();
    let mut odd = Vec::new();
    for case in &names {
        let artifact = or(case.join("artifact"), cases.join("a.txt"));
        let mut args = words(&["--json", "evidence", "verify", "bundle.sigstore.json", "--artifact", &artifact]);
        if case.join("key.pub").exists() {
            args.extend(words(&["--key", "key.pub"]));
            args.extend(
                case.join("trusted_root.json").exists().then(|| words(&["--trusted-root", "trusted_root.json"])).into_iter().flatten(),
            );
        } else {
            let said = |name: &str, otherwise: &str| {
                std::fs::read_to_string(case.join(name)).map_or_else(|_| otherwise.to_owned(), |text| text.trim().to_owned())
            };
            let beacon = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
            let identity = said("identity", beacon);
            let issuer = said("issuer", "https://token.actions.githubusercontent.com");
            let root = or(case.join("trusted_root.json"), folder.join("trusted_root.json"));
            args.extend(words(&["--certificate-identity", &identity, "--certificate-oidc-issuer", &issuer, "--trusted-root", &root]));
        }
        let ran = CommandLine::new(case).run(args);
        let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if if name.ends_with("_fail") { !matches!(ran.code, 1 | 2) } else { ran.code != 0 } {
            odd.push(format!("{name}: ended with {}: {}", ran.code, ran.stdout));
        }
    }
    println!("sigstore: {} of {} agree", names.len() - odd.len(), names.len());
    assert!(odd.is_empty(), "{} differ:\n{}", odd.len(), odd.join("\n"));
}

/// Signed by securesystemslib and verified here, and the reverse; the statement is made and read by in-toto's own library.
/// HOLDPOINT_PYTHON is an interpreter that has `securesystemslib`, `cryptography` and `in-toto-attestation`.
#[test]
#[ignore = "make conformance"]
fn conformance_signatures_of_other_tools() {
    let python = std::env::var_os("HOLDPOINT_PYTHON").unwrap_or_else(|| "python3".into());
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("tool.py");
    std::fs::write(&script, include_str!("other_tools.py")).expect("a file");
    let python = |args: &[&str]| std::process::Command::new(&python).arg(&script).args(args).current_dir(folder.path()).output();
    match python(&["modules"]) {
        Ok(ran) if ran.status.success() => {}
        _ => {
            eprintln!("skipped, without HOLDPOINT_PYTHON that has securesystemslib, cryptography and in-toto-attestation");
            return;
        }
    }
    let python = |args: &[&str]| {
        let ran = python(args).expect("python runs");
        assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    };
    let command = CommandLine::new(folder.path());
    std::fs::write(folder.path().join("artifact"), "the artifact\n").expect("a file");
    for kind in ["ed25519", "ecdsa", "rsa"] {
        python(&["sign", kind]);
        let verify = ["evidence", "verify", "theirs.json", "--key", "key.pub", "--artifact", "artifact"];
        command.run(verify).code(0);
        if kind != "rsa" {
            command.run(["evidence", "sign", "statement.json", "--key", "key.pem", "--output", "ours.json"]).code(0);
            python(&["verify"]);
        }
    }
}
