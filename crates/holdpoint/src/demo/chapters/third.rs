//! 1.2: its committed code has a defect that its tests do not find and /healthz does not show. The comparison finds it, and
//! traffic goes back. Without a defect it has to be promoted.

use super::second::steps;
use crate::demo::scene::Scene;
use crate::demo::shop::Entry;
use crate::demo::tell::grouped;
use crate::demo::work::{RUN_MAX, text};
use anyhow::{Context as _, anyhow};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::path::Path;

/// What is wrong with 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Defect {
    /// Three requests in ten fail.
    #[value(name = "errors-30")]
    Errors30,
    /// Three requests in a hundred fail.
    #[value(name = "errors-3")]
    Errors3,
    /// Three requests in ten wait 100 ms longer.
    Latency,
    /// Nothing: it has to be promoted.
    None,
}

impl Defect {
    fn tag(self) -> &'static str {
        match self {
            Defect::Errors30 => "v1.2.0-errors-30",
            Defect::Errors3 => "v1.2.0-errors-3",
            Defect::Latency => "v1.2.0-latency",
            Defect::None => "v1.2.0-good",
        }
    }
}

/// See the module.
pub fn third(scene: &mut Scene, defect: Defect, client: &Path) -> anyhow::Result<()> {
    let (built, reports) = scene.build_and_test(defect.tag(), Some("v1.1.0"))?;
    let (release, manifest) = scene.release("1.2.0", &built, json!({"gift.note-length": "140"}))?;
    scene.tell_built("1.2.0", &built, &release)?;
    scene.prove(&manifest, &reports)?;
    scene.automatic(&release, "dev", &[])?;
    scene.deploy_well(&scene.people.linus, &release, "staging")?;
    scene.tell.done("staging", format!("1.2.0 by way of dev, {}, /healthz answers 200", scene.tests_before(&release, "production")?));
    scene.approve(&scene.people.grace, &release, "production", "shipping by weight")?;
    let before = scene.load()?;
    if before.failed > 0 {
        return Err(anyhow!(
            "expected that no request failed before 1.2.0; {} of {} did",
            grouped(before.failed),
            grouped(before.answered)
        ));
    }
    let run = scene.deploy(&scene.people.grace, &release, "production")?;
    let view = scene.ended(&run, RUN_MAX)?;
    // Customers go on a little, so that what the traffic came back to is seen to serve.
    scene.patience.pause(std::time::Duration::from_secs(2))?;
    let entries = scene.stop_load()?;
    if defect == Defect::None {
        scene.succeeded(&view)?;
        scene.tell.done("production", format!("1.2.0 canary {}: {}", steps(&view), "as good as 1.1.0, promoted"));
    } else {
        rolled_back(scene, &view, &entries, defect)?;
    }
    orders(scene, client, &entries, defect)
}

/// A time of a step or fact, in microseconds since 1970.
fn at(value: &Value, pointer: &str) -> anyhow::Result<u64> {
    let moment: jiff::Timestamp = text(value, pointer).parse().with_context(|| format!("expected a time at {pointer}, found {value}"))?;
    Ok(u64::try_from(moment.as_microsecond())?)
}

fn seconds(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1_000_000.0
}

/// Found, decided, brought back: with the times, from journal and ledger.
fn rolled_back(scene: &Scene, view: &Value, entries: &[Entry], defect: Defect) -> anyhow::Result<()> {
    if view["result"] != "rolled-back" {
        return Err(anyhow!(
            "expected 1.2.0 to be rolled back; its run ended {}: {}",
            text(view, "/result"),
            text(view, "/cause/sentence")
        ));
    }
    let run = text(view, "/id");
    let decided = at(&scene.fact(&format!("run/{run}"), "RollbackDecided")?, "/envelope/at")
        .or_else(|_| at(&scene.fact(&format!("run/{run}"), "RollbackDecided")?, "/at"))?;
    let all: Vec<&Value> = view["steps"].as_array().into_iter().flatten().collect();
    let first =
        all.iter().find(|step| text(step, "/id").starts_with("orders.traffic-")).ok_or_else(|| anyhow!("no traffic reached 1.2.0"))?;
    let canary = at(first, "/started")?;
    let back: Vec<u64> = all
        .iter()
        .filter(|step| text(step, "/id").starts_with("back.") && text(step, "/kind") == "traffic")
        .map(|step| at(step, "/finished"))
        .collect::<Result<_, _>>()?;
    let restored = back.into_iter().max().ok_or_else(|| anyhow!("expected a step that brings traffic back"))?;
    let bad = entries.iter().filter(|entry| entry.failed() && entry.ended_us() >= canary).map(Entry::ended_us).min();
    let begun = match (defect, bad) {
        (Defect::Latency, _) => canary,
        (_, Some(bad)) => bad,
        (_, None) => return Err(anyhow!("expected requests that failed at 1.2.0, found none in the journal")),
    };
    let late = entries.iter().filter(|entry| entry.failed() && entry.intended_us > restored).count();
    if late > 0 {
        return Err(anyhow!("expected no failed request after traffic was back on 1.1.0; {late} failed"));
    }
    scene.tell.done("production", format!("1.2.0 canary {}: {} → rolled back", steps(view), text(view, "/cause/sentence")));
    let since = if defect == Defect::Latency { "the canary's first traffic" } else { "the first failed request" };
    scene.tell.more(format!(
        "found {:.1} s after {since}; traffic back on 1.1.0 after another {:.1} s",
        seconds(begun, decided),
        seconds(decided, restored)
    ));
    Ok(())
}

/// Every promise to a customer was kept, counted from journal and database.
fn orders(scene: &mut Scene, client: &Path, entries: &[Entry], defect: Defect) -> anyhow::Result<()> {
    let failed = entries.iter().filter(|entry| entry.failed()).count();
    let audit = scene.audit(client)?;
    let number = |name: &str| audit[name].as_u64().unwrap_or(0);
    let acknowledged = entries.iter().filter(|entry| entry.key.is_some() && !entry.failed()).count();
    scene.tell.more(format!(
        "{} of {} requests failed · orders acknowledged {}, stored {}, each once",
        grouped(u64::try_from(failed)?),
        grouped(u64::try_from(entries.len())?),
        grouped(number("acknowledged")),
        grouped(number("stored"))
    ));
    if audit["ok"] != true || number("acknowledged") != number("stored") || u64::try_from(acknowledged)? < number("acknowledged") {
        return Err(anyhow!("expected every acknowledged order in the database exactly once, found {audit}"));
    }
    if matches!(defect, Defect::None | Defect::Latency) && failed > 0 {
        return Err(anyhow!("expected that no request failed, found {failed}"));
    }
    Ok(())
}
