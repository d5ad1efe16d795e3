//! AB13: what an approval was bound to changes afterwards: it stops counting, visibly, before any step starts.

use holdpoint_tests::{Program, Release, World};
use serde_json::json;

fn approved() -> (World, Release) {
    let world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    world.deployed("ada", &release, "test");
    world.approve("grace", &release, "production");
    assert_eq!(world.gates(&release, "production")["verdict"], "open");
    (world, release)
}

/// The vote is shown as void with its reason, and neither way of starting starts.
fn void(world: &World, release: &Release, code: &str) {
    let vote = world.view(release)["approvals"][0].clone();
    assert_eq!(vote["valid"], false, "{vote:#}");
    assert!(vote["void_because"].as_str().is_some_and(|why| !why.is_empty()), "{vote:#}");
    let gate = world.gate(release, "production", "approval");
    assert_eq!((gate["state"].as_str(), gate["code"].as_str()), (Some("waiting"), Some(code)), "{gate:#}");
    let path = format!("/v1/releases/{}", release.id);
    world.api("grace").post(&format!("{path}/deployments"), &json!({"environment": "production"})).refused("ORC-005");
    world.api("grace").post(&format!("{path}/promotions"), &json!({"environment": "production"})).ok();
    std::thread::park_timeout(std::time::Duration::from_millis(1500));
    assert_eq!(world.runs(release, "production"), Vec::<String>::new(), "a run began under a void approval");
}

#[test]
fn ab13_added_evidence_voids() {
    let (world, release) = approved();
    world.unit_tests(&release, 8, 0);
    void(&world, &release, "GOV-006");
    // Approved again, the promotion that was asked for begins by itself.
    world.approve("grace", &release, "production");
    let run = holdpoint_testkit::eventually("the run", holdpoint_tests::SOON, || world.runs(&release, "production").into_iter().next());
    assert_eq!(world.ended(&run)["result"], "succeeded");
}

#[test]
fn ab13_changed_configuration_voids() {
    let (world, release) = approved();
    let tag = format!("\"{}\"", release.manifest);
    world.api("linus").patch(&format!("/v1/releases/{}", release.id), &json!({"config": {"rate": "11"}}), &tag).ok();
    let vote = world.view(&release)["approvals"][0].clone();
    assert_eq!(vote["valid"], false, "{vote:#}");
    assert_ne!(world.gates(&release, "production")["verdict"], "open");
}

#[test]
fn ab13_revoked_evidence_voids() {
    let (world, release) = approved();
    let view = world.view(&release);
    let list = view["evidence"].as_array().cloned().unwrap_or_default();
    let id = list
        .iter()
        .find_map(|one| one["id"].as_str())
        .unwrap_or_else(|| panic!("no evidence with an id: {:#}", view["evidence"]))
        .to_owned();
    let body = json!({"subject": release.digest, "id": id, "reason": "it ran on the wrong branch"});
    world.person("root").post("/v1/evidence/revocations", &body).ok();
    assert_eq!(world.view(&release)["approvals"][0]["valid"], false);
    assert_ne!(world.gates(&release, "production")["verdict"], "open");
}
