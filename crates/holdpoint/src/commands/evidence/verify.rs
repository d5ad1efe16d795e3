//! `evidence verify`.

use super::Signed;
use crate::commands::Ended;
use crate::judged::{Judgement, Reporting};
use crate::out::{BadInput, Out, read};
use clap::Args;
use holdpoint_inspect::finding::{Finding, Severity};
use holdpoint_seal::sigstore::identity::Identity;
use holdpoint_seal::sigstore::key::ForeignKey;
use holdpoint_seal::sigstore::refusal::Refusal;
use holdpoint_seal::sigstore::root::TrustedRoot;
use holdpoint_seal::sigstore::{self, Signer, Verified, time};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

#[derive(Args)]
#[command(group = clap::ArgGroup::new("signer").required(true).args(["key", "certificate_identity"]))]
pub struct Verify {
    /// A DSSE envelope or a Sigstore bundle (0.1 to 0.3). `-` is standard input.
    file: PathBuf,
    /// Public key: PEM of ECDSA P-256 or P-384, Ed25519 or RSA.
    #[arg(long, value_name = "PEM", conflicts_with = "certificate_oidc_issuer")]
    key: Option<PathBuf>,
    /// The identity that the certificate must state, exactly: an address or a URI.
    #[arg(long, value_name = "IDENTITY", requires = "certificate_oidc_issuer", requires = "trusted_root")]
    certificate_identity: Option<String>,
    /// The OIDC issuer that the certificate must state, exactly.
    #[arg(long, value_name = "URL", requires = "certificate_identity")]
    certificate_oidc_issuer: Option<String>,
    /// Whom to trust: a `trusted_root.json`. With --key the transparency log is then checked, too.
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// What was signed, or what the statement must be about.
    #[arg(long, value_name = "FILE")]
    artifact: Option<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

impl Verify {
    fn signer(&self) -> anyhow::Result<Signer> {
        if let Some(path) = &self.key {
            let text = String::from_utf8_lossy(&read(path)?).into_owned();
            let key = ForeignKey::from_pem(&text).map_err(|why| BadInput(format!("{}: {why}", path.display())))?;
            return Ok(Signer::Key(key));
        }
        let name = self.certificate_identity.clone().unwrap_or_default();
        Ok(Signer::Identity(Identity { name, issuer: self.certificate_oidc_issuer.clone().unwrap_or_default() }))
    }

    pub fn run(self, out: &Out) -> Ended {
        let signer = self.signer()?;
        let root = match &self.trusted_root {
            Some(path) => Some(TrustedRoot::parse(&read(path)?).map_err(|why| BadInput(format!("{}: {why}", path.display())))?),
            None => None,
        };
        let signed = Signed::read(&self.file)?;
        let artifact = self.artifact.as_deref().map(read).transpose()?;
        let verified = match (&signed, &signer) {
            (Signed::Bundle(bundle), signer) => sigstore::verify(bundle, signer, root.as_ref(), artifact.as_deref()),
            (Signed::Envelope(_), Signer::Key(_)) if root.is_some() => Err(Refusal::new(
                "log-entry-missing",
                "a transparency log entry, which --trusted-root asks for",
                "a bare envelope",
                "a Sigstore bundle",
            )),
            (Signed::Envelope(envelope), Signer::Key(key)) => sigstore::verify_envelope(envelope, key, artifact.as_deref()),
            (Signed::Envelope(_), Signer::Identity(_)) => Err(Refusal::new(
                "verification-material",
                "what the file is verified by",
                "a bare envelope",
                "a Sigstore bundle with a certificate",
            )),
        };
        let file = self.file.display().to_string();
        let mut more = Map::new();
        more.insert("format".to_owned(), json!(signed.format()));
        let (verdict, findings) = match verified {
            Ok(verified) => {
                tell(&mut more, &signer, &verified);
                out.say(spoken(&signer, &verified, artifact.is_some(), matches!(signed, Signed::Bundle(_)) && root.is_none()));
                ("verified", Vec::new())
            }
            Err(refusal) => {
                let finding = Finding::new(refusal.rule, Severity::High, refusal.to_string()).at(file, None);
                ("refused", vec![finding.with("found", refusal.found).with("expected", refusal.expected)])
            }
        };
        self.reporting.end(out, &Judgement { command: "evidence verify", verdict, blocks: verdict != "verified", findings, more })
    }
}

fn signer_value(signer: &Signer) -> Value {
    match signer {
        Signer::Key(key) => json!({"key": key.id(), "kind": key.kind()}),
        Signer::Identity(identity) => json!({"identity": identity.name, "issuer": identity.issuer}),
    }
}

fn tell(more: &mut Map<String, Value>, signer: &Signer, verified: &Verified) {
    more.insert("signer".to_owned(), signer_value(signer));
    if let Some(statement) = &verified.statement {
        let subjects: Vec<String> = statement.subject.iter().filter_map(|one| one.sha256()).map(|one| one.to_string()).collect();
        more.insert("predicate_type".to_owned(), json!(statement.predicate_type));
        more.insert("subjects".to_owned(), json!(subjects));
    }
    if let Some(artifact) = &verified.artifact {
        more.insert("artifact".to_owned(), json!(artifact));
    }
    let log = |one: &sigstore::Witness| json!({"url": one.url, "index": one.index, "promised_at": one.promised_at.map(time::show), "proved": one.proved});
    more.insert("logs".to_owned(), verified.logs.iter().map(log).collect());
    more.insert("timestamps".to_owned(), verified.timestamps.iter().map(|at| json!(time::show(*at))).collect());
    if let Some(log) = &verified.ct_log {
        more.insert("ct_log".to_owned(), json!(log));
    }
}

/// What was checked, and aloud what was not.
fn spoken(signer: &Signer, verified: &Verified, artifact: bool, unlogged: bool) -> String {
    let mut lines = vec![match signer {
        Signer::Key(key) => format!("signed by the {} key {}", key.kind(), key.id()),
        Signer::Identity(identity) => format!("signed by {} (issuer {})", identity.name, identity.issuer),
    }];
    if let Some(statement) = &verified.statement {
        let subjects: Vec<String> = statement.subject.iter().filter_map(|one| one.sha256()).map(|one| one.to_string()).collect();
        lines.push(format!("{} about {}", statement.predicate_type, subjects.join(", ")));
    }
    if let Some(digest) = &verified.artifact {
        lines.push(format!("the artifact is {digest}"));
    }
    for log in &verified.logs {
        let at = log.promised_at.map(|at| format!(", promised {}", time::show(at))).unwrap_or_default();
        lines.push(format!("entry {} of {}{at}{}", log.index, log.url, if log.proved { ", proved by its checkpoint" } else { "" }));
    }
    lines.extend(verified.timestamps.iter().map(|at| format!("timestamp of {}", time::show(*at))));
    lines.extend(verified.ct_log.iter().map(|log| format!("the certificate is known to {log}")));
    if !artifact {
        lines.push("not checked: no --artifact was given, so it is about whatever its subjects name".to_owned());
    }
    if unlogged {
        lines.push("not checked: transparency log and timestamps, without --trusted-root".to_owned());
    }
    lines.join("\n")
}
