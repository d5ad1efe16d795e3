//! Advisories that the server judges by, and waivers of what it finds.

use super::Ended;
use crate::client::{Connection, enc};
use crate::out::{BadInput, Code, Out, read};
use clap::Subcommand;
use serde_json::json;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Advisories {
    /// Sends an OSV record, or a zip of them; what was approved is judged anew.
    Send {
        file: PathBuf,
        /// It is a whole database, that takes the place of all before it.
        #[arg(long)]
        whole: bool,
    },
    /// What was sent since the last whole database.
    List,
}

#[derive(Subcommand)]
pub enum Waiver {
    /// Bears a weakness, or a break of an interface, until an instant; then it counts again, by itself.
    Grant {
        /// Any of its names, such as CVE-2021-23337 or brk-0123456789ab.
        advisory: String,
        /// The package's URL without its version, or its name; of a break COMPONENT/INTERFACE.
        #[arg(long)]
        package: String,
        #[arg(long = "environment")]
        environments: Vec<String>,
        #[arg(long = "service")]
        services: Vec<String>,
        /// RFC 3339.
        #[arg(long)]
        until: String,
        #[arg(long)]
        reason: String,
    },
    /// Withdraws one before its end.
    Withdraw {
        id: String,
        #[arg(long)]
        reason: String,
    },
    /// All, newest first.
    List,
}

fn word<'a>(one: &'a serde_json::Value, key: &str) -> &'a str {
    one[key].as_str().unwrap_or_default()
}

impl Advisories {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        match self {
            Advisories::Send { file, whole } => {
                let bytes = read(&file)?;
                if bytes.is_empty() {
                    return Err(BadInput(format!("{}: expected an OSV record or a zip of them, found nothing", file.display())).into());
                }
                let done = connection.client()?.upload(reqwest::Method::POST, &format!("/v1/advisories?whole={whole}"), bytes)?;
                out.result(&done, || format!("delivery {}, {} records", done["delivery"], done["records"]));
            }
            Advisories::List => {
                let all = connection.client()?.get("/v1/advisories")?;
                out.result(&all, || {
                    let rows = all["deliveries"].as_array().into_iter().flatten();
                    let lines = rows.map(|one| format!("{:>6} {} {} records", one["number"], word(one, "received"), one["records"]));
                    let mut lines: Vec<String> = lines.collect();
                    lines.push(format!("judged by all up to {} of {}", all["judged"], all["last"]));
                    lines.join("\n")
                });
            }
        }
        Ok(Code::Done)
    }
}

impl Waiver {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let client = connection.client()?;
        match self {
            Waiver::Grant { advisory, package, environments, services, until, reason } => {
                let body = json!({"advisory": advisory, "package": package, "environments": environments, "services": services, "until": until, "reason": reason});
                let made = client.post("/v1/waivers", &body)?;
                out.result(&made, || word(&made, "waiver").to_owned());
            }
            Waiver::Withdraw { id, reason } => {
                let made = client.call(reqwest::Method::DELETE, &format!("/v1/waivers/{}", enc(&id)), &json!({"reason": reason}), &[])?;
                out.result(&made, || format!("withdrew {id}"));
            }
            Waiver::List => {
                let all = client.get("/v1/waivers")?;
                out.result(&all, || {
                    let rows = all["waivers"].as_array().into_iter().flatten();
                    let lines: Vec<String> = rows
                        .map(|one| {
                            let (id, state, advisory) = (word(one, "id"), word(one, "state"), word(one, "advisory"));
                            format!("{id:<24} {state:<10} {advisory:<20} {} until {}", word(one, "package"), word(one, "until"))
                        })
                        .collect();
                    if lines.is_empty() { "there is no waiver".to_owned() } else { lines.join("\n") }
                });
            }
        }
        Ok(Code::Done)
    }
}
