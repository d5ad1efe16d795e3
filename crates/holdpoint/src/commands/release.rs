//! Releases: make, look at, approve, promote, roll back.

use super::{Ended, gate, runs};
use crate::client::{Client, Connection, enc};
use crate::out::{BadInput, Code, Out};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

#[derive(Subcommand)]
pub enum Release {
    /// Seals components at fixed digests into a release.
    Create {
        service: String,
        version: String,
        /// `NAME=sha256:…`; once for each component.
        #[arg(long = "component", required = true)]
        components: Vec<String>,
        /// `KEY=VALUE`
        #[arg(long = "config")]
        config: Vec<String>,
        #[arg(long = "work-item")]
        work_items: Vec<String>,
    },
    /// What it is, where it is, and what stands in its way.
    Show { release: String },
    List {
        #[arg(long)]
        service: Option<String>,
        /// open or closed
        #[arg(long)]
        state: Option<String>,
    },
    /// Changes an open release; approvals of the old manifest stop counting.
    Amend {
        release: String,
        #[arg(long = "component")]
        components: Vec<String>,
        /// `KEY=VALUE`, or `KEY=` to take a key out.
        #[arg(long = "config")]
        config: Vec<String>,
        /// Take the service's and pipeline's present definitions.
        #[arg(long)]
        redefine: bool,
    },
    /// What changed between its manifests.
    Diff {
        release: String,
        #[arg(long)]
        from: Option<String>,
        #[arg(long)]
        to: Option<String>,
    },
    /// Approves it for an environment, after showing what is approved.
    Approve(Vote),
    /// Rejects it for an environment.
    Reject(Vote),
    /// Asks for a promotion; it starts once every gate is open.
    Promote(Go),
    /// Starts a deployment now, or says why not.
    Deploy(Go),
    /// Turns a run back, or brings back what ran before.
    Rollback {
        /// A run, or a release with --environment.
        what: String,
        #[arg(long)]
        environment: Option<String>,
        #[arg(long)]
        reason: String,
        #[arg(long)]
        wait: bool,
        #[arg(long, default_value_t = 600)]
        timeout: u64,
    },
    /// Follows a run until it ends.
    Watch {
        run: String,
        #[arg(long, default_value_t = 3600)]
        timeout: u64,
    },
    /// Goes on with a run that is held.
    Resume { run: String },
    /// Says what became of a step that nobody knows about.
    Resolve {
        run: String,
        step: String,
        /// done, failed or not-started
        outcome: String,
        #[arg(long)]
        reason: String,
    },
    /// Closes it with a code that fits what happened.
    Close {
        release: String,
        /// withdrawn, superseded, partial, backed-out, successful, successful-with-issues, failed
        #[arg(long)]
        code: String,
        /// The release that takes its place.
        #[arg(long)]
        superseded_by: Option<String>,
        #[arg(long)]
        reason: String,
    },
    /// Downloads the dossier: everything that can be verified offline.
    Dossier {
        release: String,
        #[arg(short, long)]
        output: std::path::PathBuf,
    },
}

#[derive(Args)]
pub struct Vote {
    release: String,
    #[arg(long)]
    environment: String,
    #[arg(long)]
    comment: Option<String>,
    /// Do not ask: I have seen what is approved.
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
pub struct Go {
    release: String,
    #[arg(long = "to", visible_alias = "environment")]
    environment: String,
    /// Follow the run until it ends.
    #[arg(long)]
    wait: bool,
    #[arg(long, default_value_t = 3600)]
    timeout: u64,
}

fn pairs(list: &[String], what: &str) -> anyhow::Result<Map<String, Value>> {
    let mut found = Map::new();
    for one in list {
        let (name, value) = one.split_once('=').ok_or_else(|| BadInput(format!("--{what}: expected NAME=VALUE, found {one:?}")))?;
        if found.insert(name.to_owned(), json!(value)).is_some() {
            return Err(BadInput(format!("--{what}: {name} is given twice")).into());
        }
    }
    Ok(found)
}

impl Release {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let client = connection.client()?;
        match self {
            Release::Create { service, version, components, config, work_items } => {
                let body = json!({"service": service, "version": version, "components": pairs(&components, "component")?, "config": pairs(&config, "config")?, "work_items": work_items});
                let made = client.post("/v1/releases", &body)?;
                out.result(&made, || format!("{}\nmanifest {}", text(&made, "release"), text(&made, "manifest_digest")));
                Ok(Code::Done)
            }
            Release::Show { release } => {
                let view = view(&client, &release)?;
                out.result(&view, || words(&view));
                Ok(Code::Done)
            }
            Release::List { service, state } => list(&client, out, service, state),
            Release::Amend { release, components, config, redefine } => amend(&client, out, &release, &components, &config, redefine),
            Release::Diff { release, from, to } => diff(&client, out, &release, from, to),
            Release::Approve(vote) => cast(&client, out, &vote, true),
            Release::Reject(vote) => cast(&client, out, &vote, false),
            Release::Promote(go) => go_on(&client, out, &go, "promotions"),
            Release::Deploy(go) => go_on(&client, out, &go, "deployments"),
            Release::Rollback { what, environment, reason, wait, timeout } => {
                let run = if what.starts_with("run_") { what } else { latest_run(&client, &what, environment.as_deref())? };
                let asked = client.post(&format!("/v1/runs/{}/rollback", enc(&run)), &json!({"reason": reason}))?;
                let run = asked["run"].as_str().unwrap_or(&run).to_owned();
                if !wait {
                    out.result(&asked, || format!("rolling back: {run}"));
                    return Ok(Code::Done);
                }
                let (view, _) = runs::follow(&client, out, &run, Duration::from_secs(timeout))?;
                let fine = view["result"] == "rolled-back" || (view["purpose"] == "rollback" && view["result"] == "succeeded");
                out.result(&view, || format!("{run}: {}", text(&view, "result")));
                Ok(if fine { Code::Done } else { Code::Blocked })
            }
            Release::Watch { run, timeout } => {
                let (view, code) = runs::follow(&client, out, &run, Duration::from_secs(timeout))?;
                out.result(&view, || ended(&view));
                Ok(code)
            }
            Release::Resume { run } => {
                let done = client.post(&format!("/v1/runs/{}/resume", enc(&run)), &json!({}))?;
                out.result(&done, || format!("{run} goes on"));
                Ok(Code::Done)
            }
            Release::Resolve { run, step, outcome, reason } => {
                let done = client
                    .post(&format!("/v1/runs/{}/resolve", enc(&run)), &json!({"step": step, "outcome": outcome, "reason": reason}))?;
                out.result(&done, || format!("{step} of {run}: {outcome}"));
                Ok(Code::Done)
            }
            Release::Close { release, code, superseded_by, reason } => {
                let done = client.post(
                    &format!("/v1/releases/{}/withdraw", enc(&release)),
                    &json!({"closure": code, "superseded_by": superseded_by, "reason": reason}),
                )?;
                out.result(&done, || format!("{release} closed: {code}"));
                Ok(Code::Done)
            }
            Release::Dossier { release, output } => {
                let bytes = client.bytes(&format!("/v1/releases/{}/dossier", enc(&release)))?;
                std::fs::write(&output, &bytes)?;
                out.result(&json!({"file": output, "bytes": bytes.len()}), || format!("{} ({} bytes)", output.display(), bytes.len()));
                Ok(Code::Done)
            }
        }
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn view(client: &Client, release: &str) -> anyhow::Result<Value> {
    client.get(&format!("/v1/releases/{}", enc(release)))
}

fn list(client: &Client, out: &Out, service: Option<String>, state: Option<String>) -> Ended {
    let query: Vec<String> =
        [("service", service), ("state", state)].into_iter().filter_map(|(name, value)| Some(format!("{name}={}", enc(&value?)))).collect();
    let all = client.get(&format!("/v1/releases?{}", query.join("&")))?;
    out.result(&all, || {
        let rows = all["releases"].as_array().into_iter().flatten();
        let lines: Vec<String> = rows
            .map(|one| {
                format!(
                    "{:<32} {:<16} {:<10} {:<10} {}",
                    text(one, "id"),
                    text(one, "service"),
                    text(one, "version"),
                    text(one, "state"),
                    text(one, "closure")
                )
            })
            .collect();
        if lines.is_empty() { "no release yet: holdpoint release create".to_owned() } else { lines.join("\n") }
    });
    Ok(Code::Done)
}

fn amend(client: &Client, out: &Out, release: &str, components: &[String], config: &[String], redefine: bool) -> Ended {
    let now = view(client, release)?;
    let mut changes = pairs(config, "config")?;
    for value in changes.values_mut() {
        if value == "" {
            *value = Value::Null;
        }
    }
    let body = json!({"components": pairs(components, "component")?, "config": changes, "redefine": redefine});
    let tag = format!("\"{}\"", text(&now, "manifest_digest"));
    let done = client.call(reqwest::Method::PATCH, &format!("/v1/releases/{}", enc(release)), &body, &[("If-Match", &tag)])?;
    out.result(&done, || format!("manifest {}\n{}", text(&done, "manifest_digest"), differences(&done["diff"])));
    Ok(Code::Done)
}

/// Between two manifests; from the first to the one in force where none is named.
fn diff(client: &Client, out: &Out, release: &str, from: Option<String>, to: Option<String>) -> Ended {
    let history = view(client, release)?["history"].as_array().cloned().unwrap_or_default();
    let digest = |one: Option<&Value>| one.map(|one| text(one, "digest")).unwrap_or_default();
    let (from, to) = (from.unwrap_or_else(|| digest(history.first())), to.unwrap_or_else(|| digest(history.last())));
    let found = client.get(&format!("/v1/releases/{}/diff?from={}&to={}", enc(release), enc(&from), enc(&to)))?;
    out.result(&found, || differences(&found["changes"]));
    Ok(Code::Done)
}

fn differences(diff: &Value) -> String {
    let lines: Vec<String> =
        diff.as_array().into_iter().flatten().map(|one| format!("  {}: {} → {}", text(one, "path"), one["from"], one["to"])).collect();
    if lines.is_empty() { "no difference".to_owned() } else { lines.join("\n") }
}

/// Shows exactly what is approved, asks, and sends both digests along.
fn cast(client: &Client, out: &Out, vote: &Vote, approve: bool) -> Ended {
    let id = enc(&vote.release);
    let answer = client.get(&format!("/v1/releases/{id}/gates?environment={}", enc(&vote.environment)))?;
    let report = answer.get("report").cloned().unwrap_or(answer);
    let shown = view(client, &vote.release)?;
    if !out.json {
        out.say(format!(
            "{} {} → {}\nmanifest {}\nevidence {}",
            text(&report, "service"),
            text(&report, "version"),
            vote.environment,
            text(&report, "manifest_digest"),
            text(&report, "evidence_root")
        ));
        for (name, pin) in shown["manifest"]["components"].as_object().into_iter().flatten() {
            out.say(format!("  {name} {}", text(pin, "digest")));
        }
        for (key, value) in shown["manifest"]["config"].as_object().into_iter().flatten() {
            out.say(format!("  config {key} = {}", value.as_str().unwrap_or_default()));
        }
        out.say(gate::words(&report));
    }
    let verb = if approve { "Approve" } else { "Reject" };
    if !vote.yes && !out.confirm(&format!("{verb} exactly this?")) {
        return Err(BadInput(format!("nothing was sent: confirm with --yes that you have seen what you {}", verb.to_lowercase())).into());
    }
    let body = json!({"environment": vote.environment, "manifest_digest": report["manifest_digest"], "evidence_root": report["evidence_root"], "comment": vote.comment.clone().unwrap_or_default()});
    let door = if approve { "approvals" } else { "rejections" };
    let done = client.post(&format!("/v1/releases/{id}/{door}"), &body)?;
    out.result(&done, || format!("{} for {}", if approve { "approved" } else { "rejected" }, vote.environment));
    Ok(Code::Done)
}

fn go_on(client: &Client, out: &Out, go: &Go, door: &str) -> Ended {
    let id = enc(&go.release);
    let before: Vec<String> = run_ids(client, &go.release, &go.environment)?;
    let asked = client.post(&format!("/v1/releases/{id}/{door}"), &json!({"environment": go.environment}))?;
    if !go.wait {
        out.result(&asked, || {
            if asked["report"]["verdict"] == "open" {
                format!("{} → {}: every gate is open, it starts", go.release, go.environment)
            } else {
                gate::words(&asked["report"])
            }
        });
        return Ok(Code::Done);
    }
    let end = Instant::now() + Duration::from_secs(go.timeout);
    let mut said = String::new();
    loop {
        if let Some(run) = run_ids(client, &go.release, &go.environment)?.into_iter().find(|run| !before.contains(run)) {
            let left = end.saturating_duration_since(Instant::now());
            let (view, code) = runs::follow(client, out, &run, left)?;
            out.result(&view, || ended(&view));
            return Ok(code);
        }
        let answer = client.get(&format!("/v1/releases/{id}/gates?environment={}", enc(&go.environment)))?;
        let report = answer.get("report").cloned().unwrap_or(answer);
        let words = gate::words(&report);
        if report["verdict"] != "open" && words != said {
            out.say(&words);
            said = words;
        }
        if Instant::now() >= end {
            out.result(&json!({"verdict": "waiting", "report": report}), || {
                "it did not start in time; the promotion stays asked for".to_owned()
            });
            return Ok(Code::Blocked);
        }
        runs::pause(Duration::from_millis(300));
    }
}

fn run_ids(client: &Client, release: &str, environment: &str) -> anyhow::Result<Vec<String>> {
    let all = client.get(&format!("/v1/runs?release={}&environment={}", enc(release), enc(environment)))?;
    Ok(all["runs"].as_array().into_iter().flatten().map(|run| text(run, "id")).collect())
}

fn latest_run(client: &Client, release: &str, environment: Option<&str>) -> anyhow::Result<String> {
    let environment =
        environment.ok_or_else(|| BadInput("--environment is needed to know which run of the release is meant".to_owned()))?;
    run_ids(client, release, environment)?
        .into_iter()
        .next()
        .ok_or_else(|| BadInput(format!("{release} has no run in {environment}")).into())
}

fn ended(view: &Value) -> String {
    let cause = view["cause"]["sentence"].as_str().map(|cause| format!("\n  because {cause}")).unwrap_or_default();
    format!(
        "{} {} → {}: {}{cause}",
        text(view, "service"),
        text(view, "version"),
        text(view, "environment"),
        view["result"].as_str().unwrap_or_else(|| view["state"].as_str().unwrap_or_default())
    )
}

fn words(view: &Value) -> String {
    let closure = view["closure"].as_str().map(|code| format!(" ({code})")).unwrap_or_default();
    let mut text_ = format!(
        "{}  {} {}  {}{closure}\nmanifest {}\n",
        text(view, "id"),
        text(view, "service"),
        text(view, "version"),
        text(view, "state"),
        text(view, "manifest_digest")
    );
    for (name, pin) in view["manifest"]["components"].as_object().into_iter().flatten() {
        text_.push_str(&format!("  {name} {}\n", text(pin, "digest")));
    }
    let authors: Vec<String> = view["authors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| one["handle"].as_str().or_else(|| one["person"].as_str()).unwrap_or_default().to_owned())
        .collect();
    text_.push_str(&format!("authors: {}\n", authors.join(", ")));
    for one in view["approvals"].as_array().into_iter().flatten() {
        let counts = if one["valid"] == true { "counts".to_owned() } else { format!("void: {}", text(one, "void_because")) };
        text_.push_str(&format!("approval by {} for {} at {}: {counts}\n", text(one, "handle"), text(one, "environment"), text(one, "at")));
    }
    for one in view["refused_votes"].as_array().into_iter().flatten() {
        let (word, count) = (if one["word"] == "rejected" { "reject" } else { "approve" }, one["count"].as_u64().unwrap_or(1));
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        text_.push_str(&format!(
            "refused {times}: {} tried to {word} for {}, last at {}: {}\n",
            text(one, "handle"),
            text(one, "environment"),
            text(one, "at"),
            text(one, "code")
        ));
    }
    for place in view["environments"].as_array().into_iter().flatten() {
        let report = &place["report"];
        let verdict = report["verdict"].as_str().unwrap_or("not asked");
        text_.push_str(&format!("{:<14} {verdict}\n", text(place, "name")));
    }
    text_
}
