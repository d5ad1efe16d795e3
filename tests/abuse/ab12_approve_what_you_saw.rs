//! AB12: an approval carries what was shown; where that has changed there is no vote.

use holdpoint_tests::{Program, World};
use serde_json::json;

#[test]
fn ab12_an_approval_of_what_was_shown_before_is_refused() {
    let world = World::start();
    let release = world.release(&Program::new("1.0.0"));
    world.deployed("ada", &release, "test");
    let path = format!("/v1/releases/{}/approvals", release.id);
    let shown = world.gates(&release, "production");
    let word = |manifest: &serde_json::Value, root: &serde_json::Value| json!({"environment": "production", "manifest_digest": manifest, "evidence_root": root, "comment": ""});
    // Evidence comes in while Grace reads.
    world.unit_tests(&release, 8, 0);
    let refused = world.person("grace").post(&path, &word(&shown["manifest_digest"], &shown["evidence_root"]));
    assert_eq!(refused.status, 409);
    let refused = refused.refused("GOV-006");
    let now = world.gates(&release, "production");
    assert_eq!(refused["facts"]["current"], now["evidence_root"]);
    // The configuration changes while Grace reads.
    let tag = format!("\"{}\"", release.manifest);
    world.api("linus").patch(&format!("/v1/releases/{}", release.id), &json!({"config": {"rate": "11"}}), &tag).ok();
    let refused = world.person("grace").post(&path, &word(&now["manifest_digest"], &now["evidence_root"]));
    assert_eq!(refused.status, 409);
    refused.refused("GOV-005");
    assert_eq!(world.view(&release)["approvals"], json!([]), "no vote was taken");
    // Without the root, or with a made-up one, neither.
    let missing = json!({"environment": "production", "manifest_digest": shown["manifest_digest"], "comment": ""});
    assert!(matches!(world.person("grace").post(&path, &missing).status, 400 | 422));
    world.approve("grace", &release, "production");
    assert_eq!(world.view(&release)["approvals"][0]["valid"], true);
}
