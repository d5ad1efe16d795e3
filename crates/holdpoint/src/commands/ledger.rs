//! The ledger: export, prove, verify; and the offline verification of a dossier.

use super::Ended;
use crate::client::Connection;
use crate::out::{BadInput, Code, Out, read};
use clap::{Args, Subcommand};
use holdpoint_seal::keys::PublicKey;
use holdpoint_seal::proof::{self, ProofError};
use holdpoint_seal::report::Report;
use holdpoint_seal::{dossier, export};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum Ledger {
    /// Verifies an exported ledger with the root key, or a single proof file.
    Verify {
        file: PathBuf,
        /// Root key; needed for an export.
        #[arg(long)]
        root: Option<PathBuf>,
        /// Checkpoints seen before; the ledger must contain them.
        #[arg(long)]
        older: Vec<PathBuf>,
    },
    /// The whole ledger as JSON lines.
    Export {
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Proof that one entry is in the log.
    Proof {
        #[arg(long)]
        index: u64,
    },
    /// The latest signed checkpoint; keep one elsewhere.
    Checkpoint,
}

#[derive(Args)]
pub struct Verify {
    dossier: PathBuf,
    /// Public root key, PEM.
    #[arg(long)]
    root: PathBuf,
}

fn root_key(path: &Path) -> anyhow::Result<PublicKey> {
    let text = String::from_utf8_lossy(&read(path)?).into_owned();
    Ok(PublicKey::from_pem(&text).map_err(|why| BadInput(format!("{}: {why}", path.display())))?)
}

fn tell(out: &Out, what: &str, report: &Report) -> Ended {
    let verdict = if report.ok { "verified" } else { "refused" };
    let mut value = serde_json::to_value(report)?;
    value["verdict"] = json!(verdict);
    out.result(&value, || {
        if report.ok {
            let root = report.root.map(|root| root.short()).unwrap_or_default();
            format!(
                "✓ {what} verified: {} facts, {} attestations, {} approvals, root {root}",
                report.facts, report.attestations, report.approvals
            )
        } else {
            let place = report
                .first_bad_index
                .map(|index| format!("first bad index {index}"))
                .unwrap_or_else(|| "not placed at an entry".to_owned());
            let lines: Vec<String> = report
                .findings
                .iter()
                .take(10)
                .map(|one| {
                    format!(
                        "  {}{}: expected {}, found {}",
                        one.index.map(|i| format!("[{i}] ")).unwrap_or_default(),
                        one.what,
                        one.expected,
                        one.found
                    )
                })
                .collect();
            format!("✗ {what} does not verify: {place}\n{}", lines.join("\n"))
        }
    });
    Ok(if report.ok { Code::Done } else { Code::Blocked })
}

impl Verify {
    pub fn run(self, out: &Out) -> Ended {
        let report = dossier::verify(&read(&self.dossier)?, &root_key(&self.root)?, None);
        tell(out, "dossier", &report)
    }
}

impl Ledger {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        match self {
            Ledger::Verify { file, root, older } => {
                let bytes = read(&file)?;
                let Some(root) = root else { return verify_proof(out, &file, &bytes) };
                let older: Vec<Vec<u8>> = older.iter().map(|path| read(path)).collect::<anyhow::Result<_>>()?;
                let older: Vec<&[u8]> = older.iter().map(Vec::as_slice).collect();
                tell(out, "ledger", &export::verify_export(&bytes, &root_key(&root)?, &older))
            }
            Ledger::Export { output } => {
                let bytes = connection.client()?.bytes("/v1/ledger/export")?;
                std::fs::write(&output, &bytes)?;
                out.result(&json!({"file": output, "bytes": bytes.len()}), || format!("{} ({} bytes)", output.display(), bytes.len()));
                Ok(Code::Done)
            }
            Ledger::Proof { index } => {
                let proof = connection.client()?.get(&format!("/v1/ledger/proof?index={index}"))?;
                println!("{proof}");
                Ok(Code::Done)
            }
            Ledger::Checkpoint => {
                let checkpoint = connection.client()?.get("/v1/ledger/checkpoint")?;
                out.result(&checkpoint, || {
                    checkpoint["note"].as_str().or_else(|| checkpoint["checkpoint"].as_str()).unwrap_or_default().to_owned()
                });
                Ok(Code::Done)
            }
        }
    }
}

fn verify_proof(out: &Out, file: &Path, bytes: &[u8]) -> Ended {
    match proof::verify(bytes) {
        Ok(_) => {
            out.result(&json!({"verdict": "verified"}), || "✓ verified".to_owned());
            Ok(Code::Done)
        }
        Err(ProofError::Json(why)) => Err(BadInput(format!("{}: {why}", file.display())).into()),
        Err(why) => {
            out.result(&json!({"verdict": "refused", "why": why.to_string()}), || format!("✗ refused: {why}"));
            Ok(Code::Blocked)
        }
    }
}
