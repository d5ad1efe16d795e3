//! 1.1: an approval is voided by a change, a freeze holds it, its migration is killed in the middle, and it is promoted as
//! a canary while 1.0 serves on the same schema.

use crate::client::enc;
use crate::demo::scene::{Scene, fill, now};
use crate::demo::tell::grouped;
use crate::demo::work::{Built, RUN_MAX, gate, refusal, text};
use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(100);

/// See the module. `old` is what runs. Answers with the release.
pub fn second(scene: &mut Scene, old: &Built) -> anyhow::Result<String> {
    let runs = scene.begin_builds("v1.1.0", Some("v1.0.0"))?;
    let built = scene.builds("v1.1.0", &runs)?;
    let (release, _) = scene.release("1.1.0", &built, json!({"gift.note-length": "200"}))?;
    scene.tell_built("1.1.0", &built, &release)?;
    voided(scene, &release)?;
    let reports = scene.reports("v1.1.0")?;
    let before = scene.runs(&release, "dev")?;
    scene.prove(text(&scene.shown(&release)?, "/manifest_digest"), &reports)?;
    scene.automatic(&release, "dev", &before)?;
    scene.deploy_well(&scene.people.linus, &release, "staging")?;
    scene.tell.done("staging", format!("1.1.0 by way of dev, {}", scene.tests_before(&release, "production")?));
    scene.approve(&scene.people.grace, &release, "production", "gift wrap")?;
    frozen(scene, &release)?;
    production(scene, &release, old, &built)?;
    Ok(release)
}

/// Grace approves, linus changes the configuration, and the approval no longer counts.
fn voided(scene: &Scene, release: &str) -> anyhow::Result<()> {
    let seen = scene.approve(&scene.people.grace, release, "production", "gift wrap, as announced")?;
    let (from, to) = (text(&seen, "/manifest_digest").to_owned(), scene.amend(release, &json!({"config": {"gift.note-length": "140"}}))?);
    let view = scene.shown(release)?;
    let vote =
        view["approvals"].as_array().into_iter().flatten().find(|vote| vote["handle"] == "grace" && vote["environment"] == "production");
    let vote = vote.ok_or_else(|| anyhow!("expected grace's approval to be shown, found {}", view["approvals"]))?;
    if vote["valid"] != false || text(vote, "/void_because").is_empty() {
        return Err(anyhow!("expected grace's approval to be void after the manifest changed, found {vote}"));
    }
    let diff = scene.people.grace.get(&format!("/v1/releases/{}/diff?from={}&to={}", enc(release), enc(&from), enc(&to)))?;
    let changes: Vec<String> = diff["changes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| format!("{} {} → {}", text(one, "/path"), plain(&one["from"]), plain(&one["to"])))
        .collect();
    if changes.len() != 1 || !changes[0].contains("gift.note-length") {
        return Err(anyhow!("expected one difference, in config gift.note-length, found {changes:?}"));
    }
    scene.tell.refused("production", format!("void: grace's approval of 1.1.0, {}", text(vote, "/void_because")));
    scene.tell.more(format!("difference since then: {}", changes.join("; ")));
    Ok(())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A freeze shuts production at once, and says so; then it is lifted.
fn frozen(scene: &Scene, release: &str) -> anyhow::Result<()> {
    let until = now().checked_add(jiff::SignedDuration::from_hours(24))?;
    let names = BTreeMap::from([("FREEZE_FROM".to_owned(), now().to_string()), ("FREEZE_UNTIL".to_owned(), until.to_string())]);
    let file = scene.shop.join("organisation/freeze.yaml");
    let document = fill(&std::fs::read_to_string(&file).with_context(|| file.display().to_string())?, &names)?;
    scene
        .people
        .root
        .post("/v1/apply?dry_run=false", &json!({"documents": [{"file": "freeze.yaml", "text": document}]}))
        .context("the freeze was refused")?;
    let refused = refusal(scene.deploy(&scene.people.grace, release, "production"), "a release in a freeze", "ORC-005")?;
    let freeze = gate(&refused.facts, "freeze");
    if text(freeze, "/code") != "FRZ-001" {
        return Err(anyhow!("expected FRZ-001 from the freeze gate, found {freeze}"));
    }
    scene.tell.refused("production", format!("1.1.0 → refused: FRZ-001 freeze {}", text(freeze, "/sentence")));
    let all = scene.people.grace.get("/v1/freezes")?;
    let holding =
        all["freezes"].as_array().into_iter().flatten().find(|one| one["state"] == "holds").map(|one| text(one, "/id").to_owned());
    let id = holding.ok_or_else(|| anyhow!("expected the freeze in the list, found {all}"))?;
    scene.people.grace.call(
        reqwest::Method::DELETE,
        &format!("/v1/freezes/{}", enc(&id)),
        &json!({"reason": "the books are closed"}),
        &[],
    )?;
    scene.tell.more(format!("reason: {}   lifted by grace", text_of(&all, &id)));
    Ok(())
}

fn text_of(all: &Value, id: &str) -> String {
    let found = all["freezes"].as_array().into_iter().flatten().find(|one| one["id"] == id);
    found.map(|one| text(one, "/reason").trim_end_matches('.').to_owned()).unwrap_or_default()
}

fn production(scene: &mut Scene, release: &str, old: &Built, new: &Built) -> anyhow::Result<()> {
    let run = scene.deploy(&scene.people.grace, release, "production")?;
    migration(scene, &run)?;
    let view = scene.ended(&run, RUN_MAX)?;
    scene.succeeded(&view)?;
    let digest = |built: &Built| built.digests.get("orders").cloned().unwrap_or_default();
    scene.check_schema("1.0.0", &digest(old))?;
    scene.check_schema("1.1.0", &digest(new))?;
    let traffic = traffic(&view)?;
    let load = scene.load()?;
    if load.failed > 0 {
        return Err(anyhow!("expected that no request failed so far; {} of {} did", grouped(load.failed), grouped(load.answered)));
    }
    scene.tell.done("production", format!("1.1.0 canary {}   side by side on one schema: {traffic}", steps(&view)));
    scene.tell.done("production", format!("1.1.0 live, {} requests, 0 failed", grouped(load.answered)));
    Ok(())
}

/// "25 % → 100 %", from the steps that moved traffic of orders.
pub fn steps(view: &Value) -> String {
    let moved = view["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|step| step["state"] == "done")
        .filter_map(|step| text(step, "/id").strip_prefix("orders.traffic-"));
    moved.map(|percent| format!("{percent} %")).collect::<Vec<_>>().join(" → ")
}

/// Requests of both versions of orders while they were compared; both have to have served, without an error.
fn traffic(view: &Value) -> anyhow::Result<String> {
    let rows: Vec<&Value> = view["traffic"].as_array().into_iter().flatten().filter(|row| row["component"] == "orders").collect();
    let good = rows.len() == 2 && rows.iter().all(|row| row["requests"].as_u64().unwrap_or(0) > 0 && row["errors"] == 0);
    if !good {
        return Err(anyhow!("expected both versions of orders to have served without an error, found {}", view["traffic"]));
    }
    Ok(rows
        .iter()
        .map(|row| format!("{} answered {}", text(row, "/version"), grouped(row["requests"].as_u64().unwrap_or(0))))
        .collect::<Vec<_>>()
        .join(", "))
}

/// Kills the migration in its middle; Holdpoint asks the probe, begins it anew, and it is applied once.
fn migration(scene: &Scene, run: &str) -> anyhow::Result<()> {
    scene.tell.busy("production: 1.1.0 migrate the database of orders");
    let step = |view: &Value| view["steps"].as_array().into_iter().flatten().find(|step| step["id"] == "orders.migrate").cloned();
    let attempt = scene.patience.until("the migration to begin", Duration::from_secs(60), LOOK, || {
        Ok(step(&scene.run(run)?).filter(|step| step["state"] == "running").map(|step| text(&step, "/attempt").to_owned()))
    })?;
    let killed = scene.kill_migration(&attempt)?;
    let outcome = scene.patience.until("the killed migration to be told", Duration::from_secs(60), LOOK, || {
        let view = scene.run(run)?;
        if view["state"] == "ended" || view["state"] == "rolling-back" {
            return Err(anyhow!(
                "expected the run to go on after its probe was asked; it is {}: {}",
                text(&view, "/state"),
                text(&view, "/cause/sentence")
            ));
        }
        Ok(step(&view).filter(|step| step["state"] == "done"))
    })?;
    let begun = scene
        .facts(&format!("run/{run}"), "StepLeased")?
        .iter()
        .filter(|fact| {
            fact["body"]["step"] == "orders.migrate" || fact["body"]["attempt"].as_str().is_some_and(|id| id.contains("orders.migrate"))
        })
        .count();
    let after = scene.backfill()?.ok_or_else(|| anyhow!("expected migration 2 to be noted"))?;
    if after.applied != 1 || after.filled != after.last_id || text(&outcome, "/attempt") == attempt {
        return Err(anyhow!(
            "expected migration 2 once, each of {} rows filled once, by a second attempt; found {after:?} and attempt {}",
            after.last_id,
            text(&outcome, "/attempt")
        ));
    }
    scene.tell.done(
        "production",
        format!(
            "migration 0002 killed after {} of {} rows; the probe says it is not applied; begun again",
            grouped(signed(killed.filled)),
            grouped(signed(killed.last_id))
        ),
    );
    scene.tell.more(format!(
        "applied once: {} of {} rows filled, once each, in {} attempts; 1.0.0 sold meanwhile",
        grouped(signed(after.filled)),
        grouped(signed(after.last_id)),
        begun.max(2)
    ));
    Ok(())
}

fn signed(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
