//! `sbom create` and `sbom validate`.

use holdpoint_testkit::command_line::CommandLine;
use holdpoint_testkit::process::folder;

const LOCK: &str = r#"version = 4
[[package]]
name = "shop"
version = "1.0.0"
dependencies = ["itoa"]
[[package]]
name = "itoa"
version = "1.0.11"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "49f1f14873335454500d59611f1cf4a4b0f786f9ac11f4312a78e4cf2566695b"
"#;

#[test]
fn create_is_deterministic_and_valid() {
    let folder = folder();
    std::fs::create_dir_all(folder.path().join("api/node_modules/x")).expect("a folder");
    std::fs::write(folder.path().join("api/Cargo.lock"), LOCK).expect("a file");
    std::fs::write(folder.path().join("requirements.txt"), "flask==3.0.0\nclick>=8\n").expect("a file");
    // A copy that the lock file beside it names already.
    std::fs::write(folder.path().join("api/node_modules/x/Cargo.lock"), "broken [").expect("a file");
    let run = |args: &[&str]| CommandLine::new(folder.path()).run([&["sbom", "create", "."], args].concat());
    for spec in ["1.4", "1.5", "1.6", "1.7"] {
        let args = ["--spec", spec, "--name", "shop", "--now", "2026-01-01T00:00:00Z"];
        let first = run(&args).code(0);
        assert_eq!(first.stdout, run(&args).stdout, "{spec}");
        assert!(first.stderr.contains("requirements.txt:2: click>=8"), "{}", first.stderr);
        let validated =
            CommandLine::new(folder.path()).run_with(["--json", "sbom", "validate", "-"], first.stdout.as_bytes()).code(0).json();
        assert_eq!(validated["verdict"], "valid", "{spec}: {validated:#}");
        assert_eq!(validated["findings"], serde_json::json!([]), "{spec}");
        assert_eq!(validated["components"], 4, "{spec}");
        let document = first.json();
        let graph = document["dependencies"].as_array().expect("a graph");
        assert!(graph.iter().any(|one| one["ref"] == "own:shop@1.0.0" && one["dependsOn"][0] == "pkg:cargo/itoa@1.0.11"), "{document:#}");
        assert_eq!(document["compositions"][0]["aggregate"], "incomplete");
    }
    let said = CommandLine::new(folder.path()).run(["--json", "sbom", "create", ".", "-o", "out.json", "--complete"]).code(1).json();
    assert_eq!((said["verdict"].as_str(), said["unresolved"][0]["line"].as_u64()), (Some("incomplete"), Some(2)), "{said:#}");
}

#[test]
fn create_refuses_what_it_cannot_read() {
    let folder = folder();
    let command = CommandLine::new(folder.path());
    assert!(command.run(["sbom", "create", "."]).code(2).stderr.contains("no lock file"));
    std::fs::write(folder.path().join("Cargo.lock"), "[[package]]\nname = 3\n").expect("a file");
    assert!(command.run(["sbom", "create", "Cargo.lock"]).code(2).stderr.contains("line 2"));
    std::fs::write(folder.path().join("a.bin"), "").expect("a file");
    assert!(command.run(["sbom", "create", "a.bin"]).code(2).stderr.contains("package-lock.json"));
    assert!(command.run(["sbom", "create", ".", "--serial", "7"]).code(2).stderr.contains("UUID"));
    assert!(command.run(["sbom", "create", ".", "--now", "yesterday"]).code(2).stderr.contains("--now"));
}

#[test]
fn validate_names_rule_place_and_line() {
    let folder = folder();
    let text = "{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.6\", \"components\": [\n  {\"type\": \"library\", \"name\": \"a\", \"bom-ref\": \"a\"},\n  {\"type\": \"thing\", \"name\": \"b\", \"bom-ref\": \"a\"}]}";
    std::fs::write(folder.path().join("bom.json"), text).expect("a file");
    let command = CommandLine::new(folder.path());
    let said = command.run(["--json", "sbom", "validate", "bom.json", "--sarif", "out.sarif"]).code(1).json();
    let found: Vec<(&str, u64)> = said["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|one| (one["rule"].as_str().unwrap_or_default(), one["line"].as_u64().unwrap_or_default()))
        .collect();
    assert_eq!((said["verdict"].as_str(), found), (Some("invalid"), vec![("ref-twice", 3), ("not-in-list", 3)]), "{said:#}");
    let sarif = std::fs::read_to_string(folder.path().join("out.sarif")).expect("SARIF");
    assert!(sarif.contains("\"startLine\": 3"), "{sarif}");
}

/// Depth, repeated keys and a million components end by limit or in bounded time.
#[test]
fn hostile_documents_are_refused() {
    let folder = folder();
    let command = CommandLine::new(folder.path());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(command.run_with(["sbom", "validate", "-"], deep.as_bytes()).code(2).stderr.contains("deeper"));
    let twice = r#"{"bomFormat": "CycloneDX", "bomFormat": "CycloneDX"}"#;
    assert!(command.run_with(["sbom", "validate", "-"], twice.as_bytes()).code(2).stderr.contains("twice"));
    assert!(command.run_with(["sbom", "validate", "-"], b"<bom/>").code(2).stderr.contains("line 1"));
}

/// Allowed, an exception that holds, one that expired, and a policy that is wrong.
#[test]
fn licences_are_judged_by_a_policy() {
    let folder = folder();
    let lock = r#"{"lockfileVersion": 3, "packages": {"": {"name": "shop"},
        "node_modules/a": {"version": "1.0.0", "license": "MIT OR GPL-3.0-only"},
        "node_modules/b": {"version": "2.0.0", "license": "ISC"},
        "node_modules/c": {"version": "3.0.0"}}}"#;
    std::fs::write(folder.path().join("package-lock.json"), lock).expect("a file");
    let exception = |package: &str| format!("{{package: 'pkg:npm/{package}', reason: replaced soon, by: grace, expires: 2026-06-30}}");
    let policy = format!("allow: [MIT]\nexceptions: [{}, {}]\n", exception("b"), exception("c"));
    std::fs::write(folder.path().join("policy.yaml"), policy).expect("a file");
    std::fs::write(folder.path().join("wrong.yaml"), "allow: [MTI]\n").expect("a file");
    let command = CommandLine::new(folder.path());
    let run = |policy: &str, now: &str| {
        command.run(["--json", "scan", "licenses", "package-lock.json", "--policy", policy, "--now", now, "--sarif", "out.sarif"])
    };
    let said = run("policy.yaml", "2026-06-30T23:59:59Z").code(0).json();
    assert_eq!((said["verdict"].as_str(), said["components"].as_u64()), (Some("clean"), Some(3)), "{said:#}");
    let said = run("policy.yaml", "2026-07-01T00:00:00Z").code(1).json();
    let rules: Vec<&str> = said["findings"].as_array().into_iter().flatten().filter_map(|one| one["rule"].as_str()).collect();
    assert_eq!((said["verdict"].as_str(), rules), (Some("found"), vec!["licence-not-allowed", "licence-unknown"]), "{said:#}");
    assert_eq!(said["findings"][0]["exception_expired"], "2026-06-30");
    assert!(std::fs::read_to_string(folder.path().join("out.sarif")).expect("SARIF").contains("licence-unknown"));
    assert!(run("wrong.yaml", "2026-07-01T00:00:00Z").code(2).stderr.contains("\"MTI\" is no identifier"));
}
