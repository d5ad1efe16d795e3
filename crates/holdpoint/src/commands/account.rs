//! Signing in, tokens, one-time links.

use super::Ended;
use crate::client::{Client, Connection, enc, remember};
use crate::out::{BadInput, Code, Out};
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::BufRead as _;

#[derive(Args)]
pub struct Login {
    /// Your handle.
    handle: String,
}

#[derive(Subcommand)]
pub enum Token {
    /// Makes a token; it is shown once.
    Create {
        /// What it is for.
        name: String,
        /// Days until it expires.
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
}

#[derive(Subcommand)]
pub enum Person {
    /// A one-time link by which somebody who is declared gets an account, or a new password.
    Invite {
        handle: String,
    },
    /// Everybody who is declared.
    List,
}

impl Login {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let server = connection.address()?;
        if out.lively() {
            eprint!("Password of {} at {server}: ", self.handle);
        }
        let mut password = String::new();
        std::io::stdin().lock().read_line(&mut password)?;
        let password = password.trim_end_matches(['\n', '\r']);
        if password.is_empty() {
            return Err(BadInput("expected the password on standard input".to_owned()).into());
        }
        // Only a session makes tokens; this one lives for the two calls.
        let session = Client::new(&server, None)?.sign_in(&self.handle, password)?;
        let made = session.post("/v1/tokens", &json!({"name": "command line"}))?;
        session.call(reqwest::Method::DELETE, "/v1/session", &json!({}), &[])?;
        let token = made["token"].as_str().unwrap_or_default();
        let path = remember(&server, token)?;
        out.result(&json!({"server": server, "handle": self.handle, "credentials": path}), || format!("signed in as {}; the token is in {}", self.handle, path.display()));
        Ok(Code::Done)
    }
}

impl Token {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let Token::Create { name, days } = self;
        let made = connection.client()?.post("/v1/tokens", &json!({"name": name, "days": days}))?;
        out.result(&made, || made["token"].as_str().unwrap_or_default().to_owned());
        Ok(Code::Done)
    }
}

impl Person {
    pub fn run(self, out: &Out, connection: &Connection) -> Ended {
        let client = connection.client()?;
        match self {
            Person::Invite { handle } => {
                let made = client.post(&format!("/v1/people/{}/invite", enc(&handle)), &json!({}))?;
                out.result(&made, || made["link"].as_str().unwrap_or_default().to_owned());
            }
            Person::List => {
                let people = client.get("/v1/people")?;
                out.result(&people, || {
                    let rows = people["people"].as_array().into_iter().flatten();
                    rows.map(|one| {
                        let roles: Vec<&str> = one["roles"].as_array().into_iter().flatten().filter_map(|role| role.as_str()).collect();
                        format!("{:<16} {:<24} {}", one["handle"].as_str().unwrap_or_default(), one["name"].as_str().unwrap_or_default(), roles.join(", "))
                    })
                    .collect::<Vec<_>>()
                    .join("\n")
                });
            }
        }
        Ok(Code::Done)
    }
}
