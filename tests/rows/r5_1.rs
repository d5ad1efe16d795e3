//! 5.1 Approvals: a quorum by role, bound to content, never by an author.

use holdpoint_testkit::{Browser, needs};
use holdpoint_tests::{Organisation, Program, Release, World};
use serde_json::{Value, json};

fn tested() -> (World, Release) {
    let world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    world.deployed("ada", &release, "test");
    (world, release)
}

/// After signing in with a password; what was shown is what is approved.
#[test]
fn cli_approves_after_showing_what() {
    let (world, release) = tested();
    world.person("grace");
    let home = world.folder().join("grace");
    std::fs::create_dir_all(&home).expect("a folder");
    let cli = world.server.cli(None).env("HOLDPOINT_CREDENTIALS", &home.join("credentials.json").display().to_string());
    cli.run_with(["login", "grace"], holdpoint_testkit::holdpoint::PASSWORD.as_bytes()).code(0);
    // Nothing is sent without a yes.
    let asked = cli.run(["release", "approve", &release.id, "--environment", "production"]).code(2);
    assert!(asked.stderr.contains(&release.manifest) && asked.stderr.contains(&release.digest), "it shows the digests: {asked}");
    assert_eq!(world.view(&release)["approvals"], json!([]));
    cli.run(["release", "approve", &release.id, "--environment", "production", "--comment", "read it", "--yes"]).code(0);
    let vote = world.view(&release)["approvals"][0].clone();
    assert_eq!((vote["handle"].as_str(), vote["valid"].as_bool(), vote["comment"].as_str()), (Some("grace"), Some(true), Some("read it")));
    assert_eq!(world.gate(&release, "production", "approval")["state"], "open");
}

/// The quorum counts persons and their roles; a change of content voids what was said before.
#[test]
fn api_a_change_voids_approvals() {
    let (world, release) = tested();
    world.approve("grace", &release, "production");
    assert_eq!(world.gates(&release, "production")["verdict"], "open");
    // Configuration is content.
    let linus = world.api("linus");
    let tag = format!("\"{}\"", release.manifest);
    let amended = linus.patch(&format!("/v1/releases/{}", release.id), &json!({"config": {"greeting": "hello"}}), &tag).ok();
    assert_ne!(amended["manifest_digest"], release.manifest.as_str());
    let said = world.cli("mary").run(["--json", "gate", "explain", &release.id, "production"]).code(1).json();
    let gate = said["gates"].as_array().into_iter().flatten().find(|gate| gate["gate"] == "approval").cloned().unwrap_or_default();
    assert_eq!((gate["state"].as_str(), gate["code"].as_str()), (Some("waiting"), Some("GOV-005")), "{gate:#}");
    // So is evidence.
    let again = world.release(&Program::new("2.0.0"));
    world.approve("grace", &again, "production");
    assert_eq!(world.gate(&again, "production", "approval")["state"], "open");
    world.unit_tests(&again, 8, 0);
    assert_eq!(world.gate(&again, "production", "approval")["code"], "GOV-006");
    let types = world.sealed(&format!("release/{}", release.id), "ManifestAmended");
    assert!(types.iter().any(|one| one == "ApprovalGiven"), "what was said stays on record: {types:?}");
}

/// Two of a role are two persons, also when one of them says it twice through two doors.
#[test]
fn api_a_quorum_counts_persons() {
    let production = "    gates: {previous: false, approvals: [{role: release-manager, count: 2}]}\n".to_owned();
    let more = "person: hedy\nname: Hedy\nroles: [release-manager]\n".to_owned();
    let world = World::with(Organisation { production, more, ..Organisation::open() });
    let release = world.bare_release(&Program::new("1.0.0"));
    world.approve("grace", &release, "production");
    let report = world.gates(&release, "production");
    let body = json!({"environment": "production", "manifest_digest": report["manifest_digest"], "evidence_root": report["evidence_root"], "comment": "again"});
    world.api("grace").post(&format!("/v1/releases/{}/approvals", release.id), &body).ok();
    assert_eq!(world.gate(&release, "production", "approval")["sentence"], "1 of 2 approvals by release-manager");
    world.approve("hedy", &release, "production");
    assert_eq!(world.gate(&release, "production", "approval")["state"], "open");
    // A rejection shuts whatever the others said; taken back, it does not.
    world.vote("hedy", &release, "production", "rejections").ok();
    assert_eq!(world.gate(&release, "production", "approval")["code"], "GOV-009");
}

/// By keyboard alone, from the board to the vote; the API counts it.
#[test]
fn page_completes_an_approval_by_keyboard() {
    needs!("chromium");
    let (world, release) = tested();
    let browser = Browser::start();
    let page = world.page(&browser, "grace");
    page.goto("/");
    page.sees_element("link", "Gates of web 1.0.0 before production");
    // g r: releases; j: the first row; Enter opens it.
    page.press("g");
    page.press("r");
    page.sees_element("heading", "Releases");
    page.sees_element("link", "web 1.0.0");
    page.press("j");
    assert_eq!(page.focused(), "web 1.0.0");
    page.press("Enter");
    page.sees("Gates before production");
    page.portrait("release");
    page.viewport(320, 700);
    page.is_sound();
    page.viewport(1440, 900);
    page.tab_to("Approvals 0", 80);
    page.press("Enter");
    page.sees("Your word on production");
    page.press("a");
    page.sees("Approve web 1.0.0 for production");
    page.sees(&release.manifest);
    page.is_sound();
    page.tab_to("Approve exactly this", 40);
    page.press("Enter");
    page.sees("You have approved this for production.");
    page.sees("Approved, valid");
    let vote = world.view(&release)["approvals"][0].clone();
    assert_eq!((vote["handle"].as_str(), vote["valid"].as_bool()), (Some("grace"), Some(true)));
}

/// Who may not is told so on the page, before and after trying.
#[test]
fn page_tells_the_author_why_not() {
    needs!("chromium");
    let (world, release) = tested();
    let browser = Browser::start();
    let page = world.page(&browser, "ada");
    page.goto(&format!("/releases/{}/approvals?environment=production", release.id));
    page.sees("Your word on production");
    assert!(page.is_disabled("button", "Approve…"));
    let why = page.description("button", "Approve…");
    assert!(why.contains("self-approval: you edited its manifest"), "{why}");
    page.press("a");
    assert_eq!(page.count("dialog", None), 0);
    assert_eq!(world.view(&release)["approvals"], json!([]));
}

#[test]
fn refuses_authors_strangers_machines_and_what_was_not_shown() {
    let (world, release) = tested();
    let path = format!("/v1/releases/{}/approvals", release.id);
    let report = world.gates(&release, "production");
    let body = |change: Option<(&str, Value)>| {
        let mut body =
            json!({"environment": "production", "manifest_digest": report["manifest_digest"], "evidence_root": report["evidence_root"]});
        if let Some((name, value)) = change {
            body[name] = value;
        }
        body
    };
    // Ada made the release; her own session, her token and her service account are all hers.
    world.person("ada").post(&path, &body(None)).refused("GOV-003");
    world.api("ada").post(&path, &body(None)).refused("GOV-003");
    world.api("robot").post(&path, &body(None)).refused("GOV-007");
    world.api("linus").post(&path, &body(None)).refused("GOV-008");
    world.api("mary").post(&path, &body(None)).refused("GOV-008");
    // What Grace was not shown.
    let other = Value::from(format!("sha256:{}", "0".repeat(64)));
    world.api("grace").post(&path, &body(Some(("manifest_digest", other.clone())))).refused("GOV-005");
    world.api("grace").post(&path, &body(Some(("evidence_root", other)))).refused("GOV-006");
    world.cli("ada").run(["release", "approve", &release.id, "--environment", "production", "--yes"]).code(1);
    assert_eq!(world.view(&release)["approvals"], json!([]));
    world.cli("grace").run(["release", "deploy", &release.id, "--to", "production"]).code(1);
}
