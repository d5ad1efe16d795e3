//! 7.1 Pipelines: durable runs through the environments, a named person before production.

use holdpoint_testkit::{Browser, eventually, needs};
use holdpoint_tests::{Organisation, Program, SOON, World};

/// Says on the screen and in the exit code what happened; users get the version.
#[test]
fn cli_takes_a_release_through_both_environments() {
    let world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    let ada = world.cli("ada");
    let run = ada.run(["--json", "release", "deploy", &release.id, "--to", "test", "--wait"]).code(0).json();
    assert_eq!(run["result"], "succeeded");
    assert_eq!(world.answers("test"), "1.0.0");
    world.cli("grace").run(["release", "approve", &release.id, "--environment", "production", "--yes"]).code(0);
    world.cli("grace").run(["release", "promote", &release.id, "--to", "production", "--wait"]).code(0);
    assert_eq!(world.answers("production"), "1.0.0");
    let shown = ada.run(["release", "show", &release.id]).code(0).stdout;
    assert!(shown.contains("successful"), "{shown}");
}

/// The server is killed while a step that must not happen twice is under way. The worker beside it goes on; the restarted
/// server takes its word, and nothing is lost or repeated.
#[test]
fn api_a_killed_server_loses_and_repeats_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let step = format!(
        "    gates: {{previous: false}}\n    steps-before: [{{name: once, command: [sh, -c, \"echo begun >> {0}; sleep 0.7; echo over >> {0}\"]}}]\n",
        trace.display()
    );
    let mut world = World::apart(Organisation { test: step, ..Organisation::open() });
    let release = world.bare_release(&Program::new("1.0.0"));
    let traced = || std::fs::read_to_string(&trace).unwrap_or_default();
    let run = world.deploy("ada", &release, "test");
    eventually("the step is under way", SOON, || traced().contains("begun").then_some(()));
    world.server.kill();
    assert_eq!(traced(), "begun\n", "it was killed in the middle");
    eventually("the step goes on without the server", SOON, || traced().contains("over").then_some(()));
    world.server.restart();
    let ended = world.ended(&run);
    assert_eq!(ended["result"], "succeeded", "{ended:#}");
    assert_eq!(traced(), "begun\nover\n");
    assert_eq!(world.answers("test"), "1.0.0");
    assert_eq!(world.processes(&Program::new("1.0.0")).len(), 1);
    let types = world.sealed(&format!("run/{run}"), "RunFinished");
    let leased = types.iter().filter(|one| *one == "StepLeased").count();
    assert_eq!(leased, ended["steps"].as_array().map_or(0, Vec::len), "one lease a step: {types:?}");
    world.server.check_ledger(&world.api("root"));
}

/// The same on PostgreSQL, with the server stopped and started again between the environments.
#[test]
fn api_the_same_on_postgresql() {
    needs!("postgres");
    let mut world = World::on_postgres();
    let release = world.release(&Program::new("1.0.0"));
    world.deployed("ada", &release, "test");
    world.server.stop();
    assert_eq!(world.answers("test"), "1.0.0", "what runs needs no server");
    world.server.restart();
    world.approve("grace", &release, "production");
    world.deployed("grace", &release, "production");
    assert_eq!(world.answers("production"), "1.0.0");
    world.sealed(&format!("release/{}", release.id), "ReleaseClosed");
    world.server.check_ledger(&world.api("root"));
}

/// What is automatic goes on by itself, but never into production; there the ledger names who asked.
#[test]
fn api_production_waits_for_a_named_person() {
    let automatic = "    promotion: automatic\n    gates: {previous: false}\n".to_owned();
    let world =
        World::with(Organisation { test: automatic, production: "    gates: {previous: true}\n".to_owned(), ..Organisation::default() });
    let release = world.bare_release(&Program::new("1.0.0"));
    eventually("the promoter deploys to test", SOON, || (world.view(&release)["environments"][0]["state"] == "succeeded").then_some(()));
    assert_eq!(world.gates(&release, "production")["verdict"], "open");
    assert!(world.runs(&release, "production").is_empty(), "production began by itself");
    let run = world.deployed("grace", &release, "production");
    assert_eq!(run["by"], "grace");
    let asked = world.facts(&format!("release/{}", release.id)).into_iter().find(|fact| fact["envelope"]["type"] == "PromotionRequested");
    assert_eq!(asked.expect("the request is a fact")["actor_name"], "grace");
}

/// What the API did is on the board and on the run's page.
#[test]
fn page_shows_board_and_run() {
    needs!("chromium");
    let world = World::with(Organisation::open());
    let browser = Browser::start();
    let release = world.bare_release(&Program::new("1.0.0"));
    let run = world.deployed("ada", &release, "test");
    let page = world.page(&browser, "grace");
    page.goto("/");
    page.sees_element("link", "web 1.0.0 in test");
    page.sees_element("link", "Gates of web 1.0.0 before production");
    page.portrait("board");
    page.viewport(320, 700);
    page.is_sound();
    page.viewport(1440, 900);
    page.goto(&format!("/runs/{}", run["id"].as_str().unwrap_or_default()));
    page.sees("web 1.0.0 → test");
    page.sees("Succeeded");
    page.sees("check that the new version serves");
    page.is_sound();
    // And the page itself deploys: users of production get it.
    page.goto(&format!("/releases/{}?environment=production", release.id));
    page.click("button", "Deploy now to production");
    page.sees_within("web 1.0.0 → production", SOON);
    page.sees_within("Succeeded", SOON);
    assert_eq!(world.answers("production"), "1.0.0");
}

#[test]
fn refuses_what_no_stage_or_person_allows() {
    let world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    // The order of stages.
    let refused = world.cli("ada").run(["--json", "release", "deploy", &release.id, "--to", "production"]).code(1).json();
    assert_eq!(refused["code"], "ORC-005");
    let closed: Vec<&str> = refused["facts"]["gates"].as_array().into_iter().flatten().filter_map(|gate| gate["code"].as_str()).collect();
    assert!(closed.contains(&"ORC-002") && closed.contains(&"GOV-001"), "{closed:?}");
    // Who may not promote.
    let deploy =
        |who: &str| world.api(who).post(&format!("/v1/releases/{}/deployments", release.id), &serde_json::json!({"environment": "test"}));
    deploy("mary").refused("AUTH-003");
    deploy("robot").refused("AUTH-003");
    assert!(world.runs(&release, "test").is_empty());
}

/// A program that does not come up as the version it should be changes nothing for users.
#[test]
fn refuses_a_program_that_says_it_is_another_version() {
    let world = World::with(Organisation { patience: "1s".to_owned(), ..Organisation::open() });
    world.deployed("ada", &world.bare_release(&Program::new("1.0.0")), "test");
    let liar = Program::new("1.1.0").claiming("1.0.0");
    let run = world.ended(&world.deploy("ada", &world.bare_release(&liar), "test"));
    assert_eq!(run["result"], "rolled-back", "{run:#}");
    let cause = run["cause"]["sentence"].as_str().unwrap_or_default();
    assert!(cause.contains("it says that it is version \"1.0.0\", not \"1.1.0\""), "{cause}");
    assert_eq!(world.answers("test"), "1.0.0");
    assert!(world.processes(&liar).is_empty(), "it was ended again");
}

/// An organisation that would promote to production by itself is refused, with file and line.
#[test]
fn refuses_automatic_promotion_to_production() {
    let world = World::start();
    let file = world.organisation_folder().join("pipeline.yaml");
    let text = std::fs::read_to_string(&file).expect("the pipeline");
    std::fs::write(&file, text.replace("production\n", "production\n    promotion: automatic\n")).expect("it is written");
    let said = world.cli("root").run(["apply", "-f", &file.display().to_string(), "--yes"]).code(1);
    assert!(said.stderr.contains("ORG-002") && said.stderr.contains("pipeline.yaml:1") && said.stderr.contains("named person"), "{said}");
}
