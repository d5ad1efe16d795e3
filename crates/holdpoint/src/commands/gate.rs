//! What is open, what is shut and why.

use super::Ended;
use crate::client::{Connection, enc};
use crate::out::{Code, Out};
use clap::Subcommand;
use serde_json::{Value, json};

#[derive(Subcommand)]
pub enum Gate {
    /// Why is this release blocked in this environment? Every gate, with what would open it.
    Explain { release: String, environment: String },
    /// May this digest be deployed? For pipelines that deploy by themselves: exit 0 yes, 1 no.
    Check {
        #[arg(long)]
        digest: String,
        #[arg(long)]
        environment: String,
        #[arg(long)]
        service: String,
    },
    /// Tells what another tool deployed; the running thing is asked what it is.
    Report {
        #[arg(long)]
        digest: String,
        #[arg(long)]
        environment: String,
        #[arg(long)]
        service: String,
        /// succeeded or failed
        #[arg(long)]
        result: String,
        /// What the running thing itself answers (version or digest).
        #[arg(long)]
        observed: Option<String>,
    },
}

/// A report as people read it.
pub fn words(report: &Value) -> String {
    let gates: Vec<&Value> = report["gates"].as_array().into_iter().flatten().collect();
    let of = |light: &str| gates.iter().filter(|gate| gate["state"] == light).count();
    let verdict = match report["verdict"].as_str() {
        Some("open") => "OPEN".to_owned(),
        Some("waiting") => format!("WAITING ({} of {} gates)", of("waiting"), gates.len()),
        _ => format!("SHUT ({} of {} gates)", of("shut"), gates.len()),
    };
    let mut text = format!(
        "{} {} → {}: {verdict}\n",
        report["service"].as_str().unwrap_or_default(),
        report["version"].as_str().unwrap_or_default(),
        report["environment"].as_str().unwrap_or_default()
    );
    for gate in &gates {
        let mark = match gate["state"].as_str() {
            Some("open") => "✓",
            Some("waiting") => "⏳",
            _ => "✗",
        };
        let code = gate["code"].as_str().map(|code| format!("{code} ")).unwrap_or_default();
        text.push_str(&format!(
            " {mark} {:<22} {code}{}\n",
            gate["title"].as_str().unwrap_or_default(),
            gate["sentence"].as_str().unwrap_or_default()
        ));
        if let Some(unblock) = gate["unblock"].as_str() {
            text.push_str(&format!("   {:<22} unblock: {unblock}\n", ""));
        }
    }
    if let Some(next) = report["next_start"].as_str() {
        text.push_str(&format!(" next possible start: {next}\n"));
    }
    text
}

fn code(report: &Value) -> Code {
    if report["verdict"] == "open" { Code::Done } else { Code::Blocked }
}

impl Gate {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let client = connection.client()?;
        match self {
            Gate::Explain { release, environment } => {
                let answer = client.get(&format!("/v1/releases/{}/gates?environment={}", enc(&release), enc(&environment)))?;
                let report = answer.get("report").cloned().unwrap_or(answer);
                out.result(&report, || words(&report));
                Ok(code(&report))
            }
            Gate::Check { digest, environment, service } => {
                let answer = client.post("/v1/gates/check", &json!({"digest": digest, "environment": environment, "service": service}))?;
                out.result(&answer, || words(&answer["report"]));
                Ok(code(&answer["report"]))
            }
            Gate::Report { digest, environment, service, result, observed } => {
                let body =
                    json!({"digest": digest, "environment": environment, "service": service, "result": result, "observed": observed});
                let answer = client.post("/v1/deployments/report", &body)?;
                out.result(&answer, || "recorded".to_owned());
                Ok(Code::Done)
            }
        }
    }
}
