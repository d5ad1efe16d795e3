//! Evidence: add, look at, verify.

use super::Ended;
use crate::client::{Connection, enc};
use crate::out::{BadInput, Code, Out, read};
use clap::{Subcommand, ValueEnum};
use holdpoint_seal::digest::Digest;
use holdpoint_seal::dsse::Envelope;
use holdpoint_seal::keys::PublicKey;
use holdpoint_seal::statement::Statement;
use serde_json::json;
use std::path::PathBuf;

#[derive(Clone, Copy, ValueEnum)]
pub enum Kind {
    Junit,
    Sarif,
    Cyclonedx,
    Dsse,
}

#[derive(Subcommand)]
pub enum Evidence {
    /// Adds a report about a digest.
    Add {
        #[arg(long, value_enum)]
        kind: Kind,
        /// `sha256:…` of a component or of a release's manifest.
        #[arg(long)]
        subject: String,
        /// Name of the test suite, for JUnit.
        #[arg(long)]
        suite: Option<String>,
        file: PathBuf,
    },
    /// Evidence about a digest.
    Show {
        #[arg(long)]
        subject: String,
    },
    /// Verifies a DSSE envelope offline with a public key.
    Verify {
        file: PathBuf,
        /// Public key, PEM.
        #[arg(long)]
        key: PathBuf,
        /// File that must be among the statement's subjects.
        #[arg(long)]
        artifact: Option<PathBuf>,
    },
}

impl Evidence {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        match self {
            Evidence::Add { kind, subject, suite, file } => {
                let bytes = read(&file)?;
                let kind = match kind {
                    Kind::Junit => "junit",
                    Kind::Sarif => "sarif",
                    Kind::Cyclonedx => "cyclonedx",
                    Kind::Dsse => "dsse",
                };
                if kind == "junit" && suite.is_none() {
                    return Err(BadInput("--suite is needed with --kind junit".to_owned()).into());
                }
                let suite = suite.map(|suite| format!("&suite={}", enc(&suite))).unwrap_or_default();
                let done = connection.client()?.upload(
                    reqwest::Method::POST,
                    &format!("/v1/evidence?kind={kind}&subject={}{suite}", enc(&subject)),
                    bytes,
                )?;
                out.result(&done, || {
                    done["evidence"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(|one| {
                            format!(
                                "{} {}  {}",
                                one["kind"].as_str().unwrap_or_default(),
                                one["digest"].as_str().unwrap_or_default(),
                                one["summary"].as_str().unwrap_or_default()
                            )
                        })
                        .collect::<Vec<_>>()
                        .join("\n")
                });
                Ok(Code::Done)
            }
            Evidence::Show { subject } => {
                let all = connection.client()?.get(&format!("/v1/evidence?subject={}", enc(&subject)))?;
                out.result(&all, || {
                    let rows = all["evidence"].as_array().into_iter().flatten();
                    let lines: Vec<String> = rows
                        .map(|one| {
                            format!(
                                "{:<12} {} {}  {}",
                                one["kind"].as_str().unwrap_or_default(),
                                one["at"].as_str().unwrap_or_default(),
                                one["digest"].as_str().unwrap_or_default(),
                                one["summary"].as_str().unwrap_or_default()
                            )
                        })
                        .collect();
                    if lines.is_empty() { "no evidence about this digest".to_owned() } else { lines.join("\n") }
                });
                Ok(Code::Done)
            }
            Evidence::Verify { file, key, artifact } => verify(out, &file, &key, artifact.as_deref()),
        }
    }
}

fn verify(out: &Out, file: &std::path::Path, key: &std::path::Path, artifact: Option<&std::path::Path>) -> Ended {
    let key = PublicKey::from_pem(&String::from_utf8_lossy(&read(key)?)).map_err(|why| BadInput(format!("{}: {why}", key.display())))?;
    let envelope = Envelope::parse(&read(file)?).map_err(|why| BadInput(format!("{}: {why}", file.display())))?;
    let artifact = artifact.map(read).transpose()?.map(|bytes| Digest::of(&bytes));
    let refused = |why: String| {
        out.result(&json!({"verdict": "refused", "why": why}), || format!("✗ refused: {why}"));
        Ok(Code::Blocked)
    };
    if !envelope.signed_by(&key) {
        return refused("no signature of this key over this payload".to_owned());
    }
    if envelope.expect_type(holdpoint_seal::dsse::IN_TOTO).is_err() {
        return refused(format!("payload type {:?} is not in-toto", envelope.payload_type));
    }
    let statement = match Statement::parse(&envelope.payload) {
        Ok(statement) => statement,
        Err(why) => return refused(why.to_string()),
    };
    if let Some(digest) = artifact
        && statement.subject_with(&digest).is_none()
    {
        return refused(format!("it is not about {digest}"));
    }
    let subjects: Vec<String> = statement.subject.iter().filter_map(|subject| subject.sha256()).map(|digest| digest.to_string()).collect();
    out.result(&json!({"verdict": "verified", "predicate_type": statement.predicate_type, "subjects": subjects}), || {
        format!("✓ verified: {} about {}", statement.predicate_type, subjects.join(", "))
    });
    Ok(Code::Done)
}
