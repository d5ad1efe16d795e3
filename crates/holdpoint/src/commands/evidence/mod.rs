//! Evidence: add, sign, look at, verify. Signing, looking into a file and verifying need no server.

mod show;
mod sign;
mod verify;

use super::Ended;
use crate::client::{Connection, enc};
use crate::out::{BadInput, Code, Out, read};
use clap::{Subcommand, ValueEnum};
use holdpoint_seal::dsse::Envelope;
use holdpoint_seal::json;
use holdpoint_seal::sigstore::bundle::{self, Bundle};
use std::path::{Path, PathBuf};

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
    /// What an envelope or bundle says, without verifying it; or, with --subject, what a server has about a digest.
    #[command(after_help = "Examples:
  holdpoint evidence show artifact.sigstore.json
  holdpoint evidence show --subject sha256:…")]
    Show {
        /// A DSSE envelope or a Sigstore bundle.
        #[arg(required_unless_present = "subject", conflicts_with = "subject")]
        file: Option<PathBuf>,
        /// Ask the server about this digest.
        #[arg(long)]
        subject: Option<String>,
    },
    /// Signs an in-toto statement: a DSSE envelope, or a Sigstore bundle around one.
    #[command(after_help = "Examples:
  holdpoint evidence sign statement.json --key ci.pem --output statement.dsse.json
  holdpoint evidence sign statement.json --key ci.pem --format bundle --output statement.sigstore.json")]
    Sign(sign::Sign),
    /// verified or refused: a DSSE envelope or Sigstore bundle, by a key or by a certificate's identity.
    #[command(after_help = "Examples:
  holdpoint evidence verify statement.dsse.json --key ci.pub --artifact app.tar.gz
  holdpoint evidence verify app.sigstore.json --artifact app.tar.gz --trusted-root trusted_root.json \\
    --certificate-identity https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1.0.0 \\
    --certificate-oidc-issuer https://token.actions.githubusercontent.com")]
    Verify(verify::Verify),
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
            Evidence::Show { file: Some(file), .. } => show::show(out, &file),
            Evidence::Show { file: None, subject } => {
                let subject = subject.unwrap_or_default();
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
            Evidence::Sign(args) => args.run(out),
            Evidence::Verify(args) => args.run(out),
        }
    }
}

/// The language of a description, by its file's ending and, for YAML and JSON, by what stands at its top.
fn language(file: &Path, bytes: &[u8]) -> Result<&'static str, BadInput> {
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

/// A file that holds an envelope or a bundle.
enum Signed {
    Envelope(Envelope),
    Bundle(Box<Bundle>),
}

impl Signed {
    fn read(file: &Path) -> anyhow::Result<Signed> {
        let bad = |why: &dyn std::fmt::Display| BadInput(format!("{}: {why}", file.display()));
        let bytes = read(file)?;
        let value = json::parse(&bytes, bundle::BUNDLE_BYTES_MAX).map_err(|why| bad(&why))?;
        if bundle::is_bundle(&value) {
            return Ok(Signed::Bundle(Box::new(Bundle::from_value(value).map_err(|why| bad(&why))?)));
        }
        let envelope = Envelope::parse(&bytes).map_err(|why| match std::error::Error::source(&why) {
            Some(source) => bad(&format!("neither a Sigstore bundle (no mediaType) nor a DSSE envelope: {source}")),
            None => bad(&why),
        })?;
        Ok(Signed::Envelope(envelope))
    }

    fn format(&self) -> String {
        match self {
            Signed::Envelope(_) => "DSSE envelope".to_owned(),
            Signed::Bundle(bundle) => format!("Sigstore bundle {}", bundle.version.name()),
        }
    }
}
