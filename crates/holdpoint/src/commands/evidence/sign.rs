//! `evidence sign`.

use crate::commands::Ended;
use crate::out::{BadInput, Code, Out, read};
use clap::{Args, ValueEnum};
use holdpoint_seal::base64;
use holdpoint_seal::dsse::{Envelope, IN_TOTO};
use holdpoint_seal::keys::SigningKey;
use holdpoint_seal::sigstore::bundle;
use holdpoint_seal::statement::Statement;
use serde_json::json;
use std::path::PathBuf;

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A DSSE envelope.
    Dsse,
    /// A Sigstore bundle, version 0.3, with the envelope; verifiable by the key, in no transparency log.
    Bundle,
}

#[derive(Args)]
pub struct Sign {
    /// An in-toto statement; its bytes are signed as they are. `-` is standard input.
    statement: PathBuf,
    /// Private key: PKCS 8 in PEM, Ed25519 or ECDSA P-256, not encrypted.
    #[arg(long, value_name = "PEM")]
    key: PathBuf,
    #[arg(long, value_enum, default_value = "dsse")]
    format: Format,
    /// Where the result goes.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Sign {
    pub fn run(self, out: &Out) -> Ended {
        let bytes = read(&self.statement)?;
        let statement = Statement::parse_any_version(&bytes).map_err(|why| {
            let cause = std::error::Error::source(&why).map(|cause| format!(": {cause}")).unwrap_or_default();
            BadInput(format!("{}: {why}{cause}", self.statement.display()))
        })?;
        let key = SigningKey::from_pem(&String::from_utf8_lossy(&read(&self.key)?))
            .map_err(|why| BadInput(format!("{}: {why}", self.key.display())))?;
        let envelope = Envelope::sign(IN_TOTO, bytes, &[&key])?;
        let written = match self.format {
            Format::Dsse => envelope.to_vec(),
            Format::Bundle => bundle::with_key(&envelope, &base64::encode(key.id().digest().as_bytes())).to_string().into_bytes(),
        };
        std::fs::write(&self.output, written).map_err(|why| BadInput(format!("{}: {why}", self.output.display())))?;
        let subjects: Vec<String> = statement.subject.iter().filter_map(|one| one.sha256()).map(|one| one.to_string()).collect();
        let value = json!({
            "verdict": "signed", "file": self.output, "key": key.id(), "predicate_type": statement.predicate_type, "subjects": subjects,
        });
        out.result(&value, || format!("✓ signed: {} about {} with key {}", statement.predicate_type, subjects.join(", "), key.id()));
        Ok(Code::Done)
    }
}
