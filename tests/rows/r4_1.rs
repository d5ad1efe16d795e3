//! 4.1 Test results (first depth): JUnit of any runner is evidence about a digest; missing, failed or empty shuts.

use holdpoint_testkit::{Browser, eventually, needs};
use holdpoint_tests::{Organisation, Program, SOON, World, junit};

/// Taken in by the command line, signed by the server, verified offline.
#[test]
fn cli_takes_a_report_and_verifies_it() {
    let world = World::start();
    let release = world.bare_release(&Program::new("1.0.0"));
    assert_eq!(world.gate(&release, "test", "tests")["code"], "TEST-001");
    let file = world.folder().join("report.xml");
    std::fs::write(&file, junit("unit", 5, 0)).expect("a report");
    let file = file.display().to_string();
    let robot = world.cli("robot");
    robot.run(["evidence", "add", "--kind", "junit", "--suite", "unit", "--subject", &release.digest, &file]).code(0);
    let gate = world.gate(&release, "test", "tests");
    assert_eq!((gate["state"].as_str(), gate["sentence"].as_str()), (Some("open"), Some("5 tests of unit passed")));
    // The envelope verifies with the server's listed key, without the server's word.
    let listed = world.api("mary").get(&format!("/v1/evidence?subject={}", release.digest)).ok();
    let digest = listed["evidence"][0]["digest"].as_str().unwrap_or_default().to_owned();
    let envelope = world.api("mary").get(&format!("/v1/evidence/{digest}"));
    assert_eq!(envelope.status, 200);
    assert!(envelope.value()["payload"].is_string() && envelope.value()["signatures"][0]["sig"].is_string(), "{}", envelope.text());
    let totals = robot.run(["--json", "test", "import", &file]).code(0).json();
    assert_eq!((totals["verdict"].as_str(), totals["totals"]["passed"].as_u64()), (Some("passed"), Some(5)));
}

/// A failed run shuts, a later good one opens again; both stay on record.
#[test]
fn api_the_newest_result_counts() {
    let world = World::start();
    let release = world.bare_release(&Program::new("1.0.0"));
    world.unit_tests(&release, 6, 1);
    let said = world.cli("mary").run(["gate", "explain", &release.id, "test"]).code(1).stdout;
    assert!(said.contains("TEST-002 1 of 7 tests of unit failed"), "{said}");
    world.unit_tests(&release, 7, 0);
    world.cli("mary").run(["gate", "explain", &release.id, "test"]).code(0);
    let stream = format!("subject/{}", release.digest);
    eventually("both are sealed", SOON, || (world.facts(&stream).len() == 2).then_some(()));
}

/// A stage's own tests run against what was just deployed; what they report is evidence for the next stage.
#[test]
fn api_tests_of_a_stage_are_evidence() {
    let smoke = r#"import pathlib; pathlib.Path("smoke.xml").write_text('<testsuite name="s" tests="1"><testcase name="a" classname="s"/></testsuite>')"#;
    let test = format!(
        "    gates: {{previous: false}}\n    tests: [{{name: smoke, suite: smoke, junit: smoke.xml, command: [python3, -c, '{}']}}]\n",
        smoke.replace('\'', "''")
    );
    let production = "    gates: {tests: {suites: [smoke], max-age: 7d}}\n".to_owned();
    let world = World::with(Organisation { test, production, ..Organisation::open() });
    let release = world.bare_release(&Program::new("1.0.0"));
    assert_eq!(world.gate(&release, "production", "tests")["code"], "TEST-001");
    world.deployed("ada", &release, "test");
    let gate = world.gate(&release, "production", "tests");
    assert_eq!((gate["state"].as_str(), gate["sentence"].as_str()), (Some("open"), Some("1 tests of smoke passed")), "{gate:#}");
    world.deployed("grace", &release, "production");
    assert_eq!(world.answers("production"), "1.0.0");
}

/// When a stage's own tests fail, the version does not stay.
#[test]
fn api_failing_tests_of_a_stage_turn_back() {
    let broken =
        "    gates: {previous: false}\n    tests: [{name: smoke, suite: smoke, junit: smoke.xml, command: [sh, -c, \"exit 1\"]}]\n"
            .to_owned();
    let mut world = World::with(Organisation::open());
    world.deployed("ada", &world.bare_release(&Program::new("1.0.0")), "test");
    world.reorganise(|organisation| organisation.test = broken);
    let run = world.ended(&world.deploy("ada", &world.bare_release(&Program::new("1.1.0")), "test"));
    assert_eq!(run["result"], "rolled-back", "{run:#}");
    assert_eq!(world.answers("test"), "1.0.0");
}

#[test]
fn page_lists_evidence() {
    needs!("chromium");
    let world = World::start();
    let browser = Browser::start();
    let release = world.bare_release(&Program::new("1.0.0"));
    world.unit_tests(&release, 6, 1);
    let page = world.page(&browser, "mary");
    page.goto(&format!("/releases/{}/gates?environment=test", release.id));
    page.sees("1 of 7 tests of unit failed");
    page.goto(&format!("/releases/{}/evidence", release.id));
    page.sees("unit: 7 tests, 1 failed, 0 skipped");
    page.is_sound();
    // Live: a new report shows without a reload.
    world.unit_tests(&release, 7, 0);
    page.sees("unit: 7 tests, 0 failed, 0 skipped");
}

#[test]
fn refuses_what_proves_nothing() {
    let world = World::start();
    let release = world.bare_release(&Program::new("1.0.0"));
    let path = format!("/v1/evidence?kind=junit&suite=unit&subject={}", release.digest);
    let send = |text: &str| world.api("robot").upload("POST", &path, "application/xml", text.as_bytes().to_vec());
    send("<testsuite name=\"x\"").refused("EVD-004");
    send("[]").refused("EVD-004");
    send("<!DOCTYPE a [<!ENTITY b \"b\">]><testsuite name=\"&b;\" tests=\"1\"><testcase name=\"n\"/></testsuite>").refused("EVD-004");
    world.api("mary").upload("POST", &path, "application/xml", junit("unit", 1, 0)).refused("AUTH-003");
    assert_eq!(world.gate(&release, "test", "tests")["code"], "TEST-001");
    // A report in which nothing ran.
    send(r#"<testsuite name="unit" tests="1"><testcase name="n" classname="c"><skipped/></testcase></testsuite>"#).ok();
    assert_eq!(world.gate(&release, "test", "tests")["code"], "TEST-004");
    // Another suite, or another digest, is no substitute.
    let other = world.bare_release(&Program::new("2.0.0"));
    world.api("robot").upload("POST", &path.replace("suite=unit", "suite=fast"), "application/xml", junit("fast", 9, 0)).ok();
    world.unit_tests(&other, 9, 0);
    assert_eq!(world.gate(&release, "test", "tests")["code"], "TEST-004");
    world.cli("ada").run(["release", "deploy", &release.id, "--to", "test"]).code(1);
}
