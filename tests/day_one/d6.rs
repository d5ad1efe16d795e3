//! D6 Life cycle and closure codes: how a release ended, and that the code fits what happened.

use holdpoint_testkit::{Browser, eventually, needs};
use holdpoint_tests::{Organisation, Program, Release, SOON, World};
use serde_json::json;

fn closure(world: &World, release: &Release) -> (String, Option<String>) {
    let view = world.view(release);
    (view["state"].as_str().unwrap_or_default().to_owned(), view["closure"].as_str().map(str::to_owned))
}

fn closed(code: &str) -> (String, Option<String>) {
    ("closed".to_owned(), Some(code.to_owned()))
}

/// Successful in the last stage closes by itself, and supersedes what was still on its way before it.
#[test]
fn api_success_closes_and_supersedes() {
    let world = World::with(Organisation::open());
    let older = world.bare_release(&Program::new("1.0.0"));
    let newer = world.bare_release(&Program::new("1.1.0"));
    world.deployed("ada", &older, "test");
    world.deployed("grace", &newer, "production");
    assert_eq!(closure(&world, &newer), closed("successful"));
    eventually("the older one is superseded", SOON, || (closure(&world, &older) == closed("superseded")).then_some(()));
    let view = world.view(&older);
    assert_eq!(view["superseded_by"], newer.id.as_str());
    world.cli("ada").run(["release", "deploy", &older.id, "--to", "test"]).code(1);
    assert_eq!(world.gate(&older, "production", "lifecycle")["code"], "REL-002");
}

/// Codes that a person gives, by command line.
#[test]
fn cli_closes_with_a_code_that_fits() {
    let world = World::with(Organisation::open());
    let cli = world.cli("grace");
    let close = |release: &Release, code: &str| cli.run(["--json", "release", "close", &release.id, "--code", code, "--reason", "review"]);
    let never = world.bare_release(&Program::new("1.0.0"));
    // What never ran was neither successful, nor backed out, nor failed.
    for code in ["successful", "partial", "backed-out", "failed"] {
        assert_eq!(close(&never, code).code(1).json()["code"], "REL-003", "{code}");
    }
    close(&never, "withdrawn").code(0);
    assert_eq!(closure(&world, &never), closed("withdrawn"));
    // Closed stays closed; the same word again changes nothing.
    close(&never, "withdrawn").code(0);
    let half = world.bare_release(&Program::new("1.1.0"));
    assert_eq!(close(&never, "superseded").code(1).json()["code"], "REL-002");
    world.deployed("ada", &half, "test");
    close(&half, "partial").code(0);
    assert_eq!(closure(&world, &half), closed("partial"));
    let other = world.bare_release(&Program::new("1.2.0"));
    world.deployed("ada", &other, "test");
    close(&other, "successful-with-issues").code(0);
    assert_eq!(closure(&world, &other), closed("successful-with-issues"));
    let types = world.sealed(&format!("release/{}", other.id), "ReleaseClosed");
    assert_eq!(types.last().map(String::as_str), Some("ReleaseClosed"));
}

#[test]
fn page_withdraws() {
    needs!("chromium");
    let world = World::with(Organisation::open());
    let browser = Browser::start();
    let release = world.bare_release(&Program::new("1.0.0"));
    let page = world.page(&browser, "grace");
    page.goto(&format!("/releases/{}", release.id));
    page.click("button", "Withdraw");
    page.fill("Reason", "the customer left");
    page.is_sound();
    page.click("button", "Withdraw the release");
    page.sees("Withdrawn");
    assert_eq!(closure(&world, &release), closed("withdrawn"));
    page.is_sound();
}

#[test]
fn refuses_what_does_not_fit() {
    let world = World::with(Organisation::open());
    let (one, two) = (world.bare_release(&Program::new("1.0.0")), world.bare_release(&Program::new("1.1.0")));
    let close = |who: &str, body: serde_json::Value| world.api(who).post(&format!("/v1/releases/{}/withdraw", two.id), &body);
    close("mary", json!({"reason": "r"})).refused("AUTH-003");
    close("robot", json!({"reason": "r"})).refused("AUTH-003");
    // Superseded needs a newer one of the same service.
    close("grace", json!({"reason": "r", "closure": "superseded"})).refused("REL-004");
    close("grace", json!({"reason": "r", "closure": "superseded", "superseded_by": one.id})).refused("REL-004");
    close("grace", json!({"reason": "r", "closure": "superseded", "superseded_by": "rel_web-9"})).refused("REL-001");
    close("grace", json!({"reason": "r", "closure": "glorious"})).refused("HTTP-012");
    assert_eq!(closure(&world, &two), ("open".to_owned(), None));
}
