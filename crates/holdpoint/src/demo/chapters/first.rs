//! 1.0: a finding is refused and fixed, its author cannot approve it, somebody else does, and it goes live.

use crate::demo::scene::Scene;
use crate::demo::shop::RATE;
use crate::demo::tell::short;
use crate::demo::work::{Built, gate, refusal, text};
use anyhow::anyhow;
use serde_json::json;
use std::path::Path;

/// See the module. Answers with what was built.
pub fn first(scene: &mut Scene, client: &Path) -> anyhow::Result<Built> {
    let (built, reports) = scene.build_and_test("v1.0.0-planted", None)?;
    let (release, manifest) = scene.release("1.0.0", &built, json!({}))?;
    scene.tell_built("1.0.0", &built, &release)?;
    scene.prove(&manifest, &reports)?;
    scene.automatic(&release, "dev", &[])?;
    scene.tell.done("dev", format!("deployed by itself, {}", scene.tests_before(&release, "staging")?));

    let fixed = planted(scene, &release)?;
    staging(scene, &release)?;
    production(scene, &release, client)?;
    Ok(fixed)
}

/// The scanner's finding shuts staging; the fixed commit opens it.
fn planted(scene: &mut Scene, release: &str) -> anyhow::Result<Built> {
    let shut = refusal(scene.deploy(&scene.people.linus, release, "staging"), "a release with a finding above the budget", "ORC-005")?;
    let scan = gate(&shut.facts, "scan");
    if text(scan, "/code") != "SCAN-002" || !text(scan, "/sentence").contains("orders/src/pay.rs") {
        return Err(anyhow!("expected SCAN-002 about orders/src/pay.rs, found {}: {}", text(scan, "/code"), text(scan, "/sentence")));
    }
    scene.tell.refused("staging", format!("shut: {} {}", text(scan, "/code"), text(scan, "/sentence")));
    scene.tell.more(format!("unblock: {}", text(scan, "/unblock")));

    let before = scene.runs(release, "dev")?;
    let (fixed, reports) = scene.build_and_test("v1.0.0", None)?;
    let manifest = scene.amend(release, &json!({"components": fixed.digests}))?;
    scene.prove(&manifest, &reports)?;
    scene.automatic(release, "dev", &before)?;
    Ok(fixed)
}

fn staging(scene: &Scene, release: &str) -> anyhow::Result<()> {
    let report = scene.gates(release, "staging")?;
    if report["verdict"] != "open" {
        return Err(anyhow!("expected staging to be open for the fixed build, found:\n{}", crate::commands::gate::words(&report)));
    }
    scene.deploy_well(&scene.people.linus, release, "staging")?;
    scene.tell.done(
        "staging",
        format!("open after commit {}; deployed, {}", short(scene.commit("v1.0.0")?), scene.tests_before(release, "production")?),
    );
    Ok(())
}

fn production(scene: &mut Scene, release: &str, client: &Path) -> anyhow::Result<()> {
    let own = refusal(scene.approve(&scene.people.ada, release, "production", ""), "an approval by an author", "GOV-003")?;
    scene.tell.refused("production", format!("ada approves 1.0.0 → refused: GOV-003 {}", own.detail));
    let report = scene.approve(&scene.people.grace, release, "production", "first version")?;
    let window = gate(&report, "window");
    if window["state"] != "open" {
        return Err(anyhow!("expected a window to be open, found {}: {}", text(window, "/code"), text(window, "/sentence")));
    }
    scene.tell.done(
        "production",
        format!("grace approves manifest {}   window: {}", short(text(&report, "/manifest_digest")), text(window, "/sentence")),
    );
    scene.deploy_well(&scene.people.grace, release, "production")?;
    scene.start_load(client)?;
    scene.tell.done("production", format!("1.0.0 live; customers arrive: {RATE} requests a second, one in ten an order"));
    Ok(())
}
