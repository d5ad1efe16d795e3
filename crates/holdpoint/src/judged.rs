//! The end of every offline judgement: one JSON object or a text, SARIF and HTML beside it, and evidence where it is signed.

use crate::commands::Ended;
use crate::out::{BadInput, Code, Out, read};
use holdpoint_inspect::compat::interface::consumers;
use holdpoint_inspect::finding::Finding;
use holdpoint_inspect::report;
use holdpoint_seal::digest::Digest;
use holdpoint_seal::dsse::{Envelope, IN_TOTO};
use holdpoint_seal::keys::SigningKey;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// The predicate type of a judgement that was signed: `{command, verdict, blocks, findings, …}`.
pub const JUDGEMENT: &str = "urn:holdpoint:evidence:judgement:1";

/// How a judgement is told beside standard output.
#[derive(clap::Args)]
pub struct Reporting {
    /// Also write the findings as SARIF 2.1.0.
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Also write a page for people.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Sign the result as evidence about --subject with this private key (PKCS 8, PEM).
    #[arg(long, value_name = "KEY", requires = "subject", requires = "envelope")]
    sign: Option<PathBuf>,
    /// What the result is about: `sha256:…`.
    #[arg(long, value_name = "DIGEST")]
    subject: Vec<String>,
    /// Where the signed envelope goes.
    #[arg(long, value_name = "FILE")]
    envelope: Option<PathBuf>,
}

/// What a command has found.
pub struct Judgement {
    /// Such as `compat openapi`.
    pub command: &'static str,
    pub verdict: &'static str,
    /// Whether the command ends with 1.
    pub blocks: bool,
    /// Sorted, worst first.
    pub findings: Vec<Finding>,
    /// Further members of the result.
    pub more: Map<String, Value>,
}

/// Who was seen to use what a finding is about, the busiest first.
fn used_by(finding: &Finding) -> Option<String> {
    const NAMED_MAX: usize = 5;
    let all = consumers(&finding.more);
    let named: Vec<String> = all
        .iter()
        .take(NAMED_MAX)
        .map(|(name, requests, _)| if *requests == 0 { name.clone() } else { format!("{name} ({requests} requests)") })
        .collect();
    let rest = if all.len() > NAMED_MAX { format!(" and {} more", all.len() - NAMED_MAX) } else { String::new() };
    (!named.is_empty()).then(|| format!("{}{rest}", named.join(", ")))
}

impl Judgement {
    fn value(&self) -> Value {
        let mut value = json!({"verdict": self.verdict, "findings": self.findings});
        for (key, more) in &self.more {
            value[key] = more.clone();
        }
        value
    }
    fn text(&self) -> String {
        let mut lines = Vec::new();
        for finding in &self.findings {
            lines.push(format!("{} {}  {}", finding.severity, finding.rule, finding.place()));
            lines.push(format!("    {}", finding.message));
            lines.extend(finding.fix.as_ref().map(|fix| format!("    fix: {fix}")));
            lines.extend(used_by(finding).map(|who| format!("    used by: {who}")));
        }
        let sign = if self.blocks { "✗" } else { "✓" };
        let count = match self.findings.len() {
            0 => String::new(),
            1 => ", one finding".to_owned(),
            many => format!(", {many} findings"),
        };
        lines.push(format!("{sign} {}{count}", self.verdict));
        lines.join("\n")
    }
}

impl Reporting {
    /// Tells it in every asked way, and ends the command.
    pub fn end(&self, out: &Out, judgement: &Judgement) -> Ended {
        let write =
            |path: &PathBuf, bytes: &[u8]| std::fs::write(path, bytes).map_err(|why| BadInput(format!("{}: {why}", path.display())));
        if let Some(path) = &self.sarif {
            let log = report::sarif(judgement.command, env!("CARGO_PKG_VERSION"), &judgement.findings);
            write(path, format!("{log:#}\n").as_bytes())?;
        }
        if let Some(path) = &self.html {
            write(path, report::html(judgement.command, judgement.verdict, &judgement.findings).as_bytes())?;
        }
        if let (Some(key), Some(path)) = (&self.sign, &self.envelope) {
            write(path, &self.signed(key, judgement)?)?;
        }
        out.result(&judgement.value(), || judgement.text());
        Ok(if judgement.blocks { Code::Blocked } else { Code::Done })
    }

    fn signed(&self, key: &std::path::Path, judgement: &Judgement) -> anyhow::Result<Vec<u8>> {
        let bad = |why: &dyn std::fmt::Display| BadInput(format!("{}: {why}", key.display()));
        let key = SigningKey::from_pem(&String::from_utf8_lossy(&read(key)?)).map_err(|why| bad(&why))?;
        let mut subjects = Vec::new();
        for subject in &self.subject {
            let digest: Digest = subject.parse().map_err(|why| BadInput(format!("--subject {subject}: {why}")))?;
            subjects.push(json!({"digest": {"sha256": digest.hex()}}));
        }
        let mut predicate = judgement.value();
        predicate["command"] = json!(judgement.command);
        predicate["blocks"] = json!(judgement.blocks);
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1", "subject": subjects, "predicateType": JUDGEMENT, "predicate": predicate,
        });
        Ok(Envelope::sign(IN_TOTO, statement.to_string().into_bytes(), &[&key])?.to_vec())
    }
}
