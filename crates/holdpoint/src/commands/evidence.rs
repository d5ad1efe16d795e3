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
    /// The description of an interface.
    Interface,
    /// A log of who uses an interface.
    Usage,
    Dsse,
}

const FORMATS: [&str; 5] = ["openapi", "protobuf", "avro", "json-schema", "graphql"];

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
        /// Name of the interface, for a description or a log of its use.
        #[arg(long)]
        interface: Option<String>,
        /// Language of the description; otherwise by the file's ending.
        #[arg(long, value_parser = FORMATS)]
        format: Option<String>,
        /// Where the tests ran, or the log was written.
        #[arg(long)]
        environment: Option<String>,
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
            Evidence::Add { kind, subject, suite, interface, format, environment, file } => {
                let bytes = read(&file)?;
                let kind = match kind {
                    Kind::Junit => "junit",
                    Kind::Sarif => "sarif",
                    Kind::Cyclonedx => "cyclonedx",
                    Kind::Interface => "interface",
                    Kind::Usage => "usage",
                    Kind::Dsse => "dsse",
                };
                let needed = |needed: bool, name: &str| match needed {
                    true => Err(BadInput(format!("--{name} is needed with --kind {kind}"))),
                    false => Ok(()),
                };
                needed(kind == "junit" && suite.is_none(), "suite")?;
                needed(matches!(kind, "interface" | "usage") && interface.is_none(), "interface")?;
                needed(kind == "usage" && environment.is_none(), "environment")?;
                let format = match format {
                    None if kind == "interface" => Some(language(&file, &bytes)?.to_owned()),
                    format => format,
                };
                let more: String = [("suite", suite), ("interface", interface), ("format", format), ("environment", environment)]
                    .into_iter()
                    .filter_map(|(name, value)| Some(format!("&{name}={}", enc(&value?))))
                    .collect();
                let done = connection.client()?.upload(
                    reqwest::Method::POST,
                    &format!("/v1/evidence?kind={kind}&subject={}{more}", enc(&subject)),
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

/// The language of a description, by its file's ending and, for YAML and JSON, by what stands at its top.
fn language(file: &std::path::Path, bytes: &[u8]) -> Result<&'static str, BadInput> {
    let top = |key: &str| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().any(|line| line.trim_start().trim_start_matches(['{', '"', ' ']).starts_with(key))
    };
    let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending {
        "avsc" => Ok("avro"),
        "proto" => Ok("protobuf"),
        "graphql" | "graphqls" | "gql" => Ok("graphql"),
        "yaml" | "yml" | "json" if top("openapi") || top("swagger") => Ok("openapi"),
        "json" if top("$schema") => Ok("json-schema"),
        _ => Err(BadInput(format!(
            "{}: the language is not clear from the name; say --format, one of {}",
            file.display(),
            FORMATS.join(", ")
        ))),
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
