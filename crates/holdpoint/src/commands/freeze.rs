//! Freezes.

use super::Ended;
use crate::client::{Connection, enc};
use crate::out::{Code, Out};
use clap::Subcommand;
use serde_json::json;

#[derive(Subcommand)]
pub enum Freeze {
    /// Declares one; it holds from `--from` (now) to `--until`.
    Declare {
        name: String,
        #[arg(long = "environment")]
        environments: Vec<String>,
        #[arg(long = "service")]
        services: Vec<String>,
        /// RFC 3339; now where it is left out.
        #[arg(long)]
        from: Option<String>,
        /// RFC 3339.
        #[arg(long)]
        until: String,
        #[arg(long)]
        reason: String,
    },
    /// Lifts one before its end.
    Lift {
        id: String,
        #[arg(long)]
        reason: String,
    },
    /// Those that hold or will hold.
    List,
}

impl Freeze {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let client = connection.client()?;
        match self {
            Freeze::Declare { name, environments, services, from, until, reason } => {
                #[allow(clippy::disallowed_methods, reason = "the moment at which the person asks; the server decides by its own clock")]
                let from = from.unwrap_or_else(|| jiff::Timestamp::now().to_string());
                let body = json!({"name": name, "environments": environments, "services": services, "from": from, "until": until, "reason": reason});
                let made = client.post("/v1/freezes", &body)?;
                out.result(&made, || made["freeze"].as_str().unwrap_or_default().to_owned());
            }
            Freeze::Lift { id, reason } => {
                let made = client.call(reqwest::Method::DELETE, &format!("/v1/freezes/{}", enc(&id)), &json!({"reason": reason}), &[])?;
                out.result(&made, || format!("lifted {id}"));
            }
            Freeze::List => {
                let all = client.get("/v1/freezes")?;
                out.result(&all, || {
                    let rows = all["freezes"].as_array().into_iter().flatten();
                    let lines: Vec<String> = rows
                        .map(|one| {
                            format!(
                                "{:<24} {:<20} {} → {}",
                                one["id"].as_str().unwrap_or_default(),
                                one["name"].as_str().unwrap_or_default(),
                                one["from"].as_str().unwrap_or_default(),
                                one["until"].as_str().unwrap_or_default()
                            )
                        })
                        .collect();
                    if lines.is_empty() { "no freeze is declared".to_owned() } else { lines.join("\n") }
                });
            }
        }
        Ok(Code::Done)
    }
}
