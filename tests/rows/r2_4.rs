//! 2.4 Security scanning (first depth): SARIF of a required tool within a budget; a missing result shuts.

mod components;

use holdpoint_testkit::{Browser, needs};
use holdpoint_tests::{Organisation, Program, Release, World, sarif};

fn scanned() -> World {
    let production = "    gates: {previous: false, scan: {tools: [weasel], max: {error: 1}, max-age: 7d}}\n".to_owned();
    World::with(Organisation { production, ..Organisation::open() })
}

fn add(world: &World, release: &Release, tool: &str, errors: u32, code: i32) {
    let file = world.folder().join("scan.sarif");
    std::fs::write(&file, sarif(tool, errors)).expect("a log");
    let args = ["evidence", "add", "--kind", "sarif", "--subject", &release.digest, &file.display().to_string()];
    world.cli("robot").run(args).code(code);
}

/// Over the budget, then within it.
#[test]
fn cli_a_scan_over_the_budget_shuts() {
    let world = scanned();
    let release = world.bare_release(&Program::new("1.0.0"));
    add(&world, &release, "weasel", 3, 0);
    let gate = world.gate(&release, "production", "scan");
    assert_eq!((gate["state"].as_str(), gate["code"].as_str()), (Some("shut"), Some("SCAN-002")), "{gate:#}");
    assert!(
        gate["sentence"].as_str().unwrap_or_default().contains("2 findings above the budget (error: 3 found, 1 allowed) weasel"),
        "{gate:#}"
    );
    add(&world, &release, "weasel", 1, 0);
    assert_eq!(world.gate(&release, "production", "scan")["state"], "open");
    world.deployed("grace", &release, "production");
    assert_eq!(world.answers("production"), "1.0.0");
}

/// A scan of the manifest speaks for every component; the places are told.
#[test]
fn api_a_scan_of_the_manifest_counts_for_all() {
    let world = scanned();
    let release = world.bare_release(&Program::new("1.0.0"));
    let path = format!("/v1/evidence?kind=sarif&subject={}", release.manifest);
    world.api("robot").upload("POST", &path, "application/json", sarif("weasel", 2)).ok();
    let said = world.cli("mary").run(["gate", "explain", &release.id, "production"]).code(1).stdout;
    assert!(said.contains("SCAN-002") && said.contains("src/parcel.py:10"), "{said}");
    world.api("robot").upload("POST", &path, "application/json", sarif("weasel", 0)).ok();
    world.cli("mary").run(["gate", "explain", &release.id, "production"]).code(0);
}

#[test]
fn page_names_the_findings() {
    needs!("chromium");
    let world = scanned();
    let browser = Browser::start();
    let release = world.bare_release(&Program::new("1.0.0"));
    add(&world, &release, "weasel", 2, 0);
    let page = world.page(&browser, "mary");
    page.goto(&format!("/releases/{}/gates?environment=production", release.id));
    page.sees("one finding above the budget");
    page.sees("src/parcel.py:10");
    page.is_sound();
    page.goto(&format!("/releases/{}/evidence", release.id));
    page.sees("weasel 1.2.3: 2 error");
    page.is_sound();
}

#[test]
fn refuses_a_missing_or_foreign_scan() {
    let world = scanned();
    let release = world.bare_release(&Program::new("1.0.0"));
    assert_eq!(world.gate(&release, "production", "scan")["code"], "SCAN-001");
    // Another tool's word, or a log of an unsuccessful run, is no result.
    add(&world, &release, "ferret", 0, 0);
    assert_eq!(world.gate(&release, "production", "scan")["code"], "SCAN-001");
    let failed = r#"{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "weasel"}}, "invocations": [{"executionSuccessful": false}], "results": []}]}"#;
    let path = format!("/v1/evidence?kind=sarif&subject={}", release.digest);
    let send = |text: &str| world.api("robot").upload("POST", &path, "application/json", text.as_bytes().to_vec());
    send(failed).refused("EVD-004");
    send(r#"{"version": "2.1.0", "runs": []}"#).refused("EVD-004");
    send("{").refused("EVD-004");
    assert_eq!(world.gate(&release, "production", "scan")["code"], "SCAN-001");
    world.cli("grace").run(["release", "deploy", &release.id, "--to", "production"]).code(1);
    assert!(world.runs(&release, "production").is_empty());
}
