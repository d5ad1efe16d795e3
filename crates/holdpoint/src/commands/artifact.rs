//! Files by digest.

use super::Ended;
use crate::client::Connection;
use crate::out::{Code, Out, read};
use clap::Subcommand;
use holdpoint_seal::digest::Digest;
use serde_json::json;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Artifact {
    /// Uploads a file and prints its digest.
    Put { file: PathBuf },
    /// Downloads a file; its bytes are checked against the digest.
    Get {
        digest: String,
        #[arg(short, long)]
        output: PathBuf,
    },
}

impl Artifact {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let client = connection.client()?;
        match self {
            Artifact::Put { file } => {
                let bytes = read(&file)?;
                let digest = Digest::of(&bytes);
                client.upload(reqwest::Method::PUT, &format!("/v1/blobs/{digest}"), bytes)?;
                out.result(&json!({"digest": digest}), || digest.to_string());
            }
            Artifact::Get { digest, output } => {
                let wanted: Digest = digest.parse().map_err(|why| crate::out::BadInput(format!("{digest}: {why}")))?;
                let bytes = client.bytes(&format!("/v1/blobs/{wanted}"))?;
                anyhow::ensure!(Digest::of(&bytes) == wanted, "the server sent other bytes: {}", Digest::of(&bytes));
                std::fs::write(&output, bytes)?;
                out.result(&json!({"digest": wanted, "file": output}), || output.display().to_string());
            }
        }
        Ok(Code::Done)
    }
}
