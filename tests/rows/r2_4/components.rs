//! 2.4 Security scanning, components: an SBOM is evidence, and it has a half-life. What was approved shuts again by itself when
//! an advisory arrives, a waiver ends or the database grows old.

use holdpoint_testkit::{Browser, eventually, needs};
use holdpoint_tests::{Organisation, Program, Release, SOON, World};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const RULES: &str = "    gates:\n      previous: false\n      vulnerabilities: {max: {critical: 0, high: 0}, max-age: 7d}\n      approvals: [{role: release-manager, count: 1}]\n";

fn judged() -> World {
    World::with(Organisation { production: RULES.to_owned(), ..Organisation::open() })
}

/// A record about left-pad below 1.3.0, or about something that nobody has.
fn advisory(id: &str, package: &str, vector: &str) -> Vec<u8> {
    json!({
        "schema_version": "1.6.0", "id": id, "modified": "2026-11-01T00:00:00Z", "published": "2026-11-01T00:00:00Z",
        "summary": "pads without end", "severity": [{"type": "CVSS_V3", "score": vector}],
        "affected": [{"package": {"ecosystem": "npm", "name": package},
                      "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.3.0"}]}]}],
    })
    .to_string()
    .into_bytes()
}

const HIGH: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H";

fn sbom(version: &str) -> Vec<u8> {
    json!({
        "bomFormat": "CycloneDX", "specVersion": "1.6",
        "components": [
            {"type": "library", "bom-ref": "a", "name": "left-pad", "version": version, "purl": format!("pkg:npm/left-pad@{version}")},
            {"type": "library", "bom-ref": "b", "name": "ms", "version": "2.1.2", "purl": "pkg:npm/ms@2.1.2"},
        ],
    })
    .to_string()
    .into_bytes()
}

fn send(world: &World, whole: bool, bytes: Vec<u8>) -> Value {
    world.api("robot").upload("POST", &format!("/v1/advisories?whole={whole}"), "application/octet-stream", bytes).ok()
}

fn add(world: &World, release: &Release, version: &str) {
    let path = format!("/v1/evidence?kind=cyclonedx&subject={}", release.digest);
    world.api("robot").upload("POST", &path, "application/json", sbom(version)).ok();
}

fn gate(world: &World, release: &Release) -> (String, String, String) {
    let gate = world.gate(release, "production", "vulnerabilities");
    let text = |key: &str| gate[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("code"), text("sentence"))
}

fn becomes(world: &World, release: &Release, state: &str) -> (String, String, String) {
    eventually(&format!("the gate is {state}"), SOON, || Some(gate(world, release)).filter(|gate| gate.0 == state))
}

/// RFC 3339 of a moment so many seconds from now.
fn in_seconds(more: u64) -> String {
    let said = std::process::Command::new("date").args(["-u", "-d", &format!("+{more} seconds"), "+%FT%TZ"]).output().expect("date starts");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

/// Approved, and shut again within a second of the advisory's arrival; the approval counts no more.
#[test]
fn api_a_new_advisory_shuts_what_was_approved() {
    let world = judged();
    let release = world.bare_release(&Program::new("1.0.0"));
    send(&world, true, advisory("GHSA-other", "right-pad", HIGH));
    add(&world, &release, "1.2.0");
    assert!(becomes(&world, &release, "open").2.contains("2 components within the budget"));
    world.approve("grace", &release, "production");
    assert_eq!(world.gate(&release, "production", "approval")["state"], "open");
    send(&world, false, advisory("GHSA-left", "left-pad", HIGH));
    let begun = Instant::now();
    let (_, code, sentence) = becomes(&world, &release, "shut");
    assert!(begun.elapsed() < Duration::from_secs(1), "it took {:?}", begun.elapsed());
    assert_eq!(code, "VULN-002");
    assert!(sentence.contains("1 high (0 allowed): new advisory GHSA-left in left-pad@1.2.0, fixed in 1.3.0"), "{sentence}");
    assert_ne!(world.gate(&release, "production", "approval")["state"], "open", "what was approved is not what is there");
    world.cli("grace").run(["release", "deploy", &release.id, "--to", "production"]).code(1);
    assert!(world.runs(&release, "production").is_empty());
    // Withdrawn, it opens again.
    let mut gone: Value = serde_json::from_slice(&advisory("GHSA-left", "left-pad", HIGH)).expect("JSON");
    gone["withdrawn"] = json!("2026-11-02T00:00:00Z");
    send(&world, false, gone.to_string().into_bytes());
    becomes(&world, &release, "open");
}

/// A waiver counts until its end, and not where an author of the release gave it.
#[test]
fn cli_a_waiver_ends_by_itself() {
    let world = judged();
    let release = world.bare_release(&Program::new("1.0.0"));
    let file = |name: &str, bytes: Vec<u8>| {
        let path = world.folder().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path.display().to_string()
    };
    let database = file("osv.json", advisory("GHSA-left", "left-pad", HIGH));
    assert!(world.cli("robot").run(["advisories", "send", "--whole", &database]).code(0).stdout.contains("1 records"));
    let bom = file("bom.json", sbom("1.2.0"));
    world.cli("robot").run(["evidence", "add", "--kind", "cyclonedx", "--subject", &release.digest, &bom]).code(0);
    assert_eq!(becomes(&world, &release, "shut").1, "VULN-002");
    let waive = |who: &str, until: &str| {
        world.cli(who).run(["waiver", "grant", "ghsa-LEFT", "--package", "pkg:npm/left-pad", "--until", until, "--reason", "not reachable"])
    };
    waive("ada", &in_seconds(3600)).code(0);
    assert_eq!(gate(&world, &release).0, "shut", "Ada made this release");
    waive("linus", &in_seconds(3600)).code(4);
    waive("grace", "2020-01-01T00:00:00Z").code(1);
    let until = in_seconds(3);
    waive("grace", &until).code(0);
    let (state, _, sentence) = gate(&world, &release);
    assert!(state == "open" && sentence.contains("1 waived"), "{state}: {sentence}");
    let (_, code, sentence) = becomes(&world, &release, "shut");
    assert!(code == "VULN-002" && sentence.contains("waiver ended: ghsa-LEFT"), "{code}: {sentence}");
    assert!(world.cli("mary").run(["waiver", "list"]).code(0).stdout.contains("expired"));
    // Borne anew and approved, it is deployed.
    waive("grace", &in_seconds(3600)).code(0);
    world.approve("grace", &release, "production");
    world.deployed("grace", &release, "production");
    assert_eq!(world.answers("production"), "1.0.0");
}

#[test]
fn page_shows_components_weaknesses_and_waivers() {
    needs!("chromium");
    let world = judged();
    let browser = Browser::start();
    let release = world.bare_release(&Program::new("1.0.0"));
    send(&world, true, advisory("GHSA-left", "left-pad", HIGH));
    add(&world, &release, "1.2.0");
    becomes(&world, &release, "shut");
    let body = json!({"advisory": "GHSA-left", "package": "left-pad", "until": in_seconds(3600), "reason": "padded by <b>hand</b>"});
    world.api("grace").post("/v1/waivers", &body).ok();
    let page = world.page(&browser, "mary");
    page.goto(&format!("/releases/{}/weaknesses", release.id));
    for text in ["CycloneDX 1.6", "GHSA-left", "left-pad 1.2.0", "1.3.0", "by grace", "padded by <b>hand</b>"] {
        page.sees(text);
    }
    page.portrait("weaknesses");
    page.goto(&format!("/releases/{}", release.id));
    page.sees("Manifest");
    page.tab_to("Weaknesses", 80);
    page.press("Enter");
    page.sees("Components and weaknesses");
}

#[test]
fn refuses_what_is_missing_old_or_no_list() {
    let mut world = judged();
    let release = world.bare_release(&Program::new("1.0.0"));
    let report = world.gates(&release, "production");
    let codes: Vec<&str> = report["gates"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|gate| gate["gate"] == "vulnerabilities")
        .flat_map(|gate| gate["atoms"].as_array().into_iter().flatten())
        .filter_map(|atom| atom["code"].as_str())
        .collect();
    assert_eq!(codes, ["VULN-003", "VULN-001"], "neither a database nor a list");
    let path = format!("/v1/evidence?kind=cyclonedx&subject={}", release.digest);
    let put = |bytes: &[u8]| world.api("robot").upload("POST", &path, "application/json", bytes.to_vec());
    put(b"{}").refused("EVD-004");
    put(br#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "a"}]}"#).refused("EVD-004");
    put("[".repeat(100_000).as_bytes()).refused("EVD-004");
    let deliver =
        |who: &str, bytes: &[u8]| world.api(who).upload("POST", "/v1/advisories?whole=true", "application/octet-stream", bytes.to_vec());
    deliver("robot", b"no advisory").refused("VULN-006");
    deliver("robot", b"PK\x03\x04").refused("VULN-006");
    assert_eq!(deliver("linus", &advisory("GHSA-1", "a", HIGH)).status, 403);
    // A single record makes no database: what it does not name was not looked for.
    send(&world, false, advisory("GHSA-1", "a", HIGH));
    add(&world, &release, "1.3.0");
    let (state, code, sentence) = becomes(&world, &release, "shut");
    assert!(code == "VULN-003" && sentence.contains("no database"), "{state} {code} {sentence}");
    send(&world, true, advisory("GHSA-1", "a", HIGH));
    becomes(&world, &release, "open");
    world.reorganise(|organisation| organisation.production = RULES.replace("max-age: 7d", "max-age: 1s"));
    let again = world.bare_release(&Program::new("1.1.0"));
    add(&world, &again, "1.3.0");
    // Older than a second by then.
    std::thread::park_timeout(Duration::from_millis(1100));
    let (_, code, sentence) = becomes(&world, &again, "shut");
    assert!(code == "VULN-003" && sentence.contains("older than 1s"), "{code} {sentence}");
}
