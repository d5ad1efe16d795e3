//! 5.2 Freezes: asked at the instant of every forward step; the way back is never blocked.

use holdpoint_testkit::{Browser, eventually, needs};
use holdpoint_tests::{Organisation, Program, SOON, World};
use serde_json::json;

const UNTIL: &str = "2099-12-31T00:00:00Z";

/// Before anything of a deployment touches users there is time to declare a freeze.
fn slow() -> Organisation {
    let production =
        "    gates: {previous: false}\n    steps-before: [{name: wait, idempotent: true, command: [sleep, \"0.5\"]}]\n".to_owned();
    Organisation { production, ..Organisation::open() }
}

/// A freeze in the middle of a run holds it at the next safe point; lifted, it goes on.
#[test]
fn api_holds_a_run_that_has_begun_and_lets_it_go_on() {
    let world = World::with(slow());
    let release = world.bare_release(&Program::new("1.0.0"));
    let run = world.deploy("grace", &release, "production");
    let body = json!({"name": "quarter close", "environments": ["production"], "services": [], "until": UNTIL, "reason": "books"});
    let freeze = world.api("grace").post("/v1/freezes", &body).ok()["freeze"].as_str().unwrap_or_default().to_owned();
    let held = eventually("it is held", SOON, || Some(world.run(&run)).filter(|run| run["state"] == "held"));
    let cause = held["cause"]["sentence"].as_str().unwrap_or_default();
    assert!(held["cause"]["code"] == "DOOR-001" && cause.contains("quarter close"), "{cause}");
    assert!(world.processes(&Program::new("1.0.0")).is_empty(), "nothing went forward");
    world.cli("grace").run(["freeze", "lift", &freeze, "--reason", "books are closed"]).code(0);
    assert_eq!(world.ended(&run)["result"], "succeeded");
    assert_eq!(world.answers("production"), "1.0.0");
}

/// The way back from a run that a freeze holds.
#[test]
fn api_a_rollback_is_not_blocked() {
    let mut world = World::with(Organisation::open());
    world.deployed("grace", &world.bare_release(&Program::new("1.0.0")), "production");
    let wait = "    gates: {previous: false}\n    steps-after: [{name: look, idempotent: true, command: [sleep, \"0.4\"]}]\n".to_owned();
    world.reorganise(|organisation| organisation.production = wait);
    let run = world.deploy("grace", &world.bare_release(&Program::new("1.1.0")), "production");
    eventually("the new version serves", SOON, || (world.answers("production") == "1.1.0").then_some(()));
    world.cli("grace").run(["freeze", "declare", "now", "--until", UNTIL, "--reason", "an incident"]).code(0);
    eventually("it is held", SOON, || (world.run(&run)["state"] == "held").then_some(()));
    world.api("grace").post(&format!("/v1/runs/{run}/rollback"), &json!({"reason": "the incident"})).ok();
    assert_eq!(world.ended(&run)["result"], "rolled-back");
    assert_eq!(world.answers("production"), "1.0.0");
    assert!(world.processes(&Program::new("1.1.0")).is_empty());
}

#[test]
fn cli_declares_and_a_deployment_is_refused() {
    let world = World::with(Organisation::open());
    let release = world.bare_release(&Program::new("1.0.0"));
    let args = ["--json", "freeze", "declare", "quarter close", "--environment", "production", "--until", UNTIL, "--reason", "books"];
    let freeze = world.cli("grace").run(args).code(0).json()["freeze"].as_str().unwrap_or_default().to_owned();
    let path = format!("/v1/releases/{}/deployments", release.id);
    let problem = world.api("grace").post(&path, &json!({"environment": "production"})).refused("ORC-005");
    assert!(
        problem["detail"].as_str().unwrap_or_default().contains("\"quarter close\" until Thu 2099-12-31 01:00 Europe/Berlin"),
        "{problem:#}"
    );
    assert_eq!(problem["facts"]["next_start"], UNTIL);
    // Only where it was declared.
    world.deployed("ada", &release, "test");
    let listed = world.api("mary").get("/v1/freezes").ok();
    assert_eq!((listed["freezes"][0]["id"].as_str(), listed["freezes"][0]["state"].as_str()), (Some(freeze.as_str()), Some("holds")));
}

/// Declared on the page, met by the command line.
#[test]
fn page_declares_and_lifts() {
    needs!("chromium");
    let world = World::with(Organisation::open());
    let browser = Browser::start();
    let release = world.bare_release(&Program::new("1.0.0"));
    let page = world.page(&browser, "grace");
    page.goto("/freezes");
    page.sees("No freeze is declared.");
    page.click("button", "Declare a freeze");
    page.fill("Name", "quarter close");
    page.check("production", true);
    page.fill("Reason", "the books");
    page.is_sound();
    page.click("button", "Declare the freeze");
    page.sees("quarter close");
    page.sees("Holds");
    page.portrait("freezes");
    page.viewport(320, 700);
    page.is_sound();
    page.viewport(1440, 900);
    let said = world.cli("mary").run(["gate", "explain", &release.id, "production"]).code(1);
    assert!(said.stdout.contains("FRZ-001") && said.stdout.contains("quarter close"), "{said}");
    page.click("button", "Lift quarter close");
    page.fill("Reason", "done");
    page.click("button", "Lift the freeze");
    page.sees("Lifted");
    world.cli("mary").run(["gate", "explain", &release.id, "production"]).code(0);
}

#[test]
fn refuses_who_may_not_and_what_makes_no_sense() {
    let world = World::with(Organisation::open());
    let body = |from: &str, environment: &str| json!({"name": "x", "environments": [environment], "services": [], "from": from, "until": UNTIL, "reason": "r"});
    let now = "2026-01-01T00:00:00Z";
    world.api("linus").post("/v1/freezes", &body(now, "production")).refused("AUTH-003");
    world.api("robot").post("/v1/freezes", &body(now, "production")).refused("AUTH-003");
    world.api("grace").post("/v1/freezes", &body("2100-01-01T00:00:00Z", "production")).refused("FRZ-002");
    world.api("grace").post("/v1/freezes", &body(now, "moon")).refused("ORG-001");
    world.cli("linus").run(["freeze", "declare", "x", "--until", UNTIL, "--reason", "r"]).code(4);
    assert_eq!(world.api("mary").get("/v1/freezes").ok()["freezes"], json!([]));
    // Who declared nothing may not lift what another declared.
    let freeze = world.api("grace").post("/v1/freezes", &body(now, "production")).ok()["freeze"].as_str().unwrap_or_default().to_owned();
    world.cli("linus").run(["freeze", "lift", &freeze, "--reason", "hurry"]).code(4);
    let release = world.bare_release(&Program::new("1.0.0"));
    assert_eq!(world.gate(&release, "production", "freeze")["code"], "FRZ-001");
}

/// A folder is one commit: where its freeze is refused, nothing else of it is there, and file and line are told. The dry
/// run says so beforehand. Mended, all of it is there at once, and a second time changes nothing.
#[test]
fn refuses_a_folder_as_a_whole() {
    let world = World::start();
    let root = world.api("root");
    let file = |freeze: &str, mail: &str| {
        let text = format!(
            "person: newcomer\nname: New Comer\nemails: [{mail}]\nroles: [developer]\n---\nenvironment: annexe\norder: 9\n---\nfreeze: stocktaking\n{freeze}\n"
        );
        json!({"documents": [{"file": "late.yaml", "text": text}]})
    };
    let wrong = [
        ("FRZ-002", file("environments: [annexe]\nfrom: 2030-02-01T00:00:00Z\nuntil: 2030-01-01T00:00:00Z", "new@shop.example"), 9),
        ("ORG-001", file("environments: [cellar]\nfrom: 2030-01-01T00:00:00Z\nuntil: 2030-02-01T00:00:00Z", "new@shop.example"), 9),
        ("ORG-004", file("environments: [annexe]\nfrom: 2030-01-01T00:00:00Z\nuntil: 2030-02-01T00:00:00Z", "ada@shop.example"), 1),
    ];
    let known = || (root.get("/v1/environments").ok(), root.get("/v1/people").ok(), root.get("/v1/freezes").ok());
    let before = known();
    for (code, body, line) in &wrong {
        for path in ["/v1/apply?dry_run=true", "/v1/apply"] {
            let refused = root.post(path, body).refused(code);
            let detail = refused["detail"].as_str().unwrap_or_default();
            assert!(detail.starts_with(&format!("late.yaml:{line}: ")), "{path}: {detail}");
        }
        assert_eq!(known(), before, "{code}");
    }
    let right = file("environments: [annexe]\nfrom: 2030-01-01T00:00:00Z\nuntil: 2030-02-01T00:00:00Z", "new@shop.example");
    let changes = |path: &str| {
        let answer = root.post(path, &right).ok();
        let list = answer["changes"].as_array().expect("a list").clone();
        list.iter().map(|one| format!("{} {} {}", one["action"], one["kind"], one["name"]).replace('"', "")).collect::<Vec<_>>()
    };
    let new = ["create person newcomer", "create environment annexe", "create freeze stocktaking"];
    assert_eq!(changes("/v1/apply?dry_run=true"), new);
    assert_eq!(known(), before);
    assert_eq!(changes("/v1/apply"), new);
    assert_eq!(changes("/v1/apply"), new.map(|line| line.replace("create", "same")));
    // One commit: facts of one instant.
    let facts = |stream: &str| world.facts(stream).first().map(|fact| fact["envelope"]["at"].clone());
    let freeze = root.get("/v1/freezes").ok()["freezes"][0]["id"].as_str().unwrap_or_default().to_owned();
    world.sealed(&format!("freeze/{freeze}"), "FreezeDeclared");
    assert_eq!(facts(&format!("freeze/{freeze}")), facts("environment/annexe"));
    assert_eq!(
        world.person("root").get("/v1/people").ok()["people"].as_array().map(|list| list.iter().any(|one| one["handle"] == "newcomer")),
        Some(true)
    );
}
