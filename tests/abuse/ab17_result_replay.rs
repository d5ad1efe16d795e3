//! AB17: a passing result counts for the digest it is about, while it is fresh, and for nothing else.

use holdpoint_tests::{Organisation, Program, World, junit};

#[test]
fn ab17_a_result_of_another_digest_counts_for_nothing() {
    let world = World::start();
    let (tested, other) = (world.release(&Program::new("1.0.0")), world.bare_release(&Program::new("2.0.0")));
    assert_eq!(world.gate(&tested, "test", "tests")["state"], "open");
    assert_ne!(world.gate(&other, "test", "tests")["state"], "open");
    // A suite of another name is another result.
    let path = format!("/v1/evidence?kind=junit&suite=smoke&subject={}", other.digest);
    world.api("robot").upload("POST", &path, "application/xml", junit("smoke", 7, 0)).ok();
    assert_ne!(world.gate(&other, "test", "tests")["state"], "open");
    // Nor does the same bytes' digest as text in the report help.
    let liar = format!(
        "<testsuites><testsuite name=\"unit\" tests=\"1\" subject=\"{}\"><testcase name=\"a\"/></testsuite></testsuites>",
        other.digest
    );
    world
        .api("robot")
        .upload("POST", &format!("/v1/evidence?kind=junit&suite=unit&subject={}", tested.digest), "application/xml", liar.into_bytes())
        .ok();
    assert_ne!(world.gate(&other, "test", "tests")["state"], "open");
    // A failure afterwards shuts it: the newest result counts, not the best.
    world.unit_tests(&tested, 6, 1);
    assert_eq!(world.gate(&tested, "test", "tests")["state"], "shut");
}

#[test]
fn ab17_an_old_result_counts_for_nothing() {
    let test = "    gates: {tests: {suites: [unit], max-age: 2s}, previous: false}\n".to_owned();
    let world = World::with(Organisation { test, ..Organisation::default() });
    let release = world.release(&Program::new("1.0.0"));
    assert_eq!(world.gate(&release, "test", "tests")["state"], "open");
    let gate = holdpoint_testkit::eventually("it ages", holdpoint_tests::SOON, || {
        Some(world.gate(&release, "test", "tests")).filter(|gate| gate["state"] != "open")
    });
    assert!(gate["unblock"].as_str().is_some_and(|text| !text.is_empty()), "{gate:#}");
}

/// What was approved and tested for one environment says nothing for another.
#[test]
fn ab17_an_approval_for_another_environment_counts_for_nothing() {
    let gates = "    gates: {previous: false, approvals: [{role: release-manager, count: 1}]}\n".to_owned();
    let world = World::with(Organisation { test: gates.clone(), production: gates, ..Organisation::default() });
    let release = world.bare_release(&Program::new("1.0.0"));
    world.approve("grace", &release, "test");
    assert_eq!(world.gate(&release, "test", "approval")["state"], "open");
    assert_eq!(world.gate(&release, "production", "approval")["state"], "waiting");
}
