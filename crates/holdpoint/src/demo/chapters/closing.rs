//! The dossier: exported, and verified by a program that knows only the root key.

use crate::client::enc;
use crate::demo::processes::tail;
use crate::demo::scene::Scene;
use crate::demo::tell::short;
use crate::demo::work::text;
use anyhow::{Context as _, anyhow};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Exports and verifies the dossier of a release; a copy with one letter changed has to be refused.
pub fn dossier(scene: &mut Scene, release: &str, version: &str) -> anyhow::Result<()> {
    scene.tell.busy("exporting the dossier");
    let bytes = scene.people.grace.bytes(&format!("/v1/releases/{}/dossier", enc(release)))?;
    let file = scene.folder.join(format!("dossier-{version}.json"));
    std::fs::write(&file, &bytes)?;
    let (verified, report) = verify(scene, &file)?;
    if !verified {
        return Err(anyhow!("expected the dossier of {version} to verify offline, found {report}"));
    }
    scene.tell.done(
        "dossier",
        format!(
            "of {version} verified offline: {} facts, {} attestations, {} approvals, root {}",
            report["facts"],
            report["attestations"],
            report["approvals"],
            short(text(&report, "/root"))
        ),
    );
    let changed = scene.folder.join(format!("dossier-{version}-changed.json"));
    let forged = String::from_utf8_lossy(&bytes).replacen("ApprovalGiven", "ApprovalGivem", 1);
    if forged.as_bytes() == bytes {
        return Err(anyhow!("expected an approval in the dossier of {version}"));
    }
    std::fs::write(&changed, forged)?;
    let (verified, report) = verify(scene, &changed)?;
    if verified {
        return Err(anyhow!("expected a changed copy of the dossier to be refused; it verified"));
    }
    scene.tell.more(format!("a copy with one letter changed is refused: first bad entry {}", report["first_bad_index"]));
    Ok(())
}

/// What `holdpoint verify` says, started as a program that has no server.
fn verify(scene: &mut Scene, file: &Path) -> anyhow::Result<(bool, Value)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--json", "verify"]).arg(file).arg("--root").arg(scene.folder.join("server/keys/root.pub"));
    let answer = scene.folder.join("verified.json");
    scene.processes.start("verify", command, &answer)?;
    let status = scene
        .patience
        .until("the dossier to be verified", Duration::from_secs(60), Duration::from_millis(50), || Ok(scene.processes.ended("verify")))?;
    let said = std::fs::read_to_string(&answer)?;
    let report = serde_json::from_str(&said).with_context(|| format!("verify printed {said:?}{}", tail(&scene.processes.log("verify"))))?;
    Ok((status.success(), report))
}
